"""What a run covers: the period, what is missing of it, and time that has not come yet."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maestro_analytics.errors import InvalidArgument
from maestro_analytics.exports import ExportRecord, Window
from maestro_analytics.period import gaps, period_of, vendor_now, without_time_to_come

NOW = datetime(2026, 3, 20, 9, 30, tzinfo=UTC)
KINDS = ("raw", "groups", "audit", "coaching")


def day(number: int) -> datetime:
    return datetime(2026, 3, number, tzinfo=UTC)


def test_the_first_run_takes_90_days_up_to_a_minute_ago():
    period = period_of(since=None, until=None, kinds=KINDS, first_since=None, now=NOW)
    assert (period.since, period.until) == (NOW - timedelta(days=90, minutes=1), NOW - timedelta(minutes=1))


def test_a_later_run_starts_where_the_first_one_did():
    assert period_of(since=None, until=None, kinds=KINDS, first_since=day(1), now=NOW).since == day(1)


def test_time_that_has_not_come_is_not_asked_for():
    assert period_of(since=day(1), until=day(30), kinds=KINDS, first_since=None, now=NOW).until == NOW


@pytest.mark.parametrize(("since", "until"), [(day(3), day(3)), (day(4), day(3)), (day(30), None)])
def test_an_empty_period_is_refused(since, until):
    with pytest.raises(InvalidArgument, match="must be before the second, and before now"):
        period_of(since=since, until=until, kinds=KINDS, first_since=None, now=NOW)


def test_only_what_is_missing_is_wanted_unless_again():
    covered = {"raw": [Window(day(2), day(4)), Window(day(6), day(9))]}
    asked = {"since": day(1), "until": day(8), "kinds": ("raw", "groups"), "first_since": None, "now": NOW}
    missing = [Window(day(1), day(2)), Window(day(4), day(6))]
    assert period_of(**asked).wanted(covered) == {"raw": missing, "groups": None}
    assert period_of(**asked, again=True).wanted(covered) == {"raw": [Window(day(1), day(8))], "groups": None}


MINUTES = st.integers(0, 10_000)


@given(st.lists(st.tuples(MINUTES, st.integers(1, 500)), max_size=8))
def test_what_is_covered_and_what_is_missing_is_the_whole_period(pieces):
    start = day(1)
    covered = [Window(start + timedelta(minutes=a), start + timedelta(minutes=a + n)) for a, n in pieces]
    period = period_of(since=day(1), until=day(8), kinds=("raw",), first_since=None, now=NOW)
    missing = period.wanted({"raw": covered})["raw"]
    for minute in range(0, 7 * 24 * 60, 7):
        moment = start + timedelta(minutes=minute)
        holding = [any(w.start <= moment < w.end for w in windows) for windows in (covered, missing)]
        assert holding[0] != holding[1]
    assert [gap["window_start"] for gap in gaps(period, {"raw": covered})] == [w.start.isoformat() for w in missing]


def export(start: datetime, end: datetime) -> ExportRecord:
    return ExportRecord(seq=1, kind="raw", window=Window(start, end), requested_at=NOW)


def test_a_clock_that_is_ahead_does_not_cover_the_vendors_future():
    """Five minutes ahead: a window up to a minute ago ends four minutes from now, by the vendor's clock."""
    cut, warning = without_time_to_come(export(day(19), NOW - timedelta(minutes=1)), 300.0)
    assert cut.window == Window(day(19), NOW - timedelta(minutes=5))
    assert "300 s ahead" in warning


def test_a_window_wholly_in_the_vendors_future_covers_nothing():
    cut, _ = without_time_to_come(export(NOW - timedelta(minutes=2), NOW - timedelta(minutes=1)), 300.0)
    assert cut.window is None


@pytest.mark.parametrize("ahead", [None, 0.0, 2.0, -400.0, 59.0, 90 * 86_400.0])
def test_a_clock_that_is_right_enough_or_tells_no_time_changes_nothing(ahead):
    given_export = export(day(19), NOW - timedelta(minutes=1))
    assert without_time_to_come(given_export, ahead) == (given_export, None)


def test_a_window_of_the_past_is_covered_whatever_the_clock_says():
    given_export = export(day(1), day(8))
    assert without_time_to_come(given_export, 3_000.0) == (given_export, None)


def test_what_the_vendors_clock_has_not_reached_is_missing_nowhere():
    """Two minutes ahead: the window up to a minute ago is covered up to the vendor's now, and nothing is a gap."""
    period = period_of(since=day(19), until=None, kinds=("raw",), first_since=None, now=NOW)
    covered = {"raw": [Window(day(19), NOW - timedelta(minutes=2))]}
    assert len(gaps(period, covered)) == 1
    assert gaps(period, covered, vendor_now=vendor_now(NOW, 120.0)) == []
    assert gaps(period, {}, vendor_now=vendor_now(NOW, 120.0))[0]["window_end"] == "2026-03-20T09:28:00+00:00"
