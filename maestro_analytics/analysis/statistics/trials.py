"""Trials of coaching: on each day with a session, the agents coached beside those who were not coached that day.

Low scores are partly bad luck, and bad luck does not last: agents chosen for a low month improve without any coaching
(regression to the mean), and agents who were not chosen get worse. So a coached agent is compared with agents of the
same recent scores, the same team and the same weeks, who were not coached.

    before      the 28 days up to and with the day of the session (`recent`), their last 14 (`latest`), and twice as
                long (`history`): a session is often given for a grade of the same day, which thus is one before
    after       the 28 days from the day after it, cut off after the day of the person's next session

The score after is weighted by its grades: then stopping at the next session, which comes after bad scores, does not
tilt the mean. (Leaving out whoever is coached later would: it removes the controls that got worse.)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np

from maestro_analytics.analysis.statistics.arrays import Codes, Flags, Floats

MOST_CONTROLS = 40_000


@dataclass(frozen=True)
class Panel:
    """Grades by person and day: running counts and sums, so that any window is one subtraction.

    Attributes:
        counts, sums: shape (persons, days + 1), starting with 0.
        team: a number for each person.
    """

    counts: Floats
    sums: Floats
    team: Codes

    @classmethod
    def of(cls, person: Codes, day: Codes, n: Floats, total: Floats, *, persons: int, days: int, team: Codes) -> Panel:
        """From rows of person, day, number of grades and sum of their scores; days count from 0."""
        at = person * days + day
        counts, sums = np.zeros((2, persons, days + 1))
        for running, values in ((counts, n), (sums, total)):
            np.bincount(at, values, minlength=persons * days).reshape(persons, days).cumsum(1, out=running[:, 1:])
        return cls(counts, sums, team)

    def window(self, person: Codes, start: Codes, end: Codes) -> tuple[Floats, Floats]:
        """Number and sum of the grades from day `start` up to, not including, day `end`."""
        last = self.counts.shape[1] - 1
        low, high = np.clip(start, 0, last), np.clip(end, 0, last)
        high = np.maximum(low, high)
        return (self.counts[person, high] - self.counts[person, low], self.sums[person, high] - self.sums[person, low])


@dataclass(frozen=True)
class Trials:
    """One entry per person and day of decision; coached or not.

    Attributes:
        recent, history: mean before, `history` shrunk towards the mean of all by its own noise.
        latest: mean of the last half of the time before; `recent` where that has no grades.
        after_n: grades after.
        after: mean after; 0 where there are no grades after.
        question: which question it is about; 0 where it is about whole grades.
    """

    person: Codes
    day: Codes
    coached: Flags
    recent: Floats
    history: Floats
    latest: Floats
    after: Floats
    after_n: Floats
    team: Codes
    question: Codes

    @classmethod
    def of_all(cls, parts: Sequence[Trials]) -> Trials:
        """The entries of several questions together."""
        return cls(**{field.name: np.concatenate([vars(part)[field.name] for part in parts]) for field in fields(cls)})

    def only(self, chosen: Flags) -> Trials:
        """The chosen entries."""
        return Trials(**{name: value[chosen] for name, value in vars(self).items()})


def trials(
    panel: Panel,
    session_person: Codes,
    session_day: Codes,
    wanted: Flags,
    *,
    before: int,
    after: int,
    min_n: int,
    seed: int,
    question: int = 0,
    most_controls: int = MOST_CONTROLS,
) -> tuple[Trials, int]:
    """The trials of all `wanted` sessions, and how many sessions had to be left out.

    Left out are sessions with fewer than `min_n` grades in the `before` days, none after, or another session of the
    person within twice `before` days before.
    """
    order = np.lexsort((session_day, session_person))
    session_person, session_day, wanted = session_person[order], session_day[order], wanted[order]
    days = panel.counts.shape[1] - 1
    stride = days + 4 * before + 2 * after + 2
    key = session_person * stride + session_day
    decision_days = np.unique(session_day[wanted])
    everyone = np.repeat(np.arange(len(panel.team)), len(decision_days))
    grid = np.tile(decision_days, len(panel.team))
    coached_then = np.isin(everyone * stride + grid, key)
    everyone, grid = everyone[~coached_then], grid[~coached_then]
    if len(everyone) > most_controls:
        kept = np.sort(np.random.default_rng(seed).choice(len(everyone), most_controls, replace=False))
        everyone, grid = everyone[kept], grid[kept]
    mine, first = np.unique(key[wanted], return_index=True)
    person = np.concatenate([session_person[wanted][first], everyone])
    day = np.concatenate([session_day[wanted][first], grid])
    coached = np.arange(len(person)) < len(mine)

    at = person * stride + day
    previous = np.searchsorted(key, at, side="left") - 1
    coached_before = (previous >= 0) & (key[previous] >= at - 2 * before) & (session_person[previous] == person)
    following = np.minimum(np.searchsorted(key, at, side="right"), max(len(key) - 1, 0))
    is_next = (key[following] > at) & (session_person[following] == person)
    end = np.where(is_next, np.minimum(day + 1 + after, session_day[following] + 1), day + 1 + after)

    recent_n, recent_sum = panel.window(person, day - before, day + 1)
    history_n, history_sum = panel.window(person, day - 2 * before, day + 1)
    latest_n, latest_sum = panel.window(person, day - before // 2, day + 1)
    after_n, after_sum = panel.window(person, day + 1, end)
    usable = (recent_n >= min_n) & (after_n > 0) & ~coached_before
    recent = recent_sum / np.maximum(recent_n, 1)
    made = Trials(
        person=person,
        day=day,
        coached=coached,
        recent=recent,
        history=_shrunk(history_n, history_sum, usable & ~coached),
        latest=np.where(latest_n > 0, latest_sum / np.maximum(latest_n, 1), recent),
        after=after_sum / np.maximum(after_n, 1),
        after_n=after_n,
        team=panel.team[person],
        question=np.full(len(person), question),
    )
    return made.only(usable), int(wanted.sum() - usable[coached].sum())


def _shrunk(n: Floats, total: Floats, typical: Flags) -> Floats:
    """Means drawn towards that of all: a mean of few grades says less about the next ones."""
    mean = total / np.maximum(n, 1)
    if typical.sum() < 3:
        return mean
    x, count = mean[typical], n[typical]
    short, long = count <= np.median(count), count > np.median(count)
    if not short.any() or not long.any():
        return mean
    # Var(mean) = between + within / n, so two groups of different n tell the two apart.
    slope = (x[short].var() - x[long].var()) / ((1 / count[short]).mean() - (1 / count[long]).mean())
    within = min(max(float(slope), 0.0), float(x.var() * np.median(count)))
    between = max(float(x.var() - within * (1 / count).mean()), 1e-6)
    kept = between / (between + within / np.maximum(n, 1e-9))
    return np.asarray(kept * mean + (1 - kept) * x.mean(), dtype=float)


@dataclass(frozen=True)
class Window:
    """Days before and after a session that are looked at."""

    before: int
    after: int


@dataclass(frozen=True)
class Coached:
    """Scores by person and day, and the sessions, as numbers: of whole grades, or of one question.

    Attributes:
        panel: the scores.
        zeros: the scores of grades of 0 percent, which are auto-fails as far as the files tell. None for questions, and
            where no grade is of 0 percent.
        person, day, wanted: one entry per session: who, when, and whether the period and filters choose it.
    """

    panel: Panel
    zeros: Panel | None
    person: Codes
    day: Codes
    wanted: Flags

    @property
    def without_zeros(self) -> Coached:
        """The same without grades of 0 percent."""
        if self.zeros is None:
            return self
        counts, sums = self.panel.counts - self.zeros.counts, self.panel.sums - self.zeros.sums
        return replace(self, panel=Panel(counts, sums, self.panel.team))

    def earlier(self, days: int) -> Coached:
        """The same with all sessions so many days earlier: a placebo."""
        kept = self.day >= days
        return replace(self, person=self.person[kept], day=self.day[kept] - days, wanted=self.wanted[kept])

    def trials(
        self, window: Window, *, min_n: int, seed: int, question: int = 0, most_controls: int = MOST_CONTROLS
    ) -> tuple[Trials, int]:
        """The trials of the sessions, and how many sessions had to be left out; see `trials`."""
        return trials(
            self.panel,
            self.person,
            self.day,
            self.wanted,
            before=window.before,
            after=window.after,
            min_n=min_n,
            seed=seed,
            question=question,
            most_controls=most_controls,
        )

    def next_session(self, person: Codes, day: Codes) -> Codes:
        """The day of each person's next session after `day`; a day far off without one."""
        never = int(self.panel.counts.shape[1]) + 1000
        key = np.sort(self.person * never + self.day)
        at = np.searchsorted(key, person * never + day, side="right")
        whose, found = np.divmod(np.append(key, -1)[at], never)
        return np.where(whose == person, found, never)


