"""The scenarios in which each promise of an answer is tested.

A scenario makes one centre whose truth is known, asks a public answer, and returns for each measure a number: the share
of intervals that cover the truth, how many agents are flagged, an error in points. The command repeats it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import polars as pl

from maestro_analytics import analysis
from tests.simulations import centres, coaching
from tests.simulations.further import further
from tests.simulations.scenario import COVER, SHARE_COVERED, Measure, Measures, Scenario, covered
from tests.simulations.stores import MemoryStore, PreparedStore, coached_store, names, number_of, tables


def scores(kind: dict[str, Any]) -> Measure:
    """Intervals of agent_scores: as graded, and of the mean under an average grader."""

    def measure(rng: np.random.Generator, store: MemoryStore) -> Measures:
        made = centres.make(rng, **kind)
        found = analysis.agent_scores(store.fill(**tables(made))).filter("reliable")
        who = number_of(found["person_id"])
        return {
            "as graded": covered(found, made.as_graded[who]),
            "adjusted": covered(found, made.quality[who], "adjusted_lo", "adjusted_hi"),
        }

    return measure


def scores_of_two_rubrics(rng: np.random.Generator, store: MemoryStore) -> Measures:
    made = centres.make(rng, grades=(5, 60), quality_sd=3, twice_sd=10, sd=8)
    found = analysis.agent_scores(store.fill(**tables(made)), by="all").filter("reliable")
    who = number_of(found["person_id"])
    return {
        "as graded": covered(found, made.as_graded[who]),
        "adjusted": covered(found, made.as_graded[who], "adjusted_lo", "adjusted_hi"),
    }


def ranking(kind: dict[str, Any], *, equal: bool) -> Measure:
    """Agents that are flagged although equal; else flags of the wrong sign and coverage within components."""

    def measure(rng: np.random.Generator, store: MemoryStore) -> Measures:
        made = centres.make(rng, **kind)
        found = analysis.agent_ranking(store.fill(**tables(made)))
        flags = found["stands_out"] != ""
        if equal:
            return {"flagged": float(flags.sum())}
        truth = made.as_graded if kind.get("split") else made.quality
        quality = pl.Series(truth[number_of(found["person_id"])])
        table = pl.DataFrame(found).with_columns(quality=quality)
        table = table.with_columns(
            gap=pl.col("quality") - pl.col("quality").mean().over("component"),
            true_rank=pl.col("quality").rank("ordinal", descending=True).over("component"),
        )
        named = table.filter(pl.col("stands_out") != "")
        wrong = named.filter((pl.col("stands_out") == "above") != (pl.col("gap") > 0))
        sure = table.filter("reliable")
        return {
            "flagged": float(named.height),
            "wrong": float(wrong.height),
            "rank covered": covered(sure, sure["true_rank"].to_numpy(), "rank_lo", "rank_hi"),
            "shrunk covered": covered(sure, sure["quality"].to_numpy(), "shrunk_lo", "shrunk_hi"),
        }

    return measure


def ranking_of_few(rng: np.random.Generator, store: MemoryStore) -> Measures:
    made = centres.make(rng, grades=(5, 20), quality_sd=rng.choice([1.0, 3.0]))
    found = analysis.agent_ranking(store.fill(**tables(made)), min_n=5)
    return {
        "shrunk covered": covered(found, made.quality[number_of(found["person_id"])], "shrunk_lo", "shrunk_hi"),
        "one score for all": float(found["shrunk"].round(6).n_unique() == 1),
    }


def ranking_of_single_grades(rng: np.random.Generator, store: MemoryStore) -> Measures:
    made = centres.make(rng, agents=12, grades=1, quality_sd=5)
    found = analysis.agent_ranking(store.fill(**tables(made)))
    return {"flagged": float((found["stands_out"] != "").sum()), "reliable": float(found["reliable"].sum())}


def team_rates(rng: np.random.Generator, store: MemoryStore) -> Measures:
    """Pass rate, auto-fail rate and failure rate of six equal teams of agents who differ."""
    agents, teams = 36, 6
    n = np.exp(rng.uniform(np.log(10), np.log(120), agents)).astype(int)
    passing, failing = rng.beta(8, 2, agents), rng.beta(1.5, 30, agents)
    agent = np.repeat(np.arange(agents), n)
    passed, failed = rng.random(len(agent)) < passing[agent], rng.random(len(agent)) < failing[agent]
    score = np.where(failed, 0.0, np.where(passed, 90.0, 70.0))
    zeros = np.zeros(len(agent), dtype=int)
    made = centres.Centre(
        agent, zeros, zeros, rng.integers(0, 120, len(agent)), score, np.zeros(agents), np.zeros(1), np.zeros(agents),
        np.arange(len(agent)),
    )  # fmt: skip
    frames = tables(made, teams=teams)
    shared = ["grade_key", "gradable_id", "agent_id", "rubric_id", "rubric_name", "date_reported_as", "grade_type"]
    grades = frames["total_scores"]
    section = grades.select(*shared, "source", section_id=pl.lit("s"), section_score=pl.lit(5.0),
                            max_section_score=pl.lit(10.0))  # fmt: skip
    right = pl.Series(np.where(passed, 10.0, 0.0))
    answers = grades.select(*shared, "source", section_id=pl.lit("s"), question_id=pl.lit("q"), question=pl.lit("?"),
                            question_score=right, max_question_score=pl.lit(10.0))  # fmt: skip
    store.fill(**frames, section_scores=section, individual_answers=answers)
    teams_found = analysis.team_scores(store)
    lost = analysis.points_lost_by_team(store)
    mean = 90 * 0.8 * (1 - 1.5 / 31.5) + 70 * 0.2 * (1 - 1.5 / 31.5)
    measures = {"mean covered": covered(teams_found, np.full(teams_found.height, mean))}
    for name, table, rate, lo, hi, truth in (
        ("pass rate", teams_found, "pass_rate", "pass_lo", "pass_hi", 100 * 0.8 * (1 - 1.5 / 31.5)),
        ("auto-fail rate", teams_found, "autofail_rate", "autofail_lo", "autofail_hi", 100 * 1.5 / 31.5),
        ("failure rate", lost, "failure_rate", "lo", "hi", 20.0),
    ):
        found = table.filter(pl.col(rate).is_not_null())
        measures[f"{name} covered"] = covered(found, np.full(found.height, truth), lo, hi)
    apart = teams_found["pass_lo"].max() > teams_found["pass_hi"].min()  # type: ignore[operator]
    return measures | {"two teams apart": float(bool(apart))}


def severity(kind: dict[str, Any]) -> Measure:
    """Coverage of the adjusted gap, and its error beside that of raw means, centred within components."""

    def measure(rng: np.random.Generator, store: MemoryStore) -> Measures:
        made = centres.make(rng, **kind)
        found = pl.DataFrame(analysis.grader_severity(store.fill(**tables(made))))
        found = found.with_columns(truth=pl.Series(made.severity[number_of(found["grader"])]))
        centred = {name: pl.col(name) - pl.col(name).mean().over("component") for name in ("truth", "raw_mean")}
        found = found.with_columns(**centred).filter(pl.col("adjusted").is_not_null())
        truth = found["truth"].to_numpy()
        return {
            SHARE_COVERED: covered(found.filter("reliable"), found.filter("reliable")["truth"].to_numpy()),
            "squared error": float(((found["adjusted"].to_numpy() - truth) ** 2).mean()),
            "squared error, raw": float(((found["raw_mean"].to_numpy() - truth) ** 2).mean()),
        }

    return measure


ALPHA: dict[str, float] = {}


def _judged(rng: np.random.Generator, tickets: int, kind: str) -> pl.DataFrame:
    """Scores of two of four graders for each ticket."""
    true = rng.normal(0, 1, tickets)
    unit = np.repeat(np.arange(tickets), 2)
    noise = rng.normal(0, 0.7, 2 * tickets)
    latent = true[unit] + noise
    if kind == "normal":
        score = 80 + 8 * latent
    elif kind == "rare":
        score = np.where(latent < -1.9, 0.0, 100.0)
    else:
        score = np.where(latent > 0.25, 100.0, np.clip(5 * np.round((90 + 8 * latent) / 5), 0, 95))
        score = np.where(np.repeat(rng.random(tickets) < 0.03, 2) & (rng.random(2 * tickets) < 0.7), 0.0, score)
    first = rng.integers(0, 4, tickets)
    grader = np.stack([first, (first + rng.integers(1, 4, tickets)) % 4], axis=1).ravel()
    return pl.DataFrame(
        {
            "unit": unit + 1, "ticket": unit + 1, "source": "chat", "gradable_id": names("t", unit), "rubric_id": "r",
            "rubric_name": "r", "person_id": "a", "grader": names("g", grader), "grade_type": "grading",
            "grade_key": names("k", np.arange(2 * tickets)), "score_percent": score,
        }
    )  # fmt: skip


def agreement(tickets: int, kind: str) -> Measure:
    """Coverage of alpha among reliable rows; the truth is alpha of 200,000 tickets."""

    def measure(rng: np.random.Generator, store: MemoryStore) -> Measures:
        if kind not in ALPHA:
            many = _judged(np.random.default_rng(7), 200_000, kind)["score_percent"].to_numpy()
            ALPHA[kind] = float(1 - (np.diff(many.reshape(-1, 2)) ** 2).mean() / (2 * many.var()))
        found = analysis.grader_agreement(PreparedStore({"paired_scores": _judged(rng, tickets, kind)}), resamples=300)
        sure = found.filter("reliable")
        return {
            SHARE_COVERED: covered(sure, np.full(sure.height, ALPHA[kind])),
            "reliable": float(found["reliable"].sum()),
        }

    return measure


def _benchmarks(apart: np.ndarray, judged: np.ndarray, agent: np.ndarray, day: np.ndarray) -> PreparedStore:
    moments = np.datetime64("2026-01-05", "us") + day.astype("timedelta64[D]")
    return PreparedStore(
        {
            "benchmarks": pl.DataFrame(
                {
                    "grade_type": "calibration", "grader": names("g", judged), "target_grader": "expert",
                    "person_id": names("a", agent), "score_percent": 80 + apart, "target_score_percent": 80.0,
                    "alignment": 90.0, "alignment_score": 90.0, "date_reported_as": moments,
                }
            ).with_columns(pl.col("date_reported_as").dt.replace_time_zone("UTC"))
        }
    )  # fmt: skip


def bias_of_agents(rng: np.random.Generator, store: MemoryStore) -> Measures:
    """A grader errs about the same agent in the same direction."""
    graders, agents, each = 6, 12, 5
    judged, agent = (values.ravel() for values in np.divmod(np.arange(graders * agents * each) // each, agents))
    bias = rng.normal(0, 3, graders)
    halo = rng.normal(0, 4, (graders, agents))
    apart = bias[judged] + halo[judged, agent] + rng.normal(0, 5, len(judged))
    found = analysis.benchmark_bias(_benchmarks(apart, judged, agent, np.zeros(len(judged), dtype=int)))
    return {SHARE_COVERED: covered(found, bias[number_of(found["grader"])])}


def drift_of_moods(memory: float) -> Measure:
    """Weekly moods without any drift, each as alike the one before as `memory`: how often the slope excludes 0."""

    def measure(rng: np.random.Generator, store: MemoryStore) -> Measures:
        graders, weeks, each = 6, 26, 5
        judged, week = np.divmod(np.arange(graders * weeks * each) // each, weeks)
        mood = rng.normal(0, 3, (graders, weeks))
        for later in range(1, weeks):
            mood[:, later] = memory * mood[:, later - 1] + (1 - memory**2) ** 0.5 * mood[:, later]
        apart = mood[judged, week] + rng.normal(0, 5, len(judged))
        agent = rng.integers(0, 500, len(judged))
        found = analysis.grader_drift(_benchmarks(apart, judged, agent, week * 7)).unique("group")
        return {"slope excludes 0": 1 - covered(found, np.zeros(found.height), "slope_lo", "slope_hi")}

    return measure


def effect(reason: str, size: float) -> Measure:
    """The recommended row, where there is one."""

    def measure(rng: np.random.Generator, store: MemoryStore) -> Measures:
        found = analysis.coaching_effect(coached_store(coaching.make(rng, reason=reason, effect=size)))
        chosen = found.filter(pl.col("recommended") & pl.col("reliable"))
        if not chosen.height:
            return {"bias": float("nan"), SHARE_COVERED: float("nan"), "recommended": 0.0}
        return {
            "bias": chosen["effect"].item() - size,
            SHARE_COVERED: covered(chosen, np.array([size])),
            "recommended": 1.0,
        }

    return measure


def waiting(rng: np.random.Generator, store: MemoryStore) -> Measures:
    """Ten coaches who differ in how soon they act; the truth is that of all such coaches' grades."""
    from scipy import special

    coaches, each, spread = 10, 40, 0.6
    coach = np.repeat(np.arange(coaches), each)
    pace = rng.normal(0, spread, coaches)
    wait = 10 * np.exp(pace[coach] + rng.normal(0, 0.8, len(coach)))
    seen = rng.uniform(20, 120, len(coach))
    store_of_low = PreparedStore({"low_grades": _low(wait, seen, coach)})
    found = analysis.time_to_coach(store_of_low)
    share = analysis.coaching_coverage(store_of_low, by="all")
    soon = 100 * special.ndtr(np.log(14 / 10) / np.hypot(spread, 0.8))
    return {
        SHARE_COVERED: covered(found, np.full(found.height, 10.0)),
        "coverage covered": covered(share, np.full(share.height, soon)),
    }


