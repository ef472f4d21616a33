"""Habits of real contact centres that can be switched on, each with its truth."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches
from math import exp, log

from maestro_analytics.sandbox.simulation.chance import HABIT, draws
from maestro_analytics.sandbox.simulation.people import Group, Person

TEAM_GRADERS, MOODS, TREND, JOINERS = "team-graders", "moods", "trend", "joiners-and-leavers"
UNEQUAL, AUTO_FAILS, PILE = "unequal-numbers", "auto-fail-sessions", "pile"
HABITS: dict[str, str] = {
    TEAM_GRADERS: "nine in ten grades of a team come from one grader",
    MOODS: "each grader has a mood of the day, with a standard deviation of 4 points",
    TREND: "everybody's quality rises by 2 points in 30 days",
    JOINERS: "a quarter of the agents join within 90 days, and another quarter leave after 30 to 120",
    UNEQUAL: "agents have between a quarter and four times the usual number of grades",
    AUTO_FAILS: "3 % of grades are made 0 by an auto-fail, and six in ten of those lead to a coaching session",
    PILE: "the first rubric has 20 questions of 5 points, and four in ten of its grades are 100",
}
TEAM_SHARE = 0.9
MOOD_SD = 4.0
TREND_POINTS = 2.0
AUTO_FAIL_RATE = 0.03
SESSION_SHARE = 0.6
MOST_UNEQUAL = 4.0
FULL_SHARE = 0.4


class UnknownHabit(ValueError):
    """No such habit; the message names the nearest."""


def chosen(names: Iterable[str]) -> tuple[str, ...]:
    """The habits of these names; "all" for every one.

    Raises:
        UnknownHabit: with the nearest names.
    """
    if names == "all":
        return tuple(HABITS)
    found = tuple(names)
    for name in found:
        if name not in HABITS:
            near = get_close_matches(name, HABITS, n=3, cutoff=0.4) or sorted(HABITS)
            raise UnknownHabit(f"no habit is called {name!r}; try {', '.join(near)}")
    return found


@dataclass(frozen=True)
class Stay:
    """From which day of the history, and up to which (not included), a person has grades; None is open."""

    first: int | None = None
    last: int | None = None

    def includes(self, day: int) -> bool:
        return (self.first is None or day >= self.first) and (self.last is None or day < self.last)


class Habits:
    """The habits of a centre. Without any name, nothing of the centre changes."""

    def __init__(self, names: Iterable[str], *, seed: int, start: datetime, groups: list[Group], graders: int) -> None:
        self._on = set(names)
        self._seed, self._start, self._graders = seed, start, graders
        self._place = {group.group_id: number for number, group in enumerate(groups)}

    def __contains__(self, name: object) -> bool:
        return name in self._on

    def usual_grader(self, person: Person) -> int | None:
        """The number of the user who grades the person's team; None without this habit."""
        if TEAM_GRADERS not in self:
            return None
        team = self._place[person.groups[0]] if person.groups else person.number
        return team % self._graders

    def mood(self, grader: int, moment: datetime) -> float:
        """Points that a grader gives beyond the usual on a day."""
        if MOODS not in self:
            return 0.0
        return round(draws(self._seed, HABIT, 1, grader, moment.date().toordinal()).gauss(0, MOOD_SD), 2)

    def trend(self, moment: datetime) -> float:
        """Points that everybody's quality has risen by since the start."""
        if TREND not in self:
            return 0.0
        return TREND_POINTS * (moment - self._start).total_seconds() / (30 * 86_400)

    def stay(self, person: Person) -> Stay:
        """When the person is there."""
        if JOINERS not in self:
            return Stay()
        rng = draws(self._seed, HABIT, 2, person.number)
        joined, left = 10 + int(rng.random() * 80), 30 + int(rng.random() * 90)
        return {0: Stay(first=joined), 2: Stay(last=left)}.get(person.number % 4, Stay())

    def pace(self, person: Person) -> float:
        """How many times the usual number of grades the person has."""
        if UNEQUAL not in self:
            return 1.0
        rng = draws(self._seed, HABIT, 3, person.number)
        return round(exp(rng.uniform(-log(MOST_UNEQUAL), log(MOST_UNEQUAL))), 3)
