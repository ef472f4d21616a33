"""Send computed metrics to the vendor: only changes, in batches, with a ledger of what it acknowledged.

Names are imported when first used: the command line's help wants only the catalogue.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from maestro_analytics.push.compute import Span as Span
    from maestro_analytics.push.ledger import publish as publish
    from maestro_analytics.push.metrics import METRICS as METRICS
    from maestro_analytics.push.push import PushReport as PushReport
    from maestro_analytics.push.push import push_agent_metrics as push_agent_metrics
    from maestro_analytics.push.push import push_computed as push_computed
    from maestro_analytics.push.push import push_file as push_file
    from maestro_analytics.push.push import push_ticket_metrics as push_ticket_metrics

_HOMES = {
    "METRICS": "metrics",
    "PushReport": "push",
    "Span": "compute",
    "publish": "ledger",
    "push_agent_metrics": "push",
    "push_computed": "push",
    "push_file": "push",
    "push_ticket_metrics": "push",
}

__all__ = [
    "METRICS",
    "PushReport",
    "Span",
    "publish",
    "push_agent_metrics",
    "push_computed",
    "push_file",
    "push_ticket_metrics",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
