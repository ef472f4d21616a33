"""What is done about low grades, and how soon: with those that are still waiting."""

from __future__ import annotations

from typing import Literal, Unpack

import polars as pl

from maestro_analytics.analysis.answer import Answer
from maestro_analytics.analysis.filters import Choice, Filters, Store
from maestro_analytics.analysis.statistics import survival
from maestro_analytics.analysis.summaries import agent_label, with_share

CENSORED = "Those still waiting count as waiting: the mean of the finished ones alone would be too short."
RECORD_AXIS = "created_at"


def time_to_coach(
    store: Store,
    *,
    by: Literal["all", "rubric", "team"] = "all",
    threshold: float = 80.0,
    within_days: int = 14,
    min_n: int = 10,
    confidence: float = 0.95,
    **filters: Unpack[Filters],
) -> Answer:
    """How long does a low grade wait for its first coaching point?

    One row per group. From the moment of grading (`date_graded`) to the first coaching point about the grade;
    Kaplan-Meier, so grades that have not been coached yet count as waiting.

    Columns
        group               String   "all", or the rubric's or team's name
        n, n_na             Int64    low grades (below `threshold` percent), and how many are still waiting
        median_days         Float64  when half have been coached; null while fewer than half have
        lo, hi              Float64  its interval (Brookmeyer and Crowley); null where it is open
        within              Float64  share coached after `within_days` days, percent
        within_lo, within_hi
        method, reliable, reason

    Source: sql/queries/low_grades.sql. Errors: see `Filters`.
    """
    choice = Choice.of(store, filters)
    frame = _low_grades(store, choice, by=by, threshold=threshold)
    curves = survival.kaplan_meier(frame, "coached", confidence=confidence)
    happened = pl.col("coached")
    passed = curves.filter(pl.col("days") <= within_days).group_by("group").last()
    table = (
        frame.group_by("group")
        .agg(n=pl.len().cast(pl.Int64), n_na=(~happened).sum().cast(pl.Int64))
        .join(survival.medians(curves).rename({"median": "median_days"}), on="group", how="left")
        .join(
            passed.select(
                "group",
                within=100 * (1 - pl.col("waiting")),
                within_lo=100 * (1 - pl.col("hi")),
                within_hi=100 * (1 - pl.col("lo")),
            ),
            on="group",
            how="left",
        )
        .with_columns(
            pl.col("within").fill_null(0.0),
            method=pl.lit("Kaplan-Meier, log-log interval"),
            reason=pl.when(pl.col("n") < min_n)
            .then(pl.format(f"{{}} low grades: fewer than {min_n}", "n"))
            .when(pl.col("median_days").is_null())
            .then(pl.lit("no median: fewer than half have been coached"))
            .otherwise(pl.lit("")),
        )
        .with_columns(reliable=pl.col("reason") == "")
    )
    columns = (
        "group", "n", "n_na", "median_days", "lo", "hi", "within", "within_lo", "within_hi", "method", "reliable",
        "reason",
    )  # fmt: skip
    return Answer.of(
        table.select(columns).sort("group"),
        choice,
        question=f"How long does a grade below {threshold:g} % wait for its first coaching point? Days.",
        caveat=CENSORED,
    )


def time_to_coach_curve(
    store: Store,
    *,
    by: Literal["all", "rubric", "team"] = "all",
    threshold: float = 80.0,
    confidence: float = 0.95,
    **filters: Unpack[Filters],
) -> Answer:
    """What share of low grades is still waiting for coaching, day by day?

    One row per group and day on which something happened (and day 0).

    Columns: group, days, at_risk (grades watched that long), waiting, lo, hi (share still waiting, percent, with its
    log-log interval), n (low grades of the group), n_na (never coached so far).

    Source: sql/queries/low_grades.sql. Errors: see `Filters`.
    """
    choice = Choice.of(store, filters)
    frame = _low_grades(store, choice, by=by, threshold=threshold)
    share = pl.col("waiting", "lo", "hi")
    counted = frame.group_by("group").agg(n=pl.len().cast(pl.Int64), n_na=(~pl.col("coached")).sum().cast(pl.Int64))
    start = counted.select("group", days=0.0, at_risk="n", waiting=1.0, lo=1.0, hi=1.0)
    curves = survival.kaplan_meier(frame, "coached", confidence=confidence).drop("events")
    table = pl.concat([start, curves]).join(counted, on="group").with_columns(share * 100).sort("group", "days")
    return Answer.of(
        table,
        choice,
        question=f"What share of grades below {threshold:g} % still waits for coaching? Percent.",
        caveat=CENSORED,
    )


