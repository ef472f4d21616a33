"""Send batches of agent and ticket metrics."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from maestro_analytics.api.endpoints import Endpoint
from maestro_analytics.api.tickets import LARGEST_BATCH
from maestro_analytics.api.transport import Transport
from maestro_analytics.errors import InvalidArgument


def send_batch(transport: Transport, endpoint: Endpoint, entries: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Send one batch (at most 500) of metrics, with the API's field names; returns the vendor's results.

    Args:
        endpoint: `CREATE_AGENT_METRICS` or `CREATE_TICKET_METRICS`.

    Raises:
        RequestRefused: 400 or 422: at least one entry is not accepted; nothing of the batch counts as sent.
        OutcomeUnknown: the reply was lost.
        TryAgain, Unreachable, TokenRefused.
    """
    if not 0 < len(entries) <= LARGEST_BATCH:
        raise InvalidArgument(f"{endpoint.does}: a batch has 1 to {LARGEST_BATCH} entries, not {len(entries)}")
    answer = transport.send(endpoint, {"batch": list(entries)})
    results = answer.get("results") if isinstance(answer, dict) else None
    return [result for result in results or [] if isinstance(result, dict)]
