"""Questions answered as polars frames, with what can be concluded from them.

    import maestro_analytics as ma
    from maestro_analytics import analysis

    qa = ma.open()
    analysis.agent_ranking(qa, team="Billing", since="2026-01-01")

Every answer takes the same keyword arguments to narrow it down (`Filters`) and returns an `Answer`: a polars frame that
also says its question, period, time axis and caveat (`answer.about`). Every aggregate has n, n_na, an interval, method,
reliable and reason. Charts of the same answers are in `maestro_analytics.analysis.charts`.

Names are imported when first used: scipy and altair cost a second.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from maestro_analytics.analysis import charts as charts
    from maestro_analytics.analysis import report as report
    from maestro_analytics.analysis.agreement import grader_agreement as grader_agreement
    from maestro_analytics.analysis.agreement import grader_pairs as grader_pairs
    from maestro_analytics.analysis.agreement import question_agreement as question_agreement
    from maestro_analytics.analysis.answer import Answer as Answer
    from maestro_analytics.analysis.benchmark import alignments as alignments
    from maestro_analytics.analysis.benchmark import benchmark_bias as benchmark_bias
    from maestro_analytics.analysis.benchmark import calibrations as calibrations
    from maestro_analytics.analysis.coaching_effect import coaching_effect as coaching_effect
    from maestro_analytics.analysis.coaching_effect import coaching_timeline as coaching_timeline
    from maestro_analytics.analysis.coaching_follow_up import coaching_coverage as coaching_coverage
    from maestro_analytics.analysis.coaching_follow_up import time_to_coach as time_to_coach
    from maestro_analytics.analysis.coaching_follow_up import time_to_coach_curve as time_to_coach_curve
    from maestro_analytics.analysis.coaching_follow_up import todo_completion as todo_completion
    from maestro_analytics.analysis.csat import csat_link as csat_link
    from maestro_analytics.analysis.drift import grader_drift as grader_drift
    from maestro_analytics.analysis.filters import Filters as Filters
    from maestro_analytics.analysis.points_lost import points_lost as points_lost
    from maestro_analytics.analysis.points_lost import points_lost_by_team as points_lost_by_team
    from maestro_analytics.analysis.ranking import agent_ranking as agent_ranking
    from maestro_analytics.analysis.regrades import regrades as regrades
    from maestro_analytics.analysis.regrades import score_mismatches as score_mismatches
    from maestro_analytics.analysis.regrades import score_reconciliation as score_reconciliation
    from maestro_analytics.analysis.sampling import sampling_plan as sampling_plan
    from maestro_analytics.analysis.scores import agent_scores as agent_scores
    from maestro_analytics.analysis.scores import grades as grades
    from maestro_analytics.analysis.scores import question_scores as question_scores
    from maestro_analytics.analysis.scores import rubric_scores as rubric_scores
    from maestro_analytics.analysis.scores import section_scores as section_scores
    from maestro_analytics.analysis.scores import team_scores as team_scores
    from maestro_analytics.analysis.severity import grader_severity as grader_severity
    from maestro_analytics.analysis.severity import grading_effort as grading_effort
    from maestro_analytics.analysis.trends import control_chart as control_chart
    from maestro_analytics.analysis.trends import pass_rate_chart as pass_rate_chart
    from maestro_analytics.analysis.trends import score_trend as score_trend

_HOMES = {
    "agreement": ("grader_agreement", "grader_pairs", "question_agreement"),
    "answer": ("Answer",),
    "benchmark": ("alignments", "benchmark_bias", "calibrations"),
    "coaching_effect": ("coaching_effect", "coaching_timeline"),
    "drift": ("grader_drift",),
    "filters": ("Filters",),
    "coaching_follow_up": ("coaching_coverage", "time_to_coach", "time_to_coach_curve", "todo_completion"),
    "regrades": ("regrades", "score_mismatches", "score_reconciliation"),
    "severity": ("grader_severity", "grading_effort"),
    "points_lost": ("points_lost", "points_lost_by_team"),
    "ranking": ("agent_ranking",),
    "sampling": ("sampling_plan",),
    "csat": ("csat_link",),
    "scores": ("agent_scores", "grades", "question_scores", "rubric_scores", "section_scores", "team_scores"),
    "trends": ("control_chart", "pass_rate_chart", "score_trend"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}
_ROOMS = ("charts", "report", "statistics")

__all__ = [
    "Answer",
    "Filters",
    "agent_ranking",
    "agent_scores",
    "alignments",
    "benchmark_bias",
    "calibrations",
    "charts",
    "coaching_coverage",
    "coaching_effect",
    "coaching_timeline",
    "control_chart",
    "csat_link",
    "grader_agreement",
    "grader_drift",
    "grader_pairs",
    "grader_severity",
    "grades",
    "grading_effort",
    "pass_rate_chart",
    "points_lost",
    "points_lost_by_team",
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
    "time_to_coach",
    "time_to_coach_curve",
    "todo_completion",
]


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return import_module(f"{__name__}.{name}")
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME_OF[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
