"""How every chart looks: colours that colour-blind people tell apart, labels that fit, one config.

Labels are short, and different for different things: a chart puts rows of one name on one line. Two agents called Ada,
two questions that begin alike, a grader whose address is cut: drawn under one name they would be merged, which nobody
could see.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from itertools import count
from typing import Any

import altair as alt
import numpy as np
import polars as pl

from maestro_analytics.analysis.colours import FAINT, GRID, INK, PAPER, in_page_colours
from maestro_analytics.text import EMOJI, SIGN

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
    "axisXTemporal": {"labelOverlap": True, "labelSeparation": 16},
    "header": {"labelColor": INK, "labelFontSize": 12, "labelFontWeight": 600, "labelLimit": 300, "title": None},
    "legend": {
        "labelColor": INK, "titleColor": FAINT, "orient": "top", "labelFontSize": 12, "titleFontSize": 12,
        "symbolSize": 90, "symbolOpacity": 1, "labelLimit": 300, "title": None, "columnPadding": 24,
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
    """Prepare a frame for altair: replace control characters and emoji in its texts.

    A control character in a name (pasted from a word processor, say) is not allowed in XML, and ends the process that
    draws it.
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


def numbered_cells(
    frame: pl.DataFrame,
    gap: str,
    *,
    x: alt.X,
    y: alt.Y,
    settled: pl.Expr,
    more: str,
    less: str,
    colours: Mapping[str, str],
    width: int,
    tip: Sequence[str],
) -> tuple[Any, float]:
    """A heat map of `gap` with its number in each cell, bold where it is settled; and the size of the strongest colour.

    Args:
        more, less: words for the gaps above 0, and for the others; `colours` has both, in the order of the legend.
        tip: columns that the pointer is told.
    """
    opacity, largest = strength("size", frame[gap])
    frame = frame.with_columns(
        text=signed(gap),
        size=pl.col(gap).abs().fill_null(0.0),
        direction=pl.when(pl.col(gap) > 0).then(pl.lit(more)).otherwise(pl.lit(less)),
        settled=settled,
    )
    base = alt.Chart(frame).encode(x=x, y=y)
    cells = base.mark_rect(cornerRadius=2, stroke=GRID, strokeWidth=1).encode(
        color=coloured("direction", colours, width, orient="bottom"), opacity=opacity, tooltip=tips(*tip)
    )
    texts = (
        base.transform_filter("!datum.settled").mark_text(fontSize=12, color=INK),
        base.transform_filter("datum.settled").mark_text(fontSize=12, fontWeight=700, color=INK),
    )
    return alt.layer(cells, *(each.encode(text=alt.Text("text:N")) for each in texts)), largest


