"""kill -9 at every step of landing and publishing: afterwards the database opens, and state and rows agree.

The process that dies is a real one, and the signal is the one that cannot be caught.
"""

import os
import shutil
import signal
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest

from maestro_analytics.warehouse import Master, open, steps
from maestro_analytics.warehouse.replay import replay
from tests.commands import FORKS
from tests.warehouse.data_folder import (
    NOTE,
    SECTION,
    SURVEY,
    TOTAL,
    DataFolder,
    csv_text,
    everything,
    whole_grade,
    zipped,
)

AT = datetime(2026, 2, 1, tzinfo=UTC)
LISTS = {"todos": [{"id": "t1"}, {"id": "t2"}]}

FIRST = whole_grade() | {"csat": [SURVEY]}
SECOND = {
    "total_scores": [
        TOTAL | {"rubric_score": "90", "channel": "chat"},
        TOTAL | {"gradable_id": "2", "is_deleted": "true"},
        *[TOTAL | {"gradable_id": f"more {number}"} for number in range(100)],
        TOTAL | {"gradable_id": "3", "rubric_score": "?"},
    ],
    "section_scores": [SECTION | {"section_score": "9"}],
    "individual_answers": [],
    "annotations": [NOTE | {"gradable_id": "more 1"}],
    "csat": [SURVEY | {"csat_score": "5"}],
}

LANDING = [
    "grades classified",
    "columns grown",
    "history written",
    "total_scores deleted",
    "section_scores deleted",
    "individual_answers deleted",
    "annotations deleted",
    "total_scores inserted",
    "section_scores inserted",
    "individual_answers inserted",
    "annotations inserted",
    "versions written",
    "csat landed",
    "before commit",
    "committed",
]
LISTING = ["columns grown", "list kept", "before commit", "committed"]
PUBLISHING = ["prepared", "copied", "published"]


def second_export() -> bytes:
    return zipped({f"{name}.csv": csv_text(name, rows) for name, rows in SECOND.items()})


def die_at(step: str) -> None:
    """Make this process kill itself as soon as it reaches `step`."""

    def reached(current: str) -> None:
        if current == step:
            os.kill(os.getpid(), signal.SIGKILL)

    steps.reached = reached


def land_and_die(folder: Path, step: str) -> None:
    with Master.open(folder) as master:
        data = DataFolder.__new__(DataFolder)
        data.folder, data.master = folder, master
        (export,) = master.ledger.unfinished()
        die_at(step)
        data.land_record(export)


def list_and_die(folder: Path, step: str) -> None:
    with Master.open(folder) as master:
        die_at(step)
        master.land_coaching("todos", [{"id": "t3", "colour": "red"}], taken_at=AT)


def publish_and_die(folder: Path, step: str) -> None:
    with Master.open(folder) as master:
        die_at(step)
        master.publish()


def replay_and_die(folder: Path, files: int) -> None:
    with Master.open(folder) as master:
        for number, _ in enumerate(replay(master), start=1):
            if number == files:
                os.kill(os.getpid(), signal.SIGKILL)


def dies(target, *args) -> None:
    child = FORKS.Process(target=target, args=args)
    child.start()
    child.join(60)
    assert child.exitcode == -signal.SIGKILL


def contents(folder: Path) -> dict:
    """All rows of the master, but for the columns that the second export and list bring, and this run's moments."""
    with Master.open(folder) as master:
        data = DataFolder.__new__(DataFolder)
        data.folder, data.master = folder, master
        found = everything(data, leaving_out=("channel", "colour", "landed_at"))
    del found["state.schema_changes"]
    return found


def folder_before(folder: Path) -> Path:
    """One export landed and published, a list landed, and a second export received."""
    data = DataFolder(folder)
    data.land_rows(**FIRST)
    data.land_rows(total_scores=[TOTAL | {"gradable_id": "2"}])
    data.master.land_coaching("todos", LISTS["todos"], taken_at=AT)
    data.master.publish()
    data.receive(second_export(), week=1)
    data.master.close()
    return folder


