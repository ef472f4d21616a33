"""Tickets, their comments and their attachments."""

from __future__ import annotations

import mimetypes
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any
from urllib.parse import quote

from maestro_analytics.api import endpoints
from maestro_analytics.api.models import Attachment, Comment, Ticket
from maestro_analytics.api.transfer import OnBytes, PresignedTransfer
from maestro_analytics.api.transport import Transport
from maestro_analytics.arguments import choice, iso_or_none, number, optional_text, required_text
from maestro_analytics.errors import InvalidArgument, MaestroError, OutcomeUnknown, TryAgain

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


class Tickets:
    """The endpoints for tickets, comments and attachments."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

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
        answer = self._transport.send(
            endpoints.CREATE_TICKET,
            {"ticket_id": ticket_id}
            | _ticket_fields(
                type=type,
                subject=subject,
                agents=agents,
                link=link,
                body=body,
                tags=tags,
                status=status,
                csat_score=csat_score,
                first_seen=first_seen,
                last_seen=last_seen,
                attributes=attributes,
            ),
        )
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
            type=type,
            subject=subject,
            agents=agents,
            link=link,
            body=body,
            tags=tags,
            status=status,
            csat_score=csat_score,
            first_seen=first_seen,
            last_seen=last_seen,
            attributes=attributes,
        )
        if all(value is None for value in fields.values()):
            raise InvalidArgument("update_ticket was given nothing to change")
        return Ticket.from_json(self._transport.send(endpoints.UPDATE_TICKET, fields, ticket_id=ticket_id))

    def delete_ticket(self, ticket_id: str) -> None:
        """Delete a ticket that was made through the API. Source: "Delete a Ticket"."""
        self._transport.send(endpoints.DELETE_TICKET, ticket_id=ticket_id)

    def ticket(self, ticket_id: str) -> Ticket:
        """One ticket. Source: "Get a Ticket".

        Raises:
            RequestRefused: status 404 when there is none.
        """
        return Ticket.from_json(self._transport.send(endpoints.GET_TICKET, ticket_id=ticket_id))

    def get_tickets(self, ticket_ids: Iterable[str]) -> list[Ticket]:
        """Many tickets, any number; those that the vendor does not know are left out. Source: "Get Many Tickets"."""
        tickets = []
        for ids in _in_calls(ticket_ids):
            answer = self._transport.send(endpoints.GET_TICKETS, {"ticket_ids": ",".join(ids)})
            tickets += [Ticket.from_json(found) for found in answer if isinstance(found, dict)]
        return tickets

    def create_comment(self, comment: NewComment) -> Comment:
        """Create a comment on a ticket. Source: "Create a Ticket Comment"."""
        return Comment.from_json(self._transport.send(endpoints.CREATE_COMMENT, comment.parameters()))

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
                answer = self._transport.send(
                    endpoints.CREATE_COMMENTS, {"batch": entries[start : start + LARGEST_BATCH]}
                )
                results = answer.get("results")
                if not isinstance(results, list):
                    raise OutcomeUnknown(
                        f"{self._transport.host} took the comments but listed none of them. Check before you send them "
                        "again.",
                        endpoint=endpoints.CREATE_COMMENTS.path,
                    )
            except MaestroError as error:
                error.add_note(f"The first {start} of {len(entries)} comments were created before that.")
                raise
            created += [Comment.from_json(result) for result in results]
        return created

    def attach_file(
        self,
        path: Path | str,
        *,
        ticket_id: str,
        content_type: str | None = None,
        id: str | None = None,
        author_id: str | None = None,
        public: bool | None = None,
        timestamp: datetime | None = None,
        on_bytes: OnBytes | None = None,
    ) -> Attachment:
        """Attach a local file to a ticket; it appears almost at once.

        Args:
            content_type: such as "audio/mp3"; guessed from the name when None.
            id: of the attachment, unique; the vendor makes one when None.
            timestamp: the moment that its comment shows, aware; now when None.
            on_bytes: called with the bytes sent so far and all bytes.

        Raises:
            InvalidArgument: no such file, or a name that tells no content type.
            UploadFailed: the attachment was created, and its bytes could not be sent.

        Source: "Create an Attachment", presigned URL.
        """
        file = Path(path)
        if not file.is_file():
            raise InvalidArgument(f"there is no file {file}")
        content_type = content_type or mimetypes.guess_type(file.name)[0]
        if content_type is None:
            raise InvalidArgument(f"{file.name} does not tell what it is: give content_type, such as 'audio/mp3'")
        answer = self._create_attachment(ticket_id, content_type, None, id, author_id, public, timestamp)
        url = answer.get("presigned_url")
        attachment = Attachment(id=str(answer.get("id") or id or ""), ticket_id=ticket_id)
        if not isinstance(url, str) or not url:
            raise TryAgain(
                f"{self._transport.host} created attachment {attachment.id} but gave no URL to upload {file.name} to.",
                endpoint=endpoints.CREATE_ATTACHMENT.path,
            )
        try:
            PresignedTransfer(clock=self._transport.clock).upload(
                url, file, content_type=content_type, on_bytes=on_bytes
            )
        except MaestroError as error:
            error.add_note(f"Attachment {attachment.id} of ticket {ticket_id} exists, without {file.name} in it.")
            raise
        return attachment

    def attach_url(
        self,
        ticket_id: str,
        url: str,
        *,
        content_type: str,
        id: str | None = None,
        author_id: str | None = None,
        public: bool | None = None,
        timestamp: datetime | None = None,
    ) -> Attachment:
        """Attach what the vendor fetches from `url`, some hours later. Arguments as for `attach_file`.

        Source: "Create an Attachment", accessible URL.
        """
        if not url.lower().startswith(("https://", "http://")):
            raise InvalidArgument("url must be an address that the vendor can fetch: https://...")
        answer = self._create_attachment(ticket_id, content_type, url, id, author_id, public, timestamp)
        return Attachment(id=str(answer.get("id") or id or ""), ticket_id=ticket_id)

    def _create_attachment(
        self,
        ticket_id: str,
        content_type: str,
        url: str | None,
        id: str | None,
        author_id: str | None,
        public: bool | None,
        timestamp: datetime | None,
    ) -> dict[str, Any]:
        return dict(
            self._transport.send(
                endpoints.CREATE_ATTACHMENT,
                {
                    "ticket_id": required_text(ticket_id, name="ticket_id"),
                    "content_type": required_text(content_type, name="content_type"),
                    "url": url,
                    "id": optional_text(id, name="id"),
                    "author_id": optional_text(author_id, name="author_id"),
                    "public": public,
                    "timestamp": iso_or_none(timestamp, name="timestamp"),
                },
            )
        )


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
    """The ids without duplicates, in lists that are short enough for one URL."""
    if isinstance(ticket_ids, str):
        raise InvalidArgument("ticket_ids must be a list of ids, not one text")
    ids: list[str] = []
    for ticket_id in dict.fromkeys(ticket_ids):
        if "," in required_text(ticket_id, name="a ticket id"):
            raise InvalidArgument(f"{ticket_id!r} holds a comma, which separates ids: get it with ticket()")
        if ids and (len(ids) == IDS_PER_CALL or len(quote(",".join([*ids, ticket_id]))) > CHARACTERS_PER_CALL):
            yield ids
            ids = []
        ids.append(ticket_id)
    if ids:
        yield ids
