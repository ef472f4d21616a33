"""The client of the vendor's API, without tables: what refresh, the exports and the push-back work with."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from maestro_analytics.api import endpoints
from maestro_analytics.api.agents import AgentCalls
from maestro_analytics.api.attachments import AttachmentCalls
from maestro_analytics.api.clock import Clock
from maestro_analytics.api.coaching import CoachingCalls
from maestro_analytics.api.exports import ExportCalls
from maestro_analytics.api.pages import Pages, RecordFile
from maestro_analytics.api.tickets import LARGEST_BATCH, TicketCalls
from maestro_analytics.api.validation import iso, iso_or_none
from maestro_analytics.errors import InvalidArgument
from maestro_analytics.settings import Settings

LISTS = {
    "todos": endpoints.GET_TODOS,
    "coaching_points": endpoints.GET_COACHING_POINTS,
    "coaching_sessions": endpoints.GET_COACHING_SESSIONS,
}


class ApiClient(TicketCalls, AttachmentCalls, AgentCalls, CoachingCalls, ExportCalls):
    """Everything the vendor's reference offers, as plain values.

    Args:
        settings: base URL, token, pacing.
        clock: the time; tests pass one that does not wait.
    """

    def __init__(self, settings: Settings, *, clock: Clock | None = None) -> None:
        super().__init__(settings, clock=clock)
        self._pages = Pages(self)

    def list_all(
        self,
        name: str,
        *,
        agent_id: str | None = None,
        creator_id: str | None = None,
        coach_id: str | None = None,
        start_date: datetime | None = None,
        end_date: datetime | None = None,
        stop: threading.Event | None = None,
    ) -> list[dict[str, Any]]:
        """Every record of a list ("todos", "coaching_points", "coaching_sessions") that matches, as of one moment.

        Args:
            start_date, end_date: created after, created before; aware.
            coach_id: coaching sessions only.
            stop: ends waits at once when set.

        Raises:
            Cancelled: `stop` was set while waiting.
            InvalidArgument: an unknown list, a naive datetime, or `coach_id` for another list than the sessions.
            InconsistentPages: the list changed during every pass.
        """
        if name not in LISTS:
            raise InvalidArgument(f"no list is called {name!r}; there are {', '.join(LISTS)}")
        if coach_id is not None and name != "coaching_sessions":
            raise InvalidArgument(f"{name} cannot be filtered by coach_id; only coaching_sessions can")
        filters = {
            "agentId": agent_id,
            "creatorId": creator_id,
            "coachId": coach_id,
            "startDate": iso_or_none(start_date, name="start_date"),
            "endDate": iso_or_none(end_date, name="end_date"),
        }
        given = {key: value for key, value in filters.items() if value is not None}
        return self._pages.read_all(LISTS[name], given, now=lambda: iso(self.vendor_now()), stop=stop)

    def read_list(
        self,
        name: str,
        file: RecordFile,
        *,
        start_date: datetime | None = None,
        end_date: datetime | None = None,
        most_requests: int | None = None,
        stop: threading.Event | None = None,
    ) -> None:
        """Append every record of a list to `file`; arguments and errors as for `list_all`.

        Args:
            most_requests: give up after the first page if the list takes more requests; None means no limit.

        Raises:
            LongList: the list takes more than `most_requests`.
        """
        dates = {"startDate": iso_or_none(start_date, name="start"), "endDate": iso_or_none(end_date, name="end")}
        self._pages.read_into(
            file,
            LISTS[name],
            {key: value for key, value in dates.items() if value is not None},
            now=lambda: iso(self.vendor_now()),
            most_requests=most_requests,
            stop=stop,
        )

    def ping(self) -> None:
        """Make the cheapest call there is: one record of a list. What it raises says what is wrong."""
        self.send(endpoints.GET_TODOS, {"count": 1})

    def agent_metrics_batch(self, entries: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """Send one batch (at most 500) of agent metrics, with the API's field names; returns the vendor's results.

        Raises:
            RequestRefused: 400 or 422: at least one entry is not accepted; nothing of the batch counts as sent.
            OutcomeUnknown: the reply was lost.
            TryAgain, Unreachable, TokenRefused.
        """
        return self._batch(endpoints.CREATE_AGENT_METRICS, entries)

    def ticket_metrics_batch(self, entries: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """Send one batch (at most 500) of ticket metrics; as `agent_metrics_batch`."""
        return self._batch(endpoints.CREATE_TICKET_METRICS, entries)

    def _batch(self, endpoint: endpoints.Endpoint, entries: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        if not 0 < len(entries) <= LARGEST_BATCH:
            raise InvalidArgument(f"{endpoint.does}: a batch has 1 to {LARGEST_BATCH} entries, not {len(entries)}")
        answer = self.send(endpoint, {"batch": list(entries)})
        results = answer.get("results") if isinstance(answer, dict) else None
        return [result for result in results or [] if isinstance(result, dict)]
