"""How scores move over time, and which movements are more than the usual noise."""

from __future__ import annotations

from typing import Any, Literal, Unpack

import polars as pl

from maestro_analytics.analysis.answer import Answer
from maestro_analytics.analysis.filters import Choice, Filters, Store
from maestro_analytics.analysis.statistics import process
from maestro_analytics.analysis.statistics.intervals import Floats
from maestro_analytics.analysis.summaries import agent_label, by_cluster, nullable, summed, with_share

Every = Literal["week", "month"]
Group = Literal["all", "team", "agent", "rubric"]
FEWEST_POINTS = 12
RUBRICS = "Where several rubrics were used, scores are rid of the differences between them."


def score_trend(
    store: Store,
    *,
    every: Every = "week",
    by: Group = "rubric",
    min_n: int = 10,
    confidence: float = 0.95,
    **filters: Unpack[Filters],
) -> Answer:
    """How do scores move from week to week, or month to month?

    One row per period and group. Weeks run from Monday to Sunday in `week_zone`.

    Columns
        period           Date     first day of the week or month
        group            String   the rubric's, team's or agent's name (with the id where agents share it), or "all"
        agents           Int64    agents with a scored grade
        n, n_na, mean, lo, hi, sd, method, reliable, reason   as in `team_scores`; percent

    Source: sql/queries/adjusted_trend.sql; by rubric sql/queries/score_trend.sql. Errors: see `Filters`.
    """
    choice = Choice.of(store, filters)
    frame = _grouped(store, choice, every=every, by=by)
    table = by_cluster(frame, ["period", "group"], min_n=min_n, confidence=confidence)
    columns = ("period", "group", "agents", "n", "n_na", "mean", "lo", "hi", "sd", "method", "reliable", "reason")
    return Answer.of(
        table.select(columns).sort("group", "period"),
        choice,
        question=f"How do scores move from {every} to {every}? Percent.",
        caveat="" if by == "rubric" else RUBRICS,
    )


def control_chart(store: Store, *, every: Every = "week", by: Group = "agent", **filters: Unpack[Filters]) -> Answer:
    """Which weeks of an agent are unusual, by the agent's own measure?

    One row per group and period with a scored grade: an XmR chart of the period means (limits: mean +- 2.66 times the
    mean moving range).

    Columns
        group, period
        n, n_na                 Int64    grades; few grades widen the moving range
        value, centre, lo, hi   Float64  mean of the period and the group's limits, percent
        moving_range, moving_range_limit
        signal                  String   "outside the limits", "eight on one side", or ""
        points                  Int64    periods of the group
        method, reliable, reason         reliable: at least 12 periods

    Source: sql/queries/adjusted_trend.sql; by rubric sql/queries/score_trend.sql. Errors: see `Filters`.
    """
    choice = Choice.of(store, filters)
    frame = _grouped(store, choice, every=every, by=by)
    table = summed(frame, ["group", "period"]).filter(pl.col("n") > 0).sort("group", "period")
    means = table["total"] / table["n"]
    charted = charted_rows(table, process.xmr(means, series=table["group"]), scale=1.0, method="XmR")
    return _control_answer(charted, choice, f"Which {every}s are unusual, by each {by}'s own measure? Percent.")


def pass_rate_chart(
    store: Store,
    *,
    every: Every = "week",
    by: Group = "team",
    threshold: float = 80.0,
    **filters: Unpack[Filters],
) -> Answer:
    """In which weeks is a pass rate unusual, given how many grades there are?

    One row per group and period with a scored grade: Laney's p' chart of the share of grades at or above `threshold`;
    its limits allow for the number of grades and for more variation than chance (`sigma_z`).

    Columns: as in `control_chart`, in percent, with sigma_z.

    Source: sql/queries/score_trend.sql. Errors: see `Filters`.
    """
    choice = Choice.of(store, filters)
    frame = _asked(store, "score_trend", choice, every=every, threshold=threshold)
    frame = _by_rubric(frame) if by == "rubric" else _placed(store, choice, frame, by=by)
    table = with_share(
        summed(frame, ["group", "period"], "passed").filter(pl.col("n") > 0),
        "passed", names=("rate", "rate_lo", "rate_hi"), confidence=0.95,
    )  # fmt: skip
    table = table.sort("group", "period")
    chart = process.laney_p(table["passed"], table["n"], series=table["group"])
    charted = charted_rows(table, chart, scale=100.0, method="Laney p'")
    return _control_answer(
        charted, choice, f"In which {every}s is a pass rate (at least {threshold:g} %) unusual? Percent."
    )


def charted_rows(table: pl.DataFrame, chart: process.ControlChart, *, scale: float, method: str) -> pl.DataFrame:
    """The chart of a table's rows, as columns; `scale` turns its numbers into percent."""

    def column(name: str, numbers: Floats) -> pl.Series:
        return nullable(scale * numbers).alias(name)

    few = pl.col("points") < FEWEST_POINTS
    return (
        table.select("group", "period", "n", "n_na")
        .with_columns(
            column("value", chart.value),
            column("centre", chart.centre),
            column("lo", chart.lower),
            column("hi", chart.upper),
            column("moving_range", chart.moving_range),
            column("moving_range_limit", chart.moving_range_limit),
            nullable(chart.sigma_z).alias("sigma_z"),
            pl.Series("signal", chart.signal, dtype=pl.String),
            pl.Series("points", chart.points, dtype=pl.Int64),
            method=pl.lit(method),
        )
        .with_columns(
            reliable=~few,
            reason=pl.when(few)
            .then(pl.format(f"{{}} periods: fewer than {FEWEST_POINTS}", "points"))
            .otherwise(pl.lit("")),
        )
        .select(CHARTED)
    )


CHARTED = (
    "group", "period", "n", "n_na", "value", "centre", "lo", "hi", "moving_range", "moving_range_limit", "sigma_z",
    "signal", "points", "method", "reliable", "reason",
)  # fmt: skip


def _control_answer(table: pl.DataFrame, choice: Choice, question: str) -> Answer:
    return Answer.of(
        table,
        choice,
        question=question,
        caveat="Out of hundreds of points a few lie outside by chance: ask what happened, not who is to blame.",
    )


def _grouped(store: Store, choice: Choice, *, every: str, by: Group) -> pl.DataFrame:
    """Sums by period, person and group; rid of rubric differences unless the rubric is the group."""
    if by == "rubric":
        return _by_rubric(_asked(store, "score_trend", choice, every=every))
    return _placed(store, choice, _asked(store, "adjusted_trend", choice, every=every), by=by)


def _asked(store: Store, query: str, choice: Choice, **variables: Any) -> pl.DataFrame:
    return store.query(query, **choice.variables, week_zone=choice.week_zone, **variables)


def _by_rubric(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(group=pl.col("rubric_name").fill_null(pl.col("rubric_id")))


def _placed(store: Store, choice: Choice, frame: pl.DataFrame, *, by: Group) -> pl.DataFrame:
    """The rows of persons, each in their group or groups."""
    if by == "team":
        members = store.query("team_members", **choice.variables_of("team"))
        return frame.join(members, on="person_id").with_columns(
            group=pl.col("group_name").fill_null(pl.col("group_id"))
        )
    if by == "agent":
        return frame.with_columns(group=agent_label(frame))
    return frame.with_columns(group=pl.lit("all"))
