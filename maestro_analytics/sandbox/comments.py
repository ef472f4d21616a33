"""Comments and attachments of tickets."""

from __future__ import annotations

import threading
from typing import Any

from maestro_analytics.sandbox.clock import Clock
from maestro_analytics.sandbox.http import Reply, json_reply
from maestro_analytics.sandbox.metrics import batch_of
from maestro_analytics.sandbox.received import Inbox
from maestro_analytics.sandbox.routing import Call, Route
from maestro_analytics.sandbox.simulation.chance import TICKET, draws, identifier
from maestro_analytics.sandbox.simulation.timeline import Centre
from maestro_analytics.sandbox.store import ObjectStore
from maestro_analytics.sandbox.tickets import Tickets
from maestro_analytics.sandbox.validation import Field, Refusal, moment_text

UPLOAD_SECONDS = 600.0

_COMMENT = (
    Field("body", required=True),
    Field("ticket_id", required=True),
    Field("author_id"),
    Field("role", "enum", choices=("customer", "agent")),
    Field("channel"),
    Field("public", "boolean"),
    Field("time", "moment"),
)
_ATTACHMENT = (
    Field("url"),
    Field("ticket_id", required=True),
    Field("content_type", required=True),
    Field("id"),
    Field("author_id"),
    Field("public", "boolean"),
    Field("timestamp", "moment"),
)


class Comments:
    """`comments` and `attachments` hold what was created, in order."""

    def __init__(self, *, centre: Centre, tickets: Tickets, store: ObjectStore, clock: Clock, inbox: Inbox) -> None:
        self.comments: list[dict[str, Any]] = []
        self.attachments: dict[str, dict[str, Any]] = {}
        self._centre = centre
        self._tickets = tickets
        self._store = store
        self._clock = clock
        self._inbox = inbox
        self._lock = threading.Lock()

    def routes(self) -> list[Route]:
        return [
            Route("POST", "/comments", self._comment, _COMMENT),
            Route("POST", "/comments-batch", self._comments, (Field("batch", "anything", required=True),)),
            Route("POST", "/attachments", self._attach, _ATTACHMENT),
        ]

    def _comment(self, call: Call) -> Reply:
        self._must_exist(call.parameters["ticket_id"])
        return json_reply(200, self._written(dict(call.parameters)))

    def _comments(self, call: Call) -> Reply:
        entries = batch_of(call, _COMMENT, self._inbox, "comments")
        for entry in entries:
            self._must_exist(entry["ticket_id"])
        return json_reply(200, {"results": [self._written(entry) for entry in entries]})

    def _attach(self, call: Call) -> Reply:
        given = dict(call.parameters)
        self._must_exist(given["ticket_id"])
        with self._lock:
            number = len(self.attachments)
            attachment_id = given.get("id") or identifier(draws(self._centre.seed, TICKET, number, 4))
            if attachment_id in self.attachments:
                raise Refusal(409, f"id {attachment_id!r} is in use by another attachment")
            self.attachments[attachment_id] = given
        reply = {"id": attachment_id}
        if "url" not in given:
            reply["presigned_url"] = self._store.presigned_put(
                attachment_id, given["content_type"], seconds=UPLOAD_SECONDS
            )
        return json_reply(200, reply)

    def _must_exist(self, ticket_id: str) -> None:
        if self._tickets.find(ticket_id) is None:
            raise Refusal(404, f"no ticket has the ticket_id {ticket_id!r}")

    def _written(self, given: dict[str, Any]) -> dict[str, Any]:
        with self._lock:
            made = identifier(draws(self._centre.seed, TICKET, len(self.comments), 3), 10)
            comment = given | {
                "public": given.get("public", True),
                "time": moment_text(given.get("time", self._clock.now())),
                "id": f"{self._centre.account}_{given['ticket_id']}_{made}",
            }
            self.comments.append(comment)
        return comment
