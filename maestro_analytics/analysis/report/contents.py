"""What the report holds: declared once, for terminal, files and page alike."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import Any, Unpack

import polars as pl

from maestro_analytics.analysis import charts
from maestro_analytics.analysis.agreement import grader_agreement, grader_pairs, question_agreement
from maestro_analytics.analysis.benchmark import benchmark_bias
from maestro_analytics.analysis.coaching import coaching_effect, coaching_timeline
from maestro_analytics.analysis.filters import Filters, Store
from maestro_analytics.analysis.follow_up import (
    coaching_coverage,
    time_to_coach,
    time_to_coach_curve,
    todo_completion,
)
from maestro_analytics.analysis.leniency import grader_severity
from maestro_analytics.analysis.points import points_lost, points_lost_by_team
from maestro_analytics.analysis.ranking import agent_ranking
from maestro_analytics.analysis.report.block import Block, Column, Section
from maestro_analytics.analysis.scores import team_scores
from maestro_analytics.analysis.trends import control_chart

KINDS = ("agents", "graders", "questions", "coaching")


class _Once:
    """A store that runs a query once for a report, however many of its answers rest on it; one at a time."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._found: dict[tuple[object, ...], pl.DataFrame] = {}
        self._turn = Lock()

    def query(self, name: str, /, **variables: Any) -> pl.DataFrame:
        asked = (name, *sorted(variables.items()))
        with self._turn:
            if asked not in self._found:
                self._found[asked] = self._store.query(name, **variables)
            return self._found[asked]


def sections(store: Store, kind: str = "all", *, min_n: int = 10, **filters: Unpack[Filters]) -> list[Section]:
    """The sections of a report: one of `KINDS`, or all. Errors: see `Filters`.

    Two sections are made at a time: while one waits for its SQL the other works with what it has.
    """
    store = _Once(store)
    makers = {"agents": _agents, "graders": _graders, "questions": _questions, "coaching": _coaching}
    wanted = [make for name, make in makers.items() if kind in (name, "all")]
    with ThreadPoolExecutor(max_workers=2) as workers:
        return list(workers.map(lambda make: make(store, min_n, filters), wanted))


def _agents(store: Store, min_n: int, filters: Filters) -> Section:
    ranking = agent_ranking(store, min_n=min_n, **filters)
    control = control_chart(store, **filters)
    return Section(
        "agents",
        "Agents and teams",
        (
            Block(
                "agent_ranking",
                "Agents: what is left when noise is taken out",
                ranking,
                (
                    Column("Rank", ("rank",), "count"),
                    Column("could be", ("rank_lo", "rank_hi"), "count"),
                    Column("Agent", ("agent_name",), "text"),
                    Column("Grades", ("n",), "count"),
                    Column("Mean", ("mean",), "number"),
                    Column("Without noise", ("shrunk", "shrunk_lo", "shrunk_hi"), "interval"),
                    Column("Stands out", ("stands_out",), "text"),
                    Column("Note", ("reason",), "text"),
                ),
                charts.caterpillar,
                "Few grades make extreme means. Each mean is drawn towards that of all by as much as its own noise "
                "demands; the ranks are those that the data allow. Grey agents cannot be told from the mean.",
            ),
            Block(
                "team_scores",
                "Teams",
                team_scores(store, min_n=min_n, **filters),
                (
                    Column("Team", ("team",), "text"),
                    Column("Rubric", ("rubric_name",), "text"),
                    Column("Agents", ("agents",), "count"),
                    Column("Grades", ("n",), "count"),
                    Column("Mean", ("mean", "lo", "hi"), "interval"),
                    Column("Pass rate, %", ("pass_rate", "pass_lo", "pass_hi"), "interval"),
                    Column("Note", ("reason",), "text"),
                ),
                charts.group_scores,
                "Within a rubric. Two teams whose intervals overlap widely cannot be told apart.",
            ),
            Block(
                "control_chart",
                "Unusual weeks",
                control,
                (),
                charts.control,
                "Each agent against their own usual weeks.",
            ),
        ),
    )


def _graders(store: Store, min_n: int, filters: Filters) -> Section:
    return Section(
        "graders",
        "Graders",
        (
            Block(
                "grader_severity",
                "Strict and lenient graders, on the same agents, rubrics and months",
                grader_severity(store, min_n=min_n, **filters),
                (
                    Column("Grader", ("grader",), "text"),
                    Column("Grades", ("n",), "count"),
                    Column("Raw gap", ("raw_gap",), "signed"),
                    Column("Adjusted", ("adjusted", "lo", "hi"), "signed interval"),
                    Column("Off benchmark", ("mad_benchmark",), "number"),
                    Column("Group", ("component",), "count"),
                    Column("Note", ("reason",), "text"),
                ),
                charts.severity,
                "A raw mean says whom a grader was given as much as how strict they are. Adjusted: points against the "
                "mean grader. Graders of different groups share no agents and cannot be compared.",
            ),
            Block(
                "grader_agreement",
                "Do graders agree?",
                grader_agreement(store, **filters),
                (
                    Column("Rubric", ("rubric_name",), "text"),
                    Column("Tickets", ("n",), "count"),
                    Column("Graders", ("graders",), "count"),
                    Column("Alpha", ("alpha", "lo", "hi"), "share interval"),
                    Column("Apart, points", ("mad",), "number"),
                    Column("Within 5, %", ("within_5",), "number"),
                    Column("Note", ("reason",), "text"),
                ),
                None,
                "Krippendorff's alpha: 1 is full agreement, 0 is chance.",
            ),
            Block(
                "benchmark_bias",
                "Against benchmarks and calibrations",
                benchmark_bias(store, min_n=min_n, **filters),
                (
                    Column("Grader", ("grader",), "text"),
                    Column("Benchmarks", ("n",), "count"),
                    Column("Bias", ("bias", "lo", "hi"), "signed interval"),
                    Column("Off, points", ("mad",), "number"),
                    Column("Alignment, %", ("alignment",), "number"),
                    Column("In the file, %", ("alignment_score",), "number"),
                    Column("Note", ("reason",), "text"),
                ),
                None,
                "Bias: grader minus benchmark. Alignment is the vendor's measure, worked out again from the answers.",
            ),
            Block(
                "grader_pairs",
                "Who gives more than whom, on the same tickets",
                grader_pairs(store, min_n=min_n, **filters),
                (),
                charts.disagreement,
                "Ordinary grades, calibrations and benchmarks of the same ticket together.",
            ),
        ),
    )


