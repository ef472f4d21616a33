"""`export`: files of the vendor's exports, kept in a folder, without a warehouse."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from maestro_analytics.arguments import moment_of
from maestro_analytics.cli import exit_codes
from maestro_analytics.cli.commands import command_group
from maestro_analytics.cli.output import AsJson, emit_json
from maestro_analytics.kinds import AUDIT, GROUPS, RAW

if TYPE_CHECKING:
    from maestro_analytics.exports import ExportPlan
    from maestro_analytics.exports.adhoc import ExportResult

Since = Annotated[str, typer.Option(metavar="DATE", help="From this date or moment on (UTC unless it says otherwise).")]
Until = Annotated[
    str | None, typer.Option(metavar="DATE", help="Until this date or moment, not included; one minute ago by default.")
]
To = Annotated[Path, typer.Option(metavar="FOLDER", help="The folder that the files are kept in.")]
PlanOnly = Annotated[bool, typer.Option("--plan", help="Say what would be asked for, and ask for nothing.")]
MaxWindow = Annotated[str, typer.Option(metavar="LENGTH", help="Longest window of one export: 7d, 12h, 15m.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this module to `app`."""
    group = command_group(
        "export",
        help="Files of the vendor's exports, kept in a folder, without a warehouse. Their paths go to standard output.",
        examples=(
            "export raw --since 2026-01-01 --until 2026-02-01 --to january",
            "export groups --to groups",
            "export audit --since 2026-01-01 --to audit",
        ),
    )
    group.command()(raw)
    group.command()(groups)
    group.command()(audit)
    app.add_typer(group)


def raw(
    since: Since,
    to: To,
    until: Until = None,
    single_file: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Only this file: total_scores, section_scores, ..., as CSV.",
        ),
    ] = None,
    max_window: MaxWindow = "7d",
    plan: PlanOnly = False,
    as_json: AsJson = False,
) -> None:
    """Grades that were last updated in a time: a zip with a CSV for each level, for each window.

    \b
    Examples:
      maestro-analytics export raw --since 2026-01-01 --until 2026-02-01 --to january
      maestro-analytics export raw --since 2026-01-01 --to scores --single-file total_scores
      maestro-analytics export raw --since 2026-01-01 --to january --plan
    """
    from maestro_analytics.exports.adhoc import raw_parameters

    parameters = raw_parameters(single_file=single_file)
    _export(RAW.name, since, until, to, parameters, max_window=max_window, plan=plan, as_json=as_json)


def groups(to: To, plan: PlanOnly = False, as_json: AsJson = False) -> None:
    """The agent groups and who is in them, as of now, unavailable agents too: one CSV.

    \b
    Example:
      maestro-analytics export groups --to groups
    """
    _export(GROUPS.name, None, None, to, None, plan=plan, as_json=as_json)


def audit(
    since: Since,
    to: To,
    until: Until = None,
    max_window: MaxWindow = "7d",
    plan: PlanOnly = False,
    as_json: AsJson = False,
) -> None:
    """What people did in the account in a time: a CSV for each window.

    \b
    Example:
      maestro-analytics export audit --since 2026-01-01 --until 2026-01-08 --to audit
    """
    _export(AUDIT.name, since, until, to, None, max_window=max_window, plan=plan, as_json=as_json)


def _export(
    kind: str,
    since: str | None,
    until: str | None,
    to: Path,
    parameters: dict[str, object] | None,
    *,
    max_window: str = "7d",
    plan: bool,
    as_json: bool,
) -> None:
    from maestro_analytics.api import Transport
    from maestro_analytics.api.clock import Clock
    from maestro_analytics.exports import Window, plan_windows
    from maestro_analytics.exports.adhoc import export_once
    from maestro_analytics.exports.progress import progress
    from maestro_analytics.settings import Settings

    settings = Settings.from_environment()
    longest = _length(max_window)
    start = moment_of(since, name="--since")
    end = moment_of(until, name="--until") or Clock().utc().replace(microsecond=0) - timedelta(minutes=1)
    window = Window(start, end) if start is not None else None
    if plan:
        _print_plan(
            plan_windows(
                {kind: [window] if window else None},
                initial_window=longest,
                requests_per_minute=settings.requests_per_minute,
            ),
            as_json=as_json,
        )
        return
    with Transport(settings) as transport, progress() as on_event:
        kept = export_once(
            transport,
            kind,
            to,
            since=start,
            until=end if window else None,
            parameters=parameters,
            max_window=longest,
            on_event=on_event,
        )
    _print_kept(kept, as_json=as_json)
    if kept.missed:
        raise typer.Exit(exit_codes.PARTIAL)


def _length(text: str) -> timedelta:
    """A length such as 7d, 12h or 15m."""
    from maestro_analytics.errors import InvalidArgument

    match = re.fullmatch(r"(\d{1,4})([dhm])", text.strip())
    if match is None or int(match[1]) == 0:
        raise InvalidArgument(f"--max-window {text!r} is not a length: write 7d, 12h or 15m.")
    return timedelta(**{{"d": "days", "h": "hours", "m": "minutes"}[match[2]]: int(match[1])})


def _print_plan(plan: ExportPlan, *, as_json: bool) -> None:
    windows = [(kind, window) for kind, pieces in plan.windows.items() for window in pieces]
    if as_json:
        bounds = [
            {"kind": kind}
            | ({"window_start": window.start.isoformat(), "window_end": window.end.isoformat()} if window else {})
            for kind, window in windows
        ]
        emit_json({"windows": bounds, "calls": plan.calls, "minutes": plan.minutes})
        return
    for kind, window in windows:
        typer.echo(f"{kind} {window}" if window else f"{kind}, as of now")
    typer.echo(f"{len(windows)} exports, about {plan.calls} calls and {plan.minutes:g} minutes; nothing was asked for")


def _print_kept(kept: ExportResult, *, as_json: bool) -> None:
    if as_json:
        exports = [
            {
                "window_start": export.window.start.isoformat() if export.window else None,
                "window_end": export.window.end.isoformat() if export.window else None,
                "export_id": export.export_id,
                "file": str(export.file) if export.file else None,
                "sha256": export.sha256,
                "bytes": export.bytes,
            }
            for export in kept.exports
        ]
        missed = [
            {
                "window_start": window.window.start.isoformat() if window.window else None,
                "window_end": window.window.end.isoformat() if window.window else None,
                "reason": window.reason,
            }
            for window in kept.missed
        ]
        code = exit_codes.PARTIAL if kept.missed else 0
        emit_json({"kind": kept.kind, "exports": exports, "missed": missed}, exit_code=code)
        return
    for file in kept.files:
        typer.echo(file)
