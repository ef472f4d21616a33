"""Answers of the report as HTML: their words, picture and table."""

from __future__ import annotations

from maestro_analytics.analysis.report import html
from maestro_analytics.analysis.report.model import Block, Column, Section, cells, with_something_to_say
from maestro_analytics.analysis.report.sentences import counted


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
    return html.chart(
        lambda width: draw(block.answer, width=width), says=block.says or block.piece.title, mark=block.name
    )


def numbers(block: Block) -> str:
    """The table of an answer as HTML, folded where there is a picture or it is long."""
    rows = cells(block, rows=html.MOST_ROWS)
    kept = with_something_to_say(block, rows)
    heads = [(column.heading, _kind(column)) for column in (block.piece.columns[at] for at in kept)]
    chosen = [[html.text(row[at]) for at in kept] for row in rows]
    name, total = block.piece.title, block.frame.height
    table = html.table(heads, chosen, name=name, total=total)
    if block.piece.draw is None and len(rows) <= html.OPEN_ROWS:
        return table
    return html.folded(table, f"{name.removesuffix('?')}: all as a table ({counted(total, 'row')})")


def _kind(column: Column) -> str:
    if column.heading == "Note":
        return "note"
    return "text" if column.style == "text" else "number"


def _paragraph(kind: str, words: str) -> str:
    return f'<p class="{kind}">{html.text(words)}</p>' if words else ""
