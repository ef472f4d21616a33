"""Intervals of means and shares from counts and sums, so that the database can do the counting.

A mean's interval is Hall's skewness-corrected t (Hall 1992, "On the removal of skewness by transformation"). QA scores
pile up at 100, and a plain t interval then misses on one side. Coverage of nominal 95 % intervals, 4,000 samples each
(scores drawn from 100 * beta(9, 1)):

    n      plain t   BCa     Hall's t
    5      0.898     0.849   0.921
    10     0.918     0.912   0.939
    40     0.929     0.940   0.946
    100    0.946     0.950   0.950

so BCa, the usual choice for skewed scores, is worse where it matters. The correction is capped (`STEEPEST`): without
the cap a single zero among ten grades stretches an interval over half the scale, for no more coverage. No interval can
see an auto-fail that has not happened yet: where one grade in ten is a zero, all cover 0.88 or less below 20 grades.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from maestro_analytics.analysis.statistics.arrays import Codes, Flags, Floats, Numbers

STEEPEST = 0.3
FEWEST_FOR_SKEWNESS = 20
MOST_STEPS = 60
"""Most iterations for a quantile: Newton takes about six, and sixty bisections always suffice."""


def wilson(successes: Numbers, trials: Numbers, *, confidence: float = 0.95) -> tuple[Floats, Floats]:
    """Wilson's score interval of a share, between 0 and 1; nan where there are no trials."""
    from scipy import special

    k, n = (np.asarray(values, dtype=float) for values in (successes, trials))
    z = float(special.ndtri(0.5 + confidence / 2))
    with np.errstate(divide="ignore", invalid="ignore"):
        share = k / n
        centre = share + z**2 / (2 * n)
        half = z * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
        scale = 1 + z**2 / n
        lo, hi = (centre - half) / scale, (centre + half) / scale
    return np.clip(lo, 0, 1), np.clip(hi, 0, 1)


def clustered_wilson(
    successes: Numbers, trials: Numbers, *, group: Codes, family: Codes, confidence: float
) -> tuple[Floats, Floats]:
    """Wilson's interval of each group's share when trials come in clusters (grades of one agent resemble each other).

    The correlation within clusters is estimated by analysis of variance over all groups of a family, because a single
    group has too few clusters to say; the number of trials becomes the effective number, and t with the clusters'
    degrees of freedom replaces z. A group of one cluster has Wilson's own interval.

    Args:
        successes, trials: one entry per cluster of a group.
        group: number from 0 of each cluster's group.
        family: number from 0 of each group's family.

    Returns:
        lo, hi: between 0 and 1, one entry per group.
    """
    from scipy import special

    k, n = (np.asarray(values, dtype=float) for values in (successes, trials))
    k, n, group, groups = k[n > 0], n[n > 0], group[n > 0], int(group.max(initial=-1)) + 1
    n_of, k_of, clusters = (
        np.asarray(np.bincount(group, values, minlength=groups), dtype=float) for values in (n, k, np.ones_like(n))
    )
    squares = np.bincount(group, n**2, minlength=groups)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.nan_to_num(k_of / n_of)
        alike = np.nan_to_num(squares / n_of)
        between = np.bincount(group, n * (k / n - share[group]) ** 2, minlength=groups)
        within = np.bincount(group, k * (1 - k / n), minlength=groups)
        b, w, freedom, rest, size = (
            np.bincount(family, values)[family]
            for values in (between, within, np.maximum(clusters - 1, 0), n_of - clusters, n_of - alike)
        )
        mean_between, mean_within, typical = b / freedom, w / rest, size / freedom
        mean_within = np.where(rest > 0, mean_within, 0.0)
        correlation = (mean_between - mean_within) / (mean_between + (typical - 1) * mean_within)
        correlation = np.clip(np.nan_to_num(correlation), 0, 1)
        effective = n_of / (1 + correlation * np.maximum(alike - 1, 0))
        one = clusters < 2
        # The effective number of clusters: unequal ones say less than their number.
        counted = np.nan_to_num(n_of**2 / squares)
        free = np.bincount(family, np.maximum(counted - 1, 0))[family]
        t = special.stdtrit(np.maximum(free, 1), 0.5 + confidence / 2)
        t = np.where(one, special.ndtri(0.5 + confidence / 2), t)
        effective = np.where(one, n_of, effective)
        centre = (share + t**2 / (2 * effective)) / (1 + t**2 / effective)
        half = t * np.sqrt(share * (1 - share) / effective + t**2 / (4 * effective**2)) / (1 + t**2 / effective)
    return np.clip(centre - half, 0, 1), np.clip(centre + half, 0, 1)


