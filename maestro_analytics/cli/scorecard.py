"""`report scorecard` and `report site`: what a team lead takes into a talk with an agent."""

from __future__ import annotations

import sys
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from maestro_analytics.cli.output import write_content
from maestro_analytics.errors import InvalidArgument, UnknownName

if TYPE_CHECKING:
    from maestro_analytics.analysis.filters import Filters
    from maestro_analytics.warehouse import Store

FORMATS = ("table", "json", "html")


def scorecard(store: Store, name: str | None, *, kind: str, output: Path | None, min_n: int, filters: Filters) -> None:
    """Write the scorecard of the agent called `name`, among all whom `filters` choose.

    Raises:
        UnknownName, InvalidArgument: the agent or the format does not exist, or several agents are called so.
    """
    from maestro_analytics.analysis import report as reports
    from maestro_analytics.settings import Settings

    if name is None:
        raise InvalidArgument("whose scorecard? Say it with --agent NAME (a name, an e-mail address or an id).")
    if kind not in FORMATS:
        raise UnknownName(kind="format of a scorecard", name=kind, known=FORMATS)
    links = Settings.from_environment().ticket_urls
    person_id = reports.person_called(store, name)
    cards = reports.scorecards(store, min_n=min_n, **filters)
    card = cards.of(person_id)
    if kind == "html":
        text = reports.scorecard_page(cards, card, addresses=links, as_of=as_of(store))
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


def site(store: Store, *, output: Path | None, min_n: int, filters: Filters) -> None:
    """Write the site into the folder `output`."""
    from maestro_analytics.analysis import report as reports
    from maestro_analytics.settings import Settings

    if output is None:
        raise InvalidArgument("where should the site go? Name a folder with --output FOLDER.")
    links = Settings.from_environment().ticket_urls
    pages = 0
    for _ in reports.write_site(store, output, min_n=min_n, addresses=links, as_of=as_of(store), **filters):
        pages += 1
    typer.echo(f"wrote {output / 'index.html'} and {pages - 1} more pages", err=True)


def as_of(store: Store) -> str:
    """How fresh the data is, in words."""
    fresh = store.refreshed_at
    return f"Data as of {fresh:%Y-%m-%d %H:%M} UTC" if fresh else ""
