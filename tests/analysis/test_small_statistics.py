"""Shrinkage, ranks, waiting times and control charts."""

import warnings

import numpy as np
import pytest
from scipy import stats

from maestro_analytics.analysis.statistics import process, shrinkage, survival


def test_two_thirds_of_an_apparent_gap_are_noise_at_five_grades():
    """tau = 4, sigma = 12, n = 5: B = 0.36. The means are quantiles, so that their moments are nearly exact."""
    means = stats.norm(85, (4**2 + 12**2 / 5) ** 0.5).ppf((np.arange(20_000) + 0.5) / 20_000)
    found = shrinkage.shrink(np.full(20_000, 5), means, np.full(20_000, 12.0))
    assert 0.36 == round(float(found.weight[0]), 2)
    assert (4.0, 12.0, 85.0) == (round(found.between_sd, 0), round(found.within_sd, 0), round(found.centre, 0))


def test_shrunk_means_predict_better_than_raw_ones():
    rng = np.random.default_rng(2)
    n = rng.integers(3, 40, 300)
    truth = rng.normal(85, 4, 300)
    means = truth + rng.normal(0, 12, 300) / np.sqrt(n)
    found = shrinkage.shrink(n, means, np.full(300, 12.0))
    assert np.mean((found.mean - truth) ** 2) < 0.6 * np.mean((means - truth) ** 2)


def test_agents_who_do_not_differ_are_all_at_the_mean():
    found = shrinkage.shrink([10, 20, 30], [85.0, 85.1, 84.9], [12.0, 12.0, 12.0])
    assert 0.0 == found.between_sd
    assert len(set(found.mean.round(9))) == 1


def test_scores_without_any_noise_are_kept_as_they_are():
    found = shrinkage.shrink([5, 5], [80.0, 90.0], [0.0, 0.0])
    assert [80.0, 90.0] == found.mean.tolist()


def test_one_agent_is_the_mean_of_all():
    assert [80.0] == shrinkage.shrink([5], [80.0], [12.0]).mean.tolist()


def test_rank_intervals_hold_the_true_rank():
    """200 simulated centres of 20 agents: the interval of 95 % holds the true rank about so often."""
    rng = np.random.default_rng(3)
    held = 0
    for seed in range(200):
        n, truth = rng.integers(5, 60, 20), rng.normal(85, 5, 20)
        means = truth + rng.normal(0, 12, 20) / np.sqrt(n)
        found = shrinkage.shrink(n, means, np.full(20, 12.0))
        lo, hi = shrinkage.rank_intervals(found.mean, found.error, seed=seed)
        ranks = 21 - stats.rankdata(truth)
        held += int(((lo <= ranks) & (ranks <= hi)).sum())
    assert 0.93 <= held / 4000 <= 0.98


def test_being_ahead_of_the_next_is_a_matter_of_noise():
    ahead = shrinkage.probability_above_next([90.0, 89.9, 70.0], [2.0, 2.0, 2.0])
    assert ahead[0] < 0.6
    assert ahead[1] > 0.99
    assert np.isnan(ahead[2])


def test_kaplan_meier_is_scipys():
    rng = np.random.default_rng(4)
    took, done = rng.exponential(10, 80).round(1), rng.random(80) < 0.6
    found = survival.kaplan_meier(took, done)
    expected = stats.ecdf(stats.CensoredData(uncensored=took[done], right=took[~done])).sf
    assert np.allclose(expected.evaluate(found.time), found.waiting)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        band = expected.confidence_interval(method="log-log")
    inner = found.waiting > 0
    assert np.allclose(band.low.evaluate(found.time)[inner], found.lo[inner])
    assert np.allclose(band.high.evaluate(found.time)[inner], found.hi[inner])


def test_the_median_counts_those_still_waiting():
    """Three of ten were coached after a day each: their own median is one day, but most still wait after thirty."""
    found = survival.kaplan_meier([1, 1, 1] + [30] * 7, [True] * 3 + [False] * 7)
    assert (None, 0.7) == (found.median, round(found.waiting_at(30), 9))
    assert 2.0 == survival.kaplan_meier([1, 2, 2, 9], [True, True, True, False]).median
    assert 1.0 == found.waiting_at(0.5)


def test_nothing_happened_and_nobody_there():
    assert survival.kaplan_meier([5, 6], [False, False]).median is None
    assert 0 == len(survival.kaplan_meier([], []).time)


def test_xmr_limits():
    """Mean 10, mean moving range 2: limits 10 +- 5.32, jumps up to 6.534."""
    chart = process.xmr([9, 11, 9, 11])
    assert ([10.0, 4.68, 15.32], 6.534) == (
        [round(float(line[0]), 2) for line in (chart.centre, chart.lower, chart.upper)],
        round(chart.moving_range_limit, 3),
    )
    assert [""] * 4 == chart.signal


def test_a_point_outside_and_a_run_are_signals():
    outside = process.xmr([10, 10.5, 9.5, 10, 10.5, 9.5, 30])
    assert [""] * 6 + [process.OUTSIDE] == outside.signal
    shifted = process.xmr([9, 11] * 5 + [12] * 8 + [8] * 10)
    assert process.RUN in shifted.signal


def test_false_alarms_are_rare():
    rng = np.random.default_rng(5)
    signals = [signal for _ in range(200) for signal in process.xmr(rng.normal(85, 4, 25)).signal]
    assert sum(signal == process.OUTSIDE for signal in signals) / len(signals) < 0.012


def test_laneys_limits_widen_with_more_variation_than_chance():
    rng = np.random.default_rng(6)
    weeks = rng.binomial(1000, np.clip(rng.normal(0.8, 0.05, 40), 0, 1))
    wide = process.laney_p(weeks, np.full(40, 1000))
    assert wide.sigma_z > 2
    assert wide.signal.count(process.OUTSIDE) <= 2
    by_chance_alone = 3 * np.sqrt(0.8 * 0.2 / 1000)
    assert sum(np.abs(wide.value - wide.centre) > by_chance_alone) > 10
    steady = process.laney_p(rng.binomial(1000, 0.8, 40), np.full(40, 1000))
    assert steady.sigma_z < 1.5
    assert 1.0 == process.laney_p([8, 8, 8], [10, 10, 10]).sigma_z


@pytest.mark.parametrize("chart", [process.xmr([]), process.laney_p([], []), process.xmr([80.0])])
def test_a_chart_of_too_little_has_no_signal(chart):
    assert not any(chart.signal)
