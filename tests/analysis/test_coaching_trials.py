"""The effect of coaching: the default is right where the naive figures are not, with an effect and without one."""

import numpy as np
import pytest
from scipy import stats

from maestro_analytics.analysis.statistics.effects import estimates, first_coefficient
from maestro_analytics.analysis.statistics.trials import Matching, Panel, trials


def simulated(seed, *, effect, share=0.6, persons=100, days=168):
    """Agents whose last two weeks were below 78 on a Sunday are coached with probability `share`, at most twice."""
    rng = np.random.default_rng(seed)
    quality = rng.normal(80, 6, persons)
    n = rng.poisson(5 / 14, (persons, days)).astype(float)
    noise = rng.normal(0, 12, (persons, days)) * np.sqrt(n)
    lift, total = np.zeros((persons, days)), np.zeros((persons, days))
    last, times = np.full(persons, -99), np.zeros(persons, dtype=int)
    who, when = [], []
    for day in range(days):
        total[:, day] = n[:, day] * (quality + lift[:, day]) + noise[:, day]
        if day % 7 != 6 or day < 14:
            continue
        seen = n[:, day - 13 : day + 1].sum(1)
        low = (seen >= 3) & (total[:, day - 13 : day + 1].sum(1) / np.maximum(seen, 1) < 78)
        chosen = low & (rng.random(persons) < share) & (day + 1 - last >= 35) & (times < 2)
        for person in np.flatnonzero(chosen):
            session = day + 1 + int(rng.integers(0, 5))
            last[person], times[person] = day + 1, times[person] + 1
            if session < days:
                who.append(person)
                when.append(session)
                lift[person, session:] += effect
    person, day = np.nonzero(n > 0)
    panel = Panel.of(
        person, day, n[person, day], total[person, day], persons=persons, days=days, team=np.arange(persons) % 3
    )
    return panel, np.array(who), np.array(when)


def answers(seed, **options):
    panel, who, when = simulated(seed, **options)
    made, _ = trials(panel, who, when, np.ones(len(who), dtype=bool), before=28, after=28, min_n=5, seed=0)
    return {found.method: found for found in estimates(made, confidence=0.95)}


def test_matched_controls_find_the_effect_where_naive_figures_find_luck():
    """200 simulated centres, half of them without any effect, half with one of five points."""
    found = [(effect, answers(seed, effect=effect)) for effect in (0.0, 5.0) for seed in range(100)]
    bias = {
        method: np.mean([answer[method].effect.value - effect for effect, answer in found]) for method in found[0][1]
    }
    assert abs(bias["matched"]) < 0.3
    assert bias["before and after"] > 1.3
    assert bias["against all uncoached"] > 2.0
    covered = [answer["matched"].effect.lo <= effect <= answer["matched"].effect.hi for effect, answer in found]
    assert 0.93 <= np.mean(covered) <= 0.985
    gap = {method: np.mean([answer[method].gap_before for _, answer in found]) for method in bias}
    assert gap["matched"] > -2.5
    assert gap["against all uncoached"] < -6


def test_the_simulation_of_the_critique():
    """Five grades a side, coached if below 80, no effect: the coached improve anyway, against the others even more."""
    rng = np.random.default_rng(1)
    quality = rng.normal(80, 5, 4000)
    before, after = (quality + rng.normal(0, 12, (5, 4000)).mean(0) for _ in range(2))
    low = before < 80
    assert 2.5 < (after - before)[low].mean() < 7
    assert 5 < (after - before)[low].mean() - (after - before)[~low].mean() < 10


def test_when_everyone_low_is_coached_only_those_with_controls_are_counted():
    found = answers(1, effect=0.0, share=1.0)
    assert found["matched"].coached < found["adjusted (ANCOVA)"].coached
    assert found["matched"].controls > 0


def test_a_window_is_days_up_to_but_not_including_the_session():
    panel = Panel.of(
        np.array([0, 0, 0]),
        np.array([0, 3, 4]),
        np.ones(3),
        np.array([80.0, 90, 70]),
        persons=1,
        days=6,
        team=np.zeros(1),
    )
    zero = np.array([0])
    assert ([2.0], [170.0]) == tuple(values.tolist() for values in panel.window(zero, zero, np.array([4])))
    assert ([0.0], [0.0]) == tuple(values.tolist() for values in panel.window(zero, np.array([-9]), np.array([-2])))
    assert ([1.0], [70.0]) == tuple(values.tolist() for values in panel.window(zero, np.array([4]), np.array([99])))


def test_sessions_soon_after_another_are_left_out_and_counted():
    days = 200
    person, day = np.divmod(np.arange(6 * days), days)
    panel = Panel.of(
        person, day, np.ones(6 * days), np.full(6 * days, 80.0), persons=6, days=days, team=np.zeros(6, int)
    )
    who, when = np.array([0, 0, 1]), np.array([80, 100, 80])
    made, left_out = trials(panel, who, when, np.ones(3, dtype=bool), before=28, after=28, min_n=5, seed=0)
    assert 1 == left_out
    assert [(0, 80), (1, 80)] == list(zip(made.person[made.coached], made.day[made.coached], strict=True))
    # The first session's time after ends with the day of the second.
    assert [20.0, 28.0] == made.after_n[made.coached].tolist()


def test_nobody_coached_and_everybody_coached_give_no_estimate():
    panel, who, when = simulated(1, effect=0.0, persons=8)
    none, _ = trials(panel, who, when, np.zeros(len(who), dtype=bool), before=28, after=28, min_n=5, seed=0)
    assert all(np.isnan(found.effect.value) for found in estimates(none, confidence=0.95))


