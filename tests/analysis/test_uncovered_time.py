"""Grades of time that no export covers are left out of answers, unless asked for; the caveat says so either way."""

import pytest

from maestro_analytics import analysis
from maestro_analytics.errors import InvalidArgument
from maestro_analytics.warehouse import open
from tests.warehouse.data_folder import ANSWER, SECTION, TOTAL, DataFolder

EARLIER = {
    "gradable_id": "1",
    "date_reported_as": "2025-12-01T10:00:00Z",
    "date_graded": "2025-12-01T10:00:00Z",
    "rubric_score": "10",
}
LEFT_OUT = (
    "1 grade of 2025-12-01, which no export covers, is left out: of that time only what was changed later is there."
)
COUNTED = (
    "1 grade of 2025-12-01, which no export covers, is counted: of that time only what was changed later is there."
)


@pytest.fixture(scope="module")
def qa(tmp_path_factory):
    """An export of a week of January; it also brings a grade of December that was changed in that week."""
    data = DataFolder(tmp_path_factory.mktemp("data"))
    grades = [TOTAL | EARLIER, TOTAL]
    data.land_rows(
        total_scores=grades,
        section_scores=[SECTION | {key: row[key] for key in EARLIER if key in SECTION} for row in grades],
        individual_answers=[ANSWER | {key: row[key] for key in EARLIER if key in ANSWER} for row in grades],
    )
    with open(data.master.publish()) as store:
        yield store
    data.master.close()


@pytest.mark.parametrize(
    ("answer", "counted"),
    [(analysis.agent_scores, "n"), (analysis.section_scores, "n"), (analysis.question_scores, "n")],
)
def test_an_answer_leaves_out_a_grade_of_uncovered_time_and_says_so(qa, answer, counted):
    ordinary, everything = answer(qa), answer(qa, include_uncovered=True)

    assert ordinary[counted].to_list() == [1]
    assert everything[counted].to_list() == [2]
    assert ordinary.about.caveat.startswith(LEFT_OUT)
    assert everything.about.caveat.startswith(COUNTED)


def test_a_period_without_uncovered_grades_has_no_such_caveat(qa):
    assert "no export covers" not in analysis.agent_scores(qa, since="2026-01-01").about.caveat


def test_a_period_of_uncovered_grades_alone_is_empty_and_says_why(qa):
    answer = analysis.agent_scores(qa, until="2026-01-01")

    assert answer.height == 0
    assert answer.about.caveat.startswith(LEFT_OUT)


def test_only_true_and_false_choose(qa):
    with pytest.raises(InvalidArgument, match="include_uncovered must be True or False, not 'yes'"):
        analysis.agent_scores(qa, include_uncovered="yes")