def land_second(folder: Path) -> None:
    data = DataFolder(folder)
    (export,) = data.master.ledger.unfinished()
    data.land_record(export)
    data.master.close()


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    return folder_before(tmp_path_factory.mktemp("prepared") / "data")


@pytest.fixture(scope="module")
def landed(prepared):
    folder = prepared.with_name("landed")
    shutil.copytree(prepared, folder)
    land_second(folder)
    return folder


@pytest.fixture(scope="module")
def before(prepared):
    return contents(prepared)


@pytest.fixture(scope="module")
def after(landed):
    return contents(landed)


@pytest.fixture
def folder(prepared, tmp_path):
    return Path(shutil.copytree(prepared, tmp_path / "data"))


@pytest.fixture
def folder_after(landed, tmp_path):
    return Path(shutil.copytree(landed, tmp_path / "data"))


def test_the_steps_are_all_that_there_are(folder, monkeypatch):
    seen = []
    monkeypatch.setattr(steps, "reached", seen.append)
    data = DataFolder(folder)
    (export,) = data.master.ledger.unfinished()
    data.land_record(export)
    assert seen == LANDING
    data.master.publish()
    assert seen[len(LANDING) :] == PUBLISHING
    seen.clear()
    data.master.land_coaching("todos", [{"id": "t1"}], taken_at=AT)
    assert seen == LISTING
    data.master.close()


def test_the_two_states_differ(before, after):
    assert {name for name in after if after[name] != before[name]} >= {
        "main.total_scores",
        "state.deletions",
        "state.coverage",
    }


@pytest.mark.parametrize("step", LANDING)
def test_killed_while_landing(folder, before, after, step):
    """Before the commit nothing has happened, after it everything; and landing again gives the same."""
    dies(land_and_die, folder, step)

    if step != "committed":
        assert contents(folder) == before
        assert not list((folder / "master").glob("staging/*"))
        land_second(folder)
    assert contents(folder) == after


@pytest.mark.parametrize("step", LISTING)
def test_killed_while_a_list_lands(folder, step):
    dies(list_and_die, folder, step)

    with Master.open(folder) as master:
        ids = [row[0] for row in master.connection.execute("select id from todos order by id").fetchall()]
    assert ids == (["t3"] if step == "committed" else ["t1", "t2"])


@pytest.mark.parametrize("step", PUBLISHING)
def test_killed_while_publishing(folder_after, step):
    """The published file is the old or the new one, whole; what was half made is gone when the folder is next used."""
    folder = folder_after
    dies(publish_and_die, folder, step)

    with open(folder / "maestro.duckdb") as qa:
        scores = qa.sql("select rubric_score from grades where gradable_id = '5310985'")["rubric_score"].to_list()
    assert scores == ([90.0] if step == "published" else [70.0])
    with Master.open(folder) as master:
        assert {path.name for path in folder.iterdir()} == {"exports", "master", "maestro.duckdb"}
        master.publish()
    with open(folder / "maestro.duckdb") as qa:
        assert qa.sql("select rubric_score from grades where gradable_id = '5310985'")["rubric_score"].to_list() == [
            90.0
        ]


@pytest.mark.parametrize("files", [1, 3])
def test_killed_while_replaying_the_database_is_as_it_was(folder_after, after, files):
    dies(replay_and_die, folder_after, files)

    assert contents(folder_after) == after
    assert not list((folder_after / "master").glob("*.new*"))


def test_a_torn_copy_is_never_what_readers_get(folder):
    half = (folder / "maestro.duckdb").read_bytes()[:5000]
    (folder / ".maestro-1.part").write_bytes(half)

    with Master.open(folder) as master:
        master.publish()
    assert not (folder / ".maestro-1.part").exists()
    duckdb.connect(folder / "maestro.duckdb", read_only=True).close()
