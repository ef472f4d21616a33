"""The names that scripts and notebooks rely on."""

import subprocess
import sys

import pytest

import maestro_analytics as ma


def test_the_public_names_are_these():
    assert ma.__all__ == [
        "Client",
        "Sandbox",
        "Settings",
        "analysis",
        "errors",
        "land",
        "open",
        "open_lake",
        "read_export",
        "refresh",
        "tables",
    ]


@pytest.mark.parametrize("name", ma.__all__)
def test_every_public_name_can_be_had(name):
    assert getattr(ma, name) is not None


def test_a_name_that_is_not_public_is_an_attribute_error():
    with pytest.raises(AttributeError, match="has no attribute 'frobnicate'"):
        ma.frobnicate  # noqa: B018


HEAVY = ("polars", "duckdb", "pandera", "pyarrow", "scipy", "numpy", "altair", "pandas", "jupyterlab", "pyspark")


def test_help_answers_without_a_heavy_import():
    """`maestro-analytics --help` is asked for often; 0.5 s is what it may take, and these alone cost more."""
    code = (
        "import sys\n"
        "from maestro_analytics import cli\n"
        "sys.argv = ['maestro-analytics', '--help']\n"
        "try:\n    cli.main()\nexcept SystemExit as stop:\n    assert stop.code == 0\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"
    assert "refresh" in done.stdout


def test_reading_imports_nothing_that_only_a_refresh_needs():
    """`maestro-analytics sql` took 1.3 s with these, and takes 0.5 s."""
    unneeded = ("pandera", "pandas", "pyspark", "requests", "scipy", "altair")
    code = f"import sys\nimport maestro_analytics as ma\nma.open\nprint([n for n in {unneeded!r} if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
