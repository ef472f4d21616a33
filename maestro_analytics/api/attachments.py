"""Attachments of tickets: a local file through a presigned URL, or a URL that the vendor fetches itself."""

from __future__ import annotations

import mimetypes
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from maestro_analytics.api import endpoints
from maestro_analytics.api.models import Attachment
from maestro_analytics.api.transfer import OnBytes, PresignedTransfer
from maestro_analytics.api.transport import Transport
from maestro_analytics.api.validation import iso_or_none, optional_text, required_text
from maestro_analytics.errors import InvalidArgument, MaestroError, TryAgain


class AttachmentCalls(Transport):
    """The attachments part of the client."""

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
                f"{self.host} created attachment {attachment.id} but gave no address to send {file.name} to.",
                endpoint=endpoints.CREATE_ATTACHMENT.path,
            )
        try:
            PresignedTransfer(clock=self.clock).upload(url, file, content_type=content_type, on_bytes=on_bytes)
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
        if urlsplit(url).scheme not in ("https", "http"):
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
        answer = self.send(
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
        return answer if isinstance(answer, dict) else {}
