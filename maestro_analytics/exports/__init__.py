"""One export's life: windows, ledger, request -> poll -> download, and the kept files."""

from maestro_analytics.exports.events import Event, MissedWindow, OnEvent
from maestro_analytics.exports.ledger import ExportRecord, FileLedger, Ledger
from maestro_analytics.exports.lifecycle import PollPace
from maestro_analytics.exports.planning import ExportPlan, plan_windows
from maestro_analytics.exports.scheduler import run_exports
from maestro_analytics.exports.windows import Window, joined, without

__all__ = [
    "Event",
    "ExportPlan",
    "ExportRecord",
    "FileLedger",
    "Ledger",
    "MissedWindow",
    "OnEvent",
    "PollPace",
    "Window",
    "joined",
    "plan_windows",
    "run_exports",
    "without",
]
