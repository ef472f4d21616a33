"""What is left of one kind of export, and the length of the next window."""

from __future__ import annotations

from collections import deque
from datetime import timedelta

from maestro_analytics.exports.windows import Window


class Sizes:
    """The window length of one kind: halved by failures, doubled by successes, and slower after each failed try."""

    def __init__(self, largest: timedelta, smallest: timedelta) -> None:
        self._largest = largest
        self._smallest = smallest
        self.length = largest
        self._successes = 0
        self._needed = 1

    def failed(self, length: timedelta) -> None:
        self.length = max(min(self.length, length / 2), self._smallest)
        self._successes = 0
        self._needed = min(self._needed * 2, 16)

    def succeeded(self, length: timedelta) -> None:
        if self.length >= self._largest or length < self.length:
            return
        self._successes += 1
        if self._successes >= self._needed:
            self.length = min(self.length * 2, self._largest)
            self._successes = 0


class Backlog:
    """What is left of one kind of export."""

    def __init__(self, name: str, *, largest: timedelta, smallest: timedelta) -> None:
        self.name = name
        self.smallest = smallest
        self.sizes = Sizes(largest, smallest)
        self.spans: deque[Window | None] = deque()
        self.came_through = False
        self.hopeless = 0

    def take(self) -> Window | None:
        span = self.spans.popleft()
        if span is None:
            return None
        window, rest = span.first(self.sizes.length)
        if rest is not None:
            self.spans.appendleft(rest)
        return window
