"""The client for notebooks and scripts: everything the vendor's API offers, lists and exports as polars frames."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping
from contextlib import nullcontext
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from maestro_analytics.api.agents import Agents
from maestro_analytics.api.clock import Clock
from maestro_analytics.api.coaching import CoachingLists
from maestro_analytics.api.models import Flag, Moment, Number, Record, Text, Texts, Ticket
from maestro_analytics.api.tickets import AuthorRole, NewComment, Tickets
from maestro_analytics.api.transport import Transport
from maestro_analytics.errors import ExportFailed
from maestro_analytics.exports.adhoc import Calibrations, ExportResult, SingleFile, export_once, raw_parameters
from maestro_analytics.exports.lifecycle import PollPace
from maestro_analytics.exports.progress import OnEvent, progress
from maestro_analytics.exports.windows import INITIAL_WINDOW
from maestro_analytics.kinds import AUDIT, GROUPS, RAW
from maestro_analytics.settings import Settings

if TYPE_CHECKING:
    import polars as pl

    from maestro_analytics.push import PushReport

__all__ = ["AuthorRole", "Client", "ExportResult", "Exports", "NewComment"]

MINUTE = timedelta(minutes=1)

log = logging.getLogger("maestro_analytics.client")


class Client:
    """The vendor's API.

        client = ma.Client()                          # settings from the environment
        client.todos(agent_id="72999")                # a polars DataFrame, all pages
        client.exports.groups().frames["agent_groups"]

    One record by its id is a typed value (`client.todo("...")`); lists are frames in snake case, with the columns of
    the table of the same name. All programs that use the same token on this machine share one rate limit.

    Args:
        settings: from the environment when None.
        clock: the time; tests pass one that does not wait.

    Attributes:
        transport: sends requests; `transport.send(endpoint, parameters)` calls any endpoint of `api.endpoints`.
        exports: one-off exports.

    Raises:
        SettingsError: no token, or a cache folder that cannot be written.
    """

    def __init__(self, settings: Settings | None = None, *, clock: Clock | None = None) -> None:
        self.settings = settings or Settings.from_environment()
        self.transport = Transport(self.settings, clock=clock)
        self.exports = Exports(self.transport)
        self._coaching = CoachingLists(self.transport)
        self._tickets = tickets = Tickets(self.transport)
        agents = Agents(self.transport)

        self.ticket = tickets.ticket
        self.get_tickets = tickets.get_tickets
        self.create_ticket = tickets.create_ticket
        self.update_ticket = tickets.update_ticket
        self.delete_ticket = tickets.delete_ticket
        self.create_comment = tickets.create_comment
        self.create_comments = tickets.create_comments
        self.attach_file = tickets.attach_file
        self.attach_url = tickets.attach_url
        self.create_agent = agents.create_agent
        self.add_agent_id = agents.add_agent_id
        self.set_agent_availability = agents.set_agent_availability

    def __repr__(self) -> str:
        return f"<Client of {self.transport.host}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections and the rate limit database."""
        self.transport.close()

    @property
    def requests_made(self) -> int:
        """Requests sent to the API host so far, retries included."""
        return self.transport.requests_made

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
        import polars as pl

        from maestro_analytics.tables.columns import UTC_MOMENT

        types: dict[str, Any] = {"agents": pl.List(pl.String), "csat_score": pl.Float64} | dict.fromkeys(
            ("first_seen", "last_seen", "created_at", "updated_at"), UTC_MOMENT
        )
        names = list(Ticket.model_fields)
        rows = [[_cell(getattr(ticket, name)) for name in names] for ticket in self._tickets.get_tickets(ticket_ids)]
        return pl.DataFrame(rows, schema={name: types.get(name, pl.String) for name in names}, orient="row")

    def push_agent_metrics(self, frame: pl.DataFrame) -> PushReport:
        """Send agent metrics that changed; see `push.push_agent_metrics`. Source: "Create Agent Metrics"."""
        from maestro_analytics.push import push_agent_metrics

        return push_agent_metrics(self.transport, frame)

    def push_ticket_metrics(self, frame: pl.DataFrame) -> PushReport:
        """Send ticket metrics that changed; see `push.push_ticket_metrics`. Source: "Create Ticket Metrics"."""
        from maestro_analytics.push import push_ticket_metrics

        return push_ticket_metrics(self.transport, frame)

    def _record(self, name: str, id: str) -> Record:
        return _record_type(name).from_json(self._coaching.record(name, id))

    def _frame(self, name: str, **filters: Any) -> pl.DataFrame:
        from maestro_analytics.tables.json_records import read_records
        from maestro_analytics.tables.schemas import TABLES_BY_NAME

        frame, refusals = read_records(self._coaching.read_all(name, **filters), TABLES_BY_NAME[name])
        if refusals:
            log.warning("%d of the %s were left out; the first: %s", len(refusals), name, refusals[0].reason)
        return frame


