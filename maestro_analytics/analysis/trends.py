"""How scores move over time, and which movements are more than the usual noise."""

from __future__ import annotations

from typing import Any, Literal, Unpack
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl

from maestro_analytics.analysis.answer import HOW_SURE, Answer
from maestro_analytics.analysis.arguments import checked
from maestro_analytics.analysis.filters import Choice, Filters, Store
from maestro_analytics.analysis.statistics import process
from maestro_analytics.analysis.statistics.arrays import Codes, Flags, Floats
from maestro_analytics.analysis.summaries import by_cluster, label, nullable, summed

Every = Literal["week", "month"]
Group = Literal["all", "team", "agent", "rubric"]
FEWEST_POINTS = 12
FEWEST_GRADES = 10
RUBRICS = "Where several rubrics were used, scores are rid of the differences between them."


@checked
def score_trend(
    store: Store,
    *,
    every: Every = "week",
    by: Group = "rubric",
    min_n: int = 10,
    confidence: float = 0.95,
    **filters: Unpack[Filters],
) -> Answer:
    """How do scores move from week to week, or month to month?

    One row per period and group. Weeks run from Monday to Sunday in `week_zone`.

    Columns
        period           Date     first day of the week or month
        group            String   the rubric's, team's or agent's name (with the id where several share it), or "all"
        group_id         String   of the rubric, team or person; null for "all"
        agents           Int64    agents with a scored grade
        n, n_na, mean, lo, hi, sd, method, reliable, reason   as in `team_scores`; percent
        finished         Boolean  false for the newest period, unless `until` says that it has ended

    Source: sql/queries/adjusted_trend.sql; by rubric sql/queries/score_trend.sql. Errors: see `Filters`.
    """
    choice = Choice.of(store, filters)
    frame = _grouped(store, choice, every=every, by=by)
    table = by_cluster(frame, ["period", "group"], min_n=min_n, confidence=confidence, first=["group_id"])
    table = table.with_columns(finished=finished(table, choice, every=every))
    columns = (
        *("period", "group", "group_id", "agents"),
        *("n", "n_na", "mean", "lo", "hi", "sd", "finished"),
        *HOW_SURE,
    )
    return Answer.of(
        table.select(columns).sort("group", "period"),
        choice,
        question=f"How do scores move from {every} to {every}? Percent.",
        caveat="" if by == "rubric" else RUBRICS,
    )


@checked
def control_chart(
    store: Store, *, every: Every = "week", by: Group = "agent", false_alarms: float = 0.05, **filters: Unpack[Filters]
) -> Answer:
    """Which weeks of an agent are unusual, by the agent's own measure?

    One row per group and period with a scored grade. The limits come from the group's own grades: how the mean of as
    many grades as the period has varies by chance, however skewed the scores are, widened where the group varies more
    from period to period than that.

    Args:
        false_alarms: chance that a group whose scores do not change has any point outside its limits; and of the groups
            with a signal the share that is expected to be wrong (Benjamini-Hochberg over all groups of the chart).

    Columns
        group, period
        n, n_na                 Int64    grades
        value, centre, lo, hi   Float64  mean of the period, of the group, and the limits for so many grades, percent
        moving_range            Float64  distance from the period before
        sigma_z                 Float64  by how much the limits are widened; 1: not at all
        signal                  String   "outside the limits" or ""; empty for unreliable rows, and where chance can
                                         explain a point outside the limits among this many groups
        points                  Int64    periods of the group
        finished                Boolean  false for the newest period, unless `until` says that it has ended
        method, reliable, reason         reliable: at least 12 periods, and the period has ended

    Source: sql/queries/adjusted_trend.sql, score_counts.sql; by rubric score_trend.sql. Errors: see `Filters`.
    """
    choice = Choice.of(store, filters)
    frame = _grouped(store, choice, every=every, by=by)
    table = summed(frame, ["group", "period"], first=["group_id"]).filter(pl.col("n") > 0).sort("group", "period")
    counts, scores = _score_counts(store, choice, table, by=by)
    chart = process.sampled(
        table["total"],
        table["n"],
        counts,
        scores,
        series=_codes(table["group"]),
        false_alarms=false_alarms,
        judged=_judged(table, choice, every=every),
    )
    charted = charted_rows(table, chart, scale=1.0, method=f"limits from own grades, {_alarms(false_alarms)}")
    charted = _limits_on_scale(charted, highest=frame["highest"].max())
    charted = without_unfinished(charted, choice, every=every)
    return _control_answer(
        charted, choice, f"Which {every}s are unusual, by each {by}'s own measure? Percent.", false_alarms
    )


