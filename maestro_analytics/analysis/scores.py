"""Scores of agents, teams, rubrics, sections and questions, each with what can be concluded from it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Unpack

import polars as pl

from maestro_analytics.analysis.answer import HOW_SURE, Answer
from maestro_analytics.analysis.arguments import checked
from maestro_analytics.analysis.filters import Choice, Filters, Store
from maestro_analytics.analysis.grader_cells import adjusted_means, day_design, ordered, scored_cells, ticket_design
from maestro_analytics.analysis.statistics.mixed import ADJUSTED
from maestro_analytics.analysis.summaries import (
    by_cluster,
    nullable,
    on_scale,
    summed,
    with_clustered_share,
    with_mean,
    with_share,
)

By = Literal["rubric", "all"]
MIXED = "A mean across rubrics depends on which rubrics an agent is graded with; by='rubric' keeps them apart."
AUTOFAILS = "No interval can foresee an auto-fail that has not happened yet."


@checked
def agent_scores(
    store: Store,
    *,
    by: By = "rubric",
    threshold: float = 80.0,
    min_n: int = 10,
    confidence: float = 0.95,
    **filters: Unpack[Filters],
) -> Answer:
    """How good are an agent's grades, and how sure is that?

    One row per person and rubric (`by="all"`: per person, across rubrics; the reason says so). Scores in percent, may
    exceed 100. `mean` is the score as graded: it contains who graded the agent. `adjusted` is the mean under an average
    grader (mixed model of agent, grader, rubric and month, without shrinkage). For comparing agents use
    `agent_ranking`.

    Columns
        person_id, agent_name, rubric_id, rubric_name
        n, n_na                      Int64    grades with and without a score
        mean, lo, hi                 Float64  mean of the percents as graded and its interval (Hall's t), widened
                                              where an agent's grades vary less than those of all, and where grades of
                                              one grader and day (by="all": or of one ticket) resemble each
                                              other; null below 3 grades
        adjusted, adjusted_lo, adjusted_hi   Float64   mean under an average grader; null where nothing connects the
                                              agent with others
        sd                           Float64  spread of single grades
        pooled                       Float64  100 * sum of points / sum of maximum points; weighs long grades more
        pass_rate, pass_lo, pass_hi  Float64  share at or above `threshold`, Wilson's interval, percent
        autofails_inferred, autofail_rate, autofail_lo, autofail_hi   0 although a section earned points
        mean_without_autofails       Float64
        method, reliable, reason              reliable: at least `min_n` grades and an interval

    Source: sql/queries/agent_scores.sql, grader_cells.sql, ticket_repeats.sql. Errors: see `Filters`.
    """
    choice = Choice.of(store, filters)
    frame = store.query("agent_scores", **choice.variables, threshold=threshold)
    extra = ("passed", "points", "max_points", "autofails_inferred")
    keys = ["person_id", "rubric_id"] if by == "rubric" else ["person_id"]
    labels = ["agent_name", "rubric_name"] if by == "rubric" else ["agent_name"]
    rubrics = frame.group_by(keys).agg(rubrics=pl.col("rubric_id").n_unique())
    coarse = summed(frame, keys, *extra, first=labels).join(rubrics, on=keys)
    across = pl.when(pl.col("rubrics") > 1).then(pl.format("across {} rubrics", "rubrics")).otherwise(pl.lit(""))
    highest = frame.group_by(keys).agg(pl.col("highest").max())
    coarse = coarse.join(highest, on=keys, nulls_equal=True)
    table = with_mean(coarse, min_n=min_n, confidence=confidence, note=across if by == "all" else None)
    cells = ordered(scored_cells(store, choice))
    design = day_design(store, cells)
    if by == "all":
        # Of one grader and day are also the grades of one ticket: the larger of the two, not both.
        repeats = ticket_design(store, choice, cells).drop("person")
        design = design.join(repeats, on="person_id", how="left", nulls_equal=True).select(
            "person_id", design=pl.max_horizontal("design", "ticket_design")
        )
    table = _widened(table, design)
    adjusted = adjusted_means(store, choice, cells, by_rubric=by == "rubric", confidence=confidence)
    table = table.join(adjusted, on=keys, how="left", nulls_equal=True).with_columns(**on_scale(*ADJUSTED))
    table = _with_rates(table, confidence=confidence)
    named = ["person_id", "agent_name", *(["rubric_id", "rubric_name"] if by == "rubric" else [])]
    return Answer.of(
        table.select(*named, *SCORE_COLUMNS[:5], *ADJUSTED, *SCORE_COLUMNS[5:]).sort(named),
        choice,
        question=f"How good are each agent's grades{' by rubric' if by == 'rubric' else ''}? Percent.",
        caveat=AUTOFAILS if by == "rubric" else f"{MIXED} {AUTOFAILS}",
    )


TYPICAL_GRADES = 10
"""An agent's own spread counts as if this many grades of typical spread were added."""


def _widened(table: pl.DataFrame, design: pl.DataFrame) -> pl.DataFrame:
    """Intervals made as wide as a typical spread and alike grades demand, and kept on the score's scale.

    A few grades without an auto-fail look steadier than the agent is; narrower than Hall's t an interval never gets.
    """
    n, sd = pl.col("n"), pl.col("sd").fill_null(0.0)
    freedom = (n - 1).clip(0)
    pooled = (freedom * sd**2).sum() / freedom.sum()
    blended = (freedom * sd**2 + TYPICAL_GRADES * pooled) / (freedom + TYPICAL_GRADES)
    mean, wide = pl.col("mean"), pl.col("wide")
    widening = pl.when(sd > 0).then(pl.max_horizontal(pl.lit(1.0), blended / sd**2)).otherwise(1.0)
    return (
        table.join(design, on="person_id", how="left", nulls_equal=True)
        .with_columns(wide=(widening * pl.col("design").fill_null(1.0)).sqrt())
        .with_columns(
            lo=(mean - wide * (mean - pl.col("lo"))).clip(0),
            hi=pl.when(pl.col("hi").is_not_null()).then(
                pl.min_horizontal(mean + wide * (pl.col("hi") - mean), pl.max_horizontal(pl.lit(100.0), "highest"))
            ),
        )
    )


SCORE_COLUMNS = (
    *("n", "n_na", "mean", "lo", "hi", "sd", "pooled"),
    *("pass_rate", "pass_lo", "pass_hi", "autofails_inferred"),
    *("autofail_rate", "autofail_lo", "autofail_hi", "mean_without_autofails"),
    *HOW_SURE,
)


RATES = {
    "passed": ("pass_rate", "pass_lo", "pass_hi"),
    "autofails_inferred": ("autofail_rate", "autofail_lo", "autofail_hi"),
}


def _with_rates(
    table: pl.DataFrame, *, confidence: float, fine: pl.DataFrame | None = None, keys: Sequence[str] = ()
) -> pl.DataFrame:
    """Pass and auto-fail rates; with `fine`, which has a row per person, their intervals are clustered by agent."""
    for hits, names in RATES.items():
        if fine is None:
            table = with_share(table, hits, names=names, confidence=confidence)
        else:
            family = [key for key in keys if key == "rubric_id"]
            table = with_clustered_share(table, fine, keys, hits, names=names, confidence=confidence, family=family)
    others = pl.col("n") - pl.col("autofails_inferred")
    return table.with_columns(
        pooled=pl.when(pl.col("max_points") > 0).then(100 * pl.col("points") / pl.col("max_points")),
        mean_without_autofails=pl.when(others > 0).then(pl.col("total") / others),
    )


@checked
def team_scores(
    store: Store,
    *,
    by: By = "rubric",
    threshold: float = 80.0,
    min_n: int = 10,
    confidence: float = 0.95,
    **filters: Unpack[Filters],
) -> Answer:
    """How good are a team's grades, and how sure is that, given that it is made of agents?

    One row per team and rubric (`by="all"`: per team). A person in two teams counts in both; people in none are in no
    row. Columns as in `agent_scores`, with `team`, `team_id`, `agents` (with a scored grade); the interval is clustered
    by agent.

    Source: sql/queries/agent_scores.sql, sql/queries/team_members.sql. Errors: see `Filters`.
    """
    choice = Choice.of(store, filters)
    scores = store.query("agent_scores", **choice.variables, threshold=threshold)
    members = store.query("team_members", **choice.variables_of("team"))
    frame = scores.join(members, on="person_id").rename({"group_id": "team_id", "group_name": "team"})
    return _group_scores(frame, choice, ["team_id"], ["team"], by=by, min_n=min_n, confidence=confidence, what="team")


@checked
def rubric_scores(
    store: Store, *, threshold: float = 80.0, min_n: int = 10, confidence: float = 0.95, **filters: Unpack[Filters]
) -> Answer:
    """How good are the grades of each rubric?

    One row per rubric. Columns as in `agent_scores`, with `agents`; the interval is clustered by agent.

    Source: sql/queries/agent_scores.sql. Errors: see `Filters`.
    """
    choice = Choice.of(store, filters)
    frame = store.query("agent_scores", **choice.variables, threshold=threshold)
    return _group_scores(frame, choice, [], [], by="rubric", min_n=min_n, confidence=confidence, what="rubric")


def _group_scores(
    frame: pl.DataFrame,
    choice: Choice,
    ids: list[str],
    labels: list[str],
    *,
    by: By,
    min_n: int,
    confidence: float,
    what: str,
) -> Answer:
    keys = [*ids, *(["rubric_id"] if by == "rubric" else [])]
    names = [*labels, *(["rubric_name"] if by == "rubric" else [])]
    extra = ("passed", "points", "max_points", "autofails_inferred")
    table = by_cluster(frame, keys, *extra, min_n=min_n, confidence=confidence, first=names)
    table = _with_rates(table, confidence=confidence, fine=frame, keys=keys)
    order = [column for pair in zip(keys, names, strict=True) for column in reversed(pair)]
    return Answer.of(
        table.select(*order, "agents", *SCORE_COLUMNS).sort(order),
        choice,
        question=f"How good are each {what}'s grades? Percent, intervals clustered by agent.",
        caveat="" if by == "rubric" else MIXED,
    )


@checked
def section_scores(store: Store, *, min_n: int = 10, confidence: float = 0.95, **filters: Unpack[Filters]) -> Answer:
    """How good is each section of a rubric?

    One row per rubric and section: percent of the section's maximum; N/A sections are in `n_na`.

    Columns: rubric_id, rubric_name, section_id, section_name, section_weight, agents, n, n_na, mean, lo, hi, sd,
    pooled, method, reliable, reason. The interval is clustered by agent.

    Source: sql/queries/section_scores.sql. Errors: see `Filters`.
    """
    choice = Choice.of(store, filters)
    frame = store.query("section_scores", **choice.variables)
    keys, labels = ["rubric_id", "section_id"], ["rubric_name", "section_name"]
    table = by_cluster(
        frame, keys, "points", "max_points", min_n=min_n, confidence=confidence, first=labels, what="sections"
    ).join(frame.group_by(keys).agg(pl.col("section_weight").max()), on=keys, how="left")
    order = ["rubric_id", "rubric_name", "section_id", "section_name", "section_weight", "agents"]
    return _parts(table, order, choice, "How good is each section? Percent of its points.")


@checked
def question_scores(store: Store, *, min_n: int = 10, confidence: float = 0.95, **filters: Unpack[Filters]) -> Answer:
    """How good is each question of a rubric?

    One row per rubric and question: percent of the question's maximum. A multi-select question's rows are one answer;
    N/A answers are in `n_na`. The wording is one that was used; it may have changed in the period.

    Columns: rubric_id, rubric_name, section_id, section_name, question_id, question, agents, n, n_na, mean, lo, hi, sd,
    pooled, method, reliable, reason. The interval is clustered by agent.

    Source: sql/queries/question_scores.sql. Errors: see `Filters`.
    """
    choice = Choice.of(store, filters)
    frame = store.query("question_scores", **choice.variables)
    keys, labels = ["rubric_id", "question_id"], ["rubric_name", "section_id", "section_name", "question"]
    table = by_cluster(
        frame.rename({"points_lost": "lost"}),
        keys,
        "lost",
        "max_points",
        min_n=min_n,
        confidence=confidence,
        first=labels,
        what="answers",
    ).with_columns(points=pl.col("max_points") - pl.col("lost"))
    order = ["rubric_id", "rubric_name", "section_id", "section_name", "question_id", "question", "agents"]
    return _parts(table, order, choice, "How good is each question? Percent of its points.")


def _parts(table: pl.DataFrame, order: list[str], choice: Choice, question: str) -> Answer:
    pooled = nullable((100 * table["points"] / table["max_points"]).cast(pl.Float64).fill_null(float("nan")))
    table = table.with_columns(pooled=pooled).sort(order)
    columns = ("n", "n_na", "mean", "lo", "hi", "sd", "pooled", "method", "reliable", "reason")
    return Answer.of(table.select(*order, *columns), choice, question=question)
