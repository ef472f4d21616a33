"""`push`: metrics back to the vendor."""

from __future__ import annotations

import textwrap
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from maestro_analytics.arguments import moment_of
from maestro_analytics.cli import exit_codes
from maestro_analytics.cli.commands import command_group
from maestro_analytics.cli.output import AsJson, JsonOutput, emit_json
from maestro_analytics.push.metrics import METRICS

if TYPE_CHECKING:
    from maestro_analytics.push import PushReport

CATALOGUE = "\n".join(
    f"  {metric.name} ({metric.unit})\n{textwrap.indent(textwrap.fill(metric.description, 72), '    ')}"
    for metric in METRICS
)

DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be sent, and send nothing.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this module to `app`."""
    group = command_group(
        "push",
        help="Metrics back to the vendor: what changed since it was last acknowledged, and nothing else.",
        examples=("push agent-metrics --metric qa_score --dry-run", "push file hours.csv --kind agent --dry-run"),
    )
    group.command("agent-metrics", help=AGENT_METRICS_HELP)(agent_metrics)
    group.command("file")(file)
    app.add_typer(group)
    JsonOutput.of_nothing_done["push"] = lambda: (
        dict.fromkeys(("planned", "sent", "unchanged"), 0)
        | {
            "rejected": [],
            "unknown": [],
        }
    )


AGENT_METRICS_HELP = f"""Compute metrics from the published database and send those that changed.

One value per person, metric and period, under an id that the vendor knows. A week or month stands at its first moment
in UTC, `all` at the day of the newest grade counted. Use one period for a metric: the vendor knows it by its name.

\b
Examples:
  maestro-analytics push agent-metrics --metric qa_score --dry-run
  maestro-analytics push agent-metrics --metric qa_score --metric qa_grades --period week
  maestro-analytics push agent-metrics --metric points_lost_share --period month --since 2026-01-01 --json

\b
Metrics:
{CATALOGUE}
"""


def agent_metrics(
    metric: Annotated[list[str], typer.Option("--metric", metavar="NAME", help="Which; repeat it for several.")],
    since: Annotated[
        str | None, typer.Option(metavar="DATE", help="Count grades at or after it, a date or ISO 8601, UTC.")
    ] = None,
    until: Annotated[str | None, typer.Option(metavar="DATE", help="Count grades before it.")] = None,
    period: Annotated[str, typer.Option(metavar="week|month|all", help="What a value covers.")] = "all",
    include_uncovered: Annotated[
        bool,
        typer.Option("--include-uncovered", help="Send values of time that no refresh has covered completely, too."),
    ] = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """See `AGENT_METRICS_HELP`, which lists the catalogue."""
    from maestro_analytics.api import Transport
    from maestro_analytics.push import Span, push_computed
    from maestro_analytics.settings import Settings

    span = Span(period, moment_of(since, name="--since"), moment_of(until, name="--until"))
    settings = Settings.from_environment()
    with ExitStack() as stack:
        report = push_computed(
            metric,
            span,
            settings=settings,
            connect=lambda: stack.enter_context(Transport(settings)),
            dry_run=dry_run,
            include_uncovered=include_uncovered,
        )
    _finish(report, as_json=as_json)


def file(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="A CSV or Parquet file.", show_default=False)],
    kind: Annotated[str, typer.Option(metavar="agent|ticket", help="What the metrics are attached to.")],
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Send what changed of metrics of your own, from a CSV or Parquet file with the API's field names.

    Agent metrics have agent_id, metric_id, metric_value and timestamp (2026-01-31T09:00:00Z). Ticket metrics have
    ticket_id and source_id besides, and ticket_event_id and metric_deleted if wanted.

    \b
    Examples:
      maestro-analytics push file hours.csv --kind agent --dry-run
      maestro-analytics push file surveys.parquet --kind ticket --json
    """
    from maestro_analytics.api import Transport
    from maestro_analytics.push import push_file
    from maestro_analytics.settings import Settings

    settings = Settings.from_environment()
    with ExitStack() as stack:
        report = push_file(
            path, kind, settings=settings, connect=lambda: stack.enter_context(Transport(settings)), dry_run=dry_run
        )
    _finish(report, as_json=as_json)


def _finish(report: PushReport, *, as_json: bool) -> None:
    """Print the report, then leave with the exit code that it stands for."""
    for warning in report.warnings:
        typer.echo(f"warning: {warning}", err=True)
    code = 0 if report.is_complete else exit_codes.PARTIAL
    if report.stopped_by is not None:
        code = exit_codes.exit_code(report.stopped_by)
    if as_json:
        emit_json(report.as_json(), exit_code=code)
    else:
        typer.echo("\n".join(report.lines()))
    if report.stopped_by is not None:
        raise report.stopped_by
    raise typer.Exit(code)
