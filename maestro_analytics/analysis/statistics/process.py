"""Control charts: which movements of a series are more than its usual noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from maestro_analytics.analysis.statistics.intervals import Floats, Numbers

OUTSIDE = "outside the limits"
RUN = "eight on one side"


@dataclass(frozen=True)
class ControlChart:
    """Series with their limits, one entry per point.

    Attributes:
        value, centre, lower, upper: the points and the limits that hold for each.
        moving_range: distance from the point before; nan for the first of a series.
        moving_range_limit: above it a single jump is unusual.
        sigma_z: how much more the series varies than chance alone (Laney); nan for XmR.
        points: how many points the series has.
        signal: why a point stands out, or an empty text.
    """

    value: Floats
    centre: Floats
    lower: Floats
    upper: Floats
    moving_range: Floats
    moving_range_limit: Floats
    sigma_z: Floats
    points: npt.NDArray[np.int64]
    signal: npt.NDArray[np.str_]


class _Series:
    """Where each series begins among points that stand one series after another."""

    def __init__(self, points: int, series: Numbers | None) -> None:
        named = np.zeros(points) if series is None else np.asarray(series)
        self.first = np.append(np.ones(min(points, 1), dtype=bool), named[1:] != named[:-1])
        self._number = np.cumsum(self.first) - 1
        self.points = np.bincount(self._number)[self._number] if points else np.zeros(0, dtype=np.int64)

    def sum(self, values: Floats) -> Floats:
        """The sum of the series, at each of its points."""
        return np.asarray(np.bincount(self._number, values)[self._number] if len(values) else values, dtype=float)

    def moves(self, values: Floats) -> Floats:
        return np.where(self.first, np.nan, np.abs(np.diff(values, prepend=np.nan)))

    def mean_move(self, moves: Floats) -> Floats:
        """The mean moving range; nan for a series of one point."""
        with np.errstate(invalid="ignore"):
            return np.asarray(self.sum(np.nan_to_num(moves)) / np.where(self.points > 1, self.points - 1, np.nan))


def xmr(values: Numbers, *, series: Numbers | None = None) -> ControlChart:
    """Individuals chart: mean +- 2.66 times the mean moving range (3 / d2, with d2 = 1.128).

    Args:
        values: the points, in order of time.
        series: which series each point belongs to, one after another; all to one when not given.
    """
    x = np.asarray(values, dtype=float)
    each = _Series(len(x), series)
    moves = each.moves(x)
    mean_move = each.mean_move(moves)
    centre = each.sum(x) / each.points
    lower, upper = centre - 2.66 * mean_move, centre + 2.66 * mean_move
    return ControlChart(
        value=x,
        centre=centre,
        lower=lower,
        upper=upper,
        moving_range=moves,
        moving_range_limit=3.267 * mean_move,
        sigma_z=np.full(len(x), np.nan),
        points=each.points,
        signal=_signals(each, x, centre, lower, upper),
    )


def laney_p(successes: Numbers, trials: Numbers, *, series: Numbers | None = None) -> ControlChart:
    """Laney's p' chart of a share: the binomial limits, widened by how much the series varies beyond chance.

    sigma_z below 1 is kept at 1: a series cannot be steadier than chance, it can only look so. `series` as in `xmr`.
    """
    k, n = (np.asarray(values, dtype=float) for values in (successes, trials))
    each = _Series(len(k), series)
    share, centre = k / n, each.sum(k) / each.sum(n)
    sigma = np.sqrt(centre * (1 - centre) / n)
    z = np.divide(share - centre, sigma, out=np.zeros_like(share), where=sigma > 0)
    sigma_z = np.fmax(1.0, each.mean_move(each.moves(z)) / 1.128)
    lower, upper = (np.clip(centre + side * 3 * sigma * sigma_z, 0, 1) for side in (-1, 1))
    return ControlChart(
        value=share,
        centre=centre,
        lower=lower,
        upper=upper,
        moving_range=each.moves(share),
        moving_range_limit=np.full(len(share), np.nan),
        sigma_z=sigma_z,
        points=each.points,
        signal=_signals(each, share, centre, lower, upper),
    )


def ewma(values: Numbers, n: Numbers, sd: float, *, weight: float = 0.2, series: Numbers | None = None) -> ControlChart:
    """Exponentially weighted means, which see a slow drift long before a single point is out (Roberts 1959).

    Each mean is `weight` times the newest value and the rest of the mean before; a series starts at its centre, the
    mean of all its observations. Limits: centre +- 3 standard errors of the weighted mean, which grow from the start
    and follow the number of observations behind each value.

    Args:
        values, n: mean and number of observations of each point.
        sd: spread of a single observation.
        weight: between 0 (remembers all) and 1 (sees the newest only).
        series: as in `xmr`.
    """
    x, count = (np.asarray(numbers, dtype=float) for numbers in (values, n))
    each = _Series(len(x), series)
    centre = each.sum(x * count) / each.sum(count)
    level, variance = np.empty(len(x)), np.empty(len(x))
    for at, starts in enumerate(each.first):
        before, error = (centre[at], 0.0) if starts else (level[at - 1], variance[at - 1])
        level[at] = weight * x[at] + (1 - weight) * before
        variance[at] = weight**2 * sd**2 / count[at] + (1 - weight) ** 2 * error
    reach = 3 * np.sqrt(variance)
    outside = np.abs(level - centre) > reach + 1e-12
    return ControlChart(
        value=level,
        centre=centre,
        lower=centre - reach,
        upper=centre + reach,
        moving_range=each.moves(x),
        moving_range_limit=np.full(len(x), np.nan),
        sigma_z=np.full(len(x), np.nan),
        points=each.points,
        signal=np.where(outside, OUTSIDE, ""),
    )


def _signals(each: _Series, x: Floats, centre: Floats, lower: Floats, upper: Floats) -> npt.NDArray[np.str_]:
    side, at = np.sign(x - centre), np.arange(len(x))
    turns = each.first | (side == 0) | (side != np.append(side[:1], side[:-1]))
    run = at - np.maximum.accumulate(np.where(turns, at, 0)) + 1
    return np.where((x < lower) | (x > upper), OUTSIDE, np.where((run >= 8) & (side != 0), RUN, ""))
