"""A contact centre of four months for the lake's tests, made by arithmetic: always the same, and awkward on purpose.

Two helpdesks, people with two ids, two rubrics, calibrations, benchmarks, N/A answers, bonus points, auto-fails,
moments on both sides of a month's end, grades without a date, and texts that SQL dialects escape differently.
"""

from __future__ import annotations

import os
import random
import shutil
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest

from maestro_analytics.lake import Source
from maestro_analytics.tables.columns import DTYPES
from maestro_analytics.tables.schemas import TABLES, TABLES_BY_NAME
from maestro_analytics.warehouse.multi_select import add_multi_select_questions
from maestro_analytics.warehouse.state import create_all

START = datetime(2026, 1, 1, tzinfo=UTC)
DAYS = 118
AWKWARD = (
    None,
    "",
    'it\'s "quoted"',
    "C:\\new\\table",
    "two\nlines",
    "emoji 🙂",
    "50 % _ done; -- not a comment",
    "${x} {{y}}",
)
JVM_OPTIONS = (
    "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC "
    # of 87 s of processor time for the queries of test_engines.py (one run of each, load 7 to 9), room for compiled
    # code, classes and new objects took 11 (48 MB of code were thrown away and compiled again), and not verifying
    # Spark's own classes 7
    "-XX:ReservedCodeCacheSize=240m -XX:MetaspaceSize=256m -Xms1g -Xmn500m "
    "-XX:+UnlockDiagnosticVMOptions -XX:-BytecodeVerificationRemote"
)
RUBRICS = {"A1b2C3d4E5f6G7h8I": "Chat", "Zz9Yy8Xx7Ww6Vv5Uu": "E-mail"}


def seed(connection: duckdb.DuckDBPyConnection, *, tickets: int = 260) -> None:
    """Create every table and fill it, as if one export had brought all of it."""
    create_all(connection)
    rows = _rows(tickets)
    for table in TABLES:
        frame = pl.DataFrame(
            [{name: row.get(name) for name in table.columns} for row in rows[table.name]],
            schema={name: DTYPES[role] for name, role in table.columns.items()},
        )
        connection.register("rows_of_one_table", frame)
        connection.execute(f"insert into {table.name} by name select * from rows_of_one_table")
        connection.unregister("rows_of_one_table")
    add_multi_select_questions(connection)
    covered = [START + timedelta(days=9), START + timedelta(days=999)]
    connection.execute("insert into covered_time values (?, ?)", covered)
    connection.execute(
        "insert into state.exports (seq, kind, status, requested_at) "
        "values (1, 'raw', 'landed', timestamptz '2026-05-01T00:00:00Z')"
    )
    connection.execute(
        "insert into state.grade_versions (grade_key, export_seq) select distinct grade_key, 1 from total_scores"
    )
    connection.execute("insert into state.csat_versions select source, gradable_id, 1 from csat")


def _people() -> list[dict[str, Any]]:
    people = []
    for number in range(12):
        ids = [f"{number:05d}"] + ([f"chat_{number}"] if number % 3 == 0 else [])
        people.append(
            {"ids": ids, "name": f"Agent {number}", "email": f"agent{number}@example.com", "team": number % 3}
        )
    return people


