"""Agents compared under an average grader: a mixed model of agent, grader, rubric and month.

score = level + agent + grader + rubric + month + noise, with agents and graders random and the rest fixed. Cells of
equal factors are enough: agents are absorbed, and the system that is solved has a row for each grader, rubric and
month. The spreads of agents and graders are not plugged in but integrated over a grid (flat prior on the spread of
agents, half-Cauchy on that of graders, 1 / variance on the noise), so a spread that happens to be estimated as 0 does
not give every agent the same score. Method: restricted likelihood (Patterson and Thompson 1971), Henderson's mixed
model equations, flat prior on the spread (Gelman 2006).

Agents whom no rubric, grader or month connects cannot be compared: each component is fitted on its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from maestro_analytics.analysis.statistics.codes import Codes
from maestro_analytics.analysis.statistics.intervals import Floats, mixture_quantiles
from maestro_analytics.analysis.statistics.shrinkage import rank_ends
from maestro_analytics.analysis.statistics.symmetric import inverse_of_symmetric

AGENT_GRID, GRADER_GRID, PASSES = 8, 7, 2
WIDEST_GRADERS = 2.5
NEGLIGIBLE = 9.0
GRADER_SCALE = 0.4
LEAST_WEIGHT = 1e-4
UNKNOWN = (np.nan, np.nan, np.nan, np.nan)
FEWEST_REPEATS = 3
"""Without a few second grades of the same agents nothing says how much single grades vary."""


@dataclass(frozen=True)
class Cells:
    """Grades of equal agent, grader and other factors: their number, sum and sum of squares; codes from 0."""

    n: Floats
    total: Floats
    squares: Floats
    agent: Codes
    grader: Codes
    other: Sequence[Codes] = ()

    def only(self, chosen: npt.NDArray[np.bool_]) -> Cells:
        """The chosen cells, with codes renumbered from 0."""
        codes = [np.unique(code[chosen], return_inverse=True)[1] for code in (self.agent, self.grader, *self.other)]
        return Cells(self.n[chosen], self.total[chosen], self.squares[chosen], codes[0], codes[1], codes[2:])


@dataclass(frozen=True)
class AgentEffects:
    """One entry per agent. Scores are those under an average grader and with the usual mix of rubrics and months.

    Attributes:
        shrunk, lo, hi: posterior mean and interval of the agent's mean.
        error: posterior standard deviation.
        adjusted, adjusted_lo, adjusted_hi: the mean without shrinkage (agents fixed, graders random).
        above: posterior probability of a mean above that of the agents of the component.
        kept: share of the agent's own gap that is kept.
        rank_lo, rank_hi: marginal interval of the rank in the component, 1 is the highest; drawn jointly.
        ahead: given in order of `shrunk` within the component: probability of a higher mean than the next agent; nan
            for the last.
        component: 1 is the largest; linked: how many agents it has.
        centre, between_sd, grader_sd, within_sd: of the largest component; nan where too few grades tell.
    """

    shrunk: Floats
    lo: Floats
    hi: Floats
    error: Floats
    adjusted: Floats
    adjusted_lo: Floats
    adjusted_hi: Floats
    above: Floats
    kept: Floats
    rank_lo: Floats
    rank_hi: Floats
    ahead: Floats
    component: Codes
    linked: Codes
    centre: float
    between_sd: float
    grader_sd: float
    within_sd: float


def agent_effects(
    cells: Cells, *, confidence: float = 0.95, draws: int = 1000, seed: int = 0, simultaneous: bool = False
) -> AgentEffects:
    """Fit the model in each component.

    Args:
        draws: how often the ranks are drawn; 0: ranks are not needed and are nan.
        simultaneous: rank intervals hold for all agents of a component together, not for each alone.
    """
    agents = int(cells.agent.max()) + 1
    component, linked = comparable(cells)
    columns: dict[str, Any] = {name: np.full(agents, np.nan) for name in _COLUMNS}
    spreads = UNKNOWN
    for label in np.unique(component):
        members = component == label
        part = cells.only(members[cells.agent])
        found, spread = _fit(part, confidence=confidence, draws=draws, seed=seed, simultaneous=simultaneous)
        for name, values in found.items():
            columns[name][members] = values
        if label == 1:
            spreads = spread
    centre, between, graders, within = spreads
    return AgentEffects(
        component=component,
        linked=linked,
        centre=centre,
        between_sd=between,
        grader_sd=graders,
        within_sd=within,
        **columns,
    )


_COLUMNS = (
    "shrunk",
    "lo",
    "hi",
    "error",
    "adjusted",
    "adjusted_lo",
    "adjusted_hi",
    "above",
    "kept",
    "rank_lo",
    "rank_hi",
    "ahead",
)


def random_grader_effects(cells: Cells, component: Codes, *, confidence: float = 0.95) -> tuple[Floats, Floats, Floats]:
    """Effects of graders with agents and graders random, each component centred on its mean grader: effect, lo, hi.

    Args:
        component: of each grader, from 1.

    More precise than with fixed agents where a grader sees few of the others' agents, and drawn towards 0. The prior of
    the graders' spread is flat here: a prior that prefers little spread would decide where the data cannot.
    """
    effect, lo, hi = (np.full(len(component), np.nan) for _ in range(3))
    tail = 0.5 - confidence / 2
    for label in np.unique(component):
        members = component == label
        made = _Equations(cells.only(members[cells.grader]))
        freedom = made.values - (made.size - made.graders + 1)
        if made.graders < 2 or made.values - made.agents < FEWEST_REPEATS or made.sum_squares <= 0:
            continue
        points, share = _posterior(made, freedom, grader_scale=np.inf)
        centring = np.eye(made.graders) - 1 / made.graders
        means, errors = [], []
        for point in points:
            solved = point[5]
            means.append(centring @ solved.beta[: made.graders])
            among = solved.inverse[: made.graders, : made.graders]
            errors.append(np.sqrt(solved.rest / freedom * np.clip(np.diag(centring @ among @ centring), 0, None)))
        mean, error = np.array(means), np.array(errors)
        effect[members] = share @ mean
        lo[members], hi[members] = mixture_quantiles(share, mean, error, np.array([tail, 1 - tail]), freedom)
    return effect, lo, hi


def comparable(cells: Cells) -> tuple[Codes, Codes]:
    """Of each agent the component, numbered from 1 by size, and its number of agents.

    Two agents are comparable when graders connect them, and rubrics, and months: each by itself, because a difference
    between rubrics cannot be separated from a difference between the agents who use them.
    """
    from scipy import sparse
    from scipy.sparse import csgraph

    agents = int(cells.agent.max()) + 1
    label = np.zeros(agents, dtype=np.int64)
    for code in (cells.grader, *cells.other):
        size = agents + int(code.max()) + 1
        links = sparse.coo_matrix((np.ones(len(code)), (cells.agent, agents + code)), shape=(size, size))
        found = csgraph.connected_components(links, directed=False)[1][:agents]
        label = np.unique(label * size + found, return_inverse=True)[1]
    sizes = np.bincount(label)
    place = np.empty(len(sizes), dtype=np.int64)
    place[np.argsort(-sizes, kind="stable")] = np.arange(1, len(sizes) + 1)
    return place[label], sizes[label].astype(np.int64)


class _Equations:
    """Henderson's equations of a component, agents absorbed; the first columns are graders, then the fixed ones."""

    def __init__(self, cells: Cells) -> None:
        self.agents = int(cells.agent.max()) + 1
        graders = int(cells.grader.max()) + 1
        self.graders = graders if graders > 1 else 0
        self.values = float(cells.n.sum())
        self.shift = float(cells.total.sum() / self.values)
        total = cells.total - self.shift * cells.n
        self.sum_squares = float((cells.squares - 2 * self.shift * cells.total + self.shift**2 * cells.n).sum())
        columns = [cells.grader] if self.graders else []
        at = self.graders
        shares = [np.zeros(self.graders)]
        for code in cells.other:
            levels = int(code.max()) + 1
            columns.append(np.where(code > 0, at + code - 1, -1))
            shares.append(np.bincount(code, cells.n, minlength=levels)[1:] / self.values)
            at += levels - 1
        size = at
        self.n = np.asarray(np.bincount(cells.agent, cells.n, minlength=self.agents), dtype=float)
        self.total = np.asarray(np.bincount(cells.agent, total, minlength=self.agents), dtype=float)
        self.crossing = np.zeros((self.agents, size))
        self.right = np.zeros(size)
        self.normal = np.zeros((size, size))
        for place, column in enumerate(columns):
            used = column >= 0
            self.crossing += np.bincount(
                cells.agent[used] * size + column[used], cells.n[used], minlength=self.agents * size
            ).reshape(self.agents, size)
            self.right += np.bincount(column[used], total[used], minlength=size)
            for other in columns[: place + 1]:
                both = used & (other >= 0)
                block = np.bincount(column[both] * size + other[both], cells.n[both], minlength=size * size)
                block = block.reshape(size, size)
                self.normal += block if other is column else block + block.T
        self.typical = np.concatenate(shares)
        self.size = size

    def with_agents(self, shrinkage: float, *, level: bool) -> tuple[Floats, Floats, Floats, Floats, float]:
        """Agents absorbed: per agent 1 / (n + shrinkage), then the matrix, right side, crossing and explained sum.

        With `level` a column for the common level is put last: random agents have one, fixed agents do not.
        """
        crossing, right, normal = self._levelled if level else (self.crossing, self.right, self.normal)
        weight = 1 / (self.n + shrinkage)
        root = np.sqrt(weight)
        # A matrix times itself, which takes half the time of a product of two.
        scaled = crossing * root[:, None]
        return (
            weight,
            normal - scaled.T @ scaled,
            right - scaled.T @ (root * self.total),
            crossing,
            float((weight * self.total**2).sum()),
        )

    @cached_property
    def _levelled(self) -> tuple[Floats, Floats, Floats]:
        """Crossing, right side and matrix with a last column for the common level."""
        edge = self.crossing.sum(0)
        return (
            np.column_stack([self.crossing, self.n]),
            np.append(self.right, self.total.sum()),
            np.block([[self.normal, edge[:, None]], [edge[None, :], np.array([[self.n.sum()]])]]),
        )


