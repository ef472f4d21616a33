"""The command as cron meets it: exit codes, the JSON object, and what goes to which stream."""

import json
import os
import signal
from datetime import UTC, datetime, timedelta

import pytest

from maestro_analytics.sandbox import Sandbox
from maestro_analytics.warehouse import Master
from tests.commands import run, start

NOW = datetime.now(UTC).replace(microsecond=0)
SHORT = (NOW - timedelta(days=3)).strftime("%Y-%m-%dT%H:%M:%SZ")


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox(seed=3, agents=3, days=20, requests_per_second=None, requests_per_minute=None) as served:
        yield served


def test_a_complete_run_is_0_and_prints_one_object(sandbox, tmp_path):
    done = run(tmp_path, "refresh", "--since", SHORT, "--json", sandbox=sandbox)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["schema_version"] == 1
    assert report["status"] == "complete"
    assert report["gaps"] == []
    assert report["database"] == str(tmp_path / "data" / "maestro.duckdb")
    assert report["requests"] > 0
    assert sandbox.token not in done.stdout + done.stderr
    assert json.loads(run(tmp_path, "status", "--json", sandbox=sandbox).stdout)["coverage"]


@pytest.mark.parametrize(
    "words",
    [
        ("refresh", "--since", "yesterday"),
        ("refresh", "--only", "raw,grades"),
        ("refresh", "--since", "2026-02-01", "--until", "2026-01-01"),
        ("refresh", "--since", "2999-01-01"),
        ("refresh", "--no-such-option"),
        ("sql", "selec 1"),
        ("sql", "-- no statement"),
    ],
    ids=" ".join,
)
def test_wrong_options_are_2_and_say_why_in_a_line(sandbox, tmp_path, words):
    if words[0] == "sql":
        run(tmp_path, "refresh", "--since", SHORT, "--only", "groups", sandbox=sandbox)
    done = run(tmp_path, *words, sandbox=sandbox)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_no_token_is_3_and_nothing_is_made(tmp_path):
    done = run(tmp_path, "refresh", "--json")
    assert done.returncode == 3
    assert "MAESTRO_API_TOKEN_FILE" in done.stderr
    assert json.loads(done.stdout)["status"] == "failed"
    assert not (tmp_path / "data" / "maestro.duckdb").exists()


def test_a_refused_token_is_3_and_says_that_tokens_expire(sandbox, tmp_path):
    done = run(tmp_path, "refresh", "--since", SHORT, sandbox=sandbox, MAESTRO_API_TOKEN="wrong-secret")
    assert done.returncode == 3
    assert "Tokens expire after 90 days" in done.stderr
    assert "wrong-secret" not in done.stdout + done.stderr


def test_a_base_url_without_an_api_is_3_and_told_once(sandbox, tmp_path):
    wrong = sandbox.base_url.removesuffix("/api/v1") + "/api"
    done = run(tmp_path, "refresh", "--since", SHORT, "--json", sandbox=sandbox, MAESTRO_BASE_URL=wrong)
    assert done.returncode == 3
    assert [error["error"] for error in json.loads(done.stdout)["errors"]] == ["NoApi"]


def test_the_same_account_under_another_host_is_taken_over_with_adopt_only(sandbox, tmp_path):
    assert run(tmp_path, "refresh", "--since", SHORT, "--only", "groups", sandbox=sandbox).returncode == 0
    other = sandbox.base_url.replace("127.0.0.1", "localhost")
    asked = ("refresh", "--since", SHORT, "--only", "groups")
    done = run(tmp_path, *asked, sandbox=sandbox, MAESTRO_BASE_URL=other)
    assert done.returncode == 3
    assert "the same account" in done.stderr
    assert "--adopt" in done.stderr
    assert run(tmp_path, *asked, "--adopt", sandbox=sandbox, MAESTRO_BASE_URL=other).returncode == 0
    assert run(tmp_path, *asked, sandbox=sandbox, MAESTRO_BASE_URL=other).returncode == 0


