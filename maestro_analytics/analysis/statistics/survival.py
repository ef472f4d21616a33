"""Kaplan-Meier: how long things take when some have not happened yet."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl


def kaplan_meier(
    durations: pl.DataFrame, happened: str, *, by: Sequence[str] = ("group",), confidence: float = 0.95
) -> pl.DataFrame:
    """The survival curve of each group.

    Args:
        durations: one row per thing: its group, the `days` that it took or has taken so far, and whether it happened.
        happened: the column that says so; what has not happened is censored.
        by: the columns that make a group.

    Returns:
        One row per group and moment at which something happened, in order: `by`, `days`, how many were `at_risk` then,
        how many `events` there were, the share still `waiting` after it and its log-log interval `lo`, `hi`, which is
        open (null) above when nobody is left.
    """
    from scipy import special

    z = float(special.ndtri(0.5 + confidence / 2))
    events, at_risk, waiting = pl.col("events"), pl.col("at_risk"), pl.col("waiting")
    error = z * pl.col("greenwood").sqrt() / waiting.log().abs()
    return (
        durations.group_by(*by, pl.col("days").cast(pl.Float64))
        .agg(events=pl.col(happened).sum().cast(pl.Int64), passed=pl.len().cast(pl.Int64))
        .sort(*by, "days")
        .with_columns(at_risk=pl.col("passed").cum_sum(reverse=True).over(by))
        .filter(events > 0)
        .with_columns(
            waiting=(1 - events / at_risk).cum_prod().over(by),
            greenwood=(events / (at_risk * (at_risk - events))).cum_sum().over(by),
        )
        .select(
            *by,
            "days",
            "at_risk",
            "events",
            "waiting",
            lo=pl.when(waiting > 0).then(waiting ** error.exp()).otherwise(0.0),
            hi=pl.when(waiting > 0).then(waiting ** (-error).exp()),
        )
    )


def medians(curves: pl.DataFrame, *, by: Sequence[str] = ("group",)) -> pl.DataFrame:
    """When half have happened, for each group with a curve, and its interval by Brookmeyer and Crowley.

    The median is the first moment after which at most half are waiting; null, as each end of its interval, where the
    curve stays above.

    Returns:
        One row per group: `by`, median, lo, hi.
    """
    ends = {"median": "waiting", "lo": "lo", "hi": "hi"}
    return curves.group_by(*by, maintain_order=True).agg(
        pl.col("days").filter(pl.col(share) <= 0.5 + 1e-12).first().alias(name) for name, share in ends.items()
    )
