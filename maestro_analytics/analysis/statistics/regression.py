"""Weighted least squares with standard errors clustered by agent, and matching of like with like."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from maestro_analytics.analysis.statistics.intervals import Floats

Codes = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Coefficient:
    """One coefficient with its interval; nan where it cannot be estimated."""

    value: float
    lo: float
    hi: float
    clusters: int


def first_coefficient(
    design: Floats, outcome: Floats, *, cluster: Codes, weight: Floats | None = None, confidence: float = 0.95
) -> Coefficient:
    """Least squares; the coefficient of the first column, its error from leaving out one cluster at a time.

    The jackknife (CR3) allows for few and unequal clusters, where the usual sandwich is too sure: with 100 clusters and
    matched controls its nominal 95 % intervals covered 0.91, these 0.95. t with clusters - 1 degrees of freedom.
    Columns that depend on others are harmless; a first column that does is not estimable.
    """
    from scipy import special

    w = np.ones(len(outcome)) if weight is None else weight
    used = w > 0
    x, y, w, groups = (
        design[used].astype(float),
        outcome[used],
        w[used],
        np.unique(cluster[used], return_inverse=True)[1],
    )
    clusters = int(groups.max()) + 1 if len(groups) else 0
    unknown = Coefficient(float("nan"), float("nan"), float("nan"), clusters)
    if clusters < 3 or np.ptp(x[:, 0]) == 0:
        return unknown
    y = y - np.average(y, weights=w)
    scale = np.sqrt((w[:, None] * x**2).sum(0))
    kept = scale > 0
    x, scale = x[:, kept] / scale[kept], scale[kept]
    gram, right = (x * w[:, None]).T @ x, (x * w[:, None]).T @ y
    if np.linalg.norm(x[:, 0] - x[:, 1:] @ np.linalg.lstsq(x[:, 1:], x[:, 0])[0]) < 1e-6:
        return unknown
    order = np.argsort(groups, kind="stable")
    starts = np.searchsorted(groups[order], np.arange(clusters))
    rows, weights, outcomes = x[order], w[order], y[order]
    ridge = np.eye(len(gram)) * 1e-9
    left_out = np.empty(clusters)
    for at, (start, end) in enumerate(zip(starts, np.append(starts[1:], len(rows)), strict=True)):
        mine = rows[start:end] * weights[start:end, None]
        left_out[at] = np.linalg.solve(gram - mine.T @ rows[start:end] + ridge, right - mine.T @ outcomes[start:end])[0]
    value = float(np.linalg.solve(gram + ridge, right)[0] / scale[0])
    error = float(np.sqrt(((left_out - left_out.mean()) ** 2).sum() * (clusters - 1) / clusters)) / scale[0]
    reach = float(special.stdtrit(clusters - 1, 0.5 + confidence / 2)) * error
    return Coefficient(value, value - reach, value + reach, clusters)


def coefficient(design: Floats, outcome: Floats, weight: Floats) -> float:
    """The coefficient of the first column alone; nan where it cannot be told from the others."""
    used = weight > 0
    x, y, w = design[used], outcome[used], weight[used]
    if not len(x) or np.ptp(x[:, 0]) == 0:
        return float("nan")
    y = y - np.average(y, weights=w)
    scale = np.sqrt((w[:, None] * x**2).sum(0))
    x = x[:, scale > 0] / scale[scale > 0]
    gram = (x * w[:, None]).T @ x
    inverse = np.linalg.inv(gram + 1e-9 * np.eye(len(gram)))
    # What is left of the first column beside the others; its inverse is the first entry.
    if inverse[0, 0] > 1e6:
        return float("nan")
    return float(inverse[0] @ ((x * w[:, None]).T @ y) / scale[0])


def nearest(
    treated: Floats, control: Floats, *, treated_block: Codes, control_block: Codes, k: int, caliper: float
) -> tuple[npt.NDArray[np.bool_], Floats]:
    """Match each treated row to its k nearest control rows of the same block, with replacement.

    Args:
        treated, control: what to match on, one column each, already on a common scale.
        caliper: controls farther away than this do not count.

    Returns:
        which treated rows found a control; weights of the control rows, which sum to the number of those.
    """
    from scipy.spatial import cKDTree

    weight = np.zeros(len(control))
    if not len(control) or not len(treated):
        return np.zeros(len(treated), dtype=bool), weight
    # Blocks lie so far apart that no neighbour within the caliper is in another one: one tree serves all.
    apart = 1000.0 * (caliper + 1)
    mine = np.column_stack([treated, treated_block * apart])
    theirs = np.column_stack([control, control_block * apart])
    k = min(k, len(control))
    distance, at = (
        np.reshape(answer, (len(mine), -1)) for answer in cKDTree(theirs).query(mine, k=k, distance_upper_bound=caliper)
    )
    usable = np.isfinite(distance)
    matches = usable.sum(1)
    share = np.where(usable, 1 / np.maximum(matches, 1)[:, None], 0.0)
    weight += np.bincount(at[usable], share[usable], minlength=len(control))
    return matches > 0, weight
