"""Coaching."""

from __future__ import annotations

import polars as pl

from maestro_analytics.analysis.coaching_effect import METHOD_WORDS, coaching_effect, coaching_timeline
from maestro_analytics.analysis.coaching_records import (
    coaching_coverage,
    time_to_coach,
    time_to_coach_curve,
    todo_completion,
)
from maestro_analytics.analysis.planning import power
from maestro_analytics.analysis.report import sentences
from maestro_analytics.analysis.report.contents.agents import NOTE
from maestro_analytics.analysis.report.model import Column, Piece, Words

DAYS = (0, 1, 3, 7, 14, 28, 60)
GROUP_WORDS = {"coached": "coached", "matched controls": "equal scores, not coached"}


def _in_words(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(pl.col("method").replace(METHOD_WORDS))


def _on_some_days(frame: pl.DataFrame) -> pl.DataFrame:
    """Of each group a row for each of `DAYS`."""
    days = pl.DataFrame({"day": [float(day) for day in DAYS]})
    groups = frame.select("group").unique().join(days, how="cross").sort("day")
    found = groups.join_asof(frame.sort("days"), left_on="day", right_on="days", by="group", check_sortedness=False)
    return found.with_columns(day=pl.col("day").cast(pl.Int64)).sort(
        "n", "group", "day", descending=[True, False, False]
    )


def _overdue_first(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.sort("overdue", "rate", "group", descending=[True, False, False], nulls_last=True)


COACHING = (
    Piece(
        coaching_effect,
        "What a coaching session is worth",
        (
            Column("Compared with", ("method",), "text"),
            Column("Points gained", ("effect", "lo", "hi"), "signed interval"),
            Column("Gap before", ("pre_gap",), "signed"),
            Column("Sessions", ("n",), "count"),
            Column("Not coached", ("controls",), "count"),
            NOTE,
        ),
        "effects",
        Words(
            "How many points an agent's score gains in the four weeks after a session, beyond what would have happened "
            "anyway.",
            reading="The first row is the answer. Those marked as misleading are what a dashboard would show: whoever "
            "is coached after bad weeks gets better without coaching, too.",
            action="If the bar touches 0, change what a session is made of before you hold more of them.",
            limits="What single coaches achieve. Whether agents were chosen for reasons that the scores do not show.",
            method="matching on earlier scores, team and weeks; ANCOVA; imputation; placebo; clustered by agent.",
        ),
        says=sentences.coaching_worth,
        shown=_in_words,
    ),
    Piece(
        coaching_timeline,
        "Scores around a coaching session",
        (
            Column("Agents", ("group",), "text"),
            Column("Week from the session", ("week",), "signed"),
            Column("Average", ("mean", "lo", "hi"), "interval"),
            Column("Sessions", ("n",), "count"),
            NOTE,
        ),
        "event_study",
        Words(
            "The scores of coached agents week by week, beside agents of equal scores in the same weeks who were not "
            "coached.",
            reading="Before the dashed line both should run side by side; what they are apart after it is the "
            "session's.",
            action="If the gap closes after a few weeks, follow up.",
            limits="What another way of answering gives, where one is recommended above. A single agent's way.",
            method="event study of matched sessions, clustered by agent.",
        ),
        says=sentences.around_session,
        shown=lambda frame: frame.with_columns(pl.col("group").replace(GROUP_WORDS), pl.col("week").cast(pl.Float64)),
        on_terminal=False,
    ),
    Piece(
        time_to_coach,
        "How long low grades wait for coaching",
        (
            Column("Rubric", ("group",), "text"),
            Column("Half coached after, days", ("median_days", "lo", "hi"), "interval"),
            Column("Within 14 days, of 100", ("within", "within_lo", "within_hi"), "interval"),
            Column("Low grades", ("n",), "count"),
            Column("Still waiting", ("n_na",), "count"),
            NOTE,
        ),
        None,
        Words(
            "Grades below 80 %: how many days until their first coaching point.",
            reading="Grades that still wait count as well: an average of those that were coached would look too good.",
            action="Agree on a number of days, and look here whether it is kept.",
            limits="Coaching that nobody wrote down.",
            method="Kaplan-Meier median with log-log interval.",
        ),
        says=sentences.median_wait,
        options={"by": "rubric"},
        doubts=True,
    ),
    Piece(
        time_to_coach_curve,
        "How many low grades still wait, day by day",
        (
            Column("Rubric", ("group",), "text"),
            Column("Days", ("day",), "count"),
            Column("Still waiting, of 100", ("waiting", "lo", "hi"), "interval"),
            Column("Low grades", ("n",), "count"),
        ),
        "waiting",
        Words(
            "Grades below 80 %: how many of 100 have no coaching point after so many days.",
            reading="A line that falls early: low grades are coached fast. Where it stays above the dashed line, fewer "
            "than half are ever coached.",
            limits="Coaching that nobody wrote down.",
            method="Kaplan-Meier curve.",
        ),
        says=sentences.waiting_after,
        shown=_on_some_days,
        on_terminal=False,
    ),
    Piece(
        coaching_coverage,
        "Low grades that led to coaching within 14 days",
        (
            Column("Team", ("group",), "text"),
            Column("Coached, of 100", ("rate", "lo", "hi"), "interval"),
            Column("Low grades", ("n",), "count"),
            Column("Too new to say", ("n_na",), "count"),
            NOTE,
        ),
        None,
        Words(
            "Grades below 80 %, by team: how many of 100 led to a coaching point within two weeks.",
            reading="Grades of the last two weeks are left out: their time has not come.",
            action="Ask the team with the lowest share what keeps its coaches.",
            limits="Whether the coaching helped.",
            method="rates by Wilson's interval, clustered by agent.",
        ),
        says=sentences.coached_share,
        doubts=True,
    ),
    Piece(
        todo_completion,
        "To-dos, done and open",
        (
            Column("Agent", ("group",), "text"),
            Column("Overdue", ("overdue",), "count"),
            Column("Done, of 100", ("rate", "lo", "hi"), "interval"),
            Column("Days to done", ("median_days",), "number"),
            Column("To-dos", ("n",), "count"),
            NOTE,
        ),
        None,
        Words(
            "Each agent's to-dos from coaching. Overdue: open for more than 14 days; there is no due date in the data.",
            reading="Most overdue first.",
            action="Go through the overdue ones with the agent: do them, or drop them.",
            limits="Whether a to-do was worth doing.",
            method="rates by Wilson's interval; median over those done and open.",
        ),
        says=sentences.todos_done,
        shown=_overdue_first,
        options={"by": "agent"},
        doubts=True,
        filters=("since", "until", "team", "agent"),
    ),
    Piece(
        power,
        "How many agents a coaching pilot needs",
        (
            Column("Coached", ("coached",), "count"),
            Column("Not coached", ("controls",), "count"),
            Column("Smallest gain it finds, points", ("detectable",), "number"),
            Column("Finds 5 points, of 100", ("power",), "number"),
            NOTE,
        ),
        "pilot",
        Words(
            "If you try something new with half of a group of agents, drawn by lot: the smallest gain that you would "
            "notice.",
            reading="Right is larger. The first dot below the dashed line is the size that finds a gain of 5 points.",
            action="Do not start a pilot that cannot find the gain you hope for: make it larger or longer.",
            limits="Pilots in which somebody chooses who takes part: those need more agents.",
            method="power of a two-group comparison (95 %, 80 %), adjusted for the score before; windows of 28 days.",
        ),
        says=sentences.pilot_size,
        most_grades=400_000,
    ),
)
