"""Checks of a coaching effect: an imputation estimator, a placebo, and who was coached for what.

The matched comparison resists regression to the mean, but not every reason for coaching: agents who were coached
because they are new, because of an auto-fail, or because a coach knows that they are weak differ from agents of the
same recent scores. Each check looks for one of those.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from maestro_analytics.analysis.statistics.codes import Codes
from maestro_analytics.analysis.statistics.intervals import Floats
from maestro_analytics.analysis.statistics.one_thread import one_thread
from maestro_analytics.analysis.statistics.regression import Coefficient
from maestro_analytics.analysis.statistics.trials import Panel, Trials

GROUPS = 30
NEW_DAYS = 84
UNKNOWN = Coefficient(float("nan"), float("nan"), float("nan"), 0)


@dataclass(frozen=True)
class Selection:
    """How coached and others differ before the session; shares between 0 and 1, points otherwise.

    Attributes:
        autofail_coached, autofail_others: share with an auto-fail in the window before.
        new_coached, new_others: share whose first grade was less than `NEW_DAYS` before.
        dip: how much lower the coached scored in the window before than in their earlier time, less the same of the
            others; clearly negative where sessions follow bad weeks.
        standing: how much lower the coached scored in their earlier time than the others.
    """

    autofail_coached: float
    autofail_others: float
    new_coached: float
    new_others: float
    dip: Coefficient
    standing: Coefficient


def selection(made: Trials, panel: Panel, zeros: Panel | None, *, before: int, confidence: float) -> Selection:
    """What the sessions were given for, as far as the scores before show."""
    coached = made.coached
    early_n, early_sum = panel.window(made.person, np.zeros_like(made.day), made.day - before)
    known = early_n >= 3
    early = early_sum / np.maximum(early_n, 1)
    failed = (
        np.zeros(len(coached)) if zeros is None else zeros.window(made.person, made.day - before, made.day + 1)[0] > 0
    )
    new = newcomers(made, panel)
    return Selection(
        _mean(failed[coached]),
        _mean(failed[~coached]),
        _mean(new[coached]),
        _mean(new[~coached]),
        _difference(made.recent - early, made, known, confidence),
        _difference(early, made, known, confidence),
    )


def newcomers(made: Trials, panel: Panel) -> npt.NDArray[np.bool_]:
    """Whose first grade was less than `NEW_DAYS` before the session, and not in the first weeks of the data."""
    graded = panel.counts[:, 1:] > 0
    first = np.where(graded.any(1), graded.argmax(1), 0)
    start = int(first.min(initial=0))
    return np.asarray((made.day - first[made.person] < NEW_DAYS) & (first[made.person] > start + 14))


@one_thread()
def imputation(panel: Panel, person: Codes, day: Codes, *, after: int, confidence: float) -> tuple[Coefficient, int]:
    """Scores after each person's first session beside those expected from the person's earlier scores and the weeks.

    score = person + week is fitted to all weeks before a person's first session and to persons without one; the error
    comes from leaving out a thirtieth of the persons at a time. Unbiased where coaches pick weak agents, too high where
    a session follows bad weeks that pass by themselves.

    Returns:
        the effect, and how many persons with a session it is from.
    """
    from scipy import special

    weeks = (panel.counts.shape[1] - 1) // 7
    persons = len(panel.counts)
    if weeks < 3 or not len(person):
        return UNKNOWN, 0
    edges = np.arange(weeks + 1) * 7
    n, total = (np.diff(values[:, edges], axis=1) for values in (panel.counts, panel.sums))
    first = np.full(persons, weeks * 7 + 1)
    np.minimum.at(first, person, day)
    start = np.arange(weeks) * 7
    untreated = start[None, :] + 7 <= first[:, None]
    treated = (start[None, :] > first[:, None]) & (start[None, :] < first[:, None] + after)
    weeks_before = _Weeks(n * untreated, total * untreated, n * treated, total * treated)
    value, coached = weeks_before.imputed()
    if np.isnan(value) or coached < 3:
        return UNKNOWN, coached
    order = np.lexsort((np.random.default_rng(0).permutation(persons), first > weeks * 7))
    group = np.empty(persons, dtype=int)
    group[order] = np.arange(persons) % GROUPS
    left = np.array([weeks_before.imputed(group == each)[0] for each in range(GROUPS)])
    left = left[np.isfinite(left)]
    if len(left) < 3:
        return UNKNOWN, coached
    error = float(np.sqrt(((left - left.mean()) ** 2).sum() * (len(left) - 1) / len(left)))
    reach = float(special.stdtrit(min(len(left), coached) - 1, 0.5 + confidence / 2)) * error
    return Coefficient(value, value - reach, value + reach, persons), coached


class _Weeks:
    """score = person + week; persons are absorbed, so that the system that is solved has a row for each week.

    Args:
        n, total: grades and their sum by person and week, where a person has not been coached.
        after_n, after: the same where a person has just been coached.
    """

    def __init__(self, n: Floats, total: Floats, after_n: Floats, after: Floats) -> None:
        self._of_person = n.sum(1)
        known = self._of_person >= 3
        self._n, self._after_n, self._after = n, after_n * known[:, None], after * known[:, None]
        self._share = n / np.maximum(self._of_person, 1e-9)[:, None]
        self._mean = total.sum(1) / np.maximum(self._of_person, 1e-9)
        self._total = total
        self._matrix, self._right, self._of_week = self._equations(slice(None))

    def _equations(self, chosen: slice | npt.NDArray[np.bool_]) -> tuple[Floats, Floats, Floats]:
        n = self._n[chosen]
        of_week = n.sum(0)
        right = self._total[chosen].sum(0) - self._mean[chosen] @ n
        return np.diag(of_week) - n.T @ self._share[chosen], right, of_week

    def imputed(self, left_out: npt.NDArray[np.bool_] | None = None) -> tuple[float, int]:
        """Score after less the score expected, and how many persons that is from; some persons can be left out."""
        matrix, right, of_week = self._matrix, self._right, self._of_week
        after_n, after = self._after_n, self._after
        if left_out is not None:
            parts = self._equations(left_out)
            matrix, right, of_week = matrix - parts[0], right - parts[1], of_week - parts[2]
            after_n, after = after_n * ~left_out[:, None], after * ~left_out[:, None]
        there = of_week > 0.5
        counted = after_n * there
        if not counted.sum():
            return float("nan"), 0
        week = np.zeros(len(of_week))
        week[there] = np.linalg.pinv(matrix[np.ix_(there, there)], rcond=1e-9, hermitian=True) @ right[there]
        of_person = counted.sum(1)
        expected = of_person @ (self._mean - self._share @ week) + counted.sum(0) @ week
        return float(((after * there).sum() - expected) / counted.sum()), int((of_person > 0).sum())


def _difference(values: Floats, made: Trials, known: npt.NDArray[np.bool_], confidence: float) -> Coefficient:
    """Mean of the coached less mean of the others, errors clustered by person."""
    from scipy import special

    parts = []
    for chosen in (made.coached & known, ~made.coached & known):
        if chosen.sum() < 3:
            return UNKNOWN
        mean = float(values[chosen].mean())
        persons = np.unique(made.person[chosen], return_inverse=True)[1]
        scores = np.bincount(persons, values[chosen] - mean)
        groups = len(scores)
        if groups < 3:
            return UNKNOWN
        parts.append((mean, float((scores**2).sum()) / chosen.sum() ** 2 * groups / (groups - 1), groups))
    value, error = parts[0][0] - parts[1][0], (parts[0][1] + parts[1][1]) ** 0.5
    reach = float(special.stdtrit(parts[0][2] - 1, 0.5 + confidence / 2)) * error
    return Coefficient(value, value - reach, value + reach, parts[0][2] + parts[1][2])


def _mean(values: npt.NDArray[np.bool_] | Floats) -> float:
    return float(np.mean(values)) if len(values) else float("nan")
