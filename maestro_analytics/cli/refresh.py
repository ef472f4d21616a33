"""`refresh`, `land` and `reconcile`: what brings data into the database."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from threading import Event
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from maestro_analytics.arguments import moment_of
from maestro_analytics.cli import exit_codes
from maestro_analytics.cli.commands import choices
from maestro_analytics.cli.output import AsJson, JsonOutput, emit_json, print_count
from maestro_analytics.kinds import COACHING, TABLES_OF

if TYPE_CHECKING:
    from maestro_analytics.land_files import LandReport
    from maestro_analytics.pipeline import RefreshReport
    from maestro_analytics.reconcile import ReconcileReport
    from maestro_analytics.settings import Settings

SANDBOX_DAYS = 180
SANDBOX_AGENTS = 24

Since = Annotated[
    str | None,
    typer.Option("--since", metavar="DATE", help="First moment, a date or ISO 8601, UTC. Default: what is missing."),
]
Until = Annotated[
    str | None, typer.Option("--until", metavar="DATE", help="End, not included. Default: one minute ago.")
]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    for command, nothing_done in ((refresh, _not_refreshed), (land, _not_landed), (reconcile, _not_reconciled)):
        app.command()(command)
        JsonOutput.of_nothing_done[command.__name__] = nothing_done


def _not_refreshed() -> dict[str, Any]:
    from maestro_analytics.settings import DataFolder

    return {"tables": {}, "requests": 0, "quarantined": 0, "database": DataFolder().database, "gaps": []}


def _not_landed() -> dict[str, Any]:
    from maestro_analytics.settings import DataFolder

    return {"files": [], "tables": {}, "quarantined": 0, "database": DataFolder().database}


def _not_reconciled() -> dict[str, Any]:
    return {
        "counts": {"ghosts": 0, "missing": 0, "stale": 0},
        "ghosts": [],
        "missing": [],
        "stale": [],
        "removed": False,
    }


def refresh(
    since: Since = None,
    until: Until = None,
    only: Annotated[
        str | None, typer.Option(metavar="KINDS", help="Ask for some of raw,groups,audit,coaching alone.")
    ] = None,
    again: Annotated[bool, typer.Option("--again", help="Ask for time that is covered, too.")] = False,
    plan: Annotated[bool, typer.Option("--plan", help="Say what would be asked for, and ask for nothing.")] = False,
    sandbox: Annotated[
        bool, typer.Option("--sandbox", help="Against an embedded sandbox, in the folder `sandbox` of the data folder.")
    ] = False,
    wait: Annotated[
        float, typer.Option(metavar="SECONDS", min=0, help="Wait so long for another refresh to end.")
    ] = 0.0,
    deadline: Annotated[
        float | None, typer.Option(metavar="SECONDS", min=1, help="End after this time, with what has landed by then.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print nothing unless something is wrong.")] = False,
    adopt: Annotated[
        bool, typer.Option("--adopt", help="Take over a folder whose account now answers under another host.")
    ] = False,
    forget: Annotated[
        bool, typer.Option("--forget", help="Forget how far back earlier runs went; start from --since or 90 days ago.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Bring the database up to date and publish it.

    The first run fetches the last 90 days, later runs what is missing and the last hour again. Groups and coaching
    records are always read whole. A run that was stopped is continued by the next one.

    \b
    Examples:
      maestro-analytics refresh --plan
      maestro-analytics refresh --since 2026-01-01
      maestro-analytics refresh --only raw,groups --json
      maestro-analytics refresh --sandbox
    """
    from maestro_analytics.exports import PollPace
    from maestro_analytics.settings import Settings

    kinds = choices(only, option="--only", known=tuple(TABLES_OF))
    first, end = moment_of(since, name="--since"), moment_of(until, name="--until")
    settings = Settings.from_environment()
    if sandbox and first is None:
        first = datetime.now(UTC) - timedelta(days=SANDBOX_DAYS)
    with _embedded_sandbox(settings) if sandbox else nullcontext(settings) as settings:
        if plan:
            _print_plan(settings, since=first, until=end, kinds=kinds, again=again, forget=forget, as_json=as_json)
            return
        report = _run(
            settings,
            quiet=quiet,
            since=first,
            until=end,
            kinds=kinds,
            again=again,
            adopt=adopt,
            forget=forget,
            wait_seconds=wait,
            deadline_seconds=deadline,
            pace=PollPace(first_seconds=0.1) if sandbox else None,
        )
    code = _exit_code(report, has_gaps=bool(report.gaps))
    if quiet and code:
        for failure in report.errors:
            print(f"{type(failure).__name__}: {failure}", file=sys.stderr)
    if as_json:
        emit_json(report.as_json(), exit_code=code)
    elif code or not quiet:
        _print_refreshed(report)
    raise typer.Exit(code)


def _run(settings: Settings, *, quiet: bool, **options: Any) -> RefreshReport:
    """Run `pipeline.run` with progress; the first signal stops it gently, the second at once."""
    from maestro_analytics.exports.progress import progress
    from maestro_analytics.pipeline import run

    stop = Event()
    with stopping(stop), nullcontext() if quiet else progress() as on_event:
        return run(settings, stop=stop, on_event=on_event, **options)


@contextmanager
def stopping(stop: Event) -> Iterator[None]:
    """Let the first SIGINT or SIGTERM set `stop`, and the second interrupt at once."""

    def stop_once(signum: int, frame: FrameType | None) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()
        print("stopping after the current landing; press again to stop at once", file=sys.stderr)

    before = {name: signal.signal(name, stop_once) for name in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)


