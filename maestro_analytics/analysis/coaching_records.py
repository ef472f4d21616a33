"""The coaching there was: how soon low grades led to it, which sessions each agent had, which to-dos are open."""

from __future__ import annotations

from typing import Literal, Unpack

import numpy as np
import polars as pl

from maestro_analytics.analysis.answer import HOW_SURE, Answer
from maestro_analytics.analysis.arguments import checked
from maestro_analytics.analysis.filters import Choice, Filters, Store
from maestro_analytics.analysis.statistics import survival
from maestro_analytics.analysis.statistics.arrays import Floats
from maestro_analytics.analysis.summaries import label, nullable, with_clustered_share, with_share

CENSORED = "Those still waiting count as waiting: the mean of the finished ones alone would be too short."
RECORD_AXIS = "created_at"


@checked
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
        group               String   "all", or the rubric's or team's name (with the id where several share it)
        n, n_na             Int64    low grades (below `threshold` percent), and how many are still waiting
        median_days         Float64  when half have been coached; null while fewer than half have
        lo, hi              Float64  its interval (Brookmeyer and Crowley); null where it is open
        within              Float64  share coached after `within_days` days, percent
        within_lo, within_hi
        method, reliable, reason

    Source: sql/queries/low_grades.sql. Errors: see `Filters`.
    """
    choice = Choice.of(store, filters)
    frame = _with_clusters(_low_grades(store, choice, by=by, threshold=threshold))
    curves = survival.kaplan_meier(frame, "coached", confidence=confidence, cluster="cluster")
    happened = pl.col("coached")
    passed = curves.filter(pl.col("days") <= within_days).group_by("group").last()
    table = (
        frame.group_by("group")
        .agg(
            n=pl.len().cast(pl.Int64),
            n_na=(~happened).sum().cast(pl.Int64),
            watched=(pl.col("days_observed") >= within_days).sum(),
        )
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
            within=pl.when(pl.col("watched") >= min_n).then(pl.col("within").fill_null(0.0)),
            within_lo=pl.when(pl.col("watched") >= min_n).then("within_lo"),
            within_hi=pl.when(pl.col("watched") >= min_n).then("within_hi"),
            method=pl.lit("Kaplan-Meier, log-log interval, clustered by coach or agent"),
            reason=pl.when(pl.col("n") < min_n)
            .then(pl.format(f"{{}} low grades: fewer than {min_n}", "n"))
            .when(pl.col("watched") < min_n)
            .then(pl.format(f"{{}} low grades are {within_days} days old: fewer than {min_n}, too early", "watched"))
            .when(pl.col("median_days").is_null())
            .then(pl.lit("no median: fewer than half have been coached"))
            .otherwise(pl.lit("")),
        )
        .with_columns(reliable=pl.col("reason") == "")
    )
    columns = ("group", "n", "n_na", "median_days", "lo", "hi", "within", "within_lo", "within_hi", *HOW_SURE)
    return Answer.of(
        table.select(columns).sort("group"),
        choice,
        question=f"How long does a grade below {threshold:g} % wait for its first coaching point? Days.",
        caveat=CENSORED,
    )


@checked
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
    frame = _with_clusters(_low_grades(store, choice, by=by, threshold=threshold))
    share = pl.col("waiting", "lo", "hi")
    counted = frame.group_by("group").agg(n=pl.len().cast(pl.Int64), n_na=(~pl.col("coached")).sum().cast(pl.Int64))
    start = counted.select("group", days=0.0, at_risk="n", waiting=1.0, lo=1.0, hi=1.0)
    curves = survival.kaplan_meier(frame, "coached", confidence=confidence, cluster="cluster").drop("events")
    table = pl.concat([start, curves]).join(counted, on="group").with_columns(share * 100).sort("group", "days")
    return Answer.of(
        table,
        choice,
        question=f"What share of grades below {threshold:g} % still waits for coaching? Percent.",
        caveat=CENSORED,
    )


@checked
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

    One row per group, the least covered first. Grades younger than `within_days` are not judged yet.

    Columns: group, n (low grades judged), n_na (too young to judge), coached, rate, lo, hi (percent, Wilson, clustered
    by coach, or by agent where a group has three coaches or fewer), method, reliable, reason.

    Source: sql/queries/low_grades.sql. Errors: see `Filters`.
    """
    choice = Choice.of(store, filters)
    frame = _with_clusters(_low_grades(store, choice, by=by, threshold=threshold))
    soon = pl.col("coached") & (pl.col("days") <= within_days)
    # Young grades are left out whether coached or not: those coached soon alone would make the share too high.
    judged = pl.col("days_observed") >= within_days
    frame = frame.with_columns(judged=judged.cast(pl.Int64), soon=(soon & judged).cast(pl.Int64))
    table = frame.group_by("group").agg(
        n=judged.sum().cast(pl.Int64), n_na=(~judged).sum().cast(pl.Int64), soon=pl.col("soon").sum()
    )
    table = with_clustered_share(
        table,
        frame.rename({"judged": "m"}),
        ["group"],
        "soon",
        trials="n",
        fine_trials="m",
        names=("rate", "lo", "hi"),
        confidence=confidence,
        cluster="cluster",
    )
    table = _doubted(table, min_n=min_n, what="low grades").with_columns(
        coached="soon", method=pl.lit("Wilson, clustered by coach or agent")
    )
    return Answer.of(
        table.select("group", "n", "n_na", "coached", "rate", "lo", "hi", "method", "reliable", "reason").sort(
            "rate", "group", nulls_last=True
        ),
        choice,
        question=f"What share of grades below {threshold:g} % led to a coaching point within {within_days} days?",
    )


