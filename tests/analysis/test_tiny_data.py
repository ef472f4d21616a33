"""No silly numbers: of very little data, answers stay on the scale, say why it is too little, and flag nobody."""

import inspect
from dataclasses import replace
from datetime import timedelta

import numpy as np
import polars as pl
import pytest

from maestro_analytics import analysis
from tests.simulations.centres import Centre
from tests.simulations.stores import START, MemoryStore, tables

CHANCE = np.random.default_rng(1)
PILE = (100, 100, 100, 95, 80, 0)


def centre(agent, score, graders=1, every=3):
    """Grades of these agents, one every few days, in order; graders take turns."""
    agent, score = np.array(agent), np.array(score, dtype=float)
    number = np.arange(len(agent))
    agents = int(agent.max()) + 1
    zeros = np.zeros(len(agent), dtype=int)
    day = number // agents * every
    return Centre(
        agent, number % graders, zeros, day, score, np.zeros(agents), np.zeros(graders), np.zeros(agents), number
    )


TINY = {
    "one grade": centre([0], [90]),
    "two grades": centre([0, 0], [50, 100]),
    "five grades": centre([0] * 5, [100, 0, 100, 95, 90]),
    "one agent": centre([0] * 40, CHANCE.choice(PILE, 40), graders=3),
    "one grader": centre(np.tile(np.arange(6), 12), CHANCE.choice(PILE, 72)),
    "equal scores": centre(np.tile(np.arange(6), 12), [100] * 72, graders=2),
    "a grade each": centre(np.arange(12), CHANCE.choice(PILE, 12), graders=3),
    "two agents": centre([0, 1, 0, 1], [0, 100, 100, 100]),
    "bonus": centre(np.tile(np.arange(6), 12), CHANCE.choice([110, 100, 95, 80], 72), graders=3),
    "pile": centre(np.tile(np.arange(12), 12), CHANCE.choice(PILE, 144), graders=3),
}
ON_SCALE = {
    "agent_scores": ("mean", "lo", "hi", "adjusted_lo", "adjusted_hi", "pass_lo", "pass_hi"),
    "team_scores": ("mean", "lo", "hi"),
    "rubric_scores": ("mean", "lo", "hi"),
    "score_trend": ("mean", "lo", "hi"),
    "agent_ranking": ("mean", "lo", "hi", "shrunk_lo", "shrunk_hi"),
    "control_chart": ("value", "lo", "hi"),
    "pass_rate_chart": ("value", "lo", "hi"),
}
FLAGS = ("stands_out", "signal", "changed")
ANSWERS = [name for name in analysis.__all__ if name[0].islower() and name not in ("charts", "report")]


@pytest.fixture(scope="module")
def store():
    return MemoryStore()


@pytest.mark.parametrize("kind", TINY)
def test_with_little_data_answers_stay_on_the_scale_and_say_why_they_are_not_enough(store, kind):
    made = TINY[kind]
    store.fill(**tables(made, teams=2))
    highest = max(100.0, made.score.max()) + 1e-6
    for name in ANSWERS:
        answer = getattr(analysis, name)
        if any(each.default is each.empty and each.kind is each.KEYWORD_ONLY
               for each in inspect.signature(answer).parameters.values()):  # fmt: skip
            continue
        table = pl.DataFrame(answer(store))
        for column in table.columns:
            if table.schema[column] == pl.Float64:
                assert table[column].drop_nulls().is_finite().all(), (name, column)
        for column in ON_SCALE.get(name, ()):
            assert table[column].drop_nulls().is_between(-1e-9, highest).all(), (name, column)
        if "reason" in table.columns:
            doubted = table.filter(~pl.col("reliable"))
            assert not (doubted["reason"] == "").any(), name
            for column in set(FLAGS) & set(table.columns):
                assert not (doubted[column] != "").any(), (name, column)
        if {"lo", "hi", "reliable"} <= set(table.columns):
            assert not table.filter(pl.col("reliable") & (pl.col("lo") == pl.col("hi"))).height, name
        for lo in {"lo", "shrunk_lo", "adjusted_lo"} & set(table.columns):
            if name in ON_SCALE and "chart" not in name:
                assert not table.filter((pl.col("n") < 3) & pl.col(lo).is_not_null()).height, (name, lo)


def test_how_much_agents_differ_is_not_told_from_a_few_or_from_those_whom_nothing_connects(store):
    """One agent "differed by 17 points"; 12 agents with a grader each had a spread that only the prior knew."""
    alone = TINY["one agent"]
    assert "differ" not in analysis.agent_ranking(store.fill(**tables(alone))).about.caveat
    twelve = np.tile(np.arange(12), 12)
    apart = centre(twelve, CHANCE.choice(PILE, 144))
    sources = analysis.generalizability(store.fill(**tables(replace(apart, grader=twelve))))
    assert {"1 agents that others connect: fewer than 10"} == set(sources["reason"])
    assert sources.filter(pl.col("source").is_in(["agent", "grader"]))["sd"].null_count() == 2


def test_a_coaching_effect_that_cannot_be_worked_out_is_not_recommended(store):
    people = ["a0000", "a0001"]
    held = [START + timedelta(days=20)] * 2
    sessions = pl.DataFrame({"id": people, "agent_id": people, "created_at": held, "updated_at": held})
    found = analysis.coaching_effect(store.fill(**tables(TINY["two agents"]), coaching_sessions=sessions))
    assert found.height
    assert not found["recommended"].any()
    assert "none is recommended" in found.about.caveat


def test_a_centre_of_equal_scores_says_that_nothing_tells_how_much_grades_vary(store):
    store.fill(**tables(TINY["equal scores"]))
    plan = analysis.sampling_plan(store)
    assert plan["needed"].null_count() == plan.height
    assert {"no agent has two grades that differ: nothing says how much grades vary"} == set(plan["reason"])
    sources = analysis.generalizability(store)
    assert sources["share"].null_count() == sources.height
    assert not sources["reliable"].any()
