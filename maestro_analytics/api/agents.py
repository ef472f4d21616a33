"""Create agents, give them ids, mark them available, and send batches of metrics."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from maestro_analytics.api import endpoints
from maestro_analytics.api.endpoints import Endpoint
from maestro_analytics.api.models import Agent
from maestro_analytics.api.tickets import LARGEST_BATCH
from maestro_analytics.api.transport import Transport
from maestro_analytics.arguments import email_address, flag, optional_text, required_text
from maestro_analytics.errors import InvalidArgument

ERROR_LISTS = ("errors", "failed", "failures", "rejected", "invalid")
"""Names under which a reply may list what it did not take, beside its results. The reference has none of them."""


class Agents:
    """The endpoints for agents."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def create_agent(
        self,
        *,
        name: str,
        email: str,
        available: bool,
        agent_id: str | None = None,
        agent_group_id: str | None = None,
    ) -> Agent:
        """Create an agent.

        Args:
            email: must not be in use by another agent.
            agent_id: unique; the vendor makes one when None.
            agent_group_id: the group that the agent joins.

        Raises:
            RequestRefused: status 409 when the address or the id is in use; the message says which.
            OutcomeUnknown: the reply was lost.

        Source: "Create an Agent".
        """
        answer = self._transport.send(
            endpoints.CREATE_AGENT,
            {
                "name": required_text(name, name="name"),
                "email": email_address(email),
                "available": flag(available, name="available"),
                "agentId": optional_text(agent_id, name="agent_id"),
                "agentGroupId": optional_text(agent_group_id, name="agent_group_id"),
            },
        )
        return Agent.from_json(answer)

    def add_agent_id(self, *, email: str, agent_id: str) -> Agent:
        """Give an agent one more id, for one more helpdesk. Source: "Update an Agent (add agent id to agent)".

        Raises:
            RequestRefused: status 409 when another agent has the id, 404 when nobody has the address.
        """
        answer = self._transport.send(
            endpoints.ADD_ID_TO_AGENT,
            {"email": email_address(email), "agentId": required_text(agent_id, name="agent_id")},
        )
        return Agent.from_json(answer)

    def set_agent_availability(self, *, email: str, available: bool) -> Agent:
        """Mark an agent available, or not. Source: "Update an Agent (update agent availability)"."""
        answer = self._transport.send(
            endpoints.UPDATE_AGENT_AVAILABILITY,
            {"email": email_address(email), "available": flag(available, name="available")},
        )
        return Agent.from_json(answer)


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
