"""`lake write`, `lake show` and `lake sql` from a shell, on a published database."""

import json
import re
import signal
import sys
from dataclasses import dataclass
from datetime import UTC, datetime

import polars as pl
import pytest

from maestro_analytics.cli import main
from maestro_analytics.lake import published
from maestro_analytics.warehouse import Master


@pytest.fixture
def data_folder(tmp_path):
    """A published data folder with one to-do in it, refreshed once."""
    folder = tmp_path / "data"
    with Master.open(folder, host="qa.example.com", command="test") as master:
        todo = {"id": "d1", "title": "Practise", "coachingSessionIds": ["s1"]}
        master.land_coaching("todos", [todo], taken_at=datetime(2026, 5, 1, tzinfo=UTC))
        master.connection.execute(
            "insert into state.refreshes (refresh_id, started_at, finished_at, status) "
            "values (1, timestamptz '2026-05-01T08:00:00Z', timestamptz '2026-05-01T08:01:00Z', 'complete')"
        )
        master.publish()
    return folder


@dataclass
class Done:
    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def run(monkeypatch, capsys, tmp_path):
    """Runs a command of the entry point itself, in this process: a new one would spend its time on imports."""
    termination = signal.getsignal(signal.SIGTERM)
    monkeypatch.chdir(tmp_path)

    def run(data_folder, *arguments):
        monkeypatch.setenv("MAESTRO_DATA", str(data_folder))
        monkeypatch.setattr(sys, "argv", ["maestro-analytics", *arguments])
        with pytest.raises(SystemExit) as stop:
            main()
        out, err = capsys.readouterr()
        return Done(stop.value.code or 0, out, err)

    yield run
    signal.signal(signal.SIGTERM, termination)


def test_a_written_lake_is_shown_and_answers(run, data_folder, tmp_path):
    done = run(data_folder, "lake", "write", "--to", str(tmp_path / "lake"), "--json")
    assert (done.returncode, done.stderr) == (0, "")
    written = json.loads(done.stdout)
    assert written["schema_version"] == 1
    assert (written["account"], written["rows"]["todos"]) == ("qa.example.com", 1)

    shown = {
        row["table"]: row for row in json.loads(run(data_folder, "lake", "show", "lake", "--json").stdout)["tables"]
    }
    assert shown["todos"]["refreshed_at"].startswith("2026-05-01 08:00:00")
    assert [shown["todos"][name] for name in ("rows", "months", "files")] == [1, 0, 1]
    assert pl.read_delta(shown["todos"]["place"])["coaching_session_ids"].to_list() == [["s1"]]

    asked = run(
        data_folder,
        "lake",
        "sql",
        "select title from todos",
        "--at",
        str(tmp_path / "lake"),
        "--format",
        "csv",
    )
    assert (asked.returncode, asked.stdout) == (0, "title\nPractise\n")


def test_a_second_write_says_that_all_is_as_it_was(run, data_folder, tmp_path):
    run(data_folder, "lake", "write", "--to", str(tmp_path / "lake"))
    again = run(data_folder, "lake", "write", "--to", str(tmp_path / "lake"))
    assert (again.returncode, again.stdout) == (0, "")
    assert "0 parts written" in again.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "line"),
    [
        (("lake", "show", "nowhere"), 2, "NotALake: .*nowhere is not a lake: no Delta table"),
        (("lake", "sql", "select 1", "--at", "data"), 2, "NotALake: "),
        (("lake", "write", "--to", "ftp://host/lake"), 2, "InvalidArgument: .*ftp:// is not known"),
        (("lake", "write", "--to", "lake", "--account", "a/b"), 2, "InvalidArgument: 'a/b' cannot name a folder"),
        (("lake", "write", "--to", "data/maestro.duckdb"), 6, "LakeError: .*cannot be used: Not a directory"),
    ],
)
def test_a_mistake_is_one_line(run, data_folder, arguments, code, line):
    done = run(data_folder, *arguments)
    assert (done.returncode, done.stdout) == (code, "")
    assert re.match(line, done.stderr), done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_query_that_cannot_be_run_is_a_mistake_not_a_bug(run, data_folder, tmp_path):
    run(data_folder, "lake", "write", "--to", "lake")
    done = run(data_folder, "lake", "sql", "select nothing", "--at", "lake")
    assert done.returncode == 2
    assert "the query cannot be run" in done.stderr


def test_sql_that_writes_is_refused_as_on_the_database(run, data_folder, tmp_path):
    run(data_folder, "lake", "write", "--to", "lake")
    done = run(data_folder, "lake", "sql", "copy (select 1) to 'x.csv'", "--at", "lake")
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (2, "", 1)
    assert "COPY statements are refused" in done.stderr
    assert not (tmp_path / "x.csv").exists()


def test_of_a_printed_table_only_the_rows_that_are_shown_are_fetched(run, data_folder):
    run(data_folder, "lake", "write", "--to", "lake")
    many = "select if(i < 4000000, i, error('fetched')) as i from range(5000000) as numbers(i)"
    done = run(data_folder, "lake", "sql", many, "--at", "lake")
    assert (done.returncode, done.stderr) == (0, "the first 200 rows; --format csv writes all\n")
    assert done.stdout.split()[-1] == "199"


@pytest.mark.skipif(sys.platform == "win32", reason="needs RLIMIT_FSIZE")
def test_a_full_disk_is_one_line_and_what_was_published_stays(run, data_folder, tmp_path):
    """A limit on the size of a file gives the same error as a full disk, in the middle of a file."""
    import resource

    run(data_folder, "lake", "write", "--to", "lake")
    with Master.open(data_folder, host="qa.example.com", command="test") as master:
        todo = {"id": "d2", "title": "".join(map(chr, range(20_000, 50_000))), "coachingSessionIds": []}
        master.land_coaching("todos", [todo], taken_at=datetime(2026, 5, 2, tzinfo=UTC))
        master.publish()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, limits[1]))
    try:
        done = run(data_folder, "lake", "write", "--to", "lake")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert (done.returncode, len(done.stderr.splitlines())) == (6, 1)
    assert "cannot be used: [Errno 27]" in done.stderr
    done = run(data_folder, "lake", "sql", "select id from todos", "--at", "lake", "--format", "csv")
    assert done.stdout == "id\nd1\n"


def test_nothing_refreshed_yet_is_said(run, tmp_path):
    done = run(tmp_path / "empty", "lake", "write", "--to", "lake")
    assert done.returncode == 3
    assert "nothing has been refreshed yet" in done.stderr
    assert not (tmp_path / "lake").exists()


def test_two_data_folders_are_told_apart_and_one_is_itself_for_ever(data_folder, tmp_path):
    with published(data_folder / "maestro.duckdb") as source:
        first = source.origin
    with Master.open(data_folder, host="qa.example.com", command="test") as master:
        master.connection.execute(
            "insert into state.refreshes (refresh_id, started_at, status) values (2, $1, 'complete')",
            [datetime(2026, 5, 2, tzinfo=UTC)],
        )
        master.publish()
    with published(data_folder / "maestro.duckdb") as source:
        assert source.origin == first
    with Master.open(tmp_path / "other", host="qa.example.com", command="test") as master:
        master.connection.execute(
            "insert into state.refreshes (refresh_id, started_at, status) values (1, $1, 'complete')",
            [datetime(2026, 5, 3, tzinfo=UTC)],
        )
        master.publish()
    with published(tmp_path / "other" / "maestro.duckdb") as source:
        assert source.origin != first
