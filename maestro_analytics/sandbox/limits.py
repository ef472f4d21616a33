"""The documented rate limits as real sliding windows."""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Callable


class SlidingWindows:
    """At most so many requests in any second and in any minute of one token; None switches a window off."""

    def __init__(self, *, per_second: int | None, per_minute: int | None, timer: Callable[[], float]) -> None:
        self._windows = [
            (limit, seconds) for limit, seconds in ((per_second, 1.0), (per_minute, 60.0)) if limit is not None
        ]
        self._timer = timer
        self._taken: deque[float] = deque(maxlen=max((limit for limit, _ in self._windows), default=0))
        self._lock = threading.Lock()

    def take(self) -> int:
        """0 when the request may pass, which counts it; else the seconds, rounded up, until one may."""
        with self._lock:
            now = self._timer()
            wait = 0.0
            for limit, seconds in self._windows:
                if len(self._taken) >= limit:
                    wait = max(wait, self._taken[-limit] + seconds - now)
            if wait > 0:
                return math.ceil(wait)
            self._taken.append(now)
            return 0
