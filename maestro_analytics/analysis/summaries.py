"""From counts and sums to means, shares, intervals and the reason to doubt them.

The queries return, for the smallest groups, n, n_na, total, squares and cubes of a value; any coarser group is a sum of
those, so no answer needs single grades.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import polars as pl

from maestro_analytics.analysis.statistics import intervals
from maestro_analytics.analysis.statistics.arrays import Floats
from maestro_analytics.analysis.statistics.day_effects import day_correlation

SUMS = ("n", "n_na", "total", "squares", "cubes")
HALL = "skewness-corrected t"
CLUSTERED = "clustered by agent, t"
CLUSTERED_WILSON = "Wilson, clustered by agent"
FEWEST_CLUSTERS = 5
FEWEST_FOR_INTERVAL = 3
WIDEST = 100.0
"""Scores are percents: an interval wider than this says nothing, and is left out."""


def nullable(values: Any) -> pl.Series:
    """A float series in which nan is null: what could not be computed is missing, not a number."""
    return pl.Series(np.atleast_1d(np.asarray(values, dtype=float)), dtype=pl.Float64).fill_nan(None)


def on_scale(mean: str, lo: str, hi: str) -> dict[str, pl.Expr]:
    """The ends of an interval kept between 0 and what a score can be: 100, or the `highest` of a group with bonus.

    Null where it is wider than all scores.
    """
    most = pl.max_horizontal(pl.lit(100.0), "highest", mean)
    known = pl.col(hi) - pl.col(lo) <= WIDEST
    return {
        lo: pl.when(known).then(pl.max_horizontal(lo, pl.min_horizontal(pl.lit(0.0), mean))),
        hi: pl.when(known).then(pl.min_horizontal(hi, most)),
    }


def label(id: str, name: str, *, within: Sequence[str] = ()) -> pl.Expr:
    """Display name of a group: `NAME`, `NAME (ID)` where several ids have that name, or the id where the name is null.

    Args:
        id, name: columns.
        within: columns; names are compared only between rows with the same values in them.
    """
    named = pl.col(name).max().over(id)
    shared = named.is_not_null() & (pl.col(id).n_unique().over(named, *within) > 1)
    return pl.coalesce(pl.when(shared).then(pl.format("{} ({})", named, id)), named, id)


def summed(frame: pl.DataFrame, keys: Sequence[str], *extra: str, first: Iterable[str] = ()) -> pl.DataFrame:
    """Sums of SUMS and `extra` for each of `keys`; `first` are labels that hold for the whole group."""
    return frame.group_by(keys).agg(
        *(pl.col(name).max() for name in first), *(pl.col(name).sum() for name in (*SUMS, *extra))
    )


def sums_of(apart: pl.Expr) -> dict[str, pl.Expr]:
    """SUMS of differences, and their mean distance `mad`."""
    return {
        "n": apart.count().cast(pl.Int64),
        "n_na": apart.null_count().cast(pl.Int64),
        "total": apart.sum(),
        "squares": (apart**2).sum(),
        "cubes": (apart**3).sum(),
        "mad": apart.abs().mean(),
    }


def beyond_chance(
    gap: pl.Series, doubt: Floats, tested: pl.Series, *, rate: float, below: str = "below", above: str = "above"
) -> pl.Series:
    """`below` or `above` where a gap is more than chance, else "".

    Args:
        doubt: p of "the gap is 0".
        tested: which rows are judged. Of those named at most a share `rate` is expected to be wrong
            (Benjamini-Hochberg).
    """
    flagged = pl.Series(intervals.benjamini_hochberg(np.where(tested.to_numpy(), doubt, np.nan), rate=rate))
    side = pl.when(flagged & (gap > 0)).then(pl.lit(above)).when(flagged).then(pl.lit(below)).otherwise(pl.lit(""))
    return pl.select(side).to_series()


def with_mean(
    frame: pl.DataFrame, *, min_n: int, confidence: float, what: str = "grades", note: pl.Expr | None = None
) -> pl.DataFrame:
    """Adds mean, lo, hi, sd, method, reliable and reason to a frame with SUMS.

    No interval below three values (two that lie close together would give one of a point, two others one of hundreds),
    nor where it is wider than all scores.
    """
    n = frame["n"].to_numpy()
    mean, sd, skewness = intervals.moments(n, *(frame[name].to_numpy() for name in ("total", "squares", "cubes")))
    lo, hi = intervals.mean_interval(n, mean, sd, skewness, confidence=confidence)
    few = (n < FEWEST_FOR_INTERVAL) | (hi - lo > WIDEST)
    lo, hi = np.where(few, np.nan, lo), np.where(few, np.nan, hi)
    frame = frame.with_columns(mean=nullable(mean), lo=nullable(lo), hi=nullable(hi), sd=nullable(sd))
    doubt = (
        pl.when(pl.col("n") == 0)
        .then(pl.lit(f"no scored {what}"))
        .when(pl.col("n") < min_n)
        .then(pl.format(f"{{}} {what}: fewer than {min_n}", pl.col("n")))
        .when(pl.col("lo").is_null() & (pl.col("sd") > 0))
        .then(pl.format(f"{{}} {what}: too few for an interval", pl.col("n")))
        .when(pl.col("lo").is_null())
        .then(pl.lit(f"no interval: all {what} are equal"))
        .otherwise(pl.lit(""))
    )
    frame = frame.with_columns(method=pl.lit(HALL), reason=doubt).with_columns(reliable=pl.col("reason") == "")
    if note is not None:
        frame = frame.with_columns(
            reason=pl.concat_list(pl.col("reason"), note)
            .list.eval(pl.element().filter(pl.element() != ""))
            .list.join("; ")
        )
    return frame


def with_share(
    frame: pl.DataFrame, hits: str, *, trials: str = "n", names: tuple[str, str, str], confidence: float
) -> pl.DataFrame:
    """Adds hits / trials in percent with Wilson's interval, under `names`; null where there are no trials."""
    k, n = frame[hits].to_numpy(), frame[trials].to_numpy()
    lo, hi = intervals.wilson(k, n, confidence=confidence)
    share = np.divide(k, n, out=np.full(len(n), np.nan), where=n > 0)
    values = dict(zip(names, (share, lo, hi), strict=True))
    return frame.with_columns(**{name: nullable(100 * value) for name, value in values.items()})


