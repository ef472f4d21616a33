"""`report` and `lab`: the answers for people."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from maestro_analytics.extras import require

if TYPE_CHECKING:
    from maestro_analytics.analysis.report.model import Section

WHAT = ("agents", "graders", "questions", "coaching", "all")
FORMATS = ("table", "csv", "json", "html")


def register(app: typer.Typer) -> None:
    """Add the commands of this module to `app`."""
    app.command("report")(report)
    app.command("lab")(lab)


def report(
    what: Annotated[str, typer.Argument(help="agents, graders, questions, coaching or all")] = "all",
    since: Annotated[str | None, typer.Option(help="grades reported at or after it: a date or a moment, UTC")] = None,
    until: Annotated[str | None, typer.Option(help="grades reported before it")] = None,
    team: Annotated[str | None, typer.Option(help="only this team (a group's name or id)")] = None,
    agent: Annotated[str | None, typer.Option(help="only this agent (name, e-mail or id)")] = None,
    rubric: Annotated[str | None, typer.Option(help="only this rubric (name or id)")] = None,
    week_zone: Annotated[str | None, typer.Option(help="time zone in which weeks begin")] = None,
    include_uncovered: Annotated[
        bool, typer.Option("--include-uncovered", help="count grades of time that no refresh has covered, too")
    ] = False,
    min_n: Annotated[int, typer.Option(min=1, help="a row with fewer values is marked as not reliable")] = 10,
    format: Annotated[str | None, typer.Option(help="table, csv, json or html; by default as OUTPUT ends")] = None,
    output: Annotated[Path | None, typer.Option(help="a file (for csv also a folder), not standard output")] = None,
) -> None:
    """Show what can be concluded from the grades, with intervals, and what cannot.

    \b
    maestro-analytics report agents --since 2026-01-01 --team Billing
    maestro-analytics report all --output report.html       one page, pictures inside, no network
    maestro-analytics report questions --format csv         the first table of a section, all columns
    maestro-analytics report all --format csv --output out  a folder with a file for each table
    """
    from maestro_analytics import warehouse
    from maestro_analytics.cli.options import moment
    from maestro_analytics.errors import InvalidArgument, UnknownName

    if what not in WHAT:
        raise UnknownName(kind="report", name=what, known=WHAT)
    kind = format or _kind_of(output)
    if kind not in FORMATS:
        raise UnknownName(kind="format", name=kind, known=FORMATS)
    if output is not None and kind != "csv" and output.is_dir():
        raise InvalidArgument(f"--output {output} is a folder; {kind} is written to one file.")
    # Altair checks no IRI, but its import brings the checks that are installed: the grammar of that one takes 2 s.
    sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]
    from maestro_analytics.analysis import report as reports

    with warehouse.open() as store:
        coming = _watched(
            reports.in_turn(
                store,
                what,
                min_n=min_n,
                since=moment(since, option="--since"),
                until=moment(until, option="--until"),
                team=team,
                agent=agent,
                rubric=rubric,
                week_zone=week_zone,
                include_uncovered=include_uncovered,
            )
        )
        if kind == "html":
            fresh = store.refreshed_at
            as_of = f"Data as of {fresh:%Y-%m-%d %H:%M} UTC" if fresh else ""
            _write(reports.page(coming, as_of=as_of), output)
            return
        if kind == "json":
            _write(reports.as_json(coming) + "\n", output)
            return
        parts = list(coming)
    if kind == "table" and output is None:
        reports.show(parts, to=sys.stdout)
        return
    if kind == "csv" and output is not None and output.suffix.lower() != ".csv":
        for path in reports.csv_folder(parts, output):
            typer.echo(f"wrote {path}", err=True)
        return
    if kind == "table":
        from io import StringIO

        text = StringIO()
        reports.show(parts, to=text)
        _write(text.getvalue(), output)
    else:
        _write(reports.as_csv(parts), output)


def _watched(parts: Iterator[Section]) -> Iterator[Section]:
    """The sections as they come; meanwhile a terminal is told how far it is, and other outputs nothing."""
    from rich.console import Console

    with Console(stderr=True).status("asking the database") as told:
        for part in parts:
            told.update(f"{part.title}: ready, asking on")
            yield part


def _kind_of(output: Path | None) -> str:
    suffix = output.suffix.lower().removeprefix(".") if output is not None else ""
    return {"htm": "html", "": "table"}.get(suffix, suffix if suffix in FORMATS else "table")


def _write(text: str, output: Path | None) -> None:
    if output is None:
        sys.stdout.write(text)
        return
    output.parent.mkdir(parents=True, exist_ok=True)
    part = output.with_name(f"{output.name}.part")
    part.write_text(text, encoding="utf-8")
    part.replace(output)
    typer.echo(f"wrote {output}", err=True)


def lab(
    folder: Annotated[Path, typer.Argument(help="where the notebooks go")] = Path("maestro-notebooks"),
    open_lab: Annotated[bool, typer.Option("--open/--no-open", help="open JupyterLab there")] = True,
) -> None:
    """Copy the notebooks to a folder and open JupyterLab. A notebook that you changed is kept.

    \b
    maestro-analytics lab
    maestro-analytics lab my-notebooks --no-open
    """
    import subprocess

    from maestro_analytics.analysis.notebooks import copy_notebooks
    from maestro_analytics.settings import Settings

    if open_lab:
        require("lab", for_what="`lab`")
    for line in copy_notebooks(folder):
        typer.echo(line, err=True)
    typer.echo(str(folder.absolute()))
    if open_lab:
        # Notebooks run in their own folder, where a relative data folder would be another one.
        data = f"MAESTRO_DATA={Settings.from_environment().data.absolute()}"
        raise typer.Exit(subprocess.call(["env", data, sys.executable, "-m", "jupyterlab", str(folder)]))  # noqa: S603, S607
