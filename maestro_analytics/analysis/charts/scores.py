"""Charts of scores: who stands out, how scores move from week to week, and what changed between two periods."""

from __future__ import annotations

from typing import Any

import altair as alt
import numpy as np
import polars as pl

from maestro_analytics.analysis.changes import changed_words, is_of_graders
from maestro_analytics.analysis.charts.theme import (
    PHONE,
    WIDTH,
    coloured,
    dots_with_bars,
    empty,
    finished,
    fitting,
    letters,
    lines_at,
    names,
    panels,
    plain,
    span,
    standing_first,
    tips,
    told_apart,
    with_n,
    within,
    without_domain,
)
from maestro_analytics.analysis.colours import BLUE, FAINT, GREY, ORANGE

UNFINISHED = "Hollow and dashed: a week or month that may not have ended."
STANDING_WORDS = {"below": "below the average", "above": "above the average", "": "not settled"}
STANDING_COLOURS = dict(zip(STANDING_WORDS.values(), (ORANGE, BLUE, GREY), strict=True))


def caterpillar(ranking: pl.DataFrame, *, show: int = 40, width: int = WIDTH) -> Any:
    """Agents with their shrunk means and intervals, from `agent_ranking`; the raw mean is a hollow ring.

    Lowest first. Of more than `show` agents those who stand out are drawn before the others.
    """
    question = "Which agents stand out from the others"
    if not ranking.height:
        return empty(ranking, question=question, width=width)
    whole, show = plain(ranking), fitting(show, width)
    drawn, left = standing_first(whole, "shrunk", show, what="agents")
    drawn = drawn.reverse()  # those who stand out below first, as the tables have it
    drawn = told_apart(drawn, "agent_name", "person_id", to="agent", most=letters(26, width))
    drawn = drawn.with_columns(agent=with_n("agent"), standing=pl.col("stands_out").replace_strict(STANDING_WORDS))
    centre = float(np.average(whole["shrunk"], weights=whole["n"]))
    order = drawn["agent"].to_list()
    scale = span(drawn["shrunk_lo"], drawn["shrunk_hi"], drawn["mean"])
    axis, inner = names(drawn["agent"], width)
    y = alt.Y("agent:N", sort=order, title=None, axis=axis)
    base = alt.Chart(drawn)
    bars, dots = dots_with_bars(
        base, "shrunk", ends=("shrunk_lo", "shrunk_hi"), y=y, scale=scale, title="score, percent",
        colour=coloured("standing", STANDING_COLOURS, width),
        tip=("agent_name", "n", "mean", "shrunk", "shrunk_lo", "shrunk_hi", "rank", "rank_lo", "rank_hi", "reason"),
    )  # fmt: skip
    rings = base.mark_point(filled=False, size=42, color=FAINT, opacity=0.9).encode(x=alt.X("mean:Q", scale=scale), y=y)
    rule = lines_at([centre], scale)
    detail = (
        "Dot: best guess of an agent's score; bar: where it may lie (95 %). Ring: the plain average. Dashed: the "
        f"average of all. Grey: it is not settled on which side of it they are.{left}"
    )
    chart = alt.layer(rule, bars, rings, dots, width=inner, height=alt.Step(20))
    return finished(chart, question=question, detail=detail, width=width)


