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

from maestro_analytics.analysis.statistics.arrays import (
    Codes,
    Floats,
    components,
    normal_equations,
    numbered_by_size,
    one_thread,
    summed,
)
from maestro_analytics.analysis.statistics.day_effects import moods


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
        solved: the equations behind the effects.
    """

    effect: Floats
    error: Floats
    component: Codes
    linked: Codes
    residual_sd: float
    degrees_of_freedom: float
    solved: Solved


@dataclass(frozen=True)
class Solved:
    """Least squares of cells, agents absorbed; scores are less their mean.

    Attributes:
        n, total, squares, agent, grader: of each cell.
        columns: of each factor the columns of the cells, graders first.
        agent_n: grades of each agent; share: which part of them is in each column.
        inverse, beta: of the columns; level: of each agent.
        contrast: of each grader the weights of its effect less the mean of its component.
    """

    n: Floats
    total: Floats
    squares: Floats
    agent: Codes
    grader: Codes
    columns: Sequence[Codes]
    agent_n: Floats
    share: Floats
    inverse: Floats
    beta: Floats
    level: Floats
    contrast: Floats


@one_thread()
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
    whole = total
    total = whole - shift * n
    squares = squares - shift * (whole + total)

    factors = [(code, int(code.max()) + 1, 0) for code in (grader, *other)]
    offsets = np.cumsum([0, *(levels for _, levels, _ in factors)])
    columns = [code + offset for (code, _, _), offset in zip(factors, offsets[:-1], strict=True)]
    crossing, right, normal = normal_equations(agent, agents, factors, n, total)
    agent_n, agent_total = summed(agent, n, agents), summed(agent, total, agents)
    component, linked = numbered_by_size(components(crossing[:, :graders].T > 0))
    share = crossing / agent_n[:, None]
    reduced = normal - crossing.T @ share
    inverse = np.asarray(np.linalg.pinv(reduced, rcond=1e-9, hermitian=True), dtype=float)
    beta = inverse @ (right - share.T @ agent_total)
    level = (agent_total - crossing @ beta) / agent_n
    explained = float(beta @ right + level @ agent_total)
    rank = round(float((inverse * reduced).sum())) + agents
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
        solved=Solved(n, total, squares, agent, grader, columns, agent_n, share, inverse, beta, level, contrast),
    )


@dataclass(frozen=True)
class ClusteredErrors:
    """Standard errors and degrees of freedom of `grader_effects` that allow for halo and for moods.

    Attributes:
        error, freedom: one entry per grader.
        halo_sd: spread of what a grader gives one agent beside the grader's and the agent's effect.
        day_sd: spread of what a grader gives on one day, which may last for days.
    """

    error: Floats
    freedom: Floats
    halo_sd: float
    day_sd: float


def from_first(day: Codes) -> Codes:
    """Days counted from the first; those without a date, day 0, stand one day before it.

    Where they stood 50 years before it, time would seem to be so long that moods could be known without a doubt.
    """
    dated = day > 0
    if not dated.any():
        return day
    first = day[dated].min()
    return day - first if dated.all() else np.where(dated, day - first + 1, 0)


@one_thread()
def clustered_errors(effects: GraderEffects, *, day: Codes) -> ClusteredErrors:
    """Errors of the effects when grades of one grader and agent, or of one grader and day or month, are alike.

    The variances are found from products of residuals (method of moments, corrected for the effects that were
    fitted) and carried through the weights with which grades enter an effect; Satterthwaite's degrees of freedom.

    Args:
        day: of each cell that `effects` were found from; a cell is of one day. Days are numbered from any one on, and
            cells without a date are of day 0.
    """
    made = effects.solved
    n, agent, grader, agent_n = made.n, made.agent, made.grader, made.agent_n
    graders, agents = len(effects.effect), len(agent_n)
    fit = made.level[agent]
    for column in made.columns:
        fit += made.beta[column]
    residual = made.total - n * fit
    own = made.squares - fit * (made.total + residual)
    variance = effects.residual_sd**2
    grader_n = summed(grader, n, graders)

    pair_of = agent * graders + grader
    of_pairs = summed(pair_of, n, agents * graders)
    pair = np.flatnonzero(of_pairs)
    pair_n = of_pairs[pair]
    sharing = 1 / agent_n[pair // graders] + 1 / grader_n[pair % graders]
    halo_freedom = max(len(pair) - agents - graders + 1, 0)
    products = float((summed(pair_of, residual, agents * graders) ** 2).sum()) - float(own.sum())
    halo = _component(products, pair_n, sharing, len(pair), halo_freedom, variance)
    mood = moods(residual, own, n, grader=grader, day=from_first(day), variance=variance)

    weights = made.contrast @ made.inverse[:graders]
    # The weight of a pair of grader and agent: its cells' rubrics and months matter little beside.
    direct, through_agents = weights[:, :graders], weights @ made.share.T
    squared = (of_pairs**2).reshape(agents, graders).T
    # Sum over pairs of (number * (own weight - weight through the agent))^2, without a row for each pair.
    of_grader, of_agent = squared.sum(1), squared.sum(0)
    pairs = direct**2 @ of_grader + through_agents**2 @ of_agent - 2 * ((direct @ squared) * through_agents).sum(1)
    halo_part = np.asarray(halo * np.clip(pairs, 0, None), dtype=float)
    own_part = np.asarray(effects.error**2 / max(variance, 1e-12) * grader_n, dtype=float)

    mood_part = np.asarray(made.contrast**2 @ mood.of_mean * np.maximum(own_part, 1.0), dtype=float)
    whole = effects.error**2 + halo_part + mood_part
    parts = (
        effects.error**4 / max(effects.degrees_of_freedom, 1.0)
        + halo_part**2 / max(halo_freedom, 1)
        + mood_part**2 / mood.freedom
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        freedom = np.where(parts > 0, whole**2 / parts, 1.0)
    return ClusteredErrors(np.sqrt(whole), np.maximum(freedom, 1.0), halo**0.5, mood.sd)


def _component(products: float, size: Floats, sharing: Floats, clusters: int, freedom: int, variance: float) -> float:
    """Variance of what values of a cluster have in common; never below 0.

    Args:
        products: sum of the products of two residuals of one cluster.
        size, sharing: of each cluster its values, and how unlike the effects that were fitted make their residuals.
    """
    pairs = float((size**2 - size).sum())
    if pairs <= 0 or freedom < 3 or not np.isfinite(variance):
        return 0.0
    products += variance * float(((size**2 - size) * sharing).sum())
    return max(products / pairs, 0.0) * clusters / freedom
