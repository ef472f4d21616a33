"""Refresh: from the vendor to the published file.

    vendor -> export file (kept) -> checked frames -> Delivery -> master -> published file
         \\-> list pages ---------> checked frames -----------> master --/

This is the only module that knows the whole line. What a run could not fetch is in its report; what had landed
before a failure stays and is published.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from threading import Event
from typing import Any

from maestro_analytics import account, coaching, push
from maestro_analytics.api import Transport
from maestro_analytics.api.clock import Clock, set_after
from maestro_analytics.arguments import moment_of
from maestro_analytics.errors import (
    AnotherRefresh,
    Cancelled,
    DiskFault,
    ExportFailed,
    InconsistentPages,
    KindRefused,
    MaestroError,
    NoApi,
    RequestRefused,
    SettingsError,
    TokenRefused,
    TooManyBadRows,
    TryAgain,
    Unreachable,
)
from maestro_analytics.exports import (
    ExportPlan,
    ExportRecord,
    MissedWindow,
    OnEvent,
    Period,
    PollPace,
    Window,
    period_of,
    plan_windows,
    run_exports,
    without,
)
from maestro_analytics.exports.lifecycle import check_clock, clock_ahead
from maestro_analytics.exports.progress import Noticed, one_at_a_time
from maestro_analytics.exports.windows import MARGIN
from maestro_analytics.files import disk_fault
from maestro_analytics.kinds import COACHING, COACHING_LISTS, TABLES_OF, WINDOWED
from maestro_analytics.push.ledger import PUBLISHING
from maestro_analytics.settings import Settings
from maestro_analytics.warehouse import Landed, Master
from maestro_analytics.warehouse import open as open_published
from maestro_analytics.warehouse.kept_files import land_export
from maestro_analytics.warehouse.ledger import Settling, delayed_windows, keep_once, same_file, settled

WAIT_SECONDS = 1.0
"""How often a run that waits for another one checks whether that has ended."""
PUBLISHING_SECONDS = 600.0
"""How long a run waits for a push that publishes the database."""


@dataclass
class RefreshReport:
    """What one run did.

    Attributes:
        tables: rows landed, by table.
        requests: API calls made, without downloads.
        quarantined: rows refused in this run, kept in state.quarantine.
        gaps: the time of the period that is still not covered.
        errors: what could not be fetched, in the order in which it failed.
        warnings: unusual things that lost nothing.
        interrupted: a signal, or a deadline, stopped the run.
        landed_anything: whether any export or list has landed.
    """

    database: Path
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    finished_at: datetime | None = None
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
        """`complete`, `partial` or `failed` (nothing landed)."""
        if not (self.errors or self.gaps or self.interrupted):
            return "complete"
        return "partial" if self.landed_anything else "failed"

    def as_json(self) -> dict[str, Any]:
        """The object of `refresh --json`, without its exit code."""
        finished_at = self.finished_at or datetime.now(UTC)
        return {
            "status": self.status,
            "tables": self.tables,
            "requests": self.requests,
            "quarantined": self.quarantined,
            "database": str(self.database),
            "gaps": self.gaps,
            "errors": [error.as_json() for error in self.errors],
            "warnings": self.warnings,
            "started_at": self.started_at.isoformat(),
            "finished_at": finished_at.isoformat(),
        }


def refresh(
    since: datetime | date | str | None = None,
    until: datetime | date | str | None = None,
    *,
    only: Sequence[str] = tuple(TABLES_OF),
    again: bool = False,
    settings: Settings | None = None,
    wait_seconds: float = 0.0,
    deadline_seconds: float | None = None,
    on_event: OnEvent | None = None,
) -> RefreshReport:
    """Bring the database up to date and publish it, from a notebook or a scheduler.

    Args:
        since, until: a datetime, a date or ISO 8601 text; UTC where it names no zone. Default: what is missing.
        only: some of `raw`, `groups`, `audit`, `coaching`.
        again: fetch covered time too.
        settings: default: from the environment.
        wait_seconds: how long to wait for another refresh of the folder to end.
        deadline_seconds: end after this time, with what has landed by then; None for no limit.
        on_event: called for each event; default: progress on standard error, or in the notebook.

    Returns:
        what was done, with what could not be fetched in `errors` and `gaps`.

    Raises:
        SettingsError, TokenRefused: nothing was tried, or the vendor refused the token.
        Unreachable: the API does not answer; what had landed stays and is published.
        AnotherRefresh: another refresh of the folder is running.
        InvalidArgument: a value that cannot be used.
    """
    from maestro_analytics.exports.progress import progress

    with progress() if on_event is None else nullcontext(on_event) as show:
        report = run(
            settings or Settings.from_environment(),
            since=moment_of(since, name="since"),
            until=moment_of(until, name="until"),
            kinds=only,
            again=again,
            wait_seconds=wait_seconds,
            deadline_seconds=deadline_seconds,
            on_event=show,
        )
    for error in report.errors:
        if isinstance(error, SettingsError | Unreachable):
            raise error
    return report


def run(
    settings: Settings,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    kinds: Sequence[str] = tuple(TABLES_OF),
    again: bool = False,
    adopt: bool = False,
    forget: bool = False,
    wait_seconds: float = 0.0,
    deadline_seconds: float | None = None,
    pace: PollPace | None = None,
    stop: Event | None = None,
    on_event: OnEvent | None = None,
    clock: Clock | None = None,
) -> RefreshReport:
    """Bring the database of `settings.data` up to date, and publish it.

    Args:
        since, until: aware; see `period_of`.
        kinds: of `raw`, `groups`, `audit`, `coaching`.
        again: fetch covered time too.
        adopt: take over a folder whose account now answers under another host.
        forget: forget how far back earlier runs went.
        wait_seconds: how long to wait for another run to end.
        deadline_seconds: end the run after this time; what is missing then is an error of the report.
        pace: when exports are polled; default as `run_exports` has it.
        stop: set it, and the run ends after what it is landing.
        on_event: called for each event, one at a time.
        clock: tests pass one that does not wait.

    Returns:
        What was done; errors that leave the rest possible are in it and not raised.

    Raises:
        SettingsError: no token, or the data folder belongs to another account.
        AnotherRefresh: the folder is in use.
        InvalidArgument: an empty period.
    """
    stop = stop or Event()
    with (
        Transport(settings, clock=clock) as transport,
        _open_master(settings, wait_seconds, clock or Clock(), stop) as master,
        set_after(stop, deadline_seconds) as is_late,
    ):
        report = _Run(settings, transport, master, stop, pace, one_at_a_time(on_event)).run(
            since=since, until=until, kinds=kinds, again=again, adopt=adopt, forget=forget
        )
    if report.interrupted and is_late.is_set():
        report.interrupted = False
        late = f"the run was ended after {deadline_seconds:g} s, its deadline. The next one fetches what is missing."
        report.errors.append(MaestroError(late))
    return report


def _open_master(settings: Settings, wait_seconds: float, clock: Clock, stop: Event) -> Master:
    started = clock.seconds()
    while True:
        try:
            return Master.open(settings.data, command="refresh")
        except AnotherRefresh as busy:
            # A push holds the folder only while it publishes, and that must not make a scheduled refresh fail.
            longest = max(wait_seconds, PUBLISHING_SECONDS if busy.command == PUBLISHING else 0.0)
            if clock.seconds() - started >= longest:
                raise
        clock.wait(WAIT_SECONDS, stop)


@dataclass
class _Run:
    """One run: the open transport and master, and the report that it fills."""

    settings: Settings
    transport: Transport
    master: Master
    stop: Event
    pace: PollPace | None
    emit: OnEvent
    report: RefreshReport = field(init=False)
    extra_files: set[str] = field(default_factory=set)

    def run(
        self,
        *,
        since: datetime | None,
        until: datetime | None,
        kinds: Sequence[str],
        again: bool,
        adopt: bool,
        forget: bool,
    ) -> RefreshReport:
        master, transport = self.master, self.transport
        started_at = transport.clock.utc()
        period = period_of(
            since=since,
            until=until,
            kinds=kinds,
            again=again,
            first_since={} if forget else master.first_since(),
            now=started_at,
            overlap=timedelta(minutes=self.settings.overlap_minutes),
        )
        report = self.report = RefreshReport(self.settings.database, started_at)
        report.tables = {table: 0 for kind in period.kinds for table in TABLES_OF[kind]}
        first = min(period.starts.values(), default=period.until)
        warning = account.check(master.query, transport, self.settings, adopt=adopt, pace=self.pace, stop=self.stop)
        run_id = master.start_refresh(since=first, until=period.until, kinds=period.kinds, at=started_at)
        if warning:
            self.warn(warning)
        try:
            with self._disk_faults_reported():
                master.belongs_to(self.settings.host, self.settings.port)
                self._fetch(period)
        except Cancelled:
            report.interrupted = True
        except (SettingsError, Unreachable) as error:
            self.error(error)
        finally:
            report.requests = transport.requests_made
        self._check_refusals()
        with self._disk_faults_reported():
            self._finish(run_id, period, started_at, forget=forget)
        return report

    def _finish(self, run_id: int, period: Period, started_at: datetime, *, forget: bool) -> None:
        """Complete the report, note the run in the database and publish what has landed."""
        master, transport, report = self.master, self.transport, self.report
        ahead = clock_ahead(transport.clock_ahead_seconds)
        # Two seconds more: the clocks were compared at another moment than the exports were asked for.
        ends = (started_at - ahead - MARGIN - timedelta(seconds=2)).replace(microsecond=0) if ahead else None
        report.gaps = period.gaps({kind: master.coverage(kind) for kind in WINDOWED}, ends=ends)
        if ahead > MARGIN:
            self.warn(
                f"this machine's clock is {ahead.total_seconds():.0f} s ahead of the vendor's: time that the vendor's "
                "clock has not reached does not count as covered. Set the clock."
            )
        came_through = not report.interrupted and not any(
            isinstance(error, SettingsError | Unreachable) for error in report.errors
        )
        if came_through:
            master.remember_starts(period.starts, forget=forget)
        report.finished_at = transport.clock.utc()
        master.finish_refresh(
            run_id,
            status=report.status,
            requests=report.requests,
            quarantined=report.quarantined,
            error="; ".join(str(error) for error in report.errors) or None,
            at=report.finished_at,
        )
        if report.landed_anything:
            account.remember(master, transport, self.settings)
        if master.has_landed():
            push.publish(master)
            self.emit(Noticed(f"published {self.settings.database}"))

    @contextmanager
    def _disk_faults_reported(self) -> Iterator[None]:
        """Report a disk fault, instead of raising it: what had landed stays, and is in the report."""
        try:
            yield
        except Exception as error:
            if (fault := disk_fault(error, folder=self.settings.data)) is None:
                raise
            # Whatever is written after a disk fault fails for the same reason.
            if not any(isinstance(known, DiskFault) for known in self.report.errors):
                self.error(fault)

    def error(self, error: MaestroError) -> None:
        """Report an error once: many windows may fail for the same reason."""
        if str(error) not in {str(known) for known in self.report.errors}:
            self.report.errors.append(error)
            self.emit(Noticed(f"{type(error).__name__}: {error}"))

    def warn(self, text: str) -> None:
        """Report a warning once."""
        if text not in self.report.warnings:
            self.report.warnings.append(text)
            self.emit(Noticed(text))

    def _fetch(self, period: Period) -> None:
        """Fetch and land everything of the period."""
        covered = {kind: self.master.coverage(kind) for kind in WINDOWED}
        wanted = period.wanted(covered, settled=settled(self.master.query))
        settling = Settling(self.master.connection, period, covered)
        if not period.again:
            for kind, window, text in delayed_windows(self.master.connection, self.transport.clock.utc()):
                windows = wanted.get(kind)
                if windows and (left := without(windows, [window])) != windows:
                    wanted[kind] = left
                    self.warn(text)
        with run_exports(
            self.transport,
            wanted,
            self.master.ledger,
            self.master.exports_folder,
            pace=self.pace,
            on_event=self.emit,
            stop=self.stop,
        ) as outcomes:
            self._land_exports(outcomes, settling)
        if COACHING in period.kinds:
            self._land_coaching(again=period.again)

    def _land_exports(self, outcomes: Iterator[ExportRecord | MissedWindow], settling: Settling) -> None:
        """Land each export as soon as it is there, while the others are still in flight."""
        for outcome in outcomes:
            check_clock(self.transport.clock_ahead_seconds, self.transport.host)
            if isinstance(outcome, MissedWindow):
                self.error(outcome.error or ExportFailed(outcome.reason, export_id=None, window=outcome.window))
                continue
            landed = land_export(self.master, outcome)
            if landed.is_covered:
                settling.landed(self.master.connection, outcome)
            self._note(landed)

    def _land_coaching(self, *, again: bool) -> None:
        """Land the coaching lists: records change and disappear long after they were created."""
        for table in COACHING_LISTS:
            if self.stop.is_set():
                raise Cancelled("stopped before the coaching lists were read")
            try:
                landed = coaching.land_list(self.master, self.transport, table, again=again, stop=self.stop)
            except Unreachable:
                raise
            except (TokenRefused, RequestRefused) as refused:
                if isinstance(refused, TokenRefused) and refused.status != 403:
                    raise
                is_whole_kind = refused.status in (403, 404)
                host = self.transport.host
                self.error(KindRefused(table, host=host, status=refused.status) if is_whole_kind else refused)
            except (InconsistentPages, TooManyBadRows, TryAgain) as error:
                self.error(error)
            else:
                self._note(landed)

    def _check_refusals(self) -> None:
        """If every kind was refused, report that the token or the base URL is wrong."""
        errors = self.report.errors
        refused = [error for error in errors if isinstance(error, KindRefused)]
        if self.report.landed_anything or not refused or len(refused) < len(errors):
            return
        first = refused[0]
        if first.status == 403:
            self.report.errors = [TokenRefused(host=first.host, status=403)]
        else:
            self.report.errors = [NoApi(f"404 from {first.host} for everything")]

    def _note(self, landed: Landed) -> None:
        """Add a landing to the report, with its warnings."""
        report = self.report
        report.landed_anything = True
        for table, rows in landed.rows.items():
            report.tables[table] = report.tables.get(table, 0) + rows
        report.quarantined += landed.quarantined
        for file in landed.refused:
            self.error(file.error)
        if landed.export is not None:
            export, connection, folder = landed.export, self.master.connection, self.master.folder
            keep_once(connection, export, folder)
            if any(landed.rows.values()) and (other := same_file(connection, export, folder)):
                self.warn(
                    f"the file of the {export} has the same bytes as that of the {other}, of another period. If that "
                    "cannot be, ask for it again: `maestro-analytics refresh --again --since T --until T`."
                )
        for line in landed.warnings:
            self.warn(line)
        # An export like the others has the same extra files: each name is told once a run.
        for file in landed.unknown:
            if file.member not in self.extra_files:
                self.extra_files.add(file.member)
                self.warn(str(file.error))
        what = str(landed.export) if landed.export else "list"
        # A list has one table, which is named even when it is empty.
        counts = ", ".join(f"{rows:,} {table}" for table, rows in landed.rows.items() if rows or not landed.export)
        self.emit(Noticed(f"landed {what}: {counts or 'no rows'}"))


def plan(
    settings: Settings,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    kinds: Sequence[str] = tuple(TABLES_OF),
    again: bool = False,
    forget: bool = False,
    clock: Clock | None = None,
) -> ExportPlan:
    """What a run would request, from the coverage of the published file. Requests and writes nothing."""
    covered: dict[str, list[Window]] = {}
    first_since: dict[str, datetime] = {}
    known: dict[str, datetime] = {}
    if settings.database.exists():
        with open_published(settings.database) as qa:
            tables = set(qa.sql("select table_name from duckdb_tables() where schema_name = 'state'")["table_name"])
            if "starts" in tables and not forget:
                first_since = dict(qa.sql("select kind, since from state.starts").iter_rows())
            for row in qa.sql("select kind, window_start, window_end from state.coverage").iter_rows(named=True):
                covered.setdefault(row["kind"], []).append(Window(row["window_start"], row["window_end"]))
            known = settled(qa.sql) if "settled" in tables else {}
    period = period_of(
        since=since,
        until=until,
        kinds=kinds,
        again=again,
        first_since=first_since,
        now=(clock or Clock()).utc(),
        overlap=timedelta(minutes=settings.overlap_minutes),
    )
    return plan_windows(period.wanted(covered, settled=known), requests_per_minute=settings.requests_per_minute)