def waiting_too_early(rng: np.random.Generator, store: MemoryStore) -> Measures:
    """Followed for five days at most: nothing can be said about fourteen."""
    wait, seen = rng.exponential(6, 300), rng.uniform(0, 5, 300)
    found = analysis.time_to_coach(PreparedStore({"low_grades": _low(wait, seen, rng.integers(0, 10, 300))}))
    return {"reliable": float(found["within"].is_not_null().sum() + found["reliable"].sum())}


def _low(wait: np.ndarray, seen: np.ndarray, coach: np.ndarray) -> pl.DataFrame:
    happened = wait <= seen
    return pl.DataFrame(
        {
            "person_id": names("a", np.arange(len(wait)) % 7 + 10 * coach), "rubric_name": "r",
            "coach_id": pl.Series(names("c", coach)), "coached": happened, "days_observed": seen,
            "days": np.minimum(wait, seen), "agent_name": "a",
        }
    ).with_columns(coach_id=pl.when("coached").then("coach_id"))  # fmt: skip


def coverage(rng: np.random.Generator, store: MemoryStore) -> Measures:
    """Six equal teams of agents who differ in how often their low grades are followed by coaching."""
    agents, teams = 36, 6
    n = np.exp(rng.uniform(np.log(5), np.log(60), agents)).astype(int)
    often = rng.beta(3, 3, agents)
    agent = np.repeat(np.arange(agents), n)
    happened = rng.random(len(agent)) < often[agent]
    low = pl.DataFrame(
        {
            "person_id": names("a", agent), "coached": happened, "days": np.where(happened, 5.0, 60.0),
            "days_observed": 60.0,
        }
    )  # fmt: skip
    people = names("a", np.arange(agents))
    team = names("team", np.arange(agents) % teams)
    members = pl.DataFrame({"person_id": people, "group_id": team, "group_name": team})
    low = low.with_columns(rubric_name=pl.lit("r"), agent_name=pl.col("person_id"), coach_id=pl.lit(None, pl.String))
    found = analysis.coaching_coverage(PreparedStore({"low_grades": low, "team_members": members}))
    apart = found["lo"].max() > found["hi"].min()  # type: ignore[operator]
    return {SHARE_COVERED: covered(found, np.full(found.height, 50.0)), "two teams apart": float(bool(apart))}