def with_clustered_share(
    table: pl.DataFrame,
    fine: pl.DataFrame,
    keys: Sequence[str],
    hits: str,
    *,
    names: tuple[str, str, str],
    confidence: float,
    trials: str = "n",
    fine_trials: str | None = None,
    family: Sequence[str] = (),
    cluster: str = "person_id",
) -> pl.DataFrame:
    """Adds hits / trials of `table` in percent under `names`, with an interval that allows for clusters in `fine`.

    `table` has a row for each of `keys`, `fine` for each of `keys` and `cluster` (or finer); `family` are the keys
    within which the correlation is estimated together.
    """
    numbered = table.select(keys).with_row_index("row_number").with_columns(pl.col("row_number").cast(pl.Int64))
    if family:
        numbered = numbered.with_columns(family=pl.struct(family).rank("dense").cast(pl.Int64) - 1)
    else:
        numbered = numbered.with_columns(family=pl.lit(0, pl.Int64))
    parts = (
        fine.group_by([*keys, cluster])
        .agg(k=pl.col(hits).sum(), m=pl.col(fine_trials or trials).sum())
        .filter(pl.col("m") > 0)
        .join(numbered, on=list(keys), nulls_equal=True)
        .sort("row_number", cluster)
    )
    k, m = table[hits].to_numpy(), table[trials].to_numpy()
    lo, hi = np.full(table.height, np.nan), np.full(table.height, np.nan)
    if parts.height:
        low, high = intervals.clustered_wilson(
            parts["k"].to_numpy(),
            parts["m"].to_numpy(),
            group=parts["row_number"].to_numpy(),
            family=numbered["family"].to_numpy()[: int(parts["row_number"].to_numpy().max()) + 1],
            confidence=confidence,
        )
        lo[: len(low)], hi[: len(high)] = low, high
    counted = m > 0
    share = np.divide(k, m, out=np.full(len(m), np.nan), where=counted)
    values = zip(names, (share, np.where(counted, lo, np.nan), np.where(counted, hi, np.nan)), strict=True)
    return table.with_columns(**{name: nullable(100 * value) for name, value in values})


