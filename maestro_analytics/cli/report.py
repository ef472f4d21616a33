"""`report` and `lab`: the answers for people."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import partial
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from maestro_analytics.arguments import moment_of
from maestro_analytics.cli.output import Format, ForSpreadsheets, check_destination, csv_text, write_content
from maestro_analytics.errors import InvalidArgument, UnknownName
from maestro_analytics.extras import require

if TYPE_CHECKING:
    from maestro_analytics.analysis.filters import Filters
    from maestro_analytics.analysis.report.model import Section
    from maestro_analytics.warehouse import Store

WHAT = ("agents", "graders", "questions", "coaching", "all", "scorecard", "site")
FORMATS = ("table", "csv", "json", "html", "xlsx")
SCORECARD_FORMATS = ("table", "json", "html")


def register(app: typer.Typer) -> None:
    """Add the commands of this module to `app`."""
    app.command("report")(report)
    # What it does not know itself is for JupyterLab.
    app.command("lab", context_settings={"ignore_unknown_options": True})(lab)


def report(
    what: Annotated[
        str,
        typer.Argument(
            metavar="WHAT",
            help="What to show: agents, graders, questions, coaching, all of these, the scorecard of one agent, or a "
            "site with a page for each team and agent.",
        ),
    ] = "all",
    since: Annotated[
        str | None,
        typer.Option(metavar="DATE", help="Count grades reported at or after this date or moment (UTC)."),
    ] = None,
    until: Annotated[str | None, typer.Option(metavar="DATE", help="Count grades reported before it.")] = None,
    team: Annotated[str | None, typer.Option(metavar="NAME", help="Count only this team: its name or id.")] = None,
    agent: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Count only this agent: a name, an e-mail address or an id."),
    ] = None,
    rubric: Annotated[str | None, typer.Option(metavar="NAME", help="Count only this rubric: its name or id.")] = None,
    week_zone: Annotated[
        str | None, typer.Option(metavar="ZONE", help="Begin weeks in this time zone, such as Europe/Berlin.")
    ] = None,
    include_uncovered: Annotated[
        bool, typer.Option("--include-uncovered", help="Count grades of time that no refresh has covered, too.")
    ] = False,
    min_n: Annotated[
        int, typer.Option(min=1, metavar="N", help="Mark what rests on fewer values as not reliable.")
    ] = 10,
    format: Annotated[
        str | None,
        typer.Option(metavar="FORMAT", help="Write table, csv, json, html or xlsx; by default what FILE ends with."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write to this file; for csv and the site it may be a folder."),
    ] = None,
    for_spreadsheets: ForSpreadsheets = False,
) -> None:
    """Show what can be concluded from the grades, with intervals, and what cannot.

    \b
    Examples:
      maestro-analytics report agents --since 2026-01-01 --team Billing
      maestro-analytics report all --output report.html          one page
      maestro-analytics report questions --format csv            its first table
      maestro-analytics report all --format csv --output out     all tables
      maestro-analytics report all --output report.xlsx          a workbook
      maestro-analytics report scorecard --agent "Ada Lovelace"  one agent
      maestro-analytics report site --output site                linked pages
    """
    import polars as pl

    from maestro_analytics import warehouse

    if what not in WHAT:
        raise UnknownName(kind="report", name=what, known=WHAT)
    kind = format or _kind_of(output)
    if kind not in FORMATS:
        raise UnknownName(kind="format", name=kind, known=FORMATS)
    if output is not None and kind != "csv" and what != "site" and output.is_dir():
        raise InvalidArgument(f"--output {output} is a folder; {kind} is written to one file.")
    if kind == "xlsx":
        check_destination(Format.XLSX, output)
    if for_spreadsheets and kind != "csv":
        raise InvalidArgument("--spreadsheet is for --format csv; the other formats need no such care.")
    # Altair checks no IRI, but its import brings the checks that are installed: the grammar of that one takes 2 s.
    sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]
    from maestro_analytics.analysis import report as reports

    chosen: Filters = {
        "since": moment_of(since, name="--since"),
        "until": moment_of(until, name="--until"),
        "team": team,
        "rubric": rubric,
        "week_zone": week_zone,
        "include_uncovered": include_uncovered,
    }
    with warehouse.open() as store:
        if what == "scorecard":
            _scorecard(store, agent, kind=kind, output=output, min_n=min_n, filters=chosen)
            return
        if what == "site":
            if agent is not None:
                raise InvalidArgument("a site has all agents: use `report scorecard --agent NAME` for one.")
            _site(store, output=output, min_n=min_n, filters=chosen)
            return
        chosen["agent"] = agent
        coming = _watched(reports.in_turn(store, what, min_n=min_n, **chosen))
        if kind == "html":
            write_content(reports.page(coming, as_of=_as_of(store)), output)
            return
        if kind == "json":
            write_content(reports.as_json(coming) + "\n", output)
            return
        parts = list(coming)
    if kind == "table" and output is None:
        reports.show(parts, to=sys.stdout)
        return
    if kind == "xlsx":
        write_content(_workbook(parts), output)
        return
    to_csv = partial(csv_text, for_spreadsheets=True) if for_spreadsheets else pl.DataFrame.write_csv
    if kind == "csv" and output is not None and output.suffix.lower() != ".csv":
        for path in reports.csv_folder(parts, output, to_csv=to_csv):
            typer.echo(f"wrote {path}", err=True)
        return
    if kind == "table":
        from io import StringIO

        text = StringIO()
        reports.show(parts, to=text)
        write_content(text.getvalue(), output)
    else:
        write_content(reports.as_csv(parts, to_csv=to_csv), output)


def _watched(parts: Iterator[Section]) -> Iterator[Section]:
    """The sections as they come; meanwhile a terminal is told how far it is, and other outputs nothing."""
    from rich.console import Console

    with Console(stderr=True).status("asking the database") as told:
        for part in parts:
            told.update(f"{part.title}: done; running the next query")
            yield part


def _kind_of(output: Path | None) -> str:
    suffix = output.suffix.lower().removeprefix(".") if output is not None else ""
    return {"htm": "html", "": "table"}.get(suffix, suffix if suffix in FORMATS else "table")


def _workbook(parts: list[Section]) -> bytes:
    """All answers as a workbook: what each is about, then a sheet for each."""
    import polars as pl

    from maestro_analytics.cli.spreadsheet import workbook

    blocks = [block for part in parts for block in part.blocks]
    notes = [("sheet", "what it is about"), *((b.name, line) for b in blocks for line in b.answer.about.lines)]
    sheets = {block.name: pl.DataFrame(block.answer) for block in blocks}
    return workbook(sheets, notes=notes, for_what="`report --format xlsx`")


def lab(
    arguments: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="FOLDER [JUPYTERLAB OPTIONS]",
            help="The folder of the notebooks (maestro-notebooks without one), then what JupyterLab is to be told.",
        ),
    ] = None,
    open_lab: Annotated[
        bool, typer.Option("--open/--no-open", help="Open JupyterLab there, or copy the notebooks only.")
    ] = True,
) -> None:
    """Copy the notebooks to a folder and open JupyterLab in it. A notebook that you changed is kept.

    All that comes after the folder is JupyterLab's own, such as --port, --ip and --no-browser.

    \b
    Examples:
      maestro-analytics lab
      maestro-analytics lab my-notebooks --no-open
      maestro-analytics lab my-notebooks --port 9000 --no-browser
    """
    import subprocess

    from maestro_analytics.cli.notebooks import copy_notebooks
    from maestro_analytics.settings import Settings, environment_with

    given = arguments or []
    has_folder = bool(given) and not given[0].startswith("-")
    folder = Path(given[0] if has_folder else "maestro-notebooks")
    if open_lab:
        require("lab", for_what="`lab`")
    for line in copy_notebooks(folder):
        typer.echo(line, err=True)
    typer.echo(str(folder.absolute()))
    if open_lab:
        # Notebooks run in their own folder, where a relative data folder would be another one.
        environment = environment_with(MAESTRO_DATA=str(Settings.from_environment().data.absolute()))
        command = [sys.executable, "-m", "jupyterlab", str(folder), *given[has_folder:]]
        raise typer.Exit(subprocess.call(command, env=environment))  # noqa: S603


def _scorecard(store: Store, name: str | None, *, kind: str, output: Path | None, min_n: int, filters: Filters) -> None:
    """Write the scorecard of the agent called `name`, among all whom `filters` choose.

    Raises:
        UnknownName, InvalidArgument: the agent or the format does not exist, or several agents are called so.
    """
    from maestro_analytics.analysis import report as reports
    from maestro_analytics.settings import Settings

    if name is None:
        raise InvalidArgument("whose scorecard? Say it with --agent NAME (a name, an e-mail address or an id).")
    if kind not in SCORECARD_FORMATS:
        raise UnknownName(kind="format of a scorecard", name=kind, known=SCORECARD_FORMATS)
    links = Settings.from_environment().ticket_urls
    person_id = reports.person_called(store, name)
    cards = reports.scorecards(store, min_n=min_n, **filters)
    card = cards.of(person_id)
    if kind == "html":
        text = reports.scorecard_page(cards, card, addresses=links, as_of=_as_of(store))
    elif kind == "json":
        text = reports.scorecard_json(cards, card, addresses=links)
    elif output is None:
        reports.show_scorecard(cards, card, to=sys.stdout, links=links)
        return
    else:
        lines = StringIO()
        reports.show_scorecard(cards, card, to=lines, links=links)
        text = lines.getvalue()
    write_content(text, output)


def _site(store: Store, *, output: Path | None, min_n: int, filters: Filters) -> None:
    """Write the site into the folder `output`."""
    from maestro_analytics.analysis import report as reports
    from maestro_analytics.settings import Settings

    if output is None:
        raise InvalidArgument("where should the site go? Name a folder with --output FOLDER.")
    links = Settings.from_environment().ticket_urls
    pages = 0
    for _ in reports.write_site(store, output, min_n=min_n, addresses=links, as_of=_as_of(store), **filters):
        pages += 1
    typer.echo(f"wrote {output / 'index.html'} and {pages - 1} more pages", err=True)


def _as_of(store: Store) -> str:
    """How fresh the data is, in words."""
    fresh = store.refreshed_at
    return f"Data as of {fresh:%Y-%m-%d %H:%M} UTC" if fresh else ""
