"""Agents and teams."""

from __future__ import annotations

import polars as pl

from maestro_analytics.analysis.agent_ranking import agent_ranking
from maestro_analytics.analysis.report import sentences
from maestro_analytics.analysis.report.model import Column, Piece, Words
from maestro_analytics.analysis.scores import team_scores
from maestro_analytics.analysis.trends import control_chart

NOTE = Column("Note", ("reason",), "text")


def below_first(frame: pl.DataFrame) -> pl.DataFrame:
    """Those who stand out below, then the others, the lowest first."""
    return frame.sort(pl.col("stands_out") != "below", "shrunk", "person_id", nulls_last=True)


def weeks_in_short(frame: pl.DataFrame) -> pl.DataFrame:
    """One row for each group: its weeks, the newest value, and which weeks were unusual; those first."""
    unusual = pl.col("signal") != ""
    return (
        frame.sort("group", "period")
        .group_by("group", maintain_order=True)
        .agg(
            weeks=pl.len().cast(pl.Int64),
            n=pl.col("n").sum(),
            centre=pl.col("centre").mean(),
            last=pl.col("value").last(),
            lo=pl.col("lo").last(),
            hi=pl.col("hi").last(),
            unusual=pl.col("period").filter(unusual).cast(pl.String).str.join(", "),
            latest=pl.col("period").filter(unusual).max(),
            reason=pl.when(pl.col("points").first() < 12).then(pl.lit("fewer than 12 weeks")).otherwise(pl.lit("")),
        )
        .sort("latest", "group", descending=[True, False], nulls_last=True)
    )


AGENTS = (
    Piece(
        agent_ranking,
        "Which agents stand out",
        (
            Column("Agent", ("agent_name",), "text"),
            Column("Stands out", ("stands_out",), "text"),
            Column("Likely score", ("shrunk", "shrunk_lo", "shrunk_hi"), "interval"),
            Column("Plain average", ("mean",), "number"),
            Column("Grades", ("n",), "count"),
            Column("Rank", ("rank",), "count"),
            Column("could be", ("rank_lo", "rank_hi"), "count"),
            NOTE,
        ),
        "caterpillar",
        Words(
            "Each agent's score in the whole period, as if all had been graded equally often and by the same average "
            "grader.",
            reading="A few grades make extreme averages, high and low; so each average is drawn towards that of all, "
            "the more the fewer grades there are. Of grey agents it is not settled whether they are above or below. A "
            "coloured bar may still touch the dashed line: some of what is not known moves all agents alike.",
            action="Begin with those who stand out below: read their scorecard and a few of their tickets with them. "
            "Do not act on ranks alone: “could be” has all that these grades allow.",
            limits="Whether an agent's tickets are harder than those of others.",
            method="mixed model of agent, grader, rubric and month, shrunk; ranks from joint draws.",
        ),
        says=sentences.agents_standing_out,
        shown=below_first,
        doubts=True,
    ),
    Piece(
        team_scores,
        "Teams side by side",
        (
            Column("Team", ("team",), "text"),
            Column("Rubric", ("rubric_name",), "text"),
            Column("Average", ("mean", "lo", "hi"), "interval"),
            Column("Pass, of 100", ("pass_rate", "pass_lo", "pass_hi"), "interval"),
            Column("Agents", ("agents",), "count"),
            Column("Grades", ("n",), "count"),
            NOTE,
        ),
        "group_scores",
        Words(
            "Each team's average score, for each rubric. A grade passes at 80 %.",
            reading="Where the bars of two teams overlap it is not settled which is better; that does not make them "
            "equal.",
            action="Compare within a rubric only. Ask the best team what it does.",
            limits="Whether one team's tickets are harder, or its graders stricter.",
            method="means and rates with intervals clustered by agent.",
        ),
        says=sentences.group_means,
        shown=lambda frame: frame.sort("rubric_name", "mean", "team_id", nulls_last=True),
        doubts=True,
    ),
    Piece(
        control_chart,
        "Agents with an unusual week",
        (
            Column("Agent", ("group",), "text"),
            Column("Unusual weeks (Mondays)", ("unusual",), "text"),
            Column("Usual average", ("centre",), "number"),
            Column("Last week", ("last",), "number"),
            Column("Usual last week", ("lo", "hi"), "range"),
            Column("Weeks", ("weeks",), "count"),
            Column("Grades", ("n",), "count"),
            NOTE,
        ),
        "control",
        Words(
            "Each agent's weekly average against what is usual for this agent with so many grades.",
            reading="A dot outside of the band is more than the usual ups and downs. Inside of it there is nothing to "
            "explain.",
            action="Ask what happened in an unusual week before you ask who. Leave the other weeks alone.",
            limits="A change that is slow: see what changed since the period before.",
            method="control chart; limits from the agent's own grades, 5 % false alarms for each agent.",
        ),
        says=sentences.unusual_weeks,
        shown=weeks_in_short,
        on_terminal=False,
    ),
)
