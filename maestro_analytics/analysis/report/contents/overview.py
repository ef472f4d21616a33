"""The top of the page."""

from __future__ import annotations

from maestro_analytics.analysis.changes import overall
from maestro_analytics.analysis.report import sentences
from maestro_analytics.analysis.report.model import Column, Piece, Words
from maestro_analytics.analysis.trends import score_trend

OVERVIEW = (
    Piece(
        overall,
        "This period and the one before it",
        (
            Column("Measure", ("measure",), "text"),
            Column("Grades before", ("n_before",), "count"),
            Column("Grades now", ("n",), "count"),
            Column("Before", ("before",), "number"),
            Column("Now", ("after",), "number"),
            Column("Change, points", ("change", "lo", "hi"), "signed interval"),
            Column("Note", ("reason",), "text"),
        ),
        None,
        Words("The average score of all grades, and how many of 100 grades reach at least 80 %."),
        says=sentences.overall_change,
        doubts=True,
    ),
    Piece(
        score_trend,
        "The score of everyone, week by week",
        (
            Column("Week of", ("period",), "date"),
            Column("Agents", ("agents",), "count"),
            Column("Grades", ("n",), "count"),
            Column("Average", ("mean", "lo", "hi"), "interval"),
            Column("Note", ("reason",), "text"),
        ),
        "trend",
        Words(
            "The average score of all agents in each week, rid of the differences between rubrics.",
            method="mean of all grades of a week; interval clustered by agent.",
        ),
        says=sentences.moving_mean,
        options={"by": "all"},
        doubts=True,
        on_terminal=False,
    ),
)
