"""One-off exports, from Python and from the command line."""

import json
import signal
import sys
from datetime import datetime, timedelta

import polars as pl
import pytest

import maestro_analytics as ma
from maestro_analytics import errors
from maestro_analytics.cli import main
from maestro_analytics.exports.progress import Polled


@pytest.fixture
def public(settings_for, clock, make_sandbox, tmp_path):
    """The public client, and the sandbox it talks to."""
    sandbox = make_sandbox()
    with ma.Client(settings_for(sandbox, data=tmp_path / "data"), clock=clock) as client:
        yield client, sandbox


def test_a_raw_export_comes_as_kept_files_and_as_frames(public, month, tmp_path):
    client, sandbox = public

    result = client.exports.raw(since=month.start, until=month.end, to=tmp_path / "kept")

    assert 4 == len(result.files) == len([path for path in (tmp_path / "kept").iterdir() if path.suffix == ".zip"])
    assert () == result.missed
    assert {"total_scores", "section_scores", "individual_answers", "annotations", "csat"} == result.frames.keys()
    truth = {(row["gradable_id"], row["rubric_id"], row["agent_id"]) for row in sandbox.truth.total_scores}
    assert truth == set(result.frames["total_scores"].select("gradable_id", "rubric_id", "agent_id").iter_rows())
    assert pl.Float64 == result.frames["total_scores"].schema["rubric_score"]
    asked = sandbox.exports[0].parameters
    assert ("all", True, True) == (asked["includeCalibrations"], asked["includeGraderQA"], asked["includeDeleted"])


def test_one_file_of_a_raw_export_is_a_plain_csv(public, month):
    client, sandbox = public

    result = client.exports.raw(
        since=month.start, until=month.end, single_file="csat", calibrations="none", grader_qa=False
    )

    assert {".csv"} == {file.suffix for file in result.files}
    assert len(sandbox.truth.csat) == result.frames["csat"].height
    assert 0 == result.frames["total_scores"].height
    assert {"csat"} == {job.parameters["singleFileExport"] for job in sandbox.exports}
    assert result.files[0].is_relative_to(client.settings.data / "downloads")


def test_a_grade_in_two_exports_is_there_once_as_in_the_newer_one(public, month):
    """The sandbox moves on between the two halves of the month: grades of the first are made again in the second."""
    client, sandbox = public
    middle = month.start + timedelta(days=14)
    first = client.exports.raw(since=month.start, until=middle)
    sandbox.advance(days=10)

    result = client.exports.raw(since=month.start, until=month.end + timedelta(days=10))

    keys = result.frames["total_scores"]["grade_key"]
    assert keys.n_unique() == len(keys) == len(sandbox.truth.total_scores)
    assert first.frames["total_scores"].height < len(keys)


def test_groups_and_audit_logs(public, month):
    client, sandbox = public

    groups = client.exports.groups().frames["agent_groups"]
    audit = client.exports.audit_logs(since=month.start, until=month.end).frames["audit_logs"]

    assert len(sandbox.truth.agent_groups) == groups.height
    assert pl.List(pl.String) == groups.schema["agent_ids"]
    assert len(sandbox.truth.audit_logs) == audit.height


def test_the_same_call_asks_again_and_a_killed_one_goes_on(public, month, tmp_path):
    client, sandbox = public

    def stop_at_a_poll(event):
        if isinstance(event, Polled):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        client.exports.raw(since=month.start, until=month.end, on_event=stop_at_a_poll)
    asked = len(sandbox.exports)
    client.exports.raw(since=month.start, until=month.end)
    assert asked <= 4 == len(sandbox.exports)

    client.exports.raw(since=month.start, until=month.end)
    assert 8 == len(sandbox.exports)


def test_a_missed_window_is_an_error_unless_partial_is_set(public, month):
    client, sandbox = public
    sandbox.faults.switch_on("errored=1000")
    span = {"since": month.end - timedelta(minutes=1), "until": month.end}

    with pytest.raises(errors.ExportFailed, match=r"1 windows? could not be exported.*partial=True"):
        client.exports.raw(**span)
    part = client.exports.raw(**span, partial=True)

    assert [] == part.files
    assert [month.end] == [missed.window.end for missed in part.missed]
    assert 0 == part.frames["total_scores"].height


def test_lists_are_frames_with_the_columns_of_the_tables(public):
    client, sandbox = public

    todos, points, sessions = client.todos(), client.coaching_points(), client.coaching_sessions()

    assert {row["id"] for row in sandbox.truth.todos} == set(todos["id"])
    assert {row["id"] for row in sandbox.truth.coaching_points} == set(points["id"])
    assert {row["id"] for row in sandbox.truth.coaching_sessions} == set(sessions["id"])
    assert pl.Datetime("us", "UTC") == todos.schema["created_at"]
    assert pl.Boolean == sessions.schema["coach_confirmed"]
    agent = todos["agent_id"][0]
    assert {agent} == set(client.todos(agent_id=agent)["agent_id"])
    row = points.row(0, named=True)
    record = client.coaching_point(row["id"])
    assert row == {name: list(value) if isinstance(value, tuple) else value for name, value in dict(record).items()}