@checked
def pass_rate_chart(
    store: Store,
    *,
    every: Every = "week",
    by: Group = "team",
    threshold: float = 80.0,
    false_alarms: float = 0.05,
    **filters: Unpack[Filters],
) -> Answer:
    """In which weeks is a pass rate unusual, given how many grades there are?

    One row per group and period with a scored grade: Laney's p' chart of the share of grades at or above `threshold`
    with exact binomial limits; they allow for the number of grades and for more variation than chance (`sigma_z`).

    Columns and `false_alarms`: as in `control_chart`, in percent.

    Source: sql/queries/score_trend.sql. Errors: see `Filters`.
    """
    choice = Choice.of(store, filters)
    frame = _asked(store, "score_trend", choice, every=every, threshold=threshold)
    frame = _by_rubric(frame) if by == "rubric" else _placed(store, choice, frame, by=by)
    table = summed(frame, ["group", "period"], "passed").filter(pl.col("n") > 0).sort("group", "period")
    chart = process.binomial_p(
        table["passed"],
        table["n"],
        series=_codes(table["group"]),
        false_alarms=false_alarms,
        judged=_judged(table, choice, every=every),
    )
    charted = charted_rows(table, chart, scale=100.0, method=f"Laney p', binomial, {_alarms(false_alarms)}")
    charted = _limits_on_scale(charted, highest=100.0)
    charted = without_unfinished(charted, choice, every=every)
    question = f"In which {every}s is a pass rate (at least {threshold:g} %) unusual? Percent."
    return _control_answer(charted, choice, question, false_alarms)


def _limits_on_scale(charted: pl.DataFrame, *, highest: Any) -> pl.DataFrame:
    """Limits kept between 0 and what a score can be; none of a group with fewer than three periods or ten grades.

    Nor of one whose grades are all equal: nothing says how they vary.
    """
    varied = (pl.col("hi") > pl.col("lo")).any().over("group")
    enough = (pl.col("points") > 2) & (pl.col("n").sum().over("group") >= FEWEST_GRADES) & varied
    most = pl.max_horizontal(pl.lit(max(100.0, highest or 0.0)), pl.col("value").max().over("group"))
    return charted.with_columns(
        lo=pl.when(enough).then(pl.col("lo").clip(0)),
        hi=pl.when(enough).then(pl.min_horizontal("hi", most)),
        reason=pl.when((pl.col("reason") == "") & ~varied)
        .then(pl.lit("no limits: all grades are equal"))
        .otherwise("reason"),
    ).with_columns(reliable=pl.col("reason") == "")


def _judged(table: pl.DataFrame, choice: Choice, *, every: Every) -> Flags:
    """Which periods may have a signal: those that have ended, of groups with enough of them."""
    enough = table.select(pl.len().over("group") >= FEWEST_POINTS).to_series()
    return (enough & finished(table, choice, every=every)).to_numpy()


def _alarms(rate: float) -> str:
    return f"{100 * rate:g} % false alarms per group"


def _codes(group: pl.Series) -> Codes:
    """Numbers from 0 of a sorted column's values."""
    return (group.rle_id()).cast(pl.Int64).to_numpy()


def _score_counts(store: Store, choice: Choice, table: pl.DataFrame, *, by: Group) -> tuple[Floats, Floats]:
    """How often each group of the (sorted) table has each score, and the scores."""
    counts = store.query("score_counts", **choice.variables)
    if by == "rubric":
        counts = counts.with_columns(group_id=pl.col("rubric_id"))
    else:
        n, score = pl.col("n"), pl.col("score")
        mean = (n * score).sum() / n.sum()
        moved = mean - (n * score).sum().over("rubric_id") / n.sum().over("rubric_id")
        counts = _placed(store, choice, counts.with_columns(score=2 * ((score + moved) / 2).round()), by=by)
    groups = table.select("group_id").unique(maintain_order=True).with_row_index("at")
    counts = counts.join(groups, on="group_id", nulls_equal=True)
    if not counts.height:
        return np.zeros((groups.height, 1)), np.zeros(1)
    place = ((counts["score"] - counts["score"].min()) / 2).cast(pl.Int64).to_numpy()
    width = int(place.max()) + 1
    filled = np.bincount(
        counts["at"].to_numpy().astype(np.int64) * width + place,
        counts["n"].to_numpy(),
        minlength=groups.height * width,
    ).reshape(groups.height, width)
    lowest = float(counts.select(pl.col("score").min().cast(pl.Float64)).item())
    return np.asarray(filled, dtype=float), np.asarray(lowest + 2.0 * np.arange(width), dtype=float)