def test_another_account_on_the_same_host_is_refused(sandbox, tmp_path):
    """Tokens of two customers have the same host; a server that was started again is the same account."""
    options = {"seed": 9, "agents": 2, "days": 5, "requests_per_second": None, "requests_per_minute": None}
    with Sandbox(**options) as first:
        assert run(tmp_path, "refresh", "--since", SHORT, "--only", "groups", sandbox=first).returncode == 0
        done = run(tmp_path, "refresh", "--since", SHORT, "--only", "groups", sandbox=sandbox)
        assert done.returncode == 3
        assert "two accounts are never mixed" in done.stderr
    with Sandbox(**options) as again:
        done = run(tmp_path, "refresh", "--since", SHORT, "--only", "groups", sandbox=again)
        assert done.returncode == 0, done.stderr


def test_a_host_that_was_only_tried_does_not_own_the_folder(sandbox, tmp_path):
    run(tmp_path, "refresh", "--since", SHORT, sandbox=sandbox, MAESTRO_API_TOKEN="wrong-secret")
    other = sandbox.base_url.replace("127.0.0.1", "localhost")
    done = run(tmp_path, "refresh", "--since", SHORT, "--only", "groups", sandbox=sandbox, MAESTRO_BASE_URL=other)
    assert done.returncode == 0, done.stderr


def test_a_data_folder_that_cannot_be_made_is_3_in_one_line(sandbox, tmp_path):
    (tmp_path / "a-file").write_text("", encoding="utf-8")
    done = run(tmp_path, "refresh", "--since", SHORT, sandbox=sandbox, MAESTRO_DATA=str(tmp_path / "a-file" / "data"))
    assert done.returncode == 3
    assert f"{tmp_path / 'a-file'} is a file: name a folder" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_second_refresh_is_75_and_names_the_first(sandbox, tmp_path):
    with Master.open(tmp_path / "data", command="refresh"):
        done = run(tmp_path, "refresh", "--since", SHORT, "--json", sandbox=sandbox)
    assert done.returncode == 75
    assert f"process {os.getpid()} (refresh)" in done.stderr


def test_an_unrefreshed_database_says_which_command_to_run(tmp_path):
    done = run(tmp_path, "sql", "select 1")
    assert done.returncode == 3
    assert "Run `maestro-analytics refresh`" in done.stderr


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_an_interrupted_run_is_130_and_keeps_what_had_landed(tmp_path, name):
    """The exports of the windows never end; the groups land first and stay."""
    with Sandbox(seed=3, agents=3, days=20, requests_per_second=None, requests_per_minute=None) as served:
        assert run(tmp_path, "refresh", "--since", SHORT, "--only", "groups", sandbox=served).returncode == 0
        served.faults.switch_on("never-ends=99")
        with start(tmp_path, "refresh", "--since", SHORT, "--json", sandbox=served) as going:
            for line in going.stderr:
                if "asked for" in line:
                    break
            going.send_signal(getattr(signal, name))
            stdout, stderr = going.communicate(timeout=60)
    assert going.returncode == 130, stderr
    assert json.loads(stdout)["status"] == "failed"
    assert json.loads(run(tmp_path, "sql", "select count(*) as n from agents", "--format", "json").stdout)[0]["n"] > 0


def test_a_plan_asks_for_nothing(sandbox, tmp_path):
    before = len(sandbox.received.requests)
    done = run(
        tmp_path, "refresh", "--plan", "--since", "2026-01-01", "--until", "2026-01-31", "--json", sandbox=sandbox
    )
    planned = json.loads(done.stdout)
    assert done.returncode == 0, done.stderr
    assert len([each for each in planned["windows"] if each["kind"] == "raw"]) == 5
    assert planned["calls"] > 10
    assert len(sandbox.received.requests) == before
    assert not (tmp_path / "data").exists()
