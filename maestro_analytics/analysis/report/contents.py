"""What the report holds: declared once, for terminal, files and page alike."""

from __future__ import annotations

from maestro_analytics.analysis.agreement import grader_agreement, grader_pairs, question_agreement
from maestro_analytics.analysis.benchmark import benchmark_bias
from maestro_analytics.analysis.coaching_effect import coaching_effect, coaching_timeline
from maestro_analytics.analysis.coaching_follow_up import (
    coaching_coverage,
    time_to_coach,
    time_to_coach_curve,
    todo_completion,
)
from maestro_analytics.analysis.drift import grader_drift
from maestro_analytics.analysis.points_lost import points_lost, points_lost_by_team
from maestro_analytics.analysis.ranking import agent_ranking
from maestro_analytics.analysis.report.model import Column, Piece
from maestro_analytics.analysis.scores import team_scores
from maestro_analytics.analysis.severity import grader_severity
from maestro_analytics.analysis.trends import control_chart

NOTE = Column("Note", ("reason",), "text")

AGENTS = (
    Piece(
        agent_ranking,
        "Agents: what is left when noise is taken out",
        (
            Column("Rank", ("rank",), "count"),
            Column("could be", ("rank_lo", "rank_hi"), "count"),
            Column("Agent", ("agent_name",), "text"),
            Column("Grades", ("n",), "count"),
            Column("Mean", ("mean",), "number"),
            Column("Without noise", ("shrunk", "shrunk_lo", "shrunk_hi"), "interval"),
            Column("Stands out", ("stands_out",), "text"),
            NOTE,
        ),
        "caterpillar",
        "Few grades make extreme means. Each mean is drawn towards that of all by as much as its own noise "
        "demands; the ranks are those that the data allow. Of grey agents it is not settled on which side of the mean "
        "they are.",
        doubts=True,
    ),
    Piece(
        team_scores,
        "Teams",
        (
            Column("Team", ("team",), "text"),
            Column("Rubric", ("rubric_name",), "text"),
            Column("Agents", ("agents",), "count"),
            Column("Grades", ("n",), "count"),
            Column("Mean", ("mean", "lo", "hi"), "interval"),
            Column("Pass rate, %", ("pass_rate", "pass_lo", "pass_hi"), "interval"),
            NOTE,
        ),
        "group_scores",
        "Within a rubric. Intervals that overlap do not show that two teams are equal: the gap is not settled.",
        doubts=True,
    ),
    Piece(control_chart, "Unusual weeks", (), "control", "Each agent against their own usual weeks."),
)

GRADERS = (
    Piece(
        grader_severity,
        "Strict and lenient graders, on the same agents, rubrics and months",
        (
            Column("Grader", ("grader",), "text"),
            Column("Grades", ("n",), "count"),
            Column("Raw gap", ("raw_gap",), "signed"),
            Column("Adjusted", ("adjusted", "lo", "hi"), "signed interval"),
            Column("Off benchmark", ("mad_benchmark",), "number"),
            Column("Group", ("component",), "count"),
            NOTE,
        ),
        "severity",
        "A raw mean says whom a grader was given as much as how strict they are. Adjusted: points against the "
        "mean grader. Graders of different groups share no agents and cannot be compared.",
        doubts=True,
    ),
    Piece(
        grader_agreement,
        "Do graders agree?",
        (
            Column("Rubric", ("rubric_name",), "text"),
            Column("Tickets", ("n",), "count"),
            Column("Graders", ("graders",), "count"),
            Column("Alpha", ("alpha", "lo", "hi"), "share interval"),
            Column("Apart, points", ("mad",), "number"),
            Column("Within 5, %", ("within_5",), "number"),
            NOTE,
        ),
        None,
        "Krippendorff's alpha: 1 is full agreement, 0 is chance.",
    ),
    Piece(
        benchmark_bias,
        "Against benchmarks and calibrations",
        (
            Column("Grader", ("grader",), "text"),
            Column("Benchmarks", ("n",), "count"),
            Column("Bias", ("bias", "lo", "hi"), "signed interval"),
            Column("Off, points", ("mad",), "number"),
            Column("Alignment, %", ("alignment",), "number"),
            Column("In the file, %", ("alignment_score",), "number"),
            NOTE,
        ),
        None,
        "Bias: grader minus benchmark. Alignment is the vendor's measure, worked out again from the answers.",
        doubts=True,
    ),
    Piece(
        grader_drift,
        "Graders whose measure moves",
        (),
        "control",
        "Against benchmarks, week after week: the running mean of each grader's bias, and the limits of usual noise.",
    ),
    Piece(
        grader_pairs,
        "Who gives more than whom, on the same tickets",
        (),
        "disagreement",
        "Ordinary grades, calibrations and benchmarks of the same ticket together.",
        doubts=True,
    ),
)

