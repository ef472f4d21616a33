"""Create agents, give them ids and mark them available."""

from __future__ import annotations

from maestro_analytics.api import endpoints
from maestro_analytics.api.models import Agent
from maestro_analytics.api.transport import Transport
from maestro_analytics.api.validation import email_address, flag, optional_text, required_text


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
