"""What `from maestro_analytics import analysis` offers."""

import inspect
import subprocess
import sys

import numpy as np
import pytest

from maestro_analytics import analysis
from maestro_analytics.analysis import Filters
from maestro_analytics.errors import InvalidArgument

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


ANSWERS = sorted(name for name in set(analysis.__all__) - CONTAINERS if name[0].islower())


@pytest.mark.parametrize("name", ANSWERS)
def test_the_signature_of_an_answer_lists_every_filter(name):
    """Jupyter completes keyword arguments from it; `**filters` alone offered nothing."""
    parameters = inspect.signature(getattr(analysis, name)).parameters
    assert next(iter(parameters)) == "store"
    assert list(parameters)[-len(Filters.__annotations__) :] == list(Filters.__annotations__)
    assert all(each.kind is not inspect.Parameter.VAR_KEYWORD for each in parameters.values())


NONSENSE = {
    "by": ["nobody", None],
    "every": ["day"],
    "confidence": [95, 1, 0, float("nan"), "0.95", True],
    "false_alarms": [5, 0],
    "min_n": [-1, 2.5, "10", None],
    "days": [0, -7],
    "resamples": [0],
    "threshold": [float("inf"), "80", None],
    "half_width": [0, -5.0],
    "simultaneous": [1],
}
CALLS = [
    (name, argument, value)
    for name in ANSWERS
    for argument in inspect.signature(getattr(analysis, name)).parameters
    for value in NONSENSE.get(argument, [])
]


@pytest.mark.parametrize(("name", "argument", "value"), CALLS, ids=str)
def test_an_argument_that_means_nothing_is_refused_before_anything_is_asked(name, argument, value):
    with pytest.raises(InvalidArgument, match=rf"^{argument} must be .*, not "):
        getattr(analysis, name)(None, **{argument: value})


class Asked(Exception):
    pass


class AsksNothing:
    def query(self, name, /, **variables):
        raise Asked


def test_numbers_of_numpy_and_whole_numbers_in_the_place_of_others_are_taken():
    with pytest.raises(Asked):
        analysis.agent_scores(AsksNothing(), min_n=np.int64(5), confidence=np.float64(0.9), threshold=80)
