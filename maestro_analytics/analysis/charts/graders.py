"""Charts about graders."""

from __future__ import annotations

from typing import Any

import altair as alt
import polars as pl

from maestro_analytics.analysis.charts.labels import names, told_apart, with_n, within, without_domain
from maestro_analytics.analysis.charts.theme import (
    BLUE,
    CELL_INK,
    FAINT,
    GREY,
    INK,
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

UNSETTLED = "not settled"
VERDICTS = {"strict": ORANGE, "lenient": BLUE, UNSETTLED: GREY}


def severity(graders: pl.DataFrame, *, show: int = 30, width: int = WIDTH) -> Any:
    """Graders by adjusted severity with intervals, from `grader_severity`; the raw gap is a hollow ring.

    Of more than `show` graders the strictest and most lenient half are drawn. One panel for each component.
    """
    question = "Strict and lenient graders, on the same agents, rubrics and months"
    whole = plain(graders).filter(pl.col("adjusted").is_not_null())
    if not whole.height:
        return empty(graders, question=question, width=width)
    show = fitting(show, width)
    drawn = pl.concat([whole.head(show - show // 2), whole.tail(show // 2)]) if whole.height > show else whole
    drawn = drawn.with_columns(who=without_domain(drawn["grader"]))
    drawn = told_apart(drawn, "who", "grader", to="name", most=26).with_columns(
        name=with_n("name"),
        verdict=pl.col("stands_out").replace("", UNSETTLED),
    )
    scale = span(drawn["lo"], drawn["hi"], drawn["raw_gap"], pl.Series([0.0]))
    axis, inner = names(drawn["name"], width)
    colour = alt.Color(
        "verdict:N",
        scale=alt.Scale(domain=list(VERDICTS), range=list(VERDICTS.values())),
        legend=alt.Legend(orient="top", title=None, direction="vertical" if width < PHONE else "horizontal"),
    )
    panels = []
    for (component,), group in drawn.group_by(["component"], maintain_order=True):
        y = alt.Y("name:N", sort=group["name"].to_list(), title=None, axis=axis)
        base = alt.Chart(group)
        bars = base.mark_rule(strokeWidth=3, opacity=0.55).encode(
            x=alt.X("lo:Q", scale=scale, title="points: - strict, + lenient"), x2=alt.X2("hi:Q"), y=y, color=colour
        )
        dots = base.mark_point(filled=True, size=70, opacity=1).encode(
            x=alt.X("adjusted:Q", scale=scale),
            y=y,
            color=colour,
            tooltip=tips("grader", "n", "raw_gap", "adjusted", "lo", "hi", "component", "mad_benchmark", "reason"),
        )
        rings = base.mark_point(filled=False, size=42, color=FAINT).encode(x=alt.X("raw_gap:Q", scale=scale), y=y)
        panel = alt.layer(lines_at([0.0], scale), bars, rings, dots).properties(width=inner, height=alt.Step(21))
        if drawn["component"].n_unique() > 1:
            title = f"graders who share agents: group {component}"
            panel = panel.properties(title=alt.TitleParams(title, anchor="start", fontSize=12, color=INK))
        panels.append(panel)
    chart = panels[0] if len(panels) == 1 else alt.vconcat(*panels, spacing=18)
    return finished(
        chart,
        question=question,
        detail="Points against the mean grader. Dot: adjusted, with 95 % interval. Ring: the raw gap of a dashboard.",
        width=width,
    )


def disagreement(pairs: pl.DataFrame, *, show: int = 14, width: int = WIDTH) -> Any:
    """Who gives how much more than whom on the same tickets, from `grader_pairs`."""
    question = "Who gives more than whom, on the same tickets"
    if not pairs.height:
        return empty(pairs, question=question, width=width)
    frame = plain(pairs).filter(pl.col("bias").is_not_null())
    busiest = frame.group_by("grader").agg(pl.col("n").sum()).sort(["n", "grader"], descending=[True, False])
    show = fitting(show, width)
    kept = busiest.head(show)["grader"]
    frame = frame.filter(pl.col("grader").is_in(kept.implode()) & pl.col("other").is_in(kept.implode()))
    lines = pl.DataFrame({"grader": kept, "who": without_domain(kept)})
    lines = told_apart(lines, "who", "grader", to="row", most=14 if width < PHONE else 24).drop("who")
    frame = frame.join(lines, on="grader").join(lines.rename({"grader": "other", "row": "column"}), on="other")
    frame = frame.with_columns(
        text=pl.when(pl.col("bias").round(0) > 0)
        .then(pl.format("+{}", pl.col("bias").round(0).cast(pl.Int64)))
        .otherwise(pl.format("{}", pl.col("bias").round(0).cast(pl.Int64))),
        strong=pl.col("bias").abs() > 6,
    )
    order = frame.group_by("row").agg(pl.col("bias").mean()).sort("bias", "row")["row"].to_list()
    base = alt.Chart(frame).encode(
        x=alt.X("column:N", sort=order, title="... than this grader",
                axis=alt.Axis(orient="top", labelAngle=-40, labelAlign="left", ticks=False, domain=False,
                              titleAnchor="start", **within(frame["column"], 120))),
        y=alt.Y("row:N", sort=order, title=None,
                axis=alt.Axis(ticks=False, domain=False, **within(frame["row"], width * 0.3))),
    )  # fmt: skip
    cells = base.mark_rect(stroke="#ffffff", strokeWidth=1, cornerRadius=2).encode(
        color=alt.Color(
            "bias:Q",
            scale=alt.Scale(domain=[-12, 0, 12], range=[ORANGE, "#f3f4f6", BLUE], clamp=True, interpolate="rgb"),
            legend=alt.Legend(title="points more (+) or less (-)", orient="bottom", gradientLength=200),
        ),
        opacity=alt.condition("datum.reliable", alt.value(1), alt.value(0.45)),
        tooltip=tips("grader", "other", "n", "bias", "lo", "hi", "mad", "reason"),
    )
    text = base.mark_text(fontSize=11).encode(
        text=alt.Text("text:N"),
        color=alt.condition("datum.strong && datum.reliable", alt.value("#ffffff"), alt.value(CELL_INK)),
    )
    side = min(34.0, (width * 0.66 - 20) / max(len(order), 1))
    chart = alt.layer(cells, text).properties(width=side * len(order), height=alt.Step(28))
    left = f" The {show} who graded most together." if busiest.height > show else ""
    return finished(
        chart, question=question, detail=f"Rows: this grader gives ... Pale: fewer than 10 tickets.{left}", width=width
    )
