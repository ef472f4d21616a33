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
from maestro_analytics.analysis.statistics.regression import Coefficient
from maestro_analytics.analysis.statistics.trials import Panel, Trials

GROUPS = 30
SWEEPS = 30
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
    everyone = np.ones(persons, dtype=bool)
    value, coached = _imputed(n, total, untreated, treated, everyone)
    if np.isnan(value) or coached < 3:
        return UNKNOWN, coached
    order = np.lexsort((np.random.default_rng(0).permutation(persons), first > weeks * 7))
    group = np.empty(persons, dtype=int)
    group[order] = np.arange(persons) % GROUPS
    left = np.array([_imputed(n, total, untreated, treated, group != each)[0] for each in range(GROUPS)])
    left = left[np.isfinite(left)]
    if len(left) < 3:
        return UNKNOWN, coached
    error = float(np.sqrt(((left - left.mean()) ** 2).sum() * (len(left) - 1) / len(left)))
    reach = float(special.stdtrit(min(len(left), coached) - 1, 0.5 + confidence / 2)) * error
    return Coefficient(value, value - reach, value + reach, int(everyone.sum())), coached


def _imputed(
    n: Floats,
    total: Floats,
    untreated: npt.NDArray[np.bool_],
    treated: npt.NDArray[np.bool_],
    kept: npt.NDArray[np.bool_],
) -> tuple[float, int]:
    weight = n * untreated * kept[:, None]
    sums = total * untreated * kept[:, None]
    of_person, of_week = weight.sum(1), weight.sum(0)
    known = (of_person >= 3)[:, None] & (of_week > 0)[None, :]
    week = np.zeros(n.shape[1])
    person = np.zeros(n.shape[0])
    for _ in range(SWEEPS):
        person = (sums.sum(1) - weight @ week) / np.maximum(of_person, 1e-9)
        week = (sums.sum(0) - person @ weight) / np.maximum(of_week, 1e-9)
        week -= np.average(week, weights=of_week) if of_week.sum() else 0.0
    counted = n * treated * known * kept[:, None]
    if not counted.sum():
        return float("nan"), 0
    expected = (counted * (person[:, None] + week[None, :])).sum()
    seen = (total * treated * known * kept[:, None]).sum()
    return float((seen - expected) / counted.sum()), int((counted.sum(1) > 0).sum())


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
