"""What a coaching session is worth, answered four ways from the same trials, and checks of that effect.

The matched comparison resists regression to the mean, but not every reason for coaching: agents who were coached
because they are new, because of an auto-fail, or because a coach knows that they are weak differ from agents of the
same recent scores. Each check (an imputation estimator, a placebo, who was coached for what) looks for one of those.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from maestro_analytics.analysis.statistics.arrays import Codes, Flags, Floats, one_thread
from maestro_analytics.analysis.statistics.trials import Matching, Panel, Trials


@dataclass(frozen=True)
class Coefficient:
    """One coefficient with its interval; nan where it cannot be estimated."""

    value: float
    lo: float
    hi: float
    clusters: int

    @classmethod
    def with_error(cls, value: float, error: float, clusters: int, *, freedom: float, confidence: float) -> Coefficient:
        """A coefficient with its t interval, from its standard error."""
        from scipy import special

        reach = float(special.stdtrit(freedom, 0.5 + confidence / 2)) * error
        return cls(value, value - reach, value + reach, clusters)

    @classmethod
    def unknown(cls, clusters: int = 0, *, value: float = float("nan")) -> Coefficient:
        """Nothing, or a value alone, could be estimated."""
        return cls(value, float("nan"), float("nan"), clusters)


@dataclass(frozen=True)
class _Solved:
    """Weighted least squares, solved with columns scaled to one length; `columns` are those that are not all 0."""

    columns: Flags
    scale: Floats
    gram: Floats
    inverse: Floats
    solution: Floats

    @property
    def first(self) -> float:
        """The coefficient of the first column, in its own unit."""
        return float(self.solution[0] / self.scale[0])


ALIKE = 1e6
"""First entry of the inverse, beyond which the first column cannot be told from the others: what is left of it beside
those is its inverse."""


def first_coefficient(
    design: Floats, outcome: Floats, *, cluster: Codes, weight: Floats | None = None, confidence: float = 0.95
) -> Coefficient:
    """Least squares; the coefficient of the first column, its error from leaving out one cluster at a time.

    The jackknife (CR3) allows for few and unequal clusters, where the usual sandwich is too sure: with 100 clusters and
    matched controls its nominal 95 % intervals covered 0.91, these 0.95. t with clusters - 1 degrees of freedom.
    Columns that depend on others are harmless; a first column that does is not estimable. One that does without the
    rows of a single cluster has a value and no interval.
    """
    w = np.ones(len(outcome)) if weight is None else weight
    used = w > 0
    x, y, w = design[used], outcome[used], w[used]
    groups = np.unique(cluster[used], return_inverse=True)[1]
    clusters = int(groups.max()) + 1 if len(groups) else 0
    solved = _solved(x, y, w) if clusters > 2 else None
    if solved is None:
        return Coefficient.unknown(clusters)
    root = np.sqrt(w)
    rows = x[:, solved.columns] * root[:, None] / solved.scale
    residual = (y - np.average(y, weights=w)) * root - rows @ solved.solution
    falls = _falls(solved, rows, residual, groups) / solved.scale[0]
    error = _jackknifed(falls)
    return Coefficient.with_error(solved.first, error, clusters, freedom=clusters - 1, confidence=confidence)


def _jackknifed(left_out: Floats) -> float:
    """The standard error of an estimate, from the estimates without one cluster after another, or their changes."""
    return float(np.sqrt(((left_out - left_out.mean()) ** 2).sum() * (len(left_out) - 1) / len(left_out)))


def _clustered_mean(values: Floats, cluster: Codes) -> tuple[float, float, int]:
    """A mean, its variance when values of a cluster resemble each other, and how many clusters there are.

    Both are nan below three clusters.
    """
    groups = np.unique(cluster, return_inverse=True)[1]
    clusters = int(groups.max()) + 1 if len(groups) else 0
    if clusters < 3:
        return float("nan"), float("nan"), clusters
    mean = float(values.mean())
    scores = np.bincount(groups, values - mean)
    return mean, float((scores**2).sum()) / len(values) ** 2 * clusters / (clusters - 1), clusters


def coefficient(design: Floats, outcome: Floats, weight: Floats) -> float:
    """The coefficient of the first column alone; nan where it cannot be told from the others."""
    used = weight > 0
    solved = _solved(design[used], outcome[used], weight[used])
    return float("nan") if solved is None else solved.first


def _solved(x: Floats, y: Floats, weight: Floats) -> _Solved | None:
    """The solution; None where the first column cannot be told from the others."""
    if not len(x) or np.ptp(x[:, 0]) == 0:
        return None
    root = np.sqrt(weight)
    rows = x * root[:, None]
    gram = rows.T @ rows  # a matrix times itself, which takes half the time of a product of two
    columns = np.diagonal(gram) > 0
    scale = np.sqrt(np.diagonal(gram)[columns])
    gram = gram[np.ix_(columns, columns)] / np.outer(scale, scale) + 1e-9 * np.eye(len(scale))
    inverse = np.linalg.inv(gram)
    if inverse[0, 0] > ALIKE:
        return None
    solution = inverse @ ((rows.T @ (root * (y - np.average(y, weights=weight))))[columns] / scale)
    return _Solved(columns, scale, gram, inverse, solution)


def _falls(solved: _Solved, rows: Floats, residual: Floats, groups: Codes) -> Floats:
    """By how much the first coefficient falls when a cluster goes, for each cluster: exact, without solving anew.

    Without the cluster's rows U and residuals r (scaled, and times the root of their weight) it falls by the first
    entry of (X'X - U'U)^-1 U'r; where a cluster has fewer rows than there are columns, Woodbury's identity gives the
    same from a system as large as the cluster. Clusters of one size are solved together. With 5,000 clusters and 77
    columns a fifth of the time of one solve each. nan for a cluster without which the first column depends on others:
    its coefficient would be made of rounding errors.
    """
    order = np.argsort(groups, kind="stable")
    sizes = np.bincount(groups)
    starts = np.cumsum(sizes) - sizes
    falls, left_of_first = np.empty((2, len(sizes)))
    for size in np.unique(sizes):
        found = np.flatnonzero(sizes == size)
        members = order[starts[found][:, None] + np.arange(size)]
        theirs, left_over = rows[members], residual[members][..., None]
        across = theirs.transpose(0, 2, 1)
        if size > len(solved.gram):
            inverse = np.linalg.inv(solved.gram - across @ theirs)
            falls[found] = (inverse[:, :1] @ across @ left_over)[:, 0, 0]
            left_of_first[found] = inverse[:, 0, 0]
        else:
            left = theirs @ solved.inverse
            rest = np.linalg.solve(np.eye(size) - left @ across, np.concatenate([left_over, left[..., :1]], axis=2))
            falls[found], more = (left[..., :1] * rest).sum(1).T
            left_of_first[found] = solved.inverse[0, 0] + more
    return np.where(np.abs(left_of_first) < ALIKE, falls, np.nan)


BLOCK_DAYS = 28
CALIPER = 0.4
NEIGHBOURS = 10
GROUPS = 30
"""Into so many groups agents are divided for a jackknife, which leaves out one group at a time."""


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

    mean, variance, agents = _clustered_mean(change[coached & enough], made.person[coached & enough])
    before_after = Coefficient.with_error(mean, variance**0.5, agents, freedom=agents - 1, confidence=confidence)
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
    design, matching = _design(made), _matching(made)
    value = coefficient(design, made.after, weights)
    coached_persons = np.unique(made.person[made.coached & (weights > 0)])
    control_persons = np.unique(made.person[~made.coached & (weights > 0)])
    persons = np.union1d(coached_persons, control_persons)
    if np.isnan(value) or min(len(coached_persons), len(control_persons)) < 3:
        return Coefficient.unknown(len(persons), value=value)
    groups = min(GROUPS, len(persons))
    order = np.lexsort((np.random.default_rng(0).permutation(len(persons)), np.isin(persons, coached_persons)))
    group_of = np.full(int(made.person.max()) + 1, -1)
    group_of[persons[order]] = np.arange(len(persons)) % groups
    left_out = []
    for group in range(groups):
        rest = group_of[made.person] != group
        left_out.append(coefficient(design, made.after, _grades(made, *_weights(made, matching, rest))))
    error = _jackknifed(np.array(left_out))
    return Coefficient.with_error(value, error, len(persons), freedom=groups - 1, confidence=confidence)


def _design(made: Trials) -> Floats:
    """Coached or not, the scores before, and the weeks."""
    one = np.ones(len(made.coached))
    columns = [made.coached, one, made.recent, made.history, made.latest, _dummies(made.day // BLOCK_DAYS)]
    return np.asarray(np.column_stack(columns), dtype=float)


def due_to_scores_before(made: Trials, found: Flags, weight: Floats) -> float:
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


def matched_weights(made: Trials) -> tuple[Flags, Floats]:
    """Which coached entries found controls, and the weight of each control."""
    return _weights(made, _matching(made), np.ones(len(made.coached), dtype=bool))


def _grades(made: Trials, found: Flags, weight: Floats) -> Floats:
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


def _weights(made: Trials, matching: Matching, rest: Flags) -> tuple[Flags, Floats]:
    """The matches of the entries in `rest` among themselves."""
    found, weight = np.zeros(len(made.coached), dtype=bool), np.zeros(len(made.coached))
    found[made.coached], weight[~made.coached] = matching.weights(rest[made.coached], rest[~made.coached])
    return found, weight


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


NEW_DAYS = 84


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


def newcomers(made: Trials, panel: Panel) -> Flags:
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
    weeks = (panel.counts.shape[1] - 1) // 7
    persons = len(panel.counts)
    if weeks < 3 or not len(person):
        return Coefficient.unknown(), 0
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
        return Coefficient.unknown(), coached
    order = np.lexsort((np.random.default_rng(0).permutation(persons), first > weeks * 7))
    group = np.empty(persons, dtype=int)
    group[order] = np.arange(persons) % GROUPS
    left = np.array([weeks_before.imputed(group == each)[0] for each in range(GROUPS)])
    left = left[np.isfinite(left)]
    if len(left) < 3:
        return Coefficient.unknown(), coached
    freedom = min(len(left), coached) - 1
    return Coefficient.with_error(value, _jackknifed(left), persons, freedom=freedom, confidence=confidence), coached


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

    def _equations(self, chosen: slice | Flags) -> tuple[Floats, Floats, Floats]:
        n = self._n[chosen]
        of_week = n.sum(0)
        right = self._total[chosen].sum(0) - self._mean[chosen] @ n
        return np.diag(of_week) - n.T @ self._share[chosen], right, of_week

    def imputed(self, left_out: Flags | None = None) -> tuple[float, int]:
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


def _difference(values: Floats, made: Trials, known: Flags, confidence: float) -> Coefficient:
    """Mean of the coached less mean of the others, errors clustered by person."""
    sides = (made.coached & known, ~made.coached & known)
    (mean, variance, coached), (others, others_variance, not_coached) = (
        _clustered_mean(values[side], made.person[side]) for side in sides
    )
    if min(coached, not_coached) < 3:
        return Coefficient.unknown()
    error = (variance + others_variance) ** 0.5
    return Coefficient.with_error(
        mean - others, error, coached + not_coached, freedom=coached - 1, confidence=confidence
    )


def _mean(values: Flags | Floats) -> float:
    return float(np.mean(values)) if len(values) else float("nan")