def fitting(show: int, width: int) -> int:
    """How many of `show` rows there is room for: half of them on a phone."""
    return show if width >= PHONE else max(1, show // 2)


PER_LETTER = 7.1
"""Pixels that a letter takes, averaged over a name with many wide ones."""

CUT_PER_LETTER = 6.6
"""Pixels that a letter takes where few are wide: names are cut by this, since a chart grows where one needs more."""

WIDE_LETTERS = r"[\x{1100}-\x{1FFF}\x{2070}-\x{10FFFF}]"


def told_apart(
    frame: pl.DataFrame,
    text: str,
    key: str | Sequence[str],
    *,
    to: str,
    most: int,
    beside: str | None = None,
    per: Sequence[str] = (),
) -> pl.DataFrame:
    """Add a column `to` with a short label of one line, different wherever the key is.

    Texts are cut at their end; in the middle where that makes two alike. Things of the same text get `beside` behind
    it, then the last of the keys; what is left is numbered.

    Args:
        text: the column of the text; its first one where a key has several.
        most: how many letters of it are shown.
        beside: a column that tells the same texts apart, if any does.
        per: columns of a panel: names are different within each.
    """
    keys = [key] if isinstance(key, str) else [*key]
    behind = {
        f"behind_{at}": pl.format(" ({})", one_line(pl.col(column)).str.slice(0, 14))
        for at, column in enumerate((beside, keys[-1]))
        if column not in (None, text)
    }
    lines = frame.select(
        *dict.fromkeys([*keys, *per]), line=one_line(pl.col(text)), middle=False, tail=pl.lit(""), **behind
    )
    lines = _named(lines.unique(keys, keep="first", maintain_order=True), most, per)
    shared = pl.len().over("name", *per) > 1
    for column in behind:
        lines = _named(lines.with_columns(tail=pl.when(shared).then(column).otherwise("tail")), most, per)
    number = pl.int_range(1, pl.len() + 1).over("name", *per)
    while lines.select(shared.any()).item():
        lines = lines.with_columns(name=pl.when(shared).then(pl.format("{} #{}", "name", number)).otherwise("name"))
    return frame.join(
        lines.select(*keys, pl.col("name").alias(to)), on=keys, how="left", nulls_equal=True, maintain_order="left"
    )


def _named(lines: pl.DataFrame, most: int, per: Sequence[str]) -> pl.DataFrame:
    """`name` of `most` letters: the line, cut in the `middle` where only its end is its own, and its tail."""
    line, tail = pl.col("line"), pl.col("tail")
    room = (most - tail.str.len_chars().cast(pl.Int64)).clip(8)
    end = pl.when("middle").then(room // 2).otherwise(0)
    shorter = line.str.head(room - 1 - end) + pl.lit("…") + line.str.tail(end)
    name = pl.when(line.str.len_chars() > room).then(shorter).otherwise(line) + tail
    cut_alike = pl.col("line").n_unique().over("name", *per) > 1
    lines = lines.with_columns(name=name).with_columns(middle=pl.col("middle") | cut_alike)
    return lines.with_columns(name=name)


def one_line(text: pl.Expr) -> pl.Expr:
    """Free text without line breaks; "unknown" where there is none."""
    return text.cast(pl.String).fill_null("unknown").str.replace_all(r"\s+", " ").str.strip_chars()


def short(column: str, *, most: int) -> pl.Expr:
    """Free text as one short line, where nothing depends on its being different from others."""
    line = one_line(pl.col(column))
    return pl.when(line.str.len_chars() > most).then(line.str.head(most - 1) + pl.lit("…")).otherwise(line)


def standing_first(frame: pl.DataFrame, value: str, show: int, *, what: str) -> tuple[pl.DataFrame, str]:
    """The first `show` rows, and a sentence about the others for the caption.

    Those that stand out come first; of too many, the furthest down and the furthest up. Then those that are furthest
    from the middle.

    Args:
        value: the column of what is drawn, by which a row is far down or up.
    """
    if frame.height <= show:
        return frame, ""
    stands = pl.col("stands_out") != ""
    place = pl.col(value).rank("ordinal")
    end = pl.min_horizontal(place, pl.len() + 1 - place)
    at = frame.with_row_index("at").sort(~stands, end, "at").head(show)["at"].sort()
    drawn = frame[at]
    out, standing = frame.filter(stands).height, drawn.filter(stands).height
    left = f" Drawn are {show} of {frame.height:,} {what}"
    left += f"; {out - standing:,} that stand out are not drawn." if standing < out else ", with all that stand out."
    return drawn, left + " The table has everything."


def without_domain(graders: pl.Series) -> pl.Series:
    """Graders as they are, or their e-mail addresses without the domain where that leaves them different."""
    short_ones = graders.str.replace("@.*$", "")
    return short_ones if short_ones.n_unique() == graders.n_unique() else graders


def letters(most: int, width: int) -> int:
    """How many of `most` letters of a name are shown: fewer on a phone, so that the number behind it is not cut off."""
    return most if width >= PHONE else min(most, 16)


def with_n(name: str) -> pl.Expr:
    """A name with the number of values behind it."""
    return pl.format("{}  (n={})", name, "n")


def signed(column: str) -> pl.Expr:
    """The values of a column, rounded to whole numbers with their sign; an empty text for null."""
    whole = pl.col(column).round(0).cast(pl.Int64)
    return pl.when(whole > 0).then(pl.format("+{}", whole)).otherwise(pl.format("{}", whole)).fill_null("")


def names(labels: pl.Series, width: int, *, share: float = 0.5) -> tuple[alt.Axis, int]:
    """The axis of one row per name, and what is left of `width` beside it."""
    room = int(min(_longest(labels) * PER_LETTER + 6, width * share))
    return alt.Axis(**within(labels, room), ticks=False, domain=False, labelPadding=6), max(100, width - room - 30)


def panels(layers: Any, groups: Sequence[str], columns: int, width: int, *, height: int) -> Any:
    """Small pictures side by side, one for each value of `panel`.

    Args:
        groups: the values, in the order of the panels.
        height: of a panel, in pixels.
    """
    inner = int((width - 60) / columns) - 24
    header = alt.Header(labelAnchor="start", **within(pl.Series(groups), inner))
    facet = alt.Facet("panel:N", sort=list(groups), header=header)
    chart = layers.properties(width=inner, height=height).facet(facet=facet, columns=columns, spacing=18)
    # Of a last row that is not full the shared axis would stand under a place without a panel.
    return chart.resolve_axis(x="independent") if len(groups) % columns else chart


def within(labels: pl.Series, room: float) -> dict[str, Any]:
    """The settings that keep labels of an axis or header within `room` pixels.

    They are cut by their number of letters. A limit has each of them measured again and again, which takes longer than
    all the rest of a chart: it is for scripts with wide letters.
    """
    if _longest(labels) * PER_LETTER <= room:
        return {"labelLimit": 0}
    if labels.str.contains(WIDE_LETTERS).any():
        return {"labelLimit": int(room)}
    most = max(int(room / CUT_PER_LETTER), 4)
    shorter = f"length(datum.label) > {most} ? slice(datum.label, 0, {most - 1}) + '…' : datum.label"
    return {"labelLimit": 0, "labelExpr": shorter}


def _longest(labels: pl.Series) -> int:
    return max(labels.str.len_chars().to_list(), default=1)


RENDERER = "maestro"
_number = count(1)

STYLE = """<style>
.maestro-chart { --ink: var(--jp-content-font-color1, #1b1f24); --faint: var(--jp-content-font-color2, #5d6570);
  --grid: var(--jp-border-color2, #e2e5e9); --blue: #0072b2; --orange: #d55e00; --green: #009e73; --grey: #8a929c;
  --card: var(--jp-layout-color0, #ffffff); }
[data-jp-theme-light="false"] .maestro-chart, .vscode-dark .maestro-chart { --ink: #e8ebef; --faint: #a3acb7;
  --grid: #3a424c; --blue: #56b4e9; --orange: #f28e4b; --green: #3cc9a0; --grey: #8f98a3;
  --card: var(--jp-layout-color0, #111111); }
.maestro-chart svg { max-width: 100%; height: auto; }
</style>"""


def follow_theme() -> None:
    """Show every chart of this notebook in the colours of JupyterLab's theme, from now on.

    `altair.renderers.enable("default")` goes back to altair's own way, which has tooltips and one set of colours.
    """
    alt.renderers.register(RENDERER, _rendered)
    alt.renderers.enable(RENDERER)


def _rendered(spec: dict[str, Any], **options: Any) -> dict[str, str]:
    """The picture for JupyterLab, and as plain SVG for those who show no HTML."""
    import vl_convert

    plain = str(vl_convert.vegalite_to_svg(spec))
    clear = str(vl_convert.vegalite_to_svg(spec | {"config": spec.get("config", {}) | {"background": None}}))
    picture = in_page_colours(clear, f"maestro-{next(_number)}")
    html = f'{STYLE}<div class="maestro-chart">{picture}</div>'
    return {"text/html": html, "image/svg+xml": plain}
