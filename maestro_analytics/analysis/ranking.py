"""Comparing agents without being fooled by noise."""

from __future__ import annotations

from typing import Unpack

import numpy as np
import polars as pl

from maestro_analytics.analysis.answer import Answer
from maestro_analytics.analysis.filters import Choice, Filters, Store
from maestro_analytics.analysis.statistics import shrinkage
from maestro_analytics.analysis.summaries import nullable, summed, with_mean

SHRUNK = "shrunk (method of moments), rank intervals from simulated ranks"
MOST_DRAWN, FEWEST_DRAWS = 1_000_000, 250
"""Ranks are drawn 1,000 times; of thousands of agents less often: 250 draws place an end to a 25th of the interval."""


def agent_ranking(
    store: Store,
    *,
    min_n: int = 10,
    confidence: float = 0.95,
    seed: int = 0,
    **filters: Unpack[Filters],
) -> Answer:
    """Who is ahead, and which gaps are more than noise?

    One row per person, best first. Never a bare league table: few grades make extreme means, so each mean is drawn
    towards the mean of all by as much as its own noise demands, and each rank comes with the ranks it could as well
    be. Where several rubrics were used, each grade is first moved by the gap between its rubric's mean and the mean of
    all, so that nobody is ahead for having an easy rubric.

    Columns
        rank                   Int64    by the shrunk mean
        rank_lo, rank_hi       Int64    the ranks that are compatible with the data
        person_id, agent_name
        n, n_na                Int64
        mean, lo, hi           Float64  mean of the (rubric-adjusted) percents and its interval
        shrunk, shrunk_lo, shrunk_hi    what is left when noise is taken out: the best guess of the next grades' mean
        kept                   Float64  share of the agent's own gap that is kept, 0 to 1
        stands_out             String   "above" or "below" where the shrunk interval leaves out the mean of all, else ""
        ahead_of_next          Float64  probability of being truly ahead of the next in the table
        gap_is_noise           Boolean  that probability is below `confidence`
        method, reliable, reason

    Caveat: an agent's grades depend on who graded them; see `grader_severity`.
    Source: sql/queries/agent_scores.sql. Errors: see `Filters`.
    """
    choice = Choice.of(store, filters)
    # No threshold is needed here: with that of the other scores, a report asks once for all.
    frame = rubric_adjusted(store.query("agent_scores", **choice.variables, threshold=80.0)).filter(pl.col("n") > 0)
    rubrics = int(frame["rubric_id"].n_unique())
    table = with_mean(summed(frame, ["person_id"], first=["agent_name"]), min_n=min_n, confidence=confidence).sort(
        "person_id"
    )
    shrunk = shrinkage.shrink(table["n"], table["mean"].fill_null(0), table["sd"].fill_null(0))
    reach = _normal_quantile(confidence) * shrunk.error
    table = table.with_columns(
        shrunk=nullable(shrunk.mean),
        error=nullable(shrunk.error),
        shrunk_lo=nullable(shrunk.mean - reach),
        shrunk_hi=nullable(shrunk.mean + reach),
        kept=nullable(shrunk.weight),
    )
    # Rounded: sums differ in their last digits from run to run, which must not change the places of equal agents.
    table = table.sort(pl.col("shrunk").round(9), "person_id", descending=[True, False], nulls_last=True)
    draws = max(FEWEST_DRAWS, min(1000, MOST_DRAWN // max(table.height, 1)))
    lo, hi = shrinkage.rank_intervals(table["shrunk"], table["error"], confidence=confidence, draws=draws, seed=seed)
    ahead = shrinkage.probability_above_next(table["shrunk"], table["error"])
    table = table.with_columns(
        rank=pl.int_range(1, pl.len() + 1),
        rank_lo=pl.Series(lo.astype(np.int64), dtype=pl.Int64),
        rank_hi=pl.Series(hi.astype(np.int64), dtype=pl.Int64),
        ahead_of_next=nullable(ahead) if table.height else pl.lit(None, pl.Float64),
        stands_out=pl.when(pl.col("shrunk_lo") > shrunk.centre)
        .then(pl.lit("above"))
        .when(pl.col("shrunk_hi") < shrunk.centre)
        .then(pl.lit("below"))
        .otherwise(pl.lit("")),
        method=pl.lit(SHRUNK + (f", {rubrics} rubrics adjusted" if rubrics > 1 else "")),
    ).with_columns(gap_is_noise=pl.col("ahead_of_next") < confidence)
    columns = (
        "rank", "rank_lo", "rank_hi", "person_id", "agent_name", "n", "n_na", "mean", "lo", "hi", "shrunk", "shrunk_lo",
        "shrunk_hi", "kept", "stands_out", "ahead_of_next", "gap_is_noise", "method", "reliable", "reason",
    )  # fmt: skip
    spread = (
        f"Agents differ by about {shrunk.between_sd:.1f} points around {shrunk.centre:.1f}, single grades by "
        f"{shrunk.within_sd:.1f}. {int((table['stands_out'] != '').sum())} of {table.height} agents stand out."
        if table.height
        else ""
    )
    return Answer.of(table.select(columns), choice, question="Who is ahead, and which gaps are noise?", caveat=spread)


def rubric_adjusted(frame: pl.DataFrame) -> pl.DataFrame:
    """Sums as if every rubric had the mean of all grades: only levels move, no spread."""
    if frame["rubric_id"].n_unique() < 2:
        return frame
    everything = pl.col("total").sum() / pl.col("n").sum()
    frame = frame.with_columns(
        moved=(everything - pl.col("total").sum().over("rubric_id") / pl.col("n").sum().over("rubric_id")).fill_nan(0)
    )
    n, s1, s2, s3, by = (pl.col(name) for name in ("n", "total", "squares", "cubes", "moved"))
    return frame.with_columns(
        total=s1 + n * by,
        squares=s2 + 2 * by * s1 + n * by**2,
        cubes=s3 + 3 * by * s2 + 3 * by**2 * s1 + n * by**3,
    )


def _normal_quantile(confidence: float) -> float:
    from scipy import special

    return float(special.ndtri(0.5 + confidence / 2))
