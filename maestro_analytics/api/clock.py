"""The time, and waits that end at once when a stop event is set. Tests pass a fake clock that does not sleep."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from threading import Event, Timer

from maestro_analytics.errors import Cancelled


class Clock:
    """The system's time, and waiting."""

    def seconds(self) -> float:
        """Seconds of a clock that never goes back, for measuring durations."""
        return time.monotonic()

    def utc(self) -> datetime:
        """The current moment: aware, UTC."""
        return datetime.now(UTC)

    def wait(self, seconds: float, stop: Event | None = None) -> None:
        """Wait `seconds`, or until `stop` is set.

        Raises:
            Cancelled: `stop` is set, or was set while waiting.
        """
        if stop is None:
            time.sleep(max(0.0, seconds))
        elif stop.wait(max(0.0, seconds)):
            raise Cancelled


def raise_if_set(stop: Event | None) -> None:
    """Raise `Cancelled` if `stop` is set."""
    if stop is not None and stop.is_set():
        raise Cancelled


@contextmanager
def set_after(stop: Event, seconds: float | None) -> Iterator[Event]:
    """Set `stop` after so many seconds, and before it the event that this yields; never if `seconds` is None."""
    is_late = Event()

    def end() -> None:
        is_late.set()
        stop.set()

    timer = Timer(seconds or 0.0, end)
    timer.daemon = True
    if seconds is not None:
        timer.start()
    try:
        yield is_late
    finally:
        timer.cancel()
