"""Request exports, wait until they are made, and keep their files."""

from maestro_analytics.exports.ledger import ExportRecord, FileLedger, Ledger
from maestro_analytics.exports.lifecycle import PollPace
from maestro_analytics.exports.progress import Event, MissedWindow, OnEvent
from maestro_analytics.exports.scheduler import ExportPlan, plan_windows, run_exports
from maestro_analytics.exports.windows import Period, Window, joined, period_of, without

__all__ = [
    "Event",
    "ExportPlan",
    "ExportRecord",
    "FileLedger",
    "Ledger",
    "MissedWindow",
    "OnEvent",
    "Period",
    "PollPace",
    "Window",
    "joined",
    "period_of",
    "plan_windows",
    "run_exports",
    "without",
]
