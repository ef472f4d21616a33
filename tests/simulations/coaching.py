"""Centres in which agents are coached for different reasons, with a known effect."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from maestro_analytics.analysis.statistics.trials import Panel

REASONS = ("random", "low fortnight", "auto-fail", "new", "weak")


@dataclass(frozen=True)
class CoachedCentre:
    """Scores by person and day, auto-fails by person and day, and the sessions."""

    panel: Panel
    zeros: Panel
    person: np.ndarray
    day: np.ndarray


def make(
    rng: np.random.Generator, *, reason: str, effect: float = 0.0, persons: int = 90, days: int = 210
) -> CoachedCentre:
    """Agents of quality sd 5 with 3 % auto-fails; at most one session each, for `reason`."""
    quality = rng.normal(80, 5, persons)
    joined = np.zeros(persons, dtype=int)
    if reason == "new":
        joined[: persons // 3] = rng.integers(30, 150, persons // 3)
    age = np.arange(days)[None, :] - joined[:, None]
    learning = -8 * np.exp(-np.maximum(age, 0) / 30) * (joined > 0)[:, None]
    n = rng.poisson(0.45, (persons, days)).astype(float) * (age >= 0)
    noise = rng.normal(0, 10, (persons, days)) * np.sqrt(n)
    zeros = rng.binomial(n.astype(int), 0.03 if reason == "auto-fail" else 0.0).astype(float)
    lift = np.zeros((persons, days))
    session = np.full(persons, -1)
    total = np.zeros((persons, days))
    weak = quality < np.quantile(quality, 0.35)
    planned = rng.integers(50, 170, persons)
    for day in range(days):
        plain = n[:, day] - zeros[:, day]
        total[:, day] = plain * (quality + learning[:, day] + lift[:, day]) + noise[:, day] * (plain > 0)
        if day < 40 or day > days - 35:
            continue
        free = session < 0
        if reason == "random":
            chosen = free & (planned == day) & (rng.random(persons) < 0.5)
        elif reason == "weak":
            chosen = free & (planned == day) & weak
        elif reason == "new":
            chosen = free & (joined > 0) & (age[:, day] == 45)
        elif reason == "auto-fail":
            chosen = free & (zeros[:, day] > 0) & (rng.random(persons) < 0.4)
        else:
            seen = n[:, day - 13 : day + 1].sum(1)
            mean = total[:, day - 13 : day + 1].sum(1) / np.maximum(seen, 1)
            chosen = free & (day % 7 == 6) & (seen >= 3) & (mean < 74) & (rng.random(persons) < 0.5)
        session[chosen] = day + 1
        lift[chosen, day + 1 :] += effect
    who, when = np.nonzero(n > 0)
    team = np.arange(persons) % 3
    sizes = {"persons": persons, "days": days, "team": team}
    panel = Panel.of(who, when, n[who, when], total[who, when], **sizes)
    failed = Panel.of(who, when, zeros[who, when], zeros[who, when] * 0, **sizes)
    coached = np.flatnonzero(session >= 0)
    return CoachedCentre(panel, failed, coached, session[coached])
