"""Where the points are lost."""

from __future__ import annotations

from typing import Unpack

import polars as pl

from maestro_analytics.analysis.answer import HOW_SURE, Answer
from maestro_analytics.analysis.arguments import checked
from maestro_analytics.analysis.filters import Choice, Filters, Store
from maestro_analytics.analysis.grader_cells import mostly_of_one_grader
from maestro_analytics.analysis.statistics.intervals import doubt_of_zero
from maestro_analytics.analysis.summaries import (
    CLUSTERED_WILSON,
    FEWEST_CLUSTERS,
    beyond_chance,
    with_clustered_share,
    with_share,
)

COLUMNS = (
    *("rubric_id", "rubric_name", "section_name", "question_id", "question"),
    *("n", "n_na", "points_lost", "share", "cumulative_share"),
    *("lost_per_answer", "failure_rate", "lo", "hi"),
    *HOW_SURE,
)


@checked
def points_lost(store: Store, *, min_n: int = 30, confidence: float = 0.95, **filters: Unpack[Filters]) -> Answer:
    """Which questions cost the most points?

    One row per rubric and question, the costliest of each rubric first. Points of one rubric only are compared: a point
    of another rubric may weigh more or less. A multi-select question's rows are one answer; N/A answers lose nothing;
    nor do bonus questions.

    Columns
        rubric_id, rubric_name, section_name, question_id, question
        n, n_na                   Int64    answers with and without points
        points_lost               Float64  sum of maximum minus score, points
        share, cumulative_share   Float64  of all points lost in the rubric, percent
        lost_per_answer           Float64  points
        failure_rate, lo, hi      Float64  share of answers below the maximum, Wilson's interval, clustered by agent
        method, reliable, reason

    Source: sql/queries/question_scores.sql. Errors: see `Filters`.
    """
    choice = Choice.of(store, filters)
    answers = store.query("question_scores", **choice.variables)
    frame = _by(answers, [])
    table = frame.sort(
        ["rubric_name", "rubric_id", "points_lost", "question_id"], descending=[False, False, True, False]
    ).pipe(_with_share_of_loss, ["rubric_id"])
    return Answer.of(
        _with_failures(table, answers, [], min_n=min_n, confidence=confidence).select(COLUMNS),
        choice,
        question="Which questions cost the most points, within each rubric?",
        caveat="A costly question is not a badly answered one: it may carry many points, or be asked often.",
    )


@checked
def points_lost_by_team(
    store: Store, *, min_n: int = 30, confidence: float = 0.95, **filters: Unpack[Filters]
) -> Answer:
    """Which questions cost which team the most?

    One row per team, rubric and question. Columns as in `points_lost`, with `team`, `team_id`, and `gap`: failure rate
    of the team minus that of everyone who is graded on the question, also of people whom `team` and `agent` leave out,
    in percent points, and `stands_out`: "above" or "below" that of everyone, else ""; only reliable rows; at most 5 %
    of those named are expected to be wrong (Benjamini-Hochberg). No team is named that has most of its grades (60 %)
    from one of several graders.

    Source: sql/queries/question_scores.sql, team_members.sql, grader_cells.sql. Errors: see `Filters`.
    """
    choice = Choice.of(store, filters)
    frame = store.query("question_scores", **choice.variables)
    members = store.query("team_members", **choice.variables_of("team"))
    teams = frame.join(members, on="person_id").rename({"group_id": "team_id", "group_name": "team"})
    table = (
        _by(teams, ["team_id", "team"])
        .sort(
            ["team", "team_id", "rubric_id", "points_lost", "question_id"],
            descending=[False, False, False, True, False],
        )
        .pipe(_with_share_of_loss, ["team_id", "rubric_id"])
    )
    table = _with_failures(table, teams, ["team_id"], min_n=min_n, confidence=confidence)
    with_one = mostly_of_one_grader(store, choice, members.rename({"group_id": "team_id"}), "team_id")
    table = _against_everyone(table, _of_everyone(store, choice, frame), with_one, confidence=confidence)
    return Answer.of(
        table.select("team", "team_id", *COLUMNS[:-3], "gap", "stands_out", *COLUMNS[-3:]),
        choice,
        question="Which questions cost which team the most?",
        caveat="Teams work on different tickets: a gap may be the tickets', not the team's."
        + _unnamed(len(with_one), table["team_id"].n_unique(), "teams"),
    )


@checked
def points_lost_by_agent(
    store: Store, *, min_n: int = 10, confidence: float = 0.95, **filters: Unpack[Filters]
) -> Answer:
    """Which questions cost which agent the most, and on which is an agent better than others?

    One row per person, rubric and question, the costliest of each person first. Columns as in `points_lost`, with
    `person_id`, `agent_name`, `everyone` (failure rate of everyone who is graded on the question, also of people whom
    `team` and `agent` leave out, percent), `gap` (failure rate of the agent minus that, percent points) and
    `stands_out`: "above" or "below" that of everyone, else ""; only reliable rows; at most 5 % of those named are
    expected to be wrong (Benjamini-Hochberg). Nobody is named who has most of the grades (60 %) from one of several
    graders: a gap may be what the grader makes of the question.

    Source: sql/queries/question_scores.sql, people.sql, grader_cells.sql. Errors: see `Filters`.
    """
    choice = Choice.of(store, filters)
    answers = store.query("question_scores", **choice.variables)
    people = store.query("people", **choice.variables_of("team", "agent")).select("person_id", "agent_name")
    table = (
        _by(answers, ["person_id"])
        .join(people, on="person_id", how="left")
        .sort("person_id", "points_lost", "question_id", descending=[False, True, False])
        .pipe(_with_share_of_loss, ["person_id", "rubric_id"])
    )
    table = with_share(table, "short", names=("failure_rate", "lo", "hi"), confidence=confidence)
    with_one = mostly_of_one_grader(store, choice, people, "person_id")
    everyone = _of_everyone(store, choice, answers)
    table = _against_everyone(_judged(table, "Wilson", min_n=min_n), everyone, with_one, confidence=confidence)
    return Answer.of(
        table.select("person_id", "agent_name", *COLUMNS[:-3], "everyone", "gap", "stands_out", *COLUMNS[-3:]),
        choice,
        question="Which questions cost which agent the most?",
        caveat="Agents get different tickets and graders: a gap may be theirs, not the agent's."
        + _unnamed(len(with_one), table["person_id"].n_unique(), "agents"),
    )


