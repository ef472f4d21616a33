"""How many grades are enough."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Unpack

import numpy as np
import polars as pl

from maestro_analytics.analysis.answer import Answer
from maestro_analytics.analysis.filters import Choice, Filters, Store
from maestro_analytics.analysis.statistics import intervals, shrinkage
from maestro_analytics.analysis.statistics.arrays import Floats
from maestro_analytics.analysis.summaries import nullable, summed, with_mean


def sampling_plan(
    store: Store,
    *,
    half_width: float = 5.0,
    volume: Mapping[str, int] | int | None = None,
    min_n: int = 10,
    confidence: float = 0.95,
    **filters: Unpack[Filters],
) -> Answer:
    """How many grades does each agent need for a mean that is sure to +- `half_width` points?

    One row per person, the least sure first. An agent's own spread is blended with the spread of all, because a
    spread from few grades is itself a guess.

    Args:
        volume: tickets there were to grade, for each person (by id) or for everyone; where it is known, grading a large
            part of them makes the mean surer (finite population correction).

    Columns
        person_id, agent_name
        n, n_na           Int64    grades so far, with and without a score
        mean              Float64  percent
        sd                Float64  spread that is planned with, points
        half_width_now    Float64  how sure the mean is with the grades so far, points
        needed            Int64    grades for +- `half_width`
        more              Int64    grades still missing
        per_week          Float64  grades a week so far
        weeks_to_go       Float64  at that pace; null without a pace
        method, reliable, reason   reliable: the mean is sure to +- `half_width` already

    Source: sql/queries/agent_scores.sql. Errors: see `Filters`.
    """
    choice = Choice.of(store, filters)
    frame = store.query("agent_scores", **choice.variables)
    dates = frame.group_by("person_id").agg(pl.col("first_reported").min(), pl.col("last_reported").max())
    table = with_mean(summed(frame, ["person_id"], first=["agent_name"]), min_n=min_n, confidence=confidence)
    table = table.join(dates, on="person_id", how="left").sort("person_id")
    scored = table.filter(pl.col("n") > 0)
    pooled = shrinkage.shrink(scored["n"], scored["mean"].fill_null(0), scored["sd"].fill_null(0)).within_sd
    if not pooled:  # no agent has two grades that differ
        pooled = np.nan
    freedom = (table["n"].to_numpy() - 1).clip(0)
    own = table["sd"].fill_null(0).to_numpy()
    sd = np.sqrt((freedom * own**2 + min_n * pooled**2) / (freedom + min_n))
    tickets = _volumes(table["person_id"], volume)
    needed = np.ceil(intervals.sample_size(sd, half_width, confidence=confidence, population=tickets) - 1e-9)
    n = table["n"].to_numpy().astype(float)
    with np.errstate(divide="ignore", invalid="ignore"):
        now = intervals.sample_size(sd, 1.0, confidence=confidence) ** 0.5 / np.sqrt(n)
    if tickets is not None:
        now = now * intervals.finite_population(n, tickets)
    now = np.where(np.isfinite(now), now, np.nan)
    weeks = ((pl.col("last_reported") - pl.col("first_reported")).dt.total_days() / 7 + 1 / 7).cast(pl.Float64)
    table = table.with_columns(
        sd=nullable(sd),
        half_width_now=nullable(now),
        needed=nullable(needed).cast(pl.Int64),
        per_week=pl.when(pl.col("n") > 0).then(pl.col("n") / pl.max_horizontal(weeks, pl.lit(1.0))),
    ).with_columns(more=(pl.col("needed") - pl.col("n")).clip(0))
    table = table.with_columns(
        weeks_to_go=pl.when(pl.col("per_week") > 0).then(pl.col("more") / pl.col("per_week")),
        method=pl.lit("normal, own and common spread blended" + (", finite population" if volume is not None else "")),
        reason=pl.when(pl.col("more").is_null())
        .then(pl.lit("no agent has two grades that differ: nothing says how much grades vary"))
        .when(pl.col("more") > 0)
        .then(pl.format(f"{{}} more grades for +- {half_width:g} points", "more"))
        .otherwise(pl.lit("")),
    ).with_columns(reliable=pl.col("reason") == "")
    columns = (
        "person_id",
        "agent_name",
        "n",
        "n_na",
        "mean",
        "sd",
        "half_width_now",
        "needed",
        "more",
        "per_week",
        "weeks_to_go",
        "method",
        "reliable",
        "reason",
    )
    return Answer.of(
        table.select(columns).sort(["more", "person_id"], descending=[True, False], nulls_last=True),
        choice,
        question=f"How many grades does each agent need for +- {half_width:g} points?",
        caveat="Grades must be a fair sample of an agent's tickets: picking the bad ones makes any number useless. Of "
        f"means of as many grades as needed, {100 * confidence:g} % lie within +- {half_width:g} points of the truth; "
        "the interval that agent_scores shows must find the spread first: it is wider for about half of the agents.",
    )


def _volumes(people: pl.Series, volume: Mapping[str, int] | int | None) -> Floats | None:
    if volume is None:
        return None
    if isinstance(volume, int):
        return np.full(len(people), float(volume))
    return np.array([float(volume.get(person, math.inf)) for person in people])
