"""Day effects: what a grader's grades of one day, and of days or weeks near each other, have in common.

Such an effect is called a mood. The products of residuals of one grader, by how many days lie between them, tell how
fast a mood passes. The variance of a grader's mean follows from them as in a time series (Newey and West 1987), but the
decay is fitted, because a few thousand grades say too little about each distance by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from maestro_analytics.analysis.statistics.arrays import Codes, Floats, one_thread


def day_correlation(n: Floats, total: Floats, squares: Floats, group: Codes, *, level: float = 0.2) -> float:
    """Correlation of grades of one cell (a grader's day with an agent) beyond that of the same `group` of cells.

    Analysis of variance of days within groups; 0 unless days differ more than chance explains at `level`.
    """
    from scipy import special

    groups = int(group.max()) + 1
    size = np.bincount(group, n, minlength=groups)
    cells = np.bincount(group, minlength=groups)
    sums = np.bincount(group, total, minlength=groups)
    several = cells > 1
    of_means = total**2 / n
    between = float((np.bincount(group, of_means, minlength=groups) - sums**2 / np.maximum(size, 1))[several].sum())
    between_freedom = float((cells - 1)[several].sum())
    within, within_freedom = float((squares - of_means).sum()), float(n.sum() - len(n))
    if between_freedom < 5 or within_freedom < 5 or within <= 0:
        return 0.0
    ratio = (between / between_freedom) / (within / within_freedom)
    if float(special.fdtrc(between_freedom, within_freedom, ratio)) > level:
        return 0.0
    alike = (size - np.bincount(group, n**2, minlength=groups) / np.maximum(size, 1))[several].sum() / between_freedom
    component = max(ratio - 1, 0.0) / max(float(alike), 1.0)
    return component / (1 + component)


def day_weighted(n: Floats, total: Floats, squares: Floats, correlation: float) -> tuple[Floats, Floats, Floats]:
    """Count, sum and sum of squares of cells whose grades are correlated, as if they were independent."""
    share = 1 / (1 + correlation * (n - 1))
    of_mean = total**2 / n
    within = np.clip(squares - of_mean, 0, None)
    return n * share, total * share, of_mean * share + within / (1 - correlation)


DECAYS = (0.0, 0.3, 0.5, 0.65, 0.75, 0.82, 0.88, 0.92, 0.95)
"""Correlations of a mood with that of the day (or week) before, among which the data choose."""
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


SHARES = (0.2, 0.4, 0.6, 0.8, 0.95)
"""Shares of a mood in the variance of a period's mean."""
MOST_SERIES, MOST_PERIODS = 20, 52
"""How fast moods pass is told by so many of the longest series and their newest periods: more change nothing."""


@dataclass(frozen=True)
class Series:
    """The periods of one series, three or more at different times: number of the period, time, mean and weight."""

    place: Codes
    x: Floats
    y: Floats
    weight: Floats

    def scaled(self, periods: int) -> tuple[Floats, Floats]:
        """Design and means of the newest periods, so that all have the same variance."""
        root = np.sqrt(self.weight[-periods:])
        x = self.x[-periods:]
        return np.column_stack([root, root * (x - x.mean())]), root * self.y[-periods:]


@one_thread()
def slopes(series: Sequence[Series]) -> tuple[Floats, Floats, Floats]:
    """Slope, standard error and degrees of freedom of each series of period means.

    The errors of a series are chance of each period and a mood that resembles that of the period before. Which share is
    mood, and how fast it passes, is not plugged in but integrated over a grid, by the restricted likelihood of all
    series together: an estimate from what a line leaves over takes lasting moods for drift. The slope is that of least
    squares; its variance follows from the errors' covariances, with Satterthwaite's degrees of freedom.
    """
    alike = _correlations(series)
    found = np.empty((3, len(series)))
    for at, each in enumerate(series):
        design, means = each.scaled(len(each.x))
        solve = np.linalg.pinv(design)
        beta = solve @ means
        covariance = alike[np.abs(np.subtract.outer(each.place, each.place))]
        left = covariance - design @ (solve @ covariance)
        expected = float(np.trace(left))
        variance = float(((means - design @ beta) ** 2).sum()) / expected
        error = float(np.sqrt(variance * (solve[1] @ covariance @ solve[1])))
        found[:, at] = float(beta[1]), error, expected**2 / float((left * left.T).sum())
    return found[0], found[1], found[2]


def _correlations(series: Sequence[Series]) -> Floats:
    """How alike the errors of two periods are, by how many periods lie between them."""
    farthest = max((int(each.place[-1] - each.place[0]) for each in series), default=0)
    distance = np.arange(farthest + 1)
    chance = np.zeros((len(DECAYS), len(SHARES)))
    for each in sorted(series, key=lambda one: -len(one.x))[:MOST_SERIES]:
        chance += _likelihood(each)
    weight = np.exp(chance - chance.max())
    weight /= weight.sum()
    shares = weight @ np.array(SHARES)
    found = shares @ np.array([decay**distance for decay in DECAYS])
    found[0] = 1.0
    return np.asarray(found, dtype=float)


def _likelihood(each: Series) -> Floats:
    """Log of the restricted likelihood for each decay and share."""
    design, means = each.scaled(MOST_PERIODS)
    place = each.place[-MOST_PERIODS:]
    distance = np.abs(np.subtract.outer(place, place))
    found = np.zeros((len(DECAYS), len(SHARES)))
    freedom = len(means) - 2
    for row, decay in enumerate(DECAYS):
        values, vectors = np.linalg.eigh(float(decay) ** distance)
        turned, seen = vectors.T @ design, vectors.T @ means
        # One row for each share of a mood.
        precision = 1 / (1 - np.array(SHARES)[:, None] + np.outer(SHARES, np.clip(values, 0, None)))
        one, line = turned.T
        a, b, c = precision @ one**2, precision @ (one * line), precision @ line**2
        d, e, whole = precision @ (one * seen), precision @ (line * seen), precision @ seen**2
        determinant = a * c - b**2
        rest = whole - (c * d**2 - 2 * b * d * e + a * e**2) / determinant
        rest = np.maximum(rest, 1e-12 * whole + 1e-300)
        found[row] = 0.5 * (np.log(precision).sum(1) - np.log(determinant) - freedom * np.log(rest))
    return found
