"""Send batches of agent and ticket metrics."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from maestro_analytics.api.endpoints import Endpoint
from maestro_analytics.api.tickets import LARGEST_BATCH
from maestro_analytics.api.transport import Transport
from maestro_analytics.errors import InvalidArgument

ERROR_LISTS = ("errors", "failed", "failures", "rejected", "invalid")
"""Names under which a reply may list what it did not take, beside its results. The reference has none of them."""


def send_batch(transport: Transport, endpoint: Endpoint, entries: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Send one batch (at most 500) of metrics, with the API's field names; returns the vendor's results.

    Errors that a reply lists beside its results are results with an `error`.

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
    reply = answer if isinstance(answer, dict) else {"results": answer}
    results = reply.get("results")
    found = [result for result in results if isinstance(result, dict)] if isinstance(results, list) else []
    for name in ERROR_LISTS:
        listed = reply.get(name)
        found += [_as_error(each, name) for each in (listed if isinstance(listed, list) else [])]
    if reply.get("error") or reply.get("success") is False:
        found.append(_as_error(reply.get("error") or reply, "not successful"))
    return found


def _as_error(told: Any, otherwise: str) -> dict[str, Any]:
    fields = told if isinstance(told, dict) else {"error": str(told)}
    words = next((fields[name] for name in ("error", "message", "reason") if fields.get(name)), otherwise)
    return fields | {"error": words}