def moments(n: Numbers, total: Numbers, squares: Numbers, cubes: Numbers) -> tuple[Floats, Floats, Floats]:
    """Mean, standard deviation (n - 1) and skewness from the sums of a value, its square and its cube.

    Rounding of the sums is not taken for spread: below a billionth of the mean square the values count as equal.
    """
    count, s1, s2, s3 = (np.asarray(values, dtype=float) for values in (n, total, squares, cubes))
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = s1 / count
        variance = s2 / count - mean**2
        variance = np.where(variance <= 1e-9 * (s2 / count), 0.0, variance)
        third = s3 / count - 3 * mean * s2 / count + 2 * mean**3
        sd = np.sqrt(variance * count / (count - 1))
        skewness = np.where(variance > 0, third / np.where(variance > 0, variance, 1.0) ** 1.5, 0.0)
    return mean, np.where(count > 1, sd, np.nan), skewness


def mean_interval(
    n: Numbers, mean: Numbers, sd: Numbers, skewness: Numbers = 0.0, *, confidence: float = 0.95
) -> tuple[Floats, Floats]:
    """Skewness-corrected t interval of a mean; nan below two values or where all values are equal.

    With no skewness it is the plain t interval.
    """
    from scipy import special

    count, centre, spread, skew = np.broadcast_arrays(*(np.asarray(v, dtype=float) for v in (n, mean, sd, skewness)))
    known = (count >= 2) & (spread > 0)
    count = np.where(known, count, 2.0)
    quantile: Floats = np.asarray(special.stdtrit(count - 1, 0.5 + confidence / 2), dtype=np.float64)
    root = np.asarray(np.sqrt(count), dtype=float)
    a = np.asarray(np.clip(skew / root, -STEEPEST, STEEPEST), dtype=float)
    error = np.asarray(np.where(known, spread, np.nan) / root, dtype=float)
    return centre - _hall_inverse(quantile, a) * error, centre - _hall_inverse(-quantile, a) * error


def _hall_inverse(quantile: Floats, a: Floats) -> Floats:
    """Inverse of t + a t^2 / 3 + a^2 t^3 / 27 + a / 6, which makes a skewed t statistic nearly symmetric."""
    curved = np.abs(a) > 1e-9
    slope = np.where(curved, a, 1.0)
    return np.where(curved, 3 / slope * (np.cbrt(1 + slope * (quantile - slope / 6)) - 1), quantile)


def cluster_mean(sums: Numbers, counts: Numbers, *, confidence: float = 0.95) -> tuple[float, float, float]:
    """Mean over all values with its interval when values come in clusters (a team's agents, an agent's tickets).

    t of the effective number of clusters, skewness-corrected from `FEWEST_FOR_SKEWNESS` clusters on.

    Args:
        sums, counts: sum and number of values of each cluster.

    Returns:
        mean, lo, hi; the interval is nan below two clusters.
    """
    s, n = (np.asarray(values, dtype=float) for values in (sums, counts))
    s, n = s[n > 0], n[n > 0]
    if not len(n):
        return float("nan"), float("nan"), float("nan")
    mean = float(s.sum() / n.sum())
    below, above = _cluster_reach(s - n * mean, n, confidence=confidence)
    if not below + above > 0:
        return mean, float("nan"), float("nan")
    return mean, mean - below, mean + above


def weighted_cluster_mean(
    values: Floats, weight: Floats, cluster: Codes, *, confidence: float = 0.95
) -> tuple[float, float, float]:
    """Weighted mean with an interval over clusters: t of their effective number, skewness-corrected.

    Args:
        cluster: number from 0 of each value's cluster.

    Returns:
        mean, lo, hi; the interval is nan below two clusters.
    """

    mean = float(values @ weight / weight.sum())
    apart = np.asarray(np.bincount(cluster, weight * (values - mean)), dtype=float)
    below, above = _cluster_reach(apart, np.asarray(np.bincount(cluster, weight), dtype=float), confidence=confidence)
    return mean, mean - below, mean + above


def _cluster_reach(apart: Floats, weight: Floats, *, confidence: float) -> tuple[float, float]:
    """How far the interval of a weighted mean over clusters reaches below and above it; nan below two clusters.

    Args:
        apart: of each cluster its weight times the distance of its mean from that of all.
    """
    from scipy import special

    clusters = len(weight)
    if clusters < 2:
        return float("nan"), float("nan")
    # Divided by 1 - share: a heavy cluster pulls the mean towards itself (as HC3 does).
    influence = apart / weight.sum() / (1 - weight / weight.sum())
    squares = float((influence**2).sum())
    error = float(np.sqrt(squares * (clusters - 1) / clusters))
    # The skewness of a handful of clusters is noise: plain t for those.
    freedom = cluster_freedom(weight, np.arange(clusters))
    skewed = freedom + 1 >= FEWEST_FOR_SKEWNESS and squares > 0
    a = np.asarray(np.clip((influence**3).sum() / squares**1.5, -STEEPEST, STEEPEST) if skewed else 0.0, dtype=float)
    t = np.asarray(special.stdtrit(freedom, 0.5 + confidence / 2), dtype=float)
    return float(_hall_inverse(t, a)) * error, -float(_hall_inverse(-t, a)) * error


