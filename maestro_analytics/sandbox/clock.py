"""The sandbox's clock: it stands still until it is moved, or runs with real time from where it was set."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta


class Clock:
    def __init__(self, start: datetime | None = None, *, running: bool = False) -> None:
        if start is not None and start.tzinfo is None:
            raise ValueError("the sandbox's moment needs a time zone: datetime(..., tzinfo=UTC)")
        self._moment = (start or datetime.now(UTC)).astimezone(UTC)
        if not running:
            self._moment = self._moment.replace(microsecond=0)
        self._running_since = time.monotonic() if running else None
        self._lock = threading.Lock()

    def now(self) -> datetime:
        """The moment, aware, UTC."""
        with self._lock:
            if self._running_since is None:
                return self._moment
            return self._moment + timedelta(seconds=time.monotonic() - self._running_since)

    def advance(self, step: timedelta) -> datetime:
        """Move the clock forward."""
        if step < timedelta(0):
            raise ValueError("the sandbox's clock moves forward only")
        with self._lock:
            self._moment += step
        return self.now()
