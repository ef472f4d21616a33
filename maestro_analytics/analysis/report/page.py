"""The report as one self-contained page: pictures inside, no script, no network, light and dark, desktop and phone."""

from __future__ import annotations

import re
from collections.abc import Iterable
from html import escape
from typing import Any

from maestro_analytics.analysis.report.model import Block, Section, cells, heading_lines, with_something_to_say
from maestro_analytics.analysis.report.style import STYLE

WIDE, NARROW = 760, 340
SHOWN_ROWS, OPEN_ROWS = 60, 15
"""How many rows a table shows at most, and how many without being asked to."""

NO_NETWORK = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def page(parts: Iterable[Section], *, title: str = "QA report", as_of: str = "") -> str:
    """The report as HTML.

    Args:
        parts: the sections; each is drawn when it comes (see `in_turn`).
        title: what stands on top.
        as_of: how fresh the data is, in words.
    """
    lines: list[str] = []
    links = body = ""
    for part in parts:
        lines = lines or [*heading_lines(part), *([as_of] if as_of else [])]
        links += f'<a href="#{part.name}">{escape(part.title)}</a>'
        body += _section(part)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{NO_NETWORK}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        f"<header><h1>{escape(title)}</h1><p>{'<br>'.join(escape(line) for line in lines)}</p>"
        f'<nav aria-label="Sections">{links}</nav></header>\n<main>\n{body}</main>\n</body>\n</html>\n'
    )


def _section(part: Section) -> str:
    blocks = "".join(_block(block, f"{part.name}-{at}") for at, block in enumerate(part.blocks))
    return f'<section id="{part.name}"><h2>{escape(part.title)}</h2>\n{blocks}</section>\n'


def _block(block: Block, mark: str) -> str:
    about = block.answer.about
    pieces = [f"<h3>{escape(block.piece.title)}</h3>", f'<p class="reading">{escape(block.piece.reading)}</p>']
    if not block.answer.height:
        pieces.append(f'<p class="nothing">{escape(about.reason)}</p>')
    else:
        if block.piece.draw is not None:
            pieces.append(_picture(block, mark))
        if block.piece.columns:
            pieces.append(_table(block))
        if about.caveat:
            pieces.append(f'<p class="caveat">{escape(about.caveat)}</p>')
    return f"<article>{''.join(pieces)}</article>\n"


def _table(block: Block) -> str:
    shown = cells(block, rows=SHOWN_ROWS)
    kept = with_something_to_say(block, shown)
    kinds = ["text" if block.piece.columns[at].style == "text" else "number" for at in kept]
    head = "".join(
        f'<th scope="col" class="{kind}">{escape(block.piece.columns[at].heading)}</th>'
        for at, kind in zip(kept, kinds, strict=True)
    )
    rows = "".join(
        "<tr>"
        + "".join(
            f'<td class="{kind}" data-label="{escape(block.piece.columns[at].heading)}">{escape(row[at])}</td>'
            for at, kind in zip(kept, kinds, strict=True)
        )
        + "</tr>"
        for row in shown
    )
    hidden = block.answer.height - len(shown)
    more = f'<p class="caveat">{hidden} more rows: --format csv has all.</p>' if hidden > 0 else ""
    table = f'<div class="scroll" tabindex="0"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'
    if block.piece.draw is None and len(shown) <= OPEN_ROWS:
        return table + more
    return f"<details><summary>The numbers ({block.answer.height} rows)</summary>{table}{more}</details>"


def _picture(block: Block, mark: str) -> str:
    both = (("wide", *_drawn(block, WIDE, f"{mark}w")), ("narrow", *_drawn(block, NARROW, f"{mark}n")))
    label = escape(block.piece.title, quote=True)
    pictures = "".join(f'<div class="{width}">{svg}</div>' for width, svg, _ in both)
    details = "".join(f'<span class="{width}">{escape(detail)}</span>' for width, _, detail in both)
    return f'<figure role="img" aria-label="{label}">{pictures}<figcaption>{details}</figcaption></figure>'


def _drawn(block: Block, width: int, mark: str) -> tuple[str, str]:
    """The chart as SVG that takes its colours from the page, and its subtitle, which the page sets itself."""
    import vl_convert
    from altair.utils import schemapi

    from maestro_analytics.analysis import charts

    assert block.piece.draw is not None  # noqa: S101 - asked for charts only
    # Not held against the schema: the tests do that, and here it is a third of the time.
    with schemapi.debug_mode(False):
        spec: dict[str, Any] = getattr(charts, block.piece.draw)(block.answer, width=width).to_dict(validate=False)
    words = spec.pop("title", {})
    spec["config"] |= {"background": None, "aria": False}  # the figure has its label, its parts are hidden
    svg = str(vl_convert.vegalite_to_svg(spec))
    return _at_home(svg, mark), " ".join(words.get("subtitle", []))


def _at_home(svg: str, mark: str) -> str:
    """Colours become the page's; ids become unique, because several pictures stand on one page."""
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
