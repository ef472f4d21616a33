"""Arrays: their types, sums by code, symmetric matrices, and matrix products on one thread.

A code is a number from 0 that stands for a name, so that grouping and counting by it is arithmetic."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt
from threadpoolctl import ThreadpoolController

Numbers = npt.ArrayLike
Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


def renumbered(codes: Codes) -> Codes:
    """The codes renumbered from 0 without a gap, in the same order.

    Codes are not negative, and not much larger than there are of them.
    """
    present = np.bincount(codes) > 0
    first = int(present.argmax()) if len(present) else 0
    if present[first:].all():  # without a gap there is nothing to look up
        return codes - first if first else codes
    return np.asarray(np.cumsum(present) - 1, dtype=np.int64)[codes]


def summed(code: Codes, weight: Floats, levels: int) -> Floats:
    """Sums of the weights by code."""
    return np.asarray(np.bincount(code, weight, minlength=levels), dtype=float)


def crossed(first: Codes, rows: int, second: Codes, columns: int, weight: Floats) -> Floats:
    """Sums of the weights by both codes."""
    place = first * columns
    place += second
    return summed(place, weight, rows * columns).reshape(rows, columns)


def components(seen: Flags) -> Codes:
    """Of each row the number of its component, from 0 without a gap; rows are connected by common columns."""
    rows, columns = seen.shape
    # Nearly always the rows of the most common column have columns that connect all rows.
    common = seen[seen[:, seen.sum(0).argmax()]].any(0)
    if seen[:, common].any(1).all():
        return np.zeros(rows, dtype=np.int64)
    from scipy import sparse
    from scipy.sparse import csgraph

    row, column = np.nonzero(seen)
    links = sparse.coo_matrix((np.ones(len(row)), (row, rows + column)), shape=(rows + columns,) * 2)
    return renumbered(csgraph.connected_components(links, directed=False)[1][:rows].astype(np.int64))


def numbered_by_size(label: Codes) -> tuple[Codes, Codes]:
    """The labels numbered from 1, the most frequent first; and how often each occurs."""
    _, at, sizes = np.unique(label, return_inverse=True, return_counts=True)
    place = np.empty(len(sizes), dtype=np.int64)
    place[np.argsort(-sizes, kind="stable")] = np.arange(1, len(sizes) + 1)
    return place[at], sizes[at].astype(np.int64)


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


_turn = Lock()
_users = 0
_limit: Any = None


@contextmanager
def one_thread() -> Iterator[None]:
    """Matrix products use one thread until the last who asked for it is done; also a decorator.

    OpenBLAS shares a product out to a thread for each core, and these wait for each other in a loop. The products here
    take milliseconds, and where other cores are at work (the SQL of another answer, another program) the waiting costs
    more than it gains: on 2 cores under a load of 8, `agent_scores` of 2 million grades took 9.4 s of processor time
    with two threads and 2.7 s with one. The limit is that of the process: answers that run at the same time share it.
    """
    global _users, _limit
    with _turn:
        if not _users:
            _limit = libraries().limit(limits=1, user_api="blas")
        _users += 1
    try:
        yield
    finally:
        with _turn:
            _users -= 1
            if not _users:
                _limit.restore_original_limits()


@cache
def libraries() -> ThreadpoolController:
    """The linear algebra of numpy and of scipy."""
    import scipy.linalg  # noqa: F401 - a library counts once it is loaded

    return ThreadpoolController()
