"""Charts about how sure a mean is, and what it goes with."""

from __future__ import annotations

from typing import Any

import altair as alt
import numpy as np
import polars as pl

from maestro_analytics.analysis.charts.labels import names, with_n
from maestro_analytics.analysis.charts.theme import (
    BLUE,
    GREY,
    ORANGE,
    WIDTH,
    coloured,
    dots_with_bars,
    empty,
    finished,
    lines_at,
    plain,
    span,
    tips,
)

MOST_DOTS = 2_000
"""More dots lie on each other, and make a picture too large for a notebook."""


def precision(plan: pl.DataFrame, *, half_width: float = 5.0, width: int = WIDTH) -> Any:
    """How sure a mean is with so many grades, from `sampling_plan`: and where agents are."""
    question = "How sure an agent's mean is with so many grades"
    frame = plain(plan).filter((pl.col("n") > 0) & pl.col("half_width_now").is_not_null())
    if not frame.height:
        return empty(plan, question=question, width=width)
    frame = frame.with_columns(
        verdict=pl.when(pl.col("more") == 0).then(pl.lit("sure enough")).otherwise(pl.lit("more grades needed"))
    )
    sd = float(np.median(frame["sd"].to_numpy()))
    most = max(40, int(np.max(frame["n"].to_numpy()) * 1.1))
    grid = np.unique(np.geomspace(2, most, 80).round())
    curve = pl.DataFrame({"n": grid, "half_width_now": 1.959964 * sd / np.sqrt(grid)})
    x = alt.X("n:Q", title="grades", scale=alt.Scale(domain=[0, most], nice=False))
    top = min(30.0, max(12.0, float(np.max(frame["half_width_now"].to_numpy())) * 1.1))
    heights = alt.Scale(domain=[0, top], clamp=True, nice=False)
    y = alt.Y("half_width_now:Q", title="+- points", scale=heights)
    line = alt.Chart(curve).mark_line(color=GREY, strokeWidth=2).encode(x=x, y=y)
    drawn = frame.sort("n", "person_id").gather_every(max(1, -(-frame.height // MOST_DOTS)))
    dots = alt.Chart(drawn).mark_point(filled=True, size=46, opacity=0.75).encode(
        x=x, y=y,
        color=coloured("verdict", {"sure enough": BLUE, "more grades needed": ORANGE}, width),
        tooltip=tips("agent_name", "n", "mean", "sd", "half_width_now", "needed", "more", "weeks_to_go"),
    )  # fmt: skip
    goal = lines_at([half_width], heights, axis="y")
    chart = alt.layer(goal, line, dots).properties(width=width - 80, height=260)
    needed = (1.959964 * sd / half_width) ** 2
    detail = (
        f"Line: single grades spread by {sd:.1f} points, the usual here; {needed:.0f} grades for +- {half_width:g}. "
        f"Dots: {f'{drawn.height:,} of ' if drawn.height < frame.height else ''}{frame.height:,} agents."
    )
    return finished(chart, question=question, detail=detail, width=width)


def csat(link: pl.DataFrame, *, width: int = WIDTH) -> Any:
    """The correlation of grades and CSAT with intervals, from `csat_link`."""
    question = "Do better grades go with happier customers?"
    frame = plain(link).filter(pl.col("rho").is_not_null())
    if not frame.height:
        return empty(link, question=question, width=width)
    frame = frame.with_columns(name=with_n("scope"))
    scale = span(frame["lo"], frame["hi"], pl.Series([0.0, 0.5]))
    axis, inner = names(frame["name"], width)
    y = alt.Y("name:N", sort=None, title=None, axis=axis)
    bars, dots = dots_with_bars(
        alt.Chart(frame), "rho", y=y, scale=scale, title="rank correlation", size=110, colour=alt.value(BLUE),
        tip=("scope", "n", "agents", "rho", "lo", "hi", "reason"),
    )  # fmt: skip
    zero = lines_at([0.0], scale)
    chart = alt.layer(zero, bars, dots).properties(width=inner, height=alt.Step(34))
    return finished(
        chart, question=question, detail="Spearman: 0 is no link, 1 a full one; 95 % interval over agents.", width=width
    )
