"""Weighted least squares with standard errors clustered by agent."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from maestro_analytics.analysis.statistics.codes import Codes
from maestro_analytics.analysis.statistics.intervals import Floats


@dataclass(frozen=True)
class Coefficient:
    """One coefficient with its interval; nan where it cannot be estimated."""

    value: float
    lo: float
    hi: float
    clusters: int


@dataclass(frozen=True)
class _Solved:
    """Weighted least squares, columns scaled to one length: rows times the root of their weight, and the solution."""

    rows: Floats
    residual: Floats
    gram: Floats
    inverse: Floats
    solution: Floats
    scale: float


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
    groups = np.unique(cluster[w > 0], return_inverse=True)[1]
    clusters = int(groups.max()) + 1 if len(groups) else 0
    solved = _solved(design, outcome, w) if clusters > 2 else None
    if solved is None:
        return Coefficient(float("nan"), float("nan"), float("nan"), clusters)
    falls = _falls(solved, groups) / solved.scale
    value = float(solved.solution[0] / solved.scale)
    error = float(np.sqrt(((falls - falls.mean()) ** 2).sum() * (clusters - 1) / clusters))
    reach = float(special.stdtrit(clusters - 1, 0.5 + confidence / 2)) * error
    return Coefficient(value, value - reach, value + reach, clusters)


def coefficient(design: Floats, outcome: Floats, weight: Floats) -> float:
    """The coefficient of the first column alone; nan where it cannot be told from the others."""
    solved = _solved(design, outcome, weight)
    return float("nan") if solved is None else float(solved.solution[0] / solved.scale)


def _solved(design: Floats, outcome: Floats, weight: Floats) -> _Solved | None:
    """The solution over the rows that weigh anything; None where the first column cannot be told from the others."""
    used = weight > 0
    x, y, root = design[used], outcome[used], np.sqrt(weight[used])
    if not len(x) or np.ptp(x[:, 0]) == 0:
        return None
    y = (y - np.average(y, weights=root**2)) * root
    x = x * root[:, None]
    scale = np.sqrt((x**2).sum(0))
    x = x[:, scale > 0] / scale[scale > 0]
    gram = x.T @ x + 1e-9 * np.eye(x.shape[1])
    inverse = np.linalg.inv(gram)
    # What is left of the first column beside the others; its inverse is the first entry.
    if inverse[0, 0] > 1e6:
        return None
    solution = inverse @ (x.T @ y)
    return _Solved(x, y - x @ solution, gram, inverse, solution, float(scale[0]))


def _falls(solved: _Solved, groups: Codes) -> Floats:
    """By how much the first coefficient falls when a cluster goes, for each cluster: exact, without solving anew.

    Without the cluster's rows U and residuals r it falls by the first entry of (X'X - U'U)^-1 U'r; where a cluster has
    fewer rows than there are columns, Woodbury's identity gives the same from a system as large as the cluster.
    Clusters of one size are solved together. With 5,000 clusters and 77 columns a fifth of the time of one solve each.
    """
    order = np.argsort(groups, kind="stable")
    sizes = np.bincount(groups)
    starts = np.cumsum(sizes) - sizes
    falls = np.empty(len(sizes))
    for size in np.unique(sizes):
        found = np.flatnonzero(sizes == size)
        members = order[starts[found][:, None] + np.arange(size)]
        rows, residual = solved.rows[members], solved.residual[members][..., None]
        across = rows.transpose(0, 2, 1)
        if size > len(solved.gram):
            falls[found] = np.linalg.solve(solved.gram - across @ rows, across @ residual)[:, 0, 0]
        else:
            left = rows @ solved.inverse
            rest = np.linalg.solve(np.eye(size) - left @ across, residual)
            falls[found] = (left[:, :, 0] * rest[..., 0]).sum(1)
    return falls
