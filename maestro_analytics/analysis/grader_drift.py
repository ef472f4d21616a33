"""Whether a grader's measure moves with time."""

from __future__ import annotations

from typing import Unpack

import polars as pl

from maestro_analytics.analysis.agreement import pairing
from maestro_analytics.analysis.answer import Answer
from maestro_analytics.analysis.benchmark import judged_by_benchmarks
from maestro_analytics.analysis.filters import Filters, Store
from maestro_analytics.analysis.statistics import day_effects, process
from maestro_analytics.analysis.statistics.day_effects import day_correlation
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
    periods = _periods(judged)
    chart = process.ewma(table["bias"], periods["weight"], _spread(judged), weight=weight, series=table["group"])
    charted = charted_rows(table, chart, scale=1.0, method=f"EWMA, weight {weight:g}").join(
        _slopes(periods, every=every, confidence=confidence), on="group", how="left", maintain_order="left"
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
        caveat="If the benchmarks themselves drift, every grader appears to drift the other way. Limits hold for one "
        "grader at a time: within half a year, about one in twenty graders who do not change has a signal.",
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


def _slopes(periods: pl.DataFrame, *, every: Every, confidence: float) -> pl.DataFrame:
    """The line through each grader's period means, in points per 30 days; a mood that lasts for weeks is not drift."""
    from scipy import special

    day = pl.col("period").dt.epoch("d").cast(pl.Int64)
    month = pl.col("period").dt.year().cast(pl.Int64) * 12 + pl.col("period").dt.month()
    placed = periods.with_columns(place={"week": day // 7, "month": month}[every])
    series = {
        name: day_effects.Series(*(part[column].to_numpy() for column in ("place", "x", "y", "weight")))
        for (name,), part in placed.partition_by("group", as_dict=True, maintain_order=True).items()
        if part.height > 2 and part["x"].n_unique() > 2
    }
    slope, error, freedom = day_effects.slopes(list(series.values()))
    reach = special.stdtrit(freedom, 0.5 + confidence / 2) * error
    return pl.DataFrame(
        {"group": list(series), "slope": slope, "slope_lo": slope - reach, "slope_hi": slope + reach},
        schema={"group": pl.String, "slope": pl.Float64, "slope_lo": pl.Float64, "slope_hi": pl.Float64},
    )
