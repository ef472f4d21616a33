"""Labels of a chart: short, and different for different things.

A chart puts rows of one name on one line. Two agents called Ada, two questions that begin alike, a grader whose address
is cut: drawn under one name they would be merged, which nobody could see.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt
import polars as pl

from maestro_analytics.analysis.charts.theme import PHONE

PER_LETTER = 7.1
"""What a letter of a name takes at most, on the average, in pixels."""

CUT_PER_LETTER = 6.6
"""What it takes when it is seldom wide: a name is cut late, since a chart grows where one needs more."""

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
    """What keeps the labels of an axis or header within `room` pixels.

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