def by_cluster(
    frame: pl.DataFrame,
    keys: Sequence[str],
    *extra: str,
    min_n: int,
    confidence: float,
    first: Iterable[str] = (),
    what: str = "grades",
    cluster: str = "person_id",
) -> pl.DataFrame:
    """One row for each of `keys`: the mean over all grades, its interval clustered by agent from five agents on.

    Grades of one agent resemble each other, so a team's interval is wider than its number of grades suggests.
    """
    frame = frame if "highest" in frame.columns else frame.with_columns(highest=pl.lit(100.0))
    labels = (*first, "highest")
    coarse = with_mean(summed(frame, keys, *extra, first=labels), min_n=min_n, confidence=confidence, what=what)
    clusters = frame.filter(pl.col("n") > 0).group_by([*keys, cluster]).agg(pl.col("total", "n").sum())
    rows = []
    for key, group in clusters.group_by(keys):
        total, n = (group[name].to_numpy().astype(float) for name in ("total", "n"))
        _, lo, hi = intervals.cluster_mean(total, n, confidence=confidence)
        enough = group.height >= FEWEST_CLUSTERS and hi - lo <= WIDEST
        rows.append((*key, group.height, lo if enough else None, hi if enough else None))
    schema = {key: frame.schema[key] for key in keys} | {"agents": pl.Int64, "lo_of": pl.Float64, "hi_of": pl.Float64}
    found = pl.DataFrame(rows, schema=schema, orient="row")
    return (
        coarse.join(found, on=keys, how="left", nulls_equal=True)
        .with_columns(
            agents=pl.col("agents").fill_null(0),
            method=pl.when(pl.col("lo_of").is_null()).then("method").otherwise(pl.lit(CLUSTERED)),
            # A handful of agents may be alike by luck: the mean is never surer than if all grades were independent.
            lo=pl.min_horizontal("lo", "lo_of"),
            hi=pl.max_horizontal("hi", "hi_of"),
        )
        .with_columns(
            reason=pl.when((pl.col("reason") == "") & pl.col("lo_of").is_null())
            .then(pl.format("{} agents: too few to allow for differences between them", "agents"))
            .otherwise("reason")
        )
        .with_columns(reliable=pl.col("reason") == "", **on_scale("mean", "lo", "hi"))
        .drop("lo_of", "hi_of", "highest")
    )


def widened_by_agents(
    table: pl.DataFrame, rows: pl.DataFrame, keys: Sequence[str], *, confidence: float
) -> pl.DataFrame:
    """Intervals of `mean` widened by how much differences about one agent resemble each other, over all of `keys`.

    Args:
        table: what `with_mean` has made, one row for each of `keys`.
        rows: one row per difference, with `keys`, `person_id` and `apart`.
    """
    from scipy import special

    apart = pl.col("apart")
    parts = (
        rows.filter(apart.is_not_null())
        .group_by(*keys, "person_id")
        .agg(n=apart.count().cast(pl.Float64), total=apart.sum(), squares=(apart**2).sum())
        .sort(*keys, "person_id")
    )
    if not parts.height:
        return table
    group = (parts.select(pl.struct(keys).rank("dense")).to_series().cast(pl.Int64) - 1).to_numpy()
    n, total, squares = (parts[name].to_numpy() for name in ("n", "total", "squares"))
    alike = day_correlation(n, total, squares, group, level=1.0)
    if alike <= 0:
        return table
    # The effective number of agents: those with unequal numbers of grades say less than their number.
    counted = np.bincount(group, n) ** 2 / np.bincount(group, n**2)
    freedom = max(float((counted - 1).sum()), 1.0)
    share = (pl.col("n") ** 2).sum() / pl.col("n").sum()
    design = parts.group_by(keys).agg(design=(1 + alike * (share - 1)).sqrt())
    table = table.join(design, on=list(keys), how="left", nulls_equal=True)
    own = special.stdtrit(np.maximum(table["n"].to_numpy() - 1.0, 1.0), 0.5 + confidence / 2)
    wide = table["design"].to_numpy() * np.maximum(float(special.stdtrit(freedom, 0.5 + confidence / 2)) / own, 1.0)
    mean = pl.col("mean")
    return table.with_columns(
        lo=(mean - pl.Series(wide) * (mean - pl.col("lo"))).clip(-WIDEST),
        hi=(mean + pl.Series(wide) * (pl.col("hi") - mean)).clip(upper_bound=WIDEST),
        method=pl.lit(f"{HALL}, clustered by agent"),
    )
