"""Slopes of period means with autocorrelated errors, and their intervals: a mood can last longer than a period.

The errors of a series are chance of each period and a mood that resembles that of the period before. Which share is
mood, and how fast it passes, is not plugged in but integrated over a grid, by the restricted likelihood of all series
together: an estimate from what a line leaves over takes lasting moods for drift. The slope itself is that of least
squares; its variance follows from the errors' covariances, with Satterthwaite's degrees of freedom.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from maestro_analytics.analysis.statistics.codes import Codes
from maestro_analytics.analysis.statistics.intervals import Floats
from maestro_analytics.analysis.statistics.one_thread import one_thread

DECAYS = (0.0, 0.3, 0.5, 0.65, 0.75, 0.82, 0.88, 0.92, 0.95)
"""Correlations of a mood with that of the period before, among which the data choose."""
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
    """Slope, standard error and degrees of freedom of each series."""
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
