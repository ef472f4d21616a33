"""Send every request to the vendor: rate limit, retries, redaction and typed errors."""

from __future__ import annotations

import json
import re
import ssl
import threading
import time
import weakref
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Self

import requests
import urllib3.exceptions
from requests.auth import AuthBase

from maestro_analytics.api.clock import Clock
from maestro_analytics.api.endpoints import Endpoint
from maestro_analytics.api.rate_limit import RateLimiter
from maestro_analytics.api.redaction import host_and_path, quiet, redact, vendor_message
from maestro_analytics.api.retry import Failure, HostHealth, RetryPolicy, retry_after_seconds
from maestro_analytics.errors import MaestroError, RequestRefused, SettingsError, TokenRefused
from maestro_analytics.settings import Settings, is_loopback

CONNECT_SECONDS = 10.0
READ_SECONDS = 60.0
DEADLINE_SECONDS = 120.0
"""For the whole body of one answer: `READ_SECONDS` limits only the wait for each next byte."""
READ_BYTES = 1 << 16
AGENT = "maestro-analytics"


_NOT_SENDABLE = (
    requests.exceptions.InvalidSchema,
    requests.exceptions.InvalidProxyURL,
    requests.exceptions.InvalidURL,
    requests.exceptions.MissingSchema,
)
_PROXY_REFUSED = (
    "407: the proxy wants a user and a password. Write them into the proxy variable, as in "
    "HTTPS_PROXY=http://USER:PASSWORD@HOST:PORT."
)
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


def parse_json(content: bytes) -> Any:
    """The value of a JSON text, with U+FFFD for lone surrogates, which UTF-8 cannot encode.

    Raises:
        ValueError: `content` is not JSON.
    """
    try:
        value = json.loads(content)
        return _without_surrogates(value) if re.search(rb"\\u[dD][89a-fA-F]", content) else value
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _without_surrogates(value: Any) -> Any:
    if isinstance(value, str):
        return _LONE_SURROGATE.sub("\ufffd", value)
    if isinstance(value, list):
        return [_without_surrogates(item) for item in value]
    if isinstance(value, dict):
        return {_without_surrogates(key): _without_surrogates(item) for key, item in value.items()}
    return value


class NoAuth(AuthBase):
    """Adds nothing: without an `auth`, requests would add what `.netrc` says for a host."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        return request


class _Session(requests.Session):
    """A session that never follows redirects: requests parses Location even with `allow_redirects=False` and raises on
    invalid URLs."""

    def resolve_redirects(self, *args: Any, **kwargs: Any) -> Iterator[requests.Response]:
        return iter(())


def plain_session(host: str) -> requests.Session:
    """A session without a token. It uses the proxies of the environment, except for this machine itself."""
    session = _Session()
    session.auth = NoAuth()
    session.trust_env = not is_loopback(host)
    session.headers["User-Agent"] = AGENT
    quiet()
    return session


def certainly_not_sent(error: requests.RequestException) -> bool:
    """Whether the request cannot have reached the vendor: no connection was ever made."""
    cause = error.args[0] if error.args else None
    reason = getattr(cause, "reason", cause)
    return isinstance(
        reason, urllib3.exceptions.NewConnectionError | urllib3.exceptions.ConnectTimeoutError
    ) or isinstance(error, requests.exceptions.ProxyError)


def _wants_proxy_password(error: requests.RequestException) -> bool:
    return isinstance(error, requests.exceptions.ProxyError) and "failed: 407" in str(error)


def _local_cause(error: requests.RequestException, token: str) -> str:
    without_password = re.sub(r"//[^/@\s]*@", "//", str(error))
    return redact(without_password, token=token).rstrip(".") or type(error).__name__


def _is_untrusted(error: BaseException) -> bool:
    """Whether a certificate was refused. Other TLS errors are temporary: a broken connection, a busy proxy."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, ssl.SSLCertVerificationError):
            return True
        inner = getattr(seen, "reason", None) or next(iter(seen.args), None)
        seen = inner if isinstance(inner, BaseException) else None
    return False


