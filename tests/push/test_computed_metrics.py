"""Metrics computed from the published database: one value per person, at one moment per period."""

import polars as pl
import pytest

from maestro_analytics import warehouse
from maestro_analytics.analysis.statistics.shrinkage import shrink
from maestro_analytics.errors import EmptyStore, InvalidArgument, SettingsError, UnknownName
from maestro_analytics.push import METRICS, Span, push_computed
from maestro_analytics.push.entries import Kind
from maestro_analytics.push.ledger import FILE_NAME, read_ledger
from tests.push.conftest import at, grade


def group(*ids, name="Ann", email=None):
    return {"group_id": "g1", "group_name": "Team", "agent_name": name, "agent_ids": list(ids), "agent_email": email}


def todo(number, agent, status, created="2026-03-02T08:00"):
    return {"id": f"todo-{number}", "agent_id": agent, "status": status, "created_at": at(created)}


@pytest.fixture
def push(settings, transport):
    def push(*names, period="all", since=None, until=None, dry_run=False):
        span = Span(period, since and at(since), until and at(until))
        return push_computed(names, span, settings=settings, connect=lambda: transport, dry_run=dry_run)

    return push


def test_a_score_is_the_mean_of_live_ordinary_grades_and_grades_without_a_score_are_left_out(publish, push, vendor):
    publish(
        total_scores=[
            grade("7", 80.0),
            grade("7", 90.0),
            grade("7", None),
            grade("7", 0.0, grade_type="calibration", grader="g"),
            grade("7", 5.0, max_rubric_score=0.0),
            grade("8", None),
        ]
    )
    report = push("qa_score", "qa_grades", "qa_pass_rate", "points_lost_share")

    assert vendor.one == {
        ("7", "qa_score"): 85.0,
        ("7", "qa_pass_rate"): 1.0,
        ("7", "points_lost_share"): 0.15,
        ("7", "qa_grades"): 4.0,
        ("8", "qa_grades"): 1.0,
    }
    assert report.planned == report.sent == 5


def test_a_grade_passes_at_eighty_and_not_below(publish, push, vendor):
    publish(total_scores=[grade("7", 80.0), grade("7", 79.99), grade("7", 120.0), grade("7", 0.0)])
    push("qa_pass_rate")
    assert vendor.one == {("7", "qa_pass_rate"): 0.5}


def test_one_person_with_several_ids_gets_one_value_under_an_id_of_the_groups(publish, push, vendor):
    """`05` comes first in order of text, and only `30` and `31` are in the groups export."""
    publish(
        total_scores=[grade("05", 60.0, agent_email="ann@example.com"), grade("31", 100.0)],
        agent_groups=[group("31", "30", email="ann@example.com")],
    )
    push("qa_score")
    assert vendor.one == {("30", "qa_score"): 80.0}


def test_a_person_who_gets_a_new_id_keeps_the_one_that_the_vendor_acknowledged(publish, push, vendor):
    publish(total_scores=[grade("50", 60.0)], agent_groups=[group("50")])
    push("qa_score")
    publish(total_scores=[grade("50", 60.0), grade("10", 100.0)], agent_groups=[group("10", "50")])
    push("qa_score")
    assert vendor.one == {("50", "qa_score"): 80.0}


def test_an_id_that_the_vendor_does_not_take_makes_way_for_the_persons_next_one(publish, push, vendor, settings):
    publish(
        total_scores=[grade("10", 60.0), grade("20", 100.0), grade("7", 50.0), grade("7", 60.0, "2026-03-11T10:00")],
        agent_groups=[group("10", "20", "30"), group("7", name="Bob")],
    )
    vendor.unknown_agents = {"10", "20"}
    report = push("qa_score", "qa_grades", period="week")
    assert vendor.series == {
        ("30", "qa_score", "2026-03-02T00:00:00Z"): 80.0,
        ("30", "qa_grades", "2026-03-02T00:00:00Z"): 2.0,
        ("7", "qa_score", "2026-03-02T00:00:00Z"): 50.0,
        ("7", "qa_grades", "2026-03-02T00:00:00Z"): 1.0,
        ("7", "qa_score", "2026-03-09T00:00:00Z"): 60.0,
        ("7", "qa_grades", "2026-03-09T00:00:00Z"): 1.0,
    }
    assert (report.planned, report.sent, report.rejected, report.unknown) == (6, 6, [], [])
    before = vendor.requests
    again = push("qa_score", "qa_grades", period="week")
    assert (vendor.requests - before, again.planned, again.unchanged) == (0, 0, 6)