def _rows(tickets: int) -> dict[str, list[dict[str, Any]]]:
    dice = random.Random(7)
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in TABLES_BY_NAME}
    people = _people()
    for number, person in enumerate(people):
        shared = {"agent_name": person["name"], "agent_email": person["email"], "available": number % 5 != 4}
        for team in {person["team"], 0} if number % 4 == 0 else {person["team"]}:
            group = {"group_name": f"Team {team}", "group_id": f"g{team}", "agent_ids": person["ids"]}
            rows["agent_groups"].append(shared | group)
        rows["agents"].append(shared | {"person_id": min(person["ids"])})
        rows["agent_ids"] += [{"agent_id": one, "person_id": min(person["ids"])} for one in person["ids"]]
    rows["agent_ids"].append({"agent_id": "outside", "person_id": "outside"})
    rows["agents"].append({"person_id": "outside", "agent_name": "In no group"})

    for ticket in range(tickets):
        person = dice.choice(people)
        agent = {"agent_id": dice.choice(person["ids"]), "agent_name": person["name"], "agent_email": person["email"]}
        if ticket % 97 == 0:
            agent = {"agent_id": "outside", "agent_name": "In no group", "agent_email": None}
        source = ("helpdesk", "chat", None)[dice.choices((0, 1, 2), (6, 3, 1))[0]]
        created = START + timedelta(days=dice.random() * DAYS, microseconds=ticket)
        if ticket % 13 == 0:
            created = datetime(2026, 1 + ticket % 4, 1, tzinfo=UTC) - timedelta(hours=3 if ticket % 2 else -3)
        base = agent | {"gradable_id": f"t_{ticket:04d}", "source": source, "ticket_created_at": created}
        if dice.random() < 0.6:
            rows["csat"].append(
                {name: base[name] for name in ("gradable_id", "source", "ticket_created_at")}
                | {"csat_score": float(dice.randint(1, 5)), "csat_comment": AWKWARD[ticket % len(AWKWARD)]}
            )
        rubric = list(RUBRICS)[ticket % 2]
        graded = None if ticket % 61 == 5 else created + timedelta(days=dice.random() * 2)
        kinds = [("grading", f"grader{dice.randint(0, 3)}")]
        if ticket % 6 == 0:
            kinds += [("calibration", f"grader{number}") for number in range(3)]
        if ticket % 5 == 0:
            kinds.append(("grader_qa", "lead"))
        for grade_type, grader in kinds:
            _grade(rows, dice, base, rubric, grade_type, grader, graded, ticket)
        if ticket % 15 == 0:
            other = list(RUBRICS)[1 - ticket % 2]
            _grade(rows, dice, base, other, "grading", "grader1", graded, ticket)
    _coaching(rows, dice, people)
    for number in range(40):
        rows["audit_logs"].append(
            {
                "activity_id": f"a{number // 2}",
                "time_stamp": START + timedelta(hours=number * 17),
                "user_email": f"grader{number % 4}@example.com",
                "item_type": "rubric",
                "action_type": ("updated", "created")[number % 2],
                "description": f"change {number} {AWKWARD[number % len(AWKWARD)] or ''}",
                "ip_address": None,
            }
        )
    return rows


