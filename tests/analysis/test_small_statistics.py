"""Shrinkage, ranks, waiting times and control charts."""

import warnings
from dataclasses import asdict
from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from scipy import stats

from maestro_analytics.analysis.grader_cells import ordered
from maestro_analytics.analysis.statistics import mixed, mixed_equations, process, shrinkage, survival
from maestro_analytics.analysis.statistics.arrays import inverse_of_symmetric, libraries, one_thread
from maestro_analytics.analysis.statistics.day_effects import moods


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


def test_agents_who_hardly_differ_are_drawn_close_to_the_mean_but_not_to_one_score():
    """An estimated spread of 0 would give all of them the same score; the spread is integrated over instead."""
    found = shrinkage.shrink([10, 20, 30], [85.0, 85.1, 84.9], [12.0, 12.0, 12.0])
    assert np.ptp(found.mean) < 0.1
    assert len(set(found.mean.round(9))) == 3


def test_shrunk_intervals_of_few_agents_with_few_grades_cover_the_truth():
    """500 centres of 12 agents with 5 grades; the spread between agents is unknown and often estimated as 0."""
    rng = np.random.default_rng(4)
    covered = []
    for _ in range(500):
        truth = rng.normal(85, 4, 12)
        means = truth + rng.normal(0, 12 / 5**0.5, 12)
        found = shrinkage.shrink(np.full(12, 5), means, np.full(12, 12.0))
        covered.append(np.abs(found.mean - truth) <= 1.96 * found.error)
    assert 0.93 <= np.mean(covered) <= 0.97


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
        drawn = np.random.default_rng(seed).normal(found.mean, found.error, (1000, 20))
        lo, hi = mixed.rank_ends(drawn, tail=0.025)
        ranks = 21 - stats.rankdata(truth)
        held += int(((lo <= ranks) & (ranks <= hi)).sum())
    assert 0.93 <= held / 4000 <= 0.98


def test_simultaneous_rank_intervals_hold_all_ranks_at_once():
    """Of 20 means drawn together the marginal intervals hold all ranks in 6 of 10 draws, the simultaneous in 95 %."""
    drawn = np.random.default_rng(4).normal(np.arange(20) / 2, 1, (2000, 20))
    ranks = 21 - stats.rankdata(drawn, axis=1)
    held = []
    for simultaneous in (False, True):
        lo, hi = mixed.rank_ends(drawn, tail=0.025, simultaneous=simultaneous)
        held.append(float(((lo <= ranks) & (ranks <= hi)).all(axis=1).mean()))
    assert held[0] < 0.8
    assert 0.95 <= held[1] < 0.97


def waits(days, happened, group="all"):
    return pl.DataFrame({"group": group, "days": days, "happened": happened}, schema_overrides={"days": pl.Float64})


def test_kaplan_meier_is_scipys_in_each_group():
    rng = np.random.default_rng(4)
    took, done = rng.exponential(10, 160).round(1), rng.random(160) < 0.6
    team = np.arange(160) % 2
    curves = survival.kaplan_meier(waits(took, done, team.astype(str)), "happened")
    for name in (0, 1):
        mine = team == name
        found = curves.filter(pl.col("group") == str(name))
        expected = stats.ecdf(stats.CensoredData(uncensored=took[mine & done], right=took[mine & ~done])).sf
        assert np.array_equal(np.unique(took[mine & done]), found["days"])
        assert np.allclose(expected.evaluate(found["days"].to_numpy()), found["waiting"])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            band = expected.confidence_interval(method="log-log")
        inner = found.filter(pl.col("waiting") > 0)
        assert np.allclose(band.low.evaluate(inner["days"].to_numpy()), inner["lo"])
        assert np.allclose(band.high.evaluate(inner["days"].to_numpy()), inner["hi"])


def test_the_curve_of_four_things():
    """One of four is done after a day, two wait on after two; then one is at risk, and after it nobody is left."""
    found = survival.kaplan_meier(waits([1, 2, 2, 3], [True, False, False, True]), "happened")
    assert [(1.0, 4, 1, 0.75), (3.0, 1, 1, 0.0)] == found.select("days", "at_risk", "events", "waiting").rows()
    assert [(0.0, None)] == found.select("lo", "hi").tail(1).rows()


def test_the_median_counts_those_still_waiting():
    """Three of ten were coached after a day each: their own median is one day, but most still wait after thirty."""
    three_of_ten = waits([1, 1, 1] + [30] * 7, [True] * 3 + [False] * 7, "three of ten")
    three_of_four = waits([1, 2, 2, 9], [True, True, True, False], "three of four")
    curves = survival.kaplan_meier(pl.concat([three_of_ten, three_of_four]), "happened")
    assert {"three of ten": None, "three of four": 2.0} == dict(survival.medians(curves)["group", "median"].rows())
    assert [0.7] == curves.filter(pl.col("group") == "three of ten")["waiting"].round(9).to_list()


