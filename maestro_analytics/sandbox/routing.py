"""Route a request to its endpoint, after checks of token, limits, JSON and parameters."""

from __future__ import annotations

import hmac
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from maestro_analytics.sandbox.faults import Faults
from maestro_analytics.sandbox.http import Reply, Request, json_reply
from maestro_analytics.sandbox.limits import SlidingWindows
from maestro_analytics.sandbox.received import Inbox
from maestro_analytics.sandbox.validation import Field, Refusal, checked, undocumented_dates

ROOT = "/api/v1"
_HTML = (
    "<!DOCTYPE html><html><head><title>{0}</title></head><body><h1>{0}</h1><p>Something went wrong.</p></body></html>"
)


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
    _matcher: re.Pattern[str] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_matcher", re.compile(re.sub(r":(\w+)", r"(?P<\1>[^/]+)", self.pattern)))

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
