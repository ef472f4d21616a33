"""When a request is sent again, and which error is raised when it is not.

    outcome                              retried                                           final error
    no connection (certainly not sent)   until two minutes have passed without an answer   Unreachable
    no answer (may have been received)   the same, if the endpoint allows it               Unreachable, OutcomeUnknown
    429                                  eight times, after Retry-After (at most 120 s)    TryAgain
    5xx, or 200 without JSON             five times in about a minute                      TryAgain, OutcomeUnknown
    200 with a web page, and no JSON yet twice in a few seconds                            NoApi
    anything else                        never                                             its own error

A 5xx is `Unreachable` too when the host has answered no request for two minutes.
"""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from tenacity import RetryCallState, Retrying, retry_if_exception

from maestro_analytics.api.clock import Clock
from maestro_analytics.api.endpoints import Endpoint, Retry
from maestro_analytics.errors import MaestroError, NoApi, OutcomeUnknown, TryAgain, Unreachable

SILENCE_SECONDS = 120.0
"""A host that has not answered for so long counts as unreachable."""
LONGEST_PAUSE_SECONDS = 120.0
ATTEMPTS_WHEN_LIMITED = 9
ATTEMPTS_WHEN_FAILING = 6
ATTEMPTS_WITHOUT_API = 3
"""A host that has sent web pages only: most often the base URL is that of the website and not of the API."""

log = logging.getLogger("maestro_analytics.api")


class Failure(Exception):
    """One attempt that failed and may be retried. Its text may be shown to users.

    Attributes:
        status: HTTP status of the answer; None without an answer.
        arrived: False if the vendor certainly did not accept the request.
        retry_after_seconds: the wait that the vendor asked for.
        is_web_page: whether a success came with a web page in the place of JSON.
    """

    def __init__(
        self,
        text: str,
        *,
        status: int | None,
        arrived: bool = True,
        retry_after_seconds: float | None = None,
        is_web_page: bool = False,
    ) -> None:
        self.status = status
        self.arrived = arrived
        self.is_web_page = is_web_page
        self.retry_after_seconds = retry_after_seconds
        super().__init__(text)


class HostHealth:
    """For how long a host has not answered; shared by all threads of a client.

    Attributes:
        is_api: whether it has ever answered with JSON.
    """

    def __init__(self) -> None:
        self.is_api = False
        self._trying_since: float | None = None

    def request_sent(self, moment: float) -> None:
        """Record that a request was sent."""
        if self._trying_since is None:
            self._trying_since = moment

    def responded(self) -> None:
        """Record that the host responded (success or client error)."""
        self._trying_since = None

    def silent_seconds(self, moment: float) -> float:
        """Seconds since the first request after the last response."""
        return moment - self._trying_since if self._trying_since is not None else 0.0


