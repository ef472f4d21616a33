"""The SQL files of the answers: their grain, their filters, their variables."""

import re

import pytest

from maestro_analytics.warehouse.sql_files import sql_folder, texts, variables, views_named_in

QUERIES = {name: text for name, text in texts("queries").items() if not name.startswith("metrics_of")}
VIEWS = texts("views")
DESCRIPTION = r"^-- (\w+) {2,}(?:timestamptz|varchar|double|boolean)"
GRAIN = {
    "agent_scores": ("person_id", "rubric_id"),
    "answer_comments": ("grade_key", "question_id"),
    "open_todos": ("todo_id",),
    "people": ("person_id",),
    "session_scores": ("coaching_session_id",),
    "tickets_to_review": ("person_id", "why", "place"),
    "benchmarks": ("grade_key", "target_grade_key"),
    "coached_questions": ("coaching_session_id", "question_id", "person_id"),
    "coaching_sessions": ("coaching_session_id",),
    "daily_question_scores": ("question_id", "person_id", "day"),
    "csat_pairs": ("person_id", "source", "score_percent", "csat_score"),
    "adjusted_trend": ("period", "person_id"),
    "grader_cells": ("grader", "person", "rubric", "day"),
    "grader_numbers": ("number",),
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
    "ticket_repeats": ("person_id",),
    "uncovered_grades": ("grade_type",),
    "todo_ages": ("todo_id",),
}
OURS = tuple(GRAIN)


@pytest.mark.parametrize("name", OURS)
def test_a_query_says_its_grain_and_keeps_it(sandbox, name):
    assert QUERIES[name].startswith("-- One row per ")
    frame = sandbox[0].query(name)
    assert frame.height == frame.unique(GRAIN[name]).height
    assert frame.height > 0 or name in ("score_mismatches", "uncovered_grades")


@pytest.mark.parametrize("name", OURS)
def test_a_query_with_steps_ends_with_its_last_step(name):
    steps = re.findall(r"^(?:with )?(\w+) as (?:not materialized )?\($", QUERIES[name], flags=re.MULTILINE)
    assert not steps or QUERIES[name].rstrip().splitlines()[-1] == f"select * from {steps[-1]}"


@pytest.mark.parametrize("name", OURS)
def test_every_variable_is_described_in_the_first_lines_or_in_those_of_the_views_that_are_read(name):
    described = set(re.findall(DESCRIPTION, QUERIES[name], flags=re.MULTILINE))
    for view in _views_of(QUERIES[name]) | {"filtered_grades_of_any_type", "chosen_grades"}:
        described |= set(re.findall(DESCRIPTION, VIEWS[view], flags=re.MULTILINE))
    assert variables(QUERIES[name]) == described & variables(QUERIES[name])
    assert set(re.findall(DESCRIPTION, QUERIES[name], flags=re.MULTILINE)) <= variables(QUERIES[name])


def test_grades_and_people_are_filtered_in_the_views_and_in_no_query():
    """`since` and `until` alone are read elsewhere, by queries about records that are not grades."""
    for name in OURS:
        own = set(re.findall(r"getvariable\('(\w+)'\)", QUERIES[name]))
        assert not own & {"agent", "rubric", "source", "grade_type", "include_uncovered"}
        assert name == "team_members" or "team" not in own


def test_the_filters_of_grades_answers_and_sections_are_the_same():
    """Answers and sections carry the columns of their grade, so they are filtered by themselves: it saves a join."""
    answers = VIEWS["filtered_answers"].replace("individual_answers", "section_scores").replace("answers", "sections")
    assert answers.split("\nselect ")[1] == VIEWS["filtered_sections"].split("\nselect ")[1]
    assert variables(VIEWS["filtered_answers"]) == variables(VIEWS["filtered_grades"])


def test_the_files_are_where_people_look_for_them():
    assert {f"{name}.sql" for name in OURS} <= {path.name for path in (sql_folder() / "queries").iterdir()}


def _views_of(text: str) -> set[str]:
    views = views_named_in(text)
    return views.union(*(_views_of(VIEWS[view]) for view in views if VIEWS[view] != text))
