"""What `from maestro_analytics import analysis` offers."""

import inspect
import subprocess
import sys

from maestro_analytics import analysis

CONTAINERS = {"charts", "report"}


def test_every_public_name_is_what_it_says_and_not_the_module_of_the_same_name():
    """Some answers live in a file of their own name: importing that file must not hide the function."""
    for name in sorted(set(analysis.__all__) - CONTAINERS):
        assert not inspect.ismodule(getattr(analysis, name)), name


def test_tab_completion_lists_public_names_only():
    assert dir(analysis) == sorted(analysis.__all__)


def test_importing_the_answers_imports_neither_scipy_nor_altair():
    """They cost a second; functions import scipy when they need it."""
    code = "import sys; from maestro_analytics import analysis; print({'scipy', 'altair', 'duckdb'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
