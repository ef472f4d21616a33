"""The report: the answers a team lead needs, on a terminal, as files, or as one page.

    from maestro_analytics.analysis import report

    sections = report.sections(qa, "agents", since="2026-01-01")
    Path("report.html").write_text(report.page(sections), encoding="utf-8")

`maestro-analytics report` is this on the command line.
"""

from maestro_analytics.analysis.report.model import Block, Section
from maestro_analytics.analysis.report.page import page
from maestro_analytics.analysis.report.scorecard_page import scorecard_json, scorecard_page
from maestro_analytics.analysis.report.scorecards import Scorecard, Scorecards, person_called, scorecards
from maestro_analytics.analysis.report.sections import KINDS, as_csv, as_json, csv_folder, in_turn, sections
from maestro_analytics.analysis.report.site import write_site
from maestro_analytics.analysis.report.terminal import show, show_scorecard

__all__ = [
    "KINDS",
    "Block",
    "Scorecard",
    "Scorecards",
    "Section",
    "as_csv",
    "as_json",
    "csv_folder",
    "in_turn",
    "page",
    "person_called",
    "scorecard_json",
    "scorecard_page",
    "scorecards",
    "sections",
    "show",
    "show_scorecard",
    "write_site",
]
