"""What all answers can be narrowed to, and what a wrong filter says."""

from datetime import UTC, date, datetime, timedelta, timezone
from functools import cache

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from simulated_database import START, grade_rows

from maestro_analytics import analysis
from maestro_analytics.analysis.answer import Answer
from maestro_analytics.errors import EmptyStore, InvalidArgument, UnknownName
from maestro_analytics.warehouse import open as open_store

ANSWERS = [name for name in analysis.__all__ if name[0].islower() and name not in ("charts", "report")]
LISTS = {"answer_comments", "open_todos", "tickets_to_review"}
RECORD_AXES = {"todo_completion": "created_at", "open_todos": "created_at", "coaching_history": "meeting_date"}
NEVER = {"since": "2030-01-01", "until": "2030-02-01"}


@pytest.fixture(scope="module")
def unfiltered(store):
    """Answers without filters, by their names, each asked once."""
    return cache(lambda name: getattr(analysis, name)(store))


@pytest.mark.parametrize("name", ANSWERS)
def test_an_empty_period_gives_the_same_columns_no_rows_and_a_reason(store, unfiltered, name):
    full, empty = unfiltered(name), getattr(analysis, name)(store, **NEVER)
    assert isinstance(full, Answer)
    assert full.schema == empty.schema
    assert 0 == empty.height
    assert "from 2030-01-01 before 2030-02-01" in empty.about.reason
    assert full.about.question
    if name != "score_mismatches":
        assert full.height > 0
        assert "" == full.about.reason


@pytest.mark.parametrize(
    "name", sorted(set(ANSWERS) - {"grades", "alignments", "score_mismatches", "time_to_coach_curve"} - LISTS)
)
def test_every_aggregate_says_how_many_and_whether_to_rely_on_it(unfiltered, name):
    frame = unfiltered(name)
    assert {"n", "n_na", "reliable", "reason"} <= set(frame.columns)
    assert pl.Boolean == frame.schema["reliable"]
    assert frame["reason"].null_count() == frame["reliable"].null_count() == 0
    assert frame.filter(~pl.col("reliable") & (pl.col("reason") == "")).is_empty()


@pytest.mark.parametrize("name", ANSWERS)
def test_the_time_axis_is_said(store, name):
    answer = getattr(analysis, name)(store, week_zone="America/New_York")
    axis = RECORD_AXES.get(name, "date_reported_as")
    assert f"{axis} (days and weeks in America/New_York)" == answer.about.time_axis
    assert axis in str(answer)
    assert answer.about.question.split("<")[0][:20] in answer._repr_html_().replace("&#x27;", "'")


def test_what_is_derived_from_an_answer_is_a_plain_frame(store):
    derived = analysis.agent_scores(store).filter(pl.col("n") > 1)
    assert pl.DataFrame is type(derived)


@pytest.mark.parametrize(
    ("filters", "nearest"),
    [
        ({"team": "Biling"}, ["Billing"]),
        ({"rubric": "Suport"}, ["Support"]),
        ({"agent": "Agent 01"}, None),
        ({"source": "zendesc"}, ["zendesk"]),
        ({"grade_type": "gradin"}, ["grading", "calibration"]),
        ({"week_zone": "Europe/Berln"}, None),
    ],
)
def test_an_unknown_name_says_which_are_near(store, filters, nearest):
    with pytest.raises(UnknownName) as caught:
        analysis.agent_scores(store, **filters)
    assert nearest is None or nearest == caught.value.nearest
    assert caught.value.nearest


def test_a_filter_that_does_not_exist_is_named(store):
    with pytest.raises(TypeError, match="no filter is called teem; there are since, until, team"):
        analysis.agent_scores(store, teem="Billing")


@pytest.mark.parametrize(
    "filters",
    [
        {"since": datetime(2026, 1, 1)},
        {"since": "January"},
        {"since": "2026-02-01", "until": "2026-02-01"},
        {"team": ""},
        {"team": ["Billing"]},
    ],
)
def test_invalid_options_are_refused(store, filters):
    with pytest.raises(InvalidArgument):
        analysis.agent_scores(store, **filters)


