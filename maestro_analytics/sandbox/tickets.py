"""Tickets: those of the helpdesks, which can be looked at, and those created through the API.

Comments and attachments of either.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from maestro_analytics.sandbox.agents import Directory
from maestro_analytics.sandbox.clock import Clock
from maestro_analytics.sandbox.http import Reply, json_reply
from maestro_analytics.sandbox.received import Inbox
from maestro_analytics.sandbox.routing import Call, Field, Refusal, Route, batch_of, moment_text
from maestro_analytics.sandbox.simulation.chance import TICKET, draws, identifier
from maestro_analytics.sandbox.simulation.grades import Ticket
from maestro_analytics.sandbox.simulation.timeline import Centre
from maestro_analytics.sandbox.store import ObjectStore

ATTRIBUTES: dict[str, str] = {
    "public_comment_count": "number",
    "recontact": "boolean",
    "group": "text",
    "first_resolution_time_total_minutes": "number",
    "full_resolution_time_total_minutes": "number",
}
"""The custom attributes that this account has, with their types."""

_CHANGEABLE = (
    Field("body"),
    Field("tags"),
    Field("status"),
    Field("csat_score", "number"),
    Field("first_seen", "moment"),
    Field("last_seen", "moment"),
    Field("attributes", "object"),
)
_CREATE_SHOWS = (
    *("ticket_id", "type", "subject", "agents", "link", "body", "tags", "status", "csat_score"),
    *("first_seen", "last_seen", "attributes"),
)
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


class Tickets:
    def __init__(self, *, centre: Centre, directory: Directory, clock: Clock) -> None:
        self._centre = centre
        self._directory = directory
        self._clock = clock
        self._created: dict[str, dict[str, Any]] = {}
        self._lock = threading.Lock()

    def routes(self) -> list[Route]:
        def needed(required: bool) -> tuple[Field, ...]:
            return (
                Field("type", required=required),
                Field("subject", required=required),
                Field("agents", "texts", required=required),
                Field("link", required=required),
                *_CHANGEABLE,
            )

        return [
            Route("POST", "/tickets", self._create, (Field("ticket_id", required=True), *needed(True))),
            Route("GET", "/tickets", self._get_many, (Field("ticket_ids", required=True),), reads="query"),
            Route("GET", "/tickets/:ticket_id", self._get, reads="query"),
            Route("PATCH", "/tickets/:ticket_id", self._update, needed(False)),
            Route("DELETE", "/tickets/:ticket_id", self._delete, reads="query"),
        ]

    def has(self, source: str, ticket_id: str) -> bool:
        """Whether there is such a ticket in a helpdesk, or created under this source or type."""
        created = self._created.get(ticket_id)
        return (None if source == "unknown" else source, ticket_id) in self._centre.tickets or (
            created is not None and source in (created["source"], created["type"])
        )

    def find(self, ticket_id: str) -> dict[str, Any] | None:
        """The ticket in the shape of "Get a Ticket"; of two helpdesks with the same number, the first."""
        if ticket_id in self._created:
            return self._created[ticket_id]
        ticket = self._synced(ticket_id)
        return self._shown_synced(ticket) if ticket is not None else None

    def _synced(self, ticket_id: str) -> Ticket | None:
        tickets, now = self._centre.tickets, self._clock.now()
        for source in ("zendesk", "salesforce", "livechat", "custom_crm", None):
            ticket = tickets.get((source, ticket_id))
            if ticket is not None and (ticket.created is None or ticket.created <= now):
                return ticket
        return None

    def _shown_synced(self, ticket: Ticket) -> dict[str, Any]:
        """A synced ticket: attributes are redacted."""
        rng = draws(self._centre.seed, TICKET, ticket.number, 1)
        seen = moment_text(ticket.created or self._centre.start)
        agents = {grade.agent_id for grade in self._centre.grades if grade.ticket is ticket}
        return {
            "id": identifier(rng),
            "ticket_id": ticket.gradable_id,
            "type": ticket.source or "unknown",
            "subject": f"Ticket {ticket.gradable_id}",
            "agents": sorted(agents),
            "link": f"https://helpdesk.example.com/tickets/{ticket.gradable_id}",
            "body": "",
            "tags": "",
            "status": "closed",
            "csat_score": ticket.survey.score if ticket.survey else None,
            "first_seen": seen,
            "last_seen": seen,
            "createdAt": seen,
            "updatedAt": seen,
            "source": ticket.source or "unknown",
            "attributes": {},
        }

    def _create(self, call: Call) -> Reply:
        ticket_id = call.parameters["ticket_id"]
        now = self._clock.now()
        with self._lock:
            if self.find(ticket_id) is not None:
                raise Refusal(409, f"ticket_id {ticket_id!r} is in use by another ticket")
            ticket = {
                "id": identifier(draws(self._centre.seed, TICKET, len(self._created), 2)),
                "first_seen": moment_text(now),
                "last_seen": moment_text(now),
                "createdAt": moment_text(now),
                "updatedAt": moment_text(now),
                "source": "custom",
                "attributes": {},
            } | self._values(call.parameters)
            self._created[ticket_id] = ticket
        return json_reply(201, {name: value for name, value in ticket.items() if name in _CREATE_SHOWS})

    def _update(self, call: Call) -> Reply:
        ticket_id = call.path["ticket_id"]
        with self._lock:
            ticket = self._created.get(ticket_id)
            if ticket is None:
                synced = self._existing(ticket_id)
                fixed = sorted(set(call.parameters) - {"attributes"})
                if fixed:
                    raise Refusal(422, f"{', '.join(fixed)} cannot be updated: the ticket is synced from a helpdesk")
                self._values(call.parameters)
                ticket = dict(synced)
            else:
                values = self._values(call.parameters)
                values["attributes"] = ticket["attributes"] | values.get("attributes", {})
                ticket |= values | {"updatedAt": moment_text(self._clock.now())}
        shown = {name: value for name, value in ticket.items() if name in _CREATE_SHOWS}
        return json_reply(200, {"_id": ticket["id"]} | shown)

    def _delete(self, call: Call) -> Reply:
        ticket_id = call.path["ticket_id"]
        with self._lock:
            if ticket_id not in self._created:
                self._existing(ticket_id)
                raise Refusal(422, f"ticket_id {ticket_id!r} cannot be deleted: the ticket is synced from a helpdesk")
            del self._created[ticket_id]
        return Reply(200)

    def _get(self, call: Call) -> Reply:
        return json_reply(200, self._existing(call.path["ticket_id"]))

    def _get_many(self, call: Call) -> Reply:
        wanted = [ticket_id for ticket_id in call.parameters["ticket_ids"].split(",") if ticket_id]
        found = [ticket for ticket_id in wanted if (ticket := self.find(ticket_id)) is not None]
        return json_reply(200, found)

    def _existing(self, ticket_id: str) -> dict[str, Any]:
        ticket = self.find(ticket_id)
        if ticket is None:
            raise Refusal(404, f"no ticket has the ticket_id {ticket_id!r}")
        return ticket

    def _values(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Parameters as stored: agents by id, dates as text, known attributes of the right type."""
        values: dict[str, Any] = {
            name: moment_text(value) if isinstance(value, datetime) else value for name, value in parameters.items()
        }
        if "agents" in values:
            people = [(given, self._directory.find(given)) for given in values["agents"]]
            values["agents"] = [
                person.all_ids[0] if person is not None and given == person.email else given for given, person in people
            ]
        if "attributes" in values:
            values["attributes"] = _attributes(values["attributes"])
        return values


def _attributes(given: Mapping[str, Any]) -> dict[str, Any]:
    kinds: dict[str, tuple[type, ...]] = {"number": (int, float), "boolean": (bool,), "text": (str,)}
    known = {}
    for name, value in given.items():
        kind = ATTRIBUTES.get(name)
        if kind is None:
            continue
        if not isinstance(value, kinds[kind]) or (kind == "number" and isinstance(value, bool)):
            raise Refusal(422, f"attributes.{name} must be a {'string' if kind == 'text' else kind}")
        known[name] = value
    return known


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
