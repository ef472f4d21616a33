"""Compare the database with the vendor for a period, and correct it.

The grades of the period are exported and landed again in the ordinary way. What that adds was missing, what it
changes was stale, and what the vendor no longer has is a ghost.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from threading import Event
from typing import Any

import polars as pl

from maestro_analytics import account, push
from maestro_analytics.api import Transport
from maestro_analytics.api.clock import Clock
from maestro_analytics.errors import Cancelled, ExportFailed, MaestroError, SettingsError, Unreachable
from maestro_analytics.exports import ExportRecord, MissedWindow, OnEvent, PollPace, Window, period_of, run_exports
from maestro_analytics.exports.lifecycle import check_clock
from maestro_analytics.kinds import RAW
from maestro_analytics.settings import Settings
from maestro_analytics.warehouse import Master
from maestro_analytics.warehouse.kept_files import land_export
from maestro_analytics.warehouse.reconcile import LISTED, GradeComparison, remove_ghosts

LISTS = ("ghosts", "missing", "stale")


@dataclass
class ReconcileReport:
    """What a comparison with the vendor found; one row per grade in each frame.

    Attributes:
        ghosts: in the database, and no longer at the vendor.
        missing: at the vendor, and landed by this run.
        stale: had other content, or was deleted at the vendor; corrected by this run.
        removed: whether the ghosts were removed.
        errors: what could not be fetched. Ghosts are reported only for time that was fetched.
    """

    since: datetime
    until: datetime
    started_at: datetime
    finished_at: datetime | None = None
    ghosts: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=list(LISTED)))
    missing: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=list(LISTED)))
    stale: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=list(LISTED)))
    removed: bool = False
    interrupted: bool = False
    errors: list[MaestroError] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """The object of `reconcile --json`, without its exit code."""
        return {
            "status": "partial" if self.errors or self.interrupted else "complete",
            "since": self.since.isoformat(),
            "until": self.until.isoformat(),
            "counts": {name: getattr(self, name).height for name in LISTS},
            **{
                name: [
                    {key: value.isoformat() if isinstance(value, datetime) else value for key, value in row.items()}
                    for row in getattr(self, name).to_dicts()
                ]
                for name in LISTS
            },
            "removed": self.removed,
            "errors": [error.as_json() for error in self.errors],
            "warnings": [],
            "started_at": self.started_at.isoformat(),
            "finished_at": (self.finished_at or datetime.now(UTC)).isoformat(),
        }


def reconcile(
    settings: Settings,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    remove: bool = False,
    pace: PollPace | None = None,
    stop: Event | None = None,
    on_event: OnEvent | None = None,
    clock: Clock | None = None,
) -> ReconcileReport:
    """Export and land the grades of a period again, and report how the database differed.

    Everything updated from `since` until now is exported: a grade of the period may have been updated after it.

    Args:
        since, until: when the ghosts were graded; default as for `refresh`.
        remove: remove ghosts from the tables.

    Raises:
        SettingsError: no token, or another account's folder.
        AnotherRefresh: the folder is in use.
    """
    stop = stop or Event()
    with Transport(settings, clock=clock) as transport, Master.open(settings.data, command="reconcile") as master:
        now = transport.clock.utc()
        account.check(master.query, transport, settings, pace=pace, stop=stop)
        master.belongs_to(settings.host, settings.port)
        period = period_of(since=since, until=until, kinds=[RAW.name], first_since=master.first_since(), now=now)
        whole = period_of(since=period.starts[RAW.name], until=None, kinds=[RAW.name], first_since={}, now=now)
        start = whole.starts[RAW.name]
        report = ReconcileReport(start, period.until, now)
        before = GradeComparison(master.connection)
        first_seq = master.ledger.next_seq()
        fetched_from = start
        try:
            wanted = {RAW.name: [Window(start, whole.until)]}
            with run_exports(
                transport, wanted, master.ledger, master.exports_folder, pace=pace, on_event=on_event, stop=stop
            ) as outcomes:
                for outcome in outcomes:
                    check_clock(transport.clock_ahead_seconds, transport.host)
                    fetched_from = max(fetched_from, _land(master, outcome, report))
        except Cancelled:
            report.interrupted = True
        except (SettingsError, Unreachable) as error:
            report.errors.append(error)
        incomplete = report.interrupted or any(isinstance(e, SettingsError | Unreachable) for e in report.errors)
        report.ghosts, report.missing, report.stale = before.changes(
            first_seq=first_seq, ghosts_since=now if incomplete else fetched_from, until=period.until
        )
        if remove and report.ghosts.height:
            remove_ghosts(master.connection, report.ghosts, seq=master.ledger.next_seq() - 1, at=now)
            report.removed = True
        report.finished_at = transport.clock.utc()
        if master.has_landed():
            push.publish(master)
    return report


def _land(master: Master, outcome: ExportRecord | MissedWindow, report: ReconcileReport) -> datetime:
    """Land an export; returns the moment from which ghosts can be reported, as far as this window is concerned."""
    nothing = report.since
    if isinstance(outcome, MissedWindow):
        report.errors.append(outcome.error or ExportFailed(outcome.reason, export_id=None, window=outcome.window))
        return outcome.window.end if outcome.window else nothing
    landed = land_export(master, outcome)
    report.errors += [file.error for file in landed.refused]
    return outcome.window.end if landed.refused and outcome.window else nothing