def test_nothing_happened_and_nobody_there():
    for nothing in (waits([5, 6], [False, False]), waits([], [])):
        typed = nothing.cast({"happened": pl.Boolean, "group": pl.String})
        assert 0 == survival.kaplan_meier(typed, "happened").height


def test_laneys_limits_widen_with_more_variation_than_chance():
    rng = np.random.default_rng(6)
    weeks = rng.binomial(1000, np.clip(rng.normal(0.8, 0.05, 40), 0, 1))
    one = np.zeros(40, dtype=np.int64)
    wide = process.binomial_p(weeks, np.full(40, 1000), series=one)
    assert wide.sigma_z[0] > 2
    assert wide.signal.tolist().count(process.OUTSIDE) <= 2
    by_chance_alone = 3 * np.sqrt(0.8 * 0.2 / 1000)
    assert sum(np.abs(wide.value - wide.centre) > by_chance_alone) > 10
    steady = process.binomial_p(rng.binomial(1000, 0.8, 40), np.full(40, 1000), series=one)
    assert steady.sigma_z[0] < 1.5
    assert [1.0] * 3 == process.binomial_p([8, 8, 8], [10, 10, 10], series=one[:3]).sigma_z.tolist()


def test_many_series_at_once_are_each_on_its_own():
    """Whatever stands before and after it, a series is charted as if it were alone."""
    rng = np.random.default_rng(7)
    lengths = [1, 12, 30, 2, 9]
    series = np.repeat(np.arange(5), lengths)
    scores, n = rng.normal(85, 4, series.size) + (np.arange(series.size) > 20), rng.integers(5, 40, series.size)
    passed = rng.binomial(n, 0.8)
    charts = (lambda at: process.ewma(scores[at], n[at], 4.0, series=series[at]),
              lambda at: process.binomial_p(passed[at], n[at], series=np.unique(series[at], return_inverse=True)[1],
                                            judged=np.zeros(len(n[at]), dtype=bool)))  # fmt: skip
    for chart in charts:
        together, alone = chart(slice(None)), [chart(series == each) for each in range(5)]
        for name, values in vars(together).items():
            expected = np.concatenate([getattr(one, name) for one in alone])
            assert (
                np.array_equal(expected, values)
                if values.dtype.kind in "US"
                else np.allclose(expected, values, equal_nan=True)
            ), name
        assert np.repeat(lengths, lengths).tolist() == together.points.tolist()


NOTHING = np.zeros(0, dtype=np.int64)


@pytest.mark.parametrize(
    "chart",
    [
        process.ewma([], [], 1.0),
        process.ewma([80.0], [1], 1.0),
        process.binomial_p([], [], series=NOTHING),
        process.sampled([], [], np.zeros((0, 1)), np.zeros(1), series=NOTHING),
    ],
)
def test_a_chart_of_too_little_has_no_signal(chart):
    assert not any(chart.signal.tolist())


def test_the_weighted_mean_and_its_limits():
    """By hand: 10 + 0.2 * -2, then 9.6 + 0.2 * 2.4, ...; the first variance is 0.2 ** 2 * 2 ** 2 = 0.16."""
    chart = process.ewma([8, 12, 10], [1, 1, 1], 2.0)
    assert [10.0] * 3 == chart.centre.tolist()
    assert [9.6, 10.08, 10.064] == chart.value.round(9).tolist()
    variances = np.array([0.16, 0.16 + 0.64 * 0.16, 0.16 + 0.64 * (0.16 + 0.64 * 0.16)])
    assert np.allclose(10 + 3 * np.sqrt(variances), chart.upper)
    assert np.allclose(10 - 3 * np.sqrt(variances), chart.lower)
    assert ["", "", ""] == chart.signal.tolist()
    assert np.isclose(process.ewma([8, 12], [4, 1], 2.0).centre[0], 8.8)


def test_a_slow_drift_is_seen_where_no_single_point_is_out():
    rng = np.random.default_rng(8)
    seen = {"drifting": 0, "steady": 0}
    single = 0
    for _ in range(200):
        steady = rng.normal(0, 1, 40)
        drifting = steady + np.linspace(-1.2, 1.2, 40)
        for name, values in (("steady", steady), ("drifting", drifting)):
            seen[name] += bool((process.ewma(values, np.ones(40), 1.0).signal == process.OUTSIDE).any())
        single += bool((np.abs(drifting - drifting.mean()) > 3).any())
    assert seen["drifting"] > 150
    assert seen["steady"] < 20
    assert single < seen["drifting"] / 2