def test_the_coefficient_is_that_of_least_squares():
    rng = np.random.default_rng(2)
    design = np.column_stack([rng.random(60) < 0.5, np.ones(60), rng.normal(0, 1, 60)]).astype(float)
    outcome = design @ [3.0, 80, 2] + rng.normal(0, 1, 60)
    weight = rng.integers(1, 5, 60).astype(float)
    root = np.sqrt(weight)
    expected = np.linalg.lstsq(design * root[:, None], outcome * root)[0][0]
    found = first_coefficient(design, outcome, cluster=np.arange(60) // 3, weight=weight)
    assert np.isclose(expected, found.value, atol=1e-6)
    assert found.lo < 3 < found.hi
    assert 20 == found.clusters


def test_the_interval_comes_from_leaving_out_one_agent_at_a_time():
    """Agents of one row and of twelve, more rows than there are columns; one is alone in its team, and so its dummy."""
    rng = np.random.default_rng(5)
    sizes = rng.integers(1, 13, 20)
    agent = np.repeat(np.arange(20), sizes)
    team = np.where(agent == 19, 2, agent % 2)
    design = np.column_stack(
        [rng.random(agent.size) < 0.4, np.ones(agent.size), rng.normal(80, 5, agent.size), team == 1, team == 2]
    ).astype(float)
    outcome = design @ [3.0, 0, 1, 2, 4] + rng.normal(0, 3, agent.size)
    root = np.sqrt(rng.integers(1, 9, agent.size))
    left_out = []
    for out in range(20):
        rest = agent != out
        left_out.append(np.linalg.lstsq((design * root[:, None])[rest], (outcome * root)[rest])[0][0])
    error = np.sqrt(((left_out - np.mean(left_out)) ** 2).sum() * 19 / 20)
    found = first_coefficient(design, outcome, cluster=agent, weight=root**2)
    assert np.isclose(stats.t.ppf(0.975, 19) * error, (found.hi - found.lo) / 2, rtol=1e-5)


def test_a_coefficient_that_cannot_be_told_apart_is_unknown():
    treated = np.array([1.0, 1, 0, 0, 1, 0])
    same = np.column_stack([treated, np.ones(6), treated])
    assert np.isnan(first_coefficient(same, np.arange(6.0), cluster=np.arange(6)).value)
    constant = np.column_stack([np.ones(6), np.ones(6)])
    assert np.isnan(first_coefficient(constant, np.arange(6.0), cluster=np.arange(6)).value)
    assert np.isnan(first_coefficient(same[:2], np.arange(2.0), cluster=np.arange(2)).value)


@pytest.mark.parametrize("rows", [2, 12])
def test_a_coefficient_that_hangs_on_one_agent_has_no_interval_made_of_rounding_errors(rows):
    """Without the only coached agent of a team nothing tells coaching from the rest; the order of rows is chance."""
    agent = np.repeat(np.arange(5), rows)
    rng = np.random.default_rng(2)
    coached = (agent == 0) & (np.arange(agent.size) % 2 == 0)
    before = rng.normal(80, 5, agent.size)
    design = np.column_stack([coached, np.ones(agent.size), before, before**2 / 80]).astype(float)
    outcome = before + rng.normal(0, 4, agent.size)
    found = first_coefficient(design, outcome, cluster=agent)
    assert np.isfinite(found.value)
    assert np.isnan(found.lo)
    assert np.isnan(found.hi)


def test_matches_are_near_and_of_the_same_block():
    found, weight = Matching(
        np.array([[0.0], [5.0], [9.0]]),
        np.array([[0.1], [0.2], [5.0]]),
        treated_block=np.array([0, 0, 1]),
        control_block=np.array([0, 0, 1]),
        k=5,
        caliper=0.5,
    ).weights()
    assert [True, False, False] == found.tolist()
    assert [0.5, 0.5, 0.0] == weight.tolist()


@pytest.mark.parametrize("controls", [0, 1, 7, 400])
def test_matching_without_some_is_matching_the_others_alone(controls):
    """Whole crowds are left out, so that the next nearest lie far behind them."""
    rng = np.random.default_rng(9)
    treated, control = rng.normal(0, 0.3, (30, 2)), rng.normal(0, 0.3, (controls, 2))
    blocks = {"treated_block": rng.integers(0, 2, 30), "control_block": rng.integers(0, 2, controls)}
    settings = {"k": 3, "caliper": 0.4}
    matching = Matching(treated, control, **blocks, **settings)
    for share in (1.0, 0.5, 0.05, 0.0):
        mine, theirs = rng.random(30) < max(share, 0.3), rng.random(controls) < share
        alone = Matching(
            treated[mine],
            control[theirs],
            treated_block=blocks["treated_block"][mine],
            control_block=blocks["control_block"][theirs],
            **settings,
        ).weights()
        found, weight = matching.weights(mine, theirs)
        assert np.array_equal(alone[0], found[mine])
        assert np.allclose(alone[1], weight[theirs])
        assert not found[~mine].any()
        assert not weight[~theirs].any()


def test_matching_is_what_looking_at_all_pairs_gives():
    rng = np.random.default_rng(10)
    treated, control = rng.normal(0, 1, (20, 2)), rng.normal(0, 1, (200, 2))
    distance = np.linalg.norm(treated[:, None] - control, axis=2)
    expected = np.zeros(200)
    for row in distance:
        near = [at for at in np.argsort(row)[:4] if row[at] < 0.5]
        expected[near] += 1 / max(len(near), 1)
    same = {"treated_block": np.zeros(20, dtype=int), "control_block": np.zeros(200, dtype=int)}
    assert np.allclose(expected, Matching(treated, control, **same, k=4, caliper=0.5).weights()[1])