def test_a_person_whom_the_vendor_takes_under_no_id_is_told_of_once(publish, push, vendor):
    publish(
        total_scores=[grade("10", 60.0), grade("7", 50.0)], agent_groups=[group("10", "20"), group("7", name="Bob")]
    )
    vendor.unknown_agents = {"10", "20"}
    vendor.words = lambda bad: "no agent " + " and ".join(entry["agent_id"] for entry in bad)
    report = push("qa_score")
    assert vendor.one == {("7", "qa_score"): 50.0}
    assert (report.planned, report.sent, report.repeated) == (2, 1, 0)
    assert [(told["agent_id"], told["reason"]) for told in report.rejected] == [("10", "no agent 10")]
    vendor.unknown_agents = {"10"}
    assert (push("qa_score").rejected, vendor.one["20", "qa_score"]) == ([], 60.0)


def test_an_entry_that_is_refused_for_its_own_sake_goes_under_no_other_id(publish, push, vendor):
    """The vendor takes the agent's other entries, so it knows the id."""
    publish(total_scores=[grade("10", 60.0)], agent_groups=[group("10", "20")])
    vendor.is_bad = lambda entry: entry["metric_id"] == "qa_score"
    report = push("qa_score", "qa_grades")
    assert vendor.one == {("10", "qa_grades"): 1.0}
    assert [(told["agent_id"], told["metric_id"]) for told in report.rejected] == [("10", "qa_score")]


def test_an_id_that_the_vendor_ever_took_makes_way_for_no_other(publish, push, vendor):
    """Under another one the person would be there twice."""
    groups = [group("10", "20")]
    publish(total_scores=[grade("10", 60.0)], agent_groups=groups)
    push("qa_score", period="week")
    publish(total_scores=[grade("10", 60.0), grade("10", 70.0, "2026-03-11T10:00")], agent_groups=groups)
    vendor.is_bad = lambda entry: entry["timestamp"] > "2026-03-09"
    report = push("qa_score", period="week")
    assert vendor.series == {("10", "qa_score", "2026-03-02T00:00:00Z"): 60.0}
    assert [told["agent_id"] for told in report.rejected] == ["10"]


def test_a_week_stands_at_its_monday_and_a_month_at_its_first_day(publish, push, vendor):
    publish(
        total_scores=[
            grade("7", 70.0, "2026-03-01T23:59:59"),  # a Sunday
            grade("7", 80.0, "2026-03-02T00:00"),
            grade("7", 90.0, "2026-03-31T12:00"),
        ]
    )
    push("qa_score", period="week")
    assert vendor.series == {
        ("7", "qa_score", "2026-02-23T00:00:00Z"): 70.0,
        ("7", "qa_score", "2026-03-02T00:00:00Z"): 80.0,
        ("7", "qa_score", "2026-03-30T00:00:00Z"): 90.0,
    }
    vendor.series.clear()
    push("qa_grades", period="month")
    assert vendor.series == {("7", "qa_grades", "2026-03-01T00:00:00Z"): 3.0}


def test_over_all_a_value_stands_at_the_day_of_the_newest_grade_counted(publish, push, vendor):
    publish(
        total_scores=[
            grade("7", 70.0, "2026-03-03T09:00"),
            grade("7", None, "2026-03-05T23:30"),
            grade("8", 70.0, "2026-01-15T12:00"),
        ]
    )
    push("qa_score", "qa_grades")
    assert sorted(vendor.series) == [
        ("7", "qa_grades", "2026-03-05T00:00:00Z"),
        ("7", "qa_score", "2026-03-03T00:00:00Z"),
        ("8", "qa_grades", "2026-01-15T00:00:00Z"),
        ("8", "qa_score", "2026-01-15T00:00:00Z"),
    ]


def test_since_counts_and_until_does_not(publish, push, vendor):
    publish(
        total_scores=[
            grade("7", 10.0, "2026-03-01T23:59:59"),
            grade("7", 70.0, "2026-03-02T00:00"),
            grade("7", 80.0, "2026-03-08T23:59:59"),
            grade("7", 100.0, "2026-03-09T00:00"),
        ]
    )
    report = push("qa_score", since="2026-03-02", until="2026-03-09", period="week")
    assert vendor.series == {("7", "qa_score", "2026-03-02T00:00:00Z"): 75.0}
    assert report.warnings == []


def test_a_week_that_since_cuts_in_two_is_warned_of(publish, push, vendor):
    publish(total_scores=[grade("7", 10.0, "2026-03-02T10:00"), grade("7", 70.0, "2026-03-05T10:00")])
    report = push("qa_score", since="2026-03-04", period="week", until="2026-03-09")
    assert vendor.series == {("7", "qa_score", "2026-03-02T00:00:00Z"): 70.0}
    assert [warning[:44] for warning in report.warnings] == ["--since 2026-03-04T00:00:00Z lies within a w"]


