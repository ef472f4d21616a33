"""The chart of what changed between two periods."""

from __future__ import annotations

from typing import Any

import altair as alt
import polars as pl

from maestro_analytics.analysis.changes import changed_words, is_of_graders
from maestro_analytics.analysis.charts.labels import names, standing_first, told_apart, without_domain
from maestro_analytics.analysis.charts.theme import (
    BLUE,
    GREY,
    ORANGE,
    PHONE,
    WIDTH,
    coloured,
    dots_with_bars,
    empty,
    finished,
    fitting,
    lines_at,
    plain,
    span,
)

COLOURS = {"down": ORANGE, "up": BLUE, "": GREY}


def movers(changed: pl.DataFrame, *, show: int = 30, width: int = WIDTH) -> Any:
    """Changes with their intervals, from `changes`: the largest fall first.

    Of more than `show` those who changed for real are drawn before the others.
    """
    of_graders, words = is_of_graders(changed), changed_words(changed)
    question = "What changed since the period before"
    whole = plain(changed).filter(pl.col("change").is_not_null())
    if not whole.height:
        return empty(changed, question=question, width=width)
    whole = whole.with_columns(stands_out="changed", who=without_domain(whole["name"].fill_null("unknown")))
    drawn, left = standing_first(whole, "change", fitting(show, width), what="rows")
    drawn = told_apart(
        drawn, "who", ["rubric_name", "id"], to="row", most=24 if width < PHONE else 40, beside="rubric_name"
    ).with_columns(kind=pl.col("changed").replace_strict(words))
    scale = span(drawn["lo"], drawn["hi"], drawn["change"], pl.Series([0.0]))
    axis, inner = names(drawn["row"], width)
    y = alt.Y("row:N", sort=drawn["row"].to_list(), title=None, axis=axis)
    bars, dots = dots_with_bars(
        alt.Chart(drawn), "change", y=y, scale=scale,
        title="points: - stricter, + more lenient" if of_graders else "points: - worse, + better",
        colour=coloured("kind", {words[changed]: colour for changed, colour in COLOURS.items()}, width),
        tip=("name", "n_before", "n", "before", "after", "change", "lo", "hi", "reason"),
    )  # fmt: skip
    chart = alt.layer(lines_at([0.0], scale), bars, dots).properties(width=inner, height=alt.Step(20))
    moved = "points stricter or more lenient than" if of_graders else "points gained or lost since"
    detail = (
        f"n={int(drawn['n'].sum()):,} grades or answers. Dot: {moved} the period before; bar: where the change may lie "
        f"(95 %). Dashed: no change. Grey: chance alone may do this.{left}"
    )
    return finished(chart, question=question, detail=detail, width=width)
