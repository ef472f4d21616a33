"""Centres in which agents are coached for different reasons, with a known effect."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from maestro_analytics.analysis.statistics.trials import Panel

REASONS = (
    "random", "low fortnight", "last low score", "passing dips", "team after team", "season", "auto-fail", "new",
    "weak",
)  # fmt: skip


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
    """Agents of quality sd 5; at most one session each, for `reason`, and an effect that lasts.

    last low score: on the day of a score below 68. passing dips: a low fortnight, where the score of an agent wanders
    (AR(1), sd 4, .95 from day to day). team after team: each team within its own four weeks, where the teams' trends
    differ. season: sessions in the low half of a wave of 13 weeks that all share. auto-fail: 3 % of grades, the session
    on the same day.
    """
    quality = rng.normal(80, 5, persons)
    joined = np.zeros(persons, dtype=int)
    if reason == "new":
        joined[: persons // 3] = rng.integers(30, 150, persons // 3)
    drift = np.zeros((persons, days))
    if reason == "passing dips":
        drift[:, 0] = rng.normal(0, 4, persons)
        for day in range(1, days):
            drift[:, day] = 0.95 * drift[:, day - 1] + rng.normal(0, 4 * (1 - 0.95**2) ** 0.5, persons)
    wave = 4 * np.sin(2 * np.pi * np.arange(days) / 91)
    if reason == "season":
        drift += wave
    team = np.arange(persons) % 3
    turn = rng.integers(50, 150, 3)
    if reason == "team after team":
        drift += (rng.normal(0, 3, 3)[team])[:, None] * np.arange(days) / days
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
        total[:, day] = plain * (quality + learning[:, day] + drift[:, day] + lift[:, day]) + noise[:, day] * (
            plain > 0
        )
        if day < 40 or day > days - 35:
            continue
        free = session < 0
        if reason == "random":
            chosen = free & (planned == day) & (rng.random(persons) < 0.5)
        elif reason == "weak":
            chosen = free & (planned == day) & weak
        elif reason == "new":
            chosen = free & (joined > 0) & (age[:, day] == 45)
        elif reason == "team after team":
            chosen = free & (turn[team] <= day) & (day < turn[team] + 28) & (rng.random(persons) < 1 / 40)
        elif reason == "season":
            chosen = free & (wave[day] < 0) & (rng.random(persons) < 1 / 60)
        elif reason == "last low score":
            mean = total[:, day] / np.maximum(n[:, day], 1)
            chosen = free & (n[:, day] > 0) & (mean < 68) & (rng.random(persons) < 0.3)
        elif reason == "auto-fail":
            chosen = free & (zeros[:, day] > 0) & (rng.random(persons) < 0.4)
        else:
            seen = n[:, day - 13 : day + 1].sum(1)
            mean = total[:, day - 13 : day + 1].sum(1) / np.maximum(seen, 1)
            chosen = free & (day % 7 == 6) & (seen >= 3) & (mean < 74) & (rng.random(persons) < 0.5)
        session[chosen] = day if reason in ("last low score", "auto-fail") else day + 1
        lift[chosen, day + 1 :] += effect
    who, when = np.nonzero(n > 0)
    sizes = {"persons": persons, "days": days, "team": team}
    panel = Panel.of(who, when, n[who, when], total[who, when], **sizes)
    failed = Panel.of(who, when, zeros[who, when], zeros[who, when] * 0, **sizes)
    coached = np.flatnonzero(session >= 0)
    return CoachedCentre(panel, failed, coached, session[coached])
