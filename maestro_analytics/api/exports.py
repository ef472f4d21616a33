"""Request exports and poll their status."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from maestro_analytics.api import endpoints
from maestro_analytics.api.redaction import redact
from maestro_analytics.api.transport import Transport
from maestro_analytics.errors import ExportFailed, RequestRefused, TryAgain

_OTHER_FORM_STATUSES = (400, 404, 405, 410, 422)


@dataclass(frozen=True)
class ExportState:
    """What the vendor says about an export.

    Attributes:
        status: `requested`, `in_progress`, `complete`, `errored`, or a word that the reference does not have.
        data_url: presigned, on another host; empty when there is nothing to download; None when the answer has no
            `dataUrl` at all. Never shown.
    """

    status: str
    data_url: str | None

    def __repr__(self) -> str:
        return f"ExportState(status={self.status!r}, data_url={'...' if self.data_url else ''!r})"


class AnotherExport(TryAgain):
    """The vendor answered with another export than the one that was asked about."""


POLL_FORMS = (endpoints.GET_EXPORT_DATA, endpoints.EXPORT_DATA_BY_ID, endpoints.GET_EXPORT_DATA_BY_QUERY)


class ExportRequests:
    """The endpoints for exports.

    The reference polls with `GET /get-export-data` and a JSON body, newer documentation with `GET /export-data/:id`; a
    proxy may drop the body of a GET, so the query is the last resort. Which of them this host takes is found out with
    the first export and kept.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._poll_form: endpoints.Endpoint | None = None
        self._poll_lock = threading.Lock()

    def request(self, kind: str, parameters: Mapping[str, Any], *, stop: threading.Event | None = None) -> str:
        """Request an export of a kind of `EXPORT_KINDS`; returns its id.

        Raises:
            TryAgain: the answer named no id, or what `send` raises.
        """
        endpoint = endpoints.REQUEST_EXPORT[kind]
        answer = self._transport.send(endpoint, parameters, stop=stop)
        export_id = answer.get("exportId") if isinstance(answer, dict) else None
        if not isinstance(export_id, str | int) or not str(export_id).strip():
            raise TryAgain(
                f"{self._transport.host} took the request for a {kind} export but named no id. Try again later.",
                endpoint=endpoint.path,
            )
        return str(export_id)

    def state(self, export_id: str, *, stop: threading.Event | None = None) -> ExportState:
        """The status of an export, and the URL of its file.

        Raises:
            RequestRefused: status 404: the vendor does not know the id.
            AnotherExport: the answer names another id.
            ExportFailed: its `dataUrl` is neither text nor null.
        """
        if self._poll_form is not None:
            return self._look(self._poll_form, export_id, stop)
        with self._poll_lock:
            if self._poll_form is None:
                return self._find_form(export_id, stop)
        return self._look(self._poll_form, export_id, stop)

    def _find_form(self, export_id: str, stop: threading.Event | None) -> ExportState:
        refusals: list[RequestRefused] = []
        for form in POLL_FORMS:
            try:
                state = self._look(form, export_id, stop)
            except RequestRefused as refused:
                if refused.status not in _OTHER_FORM_STATUSES:
                    raise
                refusals.append(refused)
            else:
                self._poll_form = form
                return state
        # No form knows the id. One that speaks of a missing export, not of its own parameters, is believed.
        raise next((refused for refused in refusals if refused.status == 404), refusals[0])

    def _look(self, form: endpoints.Endpoint, export_id: str, stop: threading.Event | None) -> ExportState:
        if form is endpoints.EXPORT_DATA_BY_ID:
            answer = self._transport.send(form, stop=stop, export_id=export_id)
        else:
            answer = self._transport.send(form, {"exportId": export_id}, stop=stop)
        if not isinstance(answer, dict):
            raise TryAgain(
                f"{self._transport.host} described the export in an unknown form. Try again later.", endpoint=form.path
            )
        named = str(answer.get("exportId") or export_id)
        if named != export_id:
            raise AnotherExport(
                f"{self._transport.host} was asked about export {redact(export_id)} and answered about {redact(named)}"
                ". Run it again later; if it repeats, ask the vendor.",
                endpoint=form.path,
            )
        status = str(answer.get("status") or "")
        data_url = answer.get("dataUrl")
        if data_url is None:
            # Null is as empty as the empty text of the reference. An answer without the field is not understood.
            return ExportState(status, "" if "dataUrl" in answer else None)
        if not isinstance(data_url, str):
            raise ExportFailed(
                f"the export has a dataUrl of type {type(data_url).__name__} instead of text. Ask the vendor about "
                f"{redact(export_id)}.",
                export_id=export_id,
            )
        return ExportState(status, data_url)
