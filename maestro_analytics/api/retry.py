"""When a request is sent again, and what it means when it is not.

    what came back                       sent again                                         in the end
    no answer, certainly not arrived     until two minutes without any answer               Unreachable
    no answer, may have arrived          the same, unless the endpoint says otherwise       Unreachable / OutcomeUnknown
    429                                  eight times, after what Retry-After says (<= 120 s) TryAgain
    5xx, or 200 that is no JSON          five times in about a minute                       TryAgain / OutcomeUnknown
    anything else                        never                                              its own error

A 5xx when the host has given no good answer for two minutes is `Unreachable` too.
"""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from maestro_analytics.api.clock import Clock
from maestro_analytics.api.endpoints import Endpoint, Repeat
from maestro_analytics.errors import MaestroError, OutcomeUnknown, TryAgain, Unreachable

SILENCE_SECONDS = 120.0
"""So long without an answer, and the host counts as unreachable."""
LONGEST_PAUSE_SECONDS = 120.0
TRIES_WHEN_LIMITED = 9
TRIES_WHEN_FAILING = 6

log = logging.getLogger("maestro_analytics.api")


class Failure(Exception):
    """One try that brought no good answer. Its text is fit to be shown.

    Attributes:
        status: of the answer; None when there was none.
        arrived: False when the request certainly never reached the vendor.
        retry_after_seconds: what the vendor asked for.
    """

    def __init__(
        self, text: str, *, status: int | None, arrived: bool = True, retry_after_seconds: float | None = None
    ) -> None:
        self.status = status
        self.arrived = arrived
        self.retry_after_seconds = retry_after_seconds
        super().__init__(text)


class HostHealth:
    """How long the host has given no good answer; shared by all threads of a client."""

    def __init__(self) -> None:
        self._tried_since: float | None = None

    def tried(self, moment: float) -> None:
        """A request is sent."""
        if self._tried_since is None:
            self._tried_since = moment

    def answered(self) -> None:
        """A good answer came, or one that says no."""
        self._tried_since = None

    def silent_seconds(self, moment: float) -> float:
        """Seconds since the first request after the last good answer."""
        return moment - self._tried_since if self._tried_since is not None else 0.0


