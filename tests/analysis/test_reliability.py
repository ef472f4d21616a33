"""Agreement: golden values of the literature, reference libraries, and what cannot be measured."""

import warnings

import krippendorff
import numpy as np
import pytest

from maestro_analytics.analysis.statistics import reliability

FOUR_RATERS = """
1 2 3 3 2 1 4 1 2 . . .
1 2 3 3 2 2 4 1 2 5 . 3
. 3 3 3 2 3 4 2 2 5 1 .
1 2 3 3 2 4 4 1 2 5 1 .
"""
"""Krippendorff (2011), "Computing Krippendorff's Alpha-Reliability", part C."""


def long(table):
    rater, unit = np.nonzero(~np.isnan(table))
    return unit, table[rater, unit]


def four_raters():
    return np.array([[np.nan if v == "." else float(v) for v in row.split()] for row in FOUR_RATERS.split("\n") if row])


@pytest.mark.parametrize(("metric", "golden"), [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849)])
def test_krippendorffs_own_example(metric, golden):
    found = reliability.krippendorff_alpha(*long(four_raters()), metric=metric)
    assert (golden, 11, 40) == (round(found.value, 3), found.units, found.values)
    assert found.lo < found.value <= found.hi


@pytest.mark.parametrize("metric", ["nominal", "ordinal", "interval"])
def test_alpha_is_that_of_the_reference_library(metric):
    rng = np.random.default_rng(4)
    for _ in range(20):
        table = np.clip(rng.integers(1, 6, (1, 15)) + rng.integers(-1, 2, (4, 15)), 1, 5).astype(float)
        table[rng.random(table.shape) < 0.3] = np.nan
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            expected = krippendorff.alpha(reliability_data=table, level_of_measurement=metric)
        found = reliability.krippendorff_alpha(*long(table), metric=metric, resamples=2)
        assert round(expected, 10) == round(found.value, 10)


def test_alpha_of_equal_values_is_unknown_and_says_why():
    found = reliability.krippendorff_alpha([1, 1, 2, 2], [100.0] * 4, metric="interval")
    assert (None, None, None, reliability.CONSTANT) == (found.value, found.lo, found.hi, found.reason)


def test_alpha_without_a_second_opinion_is_unknown_and_says_why():
    found = reliability.krippendorff_alpha([1, 2, 3], [1.0, 2.0, 3.0], metric="nominal")
    assert (None, 0, reliability.NO_PAIRS) == (found.value, found.units, found.reason)


def test_the_interval_of_alpha_covers_what_it_promises():
    """Two graders whose scores are truth plus noise: alpha of many tickets is 0.8; 300 samples of 80 tickets."""
    rng = np.random.default_rng(6)
    covered = 0
    for seed in range(300):
        truth = rng.normal(80, 10, 80)
        scores = np.concatenate([truth + rng.normal(0, 5, 80), truth + rng.normal(0, 5, 80)])
        found = reliability.krippendorff_alpha(
            np.tile(np.arange(80), 2), scores, metric="interval", resamples=300, seed=seed
        )
        covered += found.lo <= 0.8 <= found.hi
    assert 0.92 <= covered / 300 <= 0.97


def test_units_of_one_ticket_are_drawn_together():
    """Two questions of a ticket agree or differ together: the interval is wider than if they were apart."""
    rng = np.random.default_rng(7)
    tickets = np.repeat(np.arange(40), 4)
    units = np.repeat(np.arange(80), 2)
    level = np.repeat(rng.integers(0, 2, 40), 4)
    slip = np.repeat(rng.random(40) < 0.3, 4) & (np.arange(160) % 2 == 1)
    values = np.where(slip, 1 - level, level).astype(float)
    apart = reliability.krippendorff_alpha(units, values, metric="nominal")
    together = reliability.krippendorff_alpha(units, values, metric="nominal", tickets=tickets)
    assert apart.value == together.value
    assert together.hi - together.lo > 1.2 * (apart.hi - apart.lo)


def test_ninety_percent_agreement_can_be_chance():
    """The prevalence paradox: rare failures; kappa is below zero, AC1 is not."""
    table = [[90, 5], [5, 0]]
    found = (reliability.raw_agreement(table), reliability.kappa(table), reliability.gwet_ac1(table))
    assert (0.90, -0.05, 0.89) == tuple(round(value, 2) for value in found)


def test_weighted_kappa_is_its_definition():
    """1 - sum(w O) / sum(w E), w = (i - j)^2 / (k - 1)^2, written out."""
    table = np.array([[20.0, 5, 1], [4, 18, 6], [0, 7, 30]])
    n, rows, columns = table.sum(), table.sum(1), table.sum(0)
    weight = [[(i - j) ** 2 / 4 for j in range(3)] for i in range(3)]
    seen = sum(weight[i][j] * table[i, j] for i in range(3) for j in range(3))
    chance = sum(weight[i][j] * rows[i] * columns[j] / n for i in range(3) for j in range(3))
    assert round(1 - seen / chance, 12) == round(reliability.kappa(table, weights="quadratic"), 12)
    assert reliability.kappa(table, weights="linear") < reliability.kappa(table, weights="quadratic")


def test_kappa_is_unknown_where_chance_alone_agrees_fully():
    assert reliability.kappa([[50, 0], [0, 0]]) is None
    assert reliability.gwet_ac1([[50]]) is None


def test_icc_of_shrout_and_fleiss():
    """Shrout and Fleiss (1979), table 4: ICC(2,1), which McGraw and Wong call ICC(A,1), is 0.29."""
    table = [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]
    assert 0.29 == round(reliability.icc_a1(table), 2)


@pytest.mark.parametrize("table", [[[1.0, 2.0]], [[1.0], [2.0]], [[1.0, np.nan], [2.0, 3.0]], [[5.0, 5.0], [5.0, 5.0]]])
def test_icc_needs_complete_cells_that_differ(table):
    assert reliability.icc_a1(table) is None
