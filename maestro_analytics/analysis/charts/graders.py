"""Charts about graders."""

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
    fitting,
    letters,
    lines_at,
    names,
    numbered_cells,
    plain,
    span,
    standing_first,
    told_apart,
    with_n,
    within,
    without_domain,
)
from maestro_analytics.analysis.colours import BLUE, FAINT, GREY, INK, ORANGE

UNSETTLED = "not settled"
VERDICTS = {"strict": ORANGE, "lenient": BLUE, UNSETTLED: GREY}


def severity(graders: pl.DataFrame, *, show: int = 30, width: int = WIDTH) -> Any:
    """Graders by adjusted severity with intervals, from `grader_severity`; the raw gap is a hollow ring.

    Of more than `show` graders those who stand out are drawn first. One panel for each component.
    """
    question = "Strict and lenient graders, on the same agents, rubrics and months"
    whole = plain(graders).filter(pl.col("adjusted").is_not_null())
    if not whole.height:
        return empty(graders, question=question, width=width)
    show = fitting(show, width)
    drawn, left = standing_first(whole, "adjusted", show, what="graders")
    drawn = drawn.with_columns(who=without_domain(drawn["grader"]))
    drawn = told_apart(drawn, "who", "grader", to="name", most=letters(26, width)).with_columns(
        name=with_n("name"), verdict=pl.col("stands_out").replace("", UNSETTLED)
    )
    scale = span(drawn["lo"], drawn["hi"], drawn["raw_gap"], pl.Series([0.0]))
    axis, inner = names(drawn["name"], width)
    colour = coloured("verdict", VERDICTS, width)
    panels = []
    for (component,), group in drawn.group_by(["component"], maintain_order=True):
        y = alt.Y("name:N", sort=group["name"].to_list(), title=None, axis=axis)
        base = alt.Chart(group)
        bars, dots = dots_with_bars(
            base, "adjusted", y=y, scale=scale, title="points: - strict, + lenient", colour=colour,
            tip=("grader", "n", "raw_gap", "adjusted", "lo", "hi", "component", "mad_benchmark", "reason"),
        )  # fmt: skip
        rings = base.mark_point(filled=False, size=42, color=FAINT).encode(x=alt.X("raw_gap:Q", scale=scale), y=y)
        panel = alt.layer(lines_at([0.0], scale), bars, rings, dots, width=inner, height=alt.Step(21))
        if drawn["component"].n_unique() > 1:
            title = f"graders who share agents: group {component}"
            panel = panel.properties(title=alt.TitleParams(title, anchor="start", fontSize=12, color=INK))
        panels.append(panel)
    chart = panels[0] if len(panels) == 1 else alt.vconcat(*panels, spacing=18)
    detail = (
        "Points above or below the average grader. Dot: on the same agents, rubrics and months; bar: where it "
        f"may lie (95 %). Ring: what a dashboard shows. Grey: not settled.{left}"
    )
    return finished(chart, question=question, detail=detail, width=width)


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
    order = frame.group_by("row").agg(pl.col("bias").mean()).sort("bias", "row")["row"].to_list()
    chart, largest = numbered_cells(
        frame, "bias", width=width,
        more="gives more", less="gives less", colours={"gives less": ORANGE, "gives more": BLUE},
        settled=pl.col("reliable") & ((pl.col("lo") > 0) | (pl.col("hi") < 0)).fill_null(False),
        x=alt.X("column:N", sort=order, title="... than this grader",
                axis=alt.Axis(orient="top", labelAngle=-40, labelAlign="left", ticks=False, domain=False,
                              titleAnchor="start", **within(frame["column"], 120))),
        y=alt.Y("row:N", sort=order, title=None,
                axis=alt.Axis(ticks=False, domain=False, **within(frame["row"], width * 0.3))),
        tip=("grader", "other", "n", "bias", "lo", "hi", "mad", "reason"),
    )  # fmt: skip
    side = min(34.0, (width * 0.66 - 20) / max(len(order), 1))
    chart = chart.properties(width=side * len(order), height=alt.Step(28))
    left = f" Drawn are the {show} of {busiest.height} who graded most together." if busiest.height > show else ""
    detail = (
        "Number: how many points the grader of the row gives more (+) or less (-) than the one of the column. Bold: "
        f"settled. The stronger the colour, the larger the gap; strongest from {largest:.0f} on.{left}"
    )
    return finished(chart, question=question, detail=detail, width=width)
