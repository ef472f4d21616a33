"""The smallest effect that a coaching pilot of a given size can detect."""

from __future__ import annotations

from datetime import date
from typing import Unpack

import numpy as np
import polars as pl

from maestro_analytics.analysis.answer import Answer
from maestro_analytics.analysis.filters import Choice, Filters, Store
from maestro_analytics.analysis.statistics.arrays import Floats

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
SPREADS = 25
"""Values of the spread over which a chance is averaged."""


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
    sd, known = _unexplained(before, after, window)
    reason = "" if len(after) >= FEWEST_PAIRS else f"{len(after)} pairs of windows: fewer than {FEWEST_PAIRS}"
    agents = trend["person_id"].n_unique()
    rows = []
    for size in PILOTS:
        freedom = 2.0 * size - 3
        # The groups differ a little before by chance, which the comparison has to take out.
        error = sd * (2 / size * (1 + 1 / (2 * size - 4))) ** 0.5
        critical = float(special.stdtrit(freedom, 0.5 + confidence / 2))
        seen = error > 0
        rows.append(
            {
                "coached": size,
                "controls": size,
                "n": len(after),
                "n_na": left_out,
                "detectable": _detectable(wanted, freedom, critical, known) * error if seen else np.nan,
                "power": 100 * _found(effect / error, freedom, critical, known) if seen else np.nan,
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


def _found(errors: float, freedom: float, critical: float, known: float) -> float:
    """Chance that an effect of so many standard errors is found, when the error is itself estimated.

    Args:
        freedom, critical: degrees of freedom of the pilot's t and the value that it has to exceed.
        known: degrees of freedom of the spread that the error is made of.
    """
    from scipy import special

    middle = (np.arange(SPREADS) + 0.5) / SPREADS
    larger = np.sqrt(known / special.chdtri(known, middle))
    return float(1 - special.nctdtr(freedom, errors / larger, critical).mean())


def _detectable(wanted: float, freedom: float, critical: float, known: float) -> float:
    """The effect, in standard errors, that is found with the chance that is wanted."""
    low, high = 0.0, 100.0
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if _found(middle, freedom, critical, known) < wanted else (low, middle)
    return high


def _unexplained(before: Floats, after: Floats, window: Floats) -> tuple[float, float]:
    """Spread of the score after, given the score before and the window, and its degrees of freedom; nan for too few."""
    codes = np.unique(window, return_inverse=True)[1]
    levels = int(codes.max(initial=-1)) + 1
    freedom = len(after) - levels - 1
    if freedom < 1:
        return float("nan"), float("nan")
    size = np.bincount(codes)
    x, y = (values - (np.bincount(codes, values) / size)[codes] for values in (before, after))
    slope = float(x @ y) / float(x @ x) if float(x @ x) > 0 else 0.0
    return float(np.sqrt(((y - slope * x) ** 2).sum() / freedom)), float(freedom)