def test_a_grade_that_is_reported_as_no_date_counts_for_the_day_it_was_graded(publish, push, vendor):
    publish(total_scores=[grade("7", 70.0, None)])
    push("qa_score")
    assert vendor.series == {("7", "qa_score", "2026-03-10T00:00:00Z"): 70.0}


def test_todos_count_for_the_person_and_the_day_they_were_set(publish, push, vendor):
    publish(
        agent_groups=[group("7", "70")],
        todos=[
            todo(1, "7", "complete", "2026-03-02T08:00"),
            todo(2, "70", "incomplete", "2026-03-06T08:00"),
            todo(3, "70", "incomplete", "2026-03-04T08:00"),
            todo(4, "9", "complete", "2026-03-04T08:00"),
            todo(5, None, "incomplete"),
        ],
    )
    push("open_todos", "todo_completion_rate")
    assert vendor.series == {
        ("7", "open_todos", "2026-03-06T00:00:00Z"): 2.0,
        ("7", "todo_completion_rate", "2026-03-06T00:00:00Z"): pytest.approx(1 / 3, abs=1e-6),
        ("9", "open_todos", "2026-03-04T00:00:00Z"): 0.0,
        ("9", "todo_completion_rate", "2026-03-04T00:00:00Z"): 1.0,
    }


def test_time_to_coach_is_the_median_over_low_grades_and_nothing_while_most_wait(publish, push, vendor):
    """Low grades of 7 were coached after 2 and 4 days, one waits; of 8 one of three was coached."""
    days = {"7": [2, 4, None], "8": [1, None, None]}
    grades, points = [], []
    for agent, waits in days.items():
        for wait in waits:
            low = grade(agent, 50.0, date_graded=at("2026-03-01T00:00"))
            grades.append(low)
            if wait:
                answer = f"acc_{low['gradable_id']}_{low['rubric_id']}_{agent}_GRADER_grading"
                created = at(f"2026-03-0{wait + 1}T00:00")
                points.append({"id": f"p{len(points)}", "agent_id": agent, "answer_id": answer, "created_at": created})
    publish(total_scores=[*grades, grade("7", 95.0)], coaching_points=points)
    push("time_to_coach_days")
    assert vendor.one == {("7", "time_to_coach_days"): 4.0}


def test_a_shrunk_score_is_the_labs_own_within_each_month(publish, push, vendor):
    scores = {"7": [70.0, 80.0, 90.0], "8": [60.0, 62.0], "9": [100.0]}
    later = {"7": [50.0, 60.0], "8": [90.0, 95.0]}
    publish(
        total_scores=[grade(agent, score) for agent, values in scores.items() for score in values]
        + [grade(agent, score, "2026-04-15T00:00") for agent, values in later.items() for score in values]
    )
    push("qa_score_shrunk", period="month")

    expected = {}
    for month, people in (("2026-03-01T00:00:00Z", scores), ("2026-04-01T00:00:00Z", later)):
        frame = pl.DataFrame({"agent": list(people), "scores": list(people.values())}).with_columns(
            n=pl.col("scores").list.len(),
            mean=pl.col("scores").list.mean(),
            sd=pl.col("scores").list.std().fill_null(0.0),
        )
        drawn = shrink(frame["n"].to_numpy(), frame["mean"].to_numpy(), frame["sd"].to_numpy()).mean
        expected |= {
            (agent, "qa_score_shrunk", month): pytest.approx(value) for agent, value in zip(people, drawn, strict=True)
        }
    assert vendor.series == expected
    assert vendor.series["9", "qa_score_shrunk", "2026-03-01T00:00:00Z"] < 100.0


def test_every_metric_of_the_catalogue_can_be_pushed_and_the_second_time_nothing_is_sent(publish, push, vendor):
    low = grade("7", 40.0, date_graded=at("2026-03-01T00:00"))
    answer = f"acc_{low['gradable_id']}_{low['rubric_id']}_7_GRADER_grading"
    publish(
        total_scores=[
            low,
            *(grade("7", 90.0 + i / 7) for i in range(9)),
            *(grade("8", 70.0 + i / 3) for i in range(9)),
        ],
        todos=[todo(1, "7", "complete")],
        coaching_points=[{"id": "p", "agent_id": "7", "answer_id": answer, "created_at": at("2026-03-02T00:00")}],
    )
    names = [metric.name for metric in METRICS]
    first = push(*names)
    assert {metric for _, metric in vendor.one} == set(names)
    assert first.sent == first.planned > len(names)

    second = push(*names)
    assert (second.planned, second.unchanged) == (0, first.sent)


