"""Symmetric matrices: made of blocks, and inverted quickly where they are regular and still where they are not."""

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


def symmetric(rows: list[list[Floats]]) -> Floats:
    """The symmetric matrix of which each row of blocks is given from the diagonal on."""
    size = sum(len(row[0]) for row in rows)
    found = np.zeros((size, size))
    at = 0
    for row in rows:
        height = len(row[0])
        block = np.hstack(row)
        found[at : at + height, at:] = block
        found[at:, at : at + height] = block.T
        at += height
    return found