def test_the_variance_that_lasting_moods_add_to_a_graders_mean_is_found():
    """Moods of sd 4 with a correlation of .8 from day to day add nine times what moods of single days would."""
    rng = np.random.default_rng(8)
    graders, days, each = 40, 200, 3
    mood = rng.normal(0, 4, (graders, days))
    for day in range(1, days):
        mood[:, day] = 0.8 * mood[:, day - 1] + 0.6 * mood[:, day]
    grader, day = (np.repeat(values.ravel(), each) for values in np.indices((graders, days)))
    found = {}
    for name, moods_of in (("lasting", mood), ("none", 0 * mood)):
        score = moods_of[grader, day] + rng.normal(0, 10, len(grader))
        residual = score - (np.bincount(grader, score) / (days * each))[grader]
        found[name] = moods(
            residual, residual**2, np.ones(len(grader)), grader=grader, day=day, variance=float(residual.var())
        )
    assert 0.75 < found["lasting"].of_mean.mean() / (16 / days * 9) < 1.25
    assert 3.5 < found["lasting"].sd < 4.5
    assert found["none"].of_mean.mean() < 0.2 * 100 / (days * each)


def test_a_symmetric_matrix_is_inverted_and_of_a_singular_one_what_is_regular():
    rng = np.random.default_rng(2)
    factor = rng.normal(0, 1, (5, 5))
    regular = factor @ factor.T
    inverse, determinant = inverse_of_symmetric(regular)
    assert np.allclose(np.linalg.inv(regular), inverse)
    assert np.isclose(np.linalg.slogdet(regular)[1], determinant)
    singular = np.diag([4.0, 2.0, 0.0])
    inverse, determinant = inverse_of_symmetric(singular)
    assert np.allclose(np.diag([0.25, 0.5, 0.0]), inverse)
    assert np.isclose(np.log(8), determinant)


def test_of_many_charts_few_have_a_signal_by_chance():
    """40 charts of 26 weeks, two of which fall by half: both are named, and of 20 such rooms hardly another one."""
    rng = np.random.default_rng(6)
    series, trials = np.repeat(np.arange(40), 26), np.full(40 * 26, 60.0)
    share = np.where((series < 2) & (np.tile(np.arange(26), 40) > 23), 0.35, 0.8)
    found = [process.binomial_p(rng.binomial(60, share), trials, series=series) for _ in range(20)]
    named = [set(series[chart.signal != ""].tolist()) for chart in found]
    outside = [(chart.value < chart.lower) | (chart.value > chart.upper) for chart in found]
    assert all({0, 1} <= each for each in named)
    assert sum(len(each - {0, 1}) for each in named) <= 4
    assert sum(len(set(series[each].tolist()) - {0, 1}) for each in outside) > 10


def test_threads_are_as_before_when_the_last_who_asked_for_one_is_done():
    def threads():
        return [library["num_threads"] for library in libraries().select(user_api="blas").info()]

    before = threads()
    with one_thread():
        with one_thread():
            assert [1] * len(before) == threads()
        assert [1] * len(before) == threads()
    assert before == threads()
    assert before


@pytest.mark.parametrize("largest", [20, 2**30])
def test_cells_come_in_order_however_large_their_numbers_are(largest):
    """Large ones do not fit into one number with the others."""
    rng = np.random.default_rng(5)
    codes = {name: rng.integers(0, largest, 400) for name in ("rubric", "person", "grader")}
    days = [None if each == 0 else date(1969, 12, 25) + timedelta(days=int(each)) for each in rng.integers(0, 30, 400)]
    cells = pl.DataFrame(codes | {"day": days, "month": np.arange(400), "n": [0, 1, 2, 3] * 100}).with_columns(
        pl.col("day").cast(pl.Date), total=80.0 * pl.col("n"), squares=6400.0 * pl.col("n")
    )
    expected = cells.filter(pl.col("n") > 0).with_columns(pl.col("day").to_physical().fill_null(-1) + 1)
    expected = expected.sort("rubric", "person", "grader", "day", maintain_order=True)
    found = pl.DataFrame(asdict(ordered(cells)))
    assert found.equals(expected.select(found.columns).cast(dict(found.schema)))


@pytest.mark.parametrize(("agents", "spread"), [(6, 2.0), (400, 0.5), (400, 8.0)])
def test_no_spread_of_agents_that_matters_is_left_out(agents, spread):
    """The likelihood is looked at where it is large only: wherever else it is negligible."""
    rng = np.random.default_rng(6)
    agent, grader = np.repeat(np.arange(agents), 20), rng.integers(0, 5, 20 * agents)
    score = 80 + spread * rng.standard_normal(agents)[agent] + 10 * rng.standard_normal(20 * agents)
    made = mixed_equations.Equations(mixed_equations.Cells(np.ones(len(score)), score, score**2, agent, grader))
    spreads = mixed_equations.posterior(made)
    assert 1 == pytest.approx(sum(float(each.share.sum()) for each in spreads))
    ratios = np.linspace(0.01, 2, 100)
    likelihood = [mixed_equations.Absorbed(made, each**-2).evidence(np.array([0.01])).max() for each in ratios]
    likely = ratios[np.array(likelihood) > max(likelihood) - 1]
    found = [each.agent_ratio for each in spreads]
    apart = 1.5 if agents > 6 else 4
    assert min(found) / apart < likely.min()
    assert likely.max() < apart * max(found)
