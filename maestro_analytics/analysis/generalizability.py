"""How much of a score is the agent, and how many grades by how many graders a dependable score takes."""

from __future__ import annotations

from typing import Literal, Unpack

import numpy as np
import polars as pl

from maestro_analytics.analysis.answer import Answer
from maestro_analytics.analysis.filters import Choice, Filters, Store
from maestro_analytics.analysis.grader_cells import Sums, compare_agents, ordered, scored_cells
from maestro_analytics.analysis.statistics.arrays import Codes
from maestro_analytics.analysis.statistics.severity import clustered_errors, from_first, grader_effects

SOURCES = {
    "source": pl.String,
    "n": pl.Int64,
    "n_na": pl.Int64,
    "levels": pl.Int64,
    "sd": pl.Float64,
    "share": pl.Float64,
    "method": pl.String,
    "reliable": pl.Boolean,
    "reason": pl.String,
}
DESIGNS = {
    "graders": pl.Int64,
    "grades": pl.Int64,
    "n": pl.Int64,
    "n_na": pl.Int64,
    "relative": pl.Float64,
    "absolute": pl.Float64,
    "enough": pl.Boolean,
    "method": pl.String,
    "reliable": pl.Boolean,
    "reason": pl.String,
}
METHOD = "mixed model of agent and grader; agent with grader, and day, by moments"
SOURCE_WORDS = {
    "agent": "the agent",
    "grader": "how strict the grader is",
    "agent with grader": "this grader with this agent",
    "day": "the grader's day",
    "single grade": "the ticket, and chance",
}
"""What people read in the place of a source's name."""
GRADERS, GRADES = (1, 2, 3, 5, 10), (1, 5, 10, 20, 40, 80)
DEPENDABLE = 0.8
FEWEST = {"agents": 10, "graders": 5, "grades": 100}


def generalizability(
    store: Store, *, of: Literal["sources", "designs"] = "sources", **filters: Unpack[Filters]
) -> Answer:
    """How much of a score is the agent, and what does a dependable score take?

    `of="sources"`: one row per source of differences between scores. `of="designs"`: one row per number of graders and
    of grades for each agent (shared evenly by the graders), with the reliability of such a mean. Differences between
    rubrics and months are taken out first.

    Columns of sources
        source         String   "agent", "grader", "agent with grader" (what a grader makes of one agent), "day" (a
                                grader's mood), "single grade" (ticket and chance)
        n, n_na        Int64    grades with and without a score
        levels         Int64    agents, graders, pairs, days of a grader, grades
        sd             Float64  points
        share          Float64  of the variance of a single score, percent
        method, reliable, reason   reliable: at least 10 agents, 5 graders and 100 grades

    Columns of designs
        graders, grades   Int64    for each agent
        n, n_na           Int64    grades the estimate rests on
        relative          Float64  reliability for comparing agents who share their graders, 0 to 1
        absolute          Float64  reliability of the score itself, whoever grades, 0 to 1
        enough            Boolean  absolute is at least .80; null where the row is not reliable
        method, reliable, reason

    Source: sql/queries/grader_cells.sql; Brennan, "Generalizability Theory" (2001). Errors: see `Filters`.
    """
    choice = Choice.of(store, filters)
    cells = scored_cells(store, choice)
    n, n_na = int(cells["n"].sum()), int(cells["n_na"].sum())
    known = pl.col("grader") > 0
    scored = ordered(cells if cells.select(known.all()).item() else cells.filter(known))
    question = (
        "How much of a score is the agent?" if of == "sources" else "How many grades by how many graders are enough?"
    )
    if not len(scored.n):
        return Answer.of(pl.DataFrame(schema=SOURCES if of == "sources" else DESIGNS), choice, question=question)
    variances, levels, linked = _variances(store, choice, scored)
    reason = _doubt(variances, levels, linked, grades=n)
    shared: dict[str, object] = {"n": n, "n_na": n_na, "method": METHOD, "reliable": not reason, "reason": reason}
    rows = _sources(variances, levels) if of == "sources" else _designs(variances, reliable=not reason)
    table = pl.DataFrame([row | shared for row in rows], schema=SOURCES if of == "sources" else DESIGNS)
    floats = [name for name, kind in table.schema.items() if kind == pl.Float64]
    return Answer.of(
        table.with_columns(pl.col(floats).fill_nan(None)),
        choice,
        question=question,
        caveat=_needed(variances) if not reason else "",
    )


