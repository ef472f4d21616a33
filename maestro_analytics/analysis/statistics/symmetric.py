"""The inverse of a symmetric matrix, quickly where it is regular and still where it is not."""

from __future__ import annotations

import numpy as np

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