class Tries:
    """The tries of one request. `again` is asked by stamina after each that failed."""

    def __init__(
        self,
        endpoint: Endpoint,
        shown: str,
        *,
        host: str,
        health: HostHealth,
        clock: Clock,
        pause_everybody: Callable[[float], None],
    ) -> None:
        self.endpoint = endpoint
        self.shown = shown
        self.host = host
        self._health = health
        self._now = clock.seconds
        self._clock = clock
        self._pause_everybody = pause_everybody
        self._first_sent: float | None = None
        self._failed = 0
        self._limited = 0
        self._silent = 0
        self._next_wait_seconds = 0.0
        self.may_have_arrived = False

    def wait_for_turn(self, stop: threading.Event | None) -> None:
        """The pause that the last failure asked for. Here rather than in stamina, whose sleep no event can end."""
        if self._next_wait_seconds:
            seconds, self._next_wait_seconds = self._next_wait_seconds, 0.0
            self._clock.wait(seconds, stop)

    def sent(self) -> None:
        """A try leaves."""
        moment = self._now()
        self._health.tried(moment)
        if self._first_sent is None:
            self._first_sent = moment

    def again(self, failure: Exception) -> bool | float:
        """Whether to try again after `failure`: 0.0 for yes (stamina then sleeps no longer than that)."""
        if not isinstance(failure, Failure) or not self._may_repeat(failure):
            return False
        seconds = self._backoff(failure)
        if seconds is None:
            return False
        self._next_wait_seconds = seconds
        self.may_have_arrived = self.may_have_arrived or failure.arrived
        level = logging.WARNING if seconds >= 5 else logging.INFO
        log.log(level, "%s; trying again in %.0f s (%s)", failure, seconds, self.shown)
        return 0.0

    def verdict(self, failure: Failure) -> MaestroError:
        """The error to raise when no more tries are made."""
        retry_after = failure.retry_after_seconds
        if failure.arrived and failure.status != 429 and not self._repeats_after(failure):
            return OutcomeUnknown(
                f"{failure} to {self.shown}, and it may have been carried out all the same. Look before you send "
                "it again.",
                endpoint=self.shown, status=failure.status, retry_after_seconds=retry_after,
            )  # fmt: skip
        if failure.status == 429:
            return TryAgain(
                f"{failure} to {self.shown}, {self._limited} times: the token's budget is used up, perhaps by "
                "others who share it. Try again in some minutes, or set MAESTRO_REQUESTS_PER_MINUTE lower.",
                endpoint=self.shown, status=429, retry_after_seconds=retry_after,
            )  # fmt: skip
        if self.endpoint.repeat is not Repeat.FREELY and failure.status not in (None, 503):
            return OutcomeUnknown(
                f"{failure} to {self.shown}, {self._failed} times: it may have been carried out all the same.",
                endpoint=self.shown, status=failure.status, retry_after_seconds=retry_after,
            )  # fmt: skip
        if self._health.silent_seconds(self._now()) >= SILENCE_SECONDS:
            return Unreachable(
                f"{failure} to {self.shown}: no good answer for {SILENCE_SECONDS:.0f} s. Check the network and the "
                "vendor's status page, then run the same command again; what had landed stays.",
                endpoint=self.shown, status=failure.status, retry_after_seconds=retry_after,
            )  # fmt: skip
        if failure.status is None:
            return TryAgain(
                f"{failure} to {self.shown}, though {self.host} answers other requests. Try again later.",
                endpoint=self.shown,
            )  # fmt: skip
        return TryAgain(
            f"{failure} to {self.shown}, {self._failed} times. Try again later.",
            endpoint=self.shown, status=failure.status, retry_after_seconds=retry_after,
        )  # fmt: skip

    def _repeats_after(self, failure: Failure) -> bool:
        """Whether the endpoint lets a request that may have arrived be sent again."""
        if self.endpoint.repeat is Repeat.FREELY:
            return True
        return self.endpoint.repeat is Repeat.WHEN_ANSWERED and failure.status is not None and failure.status >= 500

    def _may_repeat(self, failure: Failure) -> bool:
        return not failure.arrived or failure.status == 429 or self._repeats_after(failure)

    def _backoff(self, failure: Failure) -> float | None:
        """Seconds until the next try, None when the tries are used up."""
        if failure.status == 429:
            self._limited += 1
            if self._limited >= TRIES_WHEN_LIMITED:
                return None
            asked = failure.retry_after_seconds
            seconds = min(max(asked or 0.0, 1.0) if asked is not None else 2.0**self._limited, LONGEST_PAUSE_SECONDS)
            self._pause_everybody(seconds)
            return seconds
        if failure.status is None:
            self._silent += 1
            left = SILENCE_SECONDS - (self._now() - (self._first_sent or 0.0))
            return min(_jittered(min(2.0 ** (self._silent - 1), 20.0)), left) if left > 0 else None
        self._failed += 1
        if self._failed >= TRIES_WHEN_FAILING:
            return None
        asked = min(failure.retry_after_seconds or 0.0, LONGEST_PAUSE_SECONDS)
        return max(asked, _jittered(2.0**self._failed))


def _jittered(seconds: float) -> float:
    """Between three quarters and all of `seconds`, so that threads that failed together do not return together."""
    return seconds * random.uniform(0.75, 1.0)  # noqa: S311 - no secret


def retry_after_seconds(header: str | None, *, now: datetime) -> float | None:
    """The seconds that a Retry-After header asks for: a number, or an HTTP date; None when it says nothing usable."""
    if not header:
        return None
    try:
        seconds = float(header)
    except ValueError:
        try:
            moment = parsedate_to_datetime(header)
        except ValueError:
            return None
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        seconds = (moment - now).total_seconds()
    return max(seconds, 0.0) if seconds == seconds else None
