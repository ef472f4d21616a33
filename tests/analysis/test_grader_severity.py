"""Grader severity: exact, recovered from mixed-up raw means, honest about who cannot be compared."""

import numpy as np

from maestro_analytics.analysis.statistics.severity import from_first, grader_effects


def cells(rng, *, bias, quality, grades=40):
    """Strict graders get the good agents: raw means are confounded on purpose."""
    graders, agents = len(bias), len(quality)
    likely = np.exp(-0.08 * np.outer(bias, quality - quality.mean()) / max(bias.std(), 1))
    likely /= likely.sum(0)
    agent = np.repeat(np.arange(agents), grades)
    grader = np.concatenate([rng.choice(graders, grades, p=likely[:, one]) for one in range(agents)])
    rubric = rng.integers(0, 3, len(agent))
    score = quality[agent] + bias[grader] + np.array([0, -6, 4])[rubric] + rng.normal(0, 10, len(agent))
    key, at = np.unique(np.stack([agent, grader, rubric]), axis=1, return_inverse=True)
    sums = [np.bincount(at, values) for values in (np.ones(len(score)), score, score**2)]
    return sums, key, (agent, grader, rubric, score)


def test_effects_are_those_of_alternating_demeaning():
    rng = np.random.default_rng(1)
    sums, key, (agent, grader, rubric, score) = cells(rng, bias=np.array([-5.0, 0, 5]), quality=rng.normal(85, 5, 30))
    effects = [np.zeros(30), np.zeros(3), np.zeros(3)]
    for _ in range(500):
        for at, codes in enumerate((agent, grader, rubric)):
            rest = score - sum(
                effects[other][others] for other, others in enumerate((agent, grader, rubric)) if other != at
            )
            effects[at] = np.bincount(codes, rest) / np.bincount(codes)
    found = grader_effects(*sums, agent=key[0], grader=key[1], other=[key[2]])
    assert np.allclose(effects[1] - effects[1].mean(), found.effect, atol=1e-8)


def test_the_error_is_that_of_least_squares():
    rng = np.random.default_rng(2)
    sums, key, (agent, grader, rubric, score) = cells(rng, bias=np.array([-3.0, 1, 2]), quality=rng.normal(85, 5, 12))
    design = np.hstack([np.eye(12)[agent], np.eye(3)[grader], np.eye(3)[rubric]])
    inverse = np.linalg.pinv(design.T @ design)
    residual = score - design @ (inverse @ design.T @ score)
    variance = (residual**2).sum() / (len(score) - 12 - 2 - 2)
    contrast = np.zeros((3, 18))
    contrast[:, 12:15] = np.eye(3) - 1 / 3
    expected = np.sqrt(np.diag(contrast @ inverse @ contrast.T) * variance)
    found = grader_effects(*sums, agent=key[0], grader=key[1], other=[key[2]])
    assert np.allclose(expected, found.error)
    assert np.isclose(variance**0.5, found.residual_sd)


def test_biases_are_recovered_and_intervals_cover_what_they_promise():
    """200 simulated centres; the raw gap of the strictest grader is wrong in nearly all of them."""
    rng = np.random.default_rng(3)
    bias = np.array([-6.0, -2, 0, 3, 5])
    covered, off, raw_off = [], [], []
    for _ in range(200):
        sums, key, (_, grader, _, score) = cells(rng, bias=bias, quality=rng.normal(85, 6, 40))
        found = grader_effects(*sums, agent=key[0], grader=key[1], other=[key[2]])
        covered.append(np.abs(found.effect - bias) <= 1.96 * found.error)
        off.append(found.effect - bias)
        raw = np.bincount(grader, score) / np.bincount(grader)
        raw_off.append(raw - raw.mean() - bias)
    assert 0.93 <= np.mean(covered) <= 0.97
    assert np.abs(np.mean(off, axis=0)).max() < 0.15
    assert np.abs(np.mean(raw_off, axis=0)).max() > 1.5


def test_graders_who_share_no_agents_are_not_compared():
    """Two graders of agents 0 and 1, two of agents 2 and 3, one alone with agent 4."""
    grader = np.array([0, 1, 0, 1, 2, 3, 2, 3, 4])
    agent = np.array([0, 0, 1, 1, 2, 2, 3, 3, 4])
    score = np.array([80.0, 84, 70, 75, 50, 60, 52, 61, 99])
    found = grader_effects(np.ones(9), score, score**2, agent=agent, grader=grader)
    assert [1, 1, 2, 2, 3] == found.component.tolist()
    assert [2, 2, 2, 2, 1] == found.linked.tolist()
    assert [-2.25, 2.25, -4.75, 4.75] == found.effect[:4].round(9).tolist()
    assert np.isnan(found.effect[4])
    assert np.isnan(found.error[4])


def test_too_few_grades_give_an_effect_without_an_interval():
    found = grader_effects(
        np.ones(2), np.array([80.0, 84]), np.array([6400.0, 7056]), agent=np.array([0, 0]), grader=np.array([0, 1])
    )
    assert [-2.0, 2.0] == found.effect.round(9).tolist()
    assert np.isnan(found.error).all()


def test_grades_without_a_date_stand_one_day_before_the_first():
    """They had stood in 1969, and moods of a day seemed to be known from 20,000 days."""
    assert from_first(np.array([0, 20_454, 20_457, 20_454])).tolist() == [0, 1, 4, 1]
    assert from_first(np.array([20_454, 20_457])).tolist() == [0, 3]
    assert from_first(np.array([0, 0])).tolist() == [0, 0]
    assert from_first(np.array([], dtype=np.int64)).tolist() == []
