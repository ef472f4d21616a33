"""The vendor's API as a sandbox: real HTTP, no account needed, and the truth is known.

It is built from the vendor's reference alone and imports nothing of the rest of the package, so that a misreading
on one side is not hidden by the same misreading on the other.
"""

from maestro_analytics.sandbox.faults import FAULTS, UnknownFault
from maestro_analytics.sandbox.received import Inbox, Metric, Received
from maestro_analytics.sandbox.sandbox import Account, Sandbox
from maestro_analytics.sandbox.simulation.habits import HABITS, UnknownHabit
from maestro_analytics.sandbox.truth import AgentTruth, GraderTruth, Truth

__all__ = [
    "FAULTS",
    "HABITS",
    "Account",
    "AgentTruth",
    "GraderTruth",
    "Inbox",
    "Metric",
    "Received",
    "Sandbox",
    "Truth",
    "UnknownFault",
    "UnknownHabit",
]