class RetryPolicy:
    """Decides whether one request is sent again, and when. Create one per request.

    Args:
        shown: method and path, for messages.
        pause_all: pauses every process that shares the token.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        shown: str,
        *,
        host: str,
        health: HostHealth,
        clock: Clock,
        pause_all: Callable[[float], None],
    ) -> None:
        self.endpoint = endpoint
        self.shown = shown
        self.host = host
        self._health = health
        self._clock = clock
        self._pause_all = pause_all
        self._first_sent: float | None = None
        self._failed = 0
        self._limited = 0
        self._silent = 0
        self.may_have_arrived = False

    def retrying(self, stop: threading.Event | None) -> Retrying:
        """The retry loop: call it with the function that makes one attempt. `stop` ends its waits at once."""
        return Retrying(
            retry=retry_if_exception(self.should_retry),
            after=lambda state: self._count(_failure(state)),
            wait=lambda state: self._wait_seconds(_failure(state)),
            stop=lambda state: self._is_exhausted(_failure(state)),
            before_sleep=self._before_wait,
            sleep=lambda seconds: self._clock.wait(seconds, stop),
            reraise=True,
        )

    def request_sent(self) -> None:
        """Record that an attempt is sent."""
        moment = self._clock.seconds()
        self._health.request_sent(moment)
        if self._first_sent is None:
            self._first_sent = moment

    def should_retry(self, error: BaseException) -> bool:
        """Whether sending the request again is safe and may help."""
        if not isinstance(error, Failure):
            return False
        if self._is_no_api(error):
            return True
        return not error.arrived or error.status == 429 or self._is_safe_after(error)

    def final_error(self, failure: Failure) -> MaestroError:
        """The error to raise when the request is not sent again."""
        retry_after = failure.retry_after_seconds
        if self._is_no_api(failure):
            return NoApi(f"{self.host} answers {self.shown} with a web page")
        if failure.arrived and failure.status != 429 and not self._is_safe_after(failure):
            return OutcomeUnknown(
                f"{failure} to {self.shown}, and it may have been carried out all the same. Check before you send "
                "it again.",
                endpoint=self.shown,
                status=failure.status,
                retry_after_seconds=retry_after,
            )
        if failure.status == 429:
            return TryAgain(
                f"{failure} to {self.shown}, {self._limited} times: the token's budget is used up, perhaps by "
                "other programs that use it. Try again in some minutes, or set MAESTRO_REQUESTS_PER_MINUTE lower.",
                endpoint=self.shown,
                status=429,
                retry_after_seconds=retry_after,
            )
        if self.endpoint.retry is not Retry.ALWAYS and failure.status not in (None, 503):
            return OutcomeUnknown(
                f"{failure} to {self.shown}, {self._failed} times: it may have been carried out all the same.",
                endpoint=self.shown,
                status=failure.status,
                retry_after_seconds=retry_after,
            )
        if self._health.silent_seconds(self._clock.seconds()) >= SILENCE_SECONDS:
            return Unreachable(
                f"{failure} to {self.shown}: no answer for {SILENCE_SECONDS:.0f} s. Check the network and the "
                "vendor's status page, then run the same command again; what had landed stays.",
                endpoint=self.shown,
                status=failure.status,
                retry_after_seconds=retry_after,
            )
        if failure.status is None:
            return TryAgain(
                f"{failure} to {self.shown}, though {self.host} answers other requests. Try again later.",
                endpoint=self.shown,
            )
        return TryAgain(
            f"{failure} to {self.shown}, {self._failed} times. Try again later.",
            endpoint=self.shown,
            status=failure.status,
            retry_after_seconds=retry_after,
        )

    def _is_no_api(self, failure: Failure) -> bool:
        return failure.is_web_page and not self._health.is_api

    def _is_safe_after(self, failure: Failure) -> bool:
        """Whether the endpoint allows another attempt although this one may have been carried out."""
        if self.endpoint.retry is Retry.ALWAYS:
            return True
        return self.endpoint.retry is Retry.AFTER_RESPONSE and failure.status is not None and failure.status >= 500

    def _count(self, failure: Failure) -> None:
        if failure.status == 429:
            self._limited += 1
        elif failure.status is None:
            self._silent += 1
        else:
            self._failed += 1

    def _silence_left(self) -> float:
        return SILENCE_SECONDS - (self._clock.seconds() - (self._first_sent or 0.0))

    def _is_exhausted(self, failure: Failure) -> bool:
        if failure.status == 429:
            return self._limited >= ATTEMPTS_WHEN_LIMITED
        if failure.status is None:
            return self._silence_left() <= 0
        return self._failed >= (ATTEMPTS_WITHOUT_API if self._is_no_api(failure) else ATTEMPTS_WHEN_FAILING)

    def _wait_seconds(self, failure: Failure) -> float:
        asked = failure.retry_after_seconds
        if failure.status == 429:
            return min(max(asked, 1.0) if asked is not None else 2.0**self._limited, LONGEST_PAUSE_SECONDS)
        if failure.status is None:
            return max(min(_jittered(min(2.0 ** (self._silent - 1), 20.0)), self._silence_left()), 0.0)
        return max(min(asked or 0.0, LONGEST_PAUSE_SECONDS), _jittered(2.0**self._failed))

    def _before_wait(self, state: RetryCallState) -> None:
        failure, seconds = _failure(state), state.upcoming_sleep
        self.may_have_arrived = self.may_have_arrived or failure.arrived
        if failure.status == 429:
            self._pause_all(seconds)
        level = logging.WARNING if seconds >= 5 else logging.INFO
        log.log(level, "%s; trying again in %.0f s (%s)", failure, seconds, self.shown)


def _failure(state: RetryCallState) -> Failure:
    failure = state.outcome.exception() if state.outcome is not None else None
    if not isinstance(failure, Failure):
        raise TypeError(f"only a Failure is retried, not {failure!r}")
    return failure


def _jittered(seconds: float) -> float:
    """Three quarters to all of `seconds`, so that threads that failed together do not retry together."""
    return seconds * random.uniform(0.75, 1.0)  # noqa: S311 - not used for security


def retry_after_seconds(header: str | None, *, now: datetime) -> float | None:
    """The wait that a Retry-After header asks for, as a number or an HTTP date; None if it is missing or invalid."""
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
