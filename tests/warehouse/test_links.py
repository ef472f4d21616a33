"""A coaching point finds its grade, whichever of the person's ids it used."""

from datetime import UTC, datetime

import pytest

from tests.warehouse.data_folder import KEY, SURVEY, TOTAL, csv_text

AT = datetime(2026, 2, 1, tzinfo=UTC)
RUBRIC = TOTAL["rubric_id"]


def answer_id(gradable="5310985", agent="542897", rubric=RUBRIC, kind="grading", role="GRADER"):
    return f"16906fb5ce9d57646fa38362_{gradable}_{rubric}_{agent}_{role}_{kind}"


@pytest.fixture
def linked(data):
    """Harrison has three ids; grades use two of them."""

    def make(grades, points=(), todos=()):
        member = {"group_id": "g", "agent_ids": "0072999,542897,a_b", "agent_email": "h@x.com"}
        data.land(csv_text("agent_groups", [member]).encode(), kind="groups")
        data.land_rows(total_scores=grades, csat=[SURVEY])
        data.master.land_coaching("coaching_points", list(points), taken_at=AT)
        data.master.land_coaching("todos", list(todos), taken_at=AT)
        data.master.publish()
        return data

    return make


def test_by_any_id_of_the_person(linked):
    data = linked(
        [TOTAL],
        [{"id": "p1", "answerId": answer_id(), "agentId": "72999"}, {"id": "p2", "answerId": answer_id(agent="a_b")}],
        [{"id": "t1", "answerId": answer_id(agent="0072999")}],
    )

    assert data.rows("from grade_coaching_points order by all") == [(KEY, "p1"), (KEY, "p2")]
    assert data.rows("from grade_todos") == [(KEY, "t1")]


@pytest.mark.parametrize("ticket", ["5_5", "_", "5310985_AatxWWtXWKcfiN34E", "GRADER_grading"])
def test_a_ticket_id_may_contain_underscores(linked, ticket):
    data = linked([TOTAL | {"gradable_id": ticket, "agent_id": "a_b"}], [{"id": "p", "answerId": answer_id(ticket)}])

    assert data.column("select coaching_point_id from grade_coaching_points") == ["p"]


def test_an_answer_id_of_a_calibration_links_to_all_of_its_grades(linked):
    calibrations = [TOTAL | {"grade_type": "calibration_review", "grader": grader} for grader in ("jo", "sam")]
    data = linked([TOTAL, *calibrations], [{"id": "p", "answerId": answer_id(kind="calibration_review")}])

    assert data.column("select count(*) from grade_coaching_points") == [2]


def test_another_rubric_of_the_record_is_no_link(linked):
    data = linked([TOTAL], [{"id": "p", "answerId": answer_id(), "rubricId": "QqJEN5t8LXZRQZd4a"}])

    assert data.rows("from grade_coaching_points") == []


def test_a_record_that_links_to_nothing_has_no_row(linked):
    points = [
        {"id": "a", "answerId": None},
        {"id": "b", "answerId": "nonsense"},
        {"id": "c", "answerId": answer_id("9")},
    ]
    data = linked([TOTAL], points)

    assert data.rows("from grade_coaching_points") == []


def test_sessions_and_points_are_linked_once(linked):
    data = linked(
        [TOTAL], [{"id": "p", "coachingSessionIds": ["s2", "s1", "s1"]}, {"id": "q", "coachingSessionIds": []}]
    )

    assert data.rows("from session_coaching_points order by all") == [("s1", "p"), ("s2", "p")]


def test_the_view_grades_has_one_row_for_each_grade(linked):
    more = [
        TOTAL | {"gradable_id": "2", "max_rubric_score": "0"},
        TOTAL | {"gradable_id": "3", "rubric_score": "N/A"},
        TOTAL | {"gradable_id": "4", "rubric_score": "110"},
    ]
    data = linked([TOTAL, *more])

    assert data.rows("select gradable_id, person_id, score_percent, csat_score from grades order by all") == [
        ("2", "0072999", None, None),
        ("3", "0072999", None, None),
        ("4", "0072999", pytest.approx(110.0), None),
        ("5310985", "0072999", pytest.approx(70.0), 4.0),
    ]
