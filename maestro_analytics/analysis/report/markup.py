"""Pieces of HTML that the scorecard and the pages of a site share, on top of `html`. All text is escaped here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from maestro_analytics.analysis.emoji import without_emoji
from maestro_analytics.analysis.report import html
from maestro_analytics.analysis.report.html import text
from maestro_analytics.text import clean

LONG_ROWS = 50
"""A table with more rows scrolls in a box of its own."""


def document(title: str, lines: Iterable[str], body: str, *, up: str = "", searched: bool = False) -> str:
    """A whole page.

    Args:
        title: the heading, plain text.
        lines: below it, plain text.
        body: HTML of the main part.
        up: HTML above the heading: links to other pages.
        searched: whether the page has the search box's script.
    """
    named = text(title)
    above = f'<nav class="up" aria-label="Pages above">{up}</nav>' if up else ""
    below = f"<h1>{named}</h1><p>{'<br>'.join(text(line) for line in lines)}</p>"
    return html.document(
        title=title,
        above=above + below,
        body=body,
        more_style=html.part("card.css"),
        script=html.part("search_agents.js") if searched else "",
    )


def quoted(words: object, most: int = 600) -> str:
    """A comment as HTML, with its line breaks."""
    whole = without_emoji(clean(words))
    return escape(whole if len(whole) <= most else f"{whole[:most].rstrip()}…")


def link(address: str | None, words: object) -> str:
    """A link, or plain text without an address."""
    return f'<a href="{escape(address)}">{text(words)}</a>' if address else text(words)


def article(heading: str, reading: str, body: str, *, mark: str = "") -> str:
    """A part of a page with its heading and how to read it."""
    named = f' id="{mark}"' if mark else ""
    told = f'<p class="reading">{text(reading)}</p>' if reading else ""
    return f"<article{named}><h2>{text(heading)}</h2>{told}{body}</article>\n"


def figure(wide: str, narrow: str, *, words: str) -> str:
    """A picture in two widths, with the words that say the same."""
    pictures = f'<div class="wide">{wide}</div><div class="narrow">{narrow}</div>'
    return f'<figure role="img" aria-label="{text(words)}">{pictures}</figure>'


def table(headings: Sequence[tuple[str, str]], rows: Iterable[Sequence[str]], *, searched: bool = False) -> str:
    """A table; the first column names the row. On a phone each row is a card; a long table scrolls in its own box.

    Args:
        headings: of each column its heading and `text` or `number`.
        rows: cells as HTML.
        searched: whether the search box filters its rows.
    """
    head = "".join(f'<th scope="col" class="{kind}">{text(words)}</th>' for words, kind in headings)
    tags = ['th scope="row"', *["td"] * (len(headings) - 1)]
    lines = [
        "<tr>"
        + "".join(
            f'<{tag} class="{kind}">{cell}</{tag[:2]}>'
            for tag, cell, (_, kind) in zip(tags, row, headings, strict=True)
        )
        + "</tr>"
        for row in rows
    ]
    mark = " data-searched" if searched else ""
    long, trimmed = len(lines) > LONG_ROWS, len(lines) > html.TRIMMED_ROWS
    note = html.printed_note(len(lines)) if trimmed else ""
    return (
        f'<div class="scroll{" long" if long else ""}{" trimmed" if trimmed else ""}" tabindex="0" role="group" '
        f'aria-label="Table"><table {html.labels(words for words, _ in headings)}><thead><tr>{head}</tr></thead>'
        f"<tbody{mark}>{''.join(lines)}</tbody></table></div>"
        f"{note}"
    )


def nothing(words: str) -> str:
    """A sentence where there is nothing to show."""
    return f'<p class="nothing">{text(words)}</p>'


def caveat(words: str) -> str:
    """What a part does not show."""
    return f'<p class="caveat">{text(words)}</p>' if words else ""
