"""Computed metrics back to the vendor: what changed, in batches, with a ledger of what the vendor acknowledged.

Names are imported when first used: the command line's help wants only the catalogue.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from maestro_analytics.pushback.catalogue import METRICS as METRICS
    from maestro_analytics.pushback.computing import Span as Span
    from maestro_analytics.pushback.published import copy_into as copy_into
    from maestro_analytics.pushback.push import push_agent_metrics as push_agent_metrics
    from maestro_analytics.pushback.push import push_computed as push_computed
    from maestro_analytics.pushback.push import push_file as push_file
    from maestro_analytics.pushback.push import push_ticket_metrics as push_ticket_metrics
    from maestro_analytics.pushback.report import PushReport as PushReport

_HOMES = {
    "METRICS": "catalogue",
    "PushReport": "report",
    "Span": "computing",
    "copy_into": "published",
    "push_agent_metrics": "push",
    "push_computed": "push",
    "push_file": "push",
    "push_ticket_metrics": "push",
}

__all__ = [
    "METRICS",
    "PushReport",
    "Span",
    "copy_into",
    "push_agent_metrics",
    "push_computed",
    "push_file",
    "push_ticket_metrics",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
