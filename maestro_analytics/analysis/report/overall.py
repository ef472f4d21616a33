"""The score and pass rate of everyone together, in the newest period and the one before it."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Unpack
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl

from maestro_analytics.analysis.answer import Answer
from maestro_analytics.analysis.changes import two_periods
from maestro_analytics.analysis.filters import Choice, Filters, Store
from maestro_analytics.analysis.grader_cells import scored_cells
from maestro_analytics.analysis.statistics.arrays import Floats
from maestro_analytics.analysis.summaries import FEWEST_CLUSTERS

OVERALL = {
    "measure": pl.String, "starts": pl.Date, "ends": pl.Date, "starts_before": pl.Date, "ends_before": pl.Date,
    "n": pl.Int64, "n_before": pl.Int64, "n_na": pl.Int64, "agents": pl.Int64, "before": pl.Float64,
    "after": pl.Float64, "change": pl.Float64, "lo": pl.Float64, "hi": pl.Float64, "changed": pl.String,
    "method": pl.String, "reliable": pl.Boolean, "reason": pl.String,
}  # fmt: skip
METHOD = "means of all grades; interval of their difference clustered by agent, t"


def overall(
    store: Store, *, threshold: float = 80.0, min_n: int = 10, confidence: float = 0.95, **filters: Unpack[Filters]
) -> Answer:
    """Did the score and the pass rate of everyone together change from one period to the next?

    One row for the score and one for the pass rate (share of grades at or above `threshold`); percent, as graded. The
    periods are those of `changes`: by default the newest 28 days and the 28 before.

    Columns
        measure                                       String   "score" or "pass rate"
        starts, ends, starts_before, ends_before      Date     first and last day of the newer and the older period
        n, n_before, n_na                             Int64    scored grades, and those without a score in both
        agents                                        Int64    with a scored grade in either period
        before, after, change, lo, hi                 Float64  percent, and percent points with an interval
        changed                                       String   "up" or "down" where the interval excludes 0, else ""
        method, reliable, reason

    Source: sql/queries/agent_scores.sql, grader_cells.sql. Errors: see `Filters`.
    """
    choice, older = two_periods(store, Choice.of(store, filters), None)
    question = "Did the score and the pass rate of everyone change?"
    if older is None:
        return Answer.of(pl.DataFrame(schema=OVERALL), choice, question=question)
    both = pl.concat([_sums(store, each, threshold).with_columns(period=at) for at, each in enumerate((older, choice))])
    wide = both.group_by("person_id").agg(
        pl.col(name).filter(pl.col("period") == at).sum().alias(f"{name}_{at}")
        for name in ("n", "total", "passed")
        for at in (0, 1)
    ).sort("person_id", nulls_last=True)  # fmt: skip
    n = [wide[f"n_{at}"].to_numpy().astype(float) for at in (0, 1)]
    if not n[0].sum() or not n[1].sum():
        return Answer.of(
            pl.DataFrame(schema=OVERALL),
            choice,
            question=question,
            reason=f"nothing to compare with: no scored grades {older.period}" if n[1].sum() else None,
        )
    agents = int(((n[0] + n[1]) > 0).sum())
    fewer = int(min(n[0].sum(), n[1].sum()))
    reason = ""
    if fewer < min_n:
        reason = f"{fewer} grades in one of the periods: fewer than {min_n}"
    elif agents < FEWEST_CLUSTERS:
        reason = f"{agents} agents: too few to allow for differences between them"
    shared = _days(choice, older, newest=scored_cells(store, choice)["day"].max()) | {
        "n": int(n[1].sum()), "n_before": int(n[0].sum()), "n_na": int(both["n_na"].sum()), "agents": agents,
        "method": METHOD, "reliable": not reason, "reason": reason,
    }  # fmt: skip
    rows = []
    for measure, name, scale in (("score", "total", 1.0), ("pass rate", "passed", 100.0)):
        sums = [scale * wide[f"{name}_{at}"].to_numpy().astype(float) for at in (0, 1)]
        means = [float(sums[at].sum() / n[at].sum()) for at in (0, 1)]
        change, reach = means[1] - means[0], _reach(sums, n, means, confidence)
        settled = not reason and abs(change) > reach
        rows.append(
            {
                "measure": measure, "before": means[0], "after": means[1], "change": change,
                "lo": change - reach, "hi": change + reach,
                "changed": ("up" if change > 0 else "down") if settled else "",
            } | shared
        )  # fmt: skip
    return Answer.of(
        pl.DataFrame(rows, schema=OVERALL).with_columns(pl.col("lo", "hi").fill_nan(None)),
        choice,
        question=question,
        caveat="Agents who came or left, other rubrics and other graders are a change too.",
    )


def _sums(store: Store, choice: Choice, threshold: float) -> pl.DataFrame:
    frame = store.query("agent_scores", **choice.variables, threshold=threshold)
    return frame.group_by("person_id").agg(pl.col("n", "n_na", "total", "passed").sum())


def _reach(
    sums: list[Floats],
    n: list[Floats],
    means: list[float],
    confidence: float,
) -> float:
    """Half the interval of the difference of two means; what an agent adds to both is one piece of chance."""
    from scipy import special

    influence = [(sums[at] - means[at] * n[at]) / n[at].sum() for at in (0, 1)]
    clusters = int(((n[0] + n[1]) > 0).sum())
    if clusters < 2:
        return float("nan")
    error = float(np.sqrt(((influence[1] - influence[0]) ** 2).sum() * clusters / (clusters - 1)))
    return float(special.stdtrit(clusters - 1, 0.5 + confidence / 2)) * error


def _days(choice: Choice, older: Choice, *, newest: object) -> dict[str, date | None]:
    """The first and last day of both periods, in the time zone of weeks."""
    zone = ZoneInfo(choice.week_zone)

    def day(moment: datetime | None) -> date | None:
        return None if moment is None else moment.astimezone(zone).date()

    def last(moment: datetime | None) -> date | None:
        return None if moment is None else (moment.astimezone(zone) - timedelta(microseconds=1)).date()

    return {
        "starts": day(choice.since), "ends": last(choice.until) or (newest if isinstance(newest, date) else None),
        "starts_before": day(older.since), "ends_before": last(older.until),
    }  # fmt: skip
