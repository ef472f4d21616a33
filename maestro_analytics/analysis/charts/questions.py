"""Charts about questions."""

from __future__ import annotations

import textwrap
from typing import Any

import altair as alt
import numpy as np
import polars as pl

from maestro_analytics.analysis.charts.labels import names, short, told_apart, with_n, within
from maestro_analytics.analysis.charts.theme import (
    BLUE,
    CELL_INK,
    GREY,
    INK,
    ORANGE,
    PHONE,
    WIDTH,
    empty,
    finished,
    lines_at,
    plain,
    span,
    tips,
)


def pareto(lost: pl.DataFrame, *, show: int = 12, width: int = WIDTH) -> Any:
    """Points lost by question, the costliest first, from `points_lost`: a panel for each rubric.

    The number at a bar's end is the cumulative share of all points lost in the rubric.
    """
    question = "Where points are lost"
    frame = plain(lost).filter(pl.col("points_lost") > 0)
    if not frame.height:
        return empty(lost, question=question, width=width)
    frame = _labelled(frame, width)
    frame = frame.with_columns(place=pl.col("points_lost").rank("ordinal", descending=True).over("rubric_id"))
    hidden = frame.filter(pl.col("place") > show).height
    frame = frame.filter(pl.col("place") <= show).with_columns(
        note=pl.format("{} %", pl.col("cumulative_share").round(0).cast(pl.Int64)),
        vital=pl.when(pl.col("cumulative_share") - pl.col("share") < 80)
        .then(pl.lit("first 80 % of the loss"))
        .otherwise(pl.lit("the rest")),
    )
    axis, inner = names(frame["name"], width)
    panels = []
    ticks = alt.Axis(tickCount=5 if width >= PHONE else 2)
    for (_,), rubric in frame.sort("rubric_name", "rubric_id", "place").group_by(["rubric_id"], maintain_order=True):
        most = float(np.max(rubric["points_lost"].to_numpy())) * (1.14 if width >= PHONE else 1.3)
        base = alt.Chart(rubric).encode(
            y=alt.Y("name:N", sort=rubric["name"].to_list(), title=None, axis=axis),
            x=alt.X("points_lost:Q", title="points lost", scale=alt.Scale(domain=[0, most], nice=False), axis=ticks),
        )
        bars = base.mark_bar(cornerRadiusEnd=2, height=14).encode(
            color=alt.Color(
                "vital:N",
                scale=alt.Scale(domain=["first 80 % of the loss", "the rest"], range=[BLUE, GREY]),
                legend=alt.Legend(orient="top", title=None),
            ),
            tooltip=tips("question", "section_name", "n", "points_lost", "share", "cumulative_share", "failure_rate"),
        )
        notes = base.mark_text(align="left", dx=4, color=INK, fontSize=11).encode(text=alt.Text("note:N"))
        heading = f"{rubric['rubric'].to_list()[0]}  (n={max(rubric['n'].to_list())} grades)"
        lines = textwrap.wrap(heading, max(16, int(inner / 8)))
        title = alt.TitleParams(lines, anchor="start", frame="group", fontSize=12, color=INK)
        panels.append(alt.layer(bars, notes).properties(width=inner, height=alt.Step(21), title=title))
    detail = "Within each rubric, costliest first; at a bar's end the cumulative share." + (
        f" {hidden} small ones are left out." if hidden else ""
    )
    return finished(alt.vconcat(*panels, spacing=18), question=question, detail=detail, width=width)


