"""Comparing agents: who is ahead, and which gaps are larger than noise."""

from __future__ import annotations

from typing import Unpack

import numpy as np
import polars as pl

from maestro_analytics.analysis.answer import HOW_SURE, Answer
from maestro_analytics.analysis.arguments import checked
from maestro_analytics.analysis.filters import Choice, Filters, Store
from maestro_analytics.analysis.grader_cells import Compared, compare_agents, ordered, scored_cells
from maestro_analytics.analysis.summaries import beyond_chance, on_scale, summed, with_mean

METHOD = "mixed model of agent, grader, rubric and month; shrunk; ranks from joint draws"
FEWEST_AGENTS = 5
"""With fewer agents the caveat does not say how much agents and graders differ: it would be a guess."""
MOST_DRAWN, FEWEST_DRAWS = 1_000_000, 250
"""Ranks are drawn 1,000 times; of thousands of agents less often: 250 draws place an end to a 25th of the interval."""


@checked
def agent_ranking(
    store: Store,
    *,
    min_n: int = 10,
    confidence: float = 0.95,
    simultaneous: bool = False,
    seed: int = 0,
    **filters: Unpack[Filters],
) -> Answer:
    """Who is ahead, and which gaps are larger than noise?

    One row per person with a score, best first within each component. Few grades make extreme means, and a strict
    grader makes low ones, so agents are compared by a mixed model of agent, grader, rubric and month: each mean is
    estimated under an average grader and drawn towards the mean of all by as much as its own noise demands. The spread
    between agents is not known and is integrated over. Agents whom no common grader, rubric or month connects are in
    different components and are not compared: `rank`, `stands_out` and `ahead_of_next` hold within a component.

    Args:
        simultaneous: rank intervals that hold for all agents together; by default each holds for its agent alone.

    Columns
        rank                   Int64    by the shrunk mean, within the component
        rank_lo, rank_hi       Int64    the ranks that are compatible with the data
        person_id, agent_name
        n, n_na                Int64
        mean, lo, hi           Float64  mean of the (rubric-adjusted) percents as graded, and its interval
        shrunk, shrunk_lo, shrunk_hi    best guess of the mean of further grades under an average grader
        kept                   Float64  share of the agent's own gap that is kept, 0 to 1
        stands_out             String   "above" or "below" the mean of the component, else ""; only reliable rows; at
                                        most 5 % of those named are expected to be wrong (Benjamini-Hochberg)
        ahead_of_next          Float64  probability of a higher mean than the next agent of the component
        not_settled            Boolean  that probability is below `confidence`
        component, agents_compared   Int64   component (1 is the largest) and its number of agents
        method, reliable, reason

    Source: sql/queries/agent_scores.sql, grader_cells.sql, person_numbers.sql. Errors: see `Filters`.
    """
    choice = Choice.of(store, filters)
    # No threshold is needed here: with that of the other scores, a report asks once for all.
    frame = rubric_adjusted(store.query("agent_scores", **choice.variables, threshold=80.0))
    table = summed(frame, ["person_id"], first=["agent_name", "highest"]).filter(pl.col("n") > 0)
    table = with_mean(table, min_n=min_n, confidence=confidence)
    draws = max(FEWEST_DRAWS, min(1000, MOST_DRAWN // max(table.height, 1)))
    cells = ordered(scored_cells(store, choice))
    compared = compare_agents(
        store, choice, cells, confidence=confidence, draws=draws, seed=seed, simultaneous=simultaneous
    )
    reason = pl.col("reason")
    table = (
        table.join(compared.agents, on="person_id", how="left", nulls_equal=True)
        .with_columns(**on_scale("mean", "lo", "hi"), **on_scale("shrunk", "shrunk_lo", "shrunk_hi"))
        .with_columns(
            reason=pl.when(reason != "")
            .then(reason)
            .when(pl.col("agents_compared") < 2)
            .then(pl.lit("no common grader, rubric or month connects the agent with others: not compared"))
            .when(pl.col("shrunk_lo").is_null())
            .then(pl.lit("too few repeated grades to say how much single grades vary: not compared"))
            .otherwise(reason)
        )
        .with_columns(reliable=pl.col("reason") == "")
        # Rounded: sums differ in their last digits from run to run, which must not change the places of equal agents.
        .sort("component", pl.col("shrunk").round(9), "person_id", descending=[False, True, False], nulls_last=True)
    )
    with_others = pl.col("agents_compared") > 1
    doubt = table.select((2 * pl.min_horizontal("above", 1 - pl.col("above"))).fill_null(1.0)).to_series().to_numpy()
    table = table.with_columns(
        rank=pl.int_range(1, pl.len() + 1).over("component").cast(pl.Int64),
        rank_lo=pl.when(with_others).then("rank_lo").cast(pl.Int64),
        rank_hi=pl.when(with_others).then("rank_hi").cast(pl.Int64),
        kept=pl.when(with_others).then("kept"),
        stands_out=beyond_chance(table["above"] - 0.5, doubt, table["reliable"], rate=1 - confidence),
        method=pl.lit(METHOD + (", rank intervals simultaneous" if simultaneous else "")),
        not_settled=pl.col("ahead_of_next") < confidence,
    )
    columns = (
        *("rank", "rank_lo", "rank_hi", "person_id", "agent_name"),
        *("n", "n_na", "mean", "lo", "hi"),
        *("shrunk", "shrunk_lo", "shrunk_hi", "kept", "stands_out"),
        *("ahead_of_next", "not_settled", "component", "agents_compared"),
        *HOW_SURE,
    )
    return Answer.of(
        table.select(columns),
        choice,
        question="Who is ahead, and which gaps are settled?",
        caveat=_caveat(table, compared, confidence=confidence, simultaneous=simultaneous),
    )


def _caveat(table: pl.DataFrame, compared: Compared, *, confidence: float, simultaneous: bool) -> str:
    """How much agents, graders and single grades differ, told from enough agents, and what the rows do not say."""
    sentences = []
    if compared.largest >= FEWEST_AGENTS and not np.isnan(compared.within_sd):
        sentences.append(
            f"Agents differ by about {compared.between_sd:.1f} points, graders by {compared.grader_sd:.1f}, single "
            f"grades by {compared.within_sd:.1f}."
        )
    sure = table.filter("reliable")
    if sure.height:
        named = sure.filter(pl.col("stands_out") != "").height
        wrong = f"; at most {100 * (1 - confidence):.0f} % of those are expected to be wrong" if named else ""
        sentences.append(
            f"{named} of {table.height} agents stand out{wrong}. A rank interval holds for "
            f"{'all agents together' if simultaneous else 'one agent at a time'}."
        )
    if compared.with_one_grader and compared.largest > 1:
        sentences.append(
            f"{compared.with_one_grader} of {table.height} agents have most of their grades from one grader: their "
            "intervals allow for a grader who scores one agent higher or lower than other graders would."
        )
    components = table["component"].n_unique()
    if components > 1:
        sentences.append(
            f"{components} groups of agents share no grader, rubric or month: compare within a component only."
        )
    return " ".join(sentences)


def rubric_adjusted(frame: pl.DataFrame) -> pl.DataFrame:
    """Shift the sums so that every rubric has the mean of all grades; the spread stays."""
    if frame["rubric_id"].n_unique() < 2:
        return frame
    everything = pl.col("total").sum() / pl.col("n").sum()
    frame = frame.with_columns(
        moved=(everything - pl.col("total").sum().over("rubric_id") / pl.col("n").sum().over("rubric_id")).fill_nan(0)
    )
    n, s1, s2, s3, by = (pl.col(name) for name in ("n", "total", "squares", "cubes", "moved"))
    return frame.with_columns(
        total=s1 + n * by,
        squares=s2 + 2 * by * s1 + n * by**2,
        cubes=s3 + 3 * by * s2 + 3 * by**2 * s1 + n * by**3,
    )
