"""Weeks, months and grades of time that no refresh has covered are not sent unless asked for."""

import pytest

from maestro_analytics.push import Span, push_computed
from tests.push.conftest import at, grade


@pytest.fixture
def push(settings, transport):
    def push(*names, period="week", **options):
        return push_computed(names, Span(period), settings=settings, connect=lambda: transport, **options)

    return push


WEEKS = [
    grade("7", 10.0, "2026-02-25T10:00"),
    grade("7", 70.0, "2026-03-05T10:00"),
    grade("7", 90.0, "2026-03-10T10:00"),
]
"""The weeks of 23 February, 2 March and 9 March."""


def test_a_week_that_is_not_wholly_covered_is_left_out_with_a_warning(publish, push, vendor):
    publish(total_scores=WEEKS, covered=[("2026-02-25", "2026-03-11")])
    report = push("qa_score", "qa_grades")
    assert vendor.series == {
        ("7", "qa_score", "2026-03-02T00:00:00Z"): 70.0,
        ("7", "qa_grades", "2026-03-02T00:00:00Z"): 1.0,
    }
    assert [warning[:74] for warning in report.warnings] == [
        "2 of 3 grades were left out because they count for a week that is not whol"
    ]


def test_a_week_with_a_gap_in_it_is_left_out(publish, push, vendor):
    publish(
        total_scores=WEEKS,
        covered=[("2026-02-23", "2026-02-24"), ("2026-02-26", "2026-03-16")],
    )
    push("qa_grades")
    assert [moment for _, _, moment in vendor.series] == ["2026-03-02T00:00:00Z", "2026-03-09T00:00:00Z"]


def test_a_month_is_sent_where_it_is_covered_to_its_last_moment(publish, push, vendor):
    publish(total_scores=WEEKS, covered=[("2026-02-01", "2026-03-31T23:59")])
    push("qa_score", period="month")
    assert vendor.series == {("7", "qa_score", "2026-02-01T00:00:00Z"): 10.0}


def test_uncovered_grades_do_not_count_for_a_value_over_all_time(publish, push, vendor):
    publish(total_scores=WEEKS, covered=[("2026-03-01", "2026-03-10")])
    report = push("qa_score", period="all")
    assert vendor.one == {("7", "qa_score"): 70.0}
    assert [warning[:34] for warning in report.warnings] == ["2 of 3 grades were left out becaus"]


def test_include_uncovered_sends_everything_without_a_warning(publish, push, vendor):
    publish(total_scores=WEEKS, covered=[("2026-03-02", "2026-03-09")])
    report = push("qa_grades", include_uncovered=True)
    assert len(vendor.series) == report.sent == 3
    assert report.warnings == []


def test_a_value_sent_for_an_uncovered_week_is_not_withdrawn_by_a_push_that_leaves_the_week_out(publish, push):
    publish(total_scores=WEEKS, covered=[("2026-03-02", "2026-03-09")])
    push("qa_grades", include_uncovered=True)
    report = push("qa_grades")
    assert (report.unchanged, report.sent) == (1, 0)
    assert [warning[:34] for warning in report.warnings] == ["2 of 3 grades were left out becaus"]


def test_todos_are_sent_whatever_is_covered(publish, push, vendor):
    todo = {"id": "todo-1", "agent_id": "7", "status": "open", "created_at": at("2026-01-06T08:00")}
    publish(total_scores=WEEKS, todos=[todo], covered=[("2026-03-02", "2026-03-09")])
    report = push("open_todos")
    assert vendor.series == {("7", "open_todos", "2026-01-05T00:00:00Z"): 1.0}
    assert report.warnings == []


def test_everything_counts_where_nothing_was_ever_covered(publish, push, vendor):
    publish(total_scores=WEEKS)
    report = push("qa_grades")
    assert len(vendor.series) == 3
    assert report.warnings == []


def test_grades_in_a_gap_of_the_covered_time_do_not_count_for_a_value_over_all_time(publish, push, vendor):
    publish(total_scores=WEEKS, covered=[("2026-02-23", "2026-03-01"), ("2026-03-09", "2026-03-16")])
    report = push("qa_grades", period="all")
    assert vendor.one == {("7", "qa_grades"): 2.0}
    assert [warning[:34] for warning in report.warnings] == ["1 of 3 grades were left out becaus"]
