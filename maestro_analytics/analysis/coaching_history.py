"""The coaching of each agent so far, and the scores that followed."""

from __future__ import annotations

from typing import Unpack

import numpy as np
import polars as pl

from maestro_analytics.analysis.answer import Answer
from maestro_analytics.analysis.filters import Choice, Filters, Store
from maestro_analytics.analysis.statistics.arrays import Floats
from maestro_analytics.analysis.summaries import nullable

DAYS = 28
TYPICAL_GRADES = 10
"""The spread of a few grades counts as if this many grades of typical spread were added."""
FEWEST_FOR_INTERVAL = 3
METHOD = "t of two means, spread drawn towards that of all sessions"


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
    near = pl.duration(days=DAYS)
    table = table.with_columns(
        before=nullable(before),
        after=nullable(after),
        change=nullable(after - before),
        lo=nullable(after - before - reach),
        hi=nullable(after - before + reach),
        method=pl.lit(METHOD),
        crowded=((gap < near) | (gap.shift(-1).over("person_id", order_by="held_at") < near)).fill_null(False),
    )
    fewer = pl.min_horizontal("n_before", "n")
    reason = (
        pl.when(pl.col("days_observed") < DAYS)
        .then(pl.lit(f"{DAYS} days have not passed since"))
        .when(fewer < min_n)
        .then(pl.format(f"{{}} grades before and {{}} after: fewer than {min_n} on one side", "n_before", "n"))
        .when("crowded")
        .then(pl.lit(f"another session within {DAYS} days"))
        .when(pl.col("lo").is_null())
        .then(pl.lit("no interval: too few grades"))
        .otherwise(pl.lit(""))
    )
    columns = (
        "person_id",
        "agent_name",
        "coaching_session_id",
        "name",
        "coach_name",
        "held_at",
        "coaching_points",
        "n_before",
        "n",
        "n_na",
        "before",
        "after",
        "change",
        "lo",
        "hi",
        "method",
        "reliable",
        "reason",
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
    with np.errstate(divide="ignore"):
        spread = (freedom * np.nan_to_num(variance) + TYPICAL_GRADES * typical) / (freedom + TYPICAL_GRADES)
        return np.asarray(spread / n, dtype=float)
