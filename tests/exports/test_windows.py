"""Windows cover exactly what was asked for, however they are cut."""

import itertools
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maestro_analytics import errors
from maestro_analytics.exports.scheduler import Backlog
from maestro_analytics.exports.windows import Window, cut, joined, without

START = datetime(2026, 1, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)

SPANS = st.tuples(st.integers(0, 4_000_000), st.integers(1, 3_000_000)).map(
    lambda bounds: Window(START + timedelta(seconds=bounds[0]), START + timedelta(seconds=bounds[0] + bounds[1]))
)
SMALL_SPANS = st.tuples(st.integers(0, 60), st.integers(1, 30)).map(
    lambda bounds: Window(START + timedelta(seconds=bounds[0]), START + timedelta(seconds=bounds[0] + bounds[1]))
)


def seconds(windows):
    """The seconds that windows cover, each as often as it is covered."""
    return sorted(
        second
        for window in windows
        for second in range(int((window.start - START) / SECOND), int((window.end - START) / SECOND))
    )


def test_a_window_reads_as_utc_whatever_zone_it_was_given_in():
    window = Window(datetime(2026, 1, 1, 1, tzinfo=timezone(timedelta(hours=1))), datetime(2026, 1, 2, tzinfo=UTC))

    assert "2026-01-01T00:00:00Z to 2026-01-02T00:00:00Z" == str(window)


def test_both_bounds_of_a_request_read_as_exclusive_so_the_start_is_asked_a_second_early():
    window = Window(START, START + timedelta(days=7))

    assert {"startDate": "2025-12-31T23:59:59Z", "endDate": "2026-01-08T00:00:00Z"} == window.parameters()


def test_fractions_of_a_second_are_asked_for_with_the_whole_second():
    window = Window(START + timedelta(milliseconds=500), START + timedelta(seconds=9, milliseconds=500))

    assert {"startDate": "2025-12-31T23:59:59Z", "endDate": "2026-01-01T00:00:10Z"} == window.parameters()


@pytest.mark.parametrize(
    ("start", "end", "said"),
    [
        (datetime(2026, 1, 1), datetime(2026, 1, 2, tzinfo=UTC), "time zone"),
        (START, START, "must end after it starts"),
        (START, START - SECOND, "must end after it starts"),
    ],
)
def test_an_invalid_window_is_refused(start, end, said):
    with pytest.raises(errors.InvalidArgument, match=said):
        Window(start, end)


@given(st.lists(SMALL_SPANS, max_size=6))
def test_joined_windows_cover_the_same_seconds_once(windows):
    result = joined(windows)

    assert sorted(set(seconds(windows))) == seconds(result)
    assert all(one.end < other.start for one, other in itertools.pairwise(result))


@given(st.lists(SMALL_SPANS, max_size=6), st.lists(SMALL_SPANS, max_size=6))
def test_subtracted_windows_are_gone_and_the_rest_stays_once(windows, taken):
    assert sorted(set(seconds(windows)) - set(seconds(taken))) == seconds(without(windows, taken))


@given(st.lists(SMALL_SPANS, max_size=4), st.integers(1, 20))
def test_cut_windows_cover_the_same_seconds_in_pieces_of_the_length(windows, length):
    pieces = cut(windows, timedelta(seconds=length))

    assert seconds(joined(windows)) == seconds(pieces)
    assert all(piece.length <= timedelta(seconds=length) for piece in pieces)


@given(SPANS, st.integers(1, 7200))
def test_halves_are_two_windows_that_meet(window, smallest):
    halves = window.split(timedelta(seconds=smallest))

    if halves is None:
        assert window.length <= timedelta(seconds=smallest)
    else:
        first, second = halves
        assert (window.start, first.end, window.end) == (first.start, second.start, second.end)
        assert timedelta(seconds=smallest) <= first.length
        assert max(first.length, second.length) < window.length


@given(
    wanted=st.lists(SPANS, min_size=1, max_size=3),
    largest=st.integers(1, 14 * 24).map(lambda hours: timedelta(hours=hours)),
    data=st.data(),
)
def test_halving_and_growing_cover_exactly_the_seconds_asked_for(wanted, largest, data):
    """Windows are taken, and each succeeds or fails as it likes; a failed one comes back in halves, the smallest that
    fails is missed. What succeeded and what is missed are the time asked for, each second once."""
    smallest = min(timedelta(hours=1), largest)
    backlog = Backlog(largest=largest, smallest=smallest)
    backlog.spans.extend(joined(wanted))
    done, failures = [], 0
    while backlog.spans:
        window = backlog.take()
        assert window.length <= largest
        if failures > 12 or data.draw(st.booleans()):
            backlog.length.succeeded(window.length)
            done.append(window)
            continue
        failures += 1
        halves = window.split(smallest)
        if halves is None:
            done.append(window)
        else:
            backlog.length.failed(window.length)
            backlog.spans.extendleft(reversed(halves))

    assert joined(wanted) == joined(done)
    ordered = sorted(done)
    assert all(one.end <= other.start for one, other in itertools.pairwise(ordered))


def test_windows_shrink_with_failures_and_grow_again_more_slowly_each_time():
    hour = timedelta(hours=1)
    backlog = Backlog(largest=8 * hour, smallest=hour)
    lengths = []
    for outcome in "f ssf ssss ssss".replace(" ", ""):
        if outcome == "f":
            backlog.length.failed(backlog.length.value)
        else:
            backlog.length.succeeded(backlog.length.value)
        lengths.append(backlog.length.value / hour)

    assert [4, 4, 8, 4, 4, 4, 4, 8, 8, 8, 8, 8] == lengths
