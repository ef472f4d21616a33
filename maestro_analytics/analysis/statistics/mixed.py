"""Agents compared under an average grader: a mixed model of agent, grader, rubric and month.

score = level + agent + grader + rubric + month + noise, with agents and graders random and the rest fixed. Cells of
equal factors are enough: agents are absorbed, and the system that is solved has a row for each grader, rubric and
month. The spreads of agents and graders are not plugged in but integrated over a grid (flat prior on the spread of
agents, half-Cauchy on that of graders, 1 / variance on the noise), so a spread that happens to be estimated as 0 does
not give every agent the same score. Method: restricted likelihood (Patterson and Thompson 1971), Henderson's mixed
model equations, flat prior on the spread (Gelman 2006).

One solution serves all spreads of graders (`mixed_equations`). 10,000 agents with a million cells of 150 graders, ranks
included: 0.5 s of processor time on one core (1.6 s with a solution for each spread), the adjusted means alone 0.3 s.

Agents whom no rubric, grader or month connects cannot be compared: each component is fitted on its own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from maestro_analytics.analysis.statistics.arrays import Codes, Floats, components, numbered_by_size, one_thread
from maestro_analytics.analysis.statistics.day_effects import day_weighted
from maestro_analytics.analysis.statistics.intervals import mixture_quantiles
from maestro_analytics.analysis.statistics.mixed_equations import (
    Absorbed,
    Cells,
    Equations,
    Spread,
    log_evidence,
    posterior,
    quadratic,
)

LIKINGS = np.linspace(0, 0.4, 9) ** 2
"""Correlations among which the data choose, evenly spaced by the spread of likings."""
UNKNOWN = (np.nan, np.nan, np.nan)
FEWEST_REPEATS = 3
"""Without a few second grades of the same agents nothing says how much single grades vary."""


ADJUSTED = ("adjusted", "adjusted_lo", "adjusted_hi")
COLUMNS = ("shrunk", "shrunk_lo", "shrunk_hi", *ADJUSTED, "above", "kept", "rank_lo", "rank_hi", "ahead_of_next")


@dataclass(frozen=True)
class AgentEffects:
    """Scores under an average grader and with the usual mix of rubrics and months; one entry per agent.

    Attributes:
        agents: the values of each of `COLUMNS`; nan where they are not known.
            shrunk and its ends: posterior mean and interval of the agent's mean.
            adjusted and its ends: the mean without shrinkage (agents fixed, graders random).
            above: posterior probability of a mean above that of the agents of the component.
            kept: share of the agent's own gap that is kept.
            rank_lo, rank_hi: marginal interval of the rank in the component, 1 is the highest; drawn jointly.
            ahead_of_next: probability of a higher mean than the next agent of the component, in order of `shrunk`.
        component: 1 is the largest; linked: how many agents it has.
        between_sd, grader_sd, within_sd: of the largest component; nan where too few grades tell.
    """

    agents: dict[str, Floats]
    component: Codes
    linked: Codes
    between_sd: float
    grader_sd: float
    within_sd: float


@one_thread()
def agent_effects(
    cells: Cells, *, confidence: float = 0.95, draws: int = 1000, seed: int = 0, simultaneous: bool = False
) -> AgentEffects:
    """Fit the model in each component.

    Args:
        draws: how often the ranks are drawn; 0: only the adjusted means and the spreads are needed, the rest is nan.
        simultaneous: rank intervals hold for all agents of a component together, not for each alone.
    """
    agents = int(cells.agent.max()) + 1
    component, linked = comparable(cells)
    columns = {name: np.full(agents, np.nan) for name in COLUMNS}
    spreads = UNKNOWN
    for label in np.unique(component):
        members = component == label
        part = cells.only(members[cells.agent])
        found, spread = _fit(part, confidence=confidence, draws=draws, seed=seed, simultaneous=simultaneous)
        for name, values in found.items():
            columns[name][members] = values
        if label == 1:
            spreads = spread
    return AgentEffects(columns, component, linked, *spreads)


@one_thread()
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
        made = Equations(cells.only(members[cells.grader]))
        if made.graders < 2 or made.values - made.agents < FEWEST_REPEATS or made.sum_squares <= 0:
            continue
        spreads = posterior(made, grader_scale=np.inf)
        means, errors = [], []
        for spread in spreads:
            solved = spread.absorbed.at(spread.grader_ratio)
            mean, variance = spread.absorbed.graders(solved)
            means.append(mean)
            errors.append(np.sqrt(solved.noise * np.clip(variance, 0, None)))
        share, mean, error = _shares(spreads), np.hstack(means).T, np.hstack(errors).T
        effect[members] = share @ mean
        lo[members], hi[members] = mixture_quantiles(share, mean, error, np.array([tail, 1 - tail]), made.freedom)
    return effect, lo, hi


@one_thread()
def liking_correlation(cells: Cells) -> float:
    """How alike the grades are that one grader gives one agent, beyond how good the one and how strict the other is.

    Args:
        cells: of equal agent and grader, rubrics and months taken out of the sums.

    Where one grader gives most of an agent's grades, what that grader makes of the agent cannot be told from how good
    the agent is; of graders who see several agents the data say how much such likings differ. The correlation is the
    mean of its posterior (flat prior on the spread of likings), by the restricted likelihood of all grades.
    """
    values = float(cells.n.sum())
    chance = np.empty(len(LIKINGS))
    for at, alike in enumerate(LIKINGS):
        made = Equations(
            Cells(*day_weighted(cells.n, cells.total, cells.squares, alike), cells.agent, cells.grader), values=values
        )
        if made.freedom < FEWEST_REPEATS or made.sum_squares <= 0:
            return 0.0
        known = np.log1p((cells.n - 1) * alike) + (cells.n - 1) * np.log1p(-alike)
        chance[at] = log_evidence(made) - 0.5 * float(known.sum())
    share = np.exp(chance - chance.max())
    return float(share @ LIKINGS / share.sum())


def comparable(cells: Cells) -> tuple[Codes, Codes]:
    """The component of each agent, numbered from 1 by size, and its number of agents.

    Two agents are comparable when graders connect them, and rubrics, and months: each by itself, because a difference
    between rubrics cannot be separated from a difference between the agents who use them.
    """
    agents = int(cells.agent.max()) + 1
    label = np.zeros(agents, dtype=np.int64)
    for code in (cells.grader, *cells.other):
        levels = int(code.max()) + 1
        seen = np.bincount(cells.agent * levels + code, minlength=agents * levels).reshape(agents, levels) > 0
        label = np.unique(label * agents + components(seen), return_inverse=True)[1]
    return numbered_by_size(label)


def _fit(
    cells: Cells, *, confidence: float, draws: int, seed: int, simultaneous: bool
) -> tuple[dict[str, Floats], tuple[float, float, float]]:
    made = Equations(cells)
    if (
        made.values - made.agents < FEWEST_REPEATS
        or made.freedom < 1
        or made.sum_squares <= 1e-9 * made.values * max(made.shift**2, 1)
    ):
        means = made.total / made.n + made.shift
        return {name: np.full(made.agents, np.nan) for name in COLUMNS} | {"shrunk": means, "adjusted": means}, UNKNOWN
    spreads = posterior(made)
    tail = 0.5 - confidence / 2
    noise = [spread.absorbed.noise(spread.grader_ratio) for spread in spreads]
    found = _adjusted(made, spreads, np.concatenate(noise), tail)
    if draws:
        found |= _compared(made, spreads, draws=draws, seed=seed, tail=tail, simultaneous=simultaneous)
    sds = [np.sqrt(variance) for variance in noise]
    between = sum(spread.agent_ratio * spread.share @ sd for spread, sd in zip(spreads, sds, strict=True))
    graders = sum((spread.grader_ratio * sd) @ spread.share for spread, sd in zip(spreads, sds, strict=True))
    within = sum(spread.share @ sd for spread, sd in zip(spreads, sds, strict=True))
    return found, (float(between), float(graders) if made.graders else 0.0, float(within))


def _shares(spreads: list[Spread]) -> Floats:
    """The posterior weights of all spreads."""
    return np.concatenate([spread.share for spread in spreads])


def _adjusted(made: Equations, spreads: list[Spread], noise: Floats, tail: float) -> dict[str, Floats]:
    """Means without shrinkage: agents fixed; noise (of all spreads) and spread of graders as with random agents."""
    share = _shares(spreads)
    ratios = np.concatenate([spread.grader_ratio for spread in spreads])
    ratio, of_ratio = np.unique(ratios, return_inverse=True)
    weights = np.asarray(np.bincount(of_ratio, share), dtype=float)
    variance = np.bincount(of_ratio, share * noise) / weights
    fixed = Absorbed(made, 0.0)
    solved = fixed.at(ratio)
    level = fixed.agent_part[:, None] - fixed.rows @ solved.place + (fixed.typical_level + fixed.typical @ solved.place)
    own = fixed.weight[:, None] + quadratic(fixed.rows**2, fixed.rows, fixed.typical, solved.inverse)
    lo, hi = mixture_quantiles(weights, level.T, np.sqrt(variance * own).T, np.array([tail, 1 - tail]), made.freedom)
    return dict(zip(ADJUSTED, (level @ weights + made.shift, lo + made.shift, hi + made.shift), strict=True))


def _compared(
    made: Equations, spreads: list[Spread], *, draws: int, seed: int, tail: float, simultaneous: bool
) -> dict[str, Floats]:
    """Shrunk means, how they compare with each other, and their ranks."""
    from scipy import special

    agents, share = made.agents, _shares(spreads)
    levels, level_sds = [], []
    above, kept = np.zeros(agents), np.zeros(agents)
    for spread in spreads:
        absorbed = spread.absorbed
        solved = absorbed.at(spread.grader_ratio)
        rows, weight = absorbed.rows, absorbed.weight
        squared = rows**2
        effect = absorbed.agent_part[:, None] - rows @ solved.place
        levels.append(effect + (absorbed.typical_level + absorbed.typical @ solved.place))
        own = weight[:, None] + quadratic(squared, rows, absorbed.typical, solved.inverse)
        level_sds.append(np.sqrt(solved.noise * own))
        own = (weight * (1 - 2 / agents) + weight.sum() / agents**2)[:, None]
        gap_sd = np.sqrt(solved.noise * (own + quadratic(squared, rows, rows.mean(0), solved.inverse)))
        above += special.stdtr(made.freedom, (effect - effect.mean(0)) / np.maximum(gap_sd, 1e-12)) @ spread.share
        kept += float(spread.share.sum()) * made.n * weight
    level, level_sd = np.hstack(levels).T, np.hstack(level_sds).T
    mean = share @ level
    lo, hi = mixture_quantiles(share, level, level_sd, np.array([tail, 1 - tail]), made.freedom)
    found = {
        "shrunk": mean + made.shift,
        "shrunk_lo": lo + made.shift,
        "shrunk_hi": hi + made.shift,
        "above": above,
        "kept": kept,
        "ahead_of_next": _ahead_of_next(made, spreads, mean),
    }
    found["rank_lo"], found["rank_hi"] = rank_ends(
        _drawn(made, spreads, draws=draws, seed=seed), tail=tail, simultaneous=simultaneous
    )
    return found


def _drawn(made: Equations, spreads: list[Spread], *, draws: int, seed: int) -> Floats:
    """Effects of all agents drawn together from their posterior, one row per draw."""
    rng = np.random.default_rng(seed)
    counts = iter(rng.multinomial(draws, _shares(spreads)))
    drawn = []
    for spread in spreads:
        absorbed = spread.absorbed
        solved = absorbed.at(spread.grader_ratio)
        for at, count in zip(range(len(spread.share)), counts, strict=False):
            noise = np.sqrt(solved.noise[at] * made.freedom / rng.chisquare(made.freedom, (count, 1)))
            place = rng.standard_normal((count, len(solved.inverse))) * np.sqrt(solved.inverse[:, at])
            others = (solved.place[:, at] + noise * place) @ absorbed.rows.T
            own = noise * rng.standard_normal((count, made.agents)) * np.sqrt(absorbed.weight)
            drawn.append(absorbed.agent_part - others + own)
    return np.vstack(drawn)


def _ahead_of_next(made: Equations, spreads: list[Spread], mean: Floats) -> Floats:
    """Probability of a higher mean than the next agent in order of `mean`; equal means stay in order of the agents."""
    from scipy import special

    order = np.argsort(-np.round(mean, 9), kind="stable")
    ahead = np.full(made.agents, np.nan)
    probability = np.zeros(made.agents - 1)
    for spread in spreads:
        absorbed = spread.absorbed
        solved = absorbed.at(spread.grader_ratio)
        rows, weight = absorbed.rows[order], absorbed.weight[order]
        effect = absorbed.agent_part[order][:, None] - rows @ solved.place
        apart = np.diff(rows, axis=0) ** 2 @ solved.inverse
        error = np.sqrt(np.maximum(solved.noise * ((weight[:-1] + weight[1:])[:, None] + apart), 1e-24))
        probability += special.stdtr(made.freedom, -np.diff(effect, axis=0) / error) @ spread.share
    ahead[order[:-1]] = probability
    return ahead


def rank_ends(drawn: Floats, *, tail: float, simultaneous: bool = False) -> tuple[Floats, Floats]:
    """Between which ranks each column stands in all but a share `tail` of the rows at each end; 1 is the highest.

    Args:
        simultaneous: a share 1 - 2 `tail` of the rows has the ranks of all columns inside, not of each alone.
    """
    draws, columns = drawn.shape
    places = np.argsort(-drawn, axis=1)
    # One row per column of `drawn`: what is sorted next lies together.
    ranks = np.empty((columns, draws), dtype=np.int32)
    ranks.T[np.arange(draws)[:, None], places] = np.arange(1, columns + 1, dtype=np.int32)
    outside = int(draws * tail)
    if not simultaneous:
        ends = np.partition(ranks, (outside, draws - 1 - outside), axis=1)
        return ends[:, outside].astype(float), ends[:, draws - 1 - outside].astype(float)
    ordered = np.sort(ranks, axis=1)
    low, high = 0, outside
    while low < high:
        middle = (low + high + 1) // 2
        inside = ((ranks >= ordered[:, middle, None]) & (ranks <= ordered[:, -1 - middle, None])).all(axis=0).mean()
        low, high = (middle, high) if inside >= 1 - 2 * tail else (low, middle - 1)
    return ordered[:, low].astype(float), ordered[:, draws - 1 - low].astype(float)
