"""`reconcile`: compare the database with the vendor for a period, and correct it."""

from __future__ import annotations

from threading import Event
from typing import TYPE_CHECKING, Annotated

import typer

from maestro_analytics.cli import exit_codes
from maestro_analytics.cli.options import moment
from maestro_analytics.cli.output import AsJson, JsonOutput, emit_json
from maestro_analytics.cli.refresh import Since, Until, stopping

if TYPE_CHECKING:
    from maestro_analytics.reconcile import ReconcileReport


def register(app: typer.Typer) -> None:
    """Add `reconcile`."""
    app.command()(reconcile)
    JsonOutput.of_nothing_done["reconcile"] = lambda: {
        "counts": {"ghosts": 0, "missing": 0, "stale": 0},
        "ghosts": [],
        "missing": [],
        "stale": [],
        "removed": False,
    }


def reconcile(
    since: Since = None,
    until: Until = None,
    remove: Annotated[bool, typer.Option("--remove", help="Remove ghosts from the tables.")] = False,
    as_json: AsJson = False,
) -> None:
    """Fetch a period again and report how the database differed from the vendor.

    Ghosts are grades that the vendor no longer has, missing ones were not in the database, stale ones had other
    content. Missing and stale grades are corrected; ghosts stay unless --remove is given.

    \b
    Examples:
      maestro-analytics reconcile --since 2026-01-01
      maestro-analytics reconcile --since 2026-01-01 --until 2026-02-01 --remove --json
    """
    from maestro_analytics.exports.progress import progress
    from maestro_analytics.reconcile import reconcile as run
    from maestro_analytics.settings import Settings

    first, end = moment(since, option="--since"), moment(until, option="--until")
    settings = Settings.from_environment()
    stop = Event()
    with stopping(stop), progress() as on_event:
        report = run(settings, since=first, until=end, remove=remove, stop=stop, on_event=on_event)
    code = exit_codes.INTERRUPTED if report.interrupted else exit_codes.worst(map(exit_codes.exit_code, report.errors))
    if as_json:
        emit_json(report.as_json(), exit_code=code)
    else:
        _print(report)
    raise typer.Exit(code)


def _print(report: ReconcileReport) -> None:
    for name, done in (("ghosts", "removed" if report.removed else "kept"), ("missing", "landed"), ("stale", "landed")):
        grades = getattr(report, name)
        print(f"{name:<8} {grades.height:>9,} {done}")
        for row in grades.iter_rows(named=True):
            print(f"  {row['grade_key']}")
    for error in report.errors:
        print(f"{type(error).__name__}: {error}")
