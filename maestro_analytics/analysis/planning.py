"""How much is enough: grades for a sure mean, graders for a dependable score, agents for a coaching pilot."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import date
from typing import Literal, Unpack

import numpy as np
import polars as pl

from maestro_analytics.analysis.answer import HOW_SURE, Answer, Schema
from maestro_analytics.analysis.arguments import checked
from maestro_analytics.analysis.filters import Choice, Filters, Store
from maestro_analytics.analysis.grader_cells import Sums, compare_agents, only, ordered, scored_cells
from maestro_analytics.analysis.statistics import intervals, shrinkage
from maestro_analytics.analysis.statistics.arrays import Codes, Floats
from maestro_analytics.analysis.statistics.severity import clustered_errors, from_first, grader_effects
from maestro_analytics.analysis.summaries import nullable, summed, with_mean


@checked
def sampling_plan(
    store: Store,
    *,
    half_width: float = 5.0,
    volume: Mapping[str, int] | int | None = None,
    min_n: int = 10,
    confidence: float = 0.95,
    **filters: Unpack[Filters],
) -> Answer:
    """How many grades does each agent need for a mean that is sure to +- `half_width` points?

    One row per person, the least sure first. An agent's own spread is blended with the spread of all, because a
    spread from few grades is itself a guess.

    Args:
        volume: tickets there were to grade, for each person (by id) or for everyone; where it is known, grading a large
            part of them makes the mean surer (finite population correction).

    Columns
        person_id, agent_name
        n, n_na           Int64    grades so far, with and without a score
        mean              Float64  percent
        sd                Float64  spread that is planned with, points
        half_width_now    Float64  how sure the mean is with the grades so far, points
        needed            Int64    grades for +- `half_width`
        more              Int64    grades still missing
        per_week          Float64  grades a week so far
        weeks_to_go       Float64  at that pace; null without a pace
        method, reliable, reason   reliable: the mean is sure to +- `half_width` already

    Source: sql/queries/agent_scores.sql. Errors: see `Filters`.
    """
    choice = Choice.of(store, filters)
    frame = store.query("agent_scores", **choice.variables)
    dates = frame.group_by("person_id").agg(pl.col("first_reported").min(), pl.col("last_reported").max())
    table = with_mean(summed(frame, ["person_id"], first=["agent_name"]), min_n=min_n, confidence=confidence)
    table = table.join(dates, on="person_id", how="left").sort("person_id")
    scored = table.filter(pl.col("n") > 0)
    pooled = shrinkage.shrink(scored["n"], scored["mean"].fill_null(0), scored["sd"].fill_null(0)).within_sd
    if not pooled:  # no agent has two grades that differ
        pooled = np.nan
    freedom = (table["n"].to_numpy() - 1).clip(0)
    own = table["sd"].fill_null(0).to_numpy()
    sd = np.sqrt((freedom * own**2 + min_n * pooled**2) / (freedom + min_n))
    tickets = _volumes(table["person_id"], volume)
    needed = np.ceil(intervals.sample_size(sd, half_width, confidence=confidence, population=tickets) - 1e-9)
    n = table["n"].to_numpy().astype(float)
    with np.errstate(divide="ignore", invalid="ignore"):
        now = intervals.sample_size(sd, 1.0, confidence=confidence) ** 0.5 / np.sqrt(n)
    if tickets is not None:
        now = now * intervals.finite_population(n, tickets)
    now = np.where(np.isfinite(now), now, np.nan)
    weeks = ((pl.col("last_reported") - pl.col("first_reported")).dt.total_days() / 7 + 1 / 7).cast(pl.Float64)
    table = table.with_columns(
        sd=nullable(sd),
        half_width_now=nullable(now),
        needed=nullable(needed).cast(pl.Int64),
        per_week=pl.when(pl.col("n") > 0).then(pl.col("n") / pl.max_horizontal(weeks, pl.lit(1.0))),
    ).with_columns(more=(pl.col("needed") - pl.col("n")).clip(0))
    table = table.with_columns(
        weeks_to_go=pl.when(pl.col("per_week") > 0).then(pl.col("more") / pl.col("per_week")),
        method=pl.lit("normal, own and common spread blended" + (", finite population" if volume is not None else "")),
        reason=pl.when(pl.col("more").is_null())
        .then(pl.lit("no agent has two grades that differ: nothing says how much grades vary"))
        .when(pl.col("more") > 0)
        .then(pl.format(f"{{}} more grades for +- {half_width:g} points", "more"))
        .otherwise(pl.lit("")),
    ).with_columns(reliable=pl.col("reason") == "")
    columns = (
        *("person_id", "agent_name"),
        *("n", "n_na", "mean", "sd", "half_width_now", "needed", "more", "per_week", "weeks_to_go"),
        *HOW_SURE,
    )
    return Answer.of(
        table.select(columns).sort(["more", "person_id"], descending=[True, False], nulls_last=True),
        choice,
        question=f"How many grades does each agent need for +- {half_width:g} points?",
        caveat="Grades must be a fair sample of an agent's tickets: picking the bad ones makes any number useless. Of "
        f"means of as many grades as needed, {100 * confidence:g} % lie within +- {half_width:g} points of the truth; "
        "the interval that agent_scores shows must find the spread first: it is wider for about half of the agents.",
    )


def _volumes(people: pl.Series, volume: Mapping[str, int] | int | None) -> Floats | None:
    if volume is None:
        return None
    if isinstance(volume, int):
        return np.full(len(people), float(volume))
    return np.array([float(volume.get(person, math.inf)) for person in people])


SOURCES: Schema = {
    "source": pl.String,
    **dict.fromkeys(("n", "n_na", "levels"), pl.Int64),
    **dict.fromkeys(("sd", "share"), pl.Float64),
    **HOW_SURE,
}
DESIGNS: Schema = {
    **dict.fromkeys(("graders", "grades", "n", "n_na"), pl.Int64),
    **dict.fromkeys(("relative", "absolute"), pl.Float64),
    "enough": pl.Boolean,
    **HOW_SURE,
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
DESIGN_GRADERS, DESIGN_GRADES = (1, 2, 3, 5, 10), (1, 5, 10, 20, 40, 80)
DEPENDABLE = 0.8
FEWEST = {"agents": 10, "graders": 5, "grades": 100}


@checked
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
    scored = ordered(only(cells, pl.col("grader") > 0))
    question = (
        "How much of a score is the agent?" if of == "sources" else "How many grades by how many graders are enough?"
    )
    if not len(scored.n):
        return Answer.of(pl.DataFrame(schema=SOURCES if of == "sources" else DESIGNS), choice, question=question)
    variances, levels, linked = _variances(store, choice, scored)
    reason = _doubt(variances, levels, linked, grades=n)
    shared: dict[str, object] = {
        "n": n,
        "n_na": n_na,
        "method": METHOD,
        "reliable": not reason,
        "reason": reason,
    }
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
    compared = compare_agents(store, choice, scored, confidence=0.95)
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
    for graders in DESIGN_GRADERS:
        for grades in DESIGN_GRADES:
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


PILOTS = (5, 10, 20, 40, 80, 160, 320)
POWER: Schema = {
    **dict.fromkeys(("coached", "controls", "n", "n_na"), pl.Int64),
    **dict.fromkeys(("detectable", "power"), pl.Float64),
    "possible": pl.Boolean,
    **HOW_SURE,
}
FEWEST_PAIRS = 30
SPREADS = 25
"""Values of the spread over which a chance is averaged."""


@checked
def power(
    store: Store,
    *,
    effect: float = 5.0,
    days: int = 28,
    min_n: int = 5,
    wanted: float = 0.8,
    confidence: float = 0.95,
    **filters: Unpack[Filters],
) -> Answer:
    """How large must a coaching pilot be to see an effect?

    One row per size of a pilot in which chance decides who of the agents is coached, with as many controls. The score
    of the `days` after is compared, given that of the `days` before; how much it varies is taken from the agents' own
    scores so far, between windows in a row.

    Args:
        effect: points that coaching is hoped to add.
        min_n: grades that an agent must have in both windows to be counted.
        wanted: chance to find a true effect that is called detectable.

    Columns
        coached, controls   Int64    agents in the pilot
        n, n_na             Int64    pairs of windows that the variation comes from, and those with too few grades
        detectable          Float64  smallest effect that is found with chance `wanted`, points
        power               Float64  chance that an effect of `effect` points is found, percent
        possible            Boolean  there are so many agents
        method, reliable, reason     reliable: at least 30 pairs of windows

    Source: sql/queries/adjusted_trend.sql. Errors: see `Filters`.
    """
    from scipy import special

    choice = Choice.of(store, filters)
    trend = store.query("adjusted_trend", **choice.variables, week_zone=choice.week_zone, every="day")
    question = f"How large must a coaching pilot be to see {effect:g} points?"
    before, after, window, left_out = _windows(trend.filter(pl.col("n") > 0), days=days, min_n=min_n)
    if not trend.height:
        return Answer.of(pl.DataFrame(schema=POWER), choice, question=question)
    sd, known = _unexplained(before, after, window)
    reason = "" if len(after) >= FEWEST_PAIRS else f"{len(after)} pairs of windows: fewer than {FEWEST_PAIRS}"
    agents = trend["person_id"].n_unique()
    rows = []
    for size in PILOTS:
        freedom = 2.0 * size - 3
        # The groups differ a little before by chance, which the comparison has to take out.
        error = sd * (2 / size * (1 + 1 / (2 * size - 4))) ** 0.5
        critical = float(special.stdtrit(freedom, 0.5 + confidence / 2))
        seen = error > 0
        rows.append(
            {
                "coached": size,
                "controls": size,
                "n": len(after),
                "n_na": left_out,
                "detectable": _detectable(wanted, freedom, critical, known) * error if seen else np.nan,
                "power": 100 * _found(effect / error, freedom, critical, known) if seen else np.nan,
                "possible": 2 * size <= agents,
                "method": "two groups by chance, adjusted for the score before",
                "reliable": not reason,
                "reason": reason,
            }
        )
    return Answer.of(
        pl.DataFrame(rows, schema=POWER).with_columns(pl.col("detectable", "power").fill_nan(None)),
        choice,
        question=question,
        caveat="Holds where chance decides who is coached. Where coaches choose, more agents are needed.",
    )


def _windows(trend: pl.DataFrame, *, days: int, min_n: int) -> tuple[Floats, Floats, Floats, int]:
    """Means of windows in a row of each agent: before, after, the window's number; and how many pairs are left out."""
    nothing = np.zeros(0)
    last = trend["period"].max()
    if not isinstance(last, date):
        return nothing, nothing, nothing, 0
    windows = (
        trend.filter(pl.col("person_id").is_not_null())
        .with_columns(window=(pl.lit(last) - pl.col("period")).dt.total_days() // days)
        .group_by("person_id", "window")
        .agg(pl.col("n", "total").sum())
        .sort("person_id", "window")
    )
    earlier = windows.with_columns(window=pl.col("window") - 1)
    pairs = windows.join(earlier, on=["person_id", "window"], suffix="_before").sort("person_id", "window")
    enough = pairs.filter((pl.col("n") >= min_n) & (pl.col("n_before") >= min_n))
    before, after = (
        enough.select(pl.col(f"total{at}") / pl.col(f"n{at}")).to_series().to_numpy() for at in ("_before", "")
    )
    return before, after, enough["window"].to_numpy().astype(float), pairs.height - enough.height


def _found(errors: float, freedom: float, critical: float, known: float) -> float:
    """Chance that an effect of so many standard errors is found, when the error is itself estimated.

    Args:
        freedom, critical: degrees of freedom of the pilot's t and the value that it has to exceed.
        known: degrees of freedom of the spread that the error is made of.
    """
    from scipy import special

    middle = (np.arange(SPREADS) + 0.5) / SPREADS
    larger = np.sqrt(known / special.chdtri(known, middle))
    return float(1 - special.nctdtr(freedom, errors / larger, critical).mean())


def _detectable(wanted: float, freedom: float, critical: float, known: float) -> float:
    """The effect, in standard errors, that is found with the chance that is wanted."""
    low, high = 0.0, 100.0
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if _found(middle, freedom, critical, known) < wanted else (low, middle)
    return high


def _unexplained(before: Floats, after: Floats, window: Floats) -> tuple[float, float]:
    """Spread of the score after, given the score before and the window, and its degrees of freedom; nan for too few."""
    codes = np.unique(window, return_inverse=True)[1]
    levels = int(codes.max(initial=-1)) + 1
    freedom = len(after) - levels - 1
    if freedom < 1:
        return float("nan"), float("nan")
    size = np.bincount(codes)
    x, y = (values - (np.bincount(codes, values) / size)[codes] for values in (before, after))
    slope = float(x @ y) / float(x @ x) if float(x @ x) > 0 else 0.0
    return float(np.sqrt(((y - slope * x) ** 2).sum() / freedom)), float(freedom)