def _fit(
    cells: Cells, *, confidence: float, draws: int, seed: int, simultaneous: bool
) -> tuple[dict[str, Floats], tuple[float, float, float, float]]:
    from scipy import special

    made = _Equations(cells)
    agents, graders = made.agents, made.graders
    fixed = made.size - graders + 1
    freedom = made.values - fixed
    unknown = {name: np.full(agents, np.nan) for name in _COLUMNS}
    means = made.total / made.n
    if (
        made.values - agents < FEWEST_REPEATS
        or freedom < 1
        or made.sum_squares <= 1e-9 * made.values * max(made.shift**2, 1)
    ):
        return unknown | {"shrunk": means + made.shift, "adjusted": means + made.shift}, UNKNOWN
    points, share = _posterior(made, freedom)

    level, level_sd, gap, gap_sd, kept = (np.zeros((len(points), agents)) for _ in range(5))
    typical = np.append(made.typical, 1.0)
    typical[:graders] = 0
    noise_sd = np.zeros(len(points))
    for row, (_, _, _, weight, crossing, point) in enumerate(points):
        scaled = crossing * weight[:, None]
        effect = weight * made.total - scaled @ point.beta
        variance = point.rest / freedom
        toward = typical - scaled
        level[row] = effect + float(typical @ point.beta)
        level_sd[row] = np.sqrt(variance * (weight + ((toward @ point.inverse) * toward).sum(1)))
        apart = scaled.mean(0) - scaled
        gap[row] = effect - effect.mean()
        own = weight * (1 - 2 / agents) + weight.sum() / agents**2
        gap_sd[row] = np.sqrt(variance * (own + ((apart @ point.inverse) * apart).sum(1)))
        kept[row] = made.n * weight
        noise_sd[row] = variance**0.5
    mean = share @ level
    tail = 0.5 - confidence / 2
    lo, hi = mixture_quantiles(share, level, level_sd, np.array([tail, 1 - tail]), freedom)
    found = {
        "shrunk": mean + made.shift,
        "lo": lo + made.shift,
        "hi": hi + made.shift,
        "error": np.sqrt(share @ (level_sd**2 + (level - mean) ** 2)),
        "above": share @ special.stdtr(freedom, gap / np.maximum(gap_sd, 1e-12)),
        "kept": share @ kept,
    }
    found |= _adjusted(made, points, share, freedom, tail)
    found["ahead"] = _ahead_of_next(made, points, share, freedom, mean)
    found |= _ranks(made, points, share, freedom, mean, draws, seed, tail, simultaneous=simultaneous)
    centre = float(mean.mean()) + made.shift
    between = float(share @ (np.array([point[1] for point in points]) * noise_sd))
    grader_sd = float(share @ (np.array([point[2] for point in points]) * noise_sd)) if graders else 0.0
    return found, (centre, between, grader_sd, float(share @ noise_sd))


