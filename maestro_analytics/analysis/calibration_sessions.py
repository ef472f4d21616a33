"""Whether graders come closer to the agreed score from calibration to calibration."""

from __future__ import annotations

from typing import Literal, Unpack

import polars as pl

from maestro_analytics.analysis.agreement import pairing
from maestro_analytics.analysis.answer import Answer
from maestro_analytics.analysis.filters import Filters, Store
from maestro_analytics.analysis.summaries import widened_by_agents, with_mean

SESSIONS = (
    "group",
    "rubric_name",
    "month",
    "n",
    "n_na",
    "with_final",
    "bias",
    "lo",
    "hi",
    "mad",
    "within_5",
    "method",
    "reliable",
    "reason",
)
TICKET = ("source", "gradable_id", "rubric_id", "person_id", "question_id")


def calibration_sessions(
    store: Store,
    *,
    by: Literal["grader", "question"] = "grader",
    min_n: int = 10,
    confidence: float = 0.95,
    **filters: Unpack[Filters],
) -> Answer:
    """Do graders come closer to the agreed score from calibration to calibration?

    One row per grader (or rubric and question) and month with a calibration review. A review is held against the final
    of its ticket; where there is no final, against the mean of the other reviews of the ticket.

    Columns
        group              String   the grader, or the question
        rubric_name        String   of the question; null by grader
        month              Date     first day of the month of the review (`date_reported_as`)
        n, n_na            Int64    reviews (answers) that are compared, and those that cannot be
        with_final         Int64    of `n`, compared with a final
        bias, lo, hi       Float64  mean of the review minus the agreed score, percent points, with its interval, which
                                    allows for errors about one agent that resemble each other
        mad                Float64  mean distance, percent points
        within_5           Float64  share at most 5 points away, percent
        method, reliable, reason

    Source: sql/queries/calibration_scores.sql. Errors: see `Filters`.
    """
    choice = pairing(store, filters)
    scores = store.query("calibration_scores", **choice.variables, week_zone=choice.week_zone)
    score, reviews = pl.col("score_percent"), pl.col("score_percent").count().over(TICKET)
    others = pl.when(reviews > 1).then((score.sum().over(TICKET) - score) / (reviews - 1))
    scores = scores.with_columns(agreed=pl.coalesce("final_percent", others)).with_columns(
        apart=score - pl.col("agreed")
    )
    whole = pl.col("question_id").is_null()
    if by == "grader":
        scores = scores.filter(whole).with_columns(group="grader", rubric_name=pl.lit(None, pl.String))
    else:
        scores = scores.filter(~whole).with_columns(group="question")
    apart = pl.col("apart")
    table = (
        scores.filter(pl.col("group").is_not_null())
        .group_by("group", "rubric_name", "month")
        .agg(
            n=apart.count().cast(pl.Int64),
            n_na=apart.null_count().cast(pl.Int64),
            with_final=(apart.is_not_null() & pl.col("final_percent").is_not_null()).sum().cast(pl.Int64),
            total=apart.sum(),
            squares=(apart**2).sum(),
            cubes=(apart**3).sum(),
            mad=apart.abs().mean(),
            within_5=100 * (apart.abs() <= 5).mean(),
        )
    )
    table = with_mean(table, min_n=min_n, confidence=confidence, what="reviews")
    keys = ["group", "rubric_name", "month"]
    table = widened_by_agents(table, scores, keys, confidence=confidence).rename({"mean": "bias"})
    return Answer.of(
        table.select(SESSIONS).sort("group", "rubric_name", "month", nulls_last=True),
        choice,
        question="Do graders come closer to the agreed score from month to month? Percent points.",
        caveat="A final is agreed by people who saw the reviews: it is a reference, not the truth.",
    )
