"""The SQL files of the answers: their grain, their filters, their variables."""

import re

import pytest

from maestro_analytics.warehouse.sql_files import sql_folder, texts

QUERIES = {name: text for name, text in texts("queries").items() if not name.startswith("metrics_of")}
OURS = (
    "adjusted_trend", "agent_scores", "benchmarks", "coached_questions", "coaching_sessions", "csat_pairs",
    "daily_question_scores", "grader_cells", "grades", "grading_effort", "known_names", "low_grades",
    "paired_answers", "paired_scores", "person_numbers", "question_scores", "regrades", "rubric_numbers",
    "score_counts", "score_mismatches", "score_reconciliation",
    "score_trend", "section_scores", "team_members", "todo_ages",
)  # fmt: skip
GRAIN = {
    "agent_scores": ("person_id", "rubric_id"),
    "benchmarks": ("grade_key", "target_grade_key"),
    "coached_questions": ("coaching_session_id", "question_id", "person_id"),
    "coaching_sessions": ("coaching_session_id",),
    "daily_question_scores": ("question_id", "person_id", "day"),
    "csat_pairs": ("person_id", "source", "score_percent", "csat_score"),
    "adjusted_trend": ("period", "person_id"),
    "grader_cells": ("grader", "person", "rubric", "day"),
    "grades": ("grade_key",),
    "grading_effort": ("grader",),
    "known_names": ("kind", "name"),
    "low_grades": ("grade_key",),
    "paired_answers": ("unit", "question_id", "grader"),
    "paired_scores": ("source", "gradable_id", "rubric_id", "person_id", "grader"),
    "person_numbers": ("person",),
    "question_scores": ("rubric_id", "section_id", "question_id", "person_id"),
    "regrades": ("grader", "rubric_id"),
    "rubric_numbers": ("rubric",),
    "score_counts": ("person_id", "rubric_id", "score"),
    "score_mismatches": ("grade_key",),
    "score_reconciliation": ("rubric_id",),
    "score_trend": ("period", "person_id", "rubric_id"),
    "section_scores": ("rubric_id", "section_id", "person_id"),
    "team_members": ("group_id", "person_id"),
    "todo_ages": ("todo_id",),
}


@pytest.mark.parametrize("name", OURS)
def test_a_query_says_its_grain_and_keeps_it(sandbox, name):
    assert QUERIES[name].startswith("-- One row per ")
    frame = sandbox[0].query(name)
    assert frame.height == frame.unique(GRAIN[name]).height
    assert frame.height > 0 or name in ("score_mismatches",)


@pytest.mark.parametrize("name", OURS)
def test_a_query_ends_with_its_last_step(name):
    steps = re.findall(r"^(\w+) as (?:not materialized )?\($", QUERIES[name], flags=re.MULTILINE)
    assert QUERIES[name].rstrip().splitlines()[-1] == f"select * from {steps[-1]}"


@pytest.mark.parametrize("name", OURS)
def test_every_variable_is_described_in_the_first_lines(name):
    head = QUERIES[name].split("\nwith ")[0]
    described = set(re.findall(r"^-- (\w+) {2,}(?:timestamptz|varchar|double)", head, flags=re.MULTILINE))
    asked = set(re.findall(r"getvariable\('(\w+)'\)", QUERIES[name]))
    assert asked == described


def test_the_filter_on_grades_is_the_same_text_in_every_query():
    """A plain SQL file can include no other, so the copies are held together here."""
    blocks = set()
    for name in OURS:
        found = re.search(
            r"\nchosen as (?:not materialized )?\(\n    select \*\n    from \w+\n"
            r"(    where coalesce\(date_reported.*?)\n\),",
            QUERIES[name],
            re.DOTALL,
        )
        people = re.search(r"\npeople as \(.*?\n    where (.*?)\n\),", QUERIES[name], re.DOTALL)
        if found:
            block = found[1].replace("'any') in", "'grading') in")
            blocks.add(block.replace("agent_id in (select agent_id from people)", people[1]) if people else block)
    assert 1 == len(blocks)


def test_the_files_are_where_people_look_for_them():
    assert {f"{name}.sql" for name in OURS} <= {path.name for path in (sql_folder() / "queries").iterdir()}