@dataclass(frozen=True)
class _Point:
    """The solution for given spreads; `rest` is the penalised sum of squares that is left."""

    beta: Floats
    inverse: Floats
    determinant: float
    rest: float


_Spread = tuple[float, float, float, Floats, Floats, _Point]
"""Evidence, spread of agents and of graders (in units of the noise), weights of agents, crossing, solution."""


def _solved(
    made: _Equations, absorbed: tuple[Floats, Floats, Floats, Floats, float], shrinkage: float, freedom: float
) -> _Point:
    """The solution for given spreads; `shrinkage` is that of graders."""
    _, matrix, right, _, explained = absorbed
    matrix = matrix.copy()
    matrix[np.diag_indices(made.graders)] += shrinkage
    inverse, determinant = inverse_of_symmetric(matrix)
    beta = inverse @ right
    rest = max(made.sum_squares - explained - float(beta @ right), 1e-9 * made.sum_squares)
    return _Point(beta, inverse, determinant, rest)


def _posterior(made: _Equations, freedom: float, *, grader_scale: float = GRADER_SCALE) -> tuple[list[_Spread], Floats]:
    """Solutions for the spreads that matter, and the posterior weight of each.

    Args:
        grader_scale: scale of the half-Cauchy prior of the spread of graders, in units of the noise; inf: flat.
    """
    means = made.total / made.n
    within = made.sum_squares - float((made.total**2 / made.n).sum())
    noise = max(within / max(made.values - made.agents, 1), 1e-3 * made.sum_squares / made.values)
    widest = 4 * max(float(means.std()) / noise**0.5, 0.25)
    ranges = [(0.0, widest), (0.0, WIDEST_GRADERS) if made.graders else (1.0, 1.0)]
    for _ in range(PASSES):
        points, ranges = _points(made, ranges, freedom, grader_scale)
    evidence = np.array([point[0] for point in points])
    share = np.exp(evidence - evidence.max())
    kept = share > LEAST_WEIGHT * share.sum()
    return [point for point, keep in zip(points, kept, strict=True) if keep], share[kept] / share[kept].sum()


