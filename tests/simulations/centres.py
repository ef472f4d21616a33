"""Contact centres whose truth is known, as arrays: one entry per grade. Vectorised, so that hundreds are quick."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from maestro_analytics.analysis.statistics.mixed_equations import Cells

NOISE = {"normal", "beta", "pile"}


@dataclass(frozen=True)
class Centre:
    """Grades with the truth: what each agent's mean is under an average grader, and as graded."""

    agent: np.ndarray
    grader: np.ndarray
    rubric: np.ndarray
    day: np.ndarray
    score: np.ndarray
    quality: np.ndarray
    severity: np.ndarray
    as_graded: np.ndarray
    ticket: np.ndarray

    def cells(self, *, days: bool = False) -> Cells:
        """Count, sum and sum of squares of equal agent, grader, rubric and month (or day)."""
        month = self.day // 30
        unit = self.day if days else month
        keys = np.stack([self.agent, self.grader, self.rubric, unit])
        key, at = np.unique(keys, axis=1, return_inverse=True)
        sums = [np.bincount(at, values) for values in (np.ones(len(at)), self.score, self.score**2)]
        months = np.unique(key[3] // (30 if days else 1), return_inverse=True)[1]
        rubrics = np.unique(key[2], return_inverse=True)[1]
        return Cells(*sums, key[0], key[1], [rubrics, months])


def piled(rng: np.random.Generator, mean: np.ndarray) -> np.ndarray:
    """Scores with 40 % at 100, the others in steps of 5, and 3 % zeros, whose expected value is `mean`."""
    size = len(mean)
    top = rng.random(size) < 0.4
    rest = np.clip((mean / 0.97 - 40) / 0.6, 5, 95)
    low = np.floor(rest / 5 + rng.normal(0, 2.0, size) + rng.random(size)) * 5
    score = np.where(top, 100.0, low)
    return np.where(rng.random(size) < 0.03, 0.0, score)


def make(
    rng: np.random.Generator,
    *,
    agents: int = 24,
    grades: int | tuple[int, int] = 40,
    days: int = 120,
    quality_sd: float = 0.0,
    graders: int = 6,
    severity_sd: float = 0.0,
    nested: float = 0.0,
    mood_sd: float = 0.0,
    mood_memory: float = 0.0,
    halo_sd: float = 0.0,
    noise: str = "normal",
    sd: float = 12.0,
    trend: float = 0.0,
    leavers: bool = False,
    split: bool = False,
    twice_sd: float = 0.0,
    clusters: int = 1,
    uneven: bool = False,
) -> Centre:
    """A centre.

    Args:
        grades: of each agent, or between which numbers (log-uniform).
        nested: share of an agent's grades that come from one grader.
        mood_sd, halo_sd: spread of a grader's mood of the day, and of a grader's liking of an agent.
        mood_memory: correlation of a mood with that of the day before.
        trend: points over the whole period; leavers: half of the agents have only the first or second half of it.
        split: the better half of the agents is graded with a rubric of its own, 6 points more lenient.
        twice_sd: each ticket is graded under two rubrics; spread of what its two grades have in common.
        clusters: agents and graders fall into so many parts, and no grader sees agents of another part.
        uneven: the busiest grader grades six times as much as the least busy.
    """
    if isinstance(grades, int):
        number = np.full(agents, grades)
    else:
        number = np.exp(rng.uniform(np.log(grades[0]), np.log(grades[1] + 1), agents)).astype(int)
    quality = 80 + rng.normal(0, 1, agents) * quality_sd
    severity = rng.normal(0, 1, graders) * severity_sd
    agent = np.repeat(np.arange(agents), number)
    usual = np.arange(agents) * graders // agents
    part = graders // clusters
    load = np.linspace(1, 6, part) if uneven else np.ones(part)
    drawn = rng.choice(part, len(agent), p=load / load.sum())
    any_grader = usual[agent] // part * part + drawn
    grader = np.where(rng.random(len(agent)) < nested, usual[agent], any_grader)
    start, end = np.zeros(agents), np.full(agents, days)
    if leavers:
        end[: agents // 4], start[agents // 4 : agents // 2] = days // 2, days // 2
    day = np.floor(start[agent] + rng.random(len(agent)) * (end - start)[agent]).astype(int)
    ticket = np.arange(len(agent))
    rubric = (quality > np.median(quality)).astype(int)[agent] if split else np.zeros(len(agent), dtype=int)
    if twice_sd:
        agent, grader, day, ticket = (np.repeat(values, 2) for values in (agent, grader, day, ticket))
        rubric = np.tile([0, 1], len(ticket) // 2)
    expected = quality[agent] + severity[grader] + trend * (day / days - 0.5) + 6.0 * rubric
    mood = rng.normal(0, 1, (graders, days)) * mood_sd
    for later in range(1, days) if mood_memory else ():
        mood[:, later] = mood_memory * mood[:, later - 1] + (1 - mood_memory**2) ** 0.5 * mood[:, later]
    halo = rng.normal(0, 1, (graders, agents)) * halo_sd
    mean = expected + mood[grader, day] + halo[grader, agent] + (rng.normal(0, 1, len(agent)) * twice_sd)[ticket]
    if noise == "pile":
        score = piled(rng, mean)
    elif noise == "beta":
        score = mean + 100 * (rng.beta(9, 1, len(mean)) - 0.9)
    elif noise == "t":
        score = mean + 5 * rng.standard_t(2.5, len(mean))
    else:
        score = mean + rng.normal(0, sd, len(mean))
    as_graded = np.bincount(agent, expected, minlength=agents) / np.bincount(agent, minlength=agents)
    return Centre(agent, grader, rubric, day, score, quality, severity, as_graded, ticket)
