"""Means and shares: golden values, and intervals that cover what they promise."""

import math

import numpy as np
import pytest
from scipy import stats

from maestro_analytics.analysis.statistics import intervals


def test_eighteen_of_twenty_is_between_70_and_97_percent():
    lo, hi = intervals.wilson(18, 20)
    assert (0.699, 0.972) == (round(float(lo), 3), round(float(hi), 3))


def test_wilson_is_scipys_everywhere_and_unknown_without_trials():
    for k, n in ((0, 1), (1, 1), (3, 7), (50, 80), (999, 1000)):
        expected = stats.binomtest(k, n).proportion_ci(method="wilson")
        assert np.allclose([expected.low, expected.high], intervals.wilson(k, n))
    assert np.isnan(intervals.wilson(0, 0)).all()


def test_five_points_need_twenty_two_grades_at_a_spread_of_twelve():
    assert 22 == round(float(intervals.sample_size(12, 5)))


def test_a_known_volume_needs_fewer_grades_and_none_that_are_not_there():
    assert 16 == math.ceil(intervals.sample_size(12, 5, population=50))
    assert 1 > float(intervals.sample_size(12, 5, population=1))
    assert 0.0 == float(intervals.finite_population(50, 50))
    assert 1.0 == round(float(intervals.finite_population(5, 10**9)), 6)


def test_moments_from_sums_are_those_of_the_values():
    values = np.random.default_rng(1).normal(80, 12, 50)
    mean, sd, skewness = intervals.moments(50, values.sum(), (values**2).sum(), (values**3).sum())
    assert np.allclose([values.mean(), values.std(ddof=1), stats.skew(values)], [mean, sd, skewness])


def test_equal_values_have_no_spread_and_no_interval_whatever_rounding_leaves():
    value = 93.7 / 3
    mean, sd, skewness = intervals.moments(7, 7 * value, 7 * value**2, 7 * value**3)
    assert 0.0 == sd
    assert np.isnan(intervals.mean_interval(7, mean, sd, skewness)).all()


def test_without_skewness_the_interval_is_students():
    lo, hi = intervals.mean_interval(10, 80.0, 12.0)
    assert np.allclose(stats.t.interval(0.95, 9, 80.0, 12 / 10**0.5), (lo, hi))


def test_one_value_has_no_interval():
    assert np.isnan(intervals.mean_interval(1, 80.0, np.nan)).all()


@pytest.mark.parametrize("n", [12, 40, 200])
def test_intervals_of_scores_that_pile_up_at_100_cover_what_they_promise(n):
    """Skewed as QA scores are; 4,000 samples, so that the measured coverage is known to half a percent."""
    scores = 100 * np.random.default_rng(n).beta(9, 1, (4000, n))
    mean, sd, skewness = intervals.moments(n, scores.sum(1), (scores**2).sum(1), (scores**3).sum(1))
    lo, hi = intervals.mean_interval(n, mean, sd, skewness)
    assert 0.93 <= np.mean((lo <= 90) & (hi >= 90)) <= 0.97


def test_a_single_zero_does_not_stretch_an_interval_over_half_the_scale():
    scores = np.array([90.0] * 8 + [95.0] + [0.0])
    mean, sd, skewness = intervals.moments(10, scores.sum(), (scores**2).sum(), (scores**3).sum())
    lo, hi = intervals.mean_interval(10, mean, sd, skewness)
    assert hi - lo < 50


def test_a_teams_interval_allows_for_agents_who_differ():
    """400 simulated teams of 10 agents with 30 grades each: clustered intervals cover, plain ones would not."""
    rng = np.random.default_rng(5)
    covered = plain = 0
    for _ in range(400):
        agents = rng.normal(85, 5, 10)
        grades = agents[:, None] + rng.normal(0, 10, (10, 30))
        _, lo, hi = intervals.cluster_mean(grades.sum(1), np.full(10, 30))
        covered += lo <= 85 <= hi
        low, high = intervals.mean_interval(300, grades.mean(), grades.std(ddof=1))
        plain += low <= 85 <= high
    assert 0.93 <= covered / 400 <= 0.97
    assert plain / 400 < 0.75


def test_one_agent_alone_says_nothing_about_a_team():
    mean, lo, hi = intervals.cluster_mean([850.0], [10])
    assert (85.0, True, True) == (mean, math.isnan(lo), math.isnan(hi))
    assert all(math.isnan(number) for number in intervals.cluster_mean([], []))


def test_bootstrap_weights_draw_as_many_clusters_as_there_are():
    weights = intervals.cluster_weights(7, 50, seed=1)
    assert ((50, 7), {7.0}) == (weights.shape, set(weights.sum(1)))
