"""Endpoints: which one a request is for, and the checks of its token, the rate limits, its JSON and its parameters."""

from __future__ import annotations

import hmac
import json
import math
import re
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any
from urllib.parse import unquote

from maestro_analytics.sandbox.faults import Faults
from maestro_analytics.sandbox.http import Reply, Request, json_reply
from maestro_analytics.sandbox.received import Inbox

LARGEST_BATCH = 500
SECONDS_DATE = "2017-12-13T05:00:00Z"
_DOCUMENTED = {
    "date": re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII),
    "moment": re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,3})?Z", re.ASCII),
}
_TAKEN = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|\+00:00)", re.ASCII)
"""What the vendor was seen to take: public clients send fractions and `+00:00`."""
ROOT = "/api/v1"
_HTML = (
    "<!DOCTYPE html><html><head><title>{0}</title></head><body><h1>{0}</h1><p>Something went wrong.</p></body></html>"
)


class Refusal(Exception):
    """A request that the vendor refuses, with the status and the message of the answer."""

    def __init__(self, status: int, message: str) -> None:
        self.status = status
        self.message = message
        super().__init__(message)


@dataclass(frozen=True)
class Field:
    """A parameter.

    Kinds: text, boolean, number, integer, date (documented to the second), moment (to the millisecond), enum, texts (an
    array of strings), object, anything.
    """

    name: str
    kind: str = "text"
    required: bool = False
    choices: tuple[str, ...] = ()
    least: int = 0
    nullable: bool = False


def checked(values: Mapping[str, Any], fields: Sequence[Field], *, where: str = "") -> dict[str, Any]:
    """The known parameters, dates as aware datetimes.

    Raises:
        Refusal: 422, naming each parameter that is missing or wrong.
    """
    result: dict[str, Any] = {}
    problems = []
    for field in fields:
        if field.name not in values:
            if field.required:
                problems.append(f"{where}{field.name} is required")
            continue
        value = values[field.name]
        if value is None and field.nullable:
            continue
        try:
            result[field.name] = _value(field, value)
        except ValueError as error:
            problems.append(f"{where}{field.name} {error}")
    if problems:
        raise Refusal(422, "; ".join(problems))
    return result


def moment_of(text: str) -> datetime:
    """A date string that the vendor takes as an aware datetime."""
    return datetime.fromisoformat(text).astimezone(UTC)


