"""Kaplan-Meier: how long things take when some have not happened yet."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from maestro_analytics.analysis.statistics.arrays import crossed, summed


def kaplan_meier(
    durations: pl.DataFrame,
    happened: str,
    *,
    by: Sequence[str] = ("group",),
    confidence: float = 0.95,
    cluster: str | None = None,
) -> pl.DataFrame:
    """The survival curve of each group.

    Args:
        durations: one row per thing: its group, the `days` that it took or has taken so far, and whether it happened.
        happened: the column that says so; what has not happened is censored.
        by: the columns that make a group.
        cluster: a column whose equal values belong together (one coach): the log-log interval then uses the variance of
            the clusters' influence (never less than Greenwood's) and t. Below three clusters nothing changes.

    Returns:
        One row per group and moment at which something happened, in order: `by`, `days`, how many were `at_risk` then,
        how many `events` there were, the share still `waiting` after it and its log-log interval `lo`, `hi`, which is
        open (null) above when nobody is left.
    """
    from scipy import special

    events, at_risk, waiting = pl.col("events"), pl.col("at_risk"), pl.col("waiting")
    curves = _events(durations, happened, by).with_columns(
        waiting=(1 - events / at_risk).cum_prod().over(by),
        greenwood=(events / (at_risk * (at_risk - events))).cum_sum().over(by),
        reach=pl.lit(float(special.ndtri(0.5 + confidence / 2))),
    )
    if cluster is not None and curves.height:
        parts = durations.partition_by(*by, as_dict=True)
        curves = pl.concat(
            [
                _clustered(curve, parts[key], happened, cluster, confidence)
                for key, curve in curves.partition_by(*by, as_dict=True, maintain_order=True).items()
            ]
        )
    error = pl.col("reach") * pl.col("greenwood").sqrt() / waiting.log().abs()
    return curves.select(
        *by,
        "days",
        "at_risk",
        "events",
        "waiting",
        lo=pl.when(waiting > 0).then(waiting ** error.exp()).otherwise(0.0),
        hi=pl.when(waiting > 0).then(waiting ** (-error).exp()),
    )


def _events(durations: pl.DataFrame, happened: str, by: Sequence[str]) -> pl.DataFrame:
    """One row per group and moment at which something happened, in order: `by`, days, events, at_risk.

    Sorted and cut where a value changes: there are nearly as many moments as rows, and to group by them takes longer.
    """
    groups = durations.select(by).unique().sort(by).with_row_index("code")
    code = durations.select(by).join(groups, on=by, how="left", nulls_equal=True, maintain_order="left")["code"]
    group, days = code.to_numpy().astype(np.int64), durations["days"].to_numpy().astype(float)
    order = np.argsort(days) if groups.height < 2 else np.lexsort((days, group))
    group, days, done = group[order], days[order], durations[happened].to_numpy()[order]
    new = np.ones(len(days), dtype=bool)
    new[1:] = (np.diff(group) != 0) | (np.diff(days) != 0)
    first = np.flatnonzero(new)
    events = np.add.reduceat(done.astype(np.int64), first) if len(first) else np.zeros(0, dtype=np.int64)
    at_risk = np.cumsum(np.bincount(group))[group[first]] - first
    kept = events > 0
    return groups[group[first][kept]].select(
        *by, days=pl.Series(days[first][kept]), events=pl.Series(events[kept]), at_risk=pl.Series(at_risk[kept])
    )


MOMENTS = 40


def _clustered(curve: pl.DataFrame, rows: pl.DataFrame, happened: str, cluster: str, confidence: float) -> pl.DataFrame:
    """The curve of one group with its variance raised to that of clusters, and t for the normal quantile.

    The ratio of the two variances changes slowly, so it is worked out at some moments and interpolated.
    """
    from scipy import special

    codes = rows[cluster].rank("dense").to_numpy().astype(np.int64) - 1
    clusters = int(codes.max()) + 1
    if clusters < 3:
        return curve
    time, days = rows["days"].to_numpy().astype(float), curve["days"].to_numpy()
    at_risk, events = curve["at_risk"].to_numpy(), curve["events"].to_numpy()
    hazard = np.append(0.0, np.cumsum(events / at_risk**2))
    passed = np.searchsorted(days, time, side="right")
    own = np.where(rows[happened].to_numpy(), 1 / at_risk[np.maximum(passed - 1, 0)], 0.0) - hazard[passed]
    chosen = np.unique(np.linspace(0, len(days) - 1, MOMENTS).astype(int))
    # Until a moment all that is to come has the same influence, so sums by cluster and stretch of time are enough.
    stretch, stretches = np.searchsorted(chosen + 1, passed), len(chosen) + 1
    so_far = np.arange(stretches - 1)
    ended = crossed(codes, clusters, stretch, stretches, np.ones(len(codes))).cumsum(1)
    influence = crossed(codes, clusters, stretch, stretches, own).cumsum(1)[:, so_far]
    influence -= hazard[chosen + 1] * (ended[:, -1:] - ended[:, so_far])
    alone = summed(stretch, own**2, stretches).cumsum()[so_far]
    alone += hazard[chosen + 1] ** 2 * (len(codes) - ended.sum(0)[so_far])
    # As for a mean over clusters: a heavy cluster pulls the curve towards itself, and counts as fewer.
    share = np.bincount(codes) / len(codes)
    spread = ((influence / (1 - share[:, None])) ** 2).sum(0) * (clusters - 1) / clusters
    ratios = np.where(alone > 0, np.maximum(spread / np.where(alone > 0, alone, 1.0), 1.0), 1.0)
    ratio = np.interp(np.arange(len(days)), chosen, ratios)
    return curve.with_columns(
        greenwood=pl.col("greenwood") * pl.Series(ratio),
        reach=pl.lit(float(special.stdtrit(max(1 / (share**2).sum() - 1, 1.0), 0.5 + confidence / 2))),
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
