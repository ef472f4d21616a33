"""What the report holds: declared once, for terminal, files and page alike."""

from __future__ import annotations

from maestro_analytics.analysis.report.contents.agents import AGENTS
from maestro_analytics.analysis.report.contents.changes import CHANGES
from maestro_analytics.analysis.report.contents.coaching import COACHING
from maestro_analytics.analysis.report.contents.graders import GRADERS
from maestro_analytics.analysis.report.contents.grading import GRADING
from maestro_analytics.analysis.report.contents.overview import OVERVIEW
from maestro_analytics.analysis.report.contents.questions import QUESTIONS
from maestro_analytics.analysis.report.model import Piece

CONTENTS: dict[str, tuple[str, tuple[Piece, ...]]] = {
    "overview": ("Overview", OVERVIEW),
    "changes": ("What changed", CHANGES),
    "agents": ("Agents and teams", AGENTS),
    "graders": ("Graders", GRADERS),
    "questions": ("Questions", QUESTIONS),
    "coaching": ("Coaching", COACHING),
    "grading": ("Is enough graded?", GRADING),
}
"""Section -> its title and what it holds."""
