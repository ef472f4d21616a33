"""Charts about grading: how much, how sure that makes a score, how alike graders are, and what scores go with."""

from __future__ import annotations

from typing import Any

import altair as alt
import numpy as np
import polars as pl

from maestro_analytics.analysis.charts.theme import (
    PHONE,
    WIDTH,
    coloured,
    dots_with_bars,
    empty,
    finished,
    lines_at,
    names,
    panels,
    plain,
    span,
    tips,
    told_apart,
    with_n,
    without_domain,
)
from maestro_analytics.analysis.colours import BLUE, FAINT, GREEN, GREY, INK, ORANGE
from maestro_analytics.analysis.planning import SOURCE_WORDS

MOST_DOTS = 2_000
"""More dots lie on each other, and make a picture too large for a notebook."""


def coverage(people: pl.DataFrame, *, wish: int = 4, width: int = WIDTH) -> Any:
    """How many agents get how many grades a week, from `grading_coverage`.

    Args:
        wish: grades per agent and week that are wished for, as in `grading_coverage`.
    """
    question = "Grades per agent and week"
    frame = plain(people).filter(pl.col("per_week").is_not_null())
    if not frame.height:
        return empty(people, question=question, width=width)
    most = float(np.max(frame["per_week"].to_numpy()))
    step = next(size for size in (0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 50.0, 1e9) if max(most, wish) / size <= 24)
    start = (pl.col("per_week") / step + 1e-9).floor() * step
    bins = frame.group_by(start=start).agg(agents=pl.len(), n=pl.col("n").sum()).sort("start")
    bins = bins.with_columns(
        end=pl.col("start") + step,
        kind=pl.when(pl.col("start") + 1e-9 >= wish).then(pl.lit("as wished or more")).otherwise(pl.lit("fewer")),
    )
    scale = alt.Scale(domain=[0, max(most, wish) + step], nice=False)
    bars = alt.Chart(bins).mark_bar(stroke=None, binSpacing=1).encode(
        x=alt.X("start:Q", scale=scale, title="grades per week", bin="binned"), x2=alt.X2("end:Q"),
        y=alt.Y("agents:Q", title="agents", axis=alt.Axis(tickMinStep=1)),
        color=coloured("kind", {"fewer": ORANGE, "as wished or more": BLUE}, width),
        tooltip=tips("start", "end", "agents"),
    )  # fmt: skip
    chart = alt.layer(bars, lines_at([float(wish)], scale), width=width - 80, height=200)
    detail = (
        f"Bar: how many agents get so many grades a week, on the average (n={frame.height:,} agents). Dashed: the wish "
        f"of {wish}."
    )
    return finished(chart, question=question, detail=detail, width=width)


def sources(shares: pl.DataFrame, *, width: int = WIDTH) -> Any:
    """What the differences between single scores come from, from `generalizability`."""
    question = "What makes one score differ from another"
    frame = plain(shares).filter(pl.col("share").is_not_null())
    if not frame.height:
        return empty(shares, question=question, width=width)
    frame = frame.with_columns(
        name=pl.col("source").replace(SOURCE_WORDS),
        note=pl.format("{} %", pl.col("share").round(0).cast(pl.Int64)),
        kind=pl.when(pl.col("source") == "agent").then(pl.lit("agent")).otherwise(pl.lit("anything else")),
    )
    axis, inner = names(frame["name"], width)
    most = float(np.max(frame["share"].to_numpy())) * 1.2
    x = alt.X(
        "share:Q",
        title="percent of the differences",
        axis=alt.Axis(tickCount=5),
        scale=alt.Scale(domain=[0, max(most, 1.0)], nice=False),
    )
    base = alt.Chart(frame).encode(x=x, y=alt.Y("name:N", sort=frame["name"].to_list(), title=None, axis=axis))
    bars = base.mark_bar(height=16, cornerRadiusEnd=2).encode(
        color=alt.Color("kind:N", scale=alt.Scale(domain=["agent", "anything else"], range=[BLUE, GREY]), legend=None),
        tooltip=tips("name", "levels", "sd", "share"),
    )
    text = base.mark_text(align="left", dx=4, color=INK, fontSize=12).encode(text=alt.Text("note:N"))
    chart = alt.layer(bars, text, width=inner, height=alt.Step(26))
    n = int(frame["n"].max() or 0)  # type: ignore[arg-type]
    detail = (
        f"Bar: share of the differences between single scores, n={n:,} grades. Blue: what a score is meant to show."
    )
    return finished(chart, question=question, detail=detail, width=width)


