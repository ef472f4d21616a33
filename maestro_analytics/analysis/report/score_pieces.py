"""What the report asks of scores, and what people are told: the overview, changes, agents and teams, questions."""

from __future__ import annotations

from functools import partial
from typing import Literal

import polars as pl

from maestro_analytics.analysis.agent_ranking import agent_ranking
from maestro_analytics.analysis.agreement import question_agreement
from maestro_analytics.analysis.changes import Changing, changed_words, changes, overall
from maestro_analytics.analysis.points_lost import points_lost, points_lost_by_team
from maestro_analytics.analysis.report import sentences
from maestro_analytics.analysis.report.model import Column, Piece, Words
from maestro_analytics.analysis.scores import team_scores
from maestro_analytics.analysis.trends import control_chart, score_trend

NOTE = Column("Note", ("reason",), "text")
MOST_GRADES = 400_000
"""With more grades an answer that takes minutes is left out."""


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
            NOTE,
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
            NOTE,
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
        NOTE,
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
