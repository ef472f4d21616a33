"""After `erase`, no byte of the data folder holds the person or the ticket, and nobody else lost a row."""

import gzip
import json
import sqlite3
import zipfile
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from maestro_analytics.push.ledger import DDL
from maestro_analytics.warehouse.erase import agent, erase, nearest_people, ticket
from maestro_analytics.warehouse.replay import replay
from tests.commands import run
from tests.warehouse.data_folder import ANSWER, NOTE, SECTION, SURVEY, TOTAL, DataFolder, csv_text, everything, raw_zip

GONE = {"agent_id": "8800417", "agent_name": "Marla Quist", "agent_email": "marla.quist@example.com"}
TICKET = {"gradable_id": "77001234"}
SECRET = "the customer is called Ottilie Vandermeer"


def rows(**changes: str) -> dict:
    return {
        "total_scores": [TOTAL | changes],
        "section_scores": [SECTION | changes],
        "individual_answers": [ANSWER | changes],
        "annotations": [NOTE | changes],
    }


def together(*grades: dict) -> dict:
    return {name: [row for grade in grades for row in grade[name]] for name in grades[0]}


def fill(data: DataFolder) -> None:
    """Two people and two tickets in every place that keeps data."""
    hers, other = rows(**GONE, **TICKET, comment=SECRET), rows()
    surveys = [SURVEY, SURVEY | TICKET | {"csat_comment": SECRET}]
    data.land_rows(**together(hers, other), csat=surveys)
    newer = rows(**GONE, **TICKET, comment=f"{SECRET}, again", rubric_score="71")
    broken = TOTAL | GONE | TICKET | {"grade_type": "calibration", "rubric_score": SECRET}
    newer["total_scores"].append(broken)
    data.land_rows(week=1, **newer)
    members = [
        {"group_id": "g", "group_name": "A", "agent_ids": "8800417,9900417,Q 17"} | GONE,
        {"group_id": "h", "group_name": "B", "agent_ids": "Q 17"},
        {"group_id": "g", "group_name": "A", "agent_ids": "0072999", "agent_name": "Harrison Charles"},
    ]
    data.land(csv_text("agent_groups", members).encode(), kind="groups")
    activity = {"time_stamp": "2026-01-02T10:00:00Z", "user_email": "jo@example.com"}
    log = [
        activity | {"activity_id": "1", "description": "Graded Marla Quist on ticket 77001234"},
        activity | {"activity_id": "2", "description": "Graded another one"},
    ]
    data.land(csv_text("audit_logs", log).encode(), kind="audit")
    point = {
        "createdAt": "2026-01-05T00:00:00Z",
        "answerId": f"16906fb5ce9d57646fa38362_77001234_{TOTAL['rubric_id']}_8800417_GRADER_grading",
    }
    points = [point | {"id": "p1", "agentId": "9900417", "comment": SECRET}, {"id": "p2", "agentId": "0072999"}]
    data.master.land_coaching("coaching_points", points, taken_at=datetime(2026, 1, 9, tzinfo=UTC))
    with closing(sqlite3.connect(data.folder / "pushes.sqlite", isolation_level=None)) as ledger:
        ledger.executescript(DDL)
        for agent_id, ticket_id in (("8800417", "77001234"), ("0072999", "1")):
            ledger.execute(
                "insert into pushes (kind, agent_id, ticket_id, source_id, metric_id, timestamp, ticket_event_id, "
                "status) values ('ticket', ?, ?, '', 'm', 1, '', 'acknowledged')",
                (agent_id, ticket_id),
            )
    data.master.publish()


def bytes_of(folder: Path):
    """Every byte of the folder, packed files unpacked too."""
    for path in sorted(each for each in folder.rglob("*") if each.is_file()):
        content = path.read_bytes()
        yield path.name, content
        if content.startswith(b"PK"):
            with zipfile.ZipFile(path) as archive:
                yield from ((path.name, archive.read(name)) for name in archive.namelist())
        elif path.suffix == ".gz":
            yield path.name, gzip.decompress(content)


def holding(folder: Path, words: list[str]) -> set[tuple[str, str]]:
    """Which words the folder still has, and in which files."""
    return {(word, name) for name, content in bytes_of(folder) for word in words if word.encode() in content}


PERSON_WORDS = ["8800417", "9900417", "Q 17", "Marla Quist", "marla.quist@example.com"]
TICKET_WORDS = ["Ottilie", "77001234"]