def _exit_code(report: RefreshReport | LandReport | ReconcileReport, *, has_gaps: bool = False) -> int:
    """The first of 3, 5, 4, 6 that holds; an interruption before all of them."""
    if report.interrupted:
        return exit_codes.INTERRUPTED
    gaps = [exit_codes.PARTIAL] if has_gaps else []
    return exit_codes.worst([*map(exit_codes.exit_code, report.errors), *gaps])


def _outcome(report: RefreshReport | LandReport) -> str:
    """The last line for people: how the run ended, and the database if there is one yet."""
    ended = f"{report.status} (interrupted)" if report.interrupted else report.status
    return f"{ended}: {report.database}" + ("" if report.database.exists() else " does not exist yet")


@contextmanager
def _embedded_sandbox(settings: Settings) -> Iterator[Settings]:
    """A sandbox in this process, and settings that work in a folder of its own.

    The contact centre starts on the day that the folder's first run chose, so that later runs meet the same one.
    """
    from pydantic import SecretStr

    from maestro_analytics.files import make_private_folder
    from maestro_analytics.sandbox import Sandbox

    folder = make_private_folder(make_private_folder(settings.data) / "sandbox")
    first_day = folder / "first-day"
    if not first_day.exists():
        first_day.write_text((datetime.now(UTC) - timedelta(days=SANDBOX_DAYS)).date().isoformat(), encoding="utf-8")
    start = date.fromisoformat(first_day.read_text(encoding="utf-8").strip())
    now = datetime.now(UTC)
    with Sandbox(
        agents=SANDBOX_AGENTS,
        days=max((now.date() - start).days, 1),
        now=now,
        running=True,
        requests_per_second=None,
        requests_per_minute=None,
    ) as sandbox:
        yield settings.model_copy(
            update={
                "base_url": sandbox.base_url,
                "api_token": SecretStr(sandbox.token),
                "data": folder,
                "cache": folder / "cache",
                "requests_per_second": 1_000,
                "requests_per_minute": 60_000,
            }
        )


def _print_plan(
    settings: Settings,
    *,
    since: datetime | None,
    until: datetime | None,
    kinds: tuple[str, ...],
    again: bool,
    forget: bool,
    as_json: bool,
) -> None:
    from maestro_analytics.pipeline import plan

    planned = plan(settings, since=since, until=until, kinds=kinds, again=again, forget=forget)
    windows = [
        {"kind": kind}
        | ({"window_start": window.start.isoformat(), "window_end": window.end.isoformat()} if window else {})
        for kind, pieces in planned.windows.items()
        for window in pieces
    ]
    if as_json:
        emit_json({"windows": windows, "calls": planned.calls, "minutes": planned.minutes})
        return
    for window in windows:
        span = f"  {window['window_start']} to {window['window_end']}" if "window_start" in window else "  as it is now"
        print(f"{window['kind']:<9}{span}")
    if COACHING in kinds:
        print("coaching   coaching points, coaching sessions and to-dos, whole: one call a page")
    print(
        f"{len(windows)} exports, about {planned.calls} calls and {planned.minutes:g} minutes at "
        f"{settings.requests_per_minute} calls a minute; nothing was asked for."
    )


def _print_refreshed(report: RefreshReport) -> None:
    for table, rows in report.tables.items():
        print_count(table, rows)
    print_count("quarantined", report.quarantined)
    print_count("API calls", report.requests)
    for gap in report.gaps:
        print(f"gap: {gap['kind']} {gap['window_start']} to {gap['window_end']}")
    print(_outcome(report))


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
    from maestro_analytics.exports.progress import Noticed, progress
    from maestro_analytics.land_files import land as land_files

    stop = Event()
    with stopping(stop), progress() as show:
        report = land_files(
            paths,
            kind=kind,
            asked_at=moment_of(asked_at, name="--asked-at"),
            since=moment_of(since, name="--since"),
            until=moment_of(until, name="--until"),
            stop=stop,
            on_event=show,
        )
        for warning in report.warnings:
            show(Noticed(warning))
        for error in report.errors:
            show(Noticed(f"{type(error).__name__}: {error}"))
    code = _exit_code(report)
    if as_json:
        emit_json(report.as_json(), exit_code=code)
    else:
        _print_landed(report)
    raise typer.Exit(code)


def _print_landed(report: LandReport) -> None:
    results = [file.result for file in report.files]
    for result in ("landed", "unchanged", "refused"):
        print_count(f"files {result}", results.count(result))
    for table, rows in report.tables.items():
        print_count(table, rows)
    print_count("quarantined", report.quarantined)
    print(_outcome(report))


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

    first, end = moment_of(since, name="--since"), moment_of(until, name="--until")
    settings = Settings.from_environment()
    stop = Event()
    with stopping(stop), progress() as on_event:
        report = run(settings, since=first, until=end, remove=remove, stop=stop, on_event=on_event)
    code = _exit_code(report)
    if as_json:
        emit_json(report.as_json(), exit_code=code)
    else:
        _print_differences(report)
    raise typer.Exit(code)


def _print_differences(report: ReconcileReport) -> None:
    for name, done in (("ghosts", "removed" if report.removed else "kept"), ("missing", "landed"), ("stale", "landed")):
        grades = getattr(report, name)
        print(f"{name:<8} {grades.height:>9,} {done}")
        for row in grades.iter_rows(named=True):
            print(f"  {row['grade_key']}")
    for error in report.errors:
        print(f"{type(error).__name__}: {error}")