@checked
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
    group = {"all": pl.lit("all"), "coach": pl.col("creator_id"), "agent": label("person_id", "agent_name")}[by]
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
    columns = (*("group", "n", "n_na", "done", "rate", "lo", "hi", "overdue", "overdue_rate", "median_days"), *HOW_SURE)
    return Answer.of(
        table.select(columns), choice, question="Are to-dos done, and how soon?", caveat=CENSORED, time_axis=RECORD_AXIS
    )


@checked
def open_todos(store: Store, **filters: Unpack[Filters]) -> Answer:
    """Which to-dos are not done?

    One row per open to-do, the oldest first of each person.

    Columns
        person_id, agent_name, todo_id, title, description, type, creator_id
        created_at                        Datetime  UTC
        days                              Float64   open so far, to the newest record in the database
        source, gradable_id, grade_key    the ticket it is about, where it names a grade

    Only `since`, `until` (creation), `team` and `agent` apply.

    Source: sql/queries/open_todos.sql. Errors: see `Filters`.
    """
    choice = Choice.of(store, filters)
    return Answer.of(
        store.query("open_todos", **choice.variables_of("since", "until", "team", "agent")),
        choice,
        question="Which to-dos are not done?",
        caveat="The vendor gives no due date.",
        time_axis=RECORD_AXIS,
    )


def _low_grades(store: Store, choice: Choice, *, by: str, threshold: float) -> pl.DataFrame:
    names = {
        "agent": ("person_id", "agent_name"),
        "rubric": ("rubric_id", "rubric_name"),
        "team": ("group_id", "group_name"),
    }
    frame = store.query("low_grades", **choice.variables, threshold=threshold)
    if by == "team":
        frame = frame.join(store.query("team_members", **choice.variables_of("team")), on="person_id")
    group = label(*names[by]) if by in names else pl.lit("all")
    needed = ("person_id", "coach_id", "coached", "days", "days_observed")
    return frame.select(*needed, group=group.fill_null("unknown"))


def _with_clusters(frame: pl.DataFrame) -> pl.DataFrame:
    """Adds `cluster`: the usual coach of the person where a group has more than three of them, else the person.

    Coaches differ in how soon they act, and persons differ, so waiting times are not independent.
    """
    usual = (
        frame.filter(pl.col("coach_id").is_not_null())
        .group_by("person_id")
        .agg(usual=pl.col("coach_id").sort().mode().sort().first())
    )
    frame = frame.join(usual, on="person_id", how="left", nulls_equal=True)
    coach = pl.col("usual").fill_null(pl.col("person_id")).fill_null("")
    return frame.with_columns(
        cluster=pl.when(pl.col("usual").drop_nulls().n_unique().over("group") > 3)
        .then(coach)
        .otherwise(pl.col("person_id").fill_null(""))
    )


def _doubted(table: pl.DataFrame, *, min_n: int, what: str) -> pl.DataFrame:
    few = pl.when(pl.col("n") < min_n).then(pl.format(f"{{}} {what}: fewer than {min_n}", "n")).otherwise(pl.lit(""))
    return table.with_columns(method=pl.lit("Wilson"), reason=few).with_columns(reliable=pl.col("reason") == "")


HISTORY_DAYS = 28
TYPICAL_GRADES = 10
"""The spread of a few grades counts as if this many grades of typical spread were added."""
FEWEST_FOR_INTERVAL = 3
HISTORY_METHOD = "t of two means, spread drawn towards that of all sessions"