class Matching:
    """Treated rows and the control rows of the same block within reach, with replacement.

    Args:
        treated, control: what to match on, one row each, already on a common scale.
        treated_block, control_block: only rows of the same block are matched.
        k: how many controls a treated row is matched with, the nearest.
        caliper: controls farther away than this do not count.
    """

    def __init__(
        self, treated: Floats, control: Floats, *, treated_block: Codes, control_block: Codes, k: int, caliper: float
    ) -> None:
        from scipy.spatial import cKDTree

        # Blocks lie so far apart that no neighbour within the caliper is in another one: one tree serves all.
        apart = 1000.0 * (caliper + 1)
        self._treated = np.column_stack([treated, treated_block * apart])
        self._controls = len(control)
        # Asked a few times only, a tree that is quickly made is quicker than a good one.
        places = np.column_stack([control, control_block * apart])
        self._tree = cKDTree(places, leafsize=64, balanced_tree=False, compact_nodes=False)
        self._k, self._caliper = k, caliper
        self._look(2 * k)

    def weights(self, treated: Flags | None = None, control: Flags | None = None) -> tuple[Flags, Floats]:
        """Match those chosen (all, when not given).

        Returns:
            which treated rows found a control; weights of the control rows, which sum to the number of those.
        """
        asked = np.ones(len(self._treated), dtype=bool) if treated is None else treated
        there = np.append(np.ones(self._controls, dtype=bool) if control is None else control, False)
        usable = there[self._near] & asked[:, None]
        while ((usable.sum(1) < self._k) & (self._near[:, -1] < self._controls) & asked).any():
            # The nearest were left out, and there may be more behind them.
            self._look(2 * self._near.shape[1])
            usable = there[self._near] & asked[:, None]
        usable &= np.cumsum(usable, axis=1) <= self._k
        matches = usable.sum(1)
        share = np.repeat(1 / np.maximum(matches, 1), matches)
        weight = np.bincount(self._near[usable], share, minlength=self._controls)
        return matches > 0, np.asarray(weight, dtype=float)

    def _look(self, most: int) -> None:
        """Find up to `most` controls of each treated row, the nearest first; `len(control)` where there is no other."""
        if not self._controls or not len(self._treated):
            self._near = np.full((len(self._treated), 1), self._controls)
            return
        _, near = self._tree.query(self._treated, k=min(most, self._controls), distance_upper_bound=self._caliper)
        self._near = near.reshape(len(self._treated), -1)
        if most >= self._controls:  # that is all there are: none behind the last
            self._near = np.column_stack([self._near, np.full(len(self._near), self._controls)])
