"""The answers against centres whose truth is known: the numpy centre's, and the sandbox's."""

import numpy as np
import polars as pl
import pytest

from maestro_analytics import analysis


def test_the_ranking_finds_the_better_agents(store, made):
    quality = made[1].quality
    ranking = analysis.agent_ranking(store)
    truth = [quality[person] for person in ranking["person_id"]]
    assert np.corrcoef(ranking["shrunk"], truth)[0, 1] > 0.85
    assert {"above", "below", ""} == set(ranking["stands_out"])
    assert ranking["rank"].to_list() == list(range(1, 25))
    assert ranking.filter((pl.col("rank") < pl.col("rank_lo")) | (pl.col("rank") > pl.col("rank_hi"))).is_empty()


def test_severity_finds_every_graders_bias(store, made):
    bias = made[1].bias
    found = analysis.grader_severity(store)
    # Scores end at 100, which takes a little off the lenient.
    for grader, lo, hi in found.select("grader", "lo", "hi").rows():
        assert lo - 0.7 <= bias[grader] <= hi + 0.7, grader
    assert ["grader-1", "grader-2", "grader-3", "grader-4", "grader-5"] == found["grader"].to_list()


def test_benchmarks_find_the_bias_of_those_who_calibrate(store, made):
    found = analysis.benchmark_bias(store)
    assert {"grader-1", "grader-2", "grader-3"} == set(found["grader"])
    gaps = dict(found.select("grader", "bias").rows())
    assert abs(gaps["grader-1"] - gaps["grader-3"] - (made[1].bias["grader-1"] - made[1].bias["grader-3"])) < 1


def test_the_coaching_effect_is_near_what_was_put_in(store, made):
    found = analysis.coaching_effect(store)
    assert "matched" == found["method"][0]
    assert found["recommended"].to_list() == [True] + [False] * (found.height - 1)
    assert found["lo"][0] <= made[1].coaching_effect <= found["hi"][0]
    assert "12 sessions" in " ".join(found["reason"])


def test_pairs_are_mirror_images(store):
    pairs = analysis.grader_pairs(store)
    mirror = pairs.select(grader="other", other="grader", mirrored=-pl.col("bias"))
    both = pairs.join(mirror, on=["grader", "other"])
    assert pairs.height == both.height
    assert np.allclose(both["bias"], both["mirrored"])


def test_time_to_coach_counts_the_waiting(store):
    row = analysis.time_to_coach(store).row(0, named=True)
    assert row["n_na"] > row["n"] / 2
    assert row["median_days"] is None
    assert row["within_lo"] < row["within"] < row["within_hi"]
    curve = analysis.time_to_coach_curve(store)
    assert 100.0 == curve["waiting"].max()
    assert curve["waiting"].is_sorted(descending=True)


@pytest.fixture(scope="session")
def simulated(sandbox):
    """The sandbox's severity and coaching answers, worked out once."""
    store, _ = sandbox
    return analysis.grader_severity(store), analysis.coaching_effect(store)


def test_the_sandboxs_graders_are_ordered_by_their_bias(sandbox, simulated):
    """An auto-fail makes a grade 0 whoever grades, so a bias of ten points shows as a little less."""
    _, truth = sandbox
    bias = {grader.grader: grader.bias_points for grader in truth.graders}
    found = simulated[0].filter(pl.col("n") > 100)
    expected = np.array([bias[grader] for grader in found["grader"]])
    expected = expected - expected.mean()
    held = (found["lo"].to_numpy() <= expected) & (expected <= found["hi"].to_numpy())
    assert held.mean() >= 0.75
    assert np.corrcoef(expected, found["adjusted"])[0, 1] > 0.95


def test_the_sandboxs_coaching_effect_is_in_the_interval_and_the_naive_figures_are_above(sandbox, simulated):
    _, truth = sandbox
    effect = {row["method"]: row for row in simulated[1].to_dicts()}
    assert effect["matched"]["lo"] <= truth.coaching_effect_points <= effect["matched"]["hi"]
    assert effect["before and after"]["effect"] > truth.coaching_effect_points
    assert effect["against all uncoached"]["effect"] > effect["matched"]["effect"]


def test_the_gap_in_the_picture_after_a_session_is_the_effect_that_is_told(sandbox, simulated):
    weeks = analysis.coaching_timeline(sandbox[0]).filter(pl.col("week").is_between(1, 4))
    means = weeks.group_by("group").agg((pl.col("mean") * pl.col("n")).sum() / pl.col("n").sum())
    mean = dict(means.iter_rows())
    matched = simulated[1].filter(pl.col("method") == "matched")["effect"].item()
    assert mean["coached"] - mean["matched controls"] == pytest.approx(matched, abs=0.3)


def test_the_sandboxs_agents_are_ranked_by_their_quality(sandbox):
    store, truth = sandbox
    quality = {min(agent.agent_ids): agent.quality_percent for agent in truth.agents}
    ranking = analysis.agent_ranking(store)
    assert np.corrcoef([quality[person] for person in ranking["person_id"]], ranking["shrunk"])[0, 1] > 0.6


def test_the_vendors_alignment_is_reproduced(sandbox):
    """Worked out again from the answers, it is the file's figure to the cent."""
    store, _ = sandbox
    found = analysis.alignments(store).filter(pl.col("alignment_score").is_not_null() & pl.col("gap").is_not_null())
    assert found.height > 50
    assert found["gap"].abs().quantile(0.9) < 0.01


def test_the_sandboxs_scores_add_up(sandbox):
    store, _ = sandbox
    found = analysis.score_reconciliation(store)
    assert {"points", "weighted"} == set(found["scoring"])
    assert 0 == found["mismatches"].sum()
    assert found["autofails_inferred"].sum() > 0


def test_the_sandboxs_alpha_and_raw_agreement_stand_side_by_side(sandbox):
    store, _ = sandbox
    found = analysis.question_agreement(store)
    assert found.filter(pl.col("agreement") > 85).height > 0
    assert found["ac1"].drop_nulls().max() <= 1
    assert found["alpha"].drop_nulls().max() <= 1
    assert analysis.question_agreement(store, metric="nominal").height == found.height