@checked
def coaching_history(store: Store, *, min_n: int = 5, confidence: float = 0.95, **filters: Unpack[Filters]) -> Answer:
    """Which coaching sessions did each agent have, and which scores followed?

    One row per session, the newest first of each person: the mean of the 28 days up to its day and of the 28 days
    after it. `since` and `until` choose sessions (by meeting, else by creation); the grades around them all
    count. Where several rubrics were used, scores are rid of the differences between them.

    Columns
        person_id, agent_name, coaching_session_id, name, coach_name
        held_at              Datetime  UTC, of the meeting, else of its record
        coaching_points      Int64     coaching points talked about
        n_before, n          Int64     scored grades in the 28 days up to its day, and after it
        n_na                 Int64     grades without a score in both
        before, after        Float64   mean, percent
        change, lo, hi       Float64   after minus before, percent points, with its interval
        method, reliable, reason       reliable: `min_n` grades on both sides, 28 days have passed, and no other session
                                       in them

    Source: sql/queries/session_scores.sql. Errors: see `Filters`.
    """
    from scipy import special

    choice = Choice.of(store, filters)
    # Not since and until, which would cut the grades around a session.
    chosen = {name: value for name, value in choice.variables.items() if name not in ("since", "until")}
    table = store.query("session_scores", **chosen)
    held = pl.col("held_at")
    table = table.filter(
        (held >= choice.since if choice.since else pl.lit(True)),
        (held < choice.until if choice.until else pl.lit(True)),
    )
    n_before, n = table["n_before"].to_numpy(), table["n"].to_numpy()
    before, variance_before = _moments(n_before, table["total_before"], table["squares_before"])
    after, variance = _moments(n, table["total"], table["squares"])
    freedom = np.clip(np.concatenate([n_before, n]) - 1, 0, None)
    spread = np.nan_to_num(np.concatenate([variance_before, variance]))
    typical = float((freedom * spread).sum() / freedom.sum()) if freedom.sum() else float("nan")
    error = np.sqrt(_blended(n_before, variance_before, typical) + _blended(n, variance, typical))
    known = (n_before >= FEWEST_FOR_INTERVAL) & (n >= FEWEST_FOR_INTERVAL) & (error > 0)
    reach = np.where(known, special.stdtrit(np.clip(n_before + n - 2, 1, None), 0.5 + confidence / 2) * error, np.nan)
    gap = held.diff().over("person_id", order_by="held_at")
    near = pl.duration(days=HISTORY_DAYS)
    table = table.with_columns(
        before=nullable(before),
        after=nullable(after),
        change=nullable(after - before),
        lo=nullable(after - before - reach),
        hi=nullable(after - before + reach),
        method=pl.lit(HISTORY_METHOD),
        crowded=((gap < near) | (gap.shift(-1).over("person_id", order_by="held_at") < near)).fill_null(False),
    )
    fewer = pl.min_horizontal("n_before", "n")
    reason = (
        pl.when(pl.col("days_observed") < HISTORY_DAYS)
        .then(pl.lit(f"{HISTORY_DAYS} days have not passed since"))
        .when(fewer < min_n)
        .then(pl.format(f"{{}} grades before and {{}} after: fewer than {min_n} on one side", "n_before", "n"))
        .when("crowded")
        .then(pl.lit(f"another session within {HISTORY_DAYS} days"))
        .when(pl.col("lo").is_null())
        .then(pl.lit("no interval: too few grades"))
        .otherwise(pl.lit(""))
    )
    columns = (
        *("person_id", "agent_name", "coaching_session_id", "name", "coach_name", "held_at"),
        *("coaching_points", "n_before", "n", "n_na", "before", "after", "change", "lo", "hi"),
        *HOW_SURE,
    )
    return Answer.of(
        table.with_columns(reason=reason)
        .with_columns(reliable=pl.col("reason") == "")
        .sort("person_id", "held_at", "coaching_session_id", descending=[False, True, False])
        .select(columns),
        choice,
        question="Which coaching sessions did each agent have, and which scores followed? Percent.",
        caveat="A low stretch is usually followed by a better one, coached or not: `coaching_effect` compares with "
        "agents who were not coached.",
        time_axis="meeting_date",
    )


def _moments(n: Floats, total: pl.Series, squares: pl.Series) -> tuple[Floats, Floats]:
    """Mean and variance (n - 1); nan where there are too few."""
    total_, squares_ = (values.cast(pl.Float64).fill_null(float("nan")).to_numpy() for values in (total, squares))
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = total_ / n
        variance = np.clip(squares_ - n * mean**2, 0, None) / (n - 1)
    return mean, np.where(n > 1, variance, np.nan)


def _blended(n: Floats, variance: Floats, typical: float) -> Floats:
    """Squared error of a mean, of few grades with the spread that is typical."""
    freedom = np.clip(n - 1, 0, None)
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = (freedom * np.nan_to_num(variance) + TYPICAL_GRADES * typical) / (freedom + TYPICAL_GRADES)
        return np.asarray(spread / n, dtype=float)