def heat_map(lost: pl.DataFrame, *, show: int = 14, width: int = WIDTH) -> Any:
    """Questions by team, from `points_lost_by_team`: how much more often a team loses points than everyone does.

    The `show` costliest questions, and as many teams as have room: those that differ most from everyone.
    """
    question = "Which team loses points where"
    frame = plain(lost).filter(pl.col("n") > 0)
    if not frame.height:
        return empty(lost, question=question, width=width)
    costly = (
        frame.group_by("rubric_id", "question_id")
        .agg(pl.col("points_lost").sum())
        .sort("points_lost", descending=True)
        .head(show)
    )
    frame = frame.join(costly.select("rubric_id", "question_id"), on=["rubric_id", "question_id"])
    apart = frame.group_by("team_id").agg(pl.col("gap").abs().mean()).sort(["gap", "team_id"], descending=[True, False])
    teams = apart.head(6 if width < PHONE else 16).select("team_id")
    frame = _labelled(frame.join(teams, on="team_id"), width, across=True)
    frame = told_apart(frame, "team", "team_id", to="team_name", most=22)
    known = frame.unique(["rubric_id", "question_id"]).select("rubric_id", "question_id", "name")
    order = costly.join(known, on=["rubric_id", "question_id"], maintain_order="left")["name"].to_list()
    axis, inner = names(frame["name"], width)
    frame = frame.with_columns(
        text=pl.when(pl.col("gap").round(0) > 0)
        .then(pl.format("+{}", pl.col("gap").round(0).cast(pl.Int64)))
        .otherwise(pl.format("{}", pl.col("gap").round(0).cast(pl.Int64))),
        strong=(pl.col("gap").abs() > 12) & (pl.col("stands_out") != ""),
    )
    base = alt.Chart(frame).encode(
        x=alt.X("team_name:N", title=None, axis=alt.Axis(orient="top", labelAngle=-35, ticks=False, domain=False,
                                                        labelAlign="left", **within(frame["team_name"], 140))),
        y=alt.Y("name:N", sort=order, title=None, axis=axis),
    )  # fmt: skip
    cells = base.mark_rect(cornerRadius=2, stroke="#ffffff", strokeWidth=1).encode(
        color=alt.Color(
            "gap:Q",
            scale=alt.Scale(domain=[-25, 0, 25], range=[BLUE, "#f3f4f6", ORANGE], clamp=True, interpolate="rgb"),
            legend=alt.Legend(title="against everyone, percent points", orient="bottom",
                              gradientLength=min(260, inner), titleLimit=width),
        ),
        opacity=alt.condition("datum.stands_out != ''", alt.value(1), alt.value(0.45)),
        tooltip=tips("team", "question", "rubric_name", "n", "failure_rate", "lo", "hi", "gap",
        "stands_out", "reason"),
    )  # fmt: skip
    text = base.mark_text(fontSize=11).encode(
        text=alt.Text("text:N"), color=alt.condition("datum.strong", alt.value("#ffffff"), alt.value(CELL_INK))
    )
    chart = alt.layer(cells, text).properties(width=inner, height=alt.Step(24))
    detail = (
        f"Share of answers that lost points, against everyone graded; pale: not settled. The {len(order)} costliest "
        "questions."
    )
    if teams.height < apart.height:
        detail += f" The {teams.height} of {apart.height} teams that differ most."
    return finished(chart, question=question, detail=detail, width=width)


def agreement(questions: pl.DataFrame, *, show: int = 16, width: int = WIDTH) -> Any:
    """Krippendorff's alpha of each question with its interval, from `question_agreement`: the least agreed first."""
    question = "On which questions graders disagree"
    frame = plain(questions).filter(pl.col("alpha").is_not_null())
    if not frame.height:
        return empty(questions, question=question, width=width)
    frame = _labelled(frame.sort("alpha", "question_id").head(show), width, across=True).with_columns(
        name=with_n("name"),
        verdict=pl.when(pl.col("alpha") >= 0.8)
        .then(pl.lit("firm"))
        .when(pl.col("alpha") >= 0.667)
        .then(pl.lit("tentative"))
        .otherwise(pl.lit("weak")),
    )
    order = frame["name"].to_list()
    scale = span(frame["lo"], frame["hi"], frame["alpha"], pl.Series([0.0, 1.0]))
    axis, inner = names(frame["name"], width, share=0.6)
    y = alt.Y("name:N", sort=order, title=None, axis=axis)
    colour = alt.Color(
        "verdict:N",
        scale=alt.Scale(domain=["firm", "tentative", "weak"], range=[BLUE, GREY, ORANGE]),
        legend=alt.Legend(orient="top", title=None),
    )
    base = alt.Chart(frame)
    bars = base.mark_rule(strokeWidth=3, opacity=0.55).encode(
        x=alt.X("lo:Q", scale=scale, title="Krippendorff's alpha"),
        x2=alt.X2("hi:Q"), y=y, color=colour,
    )  # fmt: skip
    dots = base.mark_point(filled=True, size=70, opacity=1).encode(
        x=alt.X("alpha:Q", scale=scale), y=y, color=colour,
        tooltip=tips("question", "rubric_name", "n", "agreement", "alpha", "lo", "hi", "kappa", "ac1", "reason"),
    )  # fmt: skip
    lines = lines_at([0.667, 0.8], scale, dash=(2, 4))
    chart = alt.layer(lines, bars, dots).properties(width=inner, height=alt.Step(21))
    return finished(
        chart,
        question=question,
        detail="0 is chance, 1 full agreement; 95 % intervals over tickets. Dotted: .667 (tentative) and .80 (firm).",
        width=width,
    )


def _labelled(frame: pl.DataFrame, width: int, *, across: bool = False) -> pl.DataFrame:
    """`name` and `rubric` as short lines; names differ within each rubric, or `across` all."""
    return told_apart(
        frame,
        "question",
        ["rubric_id", "question_id"],
        to="name",
        most=22 if width < PHONE else 42,
        beside="rubric_name" if across else None,
        per=[] if across else ["rubric_id"],
    ).with_columns(rubric=short("rubric_name", most=40))
