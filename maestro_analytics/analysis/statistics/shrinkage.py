"""How much of the differences between agents is left when noise is taken out.

theta_i = B_i x_i + (1 - B_i) mu with B_i = tau^2 / (tau^2 + sigma^2 / n_i). With tau = 4, sigma = 12 and 5 grades B is
0.36: two thirds of an agent's apparent gap is noise. tau is not plugged in but integrated over a flat prior: an
estimate of 0, which is common with few grades, would give all agents one score.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from maestro_analytics.analysis.statistics.arrays import Floats, Numbers

GRID = 24
NEGLIGIBLE = 12.0


@dataclass(frozen=True)
class Shrunk:
    """Means drawn towards the mean of all, each by as much as its own noise demands.

    Attributes:
        centre: mean of the agents' true means.
        between_sd: spread of the true means (tau), the mean of its posterior.
        within_sd: spread of single grades around an agent's mean (sigma).
        weight: share of an agent's own gap that is kept (B).
        mean: the shrunk means.
        error: their posterior standard deviations.
    """

    centre: float
    between_sd: float
    within_sd: float
    weight: Floats
    mean: Floats
    error: Floats


def shrink(n: Numbers, mean: Numbers, sd: Numbers) -> Shrunk:
    """Shrink means of groups with `n` values each; the spread within is pooled, the spread between integrated over."""
    count, x, spread = (np.asarray(values, dtype=float) for values in (n, mean, sd))
    several = count > 1
    freedom = np.where(several, count - 1, 0)
    within = float((freedom * np.where(several, np.nan_to_num(spread), 0) ** 2).sum() / max(freedom.sum(), 1.0))
    noise = within / count
    if len(x) < 2 or within == 0:
        centre = float(np.average(x, weights=count)) if len(x) else float("nan")
        alone = 1.0 if within == 0 and len(x) > 1 else 0.0
        spread_between = float(x.std(ddof=1)) if alone else 0.0
        kept = alone * x + (1 - alone) * centre
        return Shrunk(centre, spread_between, within**0.5, np.full(len(x), alone), kept, np.sqrt(noise))
    low, high = 0.0, 4 * max(float(x.std(ddof=1)), float(np.sqrt(noise.min())))
    for _ in range(3):
        edges = np.linspace(low**0.5, high**0.5, GRID + 1) ** 2
        tau = (edges[1:] + edges[:-1]) / 2
        weights = 1 / (noise + tau[:, None] ** 2)
        centres = (weights * x).sum(1) / weights.sum(1)
        rest = (weights * (x - centres[:, None]) ** 2).sum(1)
        evidence = 0.5 * (np.log(weights).sum(1) - np.log(weights.sum(1)) - rest) + np.log(np.diff(edges))
        matters = np.flatnonzero(evidence > evidence.max() - NEGLIGIBLE)
        low, high = float(edges[max(matters[0] - 1, 0)]), float(edges[min(matters[-1] + 2, GRID)])
    share = np.exp(evidence - evidence.max())
    share /= share.sum()
    kept = tau[:, None] ** 2 * weights
    mean_of = kept * x + (1 - kept) * centres[:, None]
    variance = kept * noise + (1 - kept) ** 2 / weights.sum(1)[:, None]
    mean_all = share @ mean_of
    error = np.sqrt(share @ (variance + (mean_of - mean_all) ** 2))
    return Shrunk(float(share @ centres), float(share @ tau), within**0.5, share @ kept, mean_all, error)
