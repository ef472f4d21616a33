"""Single grades: all of them, those to review, those that were changed later, and those that do not add up."""

from __future__ import annotations

from typing import Unpack

import polars as pl

from maestro_analytics.analysis.answer import HOW_SURE, Answer
from maestro_analytics.analysis.arguments import checked
from maestro_analytics.analysis.filters import Choice, Filters, Store
from maestro_analytics.analysis.summaries import with_mean, with_share


@checked
def grades(store: Store, **filters: Unpack[Filters]) -> Answer:
    """Every grade with everything joined.

    One row per live grade: the columns of the view `grades`, and

        week             Date     Monday of the week it counts in (`date_reported_as`)
        team, teams      String, Int64   the first of the person's groups in order of text, and how many there are
        coaching_points, todos    Int64  how many refer to it

    Source: sql/queries/grades.sql. Errors: see `Filters`.
    """
    choice = Choice.of(store, filters)
    frame = store.query("grades", **choice.variables, week_zone=choice.week_zone)
    return Answer.of(frame, choice, question="Which grades are there?")


@checked
def tickets_to_review(store: Store, *, show: int = 3, **filters: Unpack[Filters]) -> Answer:
    """Which tickets of each agent are worth listening to?

    One row per person and ticket: the `show` lowest grades, and the `show` whose score is nearest to the person's
    median, the newest of equal ones. The lowest show what went wrong once; the typical ones, what happens every day.

    Columns
        person_id, agent_name
        why                     String    "lowest" or "typical"
        place                   Int64     from 1, of its kind
        grade_key, source, gradable_id, rubric_id, rubric_name, grader
        date_reported_as        Datetime  UTC
        score_percent           Float64   percent
        comment                 String    the grader's comment on the whole grade

    Source: sql/queries/tickets_to_review.sql. Errors: see `Filters`.
    """
    choice = Choice.of(store, filters)
    return Answer.of(
        store.query("tickets_to_review", **choice.variables, rows=float(show)),
        choice,
        question="Which tickets of each agent are worth listening to?",
        caveat="The lowest grades are chosen for being low: they say nothing of how often that happens.",
    )


@checked
def answer_comments(store: Store, *, show: int = 3, **filters: Unpack[Filters]) -> Answer:
    """What did graders write where an agent lost points?

    One row per person, question and comment on an answer below its maximum, the `show` newest of each. The rows of a
    multi-select question are one answer.

    Columns
        person_id, agent_name, rubric_id, rubric_name, question_id, question
        place                   Int64     from 1, the newest first
        grade_key, source, gradable_id, grader
        date_reported_as        Datetime  UTC
        answer_label, comment   String    the answer chosen, and the grader's comment on it

    Source: sql/queries/answer_comments.sql. Errors: see `Filters`.
    """
    choice = Choice.of(store, filters)
    return Answer.of(
        store.query("answer_comments", **choice.variables, rows=float(show)),
        choice,
        question="What did graders write where an agent lost points?",
    )


@checked
def regrades(store: Store, *, min_n: int = 10, confidence: float = 0.95, **filters: Unpack[Filters]) -> Answer:
    """How often are grades changed after the fact, and in which direction?

    One row per grader and rubric.

    Columns
        grader, rubric_id, rubric_name
        grades            Int64    ordinary grades
        regraded          Int64    of which an earlier version had other content
        rate, rate_lo, rate_hi     Float64  percent, Wilson
        n, n_na           Int64    re-grades with both scores, and without one of them
        mean, lo, hi      Float64  mean change of the score, percent points (last minus first version that landed)
        raised, lowered   Int64
        median_days       Float64  from the first version to the last
        method, reliable, reason

    Caveat: versions that came and went between two refreshes are not known. A grade under appeal is counted as it
    stands. Source: sql/queries/regrades.sql. Errors: see `Filters`.
    """
    choice = Choice.of(store, filters)
    frame = store.query("regrades", **choice.variables).rename({"n": "grades"})
    frame = frame.with_columns(n=pl.col("regraded") - pl.col("n_na"), total=pl.col("total").fill_null(0.0))
    frame = frame.with_columns(pl.col("squares", "cubes").fill_null(0.0))
    table = with_mean(frame, min_n=min_n, confidence=confidence, what="re-grades")
    table = with_share(
        table, "regraded", trials="grades", names=("rate", "rate_lo", "rate_hi"), confidence=confidence
    ).with_columns(mean=pl.when(pl.col("n") > 0).then("mean"))
    columns = (
        *("grader", "rubric_id", "rubric_name", "grades", "regraded", "rate", "rate_lo", "rate_hi"),
        *("n", "n_na", "mean", "lo", "hi", "raised", "lowered", "median_days"),
        *HOW_SURE,
    )
    return Answer.of(
        table.select(columns).sort("grader", "rubric_name", nulls_last=True),
        choice,
        question="How often are grades changed after the fact, and in which direction? Percent points.",
        caveat="Versions that came and went between two refreshes are not known.",
    )


@checked
def score_reconciliation(store: Store, **filters: Unpack[Filters]) -> Answer:
    """Do the grades' scores follow from their sections?

    One row per rubric. By points: sum of section scores over the sum of their maxima. By weights: sections' percents by
    section weight, N/A sections left out and weights scaled up. The way that fits more grades is the rubric's.

    Columns
        rubric_id, rubric_name
        scoring               String   "points", "weighted" or "unknown"
        n, n_na               Int64    grades with a score; grades without a score or sections to recompute it from
        fitting               Int64    within 0.05 points of the recomputed score
        autofails_inferred    Int64    0 although a section earned points: no mismatch
        mismatches            Int64
        largest_gap           Float64  percent points, auto-fails left out
        method, reliable, reason       reliable: no mismatches

    Source: sql/queries/score_reconciliation.sql. Errors: see `Filters`.
    """
    choice = Choice.of(store, filters)
    frame = store.query("score_reconciliation", **choice.variables).with_columns(
        method=pl.lit("recomputed from sections, tolerance 0.05 points"),
        reliable=pl.col("mismatches") == 0,
        reason=pl.when(pl.col("mismatches") > 0)
        .then(pl.format("{} grades do not follow from their sections; see score_mismatches", "mismatches"))
        .otherwise(pl.lit("")),
    )
    columns = (
        *("rubric_id", "rubric_name", "scoring"),
        *("n", "n_na", "fitting", "autofails_inferred", "mismatches", "largest_gap"),
        *HOW_SURE,
    )
    return Answer.of(frame.select(columns), choice, question="Do the grades' scores follow from their sections?")


@checked
def score_mismatches(store: Store, **filters: Unpack[Filters]) -> Answer:
    """Which grades' scores do not follow from their sections?

    One row per such grade: grade_key, rubric_id, rubric_name, score_percent, points_percent, weighted_percent, scoring,
    recomputed, gap (score minus recomputed, percent points).

    Source: sql/queries/score_mismatches.sql. Errors: see `Filters`.
    """
    choice = Choice.of(store, filters)
    frame = store.query("score_mismatches", **choice.variables)
    return Answer.of(
        frame,
        choice,
        question="Which grades' scores do not follow from their sections?",
        reason=None if frame.height else f"none ({choice.words})",
    )
