"""Graders held against benchmarks and calibrations."""

from __future__ import annotations

from typing import Unpack

import polars as pl

from maestro_analytics.analysis.agreement import pairing
from maestro_analytics.analysis.answer import Answer
from maestro_analytics.analysis.filters import Choice, Filters, Store
from maestro_analytics.analysis.summaries import widened_by_agents, with_mean

CALIBRATION = "calibration"
CALIBRATION_FINAL = "calibration_final"
"""The agreed reference of a calibration: who is held against it is judged, never who entered it."""


def alignments(store: Store, **filters: Unpack[Filters]) -> Answer:
    """How close is each calibration or benchmark to the grade it is held against, by the vendor's formula?

    One row per grade with a target that is in the data: the vendor's alignment worked out again from the answers,
    beside the figure of the file.

    Columns
        grade_key, grade_type, target_grade_key, target_grade_type, gradable_id, rubric_name
        judged              String   whose grading is judged: that of a calibration review, else the target's
        score_percent, target_score_percent   Float64
        apart               Float64  judged minus the other, percent points
        alignment           Float64  sum of max / sum(max) * (1 - |ours - theirs| / max) over shared questions, percent
        alignment_score     Float64  the same as the file says
        gap                 Float64  ours minus the file's
        na_mismatches       Int64    questions that only one of the two answered: left out (the vendor does not say)

    Source: sql/queries/benchmarks.sql; vendor's help centre, 4364995. Errors: see `Filters`.
    """
    choice = pairing(store, filters)
    frame = judged_by_benchmarks(store, choice).with_columns(gap=pl.col("alignment") - pl.col("alignment_score"))
    columns = (
        "grade_key",
        "grade_type",
        "target_grade_key",
        "target_grade_type",
        "gradable_id",
        "rubric_name",
        "judged",
        "score_percent",
        "target_score_percent",
        "apart",
        "alignment",
        "alignment_score",
        "gap",
        "na_mismatches",
    )
    return Answer.of(frame.select(columns), choice, question="How close is each benchmark to its target? Percent.")


def judged_by_benchmarks(store: Store, choice: Choice) -> pl.DataFrame:
    """The benchmarks, with the grader who is `judged` by each and how far `apart` from it the grader is."""
    own = pl.col("grade_type").str.starts_with(CALIBRATION) & (pl.col("grade_type") != CALIBRATION_FINAL)
    difference = pl.col("score_percent") - pl.col("target_score_percent")
    return store.query("benchmarks", **choice.variables).with_columns(
        judged=pl.when(own).then("grader").otherwise("target_grader"),
        apart=pl.when(own).then(difference).otherwise(-difference),
    )


def benchmark_bias(store: Store, *, min_n: int = 10, confidence: float = 0.95, **filters: Unpack[Filters]) -> Answer:
    """Which graders give more, or less, than the benchmark?

    One row per judged grader.

    Columns
        grader
        n, n_na               Int64    benchmarks with both scores, and without one of them
        bias, lo, hi          Float64  mean of grader minus benchmark, percent points, with its interval, which allows
                                       for errors of a grader about one agent that resemble each other
        mad                   Float64  mean distance
        within_5, within_10   Float64  share at most 5 and 10 points away, percent
        alignment, alignment_score   Float64  mean alignment, ours and the file's, percent
        largest_gap           Float64  largest distance between the two alignments of one benchmark
        method, reliable, reason

    Source: sql/queries/benchmarks.sql. Errors: see `Filters`.
    """
    choice = pairing(store, filters)
    apart = pl.col("apart")
    judged = judged_by_benchmarks(store, choice).filter(pl.col("judged").is_not_null())
    table = (
        judged.with_columns(gap=pl.col("alignment") - pl.col("alignment_score"))
        .group_by(grader="judged")
        .agg(
            n=apart.count().cast(pl.Int64),
            n_na=apart.null_count().cast(pl.Int64),
            total=apart.sum(),
            squares=(apart**2).sum(),
            cubes=(apart**3).sum(),
            mad=apart.abs().mean(),
            within_5=100 * (apart.abs() <= 5).mean(),
            within_10=100 * (apart.abs() <= 10).mean(),
            alignment=pl.col("alignment").mean(),
            alignment_score=pl.col("alignment_score").mean(),
            largest_gap=pl.col("gap").abs().max(),
        )
    )
    table = with_mean(table, min_n=min_n, confidence=confidence, what="benchmarks")
    judged = judged.with_columns(grader="judged")
    table = widened_by_agents(table, judged, ["grader"], confidence=confidence).rename({"mean": "bias"})
    columns = (
        "grader",
        "n",
        "n_na",
        "bias",
        "lo",
        "hi",
        "mad",
        "within_5",
        "within_10",
        "alignment",
        "alignment_score",
        "largest_gap",
        "method",
        "reliable",
        "reason",
    )
    return Answer.of(
        table.select(columns).sort("bias", "grader", nulls_last=True),
        choice,
        question="Which graders give more, or less, than the benchmark? Percent points.",
    )


def calibrations(store: Store, **filters: Unpack[Filters]) -> Answer:
    """Which calibrated tickets do graders see most differently?

    One row per ticket (with rubric and agent) that has a calibration, the widest spread first.

    Columns: source, gradable_id, rubric_id, rubric_name, person_id, n (graders with a score), n_na, mean, lowest,
    highest, spread (percent points), strictest, most_lenient, reliable, reason (a single score shows no spread).

    Source: sql/queries/paired_scores.sql. Errors: see `Filters`.
    """
    choice = pairing(store, filters)
    frame = store.query("paired_scores", **choice.variables)
    score = pl.col("score_percent")
    table = (
        frame.group_by("unit")
        .agg(
            pl.col("source", "gradable_id", "rubric_id", "person_id").first(),
            pl.col("rubric_name").max(),
            calibrated=pl.col("grade_type").str.starts_with(CALIBRATION).any(),
            n=score.count().cast(pl.Int64),
            n_na=score.null_count().cast(pl.Int64),
            mean=score.mean(),
            lowest=score.min(),
            highest=score.max(),
            strictest=pl.col("grader").sort_by(score, "grader", nulls_last=True).first(),
            most_lenient=pl.col("grader").sort_by(score, "grader", nulls_last=False).last(),
        )
        .filter("calibrated")
        .with_columns(
            spread=pl.when(pl.col("n") > 1).then(pl.col("highest") - pl.col("lowest")),
            reliable=pl.col("n") > 1,
            reason=pl.when(pl.col("n") > 1).then(pl.lit("")).otherwise(pl.lit("fewer than two scores")),
        )
        .sort("spread", "unit", descending=[True, False], nulls_last=True)
    )
    columns = (
        "source",
        "gradable_id",
        "rubric_id",
        "rubric_name",
        "person_id",
        "n",
        "n_na",
        "mean",
        "lowest",
        "highest",
        "spread",
        "strictest",
        "most_lenient",
        "reliable",
        "reason",
    )
    return Answer.of(
        table.select(columns),
        choice,
        question="Which calibrated tickets do graders see most differently? Percent points.",
        caveat="A spread of one ticket says little about any grader; see grader_agreement and grader_severity.",
    )
