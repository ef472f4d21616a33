"""A grade back to the file and line it came from."""

from datetime import UTC, datetime

import pytest

from maestro_analytics.errors import UnknownName
from maestro_analytics.warehouse import open
from maestro_analytics.warehouse.lineage import explain
from tests.warehouse.data_folder import ANSWER, KEY, NOTE, SURVEY, TOTAL

ANSWER_ID = "16906fb5ce9d57646fa38362_5310985_AatxWWtXWKcfiN34E_0072999_GRADER_grading"
AT = datetime(2026, 2, 1, tzinfo=UTC)


@pytest.fixture
def qa(data):
    other = TOTAL | {"gradable_id": "53109850"}
    data.land_rows(
        total_scores=[other, TOTAL], annotations=[NOTE | {"comment": "two\nlines"}, NOTE | {"annotation_id": "n2"}]
    )
    data.land_rows(
        week=1,
        total_scores=[TOTAL | {"rubric_score": "90"}],
        individual_answers=[ANSWER, ANSWER | {"answer_label": "No"}],
        csat=[SURVEY],
    )
    data.land_rows(week=2, total_scores=[TOTAL | {"gradable_id": "gone", "is_deleted": "true"}])
    data.master.land_coaching("coaching_points", [{"id": "p", "answerId": ANSWER_ID}], taken_at=AT)
    data.master.land_coaching("todos", [{"id": "t", "answerId": ANSWER_ID}], taken_at=AT)
    with open(data.master.publish()) as store:
        yield store


@pytest.mark.parametrize("name", [KEY, ANSWER_ID, "5310985"])
def test_by_key_by_answer_id_and_by_ticket(qa, name):
    (explanation,) = explain(qa, name)

    assert explanation.grade_key == KEY
    assert {table: rows.height for table, rows in explanation.rows.items()} == {
        "total_scores": 1,
        "section_scores": 0,
        "individual_answers": 2,
        "annotations": 0,
    }
    assert explanation.csat["csat_score"].to_list() == [4.0]
    assert explanation.history["rubric_score"].to_list() == [70.0]
    assert explanation.coaching_points["id"].to_list() == ["p"]
    assert explanation.todos["id"].to_list() == ["t"]


def test_each_version_leads_to_its_file_and_lines(qa):
    (explanation,) = explain(qa, KEY)

    assert [
        (origin.export["export_id"], origin.is_present, [(p.member, p.table_name, p.line) for p in origin.places])
        for origin in explanation.origins
    ] == [
        (
            "id_2",
            True,
            [
                ("total_scores.csv", "total_scores", 2),
                ("individual_answers.csv", "individual_answers", 2),
                ("individual_answers.csv", "individual_answers", 3),
            ],
        ),
        (
            "id_1",
            False,
            [
                ("total_scores.csv", "total_scores", 3),
                ("annotations.csv", "annotations", 2),
                ("annotations.csv", "annotations", 4),
            ],
        ),
    ]
    assert explanation.origins[0].places[0].raw.startswith("5310985,0072999,")


def test_a_deleted_grade_is_explained_too(qa):
    (explanation,) = explain(qa, KEY.replace("5310985", "gone"))

    assert explanation.deletion.height == 1
    assert [(place.line, place.table_name) for place in explanation.origins[0].places] == [(2, "total_scores")]


def test_a_file_that_is_gone_is_said_to_be(qa, data):
    for file in data.folder.glob("exports/raw-*"):
        file.unlink()
    (explanation,) = explain(qa, KEY)

    assert [origin.file_is_kept for origin in explanation.origins] == [False, False]


def test_an_unknown_name_explains_no_grade(qa):
    with pytest.raises(UnknownName, match=r"no grade is called 'zendesk\|nothing'"):
        explain(qa, "zendesk|nothing")