class Transport:
    """Sends requests to the vendor's API. Safe to share between threads.

    Args:
        settings: base URL, token and pacing.
        clock: tests pass a fake clock that does not sleep.

    Raises:
        SettingsError: no token, or a cache folder that cannot be written.
    """

    def __init__(self, settings: Settings, *, clock: Clock | None = None) -> None:
        self.settings = settings
        self.clock = clock or Clock()
        self._token = settings.token
        self._health = HostHealth()
        self._sessions: weakref.WeakSet[requests.Session] = weakref.WeakSet()
        self._threads = threading.local()
        self._count_lock = threading.Lock()
        self._requests_made = 0
        self._clock_ahead_seconds: float | None = None
        self._limiter = RateLimiter(
            settings.cache,
            token=self._token,
            requests_per_second=settings.requests_per_second,
            requests_per_minute=settings.requests_per_minute,
            clock=self.clock,
        )

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {host_and_path(self.settings.base_url)}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections and the pacing database."""
        for session in list(self._sessions):
            session.close()
        self._limiter.close()

    @property
    def host(self) -> str:
        """The account's host."""
        return self.settings.host

    @property
    def requests_made(self) -> int:
        """Requests sent to the API host so far by all threads, retries included."""
        return self._requests_made

    @property
    def clock_ahead_seconds(self) -> float | None:
        """How far this machine's clock is ahead of the vendor's `Date` header; None before the first one.

        Accurate to a second or two, because of the network delay and the header's whole seconds.
        """
        return self._clock_ahead_seconds

    def vendor_now(self) -> datetime:
        """The vendor's time, by the `Date` header of its last answer; this machine's time before any answer."""
        return self.clock.utc() - timedelta(seconds=self._clock_ahead_seconds or 0.0)

    def send(
        self,
        endpoint: Endpoint,
        parameters: Mapping[str, Any] | None = None,
        *,
        stop: threading.Event | None = None,
        **path_parameters: str,
    ) -> Any:
        """Send one request, retry it where that is safe, and return the JSON of its answer.

        Args:
            endpoint: the endpoint to call.
            parameters: of the query or the body, as the endpoint says; those that are None are left out.
            stop: an event that ends waits at once.
            path_parameters: for the placeholders of the path.

        Raises:
            TokenRefused: 401 or 403.
            RequestRefused: another 4xx.
            SettingsError: a redirect (it is never followed), or a certificate that is not trusted.
            TryAgain, Unreachable, OutcomeUnknown: see `api.retry`.
            Cancelled: `stop` was set.
        """
        path = endpoint.filled(**path_parameters)
        given = {name: value for name, value in (parameters or {}).items() if value is not None}
        policy = RetryPolicy(
            endpoint,
            f"{endpoint.method} {path}",
            host=self.host,
            health=self._health,
            clock=self.clock,
            pause_all=self._limiter.pause,
        )
        try:
            return policy.retrying(stop)(self._attempt, endpoint, path, given, policy, stop)
        except Failure as failure:
            error = policy.final_error(failure)
        except RequestRefused as refused:
            if endpoint.method == "DELETE" and refused.status == 404 and policy.may_have_arrived:
                return None  # an earlier attempt, whose reply was lost, deleted it
            raise
        raise error

    def _attempt(
        self, endpoint: Endpoint, path: str, given: Mapping[str, Any], policy: RetryPolicy, stop: threading.Event | None
    ) -> Any:
        with self._limiter.slot(stop):
            with self._count_lock:
                self._requests_made += 1
                policy.request_sent()
            outcome = self._exchange(endpoint, path, given)
        if isinstance(outcome, Exception):
            raise outcome
        return self._read(endpoint, path, *outcome)

    def _exchange(
        self, endpoint: Endpoint, path: str, given: Mapping[str, Any]
    ) -> tuple[requests.Response, bytes] | Failure | SettingsError:
        """Make one HTTP exchange. Errors are returned: raised here, they would carry URLs in their context."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        try:
            response = self._session().request(
                endpoint.method,
                self.settings.base_url + path,
                params=dict(given) if endpoint.parameters == "query" else None,
                json=dict(given) if endpoint.parameters == "body" else None,
                timeout=(CONNECT_SECONDS, READ_SECONDS),
                allow_redirects=False,
                stream=True,
            )
            body = bytearray()
            # Reading to the end gives the connection back to the session, for the next request.
            while chunk := response.raw.read1(READ_BYTES, decode_content=True):
                body += chunk
                if time.monotonic() > deadline:
                    response.close()
                    return Failure(f"no whole answer in time from {self.host}", status=None)
            return response, bytes(body)
        except urllib3.exceptions.DecodeError:
            return Failure(f"an answer from {self.host} that cannot be decoded", status=200)
        except urllib3.exceptions.HTTPError:
            return Failure(f"no answer from {self.host}", status=None)
        except _NOT_SENDABLE as error:
            return SettingsError(
                f"the request to {self.host} cannot be sent: {_local_cause(error, self._token)}. Check "
                "MAESTRO_BASE_URL and the proxy variables (HTTPS_PROXY, ALL_PROXY); a socks proxy needs the package "
                "PySocks."
            )
        except requests.RequestException as error:
            if _wants_proxy_password(error):
                return SettingsError(_PROXY_REFUSED)
            if _is_untrusted(error):
                return SettingsError(
                    f"the certificate of {self.host} is not trusted. Check MAESTRO_BASE_URL; behind a proxy that "
                    "inspects traffic, set REQUESTS_CA_BUNDLE to its certificate."
                )
            what = "no connection" if certainly_not_sent(error) else "no answer"
            if isinstance(error, requests.Timeout):
                what += " in time"
            return Failure(f"{what} from {self.host}", status=None, arrived=not certainly_not_sent(error))
        except OSError as error:
            # requests raises a plain OSError for a certificate file that does not exist.
            return SettingsError(
                f"the request to {self.host} cannot be sent: {redact(str(error), token=self._token)}. Check "
                "REQUESTS_CA_BUNDLE and CURL_CA_BUNDLE."
            )

    def _read(self, endpoint: Endpoint, path: str, response: requests.Response, content: bytes) -> Any:
        shown = f"{endpoint.method} {path}"
        status = response.status_code
        self._compare_clocks(response.headers.get("Date"))
        error: MaestroError | Failure
        if 200 <= status < 300:
            try:
                answer = parse_json(content) if content.strip() else None
            except ValueError:
                answer = None
            if answer is not None:
                self._health.is_api = True
            is_web_page = answer is None and content.lstrip()[:1] == b"<"
            if not isinstance(answer, endpoint.answer):
                answer = None
            if answer is not None or not (endpoint.replies or is_web_page):
                self._health.responded()
                return answer
            error = Failure(
                f"{status} from {self.host} without the expected JSON", status=status, is_web_page=is_web_page
            )
        elif status == 407:
            error = SettingsError(_PROXY_REFUSED)
        elif status in (401, 403):
            error = TokenRefused(host=self.host, status=status)
        elif 300 <= status < 400:
            place = host_and_path(response.headers["Location"]) if "Location" in response.headers else "nowhere"
            error = SettingsError(
                f"{status} from {shown}: {self.host} redirects to {redact(place, token=self._token)}; redirects are "
                "not followed because they would leak the token. If the API has moved, set MAESTRO_BASE_URL."
            )
        elif status in (408, 425, 429) or status >= 500:
            said = vendor_message(content, token=self._token)
            wait_seconds = retry_after_seconds(response.headers.get("Retry-After"), now=self.clock.utc())
            error = Failure(
                f"{status} from {self.host}" + (f" ({said})" if said else ""),
                status=status,
                arrived=status not in (425, 429),
                retry_after_seconds=wait_seconds,
            )
            if status == 429:
                self._health.responded()
        else:
            self._health.responded()
            said = vendor_message(content, token=self._token)
            error = RequestRefused(status=status, endpoint=shown, vendor_message=said)
        raise error

    def _compare_clocks(self, header: str | None) -> None:
        try:
            vendor = parsedate_to_datetime(header or "")
        except ValueError:
            return
        if vendor.tzinfo is not None:
            self._clock_ahead_seconds = (self.clock.utc() - vendor).total_seconds()

    def _session(self) -> requests.Session:
        """This thread's session: requests does not promise that one can be shared."""
        session: requests.Session | None = getattr(self._threads, "session", None)
        if session is None:
            session = plain_session(self.host)
            session.headers["apitoken"] = self._token
            session.headers["Accept"] = "application/json"
            self._threads.session = session
            self._sessions.add(session)
        return session
