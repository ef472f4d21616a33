"""How much of a score is the agent, who is graded often enough, and what a pilot can see: against known truth."""

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from simulated_database import grade_rows

from maestro_analytics import analysis
from tests.simulations import centres
from tests.simulations.stores import START, MemoryStore, tables


@pytest.fixture(scope="module")
def memory():
    """A database that each test fills."""
    return MemoryStore()


def test_the_sources_of_differences_between_scores_are_found(memory):
    """40 agents (sd 4), 12 graders (sd 3), what they make of each other (sd 3), single grades (sd 8)."""
    found = []
    for seed in range(4):
        made = centres.make(
            np.random.default_rng(seed), agents=40, grades=150, graders=12, quality_sd=4, severity_sd=3, halo_sd=3, sd=8
        )
        sources = analysis.generalizability(memory.fill(**tables(made)))
        assert sources["reliable"].all()
        assert round(sources["share"].sum(), 6) == 100
        found.append(dict(zip(sources["source"], sources["sd"], strict=True)))
    mean = {source: float(np.mean([each[source] for each in found])) for source in found[0]}
    truth = {"agent": 4.0, "grader": 3.0, "agent with grader": 3.0, "day": 0.0, "single grade": 8.0}
    assert all(abs(mean[source] - truth[source]) < 0.8 for source in truth)


def test_the_reliability_of_a_design_is_the_correlation_of_two_of_them(memory):
    """Means of 20 grades by 2 graders, drawn twice with other graders, correlate as `absolute` says."""
    made = centres.make(
        np.random.default_rng(9), agents=60, grades=150, graders=20, quality_sd=4, severity_sd=3, halo_sd=3, sd=8
    )
    designs = analysis.generalizability(memory.fill(**tables(made)), of="designs")
    promised = designs.filter((pl.col("graders") == 2) & (pl.col("grades") == 20))["absolute"].item()
    rng = np.random.default_rng(1)
    quality = rng.normal(0, 4, 20_000)
    twice = [
        quality
        + rng.normal(0, 3 / 2**0.5, 20_000)
        + rng.normal(0, 3 / 2**0.5, 20_000)
        + rng.normal(0, 8 / 20**0.5, 20_000)
        for _ in range(2)
    ]
    assert abs(promised - np.corrcoef(*twice)[0, 1]) < 0.12
    assert designs["enough"].any()
    assert (designs["relative"] >= designs["absolute"]).all()


def test_two_graders_are_too_few_to_generalize_from(memory):
    made = centres.make(np.random.default_rng(2), graders=2, grades=20)
    found = analysis.generalizability(memory.fill(**tables(made)))
    assert {"2 graders: fewer than 5"} == set(found["reason"])


def test_agents_without_enough_grades_are_listed_first(holding):
    """Six weeks: 001 has five grades a week, 002 two in week 0 and 3, 003 is in a team and never graded."""
    rows = [("001", week, n) for week in range(6) for n in range(5)] + [
        ("002", week, n) for week in (0, 3) for n in (0, 1)
    ]
    grades = grade_rows(
        gradable_id=[f"t{number}" for number in range(len(rows))],
        agent_id=[agent for agent, _, _ in rows],
        rubric_score=[80.0] * len(rows),
        date_reported_as=[START + timedelta(days=7 * week + n) for _, week, n in rows],
    )
    people = pl.DataFrame({"person_id": ["001", "002", "003"], "agent_name": ["Ann", "Bob", "Cem"]})
    ids = people.select("person_id", agent_id="person_id")
    store = holding(grades, teams={"Billing": ["001", "002", "003"]}, agents=people, agent_ids=ids)
    found = analysis.grading_coverage(store, wish=4)
    assert ["003", "002", "001"] == found["person_id"].to_list()
    assert ["Cem", "Bob", "Ann"] == found["agent_name"].to_list()
    assert [5, 5, 5] == found["weeks"].to_list()
    assert [0, 4, 25] == found["n"].to_list()
    assert [0, 0, 5] == found["weeks_met"].to_list()
    assert [5, 2, 0] == found["longest_gap"].to_list()
    assert [None, date(2026, 1, 26), date(2026, 2, 2)] == found["last_week"].to_list()
    assert "1 of 3 agents have no grade" in found.about.caveat


def test_a_pilot_finds_an_effect_as_often_as_it_says(memory):
    """Agents of sd 4, 20 grades a month of sd 10: draw pilots of 40 and 40 and count how often 3 points are found."""
    made = centres.make(np.random.default_rng(5), agents=60, grades=120, days=168, quality_sd=4, sd=10)
    found = analysis.power(memory.fill(**tables(made)), effect=3.0)
    row = found.filter(pl.col("coached") == 40).row(0, named=True)
    assert row["reliable"]
    assert not row["possible"]
    rng = np.random.default_rng(0)
    seen = []
    for _ in range(400):
        quality = rng.normal(0, 4, 80)
        before, after = (quality + rng.normal(0, 10 / 20**0.5, 80) for _ in range(2))
        coached = np.arange(80) < 40
        design = np.column_stack([np.ones(80), coached, before])
        outcome = after + 3.0 * coached
        beta, rest = np.linalg.lstsq(design, outcome, rcond=None)[:2]
        error = np.sqrt(rest[0] / 77 * np.linalg.inv(design.T @ design)[1, 1])
        seen.append(beta[1] / error > 1.99)
    assert abs(row["power"] / 100 - np.mean(seen)) < 0.1
    assert found["detectable"].is_sorted(descending=True)


def test_a_pilot_needs_agents_with_grades_in_windows_in_a_row(memory):
    made = centres.make(np.random.default_rng(6), agents=5, grades=3)
    found = analysis.power(memory.fill(**tables(made)))
    assert not found["reliable"].any()
    assert found["detectable"].null_count() == found.height