QUESTIONS = (
    Piece(
        points_lost,
        "Where points are lost",
        (
            Column("Question", ("question",), "text"),
            Column("Rubric", ("rubric_name",), "text"),
            Column("Answers", ("n",), "count"),
            Column("Points lost", ("points_lost",), "number"),
            Column("Share, %", ("share",), "number"),
            Column("Fails, %", ("failure_rate", "lo", "hi"), "interval"),
            NOTE,
        ),
        "pareto",
        "Within each rubric, the costliest question first.",
        doubts=True,
    ),
    Piece(
        points_lost_by_team,
        "Which team loses points where",
        (),
        "heat_map",
        "How much more or less often than everyone a team loses points on a question.",
        doubts=True,
    ),
    Piece(
        question_agreement,
        "On which questions graders disagree",
        (
            Column("Question", ("question",), "text"),
            Column("Rubric", ("rubric_name",), "text"),
            Column("Tickets", ("n",), "count"),
            Column("Same answer, %", ("agreement",), "number"),
            Column("Alpha", ("alpha", "lo", "hi"), "share interval"),
            Column("AC1", ("ac1",), "share"),
            NOTE,
        ),
        "agreement",
        "A question that graders read differently cannot show how agents differ: sharpen its wording first.",
    ),
)

COACHING = (
    Piece(
        coaching_effect,
        "What a coaching session is worth",
        (
            Column("Compared", ("method",), "text"),
            Column("Sessions", ("n",), "count"),
            Column("Controls", ("controls",), "count"),
            Column("Effect, points", ("effect", "lo", "hi"), "signed interval"),
            Column("Gap before", ("pre_gap",), "signed"),
            NOTE,
        ),
        "effects",
        "The first row is the answer; those marked as misleading are what a dashboard would show.",
    ),
    Piece(
        coaching_timeline,
        "Scores around a coaching session",
        (),
        "event_study",
        "The coached beside agents of equal scores, in the same weeks, who were not coached.",
    ),
    Piece(
        time_to_coach,
        "How long low grades wait for coaching",
        (
            Column("Rubric", ("group",), "text"),
            Column("Low grades", ("n",), "count"),
            Column("Waiting", ("n_na",), "count"),
            Column("Median, days", ("median_days", "lo", "hi"), "interval"),
            Column("In 14 days, %", ("within", "within_lo", "within_hi"), "interval"),
            NOTE,
        ),
        None,
        "Grades below 80 %, to their first coaching point.",
        options={"by": "rubric"},
        doubts=True,
    ),
    Piece(
        time_to_coach_curve,
        "The share still waiting, day by day",
        (),
        "waiting",
        "Kaplan-Meier. Where the line stays above one half, no median can be given.",
    ),
    Piece(
        coaching_coverage,
        "Low grades that led to a coaching point within 14 days",
        (
            Column("Team", ("group",), "text"),
            Column("Low grades", ("n",), "count"),
            Column("Too young", ("n_na",), "count"),
            Column("Coached, %", ("rate", "lo", "hi"), "interval"),
            NOTE,
        ),
        None,
        "Grades that are too young to judge are left out.",
        doubts=True,
    ),
    Piece(
        todo_completion,
        "To-dos",
        (
            Column("Agent", ("group",), "text"),
            Column("To-dos", ("n",), "count"),
            Column("Done, %", ("rate", "lo", "hi"), "interval"),
            Column("Overdue", ("overdue",), "count"),
            Column("Median, days", ("median_days",), "number"),
            NOTE,
        ),
        None,
        "Overdue: open after 14 days; the vendor gives no due date.",
        options={"by": "agent"},
        doubts=True,
        filters=("since", "until", "team", "agent"),
    ),
)

CONTENTS: dict[str, tuple[str, tuple[Piece, ...]]] = {
    "agents": ("Agents and teams", AGENTS),
    "graders": ("Graders", GRADERS),
    "questions": ("Questions", QUESTIONS),
    "coaching": ("Coaching", COACHING),
}
"""Section -> its title and what it holds."""
