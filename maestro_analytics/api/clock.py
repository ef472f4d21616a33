"""Time as an argument, and waits that end at once when somebody says stop."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from threading import Event


class Stopped(Exception):
    """A wait or a transfer ended early because its stop event was set."""


class Clock:
    """The time, and waiting. Tests pass one whose `wait` only moves its hands."""

    def seconds(self) -> float:
        """Seconds that only go forward, to measure with."""
        return time.monotonic()

    def utc(self) -> datetime:
        """The moment, aware, in UTC: what processes share."""
        return datetime.now(UTC)

    def wait(self, seconds: float, stop: Event | None = None) -> None:
        """Wait `seconds`.

        Raises:
            Stopped: `stop` is set, or was set meanwhile.
        """
        if stop is None:
            time.sleep(max(0.0, seconds))
        elif stop.wait(max(0.0, seconds)):
            raise Stopped
