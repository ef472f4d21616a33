"""A grade's key: readable, and no two grades share one."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maestro_analytics.tables.grade_key import GRADE_PARTS, grade_key, grade_keys

ORDINARY = {
    "source": "zendesk",
    "gradable_id": "5310985",
    "rubric_id": "AatxWWtXWKcfiN34E",
    "agent_id": "542897",
    "grade_type": "grading",
    "grader": "jo@example.com",
}
part = st.none() | st.text(alphabet="a|\\N_ é", max_size=4)
grades = st.fixed_dictionaries(
    dict.fromkeys(GRADE_PARTS, part) | {"grade_type": st.sampled_from(["grading", "calibration", "a|b", None])}
)


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({}, "zendesk|5310985|AatxWWtXWKcfiN34E|542897|grading"),
        ({"source": None}, "\\N|5310985|AatxWWtXWKcfiN34E|542897|grading"),
        ({"grade_type": "calibration"}, "zendesk|5310985|AatxWWtXWKcfiN34E|542897|calibration|jo@example.com"),
        ({"gradable_id": "a|b\\N"}, "zendesk|a\\|b\\\\N|AatxWWtXWKcfiN34E|542897|grading"),
    ],
)
def test_a_key_can_be_read(changes, key):
    assert grade_key(**ORDINARY | changes) == key


def same_grade(one, other):
    parts = GRADE_PARTS[:5] if one["grade_type"] == "grading" else GRADE_PARTS
    return all(one[name] == other[name] for name in parts)


@given(grades, grades)
def test_two_grades_have_one_key_only_if_they_are_one(one, other):
    assert (grade_key(**one) == grade_key(**other)) == same_grade(one, other)


@given(st.lists(grades, min_size=1, max_size=10))
def test_a_whole_frame_gets_the_same_keys(rows):
    frame = pl.DataFrame(rows, schema=dict.fromkeys(GRADE_PARTS, pl.String))
    assert grade_keys(frame).to_list() == [grade_key(**row) for row in rows]