def cluster_freedom(weight: Floats, cluster: Codes) -> float:
    """Degrees of freedom of a mean over clusters: the effective number of clusters less 1, at least 1."""
    share = np.bincount(cluster, weight) / weight.sum()
    return max(1 / float((share**2).sum()) - 1, 1.0)


@lru_cache(maxsize=4)
def cluster_weights(clusters: int, resamples: int, *, seed: int = 0) -> Floats:
    """Bootstrap weights, one row per resample: how often each cluster is drawn. Rows sum to the number of clusters.

    They lie in memory cluster by cluster, so that a sparse product with their transpose needs no copy.
    """
    rng = np.random.default_rng(seed)
    weights = rng.multinomial(clusters, np.full(clusters, 1 / clusters), size=resamples).astype(float, order="F")
    weights.flags.writeable = False
    return weights


def finite_population(n: Numbers, population: Numbers) -> Floats:
    """Factor of the standard error when n of `population` tickets were graded: sqrt(1 - n / N), never below 0."""
    graded = np.asarray(n, dtype=float) / np.asarray(population, dtype=float)
    return np.asarray(np.sqrt(np.clip(1 - graded, 0, 1)), dtype=float)


def sample_size(
    sd: Numbers, half_width: float, *, confidence: float = 0.95, population: Numbers | None = None
) -> Floats:
    """Grades needed for a mean's interval of +- `half_width` points, unrounded; fewer from a finite population."""
    from scipy import special

    z = float(special.ndtri(0.5 + confidence / 2))
    needed = np.asarray((z * np.asarray(sd, dtype=float) / half_width) ** 2, dtype=float)
    if population is None:
        return needed
    volume = np.asarray(population, dtype=float)
    return np.asarray(needed / (1 + needed / volume), dtype=float)


def mixture_quantiles(
    share: Floats, mean: Floats, sd: Floats, probability: Floats, freedom: float = np.inf
) -> tuple[Floats, ...]:
    """Quantiles of mixtures of t (normal, by default) distributions, by Newton steps with bisection as the fallback.

    Args:
        share: weight of each component of the mixture, the same for all columns.
        mean, sd: shape (components, columns).
        probability: one quantile is returned for each, an array with an entry per column.
    """
    from scipy import special

    spread = np.maximum(sd, 1e-12)
    normal = freedom > 200
    top = (2 * np.pi) ** -0.5 if normal else 1 / (freedom**0.5 * special.beta(0.5, freedom / 2))
    reach = 12 * sd.max(0, initial=0) + 1e-9
    centre = share @ mean
    whole = np.sqrt(share @ (sd**2 + (mean - centre) ** 2))
    found = []
    for level in probability:
        low, high = mean.min(0) - reach, mean.max(0) + reach
        at = np.clip(centre + float(special.ndtri(level)) * whole, low, high)
        for _ in range(MOST_STEPS):
            z = (at - mean) / spread
            below = share @ (special.ndtr(z) if normal else special.stdtr(freedom, z)) - level
            bell = np.exp(-0.5 * z**2) if normal else (1 + z**2 / freedom) ** (-(freedom + 1) / 2)
            low, high = np.where(below < 0, at, low), np.where(below < 0, high, at)
            with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
                following = at - below / (share @ (bell / spread) * top)
            inside = (following >= low) & (following <= high)
            following = np.where(inside, following, (low + high) / 2)
            settled = np.abs(following - at) <= 1e-10 * whole
            at = following
            if settled.all():
                break
        found.append(at)
    return tuple(found)


def doubt_of_zero(
    value: Numbers, lo: Numbers, hi: Numbers, *, confidence: float = 0.95, freedom: Numbers = np.inf
) -> Floats:
    """Two-sided p of "the value is 0" that belongs to an interval; nan without interval.

    Args:
        freedom: degrees of freedom of the t that the interval was made with; the normal distribution by default.
    """
    from scipy import special

    centre, low, high = (np.asarray(values, dtype=float) for values in (value, lo, hi))
    degrees = np.asarray(freedom, dtype=float)
    # The half of the interval that points at 0: skewed intervals have two errors.
    reach = np.where(centre > 0, centre - low, high - centre)
    with np.errstate(divide="ignore", invalid="ignore"):
        t = special.stdtrit(degrees, 0.5 + confidence / 2) * np.abs(centre) / reach
        p = 2 * special.stdtr(degrees, -t)
    return np.asarray(np.where(reach > 0, p, np.nan), dtype=float)


def benjamini_hochberg(p: Numbers, *, rate: float = 0.05) -> Flags:
    """Which of several tests to call significant so that at most `rate` of those called are expected to be false.

    nan is not a test. Benjamini and Hochberg 1995.
    """
    values = np.asarray(p, dtype=float)
    tested = np.flatnonzero(np.isfinite(values))
    order = tested[np.argsort(values[tested])]
    passed = np.flatnonzero(values[order] <= rate * np.arange(1, len(order) + 1) / max(len(order), 1))
    flagged = np.zeros(len(values), dtype=bool)
    if len(passed):
        flagged[order[: passed[-1] + 1]] = True
    return flagged
