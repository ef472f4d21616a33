"""Symmetric matrices: normal equations of factors, and inverses that are quick where the matrix is regular."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from maestro_analytics.analysis.statistics.codes import Codes, crossed, summed
from maestro_analytics.analysis.statistics.intervals import Floats

REGULAR, USABLE = 1e-7, 1e-9
"""Below these shares of the largest: a pivot after which eigenvalues are looked at, and one that counts as 0."""


def inverse_of_symmetric(matrix: Floats) -> tuple[Floats, float]:
    """The inverse and the log of the determinant; of a singular matrix those of what is regular.

    Cholesky's factor takes a tenth of the time of eigenvalues, which say what to leave out of a singular matrix.
    """
    from scipy.linalg import lapack

    if not len(matrix):
        return matrix, 0.0
    factor, failed = lapack.dpotrf(matrix, lower=1)
    pivots = np.diagonal(factor)
    if not failed and pivots.min() ** 2 > REGULAR * np.diagonal(matrix).max():
        lower = np.tril(lapack.dpotri(factor, lower=1)[0])
        return lower + np.tril(lower, -1).T, 2 * float(np.log(pivots).sum())
    values, vectors = np.linalg.eigh(matrix)
    usable = values > USABLE * max(float(values[-1]), 1e-12)
    return (vectors[:, usable] / values[usable]) @ vectors[:, usable].T, float(np.log(values[usable]).sum())


def normal_equations(
    agent: Codes, agents: int, factors: Sequence[tuple[Codes, int, int]], n: Floats, total: Floats
) -> tuple[Floats, Floats, Floats]:
    """Sums of cells by agent and level, of their totals by level, and by two levels; a column for each level.

    Args:
        factors: of each the codes, how many levels there are, and the first that has a column.
        n, total: of each cell the number of values and their sum.
    """
    of_agents = [crossed(agent, agents, code, levels, n)[:, first:] for code, levels, first in factors]
    crossing = np.hstack([np.zeros((agents, 0)), *of_agents])
    right = [summed(code, total, levels)[first:] for code, levels, first in factors]
    normal = np.diag(crossing.sum(0))
    ends = np.cumsum([0, *(levels - first for _, levels, first in factors)])
    for at, (code, levels, first) in enumerate(factors):
        for other in range(at):
            each, size, left = factors[other]
            block = crossed(each, size, code, levels, n)[left:, first:]
            normal[ends[other] : ends[other + 1], ends[at] : ends[at + 1]] = block
            normal[ends[at] : ends[at + 1], ends[other] : ends[other + 1]] = block.T
    return crossing, np.concatenate([np.zeros(0), *right]), normal
