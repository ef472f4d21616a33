"""Charts about questions."""

from __future__ import annotations

import textwrap
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
    numbered_cells,
    plain,
    short,
    span,
    tips,
    told_apart,
    with_n,
    within,
)
from maestro_analytics.analysis.colours import BLUE, GREY, INK, ORANGE


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
            color=coloured("vital", {"first 80 % of the loss": BLUE, "the rest": GREY}, width),
            tooltip=tips("question", "section_name", "n", "points_lost", "share", "cumulative_share", "failure_rate"),
        )
        notes = base.mark_text(align="left", dx=4, color=INK, fontSize=12).encode(text=alt.Text("note:N"))
        heading = f"{rubric['rubric'].to_list()[0]}  (n={max(rubric['n'].to_list())} grades)"
        lines = textwrap.wrap(heading, max(16, int(inner / 8)))
        title = alt.TitleParams(lines, anchor="start", frame="group", fontSize=12, color=INK)
        panels.append(alt.layer(bars, notes, width=inner, height=alt.Step(21), title=title))
    detail = (
        "Bar: points lost. At its end: how much of all the rubric's lost points this question and those above it make "
        "up. Blue: those that make up the first 80 %."
    ) + (f" {hidden} questions that cost less are not drawn." if hidden else "")
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
    chart, largest = numbered_cells(
        frame, "gap", settled=pl.col("stands_out") != "", more="more often", less="less often",
        colours={"more often": ORANGE, "less often": BLUE},
        x=alt.X("team_name:N", title=None, axis=alt.Axis(orient="top", ticks=False, domain=False, labelAlign="left",
                                                        labelAngle=-90 if width < PHONE else -35,
                                                        **within(frame["team_name"], 140))),
        y=alt.Y("name:N", sort=order, title=None, axis=axis), width=width,
        tip=("team", "question", "rubric_name", "n", "failure_rate", "lo", "hi", "gap", "stands_out", "reason"),
    )  # fmt: skip
    chart = chart.properties(width=inner, height=alt.Step(24))
    detail = (
        "Number: of 100 answers, how many more (+) or fewer (-) than everyone's lost points. Bold: more than chance. "
        f"The stronger the colour, the larger the gap; strongest from {largest:.0f} on. The {len(order)} costliest "
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
    whole = frame.height
    frame = _labelled(frame.sort("alpha", "question_id").head(show), width, across=True).with_columns(
        name=with_n("name"),
        verdict=pl.when(pl.col("alpha") >= 0.8)
        .then(pl.lit("agree well"))
        .when(pl.col("alpha") >= 0.667)
        .then(pl.lit("so so"))
        .otherwise(pl.lit("disagree")),
    )
    order = frame["name"].to_list()
    left = f" Drawn are the {show} least agreed of {whole} questions." if whole > show else ""
    scale = span(frame["lo"], frame["hi"], frame["alpha"], pl.Series([0.0, 1.0]))
    axis, inner = names(frame["name"], width, share=0.56)
    y = alt.Y("name:N", sort=order, title=None, axis=axis)
    bars, dots = dots_with_bars(
        alt.Chart(frame), "alpha", y=y, scale=scale, title="agreement: 0 is chance, 1 is full",
        colour=coloured("verdict", {"agree well": BLUE, "so so": GREY, "disagree": ORANGE}, width),
        tip=("question", "rubric_name", "n", "agreement", "alpha", "lo", "hi", "kappa", "ac1", "reason"),
    )  # fmt: skip
    lines = lines_at([0.667, 0.8], scale, dash=(2, 4))
    chart = alt.layer(lines, bars, dots, width=inner, height=alt.Step(21))
    detail = (
        "Dot: agreement beyond chance; bar: where it may lie (95 %). Dotted lines: .67 and .80; from .80 on "
        f"graders agree well, below .67 they do not.{left}"
    )
    return finished(chart, question=question, detail=detail, width=width)


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