def _doubt(variances: dict[str, float], levels: dict[str, int], linked: dict[str, int], *, grades: int) -> str:
    """Why the variances are not enough to act on; an empty text where they are."""
    if variances["single grade"] == 0 and not np.nansum(list(variances.values())):
        return "all scores are equal"
    if grades < FEWEST["grades"]:
        return f"{grades} grades: fewer than {FEWEST['grades']}"
    for what, source in (("agents", "agent"), ("graders", "grader")):
        if linked[source] < FEWEST[what]:
            apart = " that others connect" if linked[source] < levels[source] else ""
            return f"{linked[source]} {what}{apart}: fewer than {FEWEST[what]}"
    return "" if all(np.isfinite(list(variances.values()))) else "too few repeated grades"


def _variances(store: Store, choice: Choice, scored: Sums) -> tuple[dict[str, float], dict[str, int], dict[str, int]]:
    """The variance of each source, how many levels it has, and how many agents and graders are connected."""
    compared = compare_agents(store, choice, cells=scored, confidence=0.95)
    agent, grader, *other = scored.codes
    effects = grader_effects(*scored.of_grades, agent=agent, grader=grader, other=other)
    errors = clustered_errors(effects, day=scored.day)
    linked = {"agent": compared.largest, "grader": int(effects.linked.max())}
    several_graders = linked["grader"] > 1
    variances = {
        "agent": compared.between_sd**2 if linked["agent"] > 1 else np.nan,
        "grader": compared.grader_sd**2 if several_graders else np.nan,
        "agent with grader": errors.halo_sd**2 if several_graders else np.nan,
        "day": errors.day_sd**2,
        "single grade": max(effects.residual_sd**2 - errors.halo_sd**2 - errors.day_sd**2, 0.0),
    }
    graders = int(grader.max()) + 1
    levels = {
        "agent": int(agent.max()) + 1,
        "grader": graders,
        "agent with grader": _different(agent * graders + grader),
        "day": _different(from_first(scored.day) * graders + grader),
        "single grade": int(scored.n.sum()),
    }
    return variances, levels, linked


def _different(codes: Codes) -> int:
    """How many different numbers there are."""
    return int(np.count_nonzero(np.bincount(codes)))


def _sources(variances: dict[str, float], levels: dict[str, int]) -> list[dict[str, object]]:
    whole = sum(variances.values())
    return [
        {
            "source": source,
            "levels": levels[source],
            "sd": variance**0.5,
            "share": 100 * variance / whole if whole > 0 else None,
        }
        for source, variance in variances.items()
    ]


def _reliability(variances: dict[str, float], graders: int, grades: float, *, absolute: bool) -> float:
    """Share of the variance of an agent's mean that is the agent's, when each grade is of another day."""
    single = variances["single grade"] + variances["day"]
    noise = variances["agent with grader"] / graders + single / grades
    if absolute:
        noise += variances["grader"] / graders
    whole = variances["agent"] + noise
    return variances["agent"] / whole if whole else float("nan")


def _designs(variances: dict[str, float], *, reliable: bool) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for graders in GRADERS:
        for grades in GRADES:
            if grades < graders:
                continue
            relative, absolute = (_reliability(variances, graders, grades, absolute=each) for each in (False, True))
            enough = absolute >= DEPENDABLE if reliable else None
            rows.append(
                {"graders": graders, "grades": grades, "relative": relative, "absolute": absolute, "enough": enough}
            )
    return rows


def _needed(variances: dict[str, float]) -> str:
    """The fewest grades for a dependable score, in words."""
    for graders in range(1, 51):
        room = variances["agent"] * (1 / DEPENDABLE - 1)
        room -= (variances["agent with grader"] + variances["grader"]) / graders
        if room > 0:
            grades = max(int(np.ceil((variances["single grade"] + variances["day"]) / room)), graders)
            if grades <= 500:
                return f"A reliability of .80 takes {grades} grades for each agent, shared by {graders} graders."
    return "No number of grades up to 500 gives a reliability of .80: agents hardly differ."
