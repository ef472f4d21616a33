"""Windows of time, half-open and in UTC, and the period of a run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from maestro_analytics.arguments import iso
from maestro_analytics.errors import InvalidArgument
from maestro_analytics.kinds import EXPORT_KINDS, WINDOWED

SECOND = timedelta(seconds=1)
INITIAL_WINDOW = timedelta(days=7)
SMALLEST_WINDOW = timedelta(minutes=1)


@dataclass(frozen=True, order=True)
class Window:
    """A half-open window of time: `start` is in it, `end` is not; aware, kept in UTC.

    Raises:
        InvalidArgument: a naive moment, or an end that is not after the start.
    """

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        for name in ("start", "end"):
            moment = getattr(self, name)
            iso(moment, name=f"{name} of a window")
            object.__setattr__(self, name, moment.astimezone(UTC))
        if self.end <= self.start:
            raise InvalidArgument(f"a window must end after it starts: {self}")

    def __str__(self) -> str:
        return f"{iso(self.start)} to {iso(self.end)}"

    @property
    def length(self) -> timedelta:
        return self.end - self.start

    def parameters(self) -> dict[str, str]:
        """The request's dates. Both read as exclusive ("after", "before") and have whole seconds, so that the
        start is asked one second early; duplicate rows replace themselves."""
        start = self.start.replace(microsecond=0) - SECOND
        end = self.end.replace(microsecond=0) + (SECOND if self.end.microsecond else timedelta())
        return {"startDate": iso(start), "endDate": iso(end)}

    def split(self, smallest: timedelta = SMALLEST_WINDOW) -> tuple[Window, Window] | None:
        """Two halves on whole seconds, the first at least `smallest` long; None if it is not longer than that."""
        if self.length <= max(smallest, SECOND):
            return None
        half = max(timedelta(seconds=self.length // SECOND // 2), smallest, SECOND)
        return Window(self.start, self.start + half), Window(self.start + half, self.end)

    def first(self, length: timedelta) -> tuple[Window, Window | None]:
        """The first `length` of it, and the rest."""
        if self.length <= length:
            return self, None
        return Window(self.start, self.start + length), Window(self.start + length, self.end)


def joined(windows: Iterable[Window]) -> list[Window]:
    """The windows sorted, with those that overlap or touch merged."""
    result: list[Window] = []
    for window in sorted(windows):
        if result and window.start <= result[-1].end:
            result[-1] = Window(result[-1].start, max(result[-1].end, window.end))
        else:
            result.append(window)
    return result


def without(windows: Iterable[Window], taken: Iterable[Window]) -> list[Window]:
    """The parts of `windows` that are in none of `taken`, in order."""
    result = joined(windows)
    for gone in joined(taken):
        result = [piece for window in result for piece in _minus(window, gone)]
    return result


def cut(windows: Sequence[Window], length: timedelta) -> list[Window]:
    """The windows cut into pieces of at most `length`."""
    pieces = []
    for window in joined(windows):
        rest: Window | None = window
        while rest is not None:
            piece, rest = rest.first(length)
            pieces.append(piece)
    return pieces


def _minus(window: Window, gone: Window) -> list[Window]:
    pieces = []
    if window.start < min(window.end, gone.start):
        pieces.append(Window(window.start, min(window.end, gone.start)))
    if max(window.start, gone.end) < window.end:
        pieces.append(Window(max(window.start, gone.end), window.end))
    return pieces


FIRST_PERIOD = timedelta(days=90)
MARGIN = timedelta(minutes=1)
"""The vendor may commit an update after its time stamp, so the newest minute is left to the next run."""
EARLIEST_SINCE = datetime(2010, 1, 1, tzinfo=UTC)
"""The vendor has no data of before; an earlier date is a typing error."""


@dataclass(frozen=True)
class Period:
    """The time that one run fetches, half-open, in UTC.

    Attributes:
        starts: windowed kind -> the first moment to fetch.
        until: the end, not included.
        kinds: all kinds of the run.
        again: whether covered time is fetched too.
        overlap: how much covered time before the end of coverage is fetched again.
    """

    starts: Mapping[str, datetime]
    until: datetime
    kinds: tuple[str, ...]
    again: bool = False
    overlap: timedelta = timedelta()

    def wanted(
        self, covered: Mapping[str, Sequence[Window]], *, settled: Mapping[str, datetime] | None = None
    ) -> dict[str, list[Window] | None]:
        """The windows to ask for, by kind; None for a snapshot: what is not covered, and what is not settled.

        Args:
            settled: kind -> the moment up to which covered time was read late enough, see `settled_after`.
        """
        wanted: dict[str, list[Window] | None] = {
            kind: [Window(start, self.until)]
            if self.again
            else self._missing(start, covered.get(kind, ()), (settled or {}).get(kind))
            for kind, start in self.starts.items()
        }
        return wanted | {kind: None for kind in self.kinds if kind in EXPORT_KINDS and kind not in WINDOWED}

    def _missing(self, start: datetime, covered: Sequence[Window], settled: datetime | None) -> list[Window]:
        whole = [Window(start, self.until)]
        missing = without(whole, covered)
        settled = self.settled_before(settled, covered)
        if not missing or settled is None or settled >= self.until:
            return missing
        return without(whole, without(covered, [Window(settled, self.until)]))

    def settled_before(self, known: datetime | None, covered: Sequence[Window]) -> datetime | None:
        """The moment up to which covered time is settled: as is known, else `overlap` before the end of coverage."""
        return known or max((window.end - self.overlap for window in covered), default=None)

    def settled_after(self, before: datetime, covered: Sequence[Window], read: Sequence[Window]) -> datetime:
        """The moment up to which covered time is settled now: read `overlap` after it, or later.

        The vendor may show an update late. So covered time is read again until then, and so is what this run was to
        read again and could not. What is not covered does not count: it will be read whole.

        Args:
            before: the moment before this run.
            covered: what is covered now.
            read: windows of which this run has landed everything, as far as they were asked for `overlap` after.
        """
        end = min(self.until, max((window.end for window in covered), default=self.until)) - self.overlap
        if end <= before:
            return before
        unread = without(covered, [Window(EARLIEST_SINCE, max(before, EARLIEST_SINCE + SECOND)), *read])
        return min(unread[0].start, end) if unread else end

    def gaps(self, covered: Mapping[str, Sequence[Window]], *, ends: datetime | None = None) -> list[dict[str, str]]:
        """What is not covered: `kind`, `window_start`, `window_end` (ISO 8601, UTC) of each stretch.

        Args:
            ends: an earlier end than `until`, where the vendor's clock has not reached that.
        """
        until = min(self.until, ends or self.until)
        return [
            {"kind": kind, "window_start": gap.start.isoformat(), "window_end": gap.end.isoformat()}
            for kind, start in self.starts.items()
            if start < until
            for gap in without([Window(start, until)], covered.get(kind, ()))
        ]


def period_of(
    *,
    since: datetime | None,
    until: datetime | None,
    kinds: Sequence[str],
    first_since: Mapping[str, datetime],
    now: datetime,
    again: bool = False,
    overlap: timedelta = timedelta(),
) -> Period:
    """The period of a run: from `since` to `until`, which is one minute ago at the latest.

    Args:
        since: default: for each kind the earliest moment that a finished run fetched (`first_since`), else 90 days ago.

    Raises:
        InvalidArgument: the period is empty, or `since` or `until` is before 2010.
    """
    end = min(until or now, now - MARGIN).replace(microsecond=0)
    for option, bound in (("--since", since), ("--until", until)):
        if bound is not None and bound < EARLIEST_SINCE:
            raise InvalidArgument(f"{option} {bound.date()} is before 2010, when there was no data: check the year.")
    starts = {
        kind: (since or first_since.get(kind) or max(end - FIRST_PERIOD, EARLIEST_SINCE)).replace(microsecond=0)
        for kind in WINDOWED
        if kind in kinds
    }
    start = max([*starts.values(), *([since] if since else [])], default=None)
    if start is not None and start >= end:
        raise InvalidArgument(
            f"nothing lies between --since {start:%Y-%m-%dT%H:%M:%SZ} and --until {end:%Y-%m-%dT%H:%M:%SZ}: "
            "the first must be before the second, and before one minute ago."
        )
    return Period(starts, end, tuple(kinds), again, overlap)
