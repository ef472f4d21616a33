"""What a coaching session is worth, answered four ways from the same trials."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from maestro_analytics.analysis.statistics.codes import Codes
from maestro_analytics.analysis.statistics.intervals import Floats
from maestro_analytics.analysis.statistics.matching import Matching
from maestro_analytics.analysis.statistics.one_thread import one_thread
from maestro_analytics.analysis.statistics.regression import Coefficient, coefficient, first_coefficient
from maestro_analytics.analysis.statistics.trials import Trials

BLOCK_DAYS = 28
CALIPER = 0.4
NEIGHBOURS = 10
JACKKNIFE_GROUPS = 30


@dataclass(frozen=True)
class Effect:
    """One way of answering, in points."""

    method: str
    effect: Coefficient
    coached: int
    controls: int
    gap_before: float


@one_thread()
def estimates(made: Trials, *, confidence: float) -> list[Effect]:
    """The same question answered four ways, from the one that misleads most to those that do not.

    before and after       what a dashboard shows
    against all uncoached  difference in differences; the uncoached get worse for no reason but luck
    matched                controls of the same recent and longer-run score, team and weeks, then adjusted for the rest
    adjusted (ANCOVA)      all uncoached, with both scores before, team and weeks in a regression
    """
    coached = made.coached
    change = made.after - made.recent
    one = np.ones(len(change))
    enough = made.after_n >= min(5.0, float(np.median(made.after_n)) if len(change) else 5.0)
    effects = []

    before_after = _mean_of(change[coached & enough], made.person[coached & enough], confidence)
    effects.append(Effect("before and after", before_after, int((coached & enough).sum()), 0, float("nan")))

    design = np.column_stack([coached, one])[enough]
    naive = first_coefficient(design, change[enough], cluster=made.person[enough], confidence=confidence)
    effects.append(_effect("against all uncoached", naive, made.only(enough), None))

    weights = _grades(made, *matched_weights(made))
    matched = _matched(made, weights, confidence=confidence)
    effects.append(_effect("matched", matched, made.only(weights > 0), weights[weights > 0]))

    everyone = np.column_stack([_design(made), _dummies(made.team), _dummies(made.question)])
    ancova = first_coefficient(everyone, made.after, cluster=made.person, weight=made.after_n, confidence=confidence)
    effects.append(_effect("adjusted (ANCOVA)", ancova, made, made.after_n))
    return effects


@one_thread()
def matched_effect(made: Trials, method: str, *, confidence: float) -> Effect:
    """The matched comparison alone, under another name: for a part of the trials, or a placebo."""
    weights = _grades(made, *matched_weights(made))
    return _effect(method, _matched(made, weights, confidence=confidence), made.only(weights > 0), weights[weights > 0])


def _matched(made: Trials, weights: Floats, *, confidence: float) -> Coefficient:
    """The matched effect; its error from leaving out a thirtieth of the agents at a time and matching again.

    Taking the matches for given is too sure: 95 % intervals covered 0.92 of 250 simulated centres, these 0.95 to 0.97.
    """
    from scipy import special

    design, matching = _design(made), _matching(made)
    value = coefficient(design, made.after, weights)
    coached_persons = np.unique(made.person[made.coached & (weights > 0)])
    control_persons = np.unique(made.person[~made.coached & (weights > 0)])
    persons = np.union1d(coached_persons, control_persons)
    if np.isnan(value) or min(len(coached_persons), len(control_persons)) < 3:
        return Coefficient(value, float("nan"), float("nan"), len(persons))
    groups = min(JACKKNIFE_GROUPS, len(persons))
    order = np.lexsort((np.random.default_rng(0).permutation(len(persons)), np.isin(persons, coached_persons)))
    group_of = np.full(int(made.person.max()) + 1, -1)
    group_of[persons[order]] = np.arange(len(persons)) % groups
    left_out = []
    for group in range(groups):
        rest = group_of[made.person] != group
        left_out.append(coefficient(design, made.after, _grades(made, *_weights(made, matching, rest))))
    values = np.array(left_out)
    error = float(np.sqrt(((values - values.mean()) ** 2).sum() * (groups - 1) / groups))
    reach = float(special.stdtrit(groups - 1, 0.5 + confidence / 2)) * error
    return Coefficient(value, value - reach, value + reach, len(persons))


def _design(made: Trials) -> Floats:
    """Coached or not, the scores before, and the weeks."""
    one = np.ones(len(made.coached))
    columns = [made.coached, one, made.recent, made.history, made.latest, _dummies(made.day // BLOCK_DAYS)]
    return np.asarray(np.column_stack(columns), dtype=float)


def due_to_scores_before(made: Trials, found: npt.NDArray[np.bool_], weight: Floats) -> float:
    """The part of the plain gap between the coached and their matched controls that comes from earlier scores.

    In points. The matched effect is the plain gap minus this part. 0 if the effect cannot be estimated.
    """
    weights = _grades(made, found, weight)
    coached = made.coached
    effect = coefficient(_design(made), made.after, weights)
    if np.isnan(effect) or not (weights[coached].sum() and weights[~coached].sum()):
        return 0.0
    means = [np.average(made.after[group], weights=weights[group]) for group in (coached, ~coached)]
    return float(means[0] - means[1] - effect)


def matched_weights(made: Trials) -> tuple[npt.NDArray[np.bool_], Floats]:
    """Which coached entries found controls, and the weight of each control."""
    return _weights(made, _matching(made), np.ones(len(made.coached), dtype=bool))


def _grades(made: Trials, found: npt.NDArray[np.bool_], weight: Floats) -> Floats:
    """What each entry weighs in the matched comparison: its matches times its grades after."""
    return np.where(made.coached, found.astype(float), weight) * made.after_n


def _matching(made: Trials) -> Matching:
    """Coached entries beside others by both scores before, on a common scale, of the same question, team and weeks."""
    spread = [max(float(values.std()), 1e-9) if len(values) else 1.0 for values in (made.recent, made.history)]
    place = np.column_stack([made.recent, made.history]) / spread
    block = made.day // BLOCK_DAYS * (int(made.team.max(initial=0)) + 1) + made.team
    block = block * (int(made.question.max(initial=0)) + 1) + made.question
    coached = made.coached
    return Matching(
        place[coached],
        place[~coached],
        treated_block=block[coached],
        control_block=block[~coached],
        k=NEIGHBOURS,
        caliper=CALIPER,
    )


def _weights(made: Trials, matching: Matching, rest: npt.NDArray[np.bool_]) -> tuple[npt.NDArray[np.bool_], Floats]:
    """The matches of the entries in `rest` among themselves."""
    found, weight = np.zeros(len(made.coached), dtype=bool), np.zeros(len(made.coached))
    found[made.coached], weight[~made.coached] = matching.weights(rest[made.coached], rest[~made.coached])
    return found, weight


def _mean_of(values: Floats, cluster: Codes, confidence: float) -> Coefficient:
    """A mean with clustered error: least squares on a constant."""
    from scipy import special

    groups = np.unique(cluster, return_inverse=True)[1]
    clusters = int(groups.max()) + 1 if len(groups) else 0
    if clusters < 3:
        return Coefficient(float("nan"), float("nan"), float("nan"), clusters)
    mean = float(values.mean())
    scores = np.bincount(groups, values - mean)
    error = float(np.sqrt((scores**2).sum() * clusters / (clusters - 1))) / len(values)
    reach = float(special.stdtrit(clusters - 1, 0.5 + confidence / 2)) * error
    return Coefficient(mean, mean - reach, mean + reach, clusters)


def _dummies(codes: Codes) -> Floats:
    """A column for each value but the first."""
    values, inverse = np.unique(codes, return_inverse=True)
    return np.eye(len(values))[inverse][:, 1:]


def _effect(method: str, effect: Coefficient, used: Trials, weights: Floats | None) -> Effect:
    coached = used.coached
    w = np.ones(len(coached)) if weights is None else weights
    gap = float("nan")
    if w[coached].sum() > 0 and w[~coached].sum() > 0:
        gap = float(np.average(used.recent[coached], weights=w[coached]))
        gap -= float(np.average(used.recent[~coached], weights=w[~coached]))
    return Effect(method, effect, int(coached.sum()), int((~coached).sum()), gap)
