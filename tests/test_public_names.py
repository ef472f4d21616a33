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


CLIENT_NAMES = """\
    add_agent_id attach_file attach_url close coaching_point coaching_points coaching_session coaching_sessions
    create_agent create_comment create_comments create_ticket delete_ticket exports get_tickets push_agent_metrics
    push_ticket_metrics requests_made set_agent_availability settings ticket tickets todo todos transport update_ticket
"""


def test_the_names_of_the_client_are_these(tmp_path):
    """`dir` is what Tab offers in a notebook."""
    settings = ma.Settings(api_token="t" * 12, cache=tmp_path, _env_file=None)
    with ma.Client(settings) as client:
        assert CLIENT_NAMES.split() == [name for name in dir(client) if not name.startswith("_")]


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