def moment_text(moment: datetime) -> str:
    """A moment as the vendor's JSON has it: with milliseconds."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def _value(field: Field, value: Any) -> Any:
    if field.kind in _DOCUMENTED:
        return _moment(value)
    if field.kind == "text":
        if not isinstance(value, str) or (field.required and not value.strip()):
            raise ValueError("must be a string that is not empty" if field.required else "must be a string")
    elif field.kind == "enum":
        if value not in field.choices:
            raise ValueError(f"must be one of {', '.join(field.choices)}")
    elif field.kind == "boolean":
        if not isinstance(value, bool):
            raise ValueError("must be a boolean")
    elif field.kind == "number":
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float)
            or value != value
            or abs(value) == float("inf")
        ):
            raise ValueError("must be a number")
    elif field.kind == "integer":
        if not (isinstance(value, str) and value.isascii() and value.isdigit()) or int(value) < field.least:
            raise ValueError(f"must be a whole number of at least {field.least}")
        return int(value)
    elif field.kind == "texts":
        if not isinstance(value, list) or not all(isinstance(item, str) and item for item in value):
            raise ValueError("must be an array of strings")
        if field.required and not value:
            raise ValueError("must name at least one")
    elif field.kind == "object" and not isinstance(value, dict):
        raise ValueError("must be an object")
    return value


def undocumented_dates(values: Mapping[str, Any], fields: Sequence[Field]) -> list[str]:
    """The dates among checked values that are not written as the reference has it, as `name 'value'`."""
    return [
        f"{field.name} {values[field.name]!r}"
        for field in fields
        if field.kind in _DOCUMENTED
        and field.name in values
        and not _DOCUMENTED[field.kind].fullmatch(values[field.name])
    ]


def _moment(value: Any) -> datetime:
    if isinstance(value, str) and _TAKEN.fullmatch(value):
        try:
            return moment_of(value)
        except ValueError:
            pass
    raise ValueError(f"must be a UTC date like {SECONDS_DATE}")


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


@dataclass(frozen=True)
class Call:
    """A request whose token, limits and parameters are in order."""

    path: Mapping[str, str]
    parameters: Mapping[str, Any]
    body: Mapping[str, Any]


@dataclass(frozen=True)
class Route:
    """An endpoint: `pattern` is below the root, with `:name` for what stands in the path.

    `reads` says where parameters are: "body", "query", or "either" (the query where there is no body).
    `token_in_body`: the endpoints that take `apiToken` in the body for backward compatibility.
    """

    method: str
    pattern: str
    answer: Callable[[Call], Reply]
    fields: Sequence[Field] = ()
    reads: str = "body"
    token_in_body: bool = False
    is_metrics_batch: bool = False

    @cached_property
    def _matcher(self) -> re.Pattern[str]:
        return re.compile(re.sub(r":(\w+)", r"(?P<\1>[^/]+)", self.pattern))

    def match(self, method: str, path: str) -> dict[str, str] | None:
        found = self._matcher.fullmatch(path) if method == self.method else None
        return {name: unquote(value) for name, value in found.groupdict().items()} if found else None


class Api:
    """Checks requests and calls the endpoints."""

    def __init__(
        self, routes: Sequence[Route], *, token: str, limits: SlidingWindows, faults: Faults, inbox: Inbox
    ) -> None:
        self._routes = routes
        self._token = token
        self._limits = limits
        self._faults = faults
        self._inbox = inbox

    def answer(self, request: Request) -> tuple[Reply, bool]:
        """The reply, and whether the request was carried out."""
        if self._faults.every_nth("reset-before"):
            return Reply(0, reset=True), False
        try:
            route, path = self._find(request)
            self._authenticate(request, route)
            if self._faults.number("forbidden-endpoint") and route.pattern == "/request-audit-log-export":
                raise Refusal(403, "this token has no access to the audit log")
            early = self._limited() or self._fails()
            if early is not None:
                return early, False
            reply = route.answer(self._call(request, route, path))
        except Refusal as refusal:
            return json_reply(refusal.status, {"message": refusal.message}), False
        lost = self._faults.every_nth("reset-after") or (route.is_metrics_batch and self._faults.first_n("lost-reply"))
        return (Reply(0, reset=True) if lost else reply), True

    def _find(self, request: Request) -> tuple[Route, dict[str, str]]:
        if request.raw_path.startswith(ROOT + "/"):
            for route in self._routes:
                path = route.match(request.method, request.raw_path.removeprefix(ROOT))
                if path is not None:
                    return route, path
        raise Refusal(404, f"no endpoint {request.method} {request.path}")

    def _authenticate(self, request: Request, route: Route) -> None:
        given = request.headers.get("apitoken")
        if given is None and route.token_in_body:
            body = self._body(request)
            given = str(body.get("apiToken", request.query.get("apiToken", "")))
        if "apitoken" in {name.lower() for name in request.query}:
            self._inbox.note_violation(f"token in the query of {request.method} {request.path}")
        if given is None or not hmac.compare_digest(given.encode(), self._token.encode()):
            raise Refusal(401, "invalid API token")
        if self._faults.number("token-expires") and self._faults.after_n("token-expires"):
            raise Refusal(401, "API token expired")

    def _limited(self) -> Reply | None:
        wait = self._limits.take()
        if wait:
            return json_reply(429, {"message": "rate limit exceeded"}, {"Retry-After": str(wait)})
        if self._faults.every_nth("too-many-requests"):
            return json_reply(429, {"message": "rate limit exceeded"}, {"Retry-After": "1"})
        if self._faults.every_nth("too-many-requests-bare"):
            return json_reply(429, {"message": "rate limit exceeded"})
        return None

    def _fails(self) -> Reply | None:
        struck = self._faults.every_nth("server-errors")
        if not struck:
            return None
        status, words = (
            (502, "502 Bad Gateway"),
            (500, "500 Internal Server Error"),
            (503, "503 Service Unavailable"),
        )[struck % 3]
        return Reply(status, _HTML.format(words).encode(), {"Content-Type": "text/html; charset=utf-8"})

    def _call(self, request: Request, route: Route, path: dict[str, str]) -> Call:
        body = self._body(request) if route.reads != "query" else {}
        given: Mapping[str, Any] = body if route.reads == "body" or body else request.query
        known = {field.name for field in route.fields} | {"apiToken"}
        for name in given:
            if name not in known:
                self._inbox.note_violation(f"unknown parameter {name!r} in {request.method} {route.pattern}")
        parameters = checked(given, route.fields)
        for date in undocumented_dates(given, route.fields):
            self._inbox.note_violation(f"undocumented form of a date: {date} in {request.method} {route.pattern}")
        return Call(path, parameters, body)

    @staticmethod
    def _body(request: Request) -> Mapping[str, Any]:
        if not request.body:
            return {}
        try:
            body = json.loads(request.body)
        except ValueError:
            raise Refusal(400, "the body is not JSON") from None
        if not isinstance(body, dict):
            raise Refusal(422, "the body must be a JSON object")
        return body


def batch_of(call: Call, fields: tuple[Field, ...], inbox: Inbox, what: str) -> list[dict[str, Any]]:
    """The entries of a batch, each checked.

    Raises:
        Refusal: 422, naming each entry and parameter that is wrong.
    """
    entries = call.body.get("batch")
    if not isinstance(entries, list) or not entries:
        raise Refusal(422, "batch must be an array of at least one")
    if len(entries) > LARGEST_BATCH:
        inbox.note_violation(f"{len(entries)} {what} in a batch, {LARGEST_BATCH} are allowed")
        raise Refusal(422, f"batch must have at most {LARGEST_BATCH} entries")
    problems, good = [], []
    known = {field.name for field in fields}
    for position, entry in enumerate(entries):
        if not isinstance(entry, dict):
            problems.append(f"batch[{position}] must be an object")
            continue
        for name in entry.keys() - known:
            inbox.note_violation(f"unknown parameter {name!r} in a batch of {what}")
        try:
            good.append(checked(entry, fields, where=f"batch[{position}]."))
            for date in undocumented_dates(entry, fields):
                inbox.note_violation(f"undocumented form of a date: {date} in a batch of {what}")
        except Refusal as refusal:
            problems.append(refusal.message)
    if problems:
        raise Refusal(422, "; ".join(problems))
    return good
