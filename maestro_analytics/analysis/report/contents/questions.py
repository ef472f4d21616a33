"""Questions."""

from __future__ import annotations

import polars as pl

from maestro_analytics.analysis.agreement import question_agreement
from maestro_analytics.analysis.points_lost import points_lost, points_lost_by_team
from maestro_analytics.analysis.report import sentences
from maestro_analytics.analysis.report.contents.agents import NOTE
from maestro_analytics.analysis.report.model import Column, Piece, Words


def _above_first(frame: pl.DataFrame) -> pl.DataFrame:
    """Where a team loses points more often than everyone, beyond chance; then the others, the largest gap first."""
    return frame.filter(pl.col("n") > 0).sort(
        pl.col("stands_out") != "above", "gap", "team_id", "question_id", descending=[False, True, False, False],
        nulls_last=True,
    )  # fmt: skip


QUESTIONS = (
    Piece(
        points_lost,
        "Where points are lost",
        (
            Column("Question", ("question",), "text"),
            Column("Rubric", ("rubric_name",), "text"),
            Column("Points lost", ("points_lost",), "number"),
            Column("Share, %", ("share",), "number"),
            Column("Fails, of 100", ("failure_rate", "lo", "hi"), "interval"),
            Column("Answers", ("n",), "count"),
            NOTE,
        ),
        "pareto",
        Words(
            "How many points each question cost all agents together, within each rubric.",
            reading="The longest bar cost the most. Points of different rubrics do not weigh the same: do not compare "
            "them.",
            action="Coach and train on the first two or three questions: most of what can be won is there.",
            limits="A costly question need not be badly answered: it may carry many points, or be asked often. The "
            "column “Fails” tells.",
            method="sums of maximum minus score; failure rates by Wilson's interval, clustered by agent.",
            with_caveat=False,
        ),
        says=sentences.costliest,
        doubts=True,
    ),
    Piece(
        points_lost_by_team,
        "Which team loses points where",
        (
            Column("Team", ("team",), "text"),
            Column("Question", ("question",), "text"),
            Column("Rubric", ("rubric_name",), "text"),
            Column("More than everyone, of 100", ("gap",), "signed"),
            Column("Stands out", ("stands_out",), "text"),
            Column("Fails, of 100", ("failure_rate", "lo", "hi"), "interval"),
            Column("Answers", ("n",), "count"),
            NOTE,
        ),
        "heat_map",
        Words(
            "How much more or less often than everyone a team loses points on a question.",
            reading="Orange: more often. Blue: less often. Only bold numbers are more than chance.",
            action="Train a team on its bold orange questions. Where another team is bold blue, ask how they do it.",
            limits="Teams work on different tickets: a gap may be the tickets', not the team's.",
            method="failure rates clustered by agent; of those named at most 5 % are expected to be wrong "
            "(Benjamini-Hochberg).",
            with_caveat=False,
        ),
        says=sentences.costly_for_teams,
        shown=_above_first,
        doubts=True,
        on_terminal=False,
    ),
    Piece(
        question_agreement,
        "On which questions graders disagree",
        (
            Column("Question", ("question",), "text"),
            Column("Rubric", ("rubric_name",), "text"),
            Column("Agreement, 0 to 1", ("alpha", "lo", "hi"), "share interval"),
            Column("Same answer, %", ("agreement",), "number"),
            Column("Tickets", ("n",), "count"),
            NOTE,
        ),
        "agreement",
        Words(
            "On tickets that several graders scored: how much more they agree on each question than by chance.",
            reading="1 is full agreement, 0 is chance. Where nearly all answers are alike, even 90 % the same can be "
            "chance.",
            action="Sharpen the wording of the first questions: one that graders read differently cannot show how "
            "agents differ.",
            limits="Who reads the question right.",
            method="Krippendorff's alpha (ordinal), jackknife over tickets. The files also have kappa and Gwet's AC1.",
        ),
        says=sentences.least_agreed,
    ),
)
