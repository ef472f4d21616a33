"""The colours of pictures, and how a picture takes those of the page it stands in, light or dark."""

from __future__ import annotations

import re

INK = "#1b1f24"
FAINT = "#6b7280"
GRID = "#e2e5e9"
PAPER = "#ffffff"
BLUE = "#0072b2"
ORANGE = "#d55e00"
GREEN = "#009e73"
GREY = "#8a929c"
PALETTE = {
    "ink": INK,
    "faint": FAINT,
    "grid": GRID,
    "blue": BLUE,
    "orange": ORANGE,
    "green": GREEN,
    "grey": GREY,
    "card": PAPER,
}
"""Name of a custom property of a page -> the colour in a picture that it takes the place of."""


def in_page_colours(svg: str, mark: str) -> str:
    """Replace colours by CSS variables of the page, and make ids unique among its pictures."""
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
