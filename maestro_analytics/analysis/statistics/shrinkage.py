"""How much of the differences between agents is left when noise is taken out.

theta_i = B_i x_i + (1 - B_i) mu with B_i = tau^2 / (tau^2 + sigma^2 / n_i). With tau = 4, sigma = 12 and 5 grades B is
0.36: two thirds of an agent's apparent gap is noise.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from maestro_analytics.analysis.statistics.intervals import Floats, Numbers


@dataclass(frozen=True)
class Shrunk:
    """Means drawn towards the mean of all, each by as much as its own noise demands.

    Attributes:
        centre: mean of the agents' true means.
        between_sd: spread of the true means (tau); 0 when the data show no difference between agents.
        within_sd: spread of single grades around an agent's mean (sigma).
        weight: share of an agent's own gap that is kept (B).
        mean: the shrunk means.
        error: their standard errors, that of the centre included.
    """

    centre: float
    between_sd: float
    within_sd: float
    weight: Floats
    mean: Floats
    error: Floats


def shrink(n: Numbers, mean: Numbers, sd: Numbers) -> Shrunk:
    """Shrink means of groups with `n` values each; the spread within is pooled, the spread between found by moments.

    The method of moments is Paule and Mandel's: tau^2 is where the weighted squares equal their degrees of freedom.
    """
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
    between = _between_variance(x, noise)
    weights = 1 / (noise + between)
    centre = float((weights * x).sum() / weights.sum())
    kept = between / (between + noise)
    error = np.sqrt(kept * noise + (1 - kept) ** 2 / weights.sum())
    return Shrunk(centre, between**0.5, within**0.5, kept, kept * x + (1 - kept) * centre, error)


def _between_variance(x: Floats, noise: Floats) -> float:
    """Paule and Mandel's tau^2, by bisection on a function that only falls."""

    def excess(variance: float) -> float:
        weights = 1 / (noise + variance)
        centre = (weights * x).sum() / weights.sum()
        return float((weights * (x - centre) ** 2).sum()) - (len(x) - 1)

    low, high = 0.0, float(x.var(ddof=1)) * 4 + 1e-9
    if excess(low) <= 0:
        return 0.0
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if excess(middle) > 0 else (low, middle)
    return (low + high) / 2


def rank_intervals(
    mean: Numbers, error: Numbers, *, confidence: float = 0.95, draws: int = 1000, seed: int = 0
) -> tuple[Floats, Floats]:
    """Between which ranks each mean may stand (1 is the highest), by drawing all means together."""
    centre, spread = (np.asarray(values, dtype=float) for values in (mean, error))
    rng = np.random.default_rng(seed)
    drawn = rng.standard_normal((draws, len(centre))) * spread + centre
    order = np.argsort(-drawn, axis=1)
    ranks = np.empty(order.shape, dtype=np.int32)
    np.put_along_axis(ranks, order, np.arange(1, len(centre) + 1, dtype=np.int32)[None, :], axis=1)
    ranks.sort(axis=0)
    outside = int(draws * (0.5 - confidence / 2))
    return ranks[outside].astype(float), ranks[draws - 1 - outside].astype(float)


def probability_above_next(mean: Numbers, error: Numbers) -> Floats:
    """For means in falling order: how likely each one truly lies above the next; nan for the last."""
    from scipy import special

    centre, spread = (np.asarray(values, dtype=float) for values in (mean, error))
    if not len(centre):
        return centre
    gap = np.append(centre[:-1] - centre[1:], np.nan)
    noise = np.append(np.sqrt(spread[:-1] ** 2 + spread[1:] ** 2), 1.0)
    return np.asarray(special.ndtr(gap / np.where(noise > 0, noise, 1e-12)))
