"""How strict each grader is, adjusted for the agents and rubrics that they grade."""

from __future__ import annotations

from typing import Unpack

import numpy as np
import polars as pl

from maestro_analytics.analysis.answer import HOW_SURE, Answer, Schema
from maestro_analytics.analysis.arguments import checked
from maestro_analytics.analysis.benchmarks import benchmark_bias
from maestro_analytics.analysis.filters import Choice, Filters, Store
from maestro_analytics.analysis.grader_cells import fitted_graders, only, scored_cells, with_names, with_scores
from maestro_analytics.analysis.statistics.intervals import doubt_of_zero
from maestro_analytics.analysis.statistics.mixed import random_grader_effects
from maestro_analytics.analysis.summaries import beyond_chance, nullable

COLUMNS = (
    *("grader", "n", "n_na", "raw_mean", "raw_gap"),
    *("adjusted", "lo", "hi", "stands_out", "component", "graders_compared", "mad_benchmark"),
    *HOW_SURE,
)

WEAK = 0.8
"""Where the mixed model's interval is narrower than this share of the other, it is used, unless the two contradict."""
CONTRADICTION = 4.0
"""Standard errors of the difference (Hausman 1978): so far apart, graders were given agents by their quality."""

SOLVED: Schema = {
    **dict.fromkeys(("adjusted", "lo", "hi"), pl.Float64),
    **dict.fromkeys(("grader", "component", "graders_compared"), pl.Int64),
    "weak": pl.Boolean,
    "freedom": pl.Float64,
}


@checked
def grader_severity(store: Store, *, min_n: int = 30, confidence: float = 0.95, **filters: Unpack[Filters]) -> Answer:
    """Which graders are strict and which lenient, on the same agents, rubrics and months?

    One row per grader, the strictest first. A raw mean says whom a grader was given as much as how strict they are;
    here score = agent + rubric + month + grader + noise, and the grader part is reported. Intervals allow for moods of
    a day and for what a grader makes of one agent. Where graders share few agents, agents and graders are random.

    Columns
        grader
        n, n_na          Int64    ordinary grades with and without a score
        raw_mean         Float64  percent
        raw_gap          Float64  raw mean minus the mean of all, percent points: what a dashboard would show
        adjusted, lo, hi Float64  points above (lenient) or below (strict) the mean grader of the component
        stands_out       String   "strict" or "lenient", else ""; only reliable rows; at most 5 % of those named are
                                  expected to be wrong (Benjamini-Hochberg)
        component        Int64    graders of different components share no agents and cannot be compared
        graders_compared Int64    graders in the component
        mad_benchmark    Float64  mean distance from benchmarks, percent points; null without any
        method, reliable, reason

    Source: sql/queries/grader_cells.sql, sql/queries/benchmarks.sql. Errors: see `Filters`.
    """
    from scipy import special

    choice = Choice.of(store, filters)
    cells = only(scored_cells(store, choice), pl.col("grader") > 0)
    raw = cells.group_by("grader").agg(pl.col("n", "n_na", "total").sum())
    scored = with_scores(cells)
    names = scored["grader"].unique().sort()
    table = raw.with_columns(
        raw_mean=pl.when(pl.col("n") > 0).then(pl.col("total") / pl.col("n")),
        raw_gap=pl.when(pl.col("n") > 0).then(
            pl.col("total") / pl.col("n") - pl.col("total").sum() / pl.col("n").sum()
        ),
    )
    solved = pl.DataFrame(schema=SOLVED)
    if len(names):
        made, effects, clustered = fitted_graders(scored)
        reach = special.stdtrit(clustered.freedom, 0.5 + confidence / 2) * clustered.error
        effect, lo, hi = effects.effect, effects.effect - reach, effects.effect + reach
        model, model_lo, model_hi = random_grader_effects(made, effects.component, confidence=confidence)
        # Fixed agents are safe whoever was given whom, but say little where a grader sees few of the others' agents.
        narrower = (hi - lo) ** 2 - (model_hi - model_lo) ** 2
        difference = np.sqrt(np.clip(narrower, 0, None)) / (hi - lo) * clustered.error
        agree = np.abs(model - effect) <= CONTRADICTION * difference
        weak = (model_hi - model_lo < WEAK * (hi - lo)) & agree
        widen = clustered.error / np.where(effects.error > 0, effects.error, 1.0)
        solved = pl.DataFrame(
            {
                "adjusted": nullable(np.where(weak, model, effect)),
                "lo": nullable(np.where(weak, model - widen * (model - model_lo), lo)),
                "hi": nullable(np.where(weak, model + widen * (model_hi - model), hi)),
                "weak": weak,
                "freedom": clustered.freedom,
                "grader": names,
                "component": effects.component,
                "graders_compared": effects.linked,
            }
        )
    everything: Filters = {**filters, "grade_type": "any"}
    judged = pl.DataFrame(benchmark_bias(store, **everything)).select("grader", mad_benchmark="mad")
    table = (
        with_names(store, table.join(solved, on="grader", how="left"))
        .join(judged, on="grader", how="left")
        .with_columns(
            method=pl.when(pl.col("weak"))
            .then(pl.lit("few shared agents: mixed model of agent, grader, rubric and month"))
            .otherwise(pl.lit("agent, rubric and month accounted for (least squares); errors clustered")),
            reason=pl.when(pl.col("n") == 0)
            .then(pl.lit("no scored grades"))
            .when(pl.col("graders_compared") < 2)
            .then(pl.lit("shares no agents with any other grader: nobody to compare with"))
            .when(pl.col("lo").is_null())
            .then(pl.lit("no interval: too few grades for so many agents"))
            .when(pl.col("n") < min_n)
            .then(pl.format(f"{{}} grades: fewer than {min_n}", "n"))
            .otherwise(pl.lit("")),
        )
        .with_columns(reliable=pl.col("reason") == "")
        .sort("component", "adjusted", "grader", nulls_last=True)
    )
    table = _standing_out(table, confidence=confidence)
    components = solved["component"].n_unique()
    caveat = (
        f"{components} groups of graders share no agents: compare within a component only." if components > 1 else ""
    )
    return Answer.of(
        table.select(COLUMNS),
        choice,
        question="Which graders are strict and which lenient? Percent points.",
        caveat=caveat,
    )


def _standing_out(table: pl.DataFrame, *, confidence: float) -> pl.DataFrame:
    """Adds `stands_out`, by the reliable rows' intervals and the false discovery rate."""
    doubt = doubt_of_zero(
        table["adjusted"], table["lo"], table["hi"], confidence=confidence, freedom=table["freedom"].fill_null(1.0)
    )
    return table.with_columns(
        stands_out=beyond_chance(
            table["adjusted"], doubt, table["reliable"], rate=1 - confidence, below="strict", above="lenient"
        )
    )