def _points(
    made: _Equations, ranges: list[tuple[float, float]], freedom: float, grader_scale: float
) -> tuple[list[_Spread], list[tuple[float, float]]]:
    """Solutions over a grid of spreads, with the log of their posterior weight; and the ranges that matter."""
    agent_ratio, agent_width = _grid(*ranges[0], AGENT_GRID)
    if made.graders:
        grader_ratio, grader_width = _grid(*ranges[1], GRADER_GRID)
        grader_prior = grader_width / (1 + (grader_ratio / grader_scale) ** 2)
    else:
        grader_ratio = grader_width = grader_prior = np.ones(1)
    points: list[_Spread] = []
    for ratio, prior in zip(agent_ratio, agent_width, strict=True):
        shrinkage = ratio**-2
        absorbed = made.with_agents(shrinkage, level=True)
        for other, other_prior in zip(grader_ratio, grader_prior, strict=True):
            point = _solved(made, absorbed, other**-2, freedom)
            determinant = np.log1p(made.n / shrinkage).sum() + point.determinant + 2 * made.graders * np.log(other)
            evidence = -0.5 * determinant - freedom / 2 * np.log(point.rest) + np.log(prior * other_prior)
            points.append((float(evidence), ratio, other, absorbed[0], absorbed[3], point))
    evidence = np.array([point[0] for point in points]).reshape(len(agent_ratio), -1)
    matters = evidence > evidence.max() - NEGLIGIBLE
    narrowed = [
        _narrowed(ranges[0], AGENT_GRID, matters.any(1)),
        _narrowed(ranges[1], GRADER_GRID, matters.any(0)) if made.graders else ranges[1],
    ]
    return points, narrowed


def _grid(low: float, high: float, points: int) -> tuple[Floats, Floats]:
    """Midpoints and widths of a grid that is finer near 0."""
    edges = np.linspace(low**0.5, high**0.5, points + 1)
    return ((edges[1:] + edges[:-1]) / 2) ** 2, np.diff(edges**2)


