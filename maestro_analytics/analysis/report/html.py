"""What pages are built of: a whole document, pictures and tables. Text is escaped here and nowhere else.

    html.document(title="Billing", above="<h1>Billing</h1>", body=html.table(...) + html.figure(...))

A page is one file: style, pictures and script are inside, and nothing is fetched.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from hashlib import sha256
from html import escape
from importlib.resources import files
from typing import Any

from maestro_analytics.analysis.emoji import without_emoji
from maestro_analytics.text import one_line

WIDE, NARROW = 780, 330
"""Widths of a picture on a screen and on a phone, in pixels."""

OPEN_ROWS = 12
"""A table with more rows is folded and has a search box; one with fewer stands open where it has no picture."""

MOST_ROWS = 6_000
"""More rows a table does not show: a browser would take seconds to lay it out."""

PRINTED_ROWS, TRIMMED_ROWS = 20, 30
"""So many rows of a table with more than `TRIMMED_ROWS` are printed; style.css has the number plus one."""

NO_NETWORK = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


@cache
def part(name: str) -> str:
    """A file beside this module: a style sheet or a script."""
    return files("maestro_analytics.analysis.report").joinpath(name).read_text(encoding="utf-8")


@lru_cache(maxsize=1 << 16)
def text(words: object) -> str:
    """One line of words as HTML: escaped, and without emoji, for which many printers and browsers have no letter.

    Remembered: a table of thousands of rows has the same cells again and again.
    """
    return escape(without_emoji(one_line(words)), quote=True)


def document(
    *,
    title: str,
    above: str,
    body: str,
    links: Iterable[tuple[str, str]] = (),
    more_style: str = "",
    script: str | None = None,
) -> str:
    """A whole page.

    Args:
        title: of the window; text.
        above: HTML of the header: the heading and what stands below it.
        body: HTML of the rest.
        links: address (`#section` or a relative one) and words of each link below the header; text.
        more_style: CSS after the style sheet that all pages share.
        script: the only script that the page may run; that of the search boxes of tables by default.
    """
    script = part("search.js") if script is None else script
    digest = b64encode(sha256(script.encode()).digest()).decode()
    policy = f"{NO_NETWORK}; script-src 'sha256-{digest}'" if script else NO_NETWORK
    run = f"<script>{script}</script>\n" if script else ""
    items = "".join(f'<li><a href="{text(address)}">{text(words)}</a></li>' for address, words in links)
    nav = f'<nav aria-label="Sections"><ul>{items}</ul></nav>' if items else ""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n<meta name="referrer" content="no-referrer">\n'
        f"<title>{text(title)}</title>\n<style>{part('style.css')}{more_style}</style>\n</head>\n<body>\n"
        f"<header>{above}{nav}</header>\n<main>\n{body}</main>\n{run}</body>\n</html>\n"
    )


def figure(draw: Callable[[int], Any], *, says: str, mark: str) -> str:
    """A picture for screens and one for phones; its caption is the chart's subtitle.

    Args:
        draw: makes an altair chart of so many pixels of width.
        says: what the picture says, for those who do not see it; text.
        mark: an id of the page's own, so that the ids inside of the pictures are.
    """
    both = [(size, *_drawn(draw(width), f"{mark}-{size}")) for size, width in (("wide", WIDE), ("narrow", NARROW))]
    pictures = "".join(f'<div class="{size}">{svg}</div>' for size, svg, _ in both)
    details = "".join(f'<span class="{size}">{text(detail)}</span>' for size, _, detail in both if detail)
    caption = f"<figcaption>{details}</figcaption>" if details else ""
    return f'<figure><div role="img" aria-label="{text(says)}">{pictures}</div>{caption}</figure>'


def _drawn(chart: Any, mark: str) -> tuple[str, str]:
    """The chart as SVG that takes its colours from the page, and its subtitle, which the page sets itself."""
    import vl_convert
    from altair.utils import schemapi

    # Not held against the schema: the tests do that, and here it is a third of the time.
    with schemapi.debug_mode(False):
        spec: dict[str, Any] = chart.to_dict(validate=False)
    words = spec.pop("title", {})
    spec["config"] |= {"background": None, "aria": False}  # the figure has its label, its parts are hidden
    svg = str(vl_convert.vegalite_to_svg(spec))
    return in_page_colours(svg, mark), " ".join(words.get("subtitle", []))


def in_page_colours(svg: str, mark: str) -> str:
    """Replace colours by CSS variables of the page, and make ids unique among its pictures."""
    from maestro_analytics.analysis.charts.theme import PALETTE

    svg = re.sub(r'<text [^>]*\bopacity="0"[^>]*>[^<]*</text>', "", svg)  # labels that found no room
    for name, colour in PALETTE.items():
        svg = re.sub(rf'="{colour}"', f'="var(--{name})"', svg, flags=re.IGNORECASE)
    svg = re.sub(r'\bid="([^"]+)"', rf'id="{mark}-\1"', svg)
    svg = re.sub(r"url\(#([^)]+)\)", rf"url(#{mark}-\1)", svg)
    svg = re.sub(r'href="#([^"]+)"', rf'href="#{mark}-\1"', svg)
    width, height = (re.search(rf'<svg [^>]*?\b{side}="([\d.]+)"', svg) for side in ("width", "height"))
    if width and height:
        svg = re.sub(r'(<svg [^>]*?)width="[\d.]+" height="[\d.]+"', r"\1", svg, count=1)
        svg = svg.replace("<svg ", f'<svg style="max-width:{width[1]}px" aria-hidden="true" ', 1)
    return svg


def labels(words: Iterable[str]) -> str:
    """The attribute of a table with its headings: on a phone each row is a card, and every cell has its heading.

    Told once for the table and not for each cell, which would double the size of a long one.
    """
    return 'style="' + "".join(f"--c{at}:{_css_text(word)};" for at, word in enumerate(words, 1)) + '"'


def _css_text(words: str) -> str:
    quoted = text(words).replace("\\", r"\5c ")
    return f"&quot;{quoted.replace('&quot;', chr(92) + '22 ')}&quot;"


def printed_note(total: int) -> str:
    """Says on paper that most rows of a table are on the screen alone."""
    return f'<p class="more paper">Printed are {PRINTED_ROWS} of {total:,} rows; the page on a screen has more.</p>'


@dataclass(frozen=True)
class Head:
    """The heading of a table's column.

    Attributes:
        kind: "text", "number" (to the right) or "note" (text that is long).
    """

    words: str
    kind: str = "text"


def table(
    heads: Sequence[Head], rows: Sequence[Sequence[str]], *, name: str, folded: bool = True, total: int | None = None
) -> str:
    """A table of texts. The first column of text names the row.

    A long one has a search box where scripts run. Folded, it opens when asked for, and on paper. On a phone each row is
    a card.

    Args:
        name: what it is a table of, in a few words; text.
        total: how many rows there are, where `rows` are the first `MOST_ROWS` of them.
    """
    total = len(rows) if total is None else total
    classes = {"number": ' class="n"', "note": ' class="note"'}
    marks = [classes.get(head.kind, "") for head in heads]
    naming = next((at for at, head in enumerate(heads) if head.kind == "text"), -1)
    above = "".join(f'<th scope="col"{mark}>{text(head.words)}</th>' for head, mark in zip(heads, marks, strict=True))
    opens = [f'<th scope="row"{mark}>' if at == naming else f"<td{mark}>" for at, mark in enumerate(marks)]
    ends = ["</th>" if at == naming else "</td>" for at in range(len(marks))]
    lines = "".join(
        "<tr>" + "".join(f"{opens[at]}{text(cell)}{ends[at]}" for at, cell in enumerate(row)) + "</tr>\n"
        for row in rows[:MOST_ROWS]
    )
    long = len(rows) > OPEN_ROWS
    more = ""
    if total > MOST_ROWS:
        more += f'<p class="more">The table shows the first {MOST_ROWS:,} of {total:,} rows.</p>'
    trimmed = len(rows) > TRIMMED_ROWS
    if trimmed:
        more += printed_note(total)
    scroll = f"scroll{' long' if long else ''}{' trimmed' if trimmed else ''}"
    made = (
        f'<div class="{scroll}" tabindex="0" role="region" aria-label="{text(name)}">'
        f"<table {labels(head.words for head in heads)}><thead><tr>{above}</tr></thead>"
        f"<tbody>{lines}</tbody></table></div>{more}"
    )
    if not folded and not long:
        return made
    rows_word = "1 row" if total == 1 else f"{total:,} rows"
    named = name.removesuffix("?")
    return f"<details><summary>{text(named)}: all as a table ({rows_word})</summary>{made}</details>"
