"""The equations of the mixed model of agent, grader, rubric and month, solved for many spreads at once.

Henderson's mixed model equations. Agents are eliminated first (absorption), then the fixed factors. The matrix that
remains, one row for each grader, is decomposed into eigenvectors once for each spread of agents: the solution for any
spread of graders is then a sum, not another inverse. The variances of all agents are one matrix product.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from maestro_analytics.analysis.statistics.arrays import (
    Codes,
    Flags,
    Floats,
    inverse_of_symmetric,
    normal_equations,
    renumbered,
    summed,
)

AGENT_GRID, GRADER_GRID, PASSES = 8, 7, 2
"""Points of the grid over each spread, and how often the grid is narrowed to where the likelihood is large."""
WIDEST_GRADERS = 2.5
"""Largest spread of graders that is considered, in units of the noise."""
NEGLIGIBLE, NOTHING = 9.0, 40.0
"""Points whose log likelihood lies this far below the largest: outside the narrowed grid; not looked beyond."""
GRADER_SCALE = 0.4
"""Scale of the half-Cauchy prior of the spread of graders, in units of the noise."""
LEAST_WEIGHT = 1e-4
"""Points with a smaller share of the posterior are left out."""


@dataclass(frozen=True)
class Cells:
    """Grades of equal agent, grader and other factors: their number, sum and sum of squares; codes from 0."""

    n: Floats
    total: Floats
    squares: Floats
    agent: Codes
    grader: Codes
    other: Sequence[Codes] = ()

    def only(self, chosen: Flags) -> Cells:
        """The chosen cells, with codes renumbered from 0."""
        if chosen.all():
            return self
        codes = [renumbered(code[chosen]) for code in (self.agent, self.grader, *self.other)]
        return Cells(self.n[chosen], self.total[chosen], self.squares[chosen], codes[0], codes[1], codes[2:])


class Equations:
    """Sums of a component's cells; the first columns are graders, then the fixed factors without their first level.

    Args:
        values: how many grades there are, where cells count for fewer because their grades are alike.
    """

    def __init__(self, cells: Cells, *, values: float | None = None) -> None:
        self.agents = int(cells.agent.max()) + 1
        graders = int(cells.grader.max()) + 1
        self.graders = graders if graders > 1 else 0
        counted = float(cells.n.sum())
        self.values = counted if values is None else values
        self.shift = float(cells.total.sum() / counted)
        total = cells.total - self.shift * cells.n
        self.sum_squares = float((cells.squares - self.shift * (cells.total + total)).sum())
        # A factor of one level has no column. Of the others the first level is left out, but not of graders.
        factors = [(code, int(code.max()) + 1, 1) for code in cells.other if code.max() > 0]
        if self.graders:
            factors.insert(0, (cells.grader, graders, 0))
        self.n = summed(cells.agent, cells.n, self.agents)
        self.total = summed(cells.agent, total, self.agents)
        self.crossing, self.right, self.normal = normal_equations(cells.agent, self.agents, factors, cells.n, total)
        self.size = len(self.right)
        self.typical = np.append(np.zeros(self.graders), self.normal.diagonal()[self.graders :] / counted)
        """Share of the grades in each column, with none of a grader: what an agent's mean is stated for."""

    @property
    def freedom(self) -> float:
        """Grades less fixed effects."""
        return self.values - (self.size - self.graders + 1)

    @cached_property
    def levelled(self) -> tuple[Floats, Floats, Floats]:
        """Crossing, right side and matrix with a last column for the common level."""
        edge = self.crossing.sum(0)
        return (
            np.column_stack([self.crossing, self.n]),
            np.append(self.right, self.total.sum()),
            np.block([[self.normal, edge[:, None]], [edge[None, :], np.array([[self.n.sum()]])]]),
        )