def coaching_coverage(
    store: Store,
    *,
    by: Literal["all", "rubric", "team", "agent"] = "team",
    threshold: float = 80.0,
    within_days: int = 14,
    min_n: int = 10,
    confidence: float = 0.95,
    **filters: Unpack[Filters],
) -> Answer:
    """What share of low grades led to a coaching point within two weeks?

    One row per group, the least covered first. Grades younger than `within_days` that have not been coached are not
    judged yet.

    Columns: group, n (low grades judged), n_na (too young to judge), coached, rate, lo, hi (percent, Wilson), method,
    reliable, reason.

    Source: sql/queries/low_grades.sql. Errors: see `Filters`.
    """
    choice = Choice.of(store, filters)
    frame = _low_grades(store, choice, by=by, threshold=threshold)
    soon = pl.col("coached") & (pl.col("days") <= within_days)
    judged = soon | (pl.col("days") > within_days)
    table = frame.group_by("group").agg(
        n=judged.sum().cast(pl.Int64), n_na=(~judged).sum().cast(pl.Int64), coached=soon.sum().cast(pl.Int64)
    )
    table = _doubted(
        with_share(table, "coached", names=("rate", "lo", "hi"), confidence=confidence), min_n=min_n, what="low grades"
    )
    return Answer.of(
        table.select("group", "n", "n_na", "coached", "rate", "lo", "hi", "method", "reliable", "reason").sort(
            "rate", "group", nulls_last=True
        ),
        choice,
        question=f"What share of grades below {threshold:g} % led to a coaching point within {within_days} days?",
    )


def todo_completion(
    store: Store,
    *,
    by: Literal["all", "coach", "agent"] = "coach",
    overdue_days: int = 14,
    min_n: int = 10,
    confidence: float = 0.95,
    **filters: Unpack[Filters],
) -> Answer:
    """Are to-dos done, and how soon?

    One row per coach (the user who set the to-do, by id), agent, or for all. The vendor gives no due date and no date
    of completion: a to-do is overdue when it is open after `overdue_days`, and done when it was last changed.

    Columns: group, n, n_na (open and younger than `overdue_days`: too early to say), done, rate, lo, hi (percent of
    all, Wilson), overdue, overdue_rate (percent), median_days (Kaplan-Meier: open ones count as waiting), method,
    reliable, reason. Only `since`, `until` (creation), `team` and `agent` apply.

    Source: sql/queries/todo_ages.sql. Errors: see `Filters`.
    """
    choice = Choice.of(store, filters)
    frame = store.query("todo_ages", **choice.variables_of("since", "until", "team", "agent"))
    group = {"all": pl.lit("all"), "coach": pl.col("creator_id"), "agent": agent_label(frame)}[by]
    frame = frame.with_columns(group=group.fill_null("unknown"))
    late = ~pl.col("done") & (pl.col("days") > overdue_days)
    table = frame.group_by("group").agg(
        n=pl.len().cast(pl.Int64),
        n_na=(~pl.col("done") & ~late).sum().cast(pl.Int64),
        done=pl.col("done").sum().cast(pl.Int64),
        overdue=late.sum().cast(pl.Int64),
    )
    medians = survival.medians(survival.kaplan_meier(frame, "done", confidence=confidence))
    found = medians.select("group", median_days="median")
    table = with_share(table, "done", names=("rate", "lo", "hi"), confidence=confidence)
    table = _doubted(table, min_n=min_n, what="to-dos").join(found, on="group", how="left")
    table = table.with_columns(overdue_rate=100 * pl.col("overdue") / pl.col("n")).sort("rate", "group")
    columns = (
        "group", "n", "n_na", "done", "rate", "lo", "hi", "overdue", "overdue_rate", "median_days", "method",
        "reliable", "reason",
    )  # fmt: skip
    return Answer.of(
        table.select(columns), choice, question="Are to-dos done, and how soon?", caveat=CENSORED, time_axis=RECORD_AXIS
    )


def _low_grades(store: Store, choice: Choice, *, by: str, threshold: float) -> pl.DataFrame:
    frame = store.query("low_grades", **choice.variables, threshold=threshold)
    if by == "team":
        frame = frame.join(store.query("team_members", **choice.variables_of("team")), on="person_id")
    group = {
        "all": pl.lit("all"),
        "rubric": pl.col("rubric_name"),
        "team": pl.col("group_name"),
        "agent": agent_label(frame),
    }[by]
    return frame.with_columns(group=group.fill_null("unknown"))


def _doubted(table: pl.DataFrame, *, min_n: int, what: str) -> pl.DataFrame:
    few = pl.when(pl.col("n") < min_n).then(pl.format(f"{{}} {what}: fewer than {min_n}", "n")).otherwise(pl.lit(""))
    return table.with_columns(method=pl.lit("Wilson"), reason=few).with_columns(reliable=pl.col("reason") == "")
