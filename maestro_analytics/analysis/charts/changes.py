"""The chart of what changed between two periods."""

from __future__ import annotations

from typing import Any

import altair as alt
import polars as pl

from maestro_analytics.analysis.charts.labels import names, standing_first, told_apart, without_domain
from maestro_analytics.analysis.charts.theme import (
    BLUE,
    GREY,
    ORANGE,
    PHONE,
    WIDTH,
    empty,
    finished,
    fitting,
    lines_at,
    plain,
    span,
    tips,
)

CHANGED = {"down": ORANGE, "up": BLUE, "": GREY}
CHANGED_WORDS = {"down": "fell", "up": "rose", "": "may be chance"}


def movers(changed: pl.DataFrame, *, show: int = 24, width: int = WIDTH) -> Any:
    """Changes with their intervals, from `changes`: the largest fall first.

    Of more than `show` those who changed for real are drawn before the others.
    """
    question = "What changed since the period before"
    whole = plain(changed).filter(pl.col("change").is_not_null())
    if not whole.height:
        return empty(changed, question=question, width=width)
    whole = whole.with_columns(stands_out="changed", who=without_domain(whole["name"].fill_null("unknown")))
    drawn, left = standing_first(whole, "change", fitting(show, width), what="rows")
    drawn = told_apart(
        drawn, "who", ["rubric_name", "id"], to="row", most=24 if width < PHONE else 40, beside="rubric_name"
    ).with_columns(kind=pl.col("changed").replace_strict(CHANGED_WORDS))
    scale = span(drawn["lo"], drawn["hi"], drawn["change"], pl.Series([0.0]))
    axis, inner = names(drawn["row"], width)
    y = alt.Y("row:N", sort=drawn["row"].to_list(), title=None, axis=axis)
    colour = alt.Color(
        "kind:N",
        scale=alt.Scale(domain=list(CHANGED_WORDS.values()), range=list(CHANGED.values())),
        legend=alt.Legend(orient="top", title=None, direction="vertical" if width < PHONE else "horizontal"),
    )
    base = alt.Chart(drawn)
    bars = base.mark_rule(strokeWidth=3, opacity=0.55, strokeCap="round").encode(
        x=alt.X("lo:Q", scale=scale, title="points: - worse, + better"), x2=alt.X2("hi:Q"), y=y, color=colour
    )
    dots = base.mark_point(filled=True, size=70, opacity=1).encode(
        x=alt.X("change:Q", scale=scale), y=y, color=colour,
        tooltip=tips("name", "n_before", "n", "before", "after", "change", "lo", "hi", "reason"),
    )  # fmt: skip
    chart = alt.layer(lines_at([0.0], scale), bars, dots).properties(width=inner, height=alt.Step(20))
    detail = (
        f"n={int(drawn['n'].sum()):,} grades or answers. Dot: points gained or lost since the period before; bar: "
        "where the "
        f"change may lie (95 %). Dashed: no change. Grey: chance alone may do this.{left}"
    )
    return finished(chart, question=question, detail=detail, width=width)
