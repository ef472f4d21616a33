"""What people see on a terminal of 80 and of 120 columns: real processes on a pseudo-terminal."""

import fcntl
import os
import pty
import re
import struct
import termios
from multiprocessing.connection import wait
from pathlib import Path

import polars as pl
import pytest
from rich.cells import cell_len
from simulated_database import START, grade_rows, people_of, write

from maestro_analytics.text import clean, table_lines, wrapped
from tests.commands import fork

STEERING = "\x1b[2J\x1b]0;owned\x07\u202e\x9b31m"
LONG = "grader.with.a.long.name@example.com"


def seen(*arguments, data, width):
    """What a terminal of `width` columns without colours is sent."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, width, 0, 0))
    environment = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
    terminal = Path(os.ttyname(theirs))
    process = fork(environment | {"MAESTRO_DATA": str(data), "TERM": "dumb"}, arguments, Path.cwd(), [terminal] * 3)
    wait([ours, process.sentinel])  # until it has opened the terminal
    os.close(theirs)
    shown = b""
    # Linux ends the reading of a terminal that nobody writes to any more with an error.
    while part := _read(ours):
        shown += part
    os.close(ours)
    process.join(60)
    assert process.exitcode == 0, shown.decode()
    return shown.decode().replace("\r\n", "\n")


def _read(terminal):
    try:
        return os.read(terminal, 1 << 16)
    except OSError:
        return b""


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    """Two agents and two graders whose names steer a terminal, are long, or take two columns a letter."""
    folder = tmp_path_factory.mktemp("hostile")
    grades = grade_rows(
        gradable_id=[f"t{number}" for number in range(40)],
        agent_id=["1", "2"] * 20,
        agent_name=[f"Ada {STEERING} Lovelace", "名前 の 長い 人 🎉"] * 20,
        rubric_name=["Support quality, all channels and languages"] * 40,
        grader=[f"{STEERING}x", LONG] * 20,
        comment=[f"Said {STEERING} hello\nand again"] * 40,
        rubric_score=[70.0 + number % 13 for number in range(40)],
        date_reported_as=[START] * 40,
    )
    answers = grades.select(
        "grade_key", "gradable_id", "agent_id", "rubric_id", "rubric_name", "grader", "grade_type", "date_reported_as",
        "source", "comment",
    ).with_columns(
        question_id=pl.lit("q"), question=pl.lit(f"Was {STEERING} the answer right, and said back to the customer?"),
        answer_label=pl.lit("Partly met"), question_score=pl.lit(2.0), max_question_score=pl.lit(5.0),
    )  # fmt: skip
    tables = people_of(grades, {"Team": ["1", "2"]}) | {"total_scores": grades, "individual_answers": answers}
    write(folder / "maestro.duckdb", tables)
    return folder


COMMANDS = [
    ("report", "all"),
    ("report", "scorecard", "--agent", "1"),
    ("sql", "select agent_name, grader, rubric_name, comment, score_percent from ordinary_grades"),
    ("explain", "t1"),
]


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("arguments", COMMANDS, ids=lambda arguments: arguments[0] + arguments[1][:5])
def test_nothing_is_wider_than_the_terminal_and_no_text_of_the_vendor_steers_it(hostile, arguments, width):
    shown = seen(*arguments, data=hostile, width=width)
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", shown)
    assert not [line for line in shown.splitlines() if cell_len(line) > width]
    assert "Lovelace" in shown or arguments[0] == "explain"


@pytest.mark.parametrize("width", [80, 120])
def test_no_column_vanishes_and_no_name_is_broken(data_folder, width):
    """At 80 columns the names of the graders were gone."""
    shown = seen("report", "graders", data=data_folder, width=width)
    table = shown.split("Strict and lenient", 1)[1].split("Do graders agree")[0]
    headings = ("Grader", "Against", "average", "Plain", "benchmarks", "Grades", "Group")
    assert [word for word in headings if word not in table] == []
    assert all(f"grader-{number}" in table for number in range(1, 6))
    assert width == 80 or max(len(line) for line in shown.splitlines()) > 80
    assert "…" not in table


def test_the_lowest_agents_are_in_the_short_form_too(data_folder):
    shown = seen("report", "agents", data=data_folder, width=80)
    table = shown.split("Which agents stand out", 1)[1].split("Teams")[0]
    ranks = [int(found[1]) for line in table.splitlines() if (found := re.search(r" (\d+) +\d+ to \d+ *$", line))]
    assert ranks[:6] == [24, 23, 22, 21, 20, 19]
    assert len(ranks) == 15
    assert "The first 10 and the last 5 of 24 rows" in shown


def test_a_grade_is_explained_with_its_answers_and_comments(hostile):
    shown = " ".join(seen("explain", "t1", data=hostile, width=120).split())
    assert "Question Answer Points Comment" in shown
    assert re.search(r"Was .* the answer right, .* 2 of 5 .* hello and .*again", shown)


def test_a_wide_table_of_sql_becomes_a_list_with_every_column(data_folder):
    columns = seen("sql", "select * from ordinary_grades limit 2", data=data_folder, width=80)
    names = [line.split()[0] for line in columns.split("\n\n")[0].splitlines() if line]
    assert {"grade_key", "gradable_id", "agent_name", "score_percent", "csat_score"} <= set(names)
    narrow = seen("sql", "select 1 as a", data=data_folder, width=80)
    assert narrow == "a\n─\n1\n1 row\n"


def test_a_table_wraps_between_words_and_keeps_its_columns():
    rows = [("Ada Lovelace", "1.0 (0.5 to 1.5)", "a note of several words"), ("Bob", "2.0", "")]
    shape = {"to_the_right": (False, True, False)}
    assert [
        "Agent                 Mean  Note",
        "────────  ────────────────  ──────────────",
        "Ada       1.0 (0.5 to 1.5)  a note of",
        "Lovelace                    several words",
        "Bob                    2.0",
    ] == table_lines(("Agent", "Mean", "Note"), rows, width=42, **shape)
    assert [
        "Agent             Mean  Note",
        "────────  ────────────  ─────────",
        "Ada                1.0  a note of",
        "Lovelace  (0.5 to 1.5)  several",
        "                        words",
        "Bob                2.0",
    ] == table_lines(("Agent", "Mean", "Note"), rows, width=33, **shape)
    assert [
        "Agent  Ada Lovelace",
        "Mean   1.0 (0.5 to 1.5)",
        "Note   a note of several",
        "       words",
        "",
        "Agent  Bob",
        "Mean   2.0",
    ] == table_lines(("Agent", "Mean", "Note"), rows, width=20, **shape)


@pytest.mark.parametrize("width", range(12, 60, 4))
def test_a_table_of_any_width_holds_every_word_whole(width):
    headings = ("First name", "Number", "Remark")
    rows = [("Ada Augusta", "1,234.5", "one two three four"), ("名前 の", "7", "🎉 five"), ("", "–", "")]
    lines = table_lines(headings, rows, width=width, to_the_right=(False, True, False))
    words = " ".join(lines).split()
    assert all(word in words for row in rows[:2] for cell in row for word in cell.split())
    longest = max(cell_len(word) for row in rows for cell in row for word in cell.split())
    assert all(cell_len(line) <= max(width, cell_len("First name  ") + max(longest, 20)) for line in lines)


def test_long_words_stay_whole_and_control_characters_go():
    assert ["a", "bbbbbbbb", "c d"] == wrapped("a bbbbbbbb c d", 4)
    assert "a\nb � c" == clean(" a\r\nb \x1b c ")
