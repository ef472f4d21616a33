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

MOST_ALIKE = 0.8


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
    periods = _periods(judged)
    chart = process.ewma(table["bias"], periods["weight"], _spread(judged), weight=weight, series=table["group"])
    charted = charted_rows(table, chart, scale=1.0, method=f"EWMA, weight {weight:g}").join(
        _slopes(periods, confidence=confidence), on="group", how="left", maintain_order="left"
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


def _periods(judged: pl.DataFrame) -> pl.DataFrame:
    """One row per grader and period, in order of time: number `n`, its `weight`, mean moment `x` and difference `y`.

    Differences of one period resemble each other, so a period weighs less than its number: by how much periods differ
    around each grader's line, over all graders.
    """
    known = judged.filter(pl.col("apart").is_not_null())
    x = pl.col("month") - pl.col("month").mean()
    slope = pl.when((x**2).sum() > 0).then((x * pl.col("apart")).sum() / (x**2).sum()).otherwise(0.0)
    known = known.with_columns(around=(pl.col("apart") - slope * x).over("group"))
    around = pl.col("around")
    periods = (
        known.group_by("group", "period")
        .agg(
            n=pl.len().cast(pl.Float64),
            total=around.sum(),
            squares=(around**2).sum(),
            x=pl.col("month").mean(),
            y=pl.col("apart").mean(),
        )
        .sort("group", "period")
    )
    if not periods.height:
        return periods.with_columns(weight="n")
    group = (periods["group"].rank("dense").cast(pl.Int64) - 1).to_numpy()
    sums = [periods[name].to_numpy() for name in ("n", "total", "squares")]
    alike = day_correlation(sums[0], sums[1], sums[2], group, level=1.0)
    return periods.with_columns(weight=pl.col("n") / (1 + alike * (pl.col("n") - 1)))


def _slopes(periods: pl.DataFrame, *, confidence: float) -> pl.DataFrame:
    """The least-squares line through each grader's period means, in points per 30 days.

    t has periods - 2 degrees of freedom; the variance is raised by how much a period resembles the one before (AR(1),
    over all graders), because a mood that lasts is not drift.
    """
    from scipy import special

    w, x, y = (pl.col(name) for name in ("weight", "x", "y"))
    centred = periods.with_columns(
        dx=x - ((w * x).sum() / w.sum()).over("group"), dy=y - ((w * y).sum() / w.sum()).over("group")
    )
    dx, dy = pl.col("dx"), pl.col("dy")
    line = (
        centred.group_by("group", maintain_order=True)
        .agg(n=pl.len(), xx=(w * dx**2).sum(), xy=(w * dx * dy).sum(), yy=(w * dy**2).sum())
        .filter((pl.col("n") > 2) & (pl.col("xx") > 0))
        .with_columns(slope=pl.col("xy") / pl.col("xx"))
    )
    lasting = _lasting(centred.join(line.select("group", "slope", points="n"), on="group", maintain_order="left"))
    freedom = line["n"].to_numpy() - 2.0
    rest = line.select((pl.col("yy") - pl.col("slope") * pl.col("xy")).clip(0))["yy"].to_numpy()
    reach = special.stdtrit(freedom, 0.5 + confidence / 2) * np.sqrt(rest / freedom / line["xx"].to_numpy() * lasting)
    return line.select("group", "slope").with_columns(
        slope_lo=pl.col("slope") - pl.Series(reach, dtype=pl.Float64),
        slope_hi=pl.col("slope") + pl.Series(reach, dtype=pl.Float64),
    )


def _lasting(centred: pl.DataFrame) -> float:
    """By how much the variance of a slope grows because periods next to each other are alike; 1 where they are not."""
    left = (pl.col("dy") - pl.col("slope") * pl.col("dx")) * pl.col("weight").sqrt()
    sums = (
        centred.with_columns(left=left)
        .with_columns(before=pl.col("left").shift(1).over("group"))
        .select(
            together=(pl.col("left") * pl.col("before")).sum(),
            alone=(pl.col("left") ** 2).sum(),
            # A line takes away about 2 / n of what neighbours have in common.
            taken=(2.0 * (1 / pl.col("points"))).mean(),
        )
    )
    together, alone, taken = sums.row(0)
    if not alone:
        return 1.0
    alike = min(max(together / alone + (taken or 0.0), 0.0), MOST_ALIKE)
    return float((1 + alike) / (1 - alike))