def test_tickets_are_a_frame_also_when_there_are_none(public):
    client, sandbox = public
    ticket_id = sandbox.truth.total_scores[0]["gradable_id"]

    tickets = client.tickets([ticket_id, "nobody's"])

    assert [ticket_id] == tickets["ticket_id"].to_list()
    assert tickets.schema == client.tickets([]).schema


def test_naive_moments_are_refused_with_what_to_write(public):
    client, sandbox = public

    with pytest.raises(errors.InvalidArgument, match=r"tzinfo=UTC"):
        client.exports.raw(since=datetime(2026, 1, 1))
    with pytest.raises(errors.InvalidArgument, match="single_file must be one of"):
        client.exports.raw(since=sandbox.now - timedelta(days=1), single_file="scores")
    assert [] == sandbox.exports


@pytest.fixture
def run_command(tmp_path, monkeypatch, capsys):
    """Runs the command line in this process, as `maestro-analytics export ...` would: (exit code, stdout, stderr)."""
    before = signal.getsignal(signal.SIGTERM)

    def run(sandbox, *arguments, **environment):
        variables = {
            "MAESTRO_API_TOKEN": sandbox.token,
            "MAESTRO_BASE_URL": sandbox.base_url,
            "MAESTRO_CACHE": str(tmp_path / "cache"),
            "MAESTRO_REQUESTS_PER_SECOND": "1000",
            "MAESTRO_REQUESTS_PER_MINUTE": "60000",
        }
        for name, value in (variables | environment).items():
            monkeypatch.setenv(name, value)
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", ["maestro-analytics", "export", *arguments])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        return ended.value.code or 0, *capsys.readouterr()

    yield run
    signal.signal(signal.SIGTERM, before)


def test_the_command_prints_the_files_and_nothing_else_to_standard_output(make_sandbox, run_command, tmp_path):
    sandbox = make_sandbox()

    code, out, err = run_command(sandbox, "groups", "--to", "kept")

    assert 0 == code, err
    (printed,) = out.splitlines()
    assert (tmp_path / "kept" / printed).is_file()
    assert "received groups export" in err
    assert sandbox.token not in out + err


def test_the_command_tells_json_and_its_exit_code_says_partial(make_sandbox, run_command):
    sandbox = make_sandbox("errored=100")

    code, out, _ = run_command(
        sandbox, "raw", "--since", "2026-02-20", "--until", "2026-02-20T00:01:00Z", "--to", "kept", "--json"
    )

    told = json.loads(out)
    assert 6 == code
    assert (1, "raw", []) == (told["schema_version"], told["kind"], told["exports"])
    assert "2026-02-20T00:00:00+00:00" == told["missed"][0]["window_start"]


def test_a_plan_asks_for_nothing(make_sandbox, run_command, tmp_path):
    sandbox = make_sandbox()
    options = ["--since", "2026-02-01", "--until", "2026-03-01", "--to", "kept", "--max-window", "14d", "--plan"]

    _, out, _ = run_command(sandbox, "audit", *options)

    assert [
        "audit 2026-02-01T00:00:00Z to 2026-02-15T00:00:00Z",
        "audit 2026-02-15T00:00:00Z to 2026-03-01T00:00:00Z",
        "2 exports, about 14 calls and 0.5 minutes; nothing was asked for",
    ] == out.splitlines()
    assert [] == sandbox.exports
    assert not (tmp_path / "kept").exists()


@pytest.mark.parametrize(
    ("arguments", "environment", "code", "said"),
    [
        (["raw", "--since", "soon", "--to", "kept"], {}, 2, "--since 'soon'"),
        (["raw", "--since", "2026-01-01", "--to", "kept", "--max-window", "week"], {}, 2, "7d, 12h or 15m"),
        (["raw", "--since", "2026-01-01", "--to", "kept", "--single-file", "x"], {}, 2, "must be one of"),
        (["raw", "--to", "kept"], {}, 2, "--since"),
        (["raw", "--since", "2026-02-01", "--until", "2026-01-01", "--to", "kept"], {}, 2, "must end after"),
        (["groups", "--to", "kept"], {"MAESTRO_API_TOKEN": ""}, 3, "no API token"),
        (["groups", "--to", "kept"], {"MAESTRO_API_TOKEN": "wrong-token"}, 3, "API token was refused"),
    ],
)
def test_errors_are_reported_with_their_exit_code(make_sandbox, run_command, arguments, environment, code, said):
    ended, out, err = run_command(make_sandbox(), *arguments, **environment)

    assert (code, "") == (ended, out), err
    assert said in " ".join(err.split())
    assert "Traceback" not in err
