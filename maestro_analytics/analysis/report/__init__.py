"""The report: the answers a team lead needs, on a terminal, as files, or as one page.

    from maestro_analytics.analysis import report

    sections = report.sections(qa, "agents", since="2026-01-01")
    Path("report.html").write_text(report.page(sections), encoding="utf-8")

`maestro-analytics report` is this on the command line.
"""

from maestro_analytics.analysis.report.collect import KINDS, in_turn, sections
from maestro_analytics.analysis.report.files import as_csv, as_json, csv_folder
from maestro_analytics.analysis.report.model import Block, Section
from maestro_analytics.analysis.report.page import page
from maestro_analytics.analysis.report.terminal import show

__all__ = ["KINDS", "Block", "Section", "as_csv", "as_json", "csv_folder", "in_turn", "page", "sections", "show"]
