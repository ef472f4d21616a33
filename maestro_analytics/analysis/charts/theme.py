"""How every chart looks: colours that colour-blind people tell apart, lines of text that fit, one config."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import numpy as np
import polars as pl

from maestro_analytics.text import EMOJI, SIGN

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
"""What the report turns into custom properties of its page, so that the same picture can be seen in light and dark."""

NO_XML = r"[\x00-\x08\x0B\x0C\x0E-\x1F\x7F\x{FFFE}\x{FFFF}]"

PHONE = 500
"""Below this width a chart stacks what it would put side by side."""

WIDTH = 680
FONT = "system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif"

CONFIG = alt.Config.from_dict({
    "background": PAPER,
    "font": FONT,
    "view": {"stroke": None},
    "axis": {
        "labelColor": INK, "titleColor": FAINT, "titleFontWeight": "normal", "labelFontSize": 12, "titleFontSize": 12,
        "gridColor": GRID, "domainColor": GRID, "tickColor": GRID, "labelLimit": 0,
    },
    "axisY": {"titleAnchor": "start"},
    # A browser's letters may be wider than those that the labels are measured with: leave room between them.
    "axisXQuantitative": {"labelOverlap": True, "labelSeparation": 8},
    "header": {"labelColor": INK, "labelFontSize": 12, "labelFontWeight": 600, "labelLimit": 300, "title": None},
    "legend": {
        "labelColor": INK, "titleColor": FAINT, "orient": "top", "labelFontSize": 12, "titleFontSize": 12,
        "symbolSize": 90, "symbolOpacity": 1, "labelLimit": 300, "title": None,
    },
})  # fmt: skip


def finished(chart: Any, *, question: str, detail: str = "", width: int = WIDTH) -> Any:
    """Add the title, the subtitle and the common theme to a chart.

    Set, not configured: altair would copy and check the whole chart twice more, a quarter of the time it takes.
    """
    per_line = max(24, int(width / 9))
    chart.title = alt.TitleParams(
        text=textwrap.wrap(question, per_line) or [""],
        subtitle=textwrap.wrap(detail, int(per_line * 1.25)),
        anchor="start",
        frame="bounds",
        fontSize=15,
        fontWeight=600,
        color=INK,
        subtitleColor=FAINT,
        subtitleFontSize=12,
        offset=12,
    )
    chart.config = CONFIG
    return chart


def plain(frame: pl.DataFrame) -> pl.DataFrame:
    """Prepare a frame for altair: drop columns that a picture cannot hold, and replace emoji.

    A control character in a name (pasted from a word processor, say) is no XML, and ends the process that draws it.
    """
    return pl.DataFrame(frame).with_columns(
        pl.col(pl.String).str.replace_all(NO_XML, "\ufffd").str.replace_all(EMOJI, SIGN)
    )


def empty(frame: pl.DataFrame, *, question: str, width: int) -> Any:
    """A chart that says why there is nothing to draw."""
    about = getattr(frame, "about", None)
    reason = getattr(about, "reason", "") or "there is nothing to draw"
    text = pl.DataFrame({"text": ["\n".join(textwrap.wrap(reason, max(28, int(width / 7.2))))]})
    mark = alt.Chart(text).mark_text(align="left", lineBreak="\n", fontSize=13, color=FAINT).encode(
        text=alt.Text("text"), x=alt.value(0), y=alt.value(20)
    )  # fmt: skip
    return finished(mark.properties(width=width - 40, height=60), question=question, width=width)


def span(*columns: pl.Series) -> alt.Scale:
    """An axis from just below the lowest value to just above the highest."""
    values = np.concatenate([column.cast(pl.Float64).drop_nulls().drop_nans().to_numpy() for column in columns])
    low, high = (float(values.min()), float(values.max())) if len(values) else (0.0, 100.0)
    room = max((high - low) * 0.05, 0.01)
    return alt.Scale(domain=[low - room, high + room], nice=False, zero=False)


def lines_at(values: list[float], scale: alt.Scale, *, axis: str = "x", dash: tuple[int, int] = (4, 4)) -> Any:
    """Dashed lines across a chart, on the scale of the others."""
    where = alt.X("at:Q", scale=scale) if axis == "x" else alt.Y("at:Q", scale=scale)
    mark = alt.Chart(pl.DataFrame({"at": values})).mark_rule(color=FAINT, strokeDash=list(dash), opacity=0.9)
    return mark.encode(where)


def coloured(column: str, colours: Mapping[str, str], width: int, **legend: Any) -> alt.Color:
    """Each value of `column` in its colour, with a legend above the chart."""
    settings = {"orient": "top", "title": None, "direction": "vertical" if width < PHONE else "horizontal"} | legend
    scale = alt.Scale(domain=list(colours), range=list(colours.values()))
    return alt.Color(f"{column}:N", scale=scale, legend=alt.Legend(**settings))


def dots_with_bars(
    base: alt.Chart,
    value: str,
    *,
    ends: tuple[str, str] = ("lo", "hi"),
    y: alt.Y,
    scale: alt.Scale,
    title: str,
    colour: Any,
    tip: Sequence[str],
    size: int = 70,
) -> tuple[Any, Any]:
    """The bars between `ends`, and above them the dots of `value`: one of each in every row of `y`.

    Args:
        title: of the axis of values.
        colour: of both; see `coloured`.
        tip: columns that the pointer is told.
        size: of the dots, in square pixels.
    """
    bars = base.mark_rule(strokeWidth=3 if size < 100 else 4, opacity=0.55, strokeCap="round").encode(
        x=alt.X(f"{ends[0]}:Q", scale=scale, title=title), x2=alt.X2(f"{ends[1]}:Q"), y=y, color=colour
    )
    dots = base.mark_point(filled=True, size=size, opacity=1).encode(
        x=alt.X(f"{value}:Q", scale=scale), y=y, color=colour, tooltip=tips(*tip)
    )
    return bars, dots


def tips(*columns: str) -> list[alt.Tooltip]:
    """Tooltips. (For a name alone altair hashes its whole schema to find the class: 5 ms each.)"""
    return [alt.Tooltip(column) for column in columns]


def strength(gap: str, *values: pl.Series) -> tuple[alt.Opacity, float]:
    """A cell's strength of colour by the size of `gap`, and the size from which on it is strongest.

    It is strongest where all but a few of these values end, and never so strong that the number in it is hard to read,
    on light ground or dark.
    """
    sizes = np.abs(np.concatenate([column.cast(pl.Float64).drop_nulls().to_numpy() for column in values]))
    largest = max(float(np.ceil(np.quantile(sizes, 0.98))) if len(sizes) else 1.0, 1.0)
    scale = alt.Scale(domain=[0, largest], range=[0.03, 0.5], clamp=True)
    return alt.Opacity(f"{gap}:Q", scale=scale, legend=None), largest


def fitting(show: int, width: int) -> int:
    """How many of `show` rows there is room for: half of them on a phone."""
    return show if width >= PHONE else max(1, show // 2)
