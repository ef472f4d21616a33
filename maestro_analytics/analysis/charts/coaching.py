"""Charts about coaching."""

from __future__ import annotations

from typing import Any

import altair as alt
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
    plain,
    span,
    tips,
    told_apart,
    with_n,
)
from maestro_analytics.analysis.coaching_effect import METHOD_WORDS, NAIVE
from maestro_analytics.analysis.colours import BLUE, GREEN, GREY, ORANGE

MOST_STEPS = 2_000
"""Of 100,000 low grades each may have a step of its own: more than a picture shows."""


def effects(estimates: pl.DataFrame, *, width: int = WIDTH) -> Any:
    """The effect of coaching, naive and honest side by side, from `coaching_effect`."""
    question = "What a coaching session is worth"
    frame = plain(estimates).filter(pl.col("effect").is_not_null())
    if not frame.height:
        return empty(estimates, question=question, width=width)
    frame = frame.with_columns(
        kind=pl.when("recommended")
        .then(pl.lit("recommended"))
        .when(pl.col("method").is_in(NAIVE))
        .then(pl.lit("misleading"))
        .otherwise(pl.lit("cross-check")),
        name=pl.col("method").replace(METHOD_WORDS),
    ).with_columns(name=with_n("name"))
    order = frame["name"].to_list()
    scale = span(frame["lo"], frame["hi"], pl.Series([0.0]))
    axis, inner = names(frame["name"], width, share=0.52)
    y = alt.Y("name:N", sort=order, title=None, axis=axis)
    bars, dots = dots_with_bars(
        alt.Chart(frame), "effect", y=y, scale=scale, title="points gained by a session", size=110,
        colour=coloured("kind", {"recommended": BLUE, "cross-check": GREEN, "misleading": ORANGE}, width),
        tip=("method", "n", "controls", "effect", "lo", "hi", "pre_gap", "warning"),
    )  # fmt: skip
    zero = lines_at([0.0], scale)
    chart = alt.layer(zero, bars, dots, width=inner, height=alt.Step(34))
    detail = (
        "Dot: points that a session adds; bar: where that may lie (95 %); n: sessions. Dashed: no effect. Blue: "
        "the answer. Green: cross-checks. Orange: what dashboards show, which misleads."
    )
    return finished(chart, question=question, detail=detail, width=width)


def event_study(timeline: pl.DataFrame, *, width: int = WIDTH) -> Any:
    """Scores around a session, coached beside matched controls, from `coaching_timeline`."""
    question = "Scores around a coaching session"
    frame = plain(timeline).filter(pl.col("mean").is_not_null())
    if not frame.height:
        return empty(timeline, question=question, width=width)
    scale = span(frame["lo"], frame["hi"], frame["mean"])
    colour = coloured("group", {"coached": BLUE, "equal scores, not coached": ORANGE}, width)
    frame = frame.with_columns(
        group=pl.col("group").replace("matched controls", "equal scores, not coached"),
        side=pl.when(pl.col("week") < 0).then(pl.lit("before")).otherwise(pl.lit("after")),
        at=pl.col("week") + pl.when(pl.col("group") == "coached").then(-0.09).otherwise(0.09),
    )
    most = max(abs(week) for week in frame["week"].to_list())
    weeks = alt.Scale(domain=[-most - 0.5, most + 0.5], nice=False)
    ticks = alt.Axis(
        values=[week for week in range(-most, most + 1) if week and (width >= PHONE or week % 4 == 0)],
        grid=False,
        labelOverlap=True,
    )
    x = alt.X("at:Q", title="weeks from the session", scale=weeks, axis=ticks)
    base = alt.Chart(frame).encode(x=x, color=colour)
    bars = base.mark_rule(opacity=0.45, strokeWidth=2).encode(
        y=alt.Y("lo:Q", scale=scale, title="score, percent"), y2=alt.Y2("hi:Q")
    )
    line = base.mark_line(strokeWidth=2).encode(y=alt.Y("mean:Q", scale=scale), detail=alt.Detail("side:N"))
    dots = base.mark_point(filled=True, size=50, opacity=1).encode(
        y=alt.Y("mean:Q", scale=scale), tooltip=tips("group", "week", "n", "mean", "lo", "hi", "overlapping", "reason")
    )
    zero = lines_at([0.0], weeks)
    sessions = int(frame.filter(pl.col("group") == "coached")["n"].max() or 0)  # type: ignore[arg-type]
    overlapping = int(frame.filter(pl.col("group") == "coached")["overlapping"].max() or 0)  # type: ignore[arg-type]
    detail = (
        f"Dot: the average score; bar: where it may lie (95 %); up to {sessions} sessions a week. Dashed: the day of "
        "the session. What counts is the gap after it."
    )
    moved = float(frame.filter(pl.col("group") != "coached")["moved"].last() or 0.0)  # type: ignore[arg-type]
    if abs(moved) >= 0.05:
        detail += f" After it, the line of those not coached is moved by {moved:+.1f} points: earlier scores differed."
    if overlapping:
        detail += f" {overlapping} were followed by another session: grades after that one do not count."
    chart = alt.layer(zero, bars, line, dots, width=width - 80, height=260)
    return finished(chart, question=question, detail=detail, width=width)