def _unnamed(number: int, everyone: int, what: str) -> str:
    """That some stand out on no question, because nobody can tell them from their grader."""
    if not number:
        return ""
    return (
        f" {number} of {everyone} {what} have most of their grades from one grader, whose view of a question cannot be "
        "told from theirs: none of those stands out."
    )


def _of_everyone(store: Store, choice: Choice, answers: pl.DataFrame) -> pl.DataFrame:
    """The answers (of the people chosen) with those of everyone: a team of its own is not compared with itself."""
    others = {name: value for name, value in choice.variables.items() if name not in ("team", "agent")}
    return answers if others == choice.variables else store.query("question_scores", **others)


def _against_everyone(
    table: pl.DataFrame, answers: pl.DataFrame, with_one: pl.Series, *, confidence: float
) -> pl.DataFrame:
    """Adds everyone's failure rate, the gap to it, and whether the gap is more than chance.

    Args:
        with_one: those (ids) whose grades come mostly from one grader, of whom none is named.
    """
    everyone = _by(answers, []).select("rubric_id", "question_id", everyone=100 * pl.col("short") / pl.col("n"))
    table = table.join(everyone, on=["rubric_id", "question_id"], how="left", maintain_order="left").with_columns(
        everyone=pl.col("everyone").fill_nan(None), gap=pl.col("failure_rate") - pl.col("everyone").fill_nan(None)
    )
    gap, everyone_of = table["gap"], table["everyone"]
    doubt = doubt_of_zero(gap, table["lo"] - everyone_of, table["hi"] - everyone_of, confidence=confidence)
    tested = table["reliable"] & ~table[with_one.name].is_in(with_one.implode())
    return table.with_columns(stands_out=beyond_chance(gap, doubt, tested, rate=1 - confidence))


def _by(frame: pl.DataFrame, keys: list[str]) -> pl.DataFrame:
    return (
        frame.group_by([*keys, "rubric_id", "question_id"])
        .agg(
            pl.col("rubric_name", "section_name", "question").max(),
            pl.col("n", "n_na", "short").sum(),
            pl.col("points_lost").sum(),
        )
        .filter(pl.col("n") + pl.col("n_na") > 0)
    )


def _with_share_of_loss(table: pl.DataFrame, over: list[str]) -> pl.DataFrame:
    """Adds share and cumulative_share of the points lost within `over`, in the order of the rows."""
    lost = pl.col("points_lost")
    return table.with_columns(
        share=pl.when(lost.sum().over(over) > 0).then(100 * lost / lost.sum().over(over))
    ).with_columns(cumulative_share=pl.col("share").cum_sum().over(over))


def _with_failures(
    table: pl.DataFrame, answers: pl.DataFrame, keys: list[str], *, min_n: int, confidence: float
) -> pl.DataFrame:
    """Failure rates; the intervals are clustered by agent, since answers of one agent resemble each other."""
    question = ["rubric_id", "question_id"]
    table = with_clustered_share(
        table,
        answers,
        [*keys, *question],
        "short",
        names=("failure_rate", "lo", "hi"),
        confidence=confidence,
        family=question,
    )
    agents = answers.filter(pl.col("n") > 0).group_by([*keys, *question]).agg(agents=pl.col("person_id").n_unique())
    table = table.join(agents, on=[*keys, *question], how="left", maintain_order="left")
    few = pl.col("agents").fill_null(0) < FEWEST_CLUSTERS
    return (
        _judged(table, CLUSTERED_WILSON, min_n=min_n)
        .with_columns(
            reason=pl.when(pl.col("reliable") & few)
            .then(pl.format("{} agents: too few to allow for differences between them", "agents"))
            .otherwise("reason")
        )
        .with_columns(reliable=pl.col("reason") == "")
    )


def _judged(table: pl.DataFrame, method: str, *, min_n: int) -> pl.DataFrame:
    """Adds lost_per_answer, method, reliable and reason."""
    return table.with_columns(
        lost_per_answer=pl.when(pl.col("n") > 0).then(pl.col("points_lost") / pl.col("n")),
        method=pl.lit(method),
        reliable=pl.col("n") >= min_n,
        reason=pl.when(pl.col("n") == 0)
        .then(pl.lit("no points to lose: N/A, bonus or auto-fail"))
        .when(pl.col("n") < min_n)
        .then(pl.format(f"{{}} answers: fewer than {min_n}", "n"))
        .otherwise(pl.lit("")),
    )
