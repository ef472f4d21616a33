"""How much is graded: of each agent, and by each grader."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Unpack

import numpy as np
import polars as pl

from maestro_analytics.analysis.answer import Answer, Schema
from maestro_analytics.analysis.arguments import checked
from maestro_analytics.analysis.filters import Choice, Filters, Store
from maestro_analytics.analysis.statistics.arrays import Codes, Flags

COVERAGE: Schema = {
    **dict.fromkeys(("person_id", "agent_name"), pl.String),
    **dict.fromkeys(("n", "n_na", "weeks", "weeks_graded", "weeks_met"), pl.Int64),
    **dict.fromkeys(("share_met", "per_week"), pl.Float64),
    "longest_gap": pl.Int64,
    "last_week": pl.Date,
    "reliable": pl.Boolean,
    "reason": pl.String,
}
FEWEST_WEEKS = 4


@checked
def grading_coverage(store: Store, *, wish: int = 4, **filters: Unpack[Filters]) -> Answer:
    """Is each agent graded as often as wished, and who gets no grades?

    One row per person who was ever graded or is in a team, the least graded first. Weeks run from Monday to Sunday,
    from the first week with any grade to the last; the newest is left out, because it may be unfinished.

    Args:
        wish: grades per agent and week.

    Columns
        person_id, agent_name
        n, n_na            Int64    grades with and without a score in those weeks
        weeks              Int64    weeks that are looked at, the same for all
        weeks_graded       Int64    with at least one grade
        weeks_met          Int64    with at least `wish` grades
        share_met          Float64  of all weeks, percent
        per_week           Float64  grades
        longest_gap        Int64    weeks without a grade in a row
        last_week          Date     Monday of the last week with a grade; null without any
        reliable, reason            reliable: at least 4 weeks

    Source: sql/queries/adjusted_trend.sql, agent_scores.sql (all time, for who was graded), team_members.sql,
    people.sql. Errors: see `Filters`.
    """
    choice = Choice.of(store, filters)
    # Of its rows only the counts are read; a report asks for them anyway.
    trend = store.query("adjusted_trend", **choice.variables, week_zone=choice.week_zone, every="week")
    question = f"Is each agent graded {wish} times a week?"
    first, newest = trend["period"].min(), trend["period"].max()
    if not isinstance(first, date) or not isinstance(newest, date):
        return Answer.of(pl.DataFrame(schema=COVERAGE), choice, question=question)
    weeks = max((newest - first).days // 7, 1)
    trend = trend.filter(pl.col("person_id").is_not_null()).with_columns(
        week=(pl.col("period") - first).dt.total_days() // 7
    )
    trend = trend.filter(pl.col("week") < weeks)
    people = _people(store, choice).with_row_index("at")
    placed = trend.join(people, on="person_id")
    counts = np.zeros((2, people.height, weeks), dtype=np.int64)
    for at, name in enumerate(("n", "n_na")):
        counts[at, placed["at"].to_numpy(), placed["week"].to_numpy()] = placed[name].to_numpy()
    graded = counts.sum(0) > 0
    last = np.where(graded.any(1), weeks - 1 - graded[:, ::-1].argmax(1), -1)
    table = (
        people.drop("at")
        .with_columns(
            n=pl.Series(counts[0].sum(1)),
            n_na=pl.Series(counts[1].sum(1)),
            weeks=pl.lit(weeks, pl.Int64),
            weeks_graded=pl.Series(graded.sum(1)),
            weeks_met=pl.Series((counts.sum(0) >= wish).sum(1)),
            longest_gap=pl.Series(_longest_run(~graded)),
            last_week=pl.Series(
                [first + timedelta(weeks=int(each)) if each >= 0 else None for each in last], dtype=pl.Date
            ),
            reason=pl.lit("" if weeks >= FEWEST_WEEKS else f"{weeks} weeks: fewer than {FEWEST_WEEKS}"),
        )
        .with_columns(
            share_met=100 * pl.col("weeks_met") / weeks,
            per_week=(pl.col("n") + pl.col("n_na")) / weeks,
            reliable=pl.col("reason") == "",
        )
    )
    never = table.filter(pl.col("weeks_graded") == 0).height
    return Answer.of(
        table.select(list(COVERAGE)).cast(COVERAGE).sort("per_week", "person_id"),  # type: ignore[arg-type]
        choice,
        question=question,
        caveat=f"{never} of {table.height} agents have no grade in {weeks} weeks. The files do not say who was absent, "
        "joined or left.",
    )


@checked
def grading_effort(store: Store, **filters: Unpack[Filters]) -> Answer:
    """How long does grading take, and how much is graded?

    One row per grader.

    Columns: grader, n, n_na (grades with and without a time), median_minutes, p90_minutes, days (with a grade), grades,
    grades_per_day, reliable, reason.

    Caveat: speed is not a target: faster grading is less careful.
    Source: sql/queries/grading_effort.sql. Errors: see `Filters`.
    """
    choice = Choice.of(store, filters)
    frame = store.query("grading_effort", **choice.variables, week_zone=choice.week_zone).with_columns(
        reliable=pl.col("n") >= 10,
        reason=pl.when(pl.col("n") >= 10).then(pl.lit("")).otherwise(pl.format("{} timed grades: fewer than 10", "n")),
    )
    return Answer.of(
        frame,
        choice,
        question="How long does grading take, and how much is graded?",
        caveat="Speed of grading is not a target: faster grading is less careful.",
    )


def _people(store: Store, choice: Choice) -> pl.DataFrame:
    """Everyone who was ever graded, and unless one agent is asked for, everyone in a team; with their names."""
    ever = store.query("agent_scores", **choice.variables_of("team", "agent", "include_uncovered"), threshold=80.0)
    ids = ever.select("person_id").drop_nulls()
    if "agent" not in choice.names:
        ids = pl.concat([ids, store.query("team_members", **choice.variables_of("team")).select("person_id")])
    names = store.query("people", **choice.variables_of("team", "agent")).select("person_id", "agent_name")
    return ids.unique().join(names, on="person_id", how="left").sort("person_id")


def _longest_run(is_set: Flags) -> Codes:
    """Of each row the length of its longest run of true values."""
    longest = run = np.zeros(len(is_set), dtype=np.int64)
    for column in is_set.T:
        run = np.where(column, run + 1, 0)
        longest = np.maximum(longest, run)
    return longest