def test_a_database_that_was_never_refreshed_says_what_to_run(tmp_path):
    with pytest.raises(EmptyStore, match="maestro-analytics refresh"):
        open_store(tmp_path / "maestro.duckdb")


def dated(*moments):
    return grade_rows(
        gradable_id=[f"t{number}" for number in range(len(moments))],
        agent_id=["1"] * len(moments),
        rubric_score=[80.0] * len(moments),
        date_reported_as=list(moments),
    )


def count(store, **filters):
    return analysis.rubric_scores(store, **filters)["n"].sum()


def test_a_period_holds_its_first_moment_and_not_its_last(holding):
    store = holding(dated(START, START + timedelta(days=1), START + timedelta(days=2)))
    assert 1 == count(store, since=START, until=START + timedelta(days=1))
    assert 2 == count(store, since="2026-01-06")
    assert 1 == count(store, until=date(2026, 1, 6))


def test_a_date_is_midnight_in_the_time_zone_of_the_weeks(holding):
    """Monday 03:00 UTC is still Sunday in New York."""
    store = holding(dated(datetime(2026, 1, 12, 3, tzinfo=UTC)))
    assert 1 == count(store, since="2026-01-12")
    assert 0 == count(store, since="2026-01-12", week_zone="America/New_York")
    sundays = analysis.score_trend(store, week_zone="America/New_York")["period"].to_list()
    assert [date(2026, 1, 5)] == sundays
    assert [date(2026, 1, 12)] == analysis.score_trend(store)["period"].to_list()


@pytest.mark.parametrize("since", ["0001-01-01", "9999-12-31", datetime(1, 1, 1, tzinfo=UTC)])
def test_the_first_and_the_last_year_are_moments_like_others(holding, since):
    store = holding(dated(START))
    assert analysis.agent_scores(store, since=since).height == (0 if since == "9999-12-31" else 1)
    if since != "9999-12-31":
        with pytest.raises(InvalidArgument, match="no period as long lies before since"):
            analysis.changes(store, since=since)


def test_a_day_that_begins_before_the_first_year_in_utc_is_refused(holding):
    with pytest.raises(InvalidArgument, match="outside of the years 1 to 9999"):
        analysis.agent_scores(holding(dated(START)), since="0001-01-01", week_zone="Asia/Tokyo")


def test_moments_of_any_offset_are_the_same_moment(holding):
    store = holding(dated(START))
    tokyo = timezone(timedelta(hours=9))
    assert 1 == count(store, since=START.astimezone(tokyo), until=(START + timedelta(seconds=1)).astimezone(tokyo))
    assert 1 == count(store, since="2026-01-05T09:00:00+09:00")


def test_a_grade_without_a_date_counts_only_without_a_beginning(holding):
    store = holding(dated(START, None))
    assert 2 == count(store)
    assert 1 == count(store, since="2020-01-01")
    assert 1 == analysis.score_trend(store)["n"].sum()


def test_a_grade_without_a_source_is_found_unless_one_is_chosen(holding):
    grades = grade_rows(
        gradable_id=["a", "b"], agent_id=["1", "1"], rubric_score=[80.0, 90.0], source=pl.Series(["zendesk", None])
    )
    store = holding(grades.with_columns(grade_key=pl.col("gradable_id")))
    assert 2 == count(store)
    assert 1 == count(store, source="zendesk")


def test_an_agent_is_found_by_name_address_or_any_id(holding):
    grades = dated(START, START)
    people = {
        "agent_ids": pl.DataFrame({"agent_id": ["1", "sf_9"], "person_id": ["1", "1"]}),
        "agents": pl.DataFrame({"person_id": ["1"], "agent_name": ["Ada"], "agent_email": ["ada@example.com"]}),
    }
    store = holding(grades, **people)
    assert [2] * 4 == [count(store, agent=name) for name in ("Ada", "ada@example.com", "1", "sf_9")]


def test_a_team_is_found_by_name_or_id(store):
    names = analysis.team_scores(store)["team"].unique().sort().to_list()
    assert ["Billing", "Technical"] == names
    by_name = analysis.team_scores(store, team="Billing")
    assert_frame_equal(by_name, analysis.team_scores(store, team="group-0"))
    assert ["Billing"] == by_name["team"].unique().to_list()