def command(data: DataFolder, *options: str) -> dict:
    done = run(data.folder, "erase", *options, "--json", MAESTRO_DATA=str(data.folder))
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize(
    ("options", "words"),
    [(["--agent", "marla.quist@example.com"], PERSON_WORDS), (["--ticket", "zendesk:77001234"], TICKET_WORDS)],
    ids=["agent", "ticket"],
)
def test_no_byte_of_the_data_folder_holds_what_was_erased_also_after_a_replay(data, options, words):
    fill(data)
    data.master.close()
    assert {word for word, _ in holding(data.folder, words)} == set(words)

    report = command(data, *options)
    assert report["file_rows"] > 0
    assert report["pushes"] == 1
    assert holding(data.folder, words) == set()

    again = DataFolder(data.folder)
    before = everything(again, leaving_out=["landed_at"])
    assert all(outcome.error is None for outcome in replay(again.master))
    again.master.publish()
    after = everything(again, leaving_out=["landed_at"])
    # Columns that only erased records had are no longer added, and lists are shorter.
    differ = {name for name in before if before[name] != after[name]}
    assert differ <= {"state.schema_changes", "state.snapshots", "main.coaching_points"}
    assert len(after["main.coaching_points"]) == len(before["main.coaching_points"]) == 1
    again.master.close()
    assert holding(data.folder, words) == set()


def test_rows_of_others_stay(data):
    fill(data)
    erase(data.master, agent(data.master.connection, "Marla Quist"))

    for table in ("total_scores", "section_scores", "individual_answers", "annotations"):
        assert data.column(f"select agent_id from {table}") == ["0072999"]
    assert data.column("select id from coaching_points") == ["p2"]
    assert data.column("select activity_id from audit_logs") == ["2"]
    assert data.column("select agent_name from agent_groups") == ["Harrison Charles"]
    assert data.rows("select what, rows > 0, files from state.erasures") == [("agent", True, 5)]


def test_a_ticket_of_the_same_id_in_another_helpdesk_stays(data):
    data.land(raw_zip(**together(rows(), rows(source="front"))))
    erase(data.master, ticket(data.master.connection, "zendesk:5310985"))
    assert data.column("select source from total_scores") == ["front"]


@pytest.mark.parametrize("what", ["zendesk:22", "zendesk:TCK", "22", "7"])
def test_an_id_that_is_a_part_of_other_ids_erases_nothing_of_theirs(data, what):
    data.land_rows(total_scores=[TOTAL])
    made = {"createdAt": "2026-01-05T00:00:00Z", "agentId": "zd_7_x"}
    answer = f"16906fb5ce9d57646fa38362_TCK_7_22_{TOTAL['rubric_id']}_zd_7_x_GRADER_calibration_review"
    points = [made | {"id": "p1", "answerId": answer}]
    data.master.land_coaching("coaching_points", points, taken_at=datetime(2026, 1, 9, tzinfo=UTC))
    connection = data.master.connection
    erased = erase(data.master, ticket(connection, what) if ":" in what else agent(connection, what))
    assert (erased.tables, erased.file_rows) == ({}, 0)


def test_a_name_that_nobody_has_leads_to_those_that_are_near(data):
    fill(data)
    assert ["Marla Quist"] == nearest_people(data.master.connection, "Marla Quits")[:1]


def test_a_dry_run_counts_and_changes_nothing(data):
    fill(data)
    files = {path: path.read_bytes() for path in data.master.exports_folder.iterdir()}
    before = everything(data)
    planned = erase(data.master, agent(data.master.connection, "8800417"), dry_run=True)

    assert planned.tables["total_scores"] == 1
    assert everything(data) == before
    assert {path: path.read_bytes() for path in data.master.exports_folder.iterdir()} == files


def test_refused_rows_are_searched_where_none_is_of_a_grade(data):
    """DuckDB cannot compare split_part of a column without values."""
    data.land_rows(**rows(), csat=[SURVEY | TICKET, SURVEY | TICKET | {"csat_comment": "another one"}])
    connection = data.master.connection
    erased = erase(data.master, ticket(connection, "zendesk:77001234"), dry_run=True)
    assert 1 == erased.tables["state.quarantine"]
    assert {} == erase(data.master, agent(connection, "Nobody"), dry_run=True).tables


def test_a_kept_file_that_cannot_be_read_is_removed(data):
    fill(data)
    damaged = data.receive(b"PK\x03\x04" + b"marla.quist@example.com" * 9, week=3)
    erased = erase(data.master, agent(data.master.connection, "8800417"))
    assert erased.removed_files == 1
    assert not damaged.file.exists()
