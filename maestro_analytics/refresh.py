"""The main job, from the vendor to the published file.

    vendor -> export file (kept) -> checked frames -> Delivery -> master -> published file
         \\-> list pages ---------> checked frames -----------> master --/

This is the only module that knows the whole line. What a run could not have is in its report; what had landed
before a failure stays landed and is published.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from threading import Event
from typing import Any

from maestro_analytics import push
from maestro_analytics.api import ApiClient
from maestro_analytics.api.clock import Clock
from maestro_analytics.errors import (
    ExportFailed,
    InconsistentPages,
    MaestroError,
    RequestRefused,
    SettingsError,
    TooManyBadRows,
    TryAgain,
    Unreachable,
    UnreadableFile,
)
from maestro_analytics.exports import (
    ExportPlan,
    ExportRecord,
    MissedWindow,
    OnEvent,
    PollPace,
    Window,
    plan_windows,
    run_exports,
)
from maestro_analytics.kinds import COACHING, COACHING_LISTS, TABLES_OF, WINDOWED
from maestro_analytics.period import gaps, period_of, vendor_now, without_time_to_come
from maestro_analytics.settings import Settings
from maestro_analytics.tables.reader import read_export
from maestro_analytics.warehouse import Landed, Master
from maestro_analytics.warehouse import open as open_published

Say = Callable[[str], None]


@dataclass
class RefreshReport:
    """What one run did.

    Attributes:
        tables: rows landed, by table.
        requests: API calls made, downloads not counted.
        quarantined: rows kept aside in this run.
        gaps: what of the period is still not covered.
        errors: what could not be had, in the order met.
        warnings: unusual things that lost nothing.
        interrupted: a signal stopped the run.
    """

    database: Path
    tables: dict[str, int] = field(default_factory=dict)
    requests: int = 0
    quarantined: int = 0
    gaps: list[dict[str, str]] = field(default_factory=list)
    errors: list[MaestroError] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    interrupted: bool = False
    landed_anything: bool = False

    @property
    def status(self) -> str:
        """`complete`, `partial` or `failed` (nothing at all was had)."""
        if not (self.errors or self.gaps or self.interrupted):
            return "complete"
        return "partial" if self.landed_anything else "failed"

    def as_json(self) -> dict[str, Any]:
        """The object of `refresh --json`."""
        return {
            "schema_version": 1,
            "status": self.status,
            "tables": self.tables,
            "requests": self.requests,
            "quarantined": self.quarantined,
            "database": str(self.database),
            "gaps": self.gaps,
            "errors": [{"error": type(error).__name__, "message": str(error)} for error in self.errors],
            "warnings": self.warnings,
        }


def refresh(
    settings: Settings,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    kinds: Sequence[str] = tuple(TABLES_OF),
    again: bool = False,
    pace: PollPace | None = None,
    stop: Event | None = None,
    on_event: OnEvent | None = None,
    say: Say = lambda text: None,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    clock: Clock | None = None,
) -> RefreshReport:
    """Bring the database of `settings.data` up to date, and publish it.

    Args:
        since, until: aware; see `period_of`.
        kinds: of `raw`, `groups`, `audit`, `coaching`.
        again: ask for time that is covered, too.
        pace: when exports are looked at; default as `run_exports` has it.
        stop: set it, and the run ends after what it is landing.
        now, clock: the moment, and how the client waits; tests bring their own.
        on_event, say: told of the exports' progress, and of everything else in one line each.

    Returns:
        What was done; errors that leave the rest possible are in it and not raised.

    Raises:
        SettingsError: no token, or the data folder belongs to another host.
        AnotherRefresh: the folder is in use.
        InvalidArgument: an empty period.
    """
    stop = stop or Event()
    with (
        ApiClient(settings, clock=clock) as client,
        Master.open(settings.data, host=settings.host, port=settings.port, command="refresh") as master,
    ):
        period = period_of(
            since=since, until=until, kinds=kinds, again=again, first_since=master.first_since(), now=now()
        )
        report = RefreshReport(database=settings.database)
        report.tables = {table: 0 for kind in period.kinds for table in TABLES_OF[kind]}
        run = master.start_refresh(since=period.since, until=period.until, kinds=period.kinds, at=now())
        try:
            wanted = period.wanted({kind: master.coverage(kind) for kind in WINDOWED})
            outcomes = run_exports(
                client, wanted, master.ledger, master.exports_folder, pace=pace, on_event=on_event, stop=stop
            )
            with closing(outcomes):
                _land_exports(outcomes, client, master, report, say=say)
            if COACHING in period.kinds:
                _land_coaching(client, master, report, stop=stop, say=say, now=now)
        except (SettingsError, Unreachable) as error:
            report.errors.append(error)
            say(f"{type(error).__name__}: {error}")
        except KeyboardInterrupt:
            report.interrupted = True
        report.requests = client.requests_made
        covered = {kind: master.coverage(kind) for kind in WINDOWED}
        report.gaps = gaps(period, covered, vendor_now=vendor_now(now(), client.clock_ahead_seconds))
        master.finish_refresh(
            run,
            status=report.status,
            requests=report.requests,
            quarantined=report.quarantined,
            error="; ".join(str(error) for error in report.errors) or None,
            at=now(),
        )
        if master.has_landed():
            push.copy_into(master.connection, settings.data)
            master.publish()
            say(f"published {settings.database}")
    return report


def _land_exports(
    outcomes: Iterator[ExportRecord | MissedWindow],
    client: ApiClient,
    master: Master,
    report: RefreshReport,
    *,
    say: Say,
) -> None:
    """Land each export as soon as it is there, while the others are still in flight."""
    for outcome in outcomes:
        if isinstance(outcome, MissedWindow):
            error = outcome.error or ExportFailed(outcome.reason, export_id=None, window=outcome.window)
            report.errors.append(error)
        else:
            export, warning = without_time_to_come(outcome, client.clock_ahead_seconds)
            if warning and warning not in report.warnings:
                report.warnings.append(warning)
                say(warning)
            _note(report, _land(master, export), say=say)


def _land(master: Master, export: ExportRecord) -> Landed:
    """One received export: file to checked frames to the master."""
    if export.file is None:
        return master.land(export, None)
    try:
        delivery = read_export(export.file, kind=export.kind, staging=master.staging)
    except UnreadableFile as error:
        return master.refuse(export, error)
    with delivery:
        return master.land(export, delivery)


def _land_coaching(
    client: ApiClient,
    master: Master,
    report: RefreshReport,
    *,
    stop: Event,
    say: Say,
    now: Callable[[], datetime],
) -> None:
    """The coaching lists, complete each time: records change and vanish long after they were created."""
    for table in COACHING_LISTS:
        if stop.is_set():
            raise KeyboardInterrupt
        taken_at = now()
        try:
            landed = master.land_coaching(table, client.list_all(table, stop=stop), taken_at=taken_at)
        except Unreachable:
            raise
        except (InconsistentPages, RequestRefused, TooManyBadRows, TryAgain) as error:
            report.errors.append(error)
            say(f"{type(error).__name__}: {error}")
        else:
            _note(report, landed, say=say)


def _note(report: RefreshReport, landed: Landed, *, say: Say) -> None:
    """Enter a landing in the report, and tell what is worth telling."""
    report.landed_anything = True
    for table, rows in landed.rows.items():
        report.tables[table] = report.tables.get(table, 0) + rows
    report.quarantined += landed.quarantined
    for file in landed.refused:
        report.errors.append(file.error)
        say(f"{type(file.error).__name__}: {file.error}")
    unknown = [str(file.error) for file in landed.unknown]
    report.warnings += [*landed.warnings, *unknown]
    for line in (*landed.warnings, *unknown):
        say(line)
    what = str(landed.export) if landed.export else "list"
    counts = ", ".join(f"{rows:,} {table}" for table, rows in landed.rows.items() if rows)
    say(f"landed {what}: {counts or 'no rows'}")


def plan(
    settings: Settings,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    kinds: Sequence[str] = tuple(TABLES_OF),
    again: bool = False,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> ExportPlan:
    """What `refresh` would ask for, from the coverage of the published file. Asks for nothing and writes nothing."""
    covered: dict[str, list[Window]] = {}
    first_since = None
    if settings.database.exists():
        with open_published(settings.database) as qa:
            first_since = qa.sql("select min(since) as since from state.refreshes")["since"].item()
            for row in qa.sql("select kind, window_start, window_end from state.coverage").iter_rows(named=True):
                covered.setdefault(row["kind"], []).append(Window(row["window_start"], row["window_end"]))
    period = period_of(since=since, until=until, kinds=kinds, again=again, first_since=first_since, now=now())
    return plan_windows(period.wanted(covered), requests_per_minute=settings.requests_per_minute)