def dependability(designs: pl.DataFrame, *, width: int = WIDTH) -> Any:
    """How sure a score is with so many grades by so many graders, from `generalizability(of="designs")`."""
    question = "How many grades make a score dependable"
    frame = plain(designs).filter(pl.col("absolute").is_not_null())
    if not frame.height:
        return empty(designs, question=question, width=width)
    frame = frame.filter(pl.col("graders").is_in([1, 2, 5, 10])).with_columns(
        name=pl.when(pl.col("graders") == 1).then(pl.lit("1 grader")).otherwise(pl.format("{} graders", "graders"))
    )
    colours = {"1 grader": ORANGE, "2 graders": GREY, "5 graders": GREEN, "10 graders": BLUE}
    heights = alt.Scale(domain=[0, 1])
    grades = alt.Scale(type="log", domain=[1, 80], nice=False)
    base = alt.Chart(frame).encode(
        x=alt.X("grades:Q", title="grades for each agent", scale=grades, axis=alt.Axis(values=[1, 5, 10, 20, 40, 80])),
        y=alt.Y("absolute:Q", title="dependability, 0 to 1", scale=heights),
        color=coloured("name", colours, width, columns=2 if width < PHONE else 4),
    )  # fmt: skip
    line = base.mark_line(strokeWidth=2)
    dots = base.mark_point(filled=True, size=46, opacity=1).encode(
        tooltip=tips("graders", "grades", "absolute", "relative")
    )
    chart = alt.layer(lines_at([0.8], heights, axis="y"), line, dots, width=width - 80, height=220)
    detail = (
        "Dot: how far a score would be the same if others had graded other tickets: 1 is fully, 0 is not at all. "
        "Dashed: "
        f".80, good enough to act on. n={int(frame['n'].max() or 0):,} grades."  # type: ignore[arg-type]
    )
    return finished(chart, question=question, detail=detail, width=width)


def calibration(sessions: pl.DataFrame, *, show: int = 9, width: int = WIDTH) -> Any:
    """How far each grader is from the agreed score, month by month, from `calibration_sessions`."""
    question = "Distance from the agreed score, calibration by calibration"
    frame = plain(sessions).filter(pl.col("mad").is_not_null())
    if not frame.height:
        return empty(sessions, question=question, width=width)
    show = show if width >= PHONE else min(show, 4)
    groups = frame.group_by("group").agg(pl.col("n").sum()).sort(["n", "group"], descending=[True, False])
    kept = groups.head(show)
    kept = kept.with_columns(who=without_domain(kept["group"]))
    kept = told_apart(kept, "who", "group", to="panel", most=24).with_columns(panel=with_n("panel"))
    drawn = frame.join(kept.select("group", "panel"), on="group")
    columns = min(1 if width < PHONE else 3, kept.height)
    scale = span(drawn["mad"], pl.Series([0.0]))
    y = alt.Y("mad:Q", scale=scale, title="points apart")
    base = alt.Chart(drawn).encode(
        x=alt.X("month:T", title=None, axis=alt.Axis(format="%b %y", tickCount=4, grid=False)), y=y
    )
    line = base.mark_line(color=BLUE, strokeWidth=1.5)
    dots = base.mark_point(filled=True, size=40, opacity=1, color=BLUE).encode(
        tooltip=tips("group", "month", "n", "mad", "bias", "lo", "hi", "within_5", "reason")
    )
    chart = panels(alt.layer(line, dots), kept["panel"].to_list(), columns, width, height=110)
    left = f" Drawn are the {show} of {groups.height} with most reviews." if groups.height > show else ""
    detail = (
        f"Dot: how many points a grader's reviews of a month are away from the agreed score. Lower is better.{left}"
    )
    return finished(chart, question=question, detail=detail, width=width)


def pilot(sizes: pl.DataFrame, *, effect: float = 5.0, width: int = WIDTH) -> Any:
    """The smallest effect that a coaching pilot can see, by its size, from `power`."""
    question = "How many agents a coaching pilot needs"
    frame = plain(sizes).filter(pl.col("detectable").is_not_null())
    if not frame.height:
        return empty(sizes, question=question, width=width)
    frame = frame.with_columns(
        agents=pl.col("coached") + pl.col("controls"),
        kind=pl.when("possible").then(pl.lit("there are so many agents")).otherwise(pl.lit("more than there are")),
    )
    agents = frame["agents"].to_list()
    heights = alt.Scale(domain=[0, float(np.max(frame["detectable"].to_numpy())) * 1.1], nice=False)
    base = alt.Chart(frame).encode(
        x=alt.X("agents:Q", title="agents in the pilot, half of them coached",
                scale=alt.Scale(type="log", domain=[min(agents) * 0.9, max(agents) * 1.1], nice=False),
                axis=alt.Axis(values=agents, labelOverlap=True)),
        y=alt.Y("detectable:Q", title="points", scale=heights),
    )  # fmt: skip
    line = base.mark_line(color=FAINT, strokeWidth=1.5)
    dots = base.mark_point(filled=True, size=70, opacity=1).encode(
        color=coloured("kind", {"there are so many agents": BLUE, "more than there are": GREY}, width),
        tooltip=tips("coached", "controls", "detectable", "power", "reason"),
    )
    chart = alt.layer(lines_at([effect], heights, axis="y"), line, dots, width=width - 80, height=200)
    n = int(frame["n"].max() or 0)  # type: ignore[arg-type]
    detail = (
        f"Dot: the smallest gain that a pilot of this size finds in 4 of 5 cases. Dashed: a gain of {effect:g} points. "
        f"From n={n:,} pairs of periods."
    )
    return finished(chart, question=question, detail=detail, width=width)


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
    chart = alt.layer(goal, line, dots, width=width - 80, height=260)
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
    chart = alt.layer(zero, bars, dots, width=inner, height=alt.Step(34))
    detail = (
        "Dot: how closely better grades and happier customers go together, from 0 (not at all) to 1 (always); bar: "
        "where that may lie (95 %)."
    )
    return finished(chart, question=question, detail=detail, width=width)
