"""The report as one self-contained page: pictures inside, no network, light and dark, desktop, phone and paper."""

from __future__ import annotations

from collections.abc import Iterable

from maestro_analytics.analysis.filters import TIME_AXIS
from maestro_analytics.analysis.report import html, overview
from maestro_analytics.analysis.report.model import Block, Column, Section, cells, whole_period, with_something_to_say


def page(parts: Iterable[Section], *, title: str = "QA report", as_of: str = "") -> str:
    """The report as HTML.

    Args:
        parts: the sections; each is drawn when it comes (see `in_turn`).
        title: what stands on top.
        as_of: how fresh the data is, in words.
    """
    come: list[Section] = []
    drawn: list[str] = []
    for part in parts:
        come.append(part)
        # The top needs the answers of all other sections: it is drawn last.
        drawn.append("" if part.name == overview.NAME else section(part))
    if come and come[0].name == overview.NAME:
        drawn[0] = overview.drawn(come[0], come[1:])
    lines = [*(_about(come[0]) if come else []), *([as_of] if as_of else [])]
    above = f"<h1>{html.text(title)}</h1><p>{'<br>'.join(html.text(line) for line in lines)}</p>"
    links = [(f"#{part.name}", part.title) for part in come]
    return html.document(title=title, above=above, body="".join(drawn), links=links)


def _about(part: Section) -> list[str]:
    """What holds for the whole page, in words."""
    about = whole_period(part)
    days = about.time_axis.replace(TIME_AXIS, "the day it is reported as")
    ranges = (
        f"A grade counts on {days}. Bars, and ranges in brackets, hold the true value in 95 of 100 cases. "
        "n: from how many grades or answers."
    )
    return [line for line in (f"Period: {about.period}", ranges, about.left_out) if line]


def section(part: Section) -> str:
    """A section with its heading and all its answers, as HTML."""
    blocks = "".join(article(block) for block in part.blocks)
    return f'<section id="{part.name}"><h2>{html.text(part.title)}</h2>\n{blocks}</section>\n'


def article(block: Block) -> str:
    """One answer as HTML: what it says, its picture, its table, and how to read it."""
    words, about = block.piece.words, block.answer.about
    pieces = [f"<h3>{html.text(block.piece.title)}</h3>", _paragraph("measured", words.measured)]
    if not block.answer.height:
        pieces.append(_paragraph("nothing", about.reason))
        return f'<article id="{block.name}">{"".join(pieces)}</article>\n'
    pieces.append(_paragraph("says", block.says))
    if block.piece.draw is not None:
        pieces.append(picture(block))
    if block.piece.columns:
        pieces.append(numbers(block))
    guide = [
        f"<p><b>{heading}</b> {html.text(text)}</p>"
        for heading, text in (
            ("How to read it:", words.reading),
            ("What to do:", words.action),
            ("What it does not show:", words.limits),
        )
        if text
    ]
    pieces.append(f'<div class="guide">{"".join(guide)}</div>' if guide else "")
    method = f"Method: {words.method}" if words.method else ""
    caveat = about.own_caveat if words.with_caveat else ""
    pieces.append(_paragraph("footnote", " ".join(text for text in (method, caveat) if text)))
    return f'<article id="{block.name}">{"".join(pieces)}</article>\n'


def picture(block: Block) -> str:
    """The chart of an answer as HTML."""
    from maestro_analytics.analysis import charts

    draw = getattr(charts, block.piece.draw or "")
    return html.figure(
        lambda width: draw(block.answer, width=width), says=block.says or block.piece.title, mark=block.name
    )


def numbers(block: Block) -> str:
    """The table of an answer as HTML, folded where there is a picture or it is long."""
    rows = cells(block, rows=html.MOST_ROWS)
    kept = with_something_to_say(block, rows)
    heads = [_head(block.piece.columns[at]) for at in kept]
    chosen = rows if len(kept) == len(block.piece.columns) else [[row[at] for at in kept] for row in rows]
    return html.table(
        heads, chosen, name=block.piece.title, folded=block.piece.draw is not None, total=block.frame.height
    )


def _head(column: Column) -> html.Head:
    if column.heading == "Note":
        return html.Head(column.heading, "note")
    return html.Head(column.heading, "text" if column.style == "text" else "number")


def _paragraph(kind: str, words: str) -> str:
    return f'<p class="{kind}">{html.text(words)}</p>' if words else ""
