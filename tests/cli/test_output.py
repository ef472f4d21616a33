"""What the command line writes, and how it ends when its reader or its terminal is not ideal."""

import json
import subprocess
import sys

import pytest

import maestro_analytics
from maestro_analytics.cli.output import use_utf8
from maestro_analytics.pipeline import RefreshReport
from tests.commands import COMMAND


def run(*words, **environment):
    return subprocess.run(
        [*COMMAND, *words], capture_output=True, text=True, encoding="utf-8", env={"COLUMNS": "200", **environment}
    )


def test_version_is_printed_to_standard_output():
    done = run("--version")
    assert (done.returncode, done.stdout) == (0, f"maestro-analytics {maestro_analytics.__version__}\n")


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("refresh", "--since", "yesterday", "--json"), 2),
        (("refresh", "--bogus", "--json"), 2),
        (("status", "--json"), 3),
        (("status", "--max-age", "3", "--json"), 6),
        (("explain", "--json"), 2),
    ],
)
def test_a_failed_command_prints_one_json_object_with_its_exit_code(words, code, tmp_path):
    done = run(*words, MAESTRO_DATA=str(tmp_path))
    printed = json.loads(done.stdout)
    assert (done.returncode, printed["exit_code"], printed["schema_version"]) == (code, code, 1)
    assert (printed.get("errors") or printed["stale"])[0] != ""
    assert printed["started_at"] <= printed["finished_at"]


def test_the_object_of_a_failed_command_has_the_keys_of_one_that_ran(tmp_path):
    wrong = {"MAESTRO_DATA": str(tmp_path), "MAESTRO_BASE_URL": "http://example.com"}
    refreshed = json.loads(run("refresh", "--json", **wrong).stdout)
    assert refreshed["database"] == str(tmp_path / "maestro.duckdb")
    assert {"status", *RefreshReport(tmp_path).as_json()} <= refreshed.keys()
    pushed = json.loads(run("push", "agent-metrics", "--json", **wrong).stdout)
    assert [pushed[key] for key in ("planned", "sent", "unchanged", "rejected", "unknown")] == [0, 0, 0, [], []]


def test_a_closed_pipe_ends_a_command_without_an_error_message(tmp_path):
    script = " ".join(f"'{word}'" for word in COMMAND) + " sandbox faults | head -n 1; echo ${PIPESTATUS[0]}"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, env={"MAESTRO_DATA": str(tmp_path)})
    assert done.stdout.splitlines()[-1] in ("0", "141")
    assert done.stderr == ""


def test_output_to_a_file_is_utf_8_whatever_the_locale(tmp_path):
    done = run("sandbox", "faults", PYTHONIOENCODING="ascii", LANG="C")
    assert (done.returncode, "Traceback" in done.stderr) == (0, False)


def test_a_command_whose_streams_are_closed_runs(tmp_path):
    script = " ".join(f"'{word}'" for word in COMMAND) + " status >&- 2>&-; echo $?"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, env={"MAESTRO_DATA": str(tmp_path)})
    assert (done.stdout, done.stderr) == ("3\n", "")


def test_a_stream_that_is_closed_becomes_one_to_nowhere(monkeypatch):
    monkeypatch.setattr("sys.stdout", None)
    use_utf8()
    assert not sys.stdout.isatty()
    sys.stdout.close()
