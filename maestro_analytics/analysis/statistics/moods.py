"""Moods that last: what a grader's grades of one day, and of days near each other, have in common.

The products of residuals of one grader, by how many days lie between them, tell how fast a mood passes. The variance
of a grader's mean follows from them as in a time series (Newey and West 1987), but with a decay that is fitted, because
a few thousand grades say too little about each distance by itself.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from maestro_analytics.analysis.statistics.codes import Codes
from maestro_analytics.analysis.statistics.intervals import Floats

DECAYS = (0.0, 0.3, 0.5, 0.65, 0.75, 0.82, 0.88, 0.92, 0.95)
"""Correlations of a mood with that of the day before, among which the data choose."""
FARTHEST = 56
"""Days apart up to which products are looked at; at most a third of the time that there is."""
FEWEST_PRODUCTS = 30
MONTH = np.abs(np.subtract.outer(np.arange(30), np.arange(30)))
"""How many days lie between two days of a month."""


@dataclass(frozen=True)
class Moods:
    """Attributes:
    of_mean: variance of the mean of a grader's grades that moods add, one entry per grader.
    freedom: degrees of freedom with which it is known.
    sd: spread of moods.
    """

    of_mean: Floats
    freedom: float
    sd: float


def moods(residual: Floats, own: Floats, n: Floats, *, grader: Codes, day: Codes, variance: float) -> Moods:
    """The moods of graders, from cells of one grader and day (or finer).

    Args:
        residual, own: sum of a cell's residuals, and of their squares; n: their number.
        day: from 0.
        variance: of a single residual.
    """
    graders, days = int(grader.max()) + 1, int(day.max()) + 1
    nothing = Moods(np.zeros(graders), 1.0, 0.0)
    if days < 3 or not np.isfinite(variance) or variance <= 0:
        return nothing
    at = grader * days + day
    sums, squares, number = (
        np.asarray(np.bincount(at, values, minlength=graders * days).reshape(graders, days), dtype=float)
        for values in (residual, own, n)
    )
    farthest = max(min(FARTHEST, days // 3), 1)
    whole = np.maximum(number.sum(1), 1)
    # By distance and grader: how many pairs of grades there are (with itself, at 0), and what is common to them.
    pairs = np.array([_at_distance(number, number, lag) for lag in range(farthest + 1)])
    products = np.array([_at_distance(sums, sums, lag).sum() for lag in range(farthest + 1)])
    products[0] -= squares.sum()
    apart = pairs.sum(1)
    apart[0] -= number.sum()
    # What was fitted, each grader's mean, makes residuals of different grades a little unlike.
    sharing = (pairs / whole).sum(1)
    sharing[0] -= (number.sum(1) / whole).sum()
    known = apart >= FEWEST_PRODUCTS
    if not known.any():
        return nothing
    common = (products + variance * sharing)[known] / apart[known]
    weight = apart[known] / variance**2
    lags = np.arange(farthest + 1)
    both_ways = np.where(lags == 0, 1.0, 2.0)
    chance, size, error, of_means, stretch = [], [], [], [], []
    for decay in DECAYS:
        shape = decay**lags
        of_mean = (both_ways * shape) @ pairs / whole**2
        # A grader's mean takes away what moods add to it, the mean of a month what they add to that of all graders.
        taken = float((of_mean * whole**2).sum() / (whole**2).sum())
        taken += float((decay**MONTH).mean()) / graders
        seen = shape[known] - taken
        precision = float((weight * seen**2).sum())
        if precision <= 0:
            continue
        found = max(float((weight * seen * common).sum()) / precision, 0.0)
        chance.append(0.5 * found**2 * precision)
        size.append(found)
        error.append(precision**-0.5)
        of_means.append(of_mean)
        stretch.append(float(both_ways @ shape))
    if not chance:
        return nothing
    share = np.exp(np.array(chance) - max(chance))
    share /= share.sum()
    sizes, errors, shapes = np.array(size), np.array(error), np.array(of_means)
    of_mean = (share * sizes) @ shapes
    typical = shapes.mean(1)
    mean = float(share @ (sizes * typical))
    spread = float(share @ ((sizes * typical) ** 2 + (errors * typical) ** 2)) - mean**2
    # As many stretches of time as are unlike each other tell how much moods differ.
    stretches = max(graders * (days / float(share @ np.array(stretch)) - 1), 1.0)
    freedom = 1 / (spread / (2 * mean**2) + 1 / stretches) if mean > 0 else stretches
    return Moods(of_mean, max(freedom, 1.0), float(share @ sizes) ** 0.5)


def _at_distance(first: Floats, second: Floats, lag: int) -> Floats:
    """Sum of the products of values `lag` days apart, of each grader."""
    return np.asarray((first[:, : first.shape[1] - lag] * second[:, lag:]).sum(1), dtype=float)
