"""`doctor` finds what is wrong, says what to do, and leaves with the code of the worst."""

import json
import socket

import pytest

from maestro_analytics.cli import doctor
from maestro_analytics.sandbox import Sandbox
from maestro_analytics.settings import Settings
from tests.commands import run


def findings(done):
    return {each["what"]: each for each in json.loads(done.stdout)["findings"]}


def test_doctor_finds_nothing_before_the_first_refresh(tmp_path):
    with Sandbox(agents=2, days=3) as sandbox:
        done = run(tmp_path, "doctor", "--json", sandbox=sandbox)
        assert sandbox.token not in done.stdout + done.stderr
    found = findings(done)
    assert done.returncode == 0, done.stderr
    assert {found[what]["state"] for what in ("data", "cache", "lock", "account", "clock")} == {"ok"}
    assert "run `maestro-analytics refresh`" in found["database"]["says"]
    assert not (tmp_path / "data").exists()


def test_a_refused_token_is_the_worst(tmp_path):
    with Sandbox(agents=2, days=3) as sandbox:
        done = run(tmp_path, "doctor", "--json", sandbox=sandbox, MAESTRO_API_TOKEN="wrong-secret")
    assert done.returncode == 3
    assert findings(done)["account"]["state"] == "problem"
    assert "wrong-secret" not in done.stdout + done.stderr


@pytest.mark.parametrize("words", [("doctor", "--offline", "--json"), ("status",), ("sql", "select 1")], ids=" ".join)
def test_a_published_file_that_is_not_a_database_is_reported_in_one_line(tmp_path, words):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "maestro.duckdb").write_bytes(b"junk")
    done = run(tmp_path, *words)
    assert done.returncode == 6
    assert "cannot be opened" in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_a_host_that_does_not_answer_is_reported_within_15_seconds(tmp_path, monkeypatch):
    """The address accepts connections and never answers."""
    monkeypatch.setattr(doctor, "ANSWER_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        settings = Settings(
            _env_file=None,
            api_token="token",
            base_url=f"http://127.0.0.1:{silent.getsockname()[1]}/api/v1",
            cache=tmp_path,
        )
        (found,) = doctor._account(settings)
    assert (found.state, found.exit_code) == ("problem", 4)
    assert "did not answer within" in found.says
    assert doctor.ANSWER_SECONDS < 15


def test_a_token_file_that_others_can_read_is_warned_of(tmp_path):
    path = tmp_path / "token"
    path.write_text("secret", encoding="utf-8")
    path.chmod(0o644)
    (found,) = doctor._token_file(Settings(_env_file=None, api_token_file=path))
    assert "chmod 600" in found.says
    path.chmod(0o600)
    assert list(doctor._token_file(Settings(_env_file=None, api_token_file=path))) == []
