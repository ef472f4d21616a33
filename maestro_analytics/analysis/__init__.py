"""Questions answered as polars frames, with what can be concluded from them.

    import maestro_analytics as ma
    from maestro_analytics import analysis

    qa = ma.open()
    analysis.agent_ranking(qa, team="Billing", since="2026-01-01")

Every answer takes the same keyword arguments to narrow it down (`Filters`) and returns an `Answer`: a polars frame that
also says its question, period, time axis and caveat (`answer.about`). Every aggregate has n, n_na, an interval, method,
reliable and reason. Charts of the same answers are in `maestro_analytics.analysis.charts`.

`charts` and `report` are imported when first used, because altair takes half a second; scipy is imported inside the
functions that need it, for the same reason.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from maestro_analytics.analysis.agent_ranking import agent_ranking
from maestro_analytics.analysis.agreement import grader_agreement, grader_pairs, question_agreement
from maestro_analytics.analysis.answer import Answer
from maestro_analytics.analysis.benchmarks import (
    alignments,
    benchmark_bias,
    calibration_sessions,
    calibrations,
    grader_drift,
)
from maestro_analytics.analysis.changes import changes
from maestro_analytics.analysis.coaching_effect import coaching_effect, coaching_timeline
from maestro_analytics.analysis.coaching_records import (
    coaching_coverage,
    coaching_history,
    open_todos,
    time_to_coach,
    time_to_coach_curve,
    todo_completion,
)
from maestro_analytics.analysis.csat_link import csat_link
from maestro_analytics.analysis.filters import Filters
from maestro_analytics.analysis.grader_severity import grader_severity
from maestro_analytics.analysis.grades import (
    answer_comments,
    grades,
    regrades,
    score_mismatches,
    score_reconciliation,
    tickets_to_review,
)
from maestro_analytics.analysis.grading_coverage import grading_coverage, grading_effort
from maestro_analytics.analysis.planning import generalizability, power, sampling_plan
from maestro_analytics.analysis.points_lost import points_lost, points_lost_by_agent, points_lost_by_team
from maestro_analytics.analysis.scores import agent_scores, question_scores, rubric_scores, section_scores, team_scores
from maestro_analytics.analysis.trends import control_chart, pass_rate_chart, score_trend

if TYPE_CHECKING:
    from maestro_analytics.analysis import charts as charts
    from maestro_analytics.analysis import report as report

__all__ = [
    "Answer",
    "Filters",
    "agent_ranking",
    "agent_scores",
    "alignments",
    "answer_comments",
    "benchmark_bias",
    "calibration_sessions",
    "calibrations",
    "changes",
    "charts",
    "coaching_coverage",
    "coaching_effect",
    "coaching_history",
    "coaching_timeline",
    "control_chart",
    "csat_link",
    "generalizability",
    "grader_agreement",
    "grader_drift",
    "grader_pairs",
    "grader_severity",
    "grades",
    "grading_coverage",
    "grading_effort",
    "open_todos",
    "pass_rate_chart",
    "points_lost",
    "points_lost_by_agent",
    "points_lost_by_team",
    "power",
    "question_agreement",
    "question_scores",
    "regrades",
    "report",
    "rubric_scores",
    "sampling_plan",
    "score_mismatches",
    "score_reconciliation",
    "score_trend",
    "section_scores",
    "team_scores",
    "tickets_to_review",
    "time_to_coach",
    "time_to_coach_curve",
    "todo_completion",
]


def __getattr__(name: str) -> Any:
    if name in ("charts", "report"):
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
