"""Control charts: which movements of a series are more than its usual noise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from maestro_analytics.analysis.statistics.arrays import Codes, Flags, Floats, Numbers

OUTSIDE = "outside the limits"


@dataclass(frozen=True)
class ControlChart:
    """Series with their limits, one entry per point.

    Attributes:
        value, centre, lower, upper: the points and the limits that hold for each.
        moving_range: distance from the point before; nan for the first of a series.
        sigma_z: how much more the series varies than chance alone (Laney); nan for `ewma`.
        points: how many points the series has.
        signal: why a point stands out, or an empty text.
    """

    value: Floats
    centre: Floats
    lower: Floats
    upper: Floats
    moving_range: Floats
    sigma_z: Floats
    points: Codes
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


def sampled(
    total: Numbers,
    n: Numbers,
    counts: Floats,
    scores: Floats,
    *,
    series: Codes,
    false_alarms: float = 0.05,
    judged: Flags | None = None,
) -> ControlChart:
    """Chart of means of `n` values with limits from the series' own values, however skewed they are.

    The distribution of a mean of n independent values with these frequencies is computed (by convolution up to
    `MOST_CONVOLVED` values, by a Cornish-Fisher expansion beyond), and a point is outside where chance would put one of
    a stable series' points with probability `false_alarms` in all. Where the series varies more from point to point
    than its values explain, limits are widened by `sigma_z`, from the mean moving range.

    Args:
        total, n: sum and number of values of each point, one series after another in order of time.
        counts: shape (series, scores): how often the series has each of the equally spaced `scores`.
        series: number from 0 of each point's series.
        judged: which points may have a signal; all, when not given. Of the series with a signal at most a share
            `false_alarms` is expected to be wrong.
    """
    s, count = (np.asarray(values, dtype=float) for values in (total, n))
    each = _Series(len(s), series)
    value, centre = s / count, each.sum(s) / each.sum(count)
    if not len(s):
        return ControlChart(*(s,) * 6, each.points, np.zeros(0, dtype="<U1"))
    frequency = counts + FROM_ALL * counts.sum(0) / counts.sum()
    frequency = frequency / frequency.sum(1, keepdims=True)
    own = frequency @ scores
    sd = np.sqrt(np.maximum(frequency @ scores**2 - own**2, 0))[series]
    z = np.divide(value - centre, sd / np.sqrt(count), out=np.zeros_like(s), where=sd > 0)
    sigma_z = np.fmax(1.0, each.mean_move(each.moves(z)) / 1.128)
    step = (scores[1] - scores[0]) / 2 if len(scores) > 1 else 0.0

    def limits(rate: float, at: Codes) -> tuple[Floats, Floats]:
        who = series[at]
        low, high = _quantiles_of_means(frequency, scores, who, count[at], rate / each.points[at] / 2)
        # The values of all that were added move the mean a little: what is usual of the mixture is usual of the series.
        lower = np.minimum(centre[at] + sigma_z[at] * (low - own[who] - step), low - step)
        return lower, np.maximum(centre[at] + sigma_z[at] * (high - own[who] + step), high + step)

    lower, upper = limits(false_alarms, np.arange(len(s)))
    return ControlChart(
        value=value,
        centre=centre,
        lower=lower,
        upper=upper,
        moving_range=each.moves(value),
        sigma_z=sigma_z,
        points=each.points,
        signal=_discovered(value, series, (lower, upper), limits, false_alarms, judged),
    )


def _discovered(
    value: Floats,
    series: Codes,
    own: tuple[Floats, Floats],
    limits: Callable[[float, Codes], tuple[Floats, Floats]],
    rate: float,
    judged: Flags | None,
) -> npt.NDArray[np.str_]:
    """The signals of points outside their own limits, of the series that Benjamini and Hochberg's rule keeps.

    If k series have a signal, each must also have one at the limits for the rate times k / (number of series). This is
    repeated until no series drops out. A single series is judged by its own limits.

    Args:
        limits: lower and upper limits of some points for another rate.
    """

    def beyond(at: Codes, ends: tuple[Floats, Floats]) -> Codes:
        return at[(value[at] < ends[0] - 1e-9) | (value[at] > ends[1] + 1e-9)]

    candidates = np.arange(len(value)) if judged is None else np.flatnonzero(judged)
    charts = len(np.unique(series[candidates]))
    outside = found = beyond(candidates, (own[0][candidates], own[1][candidates]))
    while len(found):
        named = len(np.unique(series[found]))
        found = beyond(found, limits(rate * named / charts, found))
        if len(np.unique(series[found])) == named:
            break
    signal = np.full(len(value), "", dtype=f"<U{len(OUTSIDE)}")
    signal[outside[np.isin(series[outside], series[found])]] = OUTSIDE
    return signal


FROM_ALL = 5.0
"""This many values of all series are added to those of each: an auto-fail may happen to those who had none."""
MOST_CONVOLVED = 30


def _quantiles_of_means(
    frequency: Floats, scores: Floats, series: Codes, n: Floats, tail: Floats
) -> tuple[Floats, Floats]:
    """Limits of the mean of n values of a series: below the first, or above the second, lie less than `tail` of all."""
    from scipy import special

    low, high = np.empty(len(n)), np.empty(len(n))
    number = np.rint(n).astype(int)
    for size in np.unique(number[number <= MOST_CONVOLVED]):
        at = np.flatnonzero(number == size)
        who, where = np.unique(series[at], return_inverse=True)
        length = size * (len(scores) - 1) + 1
        room = 1 << int(length - 1).bit_length() if length > 1 else 1
        spectrum = np.fft.rfft(frequency[who], room, axis=1) if room > 1 else frequency[who]
        mass = np.fft.irfft(spectrum**size, room, axis=1)[:, :length] if room > 1 else spectrum
        below = np.cumsum(np.clip(mass, 0, None), axis=1)
        means = scores[0] + (scores[-1] - scores[0]) * np.arange(length) / max(length - 1, 1)
        share = np.empty(len(who))
        share[where] = tail[at]  # the same for all points of a series
        low[at] = means[np.minimum((below <= share[:, None]).sum(1), length - 1)][where]
        high[at] = means[np.minimum((below < 1 - share[:, None]).sum(1), length - 1)][where]
    many = number > MOST_CONVOLVED
    if many.any():
        mean = frequency @ scores
        central = scores[None, :] - mean[:, None]
        sd = np.sqrt((frequency * central**2).sum(1))
        safe = np.where(sd > 0, sd, 1.0)
        skew = ((frequency * central**3).sum(1) / safe**3)[series[many]] / np.sqrt(n[many])
        peaked = ((frequency * central**4).sum(1) / safe**4 - 3)[series[many]] / n[many]
        for sign, found in ((1, low), (-1, high)):
            z = sign * special.ndtri(tail[many])
            w = z + skew * (z**2 - 1) / 6 + peaked * (z**3 - 3 * z) / 24 - skew**2 * (2 * z**3 - 5 * z) / 36
            found[many] = mean[series[many]] + w * sd[series[many]] / np.sqrt(n[many])
    return low, high


def binomial_p(
    successes: Numbers, trials: Numbers, *, series: Codes, false_alarms: float = 0.05, judged: Flags | None = None
) -> ControlChart:
    """Laney's p' chart with exact binomial limits: a stable series has a point outside with chance `false_alarms`.

    Limits are widened by how much the series varies beyond chance, `sigma_z`; below 1 it is kept at 1, since a series
    cannot be steadier than chance, it can only look so. `judged` and signals as in `sampled`.
    """
    from scipy import stats

    k, n = (np.asarray(values, dtype=float) for values in (successes, trials))
    each = _Series(len(k), series)
    share, centre = k / n, each.sum(k) / each.sum(n)
    sigma = np.sqrt(centre * (1 - centre) / n)
    z = np.divide(share - centre, sigma, out=np.zeros_like(share), where=sigma > 0)
    sigma_z = np.fmax(1.0, each.mean_move(each.moves(z)) / 1.128)

    def limits(rate: float, at: Codes) -> tuple[Floats, Floats]:
        tail = rate / each.points[at] / 2
        low, high = (stats.binom.ppf(q, n[at], centre[at]) / n[at] for q in (tail, 1 - tail))
        lower = np.clip(centre[at] + sigma_z[at] * (low - centre[at]), 0, 1)
        return lower, np.clip(centre[at] + sigma_z[at] * (high - centre[at]), 0, 1)

    lower, upper = limits(false_alarms, np.arange(len(k)))
    return ControlChart(
        value=share,
        centre=centre,
        lower=lower,
        upper=upper,
        moving_range=each.moves(share),
        sigma_z=sigma_z,
        points=each.points,
        signal=_discovered(share, series, (lower, upper), limits, false_alarms, judged),
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
        series: which series each point belongs to, one after another; all to one when not given.
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
        sigma_z=np.full(len(x), np.nan),
        points=each.points,
        signal=np.where(outside, OUTSIDE, ""),
    )
