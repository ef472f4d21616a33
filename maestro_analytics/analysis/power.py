"""The smallest effect that a coaching pilot of a given size can detect."""

from __future__ import annotations

from datetime import date
from typing import Unpack

import numpy as np
import polars as pl

from maestro_analytics.analysis.answer import Answer
from maestro_analytics.analysis.filters import Choice, Filters, Store
from maestro_analytics.analysis.statistics.intervals import Floats

PILOTS = (5, 10, 20, 40, 80, 160, 320)
POWER = {
    "coached": pl.Int64,
    "controls": pl.Int64,
    "n": pl.Int64,
    "n_na": pl.Int64,
    "detectable": pl.Float64,
    "power": pl.Float64,
    "possible": pl.Boolean,
    "method": pl.String,
    "reliable": pl.Boolean,
    "reason": pl.String,
}
FEWEST_PAIRS = 30


def power(
    store: Store,
    *,
    effect: float = 5.0,
    days: int = 28,
    min_n: int = 5,
    wanted: float = 0.8,
    confidence: float = 0.95,
    **filters: Unpack[Filters],
) -> Answer:
    """How large must a coaching pilot be to see an effect?

    One row per size of a pilot in which chance decides who of the agents is coached, with as many controls. The score
    of the `days` after is compared, given that of the `days` before; how much it varies is taken from the agents' own
    scores so far, between windows in a row.

    Args:
        effect: points that coaching is hoped to add.
        min_n: grades that an agent must have in both windows to be counted.
        wanted: chance to find a true effect that is called detectable.

    Columns
        coached, controls   Int64    agents in the pilot
        n, n_na             Int64    pairs of windows that the variation comes from, and those with too few grades
        detectable          Float64  smallest effect that is found with chance `wanted`, points
        power               Float64  chance that an effect of `effect` points is found, percent
        possible            Boolean  there are so many agents
        method, reliable, reason     reliable: at least 30 pairs of windows

    Source: sql/queries/adjusted_trend.sql. Errors: see `Filters`.
    """
    from scipy import special

    choice = Choice.of(store, filters)
    trend = store.query("adjusted_trend", **choice.variables, week_zone=choice.week_zone, every="day")
    question = f"How large must a coaching pilot be to see {effect:g} points?"
    before, after, window, left_out = _windows(trend.filter(pl.col("n") > 0), days=days, min_n=min_n)
    if not trend.height:
        return Answer.of(pl.DataFrame(schema=POWER), choice, question=question)
    sd = _unexplained(before, after, window)
    reason = "" if len(after) >= FEWEST_PAIRS else f"{len(after)} pairs of windows: fewer than {FEWEST_PAIRS}"
    agents = trend["person_id"].n_unique()
    rows = []
    for size in PILOTS:
        freedom = 2.0 * size - 3
        error = sd * (2 / size) ** 0.5
        critical = float(special.stdtrit(freedom, 0.5 + confidence / 2))
        found = 100 * float(special.stdtr(freedom, effect / error - critical)) if error > 0 else np.nan
        rows.append(
            {
                "coached": size,
                "controls": size,
                "n": len(after),
                "n_na": left_out,
                "detectable": (critical + float(special.stdtrit(freedom, wanted))) * error,
                "power": found,
                "possible": 2 * size <= agents,
                "method": "two groups by chance, adjusted for the score before",
                "reliable": not reason,
                "reason": reason,
            }
        )
    return Answer.of(
        pl.DataFrame(rows, schema=POWER).with_columns(pl.col("detectable", "power").fill_nan(None)),
        choice,
        question=question,
        caveat="Holds where chance decides who is coached. Where coaches choose, more agents are needed.",
    )


def _windows(trend: pl.DataFrame, *, days: int, min_n: int) -> tuple[Floats, Floats, Floats, int]:
    """Means of windows in a row of each agent: before, after, the window's number; and how many pairs are left out."""
    nothing = np.zeros(0)
    last = trend["period"].max()
    if not isinstance(last, date):
        return nothing, nothing, nothing, 0
    windows = (
        trend.filter(pl.col("person_id").is_not_null())
        .with_columns(window=(pl.lit(last) - pl.col("period")).dt.total_days() // days)
        .group_by("person_id", "window")
        .agg(pl.col("n", "total").sum())
        .sort("person_id", "window")
    )
    earlier = windows.with_columns(window=pl.col("window") - 1)
    pairs = windows.join(earlier, on=["person_id", "window"], suffix="_before").sort("person_id", "window")
    enough = pairs.filter((pl.col("n") >= min_n) & (pl.col("n_before") >= min_n))
    before, after = (
        enough.select(pl.col(f"total{at}") / pl.col(f"n{at}")).to_series().to_numpy() for at in ("_before", "")
    )
    return before, after, enough["window"].to_numpy().astype(float), pairs.height - enough.height


def _unexplained(before: Floats, after: Floats, window: Floats) -> float:
    """Spread of the score after, given the score before and the window; nan with too few pairs."""
    codes = np.unique(window, return_inverse=True)[1]
    levels = int(codes.max(initial=-1)) + 1
    freedom = len(after) - levels - 1
    if freedom < 1:
        return float("nan")
    size = np.bincount(codes)
    x, y = (values - (np.bincount(codes, values) / size)[codes] for values in (before, after))
    slope = float(x @ y) / float(x @ x) if float(x @ x) > 0 else 0.0
    return float(np.sqrt(((y - slope * x) ** 2).sum() / freedom))
