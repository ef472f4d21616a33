"""The client for notebooks and scripts: everything the vendor's API offers, lists and exports as polars frames."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from maestro_analytics.api import ApiClient
from maestro_analytics.api.clock import Clock
from maestro_analytics.api.models import Record
from maestro_analytics.api.tickets import AuthorRole, NewComment
from maestro_analytics.client.exports import ExportResult, Exports
from maestro_analytics.settings import Settings

if TYPE_CHECKING:
    import polars as pl

    from maestro_analytics.push import PushReport

__all__ = ["AuthorRole", "Client", "ExportResult", "Exports", "NewComment"]

log = logging.getLogger("maestro_analytics.client")


class Client(ApiClient):
    """The vendor's API.

        client = ma.Client()                          # settings from the environment
        client.todos(agent_id="72999")                # a polars DataFrame, all pages
        client.exports.groups().frames["agent_groups"]

    One record by its id is a typed value (`client.todo("...")`); lists are frames in snake case, with the columns of
    the table of the same name. Every request is paced with everyone who uses the same token on this machine.

    Args:
        settings: from the environment when None.
        clock: the time; tests pass one that does not wait.

    Raises:
        SettingsError: no token, or a cache folder that cannot be written.
    """

    def __init__(self, settings: Settings | None = None, *, clock: Clock | None = None) -> None:
        super().__init__(settings or Settings.from_environment(), clock=clock)
        self.exports = Exports(self)

    def todos(
        self,
        *,
        agent_id: str | None = None,
        creator_id: str | None = None,
        start_date: datetime | None = None,
        end_date: datetime | None = None,
    ) -> pl.DataFrame:
        """One row per to-do that matches; columns as in the table `todos`.

        Args:
            start_date, end_date: created after, created before; aware.

        Source: "Retrieve Many To-dos".
        """
        return self._frame("todos", agent_id=agent_id, creator_id=creator_id, start_date=start_date, end_date=end_date)

    def coaching_points(
        self,
        *,
        agent_id: str | None = None,
        creator_id: str | None = None,
        start_date: datetime | None = None,
        end_date: datetime | None = None,
    ) -> pl.DataFrame:
        """One row per coaching point that matches; as `todos`. Source: "Retrieve Many Coaching Points"."""
        return self._frame(
            "coaching_points", agent_id=agent_id, creator_id=creator_id, start_date=start_date, end_date=end_date
        )

    def coaching_sessions(
        self,
        *,
        agent_id: str | None = None,
        creator_id: str | None = None,
        coach_id: str | None = None,
        start_date: datetime | None = None,
        end_date: datetime | None = None,
    ) -> pl.DataFrame:
        """One row per coaching session that matches; as `todos`. Source: "Retrieve Many Coaching Sessions"."""
        return self._frame(
            "coaching_sessions",
            agent_id=agent_id,
            creator_id=creator_id,
            coach_id=coach_id,
            start_date=start_date,
            end_date=end_date,
        )

    def todo(self, id: str) -> Record:
        """One to-do, with the columns of the table `todos`. Source: "Retrieve a Single To-do".

        Raises:
            RequestRefused: status 404: no to-do has this id.
        """
        return self._record("todos", id)

    def coaching_point(self, id: str) -> Record:
        """One coaching point; as `todo`. Source: "Retrieve a Single Coaching Point"."""
        return self._record("coaching_points", id)

    def coaching_session(self, id: str) -> Record:
        """One coaching session; as `todo`. Source: "Retrieve a Single Coaching Session"."""
        return self._record("coaching_sessions", id)

    def tickets(self, ticket_ids: Iterable[str]) -> pl.DataFrame:
        """One row per ticket that the vendor knows, any number of ids; attributes as JSON. Source: "Get Many Tickets".

        Columns: those of `api.models.Ticket`.
        """
        from maestro_analytics.client.frames import frame_of_tickets

        return frame_of_tickets(self.get_tickets(ticket_ids))

    def push_agent_metrics(self, frame: pl.DataFrame) -> PushReport:
        """Send agent metrics that changed; see `push.push_agent_metrics`. Source: "Create Agent Metrics"."""
        from maestro_analytics.push import push_agent_metrics

        return push_agent_metrics(self, frame)

    def push_ticket_metrics(self, frame: pl.DataFrame) -> PushReport:
        """Send ticket metrics that changed; see `push.push_ticket_metrics`. Source: "Create Ticket Metrics"."""
        from maestro_analytics.push import push_ticket_metrics

        return push_ticket_metrics(self, frame)

    def _record(self, name: str, id: str) -> Record:
        from maestro_analytics.client.frames import record_type

        return record_type(name).from_json(self.record(name, id))

    def _frame(self, name: str, **filters: Any) -> pl.DataFrame:
        from maestro_analytics.tables.json_records import read_records
        from maestro_analytics.tables.schemas import TABLES_BY_NAME

        frame, refusals = read_records(self.list_all(name, **filters), TABLES_BY_NAME[name])
        if refusals:
            log.warning("%d of the %s were left out; the first: %s", len(refusals), name, refusals[0].reason)
        return frame
