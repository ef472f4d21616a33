"""Tickets and their comments."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from maestro_analytics.api import endpoints
from maestro_analytics.api.models import Comment, Ticket
from maestro_analytics.api.transport import Transport
from maestro_analytics.api.validation import choice, iso_or_none, number, optional_text, required_text
from maestro_analytics.errors import InvalidArgument, MaestroError

LARGEST_BATCH = 500
IDS_PER_CALL = 100
CHARACTERS_PER_CALL = 4_000
"""Ids travel in the URL, and servers take no endless ones."""


class AuthorRole(StrEnum):
    """Who wrote a comment."""

    CUSTOMER = "customer"
    AGENT = "agent"


@dataclass(frozen=True, kw_only=True)
class NewComment:
    """A comment to create.

    Attributes:
        role: "customer" or "agent".
        public: the vendor takes it for True when it is None.
        time: when it was made, aware; the vendor takes now when it is None.
    """

    ticket_id: str
    body: str
    author_id: str | None = None
    role: AuthorRole | str | None = None
    channel: str | None = None
    public: bool | None = None
    time: datetime | None = None

    def parameters(self) -> dict[str, Any]:
        """The request's fields; raises InvalidArgument for what the vendor would refuse."""
        return {
            "ticket_id": required_text(self.ticket_id, name="ticket_id"),
            "body": required_text(self.body, name="body"),
            "author_id": optional_text(self.author_id, name="author_id"),
            "role": choice(self.role, AuthorRole, name="role"),
            "channel": optional_text(self.channel, name="channel"),
            "public": self.public,
            "time": iso_or_none(self.time, name="time"),
        }