class Absorbed:
    """The equations for one spread of agents, ready for any spread of graders.

    Args:
        shrinkage: variance of a single grade over that of agents; 0: agents are fixed and have no common level.

    Attributes:
        weight: per agent 1 / (grades + shrinkage).
    """

    def __init__(self, made: Equations, shrinkage: float) -> None:
        self._made = made
        self._crossing, right, normal = made.levelled if shrinkage else (made.crossing, made.right, made.normal)
        self.weight = 1 / (made.n + shrinkage)
        root = np.sqrt(self.weight)
        # A matrix times itself, which takes half the time of a product of two.
        scaled = self._crossing * root[:, None]
        matrix = normal - scaled.T @ scaled
        right = right - scaled.T @ (root * made.total)
        graders = made.graders
        fixed = matrix[graders:, graders:]
        self._fixed_inverse, fixed_determinant = inverse_of_symmetric(fixed)
        self._link = matrix[:graders, graders:] @ self._fixed_inverse
        self._level = self._fixed_inverse @ right[graders:]
        self._matrix = matrix[:graders, :graders] - self._link @ matrix[graders:, :graders]
        self._right = right[:graders] - self._link @ right[graders:]
        explained = float((self.weight * made.total**2).sum()) + float(self._level @ right[graders:])
        self._rest = made.sum_squares - explained
        spread = float(np.log1p(made.n / shrinkage).sum()) if shrinkage else 0.0
        self._determinant = spread + fixed_determinant
        self._typical = np.append(made.typical, 1.0) if shrinkage else made.typical

    def evidence(self, grader_ratio: Floats) -> Floats:
        """Log of the restricted likelihood for each spread of graders (in units of the noise)."""
        freedom = self._made.freedom
        found = [self._left(float(ratio)) for ratio in grader_ratio]
        return np.array([-0.5 * determinant - freedom / 2 * np.log(rest) for rest, determinant in found])

    def noise(self, grader_ratio: Floats) -> Floats:
        """Variance of a single grade for each spread of graders, which `at` has too, but after the eigenvectors."""
        return np.array([self._left(float(ratio))[0] for ratio in grader_ratio]) / self._made.freedom

    def _left(self, grader_ratio: float) -> tuple[float, float]:
        """The residual sum of squares, and the log of the determinant."""
        from scipy.linalg import lapack

        matrix = self._matrix.copy()
        explained = determinant = 0.0
        if len(matrix):
            matrix[np.diag_indices(len(matrix))] += grader_ratio**-2
            factor = lapack.dpotrf(matrix, lower=1)[0]
            solved = lapack.dtrtrs(factor, self._right, lower=1)[0]
            explained = float(solved @ solved)
            determinant = 2 * float(np.log(np.diagonal(factor)).sum()) + 2 * len(matrix) * float(np.log(grader_ratio))
        return float(self._at_least(self._rest - explained)), self._determinant + determinant

    def _at_least(self, rest: Floats | float) -> Floats:
        """The residual sum of squares, kept above 0 so that the noise can be estimated."""
        return np.maximum(rest, 1e-9 * self._made.sum_squares)

    @cached_property
    def _eigen(self) -> tuple[Floats, Floats]:
        if not len(self._matrix):
            return np.zeros(0), np.zeros((0, 0))
        values, vectors = np.linalg.eigh(self._matrix)
        return np.clip(values, 0, None), vectors

    @cached_property
    def _turned(self) -> Floats:
        """The graders' right side in the eigenvectors' coordinates."""
        return np.asarray(self._eigen[1].T @ self._right, dtype=float)

    @cached_property
    def _root(self) -> Floats:
        """A square root of the inverse of the fixed factors' part."""
        values, vectors = np.linalg.eigh(self._fixed_inverse) if len(self._fixed_inverse) else (np.zeros(0),) * 2
        return np.asarray(vectors * np.sqrt(np.clip(values, 0, None)), dtype=float).reshape(self._fixed_inverse.shape)

    @cached_property
    def rows(self) -> Floats:
        """The part of others in each agent's mean, as one row in coordinates that are not correlated."""
        return self._coordinates(self._crossing * self.weight[:, None])

    @cached_property
    def typical(self) -> Floats:
        """The usual mix of rubrics and months in the same coordinates, under an average grader."""
        return np.asarray(self._coordinates(self._typical[None, :])[0], dtype=float)

    @cached_property
    def agent_part(self) -> Floats:
        """Each agent's effect before anything is taken off for graders."""
        graders = self._made.graders
        fixed = (self._crossing[:, graders:] @ self._level) * self.weight
        return np.asarray(self.weight * self._made.total - fixed, dtype=float)

    @cached_property
    def typical_level(self) -> float:
        """What the usual mix of rubrics and months adds, before anything is taken off for graders."""
        return float(self._typical[self._made.graders :] @ self._level)

    def _coordinates(self, rows: Floats) -> Floats:
        graders = self._made.graders
        fixed = rows[:, graders:]
        return np.hstack([fixed @ self._root, (rows[:, :graders] - fixed @ self._link.T) @ self._eigen[1]])

    def at(self, grader_ratio: Floats) -> Solutions:
        """The solutions for some spreads of graders (in units of the noise)."""
        inverse = 1 / (self._eigen[0][:, None] + grader_ratio[None, :] ** -2.0)
        place = self._turned[:, None] * inverse
        rest = self._at_least(self._rest - (self._turned[:, None] * place).sum(0))
        fixed = np.zeros((self._typical.size - self._made.graders, len(grader_ratio)))
        return Solutions(np.vstack([fixed + 1, inverse]), np.vstack([fixed, place]), rest / self._made.freedom)

    def graders(self, solutions: Solutions) -> tuple[Floats, Floats]:
        """Effects of graders, centred on their mean, and their variances in units of the noise; a column per spread."""
        vectors = self._eigen[1] - self._eigen[1].mean(0)
        own = slice(len(solutions.inverse) - len(vectors), None)
        return vectors @ solutions.place[own], vectors**2 @ solutions.inverse[own]


@dataclass(frozen=True)
class Solutions:
    """Solutions for several spreads of graders, one column each, in the coordinates of `Absorbed.rows`.

    Attributes:
        inverse: variance of each coordinate, in units of the noise's.
        place: value of each coordinate.
        noise: variance of a single grade.
    """

    inverse: Floats
    place: Floats
    noise: Floats


