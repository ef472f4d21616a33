"""Scenarios of the answers about two periods, pairs of graders, surveys, pilots and sessions."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import numpy as np
import polars as pl
from scipy import special

from maestro_analytics import analysis
from tests.simulations import centres
from tests.simulations.scenario import COVER, SHARE_COVERED, Measure, Measures, Scenario, covered
from tests.simulations.stores import START, MemoryStore, PreparedStore, names, number_of, tables


def nothing_changed(kind: dict[str, Any]) -> Measure:
    """Two periods of eight weeks that are alike: intervals that hold 0, and how many are named in one centre."""

    def measure(rng: np.random.Generator, store: MemoryStore) -> Measures:
        made = centres.make(rng, **({"agents": 30, "grades": (30, 120), "days": 112, "quality_sd": 4.0} | kind))
        store.fill(**tables(made, teams=5))
        measures: Measures = {}
        for by in ("agent", "team", "grader"):
            found = analysis.changes(store, by=by, since=(START + timedelta(days=56)).date())  # type: ignore[arg-type]
            sure = found.filter("reliable")
            measures[f"{by}: covered"] = covered(sure, np.zeros(sure.height))
            measures[f"{by}: named"] = float((found["changed"] != "").sum())
        return measures

    return measure


def pairs_of_graders(rng: np.random.Generator, store: MemoryStore) -> Measures:
    """Two graders of each ticket, each with a liking of their own for an agent."""
    tickets, graders, agents = 400, 4, 10
    first = rng.integers(0, graders, tickets)
    grader = np.stack([first, (first + rng.integers(1, graders, tickets)) % graders], axis=1).ravel()
    agent = np.repeat(rng.integers(0, agents, tickets), 2)
    bias, halo = rng.normal(0, 3, graders), rng.normal(0, 4, (graders, agents))
    score = (
        np.repeat(rng.normal(80, 8, tickets), 2) + bias[grader] + halo[grader, agent] + rng.normal(0, 5, 2 * tickets)
    )
    unit = np.repeat(np.arange(tickets), 2)
    judged = pl.DataFrame(
        {
            "unit": unit,
            "ticket": unit,
            "person_id": names("a", agent),
            "grader": names("g", grader),
            "score_percent": score,
        }
    )
    found = analysis.grader_pairs(PreparedStore({"paired_scores": judged})).filter("reliable")
    truth = bias[number_of(found["grader"])] - bias[number_of(found["other"])]
    return {SHARE_COVERED: covered(found, truth)}


def surveys(rng: np.random.Generator, store: MemoryStore) -> Measures:
    """Surveys that depend on the score and on the agent; the truth is that of 200,000 tickets of 20,000 agents."""
    truth = _rank_correlation(*_surveyed(np.random.default_rng(5), agents=20_000, each=10)[1:])
    person, score, csat = _surveyed(rng, agents=30, each=25)
    pairs = pl.DataFrame(
        {"person_id": names("a", person), "source": "chat", "score_percent": score, "csat_score": csat}
    ).group_by("person_id", "source", "score_percent", "csat_score").agg(tickets=pl.len().cast(pl.Int64))  # fmt: skip
    found = analysis.csat_link(PreparedStore({"csat_pairs": pairs})).filter(pl.col("scope") == "all tickets")
    return {SHARE_COVERED: covered(found, np.array([truth]))}


def _surveyed(rng: np.random.Generator, *, agents: int, each: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    person = np.repeat(np.arange(agents), each)
    quality = rng.normal(0, 1, agents)[person]
    latent = rng.normal(0, 1, len(person))
    score = np.round(np.clip(85 + 4 * quality + 8 * latent, 0, 100))
    csat = np.clip(np.round(4 + 0.4 * quality + 0.5 * latent + rng.normal(0, 1, len(person))), 1, 5)
    return person, score, csat


def _rank_correlation(score: np.ndarray, csat: np.ndarray) -> float:
    x, y = (pl.Series(values).rank().to_numpy() for values in (score, csat))
    return float(np.corrcoef(x, y)[0, 1])


def pilot(rng: np.random.Generator, store: MemoryStore) -> Measures:
    """A pilot of 20 and 20 agents that has the effect called detectable: how often it is found; .80 is promised."""
    quality_sd, sd, n = 4.0, 12.0, 12
    made = centres.make(rng, agents=80, grades=4 * n, days=112, quality_sd=quality_sd, sd=sd)
    row = analysis.power(store.fill(**tables(made))).filter(pl.col("coached") == 20)
    effect = row["detectable"].item()
    found = []
    for _ in range(200):
        quality = rng.normal(80, quality_sd, 40)
        count = np.maximum(rng.poisson(n, (2, 40)), 5)
        before, after = quality + rng.normal(0, sd, (2, 40)) / np.sqrt(count)
        coached = np.arange(40) < 20
        design = np.column_stack([coached, np.ones(40), before])
        solution = np.linalg.lstsq(design, after + effect * coached, rcond=None)[0]
        rest = after + effect * coached - design @ solution
        error = np.sqrt((rest @ rest) / 37 * np.linalg.inv(design.T @ design)[0, 0])
        found.append(solution[0] / error > special.stdtrit(37, 0.975))
    return {"found": float(np.mean(found))}


def sessions_of_no_use(rng: np.random.Generator, store: MemoryStore) -> Measures:
    """One session of each agent on a day by chance: how often the interval of the change holds 0."""
    made = centres.make(rng, agents=40, grades=(20, 120), days=150, quality_sd=4.0, severity_sd=3.0, noise="pile")
    people = names("a", np.arange(40))
    held = [START + timedelta(days=int(day)) for day in rng.integers(35, 110, 40)]
    sessions = pl.DataFrame({"id": people, "agent_id": people, "created_at": held, "updated_at": held})
    found = analysis.coaching_history(store.fill(**tables(made), coaching_sessions=sessions)).filter("reliable")
    return {SHARE_COVERED: covered(found, np.zeros(found.height))}


def sources(rng: np.random.Generator, store: MemoryStore) -> Measures:
    """How far the estimated spreads are from those that the centre was made with, points."""
    truth = {"agent": 4.0, "grader": 3.0, "agent with grader": 2.0, "day": 3.0}
    made = centres.make(
        rng, agents=60, graders=12, grades=100, days=120, sd=10, quality_sd=truth["agent"], severity_sd=truth["grader"],
        halo_sd=truth["agent with grader"], mood_sd=truth["day"],
    )  # fmt: skip
    found = dict(analysis.generalizability(store.fill(**tables(made))).select("source", "sd").rows())
    return {source: found[source] - sd for source, sd in truth.items()}


def questions_of_main_graders(rng: np.random.Generator, store: MemoryStore) -> Measures:
    """Equal agents, each graded mostly by one grader; graders see each question differently: who is named on one."""
    made = centres.make(rng, grades=80, nested=0.8, severity_sd=4.0)
    frames = tables(made, teams=6)
    fails = np.clip(0.2 + rng.normal(0, 0.08, (6, 8)), 0.02, 0.6)
    answers = [
        frames["total_scores"]
        .drop("rubric_score", "max_rubric_score")
        .with_columns(
            section_id=pl.lit("s"),
            question_id=pl.lit(f"q{question}"),
            question=pl.lit("?"),
            question_score=pl.Series(np.where(rng.random(len(made.score)) < fails[made.grader, question], 0.0, 10.0)),
            max_question_score=pl.lit(10.0),
        )
        for question in range(8)
    ]
    sections = frames["total_scores"].drop("rubric_score", "max_rubric_score").with_columns(
        section_id=pl.lit("s"), section_score=pl.lit(5.0), max_section_score=pl.lit(80.0)
    )  # fmt: skip
    store.fill(**frames, section_scores=sections, individual_answers=pl.concat(answers))
    found = {"agents": analysis.points_lost_by_agent(store), "teams": analysis.points_lost_by_team(store)}
    return {f"{what} named": float((table["stands_out"] != "").sum()) for what, table in found.items()}


def further() -> Iterator[Scenario]:
    """All of them, in the order of the table."""
    alike = {f"{by}: covered": COVER for by in ("agent", "team", "grader")}
    alike |= {f"{by}: named": (0.0, 0.1) for by in ("agent", "team", "grader")}
    for name, kind in {
        "nested": {"nested": 0.8, "severity_sd": 4.0}, "pile": {"noise": "pile", "severity_sd": 3.0},
        "days alike": {"mood_sd": 4.0, "mood_memory": 0.8},
    }.items():  # fmt: skip
        yield Scenario("changes", f"nothing changed: {name}", nothing_changed(kind), alike)
    yield Scenario("points_lost_by_agent, points_lost_by_team", "equal, main graders", questions_of_main_graders,
                   {"agents named": (0.0, 0.1), "teams named": (0.0, 0.1)})  # fmt: skip
    yield Scenario("grader_pairs", "errors clustered by agent", pairs_of_graders, {SHARE_COVERED: COVER})
    yield Scenario("csat_link", "agents differ", surveys, {SHARE_COVERED: (0.90, 1.0)})
    yield Scenario("power", "20 coached, 20 not", pilot, {"found": (0.75, 0.85)})
    yield Scenario("coaching_history", "sessions of no use", sessions_of_no_use, {SHARE_COVERED: COVER})
    near = (-0.5, 0.5)
    yield Scenario("generalizability", "spread less the true one", sources,
                   {"agent": near, "grader": near, "agent with grader": near, "day": near})  # fmt: skip