def group_scores(scores: pl.DataFrame, *, group: str = "team", show: int = 14, width: int = WIDTH) -> Any:
    """Means with intervals of teams or rubrics, from `team_scores` (`group="team"`) or `rubric_scores`.

    One panel for each rubric where there are several; of more than `show` teams the best and worst half of each.
    """
    question = f"{group.capitalize()}s: mean score with 95 % interval"
    if not scores.height:
        return empty(scores, question=question, width=width)
    column = "team" if group == "team" else "rubric_name"
    show = fitting(show, width)
    panel = "rubric_id" if group == "team" and "rubric_id" in scores.columns else pl.lit(0)
    place = pl.col("mean").rank("ordinal", descending=True).over(panel)
    drawn = plain(scores).filter(pl.col("mean").is_not_null())
    drawn = drawn.filter((place <= show - show // 2) | (place > pl.len().over(panel) - show // 2))
    drawn = told_apart(drawn, column, f"{group}_id", to="name", most=letters(30, width)).with_columns(
        name=with_n("name")
    )
    drawn = drawn.with_columns(certain=pl.when("reliable").then(pl.lit("enough grades")).otherwise(pl.lit("too few")))
    scale = span(drawn["lo"], drawn["hi"], drawn["mean"])
    axis, inner = names(drawn["name"], width)
    y = alt.Y("name:N", sort=alt.EncodingSortField("mean", order="descending"), title=None,
              axis=axis)  # fmt: skip
    bars, dots = dots_with_bars(
        alt.Chart(drawn), "mean", y=y, scale=scale, title="score, percent",
        colour=coloured("certain", {"enough grades": BLUE, "too few": GREY}, width),
        tip=(column, "n", "mean", "lo", "hi", "reason"),
    )  # fmt: skip
    chart = alt.layer(bars, dots, width=inner, height=alt.Step(24))
    if group == "team" and "rubric_name" in drawn.columns and drawn["rubric_name"].n_unique() > 1:
        chart = chart.facet(
            row=alt.Row("rubric_name:N", header=_row_header(drawn["rubric_name"], inner)), spacing=14
        ).resolve_scale(y="independent")
    detail = "Dot: the average; bar: where it may lie (95 %), given that the agents of a team differ."
    if drawn.height < scores.height:
        detail += f" Drawn are the best and the worst: {drawn.height} of {scores.height}."
    return finished(chart, question=question, detail=detail, width=width)


def trend(scores: pl.DataFrame, *, show: int = 6, width: int = WIDTH) -> Any:
    """Means over time with their intervals, from `score_trend`: a panel for each group, the busiest first."""
    question = "How scores move"
    if not scores.height:
        return empty(scores, question=question, width=width)
    drawn, groups, note = _busiest(_with_tail(plain(scores)), show)
    columns = 1 if width < PHONE or len(groups) == 1 else 2
    scale = span(drawn["lo"], drawn["hi"], drawn["mean"])
    base = alt.Chart(drawn).encode(x=alt.X("period:T", title=None, axis=_dates()))
    band = base.mark_area(opacity=0.18, color=BLUE).encode(
        y=alt.Y("lo:Q", scale=scale, title="score, percent"), y2=alt.Y2("hi:Q")
    )
    y = alt.Y("mean:Q", scale=scale)
    tip = tips("group", "period", "n", "mean", "lo", "hi", "reason")
    line = base.transform_filter("datum.finished").mark_line(color=BLUE).encode(y=y)
    dots = base.transform_filter("datum.finished").mark_point(filled=True, opacity=1, size=30, color=BLUE)
    layers = (band, line, dots.encode(y=y, tooltip=tip), *_unfinished(base, y, tip))
    chart = panels(alt.layer(*layers), groups, columns, width, height=130 if columns > 1 else 150)
    detail = f"Dot: the average of a week or month; band: where it may lie (95 %). {UNFINISHED}{note}"
    return finished(chart, question=question, detail=detail, width=width)


def control(points: pl.DataFrame, *, show: int = 9, width: int = WIDTH) -> Any:
    """Control charts in small multiples, groups with a reliable signal first.

    From `control_chart`, `pass_rate_chart` or `grader_drift`.
    """
    drift = "slope" in points.columns
    question = "Graders who become stricter or more lenient" if drift else "Unusual weeks"
    if not points.height:
        return empty(points, question=question, width=width)
    frame = _with_tail(plain(points)).with_columns(
        kind=pl.when(pl.col("signal") == "").then(pl.lit("usual")).otherwise(pl.lit("unusual"))
    )
    drawn, groups, note = _busiest(frame, show if width >= PHONE else min(show, 4), first=pl.col("signal") != "")
    columns = min(1 if width < PHONE else 3, len(groups))
    # Weeks with a grade or two have limits so wide that nothing else could be seen beside them: they are cut.
    scale = span(drawn["value"], *_usual(drawn["lo"], drawn["hi"]))
    base = alt.Chart(drawn).encode(x=alt.X("period:T", title=None, axis=_dates()))
    limits = base.mark_area(opacity=0.14, color=GREY, interpolate="step", clip=True).encode(
        y=alt.Y("lo:Q", scale=scale, title="points off" if drift else "percent"), y2=alt.Y2("hi:Q")
    )
    centre = base.mark_line(color=FAINT, strokeDash=[4, 4], strokeWidth=1).encode(y=alt.Y("centre:Q", scale=scale))
    line = base.transform_filter("datum.finished").mark_line(color=BLUE, strokeWidth=1.5)
    line = line.encode(y=alt.Y("value:Q", scale=scale))
    dots = (
        base.transform_filter("datum.finished")
        .mark_point(filled=True, opacity=1)
        .encode(
            y=alt.Y("value:Q", scale=scale),
            color=coloured("kind", {"usual": BLUE, "unusual": ORANGE}, width),
            size=alt.Size("kind:N", scale=alt.Scale(domain=["usual", "unusual"], range=[18, 90]), legend=None),
            tooltip=tips("group", "period", "n", "value", "lo", "hi", "signal", "reason"),
        )
    )
    tail = _unfinished(base, alt.Y("value:Q", scale=scale), tips("group", "period", "n", "value", "reason"))
    layers = (limits, centre, line, dots, *tail)
    chart = panels(alt.layer(*layers), groups, columns, width, height=130 if columns > 1 else 150)
    unusual = frame.filter(pl.col("signal") != "")["group"].n_unique()
    shown = drawn.filter(pl.col("signal") != "")["group"].n_unique()
    if unusual > shown:
        note += f" {unusual - shown} with something unusual are not drawn; the table has everyone."
    detail = (
        f"Dot: {'the running average of the gap' if drift else 'the average of a week or month'}; large and orange "
        f"where it is unusual. Band: what is usual by chance. Dashed: the average of all weeks. {UNFINISHED}{note}"
    )
    return finished(chart, question=question, detail=detail, width=width)


def _with_tail(frame: pl.DataFrame) -> pl.DataFrame:
    """`tail` marks an unfinished period and the one before it, between which the line is dashed."""
    if "finished" not in frame.columns:
        frame = frame.with_columns(finished=pl.lit(True))
    frame = frame.sort("group", "period")
    return frame.with_columns(tail=~pl.col("finished") | ~pl.col("finished").shift(-1).over("group").fill_null(True))


def _unfinished(base: Any, y: alt.Y, tip: list[alt.Tooltip]) -> list[Any]:
    """A dashed line to a hollow dot: a period that has not ended."""
    line = base.transform_filter("datum.tail").mark_line(color=BLUE, strokeWidth=1.5, strokeDash=[3, 3]).encode(y=y)
    dot = base.transform_filter("!datum.finished").mark_point(filled=False, size=40, color=BLUE, opacity=1)
    return [line, dot.encode(y=y, tooltip=tip)]


def _usual(lo: pl.Series, hi: pl.Series) -> tuple[pl.Series, pl.Series]:
    """The limits of most periods."""
    ends = lo.cast(pl.Float64).quantile(0.1), hi.cast(pl.Float64).quantile(0.9)
    first, second = (pl.Series([end] if end is not None else [], dtype=pl.Float64) for end in ends)
    return first, second


def _busiest(frame: pl.DataFrame, show: int, *, first: pl.Expr | None = None) -> tuple[pl.DataFrame, list[str], str]:
    """The `show` groups with most grades (those where `first` holds before the others), as labelled panels."""
    ranked = (
        frame.group_by("group")
        .agg(pl.col("n").sum(), first=(first if first is not None else pl.lit(value=False)).any())
        .sort(["first", "n", "group"], descending=[True, True, False])
    )
    kept = told_apart(ranked.head(show), "group", "group", to="panel", most=30).with_columns(panel=with_n("panel"))
    note = f" {show} of {ranked.height} shown." if ranked.height > show else ""
    return frame.join(kept.select("group", "panel"), on="group"), kept["panel"].to_list(), note


def _row_header(rubrics: pl.Series, room: int) -> alt.Header:
    return alt.Header(labelAngle=0, labelAnchor="start", labelOrient="top", title=None, **within(rubrics, room))


def _dates() -> alt.Axis:
    return alt.Axis(format="%-d %b", tickCount=5, grid=False)


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
    chart = alt.layer(lines_at([0.0], scale), bars, dots, width=inner, height=alt.Step(20))
    moved = "points stricter or more lenient than" if of_graders else "points gained or lost since"
    detail = (
        f"n={int(drawn['n'].sum()):,} grades or answers. Dot: {moved} the period before; bar: where the change may lie "
        f"(95 %). Dashed: no change. Grey: chance alone may do this.{left}"
    )
    return finished(chart, question=question, detail=detail, width=width)