def _narrowed(bounds: tuple[float, float], points: int, matters: npt.NDArray[np.bool_]) -> tuple[float, float]:
    """The part of the range whose cells matter, and one cell more at each side."""
    edges = np.linspace(bounds[0] ** 0.5, bounds[1] ** 0.5, points + 1) ** 2
    first, last = np.flatnonzero(matters)[[0, -1]]
    return float(edges[max(first - 1, 0)]), float(edges[min(last + 2, points)])


def _adjusted(
    made: _Equations,
    points: list[_Spread],
    share: Floats,
    freedom: float,
    tail: float,
) -> dict[str, Floats]:
    """Means without shrinkage: agents fixed; noise and spread of graders as found with random agents."""
    if not made.size:
        variance = float(share @ [point[5].rest / freedom for point in points])
        mean, error = made.total / made.n, np.sqrt(variance / made.n)
        level, spread, weights = mean[None, :], error[None, :], np.ones(1)
    else:
        ratios = np.array([point[2] for point in points])
        absorbed = made.with_agents(0.0, level=False)
        scaled = absorbed[3] * absorbed[0][:, None]
        typical = made.typical.copy()
        typical[: made.graders] = 0
        toward = typical - scaled
        levels, spreads, kept = [], [], []
        for ratio in np.unique(ratios):
            chosen = ratios == ratio
            point = _solved(made, absorbed, ratio**-2, freedom)
            variances = np.array([points[at][5].rest / freedom for at in np.flatnonzero(chosen)])
            variance = float(share[chosen] @ variances) / float(share[chosen].sum())
            levels.append(made.total / made.n + toward @ point.beta)
            spreads.append(np.sqrt(variance * (1 / made.n + ((toward @ point.inverse) * toward).sum(1))))
            kept.append(float(share[chosen].sum()))
        level, spread, weights = np.array(levels), np.array(spreads), np.array(kept)
    lo, hi = mixture_quantiles(weights, level, spread, np.array([tail, 1 - tail]), freedom)
    return {"adjusted": weights @ level + made.shift, "adjusted_lo": lo + made.shift, "adjusted_hi": hi + made.shift}


def _ranks(
    made: _Equations,
    points: list[_Spread],
    share: Floats,
    freedom: float,
    mean: Floats,
    draws: int,
    seed: int,
    tail: float,
    *,
    simultaneous: bool,
) -> dict[str, Floats]:
    agents = made.agents
    nothing = np.full(agents, np.nan)
    if not draws:
        return {"rank_lo": nothing, "rank_hi": nothing}
    rng = np.random.default_rng(seed)
    counts = rng.multinomial(draws, share)
    drawn = np.empty((draws, agents))
    at = 0
    for count, (_, _, _, weight, crossing, point) in zip(counts, points, strict=True):
        if not count:
            continue
        noise = np.sqrt(point.rest / rng.chisquare(freedom, (count, 1)))
        values, vectors = np.linalg.eigh(point.inverse)
        root = vectors * np.sqrt(np.clip(values, 0, None))
        beta = point.beta + noise * (rng.standard_normal((count, len(point.beta))) @ root.T)
        scaled = crossing * weight[:, None]
        drawn[at : at + count] = (
            weight * made.total - beta @ scaled.T + noise * rng.standard_normal((count, agents)) * np.sqrt(weight)
        )
        at += count
    lo, hi = rank_ends(drawn, tail=tail, simultaneous=simultaneous)
    return {"rank_lo": lo, "rank_hi": hi}


def _ahead_of_next(made: _Equations, points: list[_Spread], share: Floats, freedom: float, mean: Floats) -> Floats:
    """Probability of a higher mean than the next agent in order of `mean`; equal means stay in order of the agents."""
    from scipy import special

    order = np.argsort(-np.round(mean, 9), kind="stable")
    ahead = np.full(made.agents, np.nan)
    upper, lower = order[:-1], order[1:]
    probability = np.zeros(len(upper))
    for weight_of_point, (_, _, _, weight, crossing, point) in zip(share, points, strict=True):
        scaled = crossing * weight[:, None]
        effect = weight * made.total - scaled @ point.beta
        apart = scaled[lower] - scaled[upper]
        own = weight[lower] + weight[upper] + ((apart @ point.inverse) * apart).sum(1)
        error = np.sqrt(np.maximum(point.rest / freedom * own, 1e-24))
        probability += weight_of_point * special.stdtr(freedom, (effect[upper] - effect[lower]) / error)
    ahead[upper] = probability
    return ahead
