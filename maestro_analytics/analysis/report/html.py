"""Build HTML: documents, articles, pictures and tables. Text is escaped here.

    html.document("Billing", ["Period: May"], body=html.table(...) + html.chart(...))

A page is one file: style, pictures and script are inside, and nothing is fetched.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterable, Sequence
from functools import cache, lru_cache
from hashlib import sha256
from html import escape
from importlib.resources import files
from typing import Any

from maestro_analytics.analysis.colours import in_page_colours
from maestro_analytics.text import clean, one_line, without_emoji

WIDE, NARROW = 780, 330
"""Widths of a picture on a screen and on a phone, in pixels."""

OPEN_ROWS = 12
"""A table of the report with more rows is folded, scrolls and has a search box; one with fewer stands open where it
has no picture."""

MOST_ROWS = 6_000
"""A table shows no more rows than this: a browser would take seconds to lay them out."""

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


def quoted(words: object, most: int = 600) -> str:
    """A comment as HTML, with its line breaks, cut after `most` characters."""
    whole = without_emoji(clean(words))
    return escape(whole if len(whole) <= most else f"{whole[:most].rstrip()}…")


def link(address: str | None, words: object) -> str:
    """A link, or plain text without an address."""
    return f'<a href="{escape(address)}">{text(words)}</a>' if address else text(words)


def nothing(words: str) -> str:
    """A sentence where there is nothing to show."""
    return f'<p class="nothing">{text(words)}</p>'


def caveat(words: str) -> str:
    """What a part does not show."""
    return f'<p class="caveat">{text(words)}</p>' if words else ""


def article(heading: str, reading: str, body: str, *, mark: str = "") -> str:
    """A part of a page with its heading and how to read it."""
    named = f' id="{mark}"' if mark else ""
    told = f'<p class="reading">{text(reading)}</p>' if reading else ""
    return f"<article{named}><h2>{text(heading)}</h2>{told}{body}</article>\n"


def document(
    title: str,
    lines: Iterable[str],
    body: str,
    *,
    up: str = "",
    links: Iterable[tuple[str, str]] = (),
    more_style: str = "",
    script: str = "",
) -> str:
    """A whole page.

    Args:
        title: the heading, and the name of the window; text.
        lines: what stands below it; text.
        body: HTML of the main part.
        up: HTML above the heading: links to other pages.
        links: address (`#section` or a relative one) and words of each link below the header; text.
        more_style: CSS after the style sheet that all pages share.
        script: the only script that the page may run.
    """
    digest = b64encode(sha256(script.encode()).digest()).decode()
    policy = f"{NO_NETWORK}; script-src 'sha256-{digest}'" if script else NO_NETWORK
    run = f"<script>{script}</script>\n" if script else ""
    above = f'<nav class="up" aria-label="Pages above">{up}</nav>' if up else ""
    above += f"<h1>{text(title)}</h1><p>{'<br>'.join(text(line) for line in lines)}</p>"
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


def figure(wide: str, narrow: str, *, says: str, caption: str = "") -> str:
    """A picture for screens and one for phones.

    Args:
        wide, narrow: both as SVG.
        says: what the picture says, for those who do not see it; text.
        caption: HTML below it.
    """
    pictures = f'<div class="wide">{wide}</div><div class="narrow">{narrow}</div>'
    below = f"<figcaption>{caption}</figcaption>" if caption else ""
    return f'<figure><div role="img" aria-label="{text(says)}">{pictures}</div>{below}</figure>'


def chart(draw: Callable[[int], Any], *, says: str, mark: str) -> str:
    """A chart in two widths; its caption is the chart's subtitle.

    Args:
        draw: makes an altair chart of so many pixels of width.
        says: what the picture says; text.
        mark: an id of the page's own, so that the ids inside of the pictures are.
    """
    from altair.utils import schemapi

    # Not held against the schema: the tests do that, and here it is a third of the time.
    with schemapi.debug_mode(False):
        both = {size: _drawn(draw(width), f"{mark}-{size}") for size, width in (("wide", WIDE), ("narrow", NARROW))}
    caption = "".join(f'<span class="{size}">{text(detail)}</span>' for size, (_, detail) in both.items() if detail)
    return figure(both["wide"][0], both["narrow"][0], says=says, caption=caption)


def _drawn(chart: Any, mark: str) -> tuple[str, str]:
    """The chart as SVG that takes its colours from the page, and its subtitle, which the page sets itself."""
    import vl_convert

    spec: dict[str, Any] = chart.to_dict(validate=False)
    words = spec.pop("title", {})
    spec["config"] |= {"background": None, "aria": False}  # the figure has its label, its parts are hidden
    # Texts are measured with the font that vl-convert holds in memory, Liberation Sans: one from the disk takes twice
    # as long as all the rest of a picture. style.css shows them in a font of the same widths.
    spec["config"]["font"] = "sans-serif"
    svg = str(vl_convert.vegalite_to_svg(spec)).replace(' font-family="sans-serif"', "")
    return in_page_colours(svg, mark), " ".join(words.get("subtitle", []))


CLASSES = {"text": "", "number": "n", "note": "note", "day": "day"}
"""Kind of a column -> its class. Numbers stand to the right, notes are wide, days are in one line."""


def table(
    heads: Sequence[tuple[str, str]],
    rows: Sequence[Sequence[str]],
    *,
    name: str,
    open_rows: int = OPEN_ROWS,
    total: int | None = None,
    searched: bool = False,
) -> str:
    """A table; its first column of text or days names the row. On a phone each row is a card.

    Args:
        heads: of each column its heading and its kind, one of `CLASSES`.
        rows: cells as HTML; at most `MOST_ROWS` are shown.
        name: what it is a table of, in a few words; text.
        open_rows: a table with more rows scrolls in a box of its own.
        total: how many rows there are, where `rows` are the first of them.
        searched: whether the page's search box filters its rows.
    """
    total = len(rows) if total is None else total
    marks = [f' class="{CLASSES[kind]}"' if CLASSES[kind] else "" for _, kind in heads]
    naming = next((at for at, (_, kind) in enumerate(heads) if kind in ("text", "day")), -1)
    above = "".join(f'<th scope="col"{mark}>{text(words)}</th>' for (words, _), mark in zip(heads, marks, strict=True))
    opens = [f'<th scope="row"{mark}>' if at == naming else f"<td{mark}>" for at, mark in enumerate(marks)]
    ends = ["</th>" if at == naming else "</td>" for at in range(len(marks))]
    lines = "".join(
        "<tr>" + "".join(f"{opens[at]}{cell}{ends[at]}" for at, cell in enumerate(row)) + "</tr>\n"
        for row in rows[:MOST_ROWS]
    )
    more = ""
    if total > MOST_ROWS:
        more += f'<p class="more">The table shows the first {MOST_ROWS:,} of {total:,} rows.</p>'
    if len(rows) > TRIMMED_ROWS:
        more += (
            f'<p class="more paper">Printed are {PRINTED_ROWS} of {total:,} rows; the page on a screen has more.</p>'
        )
    scroll = "scroll" + " long" * (len(rows) > open_rows) + " trimmed" * (len(rows) > TRIMMED_ROWS)
    return (
        f'<div class="{scroll}" tabindex="0" role="group" aria-label="{text(name)}">'
        f"<table {_labels(words for words, _ in heads)}><thead><tr>{above}</tr></thead>"
        f"<tbody{' data-searched' * searched}>{lines}</tbody></table></div>{more}"
    )


def _labels(words: Iterable[str]) -> str:
    """The attribute of a table with its headings: on a phone each row is a card, and every cell has its heading.

    Told once for the table and not for each cell, which would double the size of a long one.
    """
    return 'style="' + "".join(f"--c{at}:{_css_text(word)};" for at, word in enumerate(words, 1)) + '"'


def _css_text(words: str) -> str:
    inside = text(words).replace("\\", r"\5c ")
    return f"&quot;{inside.replace('&quot;', chr(92) + '22 ')}&quot;"


def folded(inner: str, summary: str) -> str:
    """HTML that opens when it is asked for, and on paper."""
    return f"<details><summary>{text(summary)}</summary>{inner}</details>"
