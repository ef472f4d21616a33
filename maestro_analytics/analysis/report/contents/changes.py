"""What changed between the newest period and the one before it."""

from __future__ import annotations

from functools import partial
from typing import Literal

import polars as pl

from maestro_analytics.analysis.changes import Changing, changed_words, changes
from maestro_analytics.analysis.report import sentences
from maestro_analytics.analysis.report.model import Column, Piece, Words

MOST_GRADES = 400_000


def changed_first(frame: pl.DataFrame) -> pl.DataFrame:
    """Those who fell for real, then those who rose, then the others; the largest fall first. `changed` is in words."""
    order = pl.col("changed").replace_strict({"down": 0, "up": 1, "": 2}, return_dtype=pl.Int8)
    words = changed_words(frame) | {"": ""}
    return frame.sort(order, "change", "id", nulls_last=True).with_columns(pl.col("changed").replace_strict(words))


def _columns(
    what: str, *more: Column, number: str = "Grades", scores: Literal["number", "signed"] = "number"
) -> tuple[Column, ...]:
    return (
        Column(what, ("name",), "text"),
        *more,
        Column("Changed", ("changed",), "text"),
        Column("Before", ("before",), scores),
        Column("Now", ("after",), scores),
        Column("Change, points", ("change", "lo", "hi"), "signed interval"),
        Column(f"{number} before", ("n_before",), "count"),
        Column(f"{number} now", ("n",), "count"),
        Column("Note", ("reason",), "text"),
    )


READING = (
    "Only what is coloured changed for real. Of many grey bars a few miss the dashed line by chance alone: leave them."
)
FALSE_ALARMS = "of those named at most 5 % are expected to be wrong (Benjamini-Hochberg)."


def _piece(by: Changing, title: str, columns: tuple[Column, ...], words: Words) -> Piece:
    return Piece(
        changes,
        title,
        columns,
        "movers",
        words,
        says=partial(sentences.changed, what=by),
        shown=changed_first,
        options={"by": by},
        named=f"changes_by_{by}",
        doubts=True,
        most_grades=MOST_GRADES,
    )


CHANGES = (
    _piece(
        "agent",
        "Agents whose score changed",
        _columns("Agent"),
        Words(
            "Each agent's score in the newest period (28 days, if no other was asked for) against the period before, "
            "as if all had been graded by the same average grader.",
            reading=READING,
            action="Ask those who fell what is different since then; ask those who rose what helped.",
            limits="Whether the tickets became harder. Agents who were graded in one of the periods only are not in "
            "it.",
            method=f"mixed model of agent and period, grader and rubric; {FALSE_ALARMS}",
        ),
    ),
    _piece(
        "team",
        "Teams whose score changed",
        _columns("Team", Column("Agents", ("agents",), "count")),
        Words(
            "Each team's score against the period before, over the same agents and rubrics: who joined or left makes "
            "no change.",
            reading=READING,
            action="Look for something that happened to the whole team: a new product, a new rule, a new tool.",
            limits="Whether the team's tickets became harder.",
            method=f"means of the agents' differences, clustered by agent; {FALSE_ALARMS}",
        ),
    ),
    _piece(
        "question",
        "Questions whose answers changed",
        _columns("Question", Column("Rubric", ("rubric_name",), "text"), number="Answers"),
        Words(
            "How many of 100 points each question brings, against the period before, over the same agents.",
            reading=READING,
            action="Read a few answers of a question that fell, from before and after. A new wording is a change too.",
            limits="Why: agents, tickets, graders or the question itself may have changed.",
            method=f"means of the agents' differences, clustered by agent; {FALSE_ALARMS}",
        ),
    ),
    _piece(
        "grader",
        "Graders who became stricter or more lenient",
        _columns("Grader", scores="signed"),
        Words(
            "How strict each grader is on the same agents, rubrics and months, against the period before.",
            reading=f"Left of the dashed line: stricter than before. {READING}",
            action="Grade a few tickets together with a grader who moved before you act on the scores of this period.",
            limits="Who is right: the grader may have been off before, or be off now.",
            method=f"grader effects given agent, rubric and month; errors clustered; {FALSE_ALARMS}",
        ),
    ),
)