def _grade(
    rows: dict[str, list[dict[str, Any]]],
    dice: random.Random,
    base: dict[str, Any],
    rubric: str,
    grade_type: str,
    grader: str,
    graded: datetime | None,
    ticket: int,
) -> None:
    own = "" if grade_type == "grading" else f"|{grader}"
    answer_id = f"16906fb5ce9d57646fa38362_{base['gradable_id']}_{rubric}_{base['agent_id']}_GRADER_grading"
    grade = base | {
        "grade_key": f"{base['source'] or ''}|{base['gradable_id']}|{rubric}|{base['agent_id']}|{grade_type}{own}",
        "rubric_id": rubric,
        "rubric_name": RUBRICS[rubric],
        "grader": None if ticket % 50 == 49 else grader,
        "grade_type": grade_type,
        "date_graded": graded,
        "date_reported_as": graded,
        "alignment_score": None if grade_type == "grading" else float(dice.randint(50, 100)),
        "target_answer_id": None if grade_type == "grading" else answer_id,
        "original_grader": None if grade_type == "grading" else "grader1",
    }
    total = maximum = 0.0
    for section in range(2):
        section_total = section_maximum = 0.0
        place = {"section_id": f"{rubric[:2]}s{section}", "section_name": ("Tone", "Solution")[section]}
        for question in range(3):
            points = 5.0 * (question + 1)
            reached = None if dice.random() < 0.1 else points * dice.choice((0, 0.5, 1, 1, 1, 1))
            answers = 2 if question == 2 and dice.random() < 0.2 else 1
            for answer in range(answers):
                rows["individual_answers"].append(
                    grade
                    | place
                    | {
                        "question_id": f"{rubric[:2]}q{section}{question}",
                        "question": f"Question {section}.{question}?",
                        "answer_label": "N/A"
                        if reached is None
                        else ("No", "Partly", "Yes")[round(reached / points * 2)],
                        "feedback_answer_label": f"option {answer}" if answers > 1 else None,
                        "question_score": reached,
                        "max_question_score": None if reached is None else points,
                        "comment": AWKWARD[(ticket + question) % len(AWKWARD)],
                    }
                )
            section_total += reached or 0.0
            section_maximum += 0.0 if reached is None else points
        weights = {"section_weight": (40.0, 60.0)[section] if rubric.startswith("Z") else None}
        scores = {"section_score": section_total if section_maximum else None, "max_section_score": section_maximum}
        rows["section_scores"].append(grade | place | weights | scores)
        total, maximum = total + section_total, maximum + section_maximum
    if ticket % 40 == 3:
        total = 0.0
    if ticket % 45 == 7:
        total = maximum + 5.0
    rows["total_scores"].append(
        grade
        | {
            "rubric_score": None if ticket % 70 == 9 else total,
            "max_rubric_score": 0.0 if ticket % 71 == 11 else maximum,
            "comment": AWKWARD[ticket % len(AWKWARD)],
            "date_first_started": graded,
            "date_first_graded": graded,
            "total_grading_time": None if ticket % 9 == 0 else float(dice.randint(60, 900)),
        }
    )
    if ticket % 8 == 0 and grade_type == "grading":
        rows["grade_history"].append(
            rows["total_scores"][-1]
            | {
                "rubric_score": max(total - 5.0, 0.0),
                "export_id": "e1",
                "replaced_at": (graded or START) + timedelta(days=3),
                "replaced_by": "e2",
            }
        )
    if ticket % 4 == 1:
        rows["annotations"].append(
            grade
            | {
                "question_id": f"{rubric[:2]}q00",
                "question": "Question 0.0?",
                "section_id": f"{rubric[:2]}s0",
                "section_name": "Tone",
                "annotation_id": f"n{ticket}{grade_type}{grader}",
                "selected_text": AWKWARD[(ticket + 3) % len(AWKWARD)],
                "comment": AWKWARD[ticket % len(AWKWARD)],
            }
        )


def _coaching(rows: dict[str, list[dict[str, Any]]], dice: random.Random, people: list[dict[str, Any]]) -> None:
    grades = [row for row in rows["total_scores"] if row["grade_type"] == "grading" and row["date_graded"]]
    for number, person in enumerate(people):
        for meeting in range(2):
            created = START + timedelta(days=25 + 40 * meeting + number, hours=number)
            rows["coaching_sessions"].append(
                {
                    "id": f"s{number}_{meeting}",
                    "name": f"One to one {meeting}",
                    "created_at": created,
                    "updated_at": created + timedelta(days=1),
                    "agent_id": person["ids"][-1],
                    "agent_name": person["name"],
                    "coach_id": f"coach{number % 2}",
                    "coach_name": ("Ana", "Bo")[number % 2],
                    "agent_confirmed": (True, False, None)[number % 3],
                    "coach_notes": AWKWARD[number % len(AWKWARD)],
                }
            )
    for number, grade in enumerate(grades[::7]):
        person = next((one for one in people if grade["agent_id"] in one["ids"]), people[0])
        named = person["ids"][number % len(person["ids"])]
        answer_id = f"16906fb5ce9d57646fa38362_{grade['gradable_id']}_{grade['rubric_id']}_{named}_GRADER_grading"
        created = grade["date_graded"] + timedelta(days=dice.random() * 20)
        shared = {
            "created_at": created,
            "updated_at": created + timedelta(days=2),
            "agent_id": named,
            "creator_id": f"coach{number % 2}",
            "answer_id": answer_id if number % 5 else ("malformed", None)[number % 2],
            "coaching_session_ids": [[], ["s1_0"], ["s2_0", "s2_1"], None][number % 4],
        }
        rows["coaching_points"].append(
            shared
            | {
                "id": f"p{number}",
                "rubric_id": grade["rubric_id"] if number % 2 else None,
                "criteria_id": f"{grade['rubric_id'][:2]}q00",
                "type": ("opportunities", "strengths", "n/a")[number % 3],
                "classification": "qa",
                "coach_notes": AWKWARD[number % len(AWKWARD)],
            }
        )
        rows["todos"].append(
            shared
            | {
                "id": f"d{number}",
                "title": f"Practise {number}",
                "status": ("incomplete", "complete")[number % 2],
                "type": "general",
                "description": AWKWARD[number % len(AWKWARD)],
            }
        )


