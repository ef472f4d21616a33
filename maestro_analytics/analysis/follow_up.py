"""What is done about low grades, and how soon: with those that are still waiting."""

from __future__ import annotations

from typing import Literal, Unpack

import numpy as np
import polars as pl

from maestro_analytics.analysis.answer import Answer
from maestro_analytics.analysis.filters import Choice, Filters, Store
from maestro_analytics.analysis.statistics import survival
from maestro_analytics.analysis.summaries import agent_label, nullable, with_share

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
    rows = []
    for (group,), low in frame.group_by(["group"]):
        curve = survival.kaplan_meier(low["days"], low["coached"], confidence=confidence)
        at = int(np.searchsorted(curve.time, within_days, side="right")) - 1
        reason = "" if low.height >= min_n else f"{low.height} low grades: fewer than {min_n}"
        if not reason and curve.median is None:
            reason = "no median: fewer than half have been coached"
        rows.append(
            {
                "group": group,
                "n": low.height,
                "n_na": low.height - int(low["coached"].sum()),
                "median_days": curve.median,
                "lo": curve.median_lo,
                "hi": curve.median_hi,
                "within": 100 * (1 - curve.waiting[at]) if at >= 0 else 0.0,
                "within_lo": 100 * (1 - curve.hi[at]) if at >= 0 and np.isfinite(curve.hi[at]) else None,
                "within_hi": 100 * (1 - curve.lo[at]) if at >= 0 and np.isfinite(curve.lo[at]) else None,
                "method": "Kaplan-Meier, log-log interval",
                "reliable": not reason,
                "reason": reason,
            }
        )
    schema = {
        "group": pl.String, "n": pl.Int64, "n_na": pl.Int64, "median_days": pl.Float64, "lo": pl.Float64,
        "hi": pl.Float64, "within": pl.Float64, "within_lo": pl.Float64, "within_hi": pl.Float64, "method": pl.String,
        "reliable": pl.Boolean, "reason": pl.String,
    }  # fmt: skip
    return Answer.of(
        pl.DataFrame(rows, schema=schema).sort("group"),
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
    parts = [
        pl.DataFrame(
            schema={
                "group": pl.String, "days": pl.Float64, "at_risk": pl.Int64, "waiting": pl.Float64, "lo": pl.Float64,
                "hi": pl.Float64, "n": pl.Int64, "n_na": pl.Int64,
            }
        )
    ]  # fmt: skip
    for (group,), low in frame.sort("group").group_by(["group"], maintain_order=True):
        curve = survival.kaplan_meier(low["days"], low["coached"], confidence=confidence)
        start = np.array([0.0]), np.array([float(low.height)]), np.array([1.0])
        parts.append(
            pl.DataFrame(
                {
                    "group": pl.Series([group] * (len(curve.time) + 1), dtype=pl.String),
                    "days": np.concatenate([start[0], curve.time]),
                    "at_risk": np.concatenate([start[1], curve.at_risk]).astype(np.int64),
                    "waiting": 100 * np.concatenate([start[2], curve.waiting]),
                    "lo": nullable(100 * np.concatenate([start[2], curve.lo])),
                    "hi": nullable(100 * np.concatenate([start[2], curve.hi])),
                }
            ).with_columns(
                n=pl.lit(low.height, pl.Int64), n_na=pl.lit(low.height - int(low["coached"].sum()), pl.Int64)
            )
        )
    return Answer.of(
        pl.concat(parts),
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
    medians = [
        (key, survival.kaplan_meier(some["days"], some["done"], confidence=confidence).median)
        for (key,), some in frame.group_by(["group"])
    ]
    found = pl.DataFrame(medians, schema={"group": pl.String, "median_days": pl.Float64}, orient="row")
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
