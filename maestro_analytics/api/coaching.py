"""Read to-dos, coaching points and coaching sessions: one record by its id, or a whole list."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from maestro_analytics.api import endpoints
from maestro_analytics.api.endpoints import Endpoint
from maestro_analytics.api.pages import Pages, RecordFile
from maestro_analytics.api.transport import Transport
from maestro_analytics.api.validation import iso, iso_or_none
from maestro_analytics.errors import InvalidArgument


class _List(NamedTuple):
    one: Endpoint
    many: Endpoint


LISTS = {
    "todos": _List(endpoints.GET_TODO, endpoints.GET_TODOS),
    "coaching_points": _List(endpoints.GET_COACHING_POINT, endpoints.GET_COACHING_POINTS),
    "coaching_sessions": _List(endpoints.GET_COACHING_SESSION, endpoints.GET_COACHING_SESSIONS),
}
"""Name of the table -> its endpoints."""

PIN_MARGIN = timedelta(seconds=2)
"""The vendor tells its time in whole seconds, and records may be dated by another of its machines."""


class CoachingLists:
    """The endpoints for coaching records."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._pages = Pages(transport)

    def record(self, name: str, id: str) -> dict[str, Any]:
        """One record of the list `name` as the vendor's JSON.

        Raises:
            RequestRefused: status 404: no record has this id.
        """
        answer = self._transport.send(LISTS[name].one, id=id)
        return answer if isinstance(answer, dict) else {}

    def read_all(
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
        return self._pages.read_all(LISTS[name].many, given, now=self._pin, stop=stop)

    def read_into(
        self,
        name: str,
        file: RecordFile,
        *,
        start_date: datetime | None = None,
        end_date: datetime | None = None,
        most_requests: int | None = None,
        stop: threading.Event | None = None,
    ) -> None:
        """Append every record of a list to `file`; arguments and errors as for `read_all`.

        Args:
            most_requests: give up after the first page if the list takes more requests; None means no limit.

        Raises:
            LongList: the list takes more than `most_requests`.
        """
        dates = {"startDate": iso_or_none(start_date, name="start"), "endDate": iso_or_none(end_date, name="end")}
        self._pages.read_into(
            file,
            LISTS[name].many,
            {key: value for key, value in dates.items() if value is not None},
            now=self._pin,
            most_requests=most_requests,
            stop=stop,
        )

    def _pin(self) -> str:
        """The end of a pass that must not see records that come meanwhile."""
        return iso(self._transport.vendor_now() - PIN_MARGIN)
