"""What changed between the newest period and the one before it."""

from __future__ import annotations

import polars as pl

from maestro_analytics.analysis.changes import changes
from maestro_analytics.analysis.report import sentences
from maestro_analytics.analysis.report.model import Column, Piece, Words

MOST_GRADES = 400_000


def changed_first(frame: pl.DataFrame) -> pl.DataFrame:
    """Those who fell for real, then those who rose, then the others; the largest fall first."""
    order = pl.col("changed").replace_strict({"down": 0, "up": 1, "": 2}, return_dtype=pl.Int8)
    return frame.sort(order, "change", "id", nulls_last=True)


def _columns(what: str, *more: Column, number: str = "Grades") -> tuple[Column, ...]:
    return (
        Column(what, ("name",), "text"),
        *more,
        Column("Changed", ("changed",), "text"),
        Column("Before", ("before",), "number"),
        Column("Now", ("after",), "number"),
        Column("Change, points", ("change", "lo", "hi"), "signed interval"),
        Column(f"{number} before", ("n_before",), "count"),
        Column(f"{number} now", ("n",), "count"),
        Column("Note", ("reason",), "text"),
    )


READING = (
    "A bar that does not touch the dashed line would be a change if it were the only one looked at. Of many, a few "
    "look so "
    "by chance: only those that are coloured changed for real."
)
FALSE_ALARMS = "of those named at most 5 % are expected to be wrong (Benjamini-Hochberg)."

CHANGES = (
    Piece(
        changes,
        "Agents whose score changed",
        _columns("Agent"),
        "movers",
        Words(
            "Each agent's score in the newest period (28 days, if no other was asked for) against the period before, "
            "as if "
            "all had been graded by the same average grader.",
            reading=READING,
            action="Ask those who fell what is different since then; ask those who rose what helped.",
            limits="Whether the tickets became harder. Agents who were graded in one of the periods only are not in "
            "it.",
            method=f"mixed model of agent and period, grader and rubric; {FALSE_ALARMS}",
        ),
        says=sentences.agents_changed,
        shown=changed_first,
        named="changes_by_agent",
        options={"by": "agent"},
        doubts=True,
        most_grades=MOST_GRADES,
    ),
    Piece(
        changes,
        "Teams whose score changed",
        _columns("Team", Column("Agents", ("agents",), "count")),
        "movers",
        Words(
            "Each team's score against the period before, over the same agents and rubrics: who joined or left makes "
            "no "
            "change.",
            reading=READING,
            action="Look for something that happened to the whole team: a new product, a new rule, a new tool.",
            limits="Whether the team's tickets became harder.",
            method=f"means of the agents' differences, clustered by agent; {FALSE_ALARMS}",
        ),
        says=sentences.teams_changed,
        shown=changed_first,
        named="changes_by_team",
        options={"by": "team"},
        doubts=True,
        most_grades=MOST_GRADES,
    ),
    Piece(
        changes,
        "Questions whose answers changed",
        _columns("Question", Column("Rubric", ("rubric_name",), "text"), number="Answers"),
        "movers",
        Words(
            "How many of 100 points each question brings, against the period before, over the same agents.",
            reading=READING,
            action="Read a few answers of a question that fell, from before and after. A new wording is a change too.",
            limits="Why: agents, tickets, graders or the question itself may have changed.",
            method=f"means of the agents' differences, clustered by agent; {FALSE_ALARMS}",
        ),
        says=sentences.questions_changed,
        shown=changed_first,
        named="changes_by_question",
        options={"by": "question"},
        doubts=True,
        most_grades=MOST_GRADES,
    ),
    Piece(
        changes,
        "Graders who became stricter or more lenient",
        _columns("Grader"),
        "movers",
        Words(
            "How strict each grader is on the same agents, rubrics and months, against the period before.",
            reading=f"Left of the dashed line: stricter than before. {READING}",
            action="Grade a few tickets together with a grader who moved before you act on the scores of this period.",
            limits="Who is right: the grader may have been off before, or be off now.",
            method=f"grader effects given agent, rubric and month; errors clustered; {FALSE_ALARMS}",
        ),
        says=sentences.graders_changed,
        shown=changed_first,
        named="changes_by_grader",
        options={"by": "grader"},
        doubts=True,
        most_grades=MOST_GRADES,
    ),
)
