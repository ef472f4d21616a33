"""Changes between two periods: those of the agents, not those of who graded them, or of who joined."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import polars as pl
import pytest

from maestro_analytics import analysis
from maestro_analytics.errors import InvalidArgument
from tests.simulations import centres
from tests.simulations.stores import START, MemoryStore, number_of, tables

MIDDLE = START + timedelta(days=60)
PERIODS = {"since": MIDDLE, "against": START}


@pytest.fixture(scope="module")
def memory():
    """A database that each test fills."""
    return MemoryStore()


def centre(seed, *, risen=0, by=8.0):
    """Each agent is graded by another usual grader from day 60 on; the first `risen` agents improve `by` points."""
    made = centres.make(np.random.default_rng(seed), grades=80, quality_sd=4, severity_sd=4, nested=0.8, sd=8)
    later = made.day >= 60
    grader = np.where(later, (made.grader + 1) % 6, made.grader)
    score = made.score - made.severity[made.grader] + made.severity[grader] + by * (later & (made.agent < risen))
    return replace(made, grader=grader, score=score)


def test_another_grader_is_not_a_change_of_the_agent(memory):
    """As graded, agents of a strict and then a lenient grader rise by several points without a change."""
    flagged, held = [], []
    for seed in range(6):
        found = analysis.changes(memory.fill(**tables(centre(seed))), by="agent", **PERIODS)
        assert 24 == found.height
        flagged.append(found.filter(pl.col("changed") != "").height)
        held.append(((found["lo"] <= 0) & (found["hi"] >= 0)).mean())
    assert sum(flagged) <= 2
    assert 0.92 <= np.mean(held) <= 1


def test_agents_who_improve_are_named(memory):
    found = analysis.changes(memory.fill(**tables(centre(1, risen=5, by=14.0))), by="agent", **PERIODS)
    named = found.filter(pl.col("changed") == "up")
    assert set(number_of(named["id"])) <= set(range(5))
    assert named.height >= 4
    truth = np.where(number_of(found["id"]) < 5, 14.0, 0.0)
    held = (found["lo"].to_numpy() <= truth) & (truth <= found["hi"].to_numpy())
    assert held.mean() >= 0.9


def test_a_team_changes_by_its_agents_and_not_by_who_joins(memory):
    """Half of the agents have grades of one half of the time only."""
    made = centres.make(np.random.default_rng(3), grades=60, quality_sd=6, leavers=True, trend=6.0, sd=6)
    found = analysis.changes(memory.fill(**tables(made, teams=2)), by="team", **PERIODS)
    assert ["team0000", "team0001"] == sorted(found["id"])
    assert [6, 6] == found["agents"].to_list()
    assert found.select((pl.col("lo") <= 3.0).all() & (pl.col("hi") >= 3.0).all()).item()


def test_a_grader_who_becomes_stricter_is_named(memory):
    made = centres.make(np.random.default_rng(4), grades=150, quality_sd=4, severity_sd=3, sd=8)
    stricter = replace(made, score=made.score - 9.0 * ((made.grader == 2) & (made.day >= 60)))
    found = analysis.changes(memory.fill(**tables(stricter)), by="grader", **PERIODS)
    assert "g0002" == found["id"][0]
    assert "down" == found["changed"][0]
    assert found["lo"][0] <= -7.5 <= found["hi"][0]


def test_by_default_the_last_28_days_are_compared_with_the_28_before(store):
    found = analysis.changes(store, by="question")
    assert {"question-0", "question-5"} <= set(found["id"])
    assert 2 == found["rubric_name"].n_unique()
    assert "before" in found.about.caveat


def test_an_older_period_that_begins_after_the_newer_one_is_refused(store):
    with pytest.raises(InvalidArgument, match="must be before since"):
        analysis.changes(store, since="2026-03-01", against="2026-03-02")
