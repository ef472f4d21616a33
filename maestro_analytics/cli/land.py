"""`land`: export files that were obtained another way, into the database."""

from __future__ import annotations

from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Annotated, Any

import typer

from maestro_analytics.cli import exit_codes
from maestro_analytics.cli.options import moment
from maestro_analytics.cli.output import AsJson, JsonOutput, emit_json
from maestro_analytics.cli.refresh import stopping

if TYPE_CHECKING:
    from maestro_analytics.land_files import LandReport


def register(app: typer.Typer) -> None:
    """Add `land`."""
    app.command()(land)
    JsonOutput.of_nothing_done["land"] = _nothing_done


def _nothing_done() -> dict[str, Any]:
    from maestro_analytics.settings import DataFolder

    return {"files": [], "tables": {}, "quarantined": 0, "database": DataFolder().database}


def land(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH", help="Zips, plain CSVs, and folders of either.")],
    kind: Annotated[
        str | None,
        typer.Option(metavar="KIND", help="What the files are: raw, groups or audit. Default: by their columns."),
    ] = None,
    asked_at: Annotated[
        str | None,
        typer.Option(
            "--asked-at", metavar="DATE", help="When the vendor made the files. Default: their newest moment."
        ),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option("--since", metavar="DATE", help="With --until: the period of which the files are the whole."),
    ] = None,
    until: Annotated[
        str | None, typer.Option("--until", metavar="DATE", help="End of that period, not included.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Land export files from the dashboard, a colleague or a bucket. Needs no token and no network.

    They are checked, kept and published as the exports of a refresh are. A file that has landed before changes nothing,
    and nothing that an export asked for later has brought is replaced.

    \b
    Examples:
      maestro-analytics land export.zip
      maestro-analytics land ~/Downloads/exports --json
      maestro-analytics land january.zip --since 2026-01-01 --until 2026-02-01 --asked-at 2026-02-02
    """
    from maestro_analytics.exports.events import Noticed
    from maestro_analytics.exports.progress import progress
    from maestro_analytics.land_files import land as land_files

    stop = Event()
    with stopping(stop), progress() as show:
        report = land_files(
            paths,
            kind=kind,
            asked_at=moment(asked_at, option="--asked-at"),
            since=moment(since, option="--since"),
            until=moment(until, option="--until"),
            stop=stop,
            on_event=show,
        )
        for warning in report.warnings:
            show(Noticed(warning))
        for error in report.errors:
            show(Noticed(f"{type(error).__name__}: {error}"))
    code = exit_codes.INTERRUPTED if report.interrupted else exit_codes.worst(map(exit_codes.exit_code, report.errors))
    if as_json:
        emit_json(report.as_json(), exit_code=code)
    else:
        _print(report)
    raise typer.Exit(code)


def _print(report: LandReport) -> None:
    results = [file.result for file in report.files]
    for result in ("landed", "unchanged", "refused"):
        print(f"{'files ' + result:<20}{results.count(result):>12,}")
    for table, rows in report.tables.items():
        print(f"{table:<20}{rows:>12,}")
    print(f"{'quarantined':<20}{report.quarantined:>12,}")
    print(f"{report.status}: {report.database}")
