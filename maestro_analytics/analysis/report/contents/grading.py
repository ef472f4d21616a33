"""How much is graded, and how sure that makes a score."""

from __future__ import annotations

import polars as pl

from maestro_analytics.analysis.grading_coverage import grading_coverage
from maestro_analytics.analysis.planning import SOURCE_WORDS, generalizability
from maestro_analytics.analysis.report import sentences
from maestro_analytics.analysis.report.contents.agents import NOTE
from maestro_analytics.analysis.report.model import Column, Piece, Words

MOST_GRADES = 100_000
"""Each of the two answers about single scores fits the model of all agents and graders again."""

GRADING = (
    Piece(
        grading_coverage,
        "Who is graded often enough",
        (
            Column("Agent", ("agent_name",), "text"),
            Column("Grades a week", ("per_week",), "number"),
            Column("Weeks as wished, %", ("share_met",), "number"),
            Column("Longest gap, weeks", ("longest_gap",), "count"),
            Column("Last graded, week of", ("last_week",), "date"),
            Column("Grades", ("n",), "count"),
            NOTE,
        ),
        "coverage",
        Words(
            "How many grades each agent got a week. The wish is 4. The newest week, which may not have ended, is left "
            "out.",
            reading="Left of the dashed line: graded less often than wished.",
            action="Give graders the agents at the top of the table first.",
            limits="Who was absent, joined or left.",
            method="counts by week.",
        ),
        says=sentences.graded_enough,
    ),
    Piece(
        generalizability,
        "What a single score is made of",
        (
            Column("Source", ("source",), "text"),
            Column("Of the differences, %", ("share",), "number"),
            Column("Spread, points", ("sd",), "number"),
            Column("How many", ("levels",), "count"),
            NOTE,
        ),
        "sources",
        Words(
            "What the differences between single scores come from.",
            reading="A score is meant to show the agent. All else is noise for whoever wants to judge an agent.",
            action="A large share of graders: calibrate. A large share of tickets and chance: more grades for each "
            "agent.",
            limits="Single agents and graders.",
            method="variance components (generalizability theory; Brennan 2001).",
        ),
        says=sentences.share_of_agent,
        shown=lambda frame: frame.with_columns(pl.col("source").replace(SOURCE_WORDS)),
        named="score_sources",
        most_grades=MOST_GRADES,
    ),
    Piece(
        generalizability,
        "How many grades make a score dependable",
        (
            Column("Graders", ("graders",), "count"),
            Column("Grades", ("grades",), "count"),
            Column("Dependable, 0 to 1", ("absolute",), "share"),
            Column("Same graders for all", ("relative",), "share"),
            NOTE,
        ),
        "dependability",
        Words(
            "How far an agent's average would be the same if other graders had graded other tickets of the agent.",
            reading="From .80 on an average is good enough to act on.",
            action="More graders for each agent often help more than more grades by the same one.",
            limits="Whether a rubric asks the right questions.",
            method="D study (generalizability theory): absolute and relative reliability.",
        ),
        says=sentences.grades_needed,
        options={"of": "designs"},
        named="dependability",
        most_grades=MOST_GRADES,
    ),
)
