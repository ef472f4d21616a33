"""One export's life: windows, ledger, request -> poll -> download, and the kept files."""

from maestro_analytics.exports.events import Event, MissedWindow, OnEvent
from maestro_analytics.exports.ledger import ExportRecord, FileLedger, Ledger
from maestro_analytics.exports.lifecycle import PollPace
from maestro_analytics.exports.planning import ExportPlan, plan_windows
from maestro_analytics.exports.scheduler import run_exports
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
