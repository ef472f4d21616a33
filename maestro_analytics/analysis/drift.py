"""Whether a grader's measure moves with time."""

from __future__ import annotations

from typing import Unpack

import numpy as np
import polars as pl

from maestro_analytics.analysis.agreement import pairing
from maestro_analytics.analysis.answer import Answer
from maestro_analytics.analysis.benchmark import judged_by_benchmarks
from maestro_analytics.analysis.filters import Filters, Store
from maestro_analytics.analysis.statistics import process
from maestro_analytics.analysis.statistics.day_clusters import day_correlation
from maestro_analytics.analysis.trends import Every, charted_rows, without_unfinished


def grader_drift(
    store: Store, *, every: Every = "week", weight: float = 0.2, confidence: float = 0.95, **filters: Unpack[Filters]
) -> Answer:
    """Does a grader become stricter or more lenient with time, against benchmarks?

    One row per judged grader and period with a benchmark that both scored: an EWMA chart of the bias (grader minus
    benchmark), which sees a slow drift that no single week shows. `charts.control` draws it.

    Columns
        group                String   the grader
        period               Date     first day of the week or month of the benchmark (`date_reported_as`)
        n, n_na              Int64    benchmarks with both scores, and without one of them
        bias                 Float64  mean of grader minus benchmark in the period, percent points
        value                Float64  the exponentially weighted mean up to the period (`weight` for the newest)
        centre, lo, hi       Float64  the grader's mean of all time, and the limits of usual noise around it
        signal               String   "outside the limits" or ""
        slope, slope_lo, slope_hi   Float64  percent points per 30 days over the whole period, with its interval
        points               Int64    periods of the grader
        finished             Boolean  false for the newest period, unless `until` says that it has ended
        method, reliable, reason      reliable: at least 12 periods

    Source: sql/queries/benchmarks.sql. Errors: see `Filters`.
    """
    choice = pairing(store, filters)
    local = pl.col("date_reported_as").dt.convert_time_zone(choice.week_zone)
    apart = pl.col("apart")
    judged = (
        judged_by_benchmarks(store, choice)
        .filter(pl.col("judged").is_not_null() & pl.col("date_reported_as").is_not_null())
        .with_columns(
            group="judged",
            period=local.dt.truncate({"week": "1w", "month": "1mo"}[every]).dt.date(),
            month=pl.col("date_reported_as").dt.epoch("s") / (30 * 86400),
        )
    )
    table = (
        judged.group_by("group", "period")
        .agg(n=apart.count().cast(pl.Int64), n_na=apart.null_count().cast(pl.Int64), bias=apart.mean())
        .filter(pl.col("n") > 0)
        .sort("group", "period")
    )
    chart = process.ewma(table["bias"], table["n"], _spread(judged), weight=weight, series=table["group"])
    charted = charted_rows(table, chart, scale=1.0, method=f"EWMA, weight {weight:g}").join(
        _slopes(judged, confidence=confidence), on="group", how="left", maintain_order="left"
    )
    # Of one or two periods, or of differences that are all equal, no limits can be told.
    told = (pl.col("points") > 2) & (pl.col("hi") > pl.col("lo"))
    charted = charted.with_columns(lo=pl.when(told).then("lo"), hi=pl.when(told).then("hi"))
    columns = (
        "group",
        "period",
        "n",
        "n_na",
        "bias",
        "value",
        "centre",
        "lo",
        "hi",
        "signal",
        "slope",
        "slope_lo",
        "slope_hi",
        "points",
        "finished",
        "method",
        "reliable",
        "reason",
    )
    return Answer.of(
        without_unfinished(charted.with_columns(bias=table["bias"]), choice, every=every).select(columns),
        choice,
        question="Does a grader become stricter or more lenient with time? Percent points against benchmarks.",
        caveat="A drift of the benchmarks themselves looks like one of every grader the other way.",
    )


def _spread(judged: pl.DataFrame) -> float:
    """How much a single difference varies within graders."""
    apart = pl.col("apart")
    known = judged.filter(apart.is_not_null())
    freedom = known.height - known["group"].n_unique()
    squares = known.select(((apart - apart.mean().over("group")) ** 2).sum()).item()
    return float(squares / freedom) ** 0.5 if freedom > 0 else 0.0


def _slopes(judged: pl.DataFrame, *, confidence: float) -> pl.DataFrame:
    """The least-squares line through each grader's period means, in points per 30 days.

    Differences of one period resemble each other, so a period weighs less than its number, and t has periods - 2
    degrees of freedom.
    """
    from scipy import special

    known = judged.filter(pl.col("apart").is_not_null())
    apart = pl.col("apart")
    periods = (
        known.group_by("group", "period")
        .agg(
            n=pl.len().cast(pl.Float64),
            total=apart.sum(),
            squares=(apart**2).sum(),
            x=pl.col("month").mean(),
            y=apart.mean(),
        )
        .sort("group", "period")
    )
    if not periods.height:
        return pl.DataFrame(schema={"group": pl.String} | dict.fromkeys(("slope", "slope_lo", "slope_hi"), pl.Float64))
    group = (periods["group"].rank("dense").cast(pl.Int64) - 1).to_numpy()
    sums = [periods[name].to_numpy() for name in ("n", "total", "squares")]
    alike = day_correlation(sums[0], sums[1], sums[2], group, level=1.0)
    w = pl.col("n") / (1 + alike * (pl.col("n") - 1))
    x = pl.col("x") - ((w * pl.col("x")).sum() / w.sum()).over("group")
    y = pl.col("y") - ((w * pl.col("y")).sum() / w.sum()).over("group")
    line = (
        periods.with_columns(w=w, dx=x, dy=y)
        .group_by("group", maintain_order=True)
        .agg(
            n=pl.len(),
            xx=(pl.col("w") * pl.col("dx") ** 2).sum(),
            xy=(pl.col("w") * pl.col("dx") * pl.col("dy")).sum(),
            yy=(pl.col("w") * pl.col("dy") ** 2).sum(),
        )
        .filter((pl.col("n") > 2) & (pl.col("xx") > 0))
        .with_columns(slope=pl.col("xy") / pl.col("xx"))
    )
    freedom = line["n"].to_numpy() - 2.0
    rest = line.select((pl.col("yy") - pl.col("slope") * pl.col("xy")).clip(0))["yy"].to_numpy()
    reach = special.stdtrit(freedom, 0.5 + confidence / 2) * np.sqrt(rest / freedom / line["xx"].to_numpy())
    return line.select("group", "slope").with_columns(
        slope_lo=pl.col("slope") - pl.Series(reach, dtype=pl.Float64),
        slope_hi=pl.col("slope") + pl.Series(reach, dtype=pl.Float64),
    )