@cache
def _record_type(name: str) -> type[Record]:
    """The model of one record of a coaching list: the columns of the table `name`."""
    from pydantic import create_model

    from maestro_analytics.tables.columns import Role
    from maestro_analytics.tables.schemas import TABLES_BY_NAME

    types: dict[Role, Any] = {Role.MOMENT: Moment, Role.FLAG: Flag, Role.NUMBER: Number, Role.ID_LIST: Texts}
    fields: dict[str, Any] = {
        column: (types.get(role, Text), () if role is Role.ID_LIST else None)
        for column, role in TABLES_BY_NAME[name].file_columns.items()
    }
    return create_model(name, __base__=Record, **fields)


def _cell(value: Any) -> Any:
    if isinstance(value, Mapping):
        return json.dumps(value, ensure_ascii=False) if value else None
    return list(value) if isinstance(value, tuple) else value


class Exports:
    """One-off exports: requested, kept in a folder, readable as frames. `refresh` does this for a warehouse."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def raw(
        self,
        *,
        since: datetime,
        until: datetime | None = None,
        single_file: SingleFile | str | None = None,
        calibrations: Calibrations | str = Calibrations.ALL,
        grader_qa: bool = True,
        deleted: bool = True,
        to: Path | str | None = None,
        max_window: timedelta = INITIAL_WINDOW,
        partial: bool = False,
        pace: PollPace | None = None,
        on_event: OnEvent | None = None,
    ) -> ExportResult:
        """Grades that were last updated from `since` until `until`, with their sections, answers, annotations, CSAT.

        Args:
            since, until: half-open, aware; `until` is one minute ago when None.
            single_file: only this file, a plain CSV ("total_scores", ...).
            calibrations: "all", "none" or "only".
            grader_qa, deleted: whether benchmarks, and deleted answers, are included.
            to: the folder of the kept files; `downloads` in the data folder when None.
            max_window: exports cover at most so much; one that is too large for the vendor is halved anyway.
            partial: return what could be exported, instead of raising, if a window could not.
            on_event: told of the progress; shown on standard error when None.

        Raises:
            InvalidArgument: a naive datetime, or an end before the start.
            ExportFailed: a window could not be exported; what was received stays in the folder.

        Source: "Request A “Raw” Export".
        """
        parameters = raw_parameters(
            single_file=single_file, calibrations=calibrations, grader_qa=grader_qa, deleted=deleted
        )
        window = (since, until or self._transport.clock.utc() - MINUTE)
        return self._once(RAW.name, window, parameters, to, max_window, partial, pace, on_event)

    def audit_logs(
        self,
        *,
        since: datetime,
        until: datetime | None = None,
        to: Path | str | None = None,
        max_window: timedelta = INITIAL_WINDOW,
        partial: bool = False,
        pace: PollPace | None = None,
        on_event: OnEvent | None = None,
    ) -> ExportResult:
        """What people did from `since` until `until`; arguments as for `raw`.

        Source: "Request an “audit logs” export".
        """
        window = (since, until or self._transport.clock.utc() - MINUTE)
        return self._once(AUDIT.name, window, {}, to, max_window, partial, pace, on_event)

    def groups(
        self,
        *,
        include_unavailable: bool = True,
        to: Path | str | None = None,
        pace: PollPace | None = None,
        on_event: OnEvent | None = None,
    ) -> ExportResult:
        """The agent groups and who is in them, as of now. Source: "Request an “agent groups” export"."""
        parameters = {"includeUnavailable": include_unavailable}
        return self._once(GROUPS.name, None, parameters, to, INITIAL_WINDOW, False, pace, on_event)

    def _once(
        self,
        kind: str,
        window: tuple[datetime, datetime] | None,
        parameters: Mapping[str, Any],
        to: Path | str | None,
        max_window: timedelta,
        partial: bool,
        pace: PollPace | None,
        on_event: OnEvent | None,
    ) -> ExportResult:
        folder = Path(to) if to is not None else self._transport.settings.data / "downloads"
        since, until = window or (None, None)
        with progress() if on_event is None else nullcontext(on_event) as show:
            result = export_once(
                self._transport,
                kind,
                folder,
                since=since,
                until=until,
                parameters=parameters,
                max_window=max_window,
                pace=pace,
                on_event=show,
            )
        if result.missed and not partial:
            first = result.missed[0]
            raise ExportFailed(
                f"{len(result.missed)} windows could not be exported, the first: {first}. What was received is in "
                f"{folder}; the same call asks for the rest, and partial=True returns what there is.",
                export_id=getattr(first.error, "export_id", None),
                window=first.window,
            )
        return result
