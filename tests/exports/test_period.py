"""The period of a run: what is missing of it, and the time that the vendor's clock has not reached."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maestro_analytics.errors import InvalidArgument, SettingsError
from maestro_analytics.exports import ExportRecord, Window, period_of
from maestro_analytics.exports.lifecycle import check_clock, clock_ahead

NOW = datetime(2026, 3, 20, 9, 30, tzinfo=UTC)
KINDS = ("raw", "groups", "audit", "coaching")


def day(number: int) -> datetime:
    return datetime(2026, 3, number, tzinfo=UTC)


def period(**changes):
    return period_of(**({"since": None, "until": None, "kinds": KINDS, "first_since": {}, "now": NOW} | changes))


def test_the_first_run_fetches_90_days_up_to_a_minute_ago():
    first = NOW - timedelta(days=90, minutes=1)
    assert period().starts == {"raw": first, "audit": first}
    assert period().until == NOW - timedelta(minutes=1)


def test_a_later_run_starts_for_each_kind_where_an_earlier_one_did():
    """`--only audit --since 2020-01-01` once must not make later runs fetch raw exports since 2020."""
    starts = period(first_since={"raw": day(1), "audit": datetime(2020, 1, 1, tzinfo=UTC)}).starts
    assert starts == {"raw": day(1), "audit": datetime(2020, 1, 1, tzinfo=UTC)}


@pytest.mark.parametrize("until", [day(30), NOW, NOW + timedelta(seconds=1), NOW - timedelta(seconds=59)])
def test_an_end_in_the_future_or_in_the_newest_minute_is_cut_to_a_minute_ago(until):
    assert period(since=day(1), until=until).until == NOW - timedelta(minutes=1)


@pytest.mark.parametrize(("since", "until"), [(day(3), day(3)), (day(4), day(3)), (day(30), None)])
def test_an_empty_period_is_refused(since, until):
    with pytest.raises(InvalidArgument, match="must be before the second, and before one minute ago"):
        period(since=since, until=until)


def test_a_mistyped_year_is_refused():
    with pytest.raises(InvalidArgument, match="before 2010"):
        period(since=datetime(206, 1, 1, tzinfo=UTC))
    with pytest.raises(InvalidArgument, match="--until 0001-01-01 is before 2010"):
        period(until=datetime(1, 1, 1, tzinfo=UTC))


def test_only_what_is_missing_is_wanted_unless_again():
    covered = {"raw": [Window(day(2), day(4)), Window(day(6), day(9))]}
    asked = {"since": day(1), "until": day(8), "kinds": ("raw", "groups")}
    missing = [Window(day(1), day(2)), Window(day(4), day(6))]
    assert period(**asked).wanted(covered) == {"raw": missing, "groups": None}
    assert period(**asked, again=True).wanted(covered) == {"raw": [Window(day(1), day(8))], "groups": None}


def test_the_last_hour_of_coverage_is_fetched_again_for_late_updates():
    covered = {"raw": [Window(day(1), day(2)), Window(day(4), day(6))]}
    asked = {"since": day(1), "until": day(8), "kinds": ("raw",)}
    late = timedelta(hours=1)
    assert period(**asked, overlap=late).wanted(covered)["raw"] == [
        Window(day(2), day(4)),
        Window(day(6) - late, day(8)),
    ]


def test_the_overlap_does_not_reach_back_before_coverage_or_since():
    asked = {"until": day(8), "kinds": ("raw",), "overlap": timedelta(days=10)}
    covered = {"raw": [Window(day(4), day(6))]}
    assert period(**asked, since=day(4)).wanted(covered)["raw"] == [Window(day(4), day(8))]
    assert period(**asked, since=day(5)).wanted(covered)["raw"] == [Window(day(5), day(8))]


MINUTES = st.integers(0, 10_000)


@given(st.lists(st.tuples(MINUTES, st.integers(1, 500)), max_size=8))
def test_what_is_covered_and_what_is_missing_is_the_whole_period(pieces):
    start = day(1)
    covered = [Window(start + timedelta(minutes=a), start + timedelta(minutes=a + n)) for a, n in pieces]
    whole = period(since=day(1), until=day(8), kinds=("raw",))
    missing = whole.wanted({"raw": covered})["raw"]
    for minute in range(0, 7 * 24 * 60, 7):
        moment = start + timedelta(minutes=minute)
        holding = [any(w.start <= moment < w.end for w in windows) for windows in (covered, missing)]
        assert holding[0] != holding[1]
    assert [gap["window_start"] for gap in whole.gaps({"raw": covered})] == [w.start.isoformat() for w in missing]


def test_an_export_covers_its_window_up_to_a_minute_before_it_was_asked_for():
    """Five minutes ahead: a window up to a minute ago ends four minutes from now, by the vendor's clock."""
    window = Window(day(19), NOW - timedelta(minutes=1))
    asked = ExportRecord(1, "raw", window, requested_at=NOW, asked_at=NOW - clock_ahead(300.0))
    assert asked.covers == Window(day(19), NOW - timedelta(minutes=6))


def test_an_export_of_the_vendors_future_covers_nothing():
    window = Window(NOW - timedelta(minutes=2), NOW - timedelta(minutes=1))
    assert ExportRecord(1, "raw", window, asked_at=NOW - timedelta(minutes=5)).covers is None


@pytest.mark.parametrize("seconds", [None, 0.0, 2.0, -400.0])
def test_a_clock_that_is_right_behind_or_unknown_takes_nothing_from_coverage(seconds):
    assert clock_ahead(seconds) == timedelta()


@pytest.mark.parametrize("hours", [24, -25, 24 * 30])
def test_a_clock_that_is_a_day_off_stops_the_run(hours):
    with pytest.raises(SettingsError, match="Set the clock"):
        check_clock(hours * 3600.0, "app.example.com")


def test_time_that_the_vendors_clock_has_not_reached_is_not_a_gap():
    asked = period(since=day(19), kinds=("raw",))
    covered = {"raw": [Window(day(19), NOW - timedelta(minutes=3))]}
    assert len(asked.gaps(covered)) == 1
    assert asked.gaps(covered, ends=NOW - timedelta(minutes=3)) == []
