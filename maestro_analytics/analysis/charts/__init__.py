"""One chart for each answer: give it the frame, get an altair chart to go on editing.

    from maestro_analytics.analysis import agent_ranking, charts

    charts.caterpillar(agent_ranking(qa))

    chart          draws
    caterpillar    agent_ranking
    group_scores   team_scores, rubric_scores
    trend          score_trend
    control        control_chart, pass_rate_chart, grader_drift
    pareto         points_lost
    heat_map       points_lost_by_team
    agreement      question_agreement
    severity       grader_severity
    disagreement   grader_pairs
    effects        coaching_effect
    event_study    coaching_timeline
    waiting        time_to_coach_curve
    movers         changes
    coverage       grading_coverage
    sources        generalizability
    dependability  generalizability(of="designs")
    calibration    calibration_sessions
    pilot          power
    precision      sampling_plan
    csat           csat_link

`follow_theme()` shows the charts of a notebook in the colours of JupyterLab's theme, light or dark.

`width` is the width of the whole picture in pixels. An empty frame gives a chart that says why it is empty.
"""

from maestro_analytics.analysis.charts import light_import  # noqa: F401  # before altair
from maestro_analytics.analysis.charts.coaching import effects, event_study, waiting
from maestro_analytics.analysis.charts.graders import disagreement, severity
from maestro_analytics.analysis.charts.grading import (
    calibration,
    coverage,
    csat,
    dependability,
    pilot,
    precision,
    sources,
)
from maestro_analytics.analysis.charts.questions import agreement, heat_map, pareto
from maestro_analytics.analysis.charts.scores import caterpillar, control, group_scores, movers, trend
from maestro_analytics.analysis.charts.theme import follow_theme

__all__ = [
    "agreement",
    "calibration",
    "caterpillar",
    "control",
    "coverage",
    "csat",
    "dependability",
    "disagreement",
    "effects",
    "event_study",
    "follow_theme",
    "group_scores",
    "heat_map",
    "movers",
    "pareto",
    "pilot",
    "precision",
    "severity",
    "sources",
    "trend",
    "waiting",
]
