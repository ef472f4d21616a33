"""What the report asks of graders, coaching and the amount of grading, and what people are told."""

from __future__ import annotations

import polars as pl

from maestro_analytics.analysis.agreement import grader_agreement, grader_pairs
from maestro_analytics.analysis.benchmarks import benchmark_bias, calibration_sessions, grader_drift
from maestro_analytics.analysis.coaching_effect import METHOD_WORDS, coaching_effect, coaching_timeline
from maestro_analytics.analysis.coaching_records import (
    coaching_coverage,
    time_to_coach,
    time_to_coach_curve,
    todo_completion,
)
from maestro_analytics.analysis.grader_severity import grader_severity
from maestro_analytics.analysis.grading_coverage import grading_coverage
from maestro_analytics.analysis.planning import SOURCE_WORDS, generalizability, power
from maestro_analytics.analysis.report import sentences
from maestro_analytics.analysis.report.model import Column, Piece, Words
from maestro_analytics.analysis.report.score_pieces import MOST_GRADES, NOTE, weeks_in_short

DAYS = (0, 1, 3, 7, 14, 28, 60)
GROUP_WORDS = {"coached": "coached", "matched controls": "equal scores, not coached"}
MOST_FITTED = 100_000
"""With more grades the answers about single scores are left out: each fits the model of all agents again."""


def _each_pair_once(frame: pl.DataFrame) -> pl.DataFrame:
    """One row for each two graders, that of the one who gives more; settled ones first, the largest gap first."""
    more = frame.filter((pl.col("bias") > 0) | ((pl.col("bias") == 0) & (pl.col("grader") < pl.col("other"))))
    settled = (pl.col("reliable") & (pl.col("lo") > 0)).fill_null(False)
    return more.sort(~settled, "bias", "grader", "other", descending=[False, True, False, False], nulls_last=True)