def test_a_deleted_newest_grade_lets_the_value_of_the_day_before_stand_again(publish, push, vendor):
    """The older day's value is acknowledged already, and has to be sent all the same: the newer one came after it."""
    older, newer = grade("7", 80.0, "2026-03-03T09:00"), grade("7", 20.0, "2026-03-05T09:00")
    publish(total_scores=[older])
    push("qa_score")
    publish(total_scores=[older, newer])
    push("qa_score")
    assert vendor.one == {("7", "qa_score"): 50.0}

    publish(total_scores=[older])
    planned = push("qa_score", dry_run=True)
    report = push("qa_score")
    assert vendor.one == {("7", "qa_score"): 80.0}
    assert (report.planned, report.repeated, report.unchanged) == (0, 1, 1)
    assert (planned.planned, planned.repeated, planned.requests) == (0, 1, 1)
    assert [warning.partition(" (")[0] for warning in report.warnings] == [
        "1 values that the vendor was told are not computed any more"
    ]
    again = push("qa_score")
    assert (again.planned, again.repeated, again.requests, again.warnings) == (0, 0, 0, [])

    publish(total_scores=[older, newer])
    push("qa_score")
    assert vendor.one == {("7", "qa_score"): 50.0}


def test_a_push_about_older_weeks_withdraws_nothing_of_newer_ones(publish, push, vendor):
    rows = [grade("7", 80.0, "2026-03-03T09:00"), grade("7", 20.0, "2026-03-11T09:00")]
    publish(total_scores=rows)
    push("qa_score", period="week")
    publish(total_scores=[*rows, grade("7", 90.0, "2026-03-03T09:00")])
    report = push("qa_score", period="week", until="2026-03-09")

    assert (report.planned, report.repeated, report.warnings) == (1, 1, [])
    assert vendor.one == {("7", "qa_score"): 20.0}


def test_the_ledger_is_a_table_of_the_published_database(publish, push, settings):
    publish(total_scores=[grade("7", 80.0)])
    push("qa_score")
    with warehouse.open(settings.database) as store:
        pushes = store.sql(
            "select kind, agent_id, ticket_id, metric_id, timestamp, metric_value, status, acknowledged_value, "
            "acknowledged_at is not null from state.pushes"
        )
    moment = at("2026-03-04T00:00")
    assert pushes.rows() == [("agent", "7", None, "qa_score", moment, 80.0, "acknowledged", 80.0, True)]


def test_a_dry_run_tells_the_difference_and_touches_nothing(publish, push, vendor, settings):
    publish(total_scores=[grade("7", 80.0), grade("8", 80.0)])
    push("qa_score")
    publish(total_scores=[grade("7", 90.0), grade("8", 80.0), grade("9", 75.0)])
    before = {path: path.stat().st_mtime_ns for path in settings.data.rglob("*")}
    report = push("qa_score", dry_run=True)

    assert (report.planned, report.sent, report.unchanged, report.requests) == (2, 0, 1, 1)
    assert [
        (change["agent_id"], change["metric_value"], change["acknowledged_value"]) for change in report.changes
    ] == [
        ("7", 90.0, 80.0),
        ("9", 75.0, None),
    ]
    assert vendor.requests == 1
    assert {path: path.stat().st_mtime_ns for path in settings.data.rglob("*")} == before


def test_a_dry_run_before_the_first_push_makes_no_ledger(publish, push, settings):
    publish(total_scores=[grade("7", 80.0)])
    assert push("qa_score", dry_run=True).planned == 1
    assert not (settings.data / FILE_NAME).exists()


def test_without_a_database_there_is_nothing_to_compute(push):
    with pytest.raises(EmptyStore):
        push("qa_score")


def test_another_accounts_data_is_never_pushed(publish, push, settings, transport, vendor):
    publish(total_scores=[grade("7", 80.0)])
    elsewhere = settings.model_copy(update={"base_url": "https://other.example.com/api/v1"})
    for dry_run in (True, False):
        with pytest.raises(SettingsError, match=r"belongs to the account at 127\.0\.0\.1.*other\.example\.com"):
            push_computed(["qa_score"], Span(), settings=elsewhere, connect=lambda: transport, dry_run=dry_run)
    assert vendor.requests == 0


def test_a_ledger_of_another_account_is_never_used(push, settings, publish, tmp_path):
    publish(total_scores=[grade("7", 80.0)])
    push("qa_score")
    settings.database.unlink()
    with pytest.raises(SettingsError, match="belongs to the account"):
        read_ledger(settings.data, Kind.AGENT, host="other.example.com")


@pytest.mark.parametrize(
    ("names", "span", "error"),
    [
        (["qa_scor"], {}, UnknownName),
        ([], {}, InvalidArgument),
        (["qa_score"], {"period": "day"}, InvalidArgument),
        (["qa_score"], {"since": "2026-03-02", "until": "2026-03-02"}, InvalidArgument),
    ],
)
def test_a_wrong_option_is_refused_before_anything_happens(push, names, span, error):
    with pytest.raises(error):
        push(*names, **span)