def waiting(curve: pl.DataFrame, *, show: int = 4, most_days: float = 60.0, width: int = WIDTH) -> Any:
    """The share of low grades still waiting for coaching (Kaplan-Meier), from `time_to_coach_curve`."""
    question = "How many low grades still wait, day by day"
    if not curve.height:
        return empty(curve, question=question, width=width)
    frame = plain(curve)
    groups = frame.group_by("group").agg(pl.col("n").max()).sort(["n", "group"], descending=[True, False])
    left = f" Drawn are the {show} of {groups.height} with most low grades." if groups.height > show else ""
    groups = groups.head(show)
    frame = frame.join(groups.select("group"), on="group").filter(pl.col("days") <= most_days)
    if frame.height > MOST_STEPS:
        # The last step of each tenth of a day, which is finer than a pixel.
        tenth = frame.sort("group", "days").with_columns(tenth=(pl.col("days") * 10).ceil())
        frame = tenth.unique(["group", "tenth"], keep="last", maintain_order=True).drop("tenth")
    ends = (
        frame.group_by("group")
        .agg(pl.col("waiting", "lo", "hi", "n", "n_na").sort_by("days").last())
        .with_columns(days=pl.lit(most_days))
    )
    frame = pl.concat([frame, ends], how="diagonal").sort("group", "days")
    frame = told_apart(frame, "group", "group", to="name", most=24).with_columns(
        name=pl.format("{}  (n={}, {} waiting)", "name", "n", "n_na")
    )
    names = frame["name"].unique().sort().to_list()
    colours = dict(zip(names, (BLUE, ORANGE, GREEN, GREY), strict=False))
    colour = coloured("name", colours, width, columns=1 if width < PHONE else 2)
    base = alt.Chart(frame).encode(
        x=alt.X("days:Q", title="days since grading", scale=alt.Scale(domain=[0, most_days]))
    )
    scale = alt.Scale(domain=[0, 100])
    band = base.mark_area(opacity=0.15, interpolate="step-after").encode(
        y=alt.Y("lo:Q", scale=scale, title="still waiting, percent"), y2=alt.Y2("hi:Q"), color=colour
    )
    line = base.mark_line(interpolate="step-after", strokeWidth=2).encode(
        y=alt.Y("waiting:Q", scale=scale), color=colour, tooltip=tips("group", "days", "at_risk", "waiting", "lo", "hi")
    )
    half = lines_at([50.0], scale, axis="y")
    chart = alt.layer(half, band, line, width=width - 80, height=240)
    detail = (
        "Line: how many of 100 low grades still wait, day after day; band: where that may lie (95 %). Dashed: "
        f"half of them.{left}"
    )
    return finished(chart, question=question, detail=detail, width=width)