GRADERS = (
    Piece(
        grader_severity,
        "Strict and lenient graders",
        (
            Column("Grader", ("grader",), "text"),
            Column("Stands out", ("stands_out",), "text"),
            Column("Against the average grader", ("adjusted", "lo", "hi"), "signed interval"),
            Column("Plain gap", ("raw_gap",), "signed"),
            Column("Away from benchmarks", ("mad_benchmark",), "number"),
            Column("Grades", ("n",), "count"),
            Column("Group", ("component",), "count"),
            NOTE,
        ),
        "severity",
        Words(
            "How many points each grader gives above or below the average grader, on the same agents, rubrics and "
            "months.",
            reading="A plain average says whom a grader was given as much as how strict they are; the dot does not. "
            "Graders of different groups share no agents and cannot be compared.",
            action="Grade a few tickets together: the strictest with the most lenient. Agents of strict graders look "
            "worse than they are on dashboards, not on this page.",
            limits="Who is right: the average grader may be too lenient.",
            method="least squares of agent, rubric, month and grader, or a mixed model; errors clustered by agent and "
            "day.",
        ),
        says=sentences.strict_and_lenient,
        doubts=True,
    ),
    Piece(
        grader_agreement,
        "Do graders agree?",
        (
            Column("Rubric", ("rubric_name",), "text"),
            Column("Agreement, 0 to 1", ("alpha", "lo", "hi"), "share interval"),
            Column("Apart, points", ("mad",), "number"),
            Column("Within 5 points, %", ("within_5",), "number"),
            Column("Tickets", ("n",), "count"),
            Column("Graders", ("graders",), "count"),
            NOTE,
        ),
        None,
        Words(
            "On tickets that several graders scored: how much more they agree than chance would make them.",
            reading="1 is full agreement, 0 is chance. From .80 on scores of different graders can be compared; below "
            ".67 they cannot.",
            action="Below .67: calibrate, and sharpen the questions on which graders disagree, before you compare "
            "agents.",
            limits="Who is right. Graders can agree and be wrong together.",
            method="Krippendorff's alpha (interval), jackknife over tickets.",
        ),
        says=sentences.agreement_by_rubric,
    ),
    Piece(
        benchmark_bias,
        "Graders beside the benchmarks",
        (
            Column("Grader", ("grader",), "text"),
            Column("Gap, points", ("bias", "lo", "hi"), "signed interval"),
            Column("Away, points", ("mad",), "number"),
            Column("Alignment, %", ("alignment",), "number"),
            Column("In MaestroQA, %", ("alignment_score",), "number"),
            Column("Benchmarks", ("n",), "count"),
            NOTE,
        ),
        None,
        Words(
            "What each grader gave on benchmark tickets, minus the benchmark.",
            reading="The gap has a sign: below 0 is stricter than the benchmark. Away: the distance whatever its sign.",
            action="A grader who is away but has no gap is uneven: read answers together. One with a gap is strict or "
            "lenient.",
            limits="Whether the benchmark is right.",
            method="means with intervals; alignment is the vendor's measure, worked out again from the answers.",
        ),
        says=sentences.off_benchmark,
        doubts=True,
    ),
    Piece(
        grader_drift,
        "Graders who move slowly",
        (
            Column("Grader", ("group",), "text"),
            Column("Unusual weeks (Mondays)", ("unusual",), "text"),
            Column("Usual gap", ("centre",), "signed"),
            Column("Last gap", ("last",), "signed"),
            Column("Weeks", ("weeks",), "count"),
            Column("Benchmarks", ("n",), "count"),
            NOTE,
        ),
        "control",
        Words(
            "Each grader's gap to the benchmarks, as a running average week after week.",
            reading="A dot outside of the band: the grader gives more or less than they used to.",
            action="Calibrate with a grader who moves, and look again at the scores of those weeks.",
            limits="Benchmarks that become stricter or more lenient themselves: every grader then seems to move the "
            "other way.",
            method="exponentially weighted moving average (EWMA) chart.",
            with_caveat=False,
        ),
        says=sentences.drifting,
        shown=weeks_in_short,
        on_terminal=False,
    ),
    Piece(
        grader_pairs,
        "Who gives more than whom, on the same tickets",
        (
            Column("Grader", ("grader",), "text"),
            Column("gives more than", ("other",), "text"),
            Column("Points more", ("bias", "lo", "hi"), "signed interval"),
            Column("Apart, points", ("mad",), "number"),
            Column("Tickets", ("n",), "count"),
            NOTE,
        ),
        "disagreement",
        Words(
            "Two graders on the same tickets: how many points one gives more than the other.",
            reading="A whole row in blue is a lenient grader, one in orange a strict one. A single strong cell is two "
            "people who read a rubric differently.",
            action="Let the two with the largest settled gap grade a ticket together.",
            limits="Pairs who share fewer than 10 tickets: their numbers are not settled.",
            method="mean differences; ordinary grades, calibrations and benchmarks of the same ticket together.",
            with_caveat=False,
        ),
        says=sentences.largest_gap,
        shown=_each_pair_once,
        doubts=True,
        on_terminal=False,
    ),
    Piece(
        calibration_sessions,
        "Do graders come closer from calibration to calibration?",
        (
            Column("Grader", ("group",), "text"),
            Column("Month", ("month",), "date"),
            Column("Away, points", ("mad",), "number"),
            Column("Gap, points", ("bias", "lo", "hi"), "signed interval"),
            Column("Within 5 points, %", ("within_5",), "number"),
            Column("Reviews", ("n",), "count"),
            NOTE,
        ),
        "calibration",
        Words(
            "In calibrations: how far each grader's review is from the score that was agreed on, month by month.",
            reading="A line that falls: the grader comes closer. The agreed score is the final of the ticket or, "
            "without one, the average of the other reviews.",
            action="If nobody comes closer, talk about the rubric's wording, not about the graders.",
            limits="Whether the agreed score is right: it was agreed on by people who had seen the reviews.",
            method="mean distance from the final, or from the mean of the other reviews.",
            with_caveat=False,
        ),
        says=sentences.calibrated,
        doubts=True,
        on_terminal=False,
    ),
)


def _in_words(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(pl.col("method").replace(METHOD_WORDS))


def _on_some_days(frame: pl.DataFrame) -> pl.DataFrame:
    """One row for each group and each of `DAYS`."""
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
        most_grades=MOST_GRADES,
    ),
)


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
        most_grades=MOST_FITTED,
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
        most_grades=MOST_FITTED,
    ),
)