# Of each table, a write takes 25 ms of processor time. Tests of what a write does need only some; all of them are in
# test_engines.py, in test_stock_readers.py and in a test of test_shares.py.
LEFT_OUT = ("annotations", "audit_logs", "coaching_points", "coaching_sessions", "grade_history", "incomplete_grades")


@pytest.fixture(scope="session")
def small_centre(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The database file of a small contact centre, for `copy_of`."""
    path = tmp_path_factory.mktemp("small-centre") / "centre.duckdb"
    connection = _database(tickets=60)
    connection.execute(f"attach '{path}' as made; copy from database memory to made")
    connection.close()
    return path


def copy_of(centre: Path) -> Source:
    """A small contact centre in memory, to be changed at will."""
    connection = duckdb.connect()
    connection.execute("set TimeZone = 'UTC'; set enable_progress_bar = false")
    connection.execute(f"attach '{centre}' as made (read_only); copy from database made to memory; detach made")
    return Source(connection, origin="here", refreshed_at="2026-05-01")


@pytest.fixture
def source(small_centre: Path) -> Iterator[Source]:
    """A small contact centre with the tables that the tests need, to be changed at will."""
    copy = copy_of(small_centre)
    leave_out_tables(copy.connection)
    yield copy
    copy.connection.close()


def leave_out_tables(connection: duckdb.DuckDBPyConnection) -> None:
    """Remove the tables of `LEFT_OUT`."""
    for name in LEFT_OUT:
        connection.execute(f"drop table {name}")


@pytest.fixture(scope="session")
def centre() -> Iterator[Source]:
    """The contact centre that the engines are compared on; nobody changes it."""
    connection = _database(tickets=260)
    yield Source(connection, origin="here", refreshed_at="2026-05-01")
    connection.close()


def _database(*, tickets: int) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute("set TimeZone = 'UTC'; set enable_progress_bar = false")
    seed(connection, tickets=tickets)
    return connection


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A real Spark with two cores, on the loopback address; one for all tests."""
    if shutil.which("java") is None and "JAVA_HOME" not in os.environ and "CI" not in os.environ:
        pytest.skip("Spark needs Java, and this machine has none (Debian: apt-get install openjdk-17-jre-headless)")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=FutureWarning, module="pyspark")
        from pyspark.sql import SparkSession

        session = (
            SparkSession.builder.master("local[2]")
            .appName("maestro-analytics tests")
            .config("spark.ui.enabled", "false")
            .config("spark.sql.warehouse.dir", str(tmp_path_factory.mktemp("spark-warehouse")))
            .config("spark.sql.shuffle.partitions", "2")
            .config("spark.default.parallelism", "2")
            .config("spark.driver.bindAddress", "127.0.0.1")
            .config("spark.driver.host", "127.0.0.1")
            .config("spark.driver.memory", "1g")
            .config("spark.driver.extraJavaOptions", JVM_OPTIONS)
            .config("spark.sql.adaptive.enabled", "false")
            .config("spark.sql.codegen.wholeStage", "false")
            .config("spark.sql.session.timeZone", "America/New_York")
            .getOrCreate()
        )
        session.sparkContext.setLogLevel("OFF")
        yield session
        session.stop()