class TicketCalls(Transport):
    """The tickets part of the client."""

    def create_ticket(
        self,
        *,
        ticket_id: str,
        type: str,
        subject: str,
        agents: Sequence[str],
        link: str,
        body: str | None = None,
        tags: str | None = None,
        status: str | None = None,
        csat_score: float | None = None,
        first_seen: datetime | None = None,
        last_seen: datetime | None = None,
        attributes: Mapping[str, Any] | None = None,
    ) -> Ticket:
        """Create a ticket.

        Args:
            ticket_id: must not be in use.
            type: the ticket's source, as your support system is called.
            agents: ids or e-mail addresses, at least one.
            tags: comma-separated.
            first_seen, last_seen: aware; the vendor takes now when they are None.
            attributes: custom attributes that exist in the account; others are ignored by the vendor.

        Raises:
            InvalidArgument: before anything is sent.
            RequestRefused: status 409 when `ticket_id` is in use.
            OutcomeUnknown: the reply was lost; `ticket(ticket_id)` tells whether it was created.

        Source: "Create a Ticket".
        """
        for name, value in {"ticket_id": ticket_id, "type": type, "subject": subject, "link": link}.items():
            required_text(value, name=name)
        answer = self.send(
            endpoints.CREATE_TICKET,
            {"ticket_id": ticket_id}
            | _ticket_fields(
                type=type, subject=subject, agents=agents, link=link, body=body, tags=tags, status=status,
                csat_score=csat_score, first_seen=first_seen, last_seen=last_seen, attributes=attributes,
            ),
        )  # fmt: skip
        return Ticket.from_json(answer)

    def update_ticket(
        self,
        ticket_id: str,
        *,
        type: str | None = None,
        subject: str | None = None,
        agents: Sequence[str] | None = None,
        link: str | None = None,
        body: str | None = None,
        tags: str | None = None,
        status: str | None = None,
        csat_score: float | None = None,
        first_seen: datetime | None = None,
        last_seen: datetime | None = None,
        attributes: Mapping[str, Any] | None = None,
    ) -> Ticket:
        """Change the given fields of a ticket. Fields that came from a helpdesk cannot be changed.

        Source: "Update a Ticket".
        """
        fields = _ticket_fields(
            type=type, subject=subject, agents=agents, link=link, body=body, tags=tags, status=status,
            csat_score=csat_score, first_seen=first_seen, last_seen=last_seen, attributes=attributes,
        )  # fmt: skip
        if all(value is None for value in fields.values()):
            raise InvalidArgument("update_ticket was given nothing to change")
        return Ticket.from_json(self.send(endpoints.UPDATE_TICKET, fields, ticket_id=ticket_id))

    def delete_ticket(self, ticket_id: str) -> None:
        """Delete a ticket that was made through the API. Source: "Delete a Ticket"."""
        self.send(endpoints.DELETE_TICKET, ticket_id=ticket_id)

    def ticket(self, ticket_id: str) -> Ticket:
        """One ticket. Source: "Get a Ticket".

        Raises:
            RequestRefused: status 404 when there is none.
        """
        return Ticket.from_json(self.send(endpoints.GET_TICKET, ticket_id=ticket_id))

    def get_tickets(self, ticket_ids: Iterable[str]) -> list[Ticket]:
        """Many tickets, any number; those that the vendor does not know are left out. Source: "Get Many Tickets"."""
        tickets = []
        for ids in _in_calls(ticket_ids):
            answer = self.send(endpoints.GET_TICKETS, {"ticket_ids": ",".join(ids)})
            tickets += [Ticket.from_json(found) for found in answer if isinstance(found, dict)]
        return tickets

    def create_comment(self, comment: NewComment) -> Comment:
        """Create a comment on a ticket. Source: "Create a Ticket Comment"."""
        return Comment.from_json(self.send(endpoints.CREATE_COMMENT, comment.parameters()))

    def create_comments(self, comments: Iterable[NewComment]) -> list[Comment]:
        """Create any number of comments, 500 at a time; all are checked before the first is sent.

        Raises:
            MaestroError: a batch failed; a note on the error says how many comments were created before it.

        Source: "Create Many Ticket Comments".
        """
        entries = [
            {name: value for name, value in comment.parameters().items() if value is not None} for comment in comments
        ]
        created: list[Comment] = []
        for start in range(0, len(entries), LARGEST_BATCH):
            try:
                answer = self.send(endpoints.CREATE_COMMENTS, {"batch": entries[start : start + LARGEST_BATCH]})
            except MaestroError as error:
                error.add_note(f"The first {start} of {len(entries)} comments were created before that.")
                raise
            results = answer.get("results") if isinstance(answer, dict) else None
            created += [Comment.from_json(result) for result in results or []]
        return created


def _ticket_fields(
    *,
    agents: Sequence[str] | None,
    csat_score: float | None,
    first_seen: datetime | None,
    last_seen: datetime | None,
    attributes: Mapping[str, Any] | None,
    **texts: str | None,
) -> dict[str, Any]:
    if isinstance(agents, str) or (agents is not None and not agents):
        raise InvalidArgument(f"agents must be a list with at least one id or e-mail address, not {agents!r}")
    return {name: optional_text(value, name=name) for name, value in texts.items()} | {
        "agents": None if agents is None else [required_text(agent, name="an agent") for agent in agents],
        "csat_score": number(csat_score, name="csat_score"),
        "first_seen": iso_or_none(first_seen, name="first_seen"),
        "last_seen": iso_or_none(last_seen, name="last_seen"),
        "attributes": None if attributes is None else dict(attributes),
    }


def _in_calls(ticket_ids: Iterable[str]) -> Iterator[list[str]]:
    """The ids, each once, in lists that fit one URL."""
    if isinstance(ticket_ids, str):
        raise InvalidArgument("ticket_ids must be a list of ids, not one text")
    ids: list[str] = []
    for ticket_id in dict.fromkeys(ticket_ids):
        if "," in required_text(ticket_id, name="a ticket id"):
            raise InvalidArgument(f"{ticket_id!r} holds a comma, which separates ids: get it with ticket()")
        if ids and (len(ids) == IDS_PER_CALL or sum(map(len, ids)) + len(ticket_id) > CHARACTERS_PER_CALL):
            yield ids
            ids = []
        ids.append(ticket_id)
    if ids:
        yield ids