def planned(rng: np.random.Generator, store: MemoryStore) -> Measures:
    """As many grades as are needed, drawn anew: how often their mean is inside +- 5 points of the truth."""
    made = centres.make(rng, grades=(20, 80), quality_sd=3)
    plan = analysis.sampling_plan(store.fill(**tables(made)))
    apart = np.array([rng.normal(0, 12, int(needed)).mean() for needed in plan["needed"]])
    return {"inside": float((np.abs(apart) <= 5).mean())}


def charts(grades: tuple[int, int]) -> Measure:
    """24 agents who never change over 26 weeks: how many have a signal."""

    def measure(rng: np.random.Generator, store: MemoryStore) -> Measures:
        made = centres.make(rng, grades=grades, days=182, quality_sd=3, noise="pile")
        store.fill(**tables(made))
        control = analysis.control_chart(store, by="agent")
        passing = analysis.pass_rate_chart(store, by="agent")
        flagged = [float(table.filter(pl.col("signal") != "")["group"].n_unique()) for table in (control, passing)]
        return {"control chart": flagged[0], "pass rate chart": flagged[1]}

    return measure


def scenarios() -> Iterator[Scenario]:
    """All of them, in the order of the table."""
    unequal = {"grades": (1, 200), "quality_sd": 4.0}
    two = {"as graded": COVER, "adjusted": COVER}
    few = {"flagged": (0.0, 0.3)}
    for name, kind in {
        "normal": {}, "beta": {"noise": "beta"}, "t with 2.5 df": {"noise": "t"}, "pile": {"noise": "pile"},
        "day": {"mood_sd": 4.0, "severity_sd": 2.0}, "days alike": {"mood_sd": 4.0, "mood_memory": 0.8},
        "nested": {"nested": 0.8, "severity_sd": 4.0},
    }.items():  # fmt: skip
        yield Scenario("agent_scores", name, scores(unequal | kind), two)
    yield Scenario("agent_scores", "by='all', two rubrics", scores_of_two_rubrics, two)
    nested = {"nested": 0.8, "severity_sd": 4.0}
    for name, kind in {
        "random grading": {"severity_sd": 4.0}, "nested, 40 grades": nested,
        "nested, 120 grades": nested | {"grades": 120},
        "trend, leavers": {"trend": 12.0, "leavers": True, "severity_sd": 2.0}, "pile": {"noise": "pile"},
        "nested, pile, 1 to 200 grades": nested | {"grades": (1, 200), "noise": "pile"},
        "days alike": {"mood_sd": 4.0, "mood_memory": 0.8}, "nested, likings": nested | {"halo_sd": 3.0},
    }.items():  # fmt: skip
        yield Scenario("agent_ranking", f"equal agents: {name}", ranking(kind, equal=True), few)
    differ = {"flagged": (0.0, 24.0), "wrong": (0.0, 0.1), "rank covered": COVER, "shrunk covered": COVER}
    kind = nested | {"grades": 120, "quality_sd": 3.0}
    yield Scenario("agent_ranking", "agents differ, nested, 120 grades", ranking(kind, equal=False), differ)
    yield Scenario("agent_ranking", "the same, with likings of graders for agents",
                   ranking(kind | {"halo_sd": 3.0}, equal=False), differ)  # fmt: skip
    kind = {"quality_sd": 3.0, "split": True, "grades": 60}
    yield Scenario("agent_ranking", "better half has its own rubric", ranking(kind, equal=False), differ)
    yield Scenario("agent_ranking", "5 to 20 grades", ranking_of_few,
                   {"shrunk covered": COVER, "one score for all": (0.0, 0.0)})  # fmt: skip
    yield Scenario("agent_ranking", "12 agents with one grade", ranking_of_single_grades,
                   {"flagged": (0.0, 0.0), "reliable": (0.0, 0.0)})  # fmt: skip
    yield Scenario("team_scores, points_lost", "six equal teams", team_rates,
                   {"mean covered": COVER, "pass rate covered": COVER, "auto-fail rate covered": COVER,
                    "failure rate covered": COVER, "two teams apart": (0.0, 0.10)})  # fmt: skip
    for name, kind in {
        "iid": {}, "pile": {"noise": "pile"}, "unequal load": {"uneven": True}, "disconnected": {"clusters": 2},
        "halo": {"halo_sd": 4.0}, "day": {"mood_sd": 4.0}, "days alike": {"mood_sd": 4.0, "mood_memory": 0.8},
        "80 % nested": {"nested": 0.8},
        "98 % nested": {"nested": 0.98},
    }.items():  # fmt: skip
        kind = {"quality_sd": 4.0, "severity_sd": 3.0} | kind
        yield Scenario("grader_severity", name, severity(kind), {SHARE_COVERED: COVER})
    for tickets, name in ((60, "normal"), (150, "normal"), (60, "rare"), (150, "rare"), (400, "rare"), (60, "pile"),
                          (150, "pile"), (400, "pile"), (2000, "pile")):  # fmt: skip
        yield Scenario("grader_agreement", f"{name}, {tickets} tickets", agreement(tickets, name),
                       {SHARE_COVERED: (0.90, 1.0), "reliable": (0.0, 1.0)})  # fmt: skip
    yield Scenario("benchmark_bias", "errors clustered by agent", bias_of_agents, {SHARE_COVERED: COVER})
    for memory, name in ((0.0, "weekly moods"), (0.7, "moods that last for weeks")):
        yield Scenario("grader_drift", name, drift_of_moods(memory), {"slope excludes 0": (0.0, 0.075)})
    for reason in coaching.REASONS:
        for size in (0.0, 5.0):
            yield Scenario("coaching_effect", f"{reason}, effect {size:g}", effect(reason, size),
                           {"bias": (-0.65, 0.65), SHARE_COVERED: COVER, "recommended": (0.0, 1.0)})  # fmt: skip
    yield Scenario("coaching_coverage", "six equal teams", coverage,
                   {SHARE_COVERED: COVER, "two teams apart": (0.0, 0.10)})  # fmt: skip
    yield Scenario("time_to_coach, coaching_coverage", "coaches differ", waiting,
                   {SHARE_COVERED: COVER, "coverage covered": COVER})  # fmt: skip
    yield Scenario("time_to_coach", "five days of follow-up", waiting_too_early, {"reliable": (0.0, 0.0)})
    yield Scenario("sampling_plan", "the grades it asks for", planned, {"inside": COVER})
    for name, grades in {"pile": (40, 300), "pile, 20 to 60 grades": (20, 60)}.items():
        yield Scenario("control_chart, pass_rate_chart", f"24 stable agents, {name}", charts(grades),
                       {"control chart": (0.0, 1.5), "pass rate chart": (0.0, 1.5)})  # fmt: skip
    yield from further()