def finished(table: pl.DataFrame, choice: Choice, *, every: Every) -> pl.Series:
    """Whether each row's period has ended; of the newest grades may be missing still, unless `until` is its end."""
    newest = table["period"].max()
    if newest is None:
        return pl.Series("finished", [], dtype=pl.Boolean)
    end = pl.select(pl.lit(newest).dt.offset_by({"week": "1w", "month": "1mo"}[every])).item()
    ended = choice.until is not None and choice.until.astimezone(ZoneInfo(choice.week_zone)).date() >= end
    return table.select(finished=(pl.col("period") < newest) | pl.lit(ended)).to_series()


def without_unfinished(charted: pl.DataFrame, choice: Choice, *, every: Every) -> pl.DataFrame:
    """No signal of unreliable rows, nor of the newest period, of which grades may be missing still."""
    charted = charted.with_columns(finished=finished(charted, choice, every=every))
    unfinished = ~pl.col("finished")
    return charted.with_columns(
        reason=pl.when((pl.col("reason") == "") & unfinished)
        .then(pl.lit(f"the newest {every} may not have ended: it is not judged"))
        .otherwise("reason")
    ).with_columns(
        reliable=pl.col("reason") == "", signal=pl.when(pl.col("reason") == "").then("signal").otherwise(pl.lit(""))
    )


def charted_rows(table: pl.DataFrame, chart: process.ControlChart, *, scale: float, method: str) -> pl.DataFrame:
    """The chart of a table's rows, as columns; `scale` turns its numbers into percent."""

    def column(name: str, numbers: Floats) -> pl.Series:
        return nullable(scale * numbers).alias(name)

    few = pl.col("points") < FEWEST_POINTS
    return (
        table.select("group", "period", "n", "n_na")
        .with_columns(
            column("value", chart.value),
            column("centre", chart.centre),
            column("lo", chart.lower),
            column("hi", chart.upper),
            column("moving_range", chart.moving_range),
            nullable(chart.sigma_z).alias("sigma_z"),
            pl.Series("signal", chart.signal, dtype=pl.String),
            pl.Series("points", chart.points, dtype=pl.Int64),
            method=pl.lit(method),
        )
        .with_columns(
            signal=pl.when(few).then(pl.lit("")).otherwise("signal"),
            reliable=~few,
            reason=pl.when(few)
            .then(pl.format(f"{{}} periods: fewer than {FEWEST_POINTS}", "points"))
            .otherwise(pl.lit("")),
        )
    )


def _control_answer(table: pl.DataFrame, choice: Choice, question: str, false_alarms: float) -> Answer:
    groups = table["group"].n_unique()
    beyond = (pl.col("value") < pl.col("lo")) | (pl.col("value") > pl.col("hi"))
    named = table.filter(pl.col("signal") != "")["group"].unique()
    others = table.filter(beyond & pl.col("reliable") & ~pl.col("group").is_in(named.implode()))["group"].n_unique()
    more = f" {others} more have a point outside their limits: expected by chance among so many." if others else ""
    return Answer.of(
        table,
        choice,
        question=question,
        caveat=f"At most {100 * false_alarms:g} % of the groups with a signal are expected to have it by chance "
        f"(Benjamini-Hochberg, {groups} groups).{more} Ask what happened before you ask who.",
    )


def _grouped(store: Store, choice: Choice, *, every: str, by: Group) -> pl.DataFrame:
    """Sums by period, person and group; rid of rubric differences unless the rubric is the group."""
    if by == "rubric":
        return _by_rubric(_asked(store, "score_trend", choice, every=every))
    return _placed(store, choice, _asked(store, "adjusted_trend", choice, every=every), by=by)


def _asked(store: Store, query: str, choice: Choice, **variables: Any) -> pl.DataFrame:
    return store.query(query, **choice.variables, week_zone=choice.week_zone, **variables)


def _by_rubric(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(group=label("rubric_id", "rubric_name"), group_id=pl.col("rubric_id"))


def _placed(store: Store, choice: Choice, frame: pl.DataFrame, *, by: Group) -> pl.DataFrame:
    """The rows of persons, each in their group or groups."""
    if by == "team":
        members = store.query("team_members", **choice.variables_of("team"))
        members = members.with_columns(group=label("group_id", "group_name"))
        return frame.join(members, on="person_id")
    if by == "agent":
        return frame.with_columns(group=label("person_id", "agent_name"), group_id=pl.col("person_id"))
    return frame.with_columns(group=pl.lit("all"), group_id=pl.lit(None, pl.String))
