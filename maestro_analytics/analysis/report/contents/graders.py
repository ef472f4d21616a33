"""Graders."""

from __future__ import annotations

import polars as pl

from maestro_analytics.analysis.agreement import grader_agreement, grader_pairs
from maestro_analytics.analysis.benchmarks import benchmark_bias, calibration_sessions, grader_drift
from maestro_analytics.analysis.grader_severity import grader_severity
from maestro_analytics.analysis.report import sentences
from maestro_analytics.analysis.report.contents.agents import NOTE, weeks_in_short
from maestro_analytics.analysis.report.model import Column, Piece, Words


def _each_pair_once(frame: pl.DataFrame) -> pl.DataFrame:
    """Of each two graders the row of the one who gives more; settled ones first, the largest gap first."""
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
