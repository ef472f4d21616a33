"""Additive effects: what a grader adds to a score once agent, rubric and month are accounted for.

score = agent + grader + rubric + month + noise, solved exactly: agents, of whom there are thousands, are taken out of
the normal equations first, and what is left is as large as there are graders, rubrics and months. (Alternating
demeaning reaches the same solution by steps; a test holds the two together.) Graders who share no agents, directly or
through others, cannot be compared: each such component is centred on its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from maestro_analytics.analysis.statistics.codes import Codes
from maestro_analytics.analysis.statistics.intervals import Floats


@dataclass(frozen=True)
class GraderEffects:
    """One entry per grader.

    Attributes:
        effect: points that the grader gives above (lenient) or below (strict) the mean grader of the component, each
            grader counted once.
        error: standard error; nan where the data leave nothing to compare.
        component: which set of graders, linked by shared agents, the grader belongs to; 1 is the largest.
        linked: how many graders the component has.
        residual_sd: spread of a grade around what is expected of it.
    """

    effect: Floats
    error: Floats
    component: Codes
    linked: Codes
    residual_sd: float
    degrees_of_freedom: float


def grader_effects(
    n: Floats, total: Floats, squares: Floats, *, agent: Codes, grader: Codes, other: Sequence[Codes] = ()
) -> GraderEffects:
    """Effects from cells of equal agent, grader and other factors.

    Args:
        n, total, squares: number of grades of a cell, sum of their scores and of the squares.
        agent, grader: numbers from 0; every grader has a cell.
        other: further factors (rubric, month), numbered from 0.
    """
    graders, agents = int(grader.max()) + 1, int(agent.max()) + 1
    shift = total.sum() / n.sum()
    squares = squares - 2 * shift * total + shift**2 * n
    total = total - shift * n

    factors = [grader, *other]
    offsets = np.cumsum([0, *(int(codes.max()) + 1 for codes in factors)])
    columns = [codes + offset for codes, offset in zip(factors, offsets[:-1], strict=True)]
    size = int(offsets[-1])
    normal, right, crossing, agent_n, agent_total = _normal_equations(n, total, agent, agents, columns, size)
    component, linked = _components(crossing[:, :graders])
    reduced = normal - crossing.T @ (crossing / agent_n[:, None])
    target = right - crossing.T @ (agent_total / agent_n)
    inverse = np.linalg.pinv(reduced, rcond=1e-9, hermitian=True)
    beta = inverse @ target

    level = (agent_total - crossing @ beta) / agent_n
    explained = float(beta @ right + level @ agent_total)
    rank = round(float(np.trace(inverse @ reduced))) + agents
    freedom = float(n.sum()) - rank
    variance = max(float(squares.sum()) - explained, 0.0) / freedom if freedom > 0 else float("nan")

    contrast = np.eye(graders)
    for label in np.unique(component):
        members = component == label
        contrast[np.ix_(members, members)] -= 1 / members.sum()
    among = inverse[:graders, :graders]
    error = np.sqrt(np.clip(np.einsum("ij,jk,ik->i", contrast, among, contrast), 0, None) * variance)
    alone = linked < 2
    return GraderEffects(
        effect=np.where(alone, np.nan, contrast @ beta[:graders]),
        error=np.where(alone, np.nan, error),
        component=component,
        linked=linked,
        residual_sd=variance**0.5,
        degrees_of_freedom=freedom,
    )


def _normal_equations(
    n: Floats, total: Floats, agent: Codes, agents: int, columns: list[Codes], size: int
) -> tuple[Floats, Floats, Floats, Floats, Floats]:
    normal, right, crossing = np.zeros((size, size)), np.zeros(size), np.zeros((agents, size))
    for column in columns:
        right += np.bincount(column, total, minlength=size)
        crossing += np.bincount(agent * size + column, n, minlength=agents * size).reshape(agents, size)
        for other in columns:
            normal += np.bincount(column * size + other, n, minlength=size * size).reshape(size, size)
    agent_n = np.asarray(np.bincount(agent, n, minlength=agents), dtype=float)
    return normal, right, crossing, agent_n, np.asarray(np.bincount(agent, total, minlength=agents), dtype=float)


def _components(shared: Floats) -> tuple[Codes, Codes]:
    """Of each grader the component, numbered from 1 by size, and its graders; `shared`: grades by agent and grader."""
    from scipy import sparse
    from scipy.sparse import csgraph

    agents, graders = shared.shape
    agent, grader = np.nonzero(shared)
    links = sparse.coo_matrix((np.ones(len(agent)), (grader, agent + graders)), shape=(graders + agents,) * 2)
    found = csgraph.connected_components(links, directed=False)[1][:graders]
    _, labels, sizes = np.unique(found, return_inverse=True, return_counts=True)
    order = np.argsort(-sizes, kind="stable")
    name = np.empty_like(order)
    name[order] = np.arange(1, len(sizes) + 1)
    return name[labels].astype(np.int64), sizes[labels].astype(np.int64)
