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
    """Least squares; the coefficient of the first column, its error clustered (CR1) and t with clusters - 1 degrees.

    Columns that depend on others are left to the pseudo-inverse; a first column that does is not estimable.
    """
    from scipy import special

    w = np.ones(len(outcome)) if weight is None else weight
    used = w > 0
    x, y, w, groups = design[used], outcome[used], w[used], np.unique(cluster[used], return_inverse=True)[1]
    clusters = int(groups.max()) + 1 if len(groups) else 0
    unknown = Coefficient(float("nan"), float("nan"), float("nan"), clusters)
    if clusters < 3 or np.ptp(x[:, 0]) == 0:
        return unknown
    scale = np.abs(x).max(0)
    x = x / np.where(scale > 0, scale, 1)
    gram = (x * w[:, None]).T @ x
    inverse = np.linalg.pinv(gram, rcond=1e-10, hermitian=True)
    if abs((inverse @ gram)[0, 0] - 1) > 1e-6:
        return unknown
    beta = inverse @ (x * w[:, None]).T @ y
    residual = (y - x @ beta) * w
    scores = np.zeros((clusters, x.shape[1]))
    np.add.at(scores, groups, x * residual[:, None])
    small = clusters / (clusters - 1)
    error = float(np.sqrt(max((inverse[0] @ (scores.T @ scores) @ inverse[0]) * small, 0.0))) / scale[0]
    value = float(beta[0] / scale[0])
    reach = float(special.stdtrit(clusters - 1, 0.5 + confidence / 2)) * error
    return Coefficient(value, value - reach, value + reach, clusters)


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

    found = np.zeros(len(treated), dtype=bool)
    weight = np.zeros(len(control))
    for block in np.unique(treated_block):
        mine, theirs = np.flatnonzero(treated_block == block), np.flatnonzero(control_block == block)
        if not len(theirs):
            continue
        neighbours = cKDTree(control[theirs]).query(treated[mine], k=min(k, len(theirs)), distance_upper_bound=caliper)
        distance, at = (np.reshape(answer, (len(mine), -1)) for answer in neighbours)
        usable = np.isfinite(distance)
        matches = usable.sum(1)
        found[mine] = matches > 0
        share = np.where(usable, 1 / np.maximum(matches, 1)[:, None], 0.0)
        np.add.at(weight, theirs[at[usable]], share[usable])
    return found, weight