def _questions(store: Store, min_n: int, filters: Filters) -> Section:
    lost = (
        Column("Question", ("question",), "text"),
        Column("Rubric", ("rubric_name",), "text"),
        Column("Answers", ("n",), "count"),
        Column("Points lost", ("points_lost",), "number"),
        Column("Share, %", ("share",), "number"),
        Column("Fails, %", ("failure_rate", "lo", "hi"), "interval"),
        Column("Note", ("reason",), "text"),
    )
    return Section(
        "questions",
        "Questions",
        (
            Block(
                "points_lost",
                "Where points are lost",
                points_lost(store, min_n=min_n, **filters),
                lost,
                charts.pareto,
                "Within each rubric, the costliest question first.",
            ),
            Block(
                "points_lost_by_team",
                "Which team loses points where",
                points_lost_by_team(store, min_n=min_n, **filters),
                (),
                charts.heat_map,
                "How much more or less often than everyone a team loses points on a question.",
            ),
            Block(
                "question_agreement",
                "On which questions graders disagree",
                question_agreement(store, **filters),
                (
                    Column("Question", ("question",), "text"),
                    Column("Rubric", ("rubric_name",), "text"),
                    Column("Tickets", ("n",), "count"),
                    Column("Same answer, %", ("agreement",), "number"),
                    Column("Alpha", ("alpha", "lo", "hi"), "share interval"),
                    Column("AC1", ("ac1",), "share"),
                    Column("Note", ("reason",), "text"),
                ),
                charts.agreement,
                "A question that graders read differently cannot show how agents differ: sharpen its wording first.",
            ),
        ),
    )


def _coaching(store: Store, min_n: int, filters: Filters) -> Section:
    counted = Column("Note", ("reason",), "text")
    return Section(
        "coaching",
        "Coaching",
        (
            Block(
                "coaching_effect",
                "What a coaching session is worth",
                coaching_effect(store, **filters),
                (
                    Column("Compared", ("method",), "text"),
                    Column("Sessions", ("n",), "count"),
                    Column("Controls", ("controls",), "count"),
                    Column("Effect, points", ("effect", "lo", "hi"), "signed interval"),
                    Column("Gap before", ("pre_gap",), "signed"),
                    counted,
                ),
                charts.effects,
                "The first row is the answer; those marked as misleading are what a dashboard would show.",
            ),
            Block(
                "coaching_timeline",
                "Scores around a coaching session",
                coaching_timeline(store, **filters),
                (),
                charts.event_study,
                "The coached beside agents of equal scores, in the same weeks, who were not coached.",
            ),
            Block(
                "time_to_coach",
                "How long low grades wait for coaching",
                time_to_coach(store, by="rubric", min_n=min_n, **filters),
                (
                    Column("Rubric", ("group",), "text"),
                    Column("Low grades", ("n",), "count"),
                    Column("Waiting", ("n_na",), "count"),
                    Column("Median, days", ("median_days", "lo", "hi"), "interval"),
                    Column("In 14 days, %", ("within", "within_lo", "within_hi"), "interval"),
                    counted,
                ),
                None,
                "Grades below 80 %, to their first coaching point.",
            ),
            Block(
                "time_to_coach_curve",
                "The share still waiting, day by day",
                time_to_coach_curve(store, **filters),
                (),
                charts.waiting,
                "Kaplan-Meier. Where the line stays above one half, no median can be given.",
            ),
            Block(
                "coaching_coverage",
                "Low grades that led to a coaching point within 14 days",
                coaching_coverage(store, min_n=min_n, **filters),
                (
                    Column("Team", ("group",), "text"),
                    Column("Low grades", ("n",), "count"),
                    Column("Too young", ("n_na",), "count"),
                    Column("Coached, %", ("rate", "lo", "hi"), "interval"),
                    counted,
                ),
                None,
                "Grades that are too young to judge are left out.",
            ),
            Block(
                "todo_completion",
                "To-dos",
                todo_completion(store, by="agent", min_n=min_n, **_only(filters, "since", "until", "team", "agent")),
                (
                    Column("Agent", ("group",), "text"),
                    Column("To-dos", ("n",), "count"),
                    Column("Done, %", ("rate", "lo", "hi"), "interval"),
                    Column("Overdue", ("overdue",), "count"),
                    Column("Median, days", ("median_days",), "number"),
                    counted,
                ),
                None,
                "Overdue: open after 14 days; the vendor gives no due date.",
            ),
        ),
    )


def _only(filters: Filters, *names: str) -> Filters:
    return {name: value for name, value in filters.items() if name in names}  # type: ignore[return-value]
