"""Windows of time: half-open, in UTC, and cut so that every second asked for is in exactly one of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from maestro_analytics.api.validation import iso
from maestro_analytics.errors import InvalidArgument

SECOND = timedelta(seconds=1)
INITIAL_WINDOW = timedelta(days=7)
SMALLEST_WINDOW = timedelta(hours=1)


@dataclass(frozen=True, order=True)
class Window:
    """From `start` (in it) to `end` (not in it); aware, kept in UTC.

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
        start is asked one second early; what comes twice replaces itself."""
        start = self.start.replace(microsecond=0) - SECOND
        end = self.end.replace(microsecond=0) + (SECOND if self.end.microsecond else timedelta())
        return {"startDate": iso(start), "endDate": iso(end)}

    def split(self, smallest: timedelta = SMALLEST_WINDOW) -> tuple[Window, Window] | None:
        """Two halves on whole seconds, the first at least `smallest` long; None when it is that small already."""
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
    """The same moments in as few windows as there can be, in order."""
    result: list[Window] = []
    for window in sorted(windows):
        if result and window.start <= result[-1].end:
            result[-1] = Window(result[-1].start, max(result[-1].end, window.end))
        else:
            result.append(window)
    return result


def without(windows: Iterable[Window], taken: Iterable[Window]) -> list[Window]:
    """The moments of `windows` that are in none of `taken`, in order."""
    result = joined(windows)
    for gone in joined(taken):
        result = [piece for window in result for piece in _minus(window, gone)]
    return result


def cut(windows: Sequence[Window], length: timedelta) -> list[Window]:
    """The windows in pieces of at most `length`."""
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