def quadratic(squared: Floats, rows: Floats, reference: Floats, inverse: Floats) -> Floats:
    """Variance of each row less the reference: rows in uncorrelated coordinates, a column for each set of variances.

    Args:
        squared: the rows' squares, which several references share.
    """
    found = squared @ inverse - 2 * (rows @ (reference[:, None] * inverse)) + (reference**2 @ inverse)
    return np.asarray(np.clip(found, 0, None), dtype=float)


@dataclass(frozen=True)
class Spread:
    """A spread of agents and the spreads of graders that matter beside it, in units of the noise; with weights."""

    agent_ratio: float
    absorbed: Absorbed
    grader_ratio: Floats
    share: Floats


def posterior(made: Equations, *, grader_scale: float = GRADER_SCALE) -> list[Spread]:
    """The spreads that matter, with their posterior weights.

    Args:
        grader_scale: scale of the half-Cauchy prior of the spread of graders, in units of the noise; inf: flat.
    """
    agent_ratio, absorbed, grader_ratio, evidence = _searched(made, grader_scale)
    share = np.exp(evidence - evidence.max())
    share[share <= LEAST_WEIGHT * share.sum()] = 0
    share /= share.sum()
    return [
        Spread(float(ratio), absorbed[at], grader_ratio[weights > 0], weights[weights > 0])
        for at, (ratio, weights) in enumerate(zip(agent_ratio, share, strict=True))
        if weights.any()
    ]


def log_evidence(made: Equations) -> float:
    """Log of the likelihood integrated over all spreads, up to what is the same for all equations of these grades."""
    evidence = _searched(made, GRADER_SCALE)[3]
    return float(evidence.max() + np.log(np.exp(evidence - evidence.max()).sum()))


def _searched(made: Equations, grader_scale: float) -> tuple[Floats, dict[int, Absorbed], Floats, Floats]:
    """Grids of spreads where they matter: of agents with their equations, of graders, and the log of the evidence."""
    means = made.total / made.n
    within = made.sum_squares - float((made.total**2 / made.n).sum())
    noise = max(within / max(made.values - made.agents, 1), 1e-3 * made.sum_squares / made.values)
    guess = max(float(means.std()) / noise**0.5, 0.25)
    agent_range = (0.0, 4 * guess)
    grader_range = (0.0, WIDEST_GRADERS)
    for _ in range(PASSES):
        agent_ratio, agent_width = _grid(*agent_range, AGENT_GRID)
        grader_ratio, grader_width = _grid(*grader_range, GRADER_GRID) if made.graders else (np.ones(1), np.ones(1))
        prior = np.log(grader_width / (1 + (grader_ratio / grader_scale) ** 2) if made.graders else grader_width)
        start = int(np.abs(agent_ratio - guess).argmin())
        absorbed, evidence = _around(made, agent_ratio, grader_ratio, prior + np.log(agent_width)[:, None], start)
        matters = evidence > evidence.max() - NEGLIGIBLE
        guess = float(agent_ratio[evidence.max(1).argmax()])
        agent_range = _narrowed(agent_range, AGENT_GRID, matters.any(1))
        grader_range = _narrowed(grader_range, GRADER_GRID, matters.any(0)) if made.graders else grader_range
    return agent_ratio, absorbed, grader_ratio, evidence


def _around(
    made: Equations, agent_ratio: Floats, grader_ratio: Floats, prior: Floats, start: int
) -> tuple[dict[int, Absorbed], Floats]:
    """Equations and log of the evidence by spread of agents, from `start` outwards as far as there is any.

    With thousands of agents nearly all of the evidence is at one or two points, and each costs a product of matrices.
    """
    absorbed: dict[int, Absorbed] = {}
    evidence = np.full(prior.shape, -np.inf)

    def look(at: int) -> None:
        absorbed[at] = Absorbed(made, float(agent_ratio[at]) ** -2)
        evidence[at] = absorbed[at].evidence(grader_ratio) + prior[at]

    def goes_on(at: int) -> bool:
        return bool(evidence[at].max() > evidence.max() - NOTHING)

    low = high = start
    look(start)
    while True:
        if low > 0 and goes_on(low):
            low -= 1
            look(low)
        elif high < len(agent_ratio) - 1 and goes_on(high):
            high += 1
            look(high)
        else:
            return absorbed, evidence


def _grid(low: float, high: float, points: int) -> tuple[Floats, Floats]:
    """Midpoints and widths of a grid that is finer near 0."""
    edges = np.linspace(low**0.5, high**0.5, points + 1)
    return ((edges[1:] + edges[:-1]) / 2) ** 2, np.diff(edges**2)


def _narrowed(bounds: tuple[float, float], points: int, matters: Flags) -> tuple[float, float]:
    """The part of the range whose cells matter, and one cell more at each side."""
    edges = np.linspace(bounds[0] ** 0.5, bounds[1] ** 0.5, points + 1) ** 2
    first, last = np.flatnonzero(matters)[[0, -1]]
    return float(edges[max(first - 1, 0)]), float(edges[min(last + 2, points)])
