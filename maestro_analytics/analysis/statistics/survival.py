"""Kaplan-Meier: how long things take when some have not happened yet."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from maestro_analytics.analysis.statistics.intervals import Floats, Numbers


@dataclass(frozen=True)
class Survival:
    """The share still waiting after each moment at which something happened.

    Attributes:
        time, at_risk, events, waiting, lo, hi: one entry per moment; the interval is log-log.
        median, median_lo, median_hi: when half have happened; None while the share waiting stays above one half.
    """

    time: Floats
    at_risk: Floats
    events: Floats
    waiting: Floats
    lo: Floats
    hi: Floats
    median: float | None
    median_lo: float | None
    median_hi: float | None

    def waiting_at(self, moment: float) -> float:
        """Share still waiting at `moment`."""
        passed = np.searchsorted(self.time, moment, side="right")
        return float(self.waiting[passed - 1]) if passed else 1.0


def kaplan_meier(duration: Numbers, happened: Numbers, *, confidence: float = 0.95) -> Survival:
    """The survival curve of `duration`s, censored where `happened` is false.

    The median is the first time at which at most half are waiting; its interval is Brookmeyer and Crowley's.
    """
    from scipy import special

    took = np.asarray(duration, dtype=float)
    done = np.asarray(happened, dtype=bool)
    time, events = np.unique(took[done], return_counts=True)
    ordered = np.sort(took)
    at_risk = len(ordered) - np.searchsorted(ordered, time, side="left")
    with np.errstate(divide="ignore", invalid="ignore"):
        waiting = np.asarray(np.cumprod(1 - events / at_risk), dtype=float)
        greenwood = np.cumsum(events / (at_risk * (at_risk - events)))
        z = float(special.ndtri(0.5 + confidence / 2))
        error = z * np.sqrt(greenwood) / np.abs(np.log(waiting))
        lo, hi = waiting ** np.exp(error), waiting ** np.exp(-error)
    none_left = waiting <= 0
    lo, hi = np.where(none_left, 0.0, lo), np.where(none_left, np.nan, hi)
    return Survival(
        time=time,
        at_risk=at_risk.astype(float),
        events=events.astype(float),
        waiting=waiting,
        lo=lo,
        hi=hi,
        median=_first_at_or_below(time, waiting),
        median_lo=_first_at_or_below(time, lo),
        median_hi=_first_at_or_below(time, hi),
    )


def _first_at_or_below(time: Floats, share: Floats, level: float = 0.5) -> float | None:
    below = np.flatnonzero(share <= level + 1e-12)
    return float(time[below[0]]) if len(below) else None
