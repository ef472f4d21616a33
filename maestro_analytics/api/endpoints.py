"""Every endpoint of the vendor's reference, declared once.

`reference` is the heading in the vendor's reference (maestroqa-api-reference) under which an endpoint is described.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from urllib.parse import quote

from maestro_analytics.errors import InvalidArgument
from maestro_analytics.kinds import EXPORT_KINDS


class Retry(Enum):
    """When a failed request may be sent again."""

    ALWAYS = "idempotent: safe to retry"
    AFTER_RESPONSE = "retry after a 5xx; after a lost reply the caller decides"
    IF_NOT_SENT = "not idempotent: retry only if the request was never sent"


@dataclass(frozen=True)
class Endpoint:
    """One endpoint.

    Attributes:
        does: what the endpoint does, for messages.
        method: the HTTP method.
        path: below the base URL; `{name}` is filled from path parameters.
        parameters: where parameters are sent: "query", "body" or "none".
        retry: when a failed request may be sent again.
        replies: whether a successful answer must be JSON.
        answer: the Python type of that JSON; `object` where the caller checks it.
        reference: heading in the vendor's reference.
    """

    does: str
    method: str
    path: str
    parameters: str
    retry: Retry
    reference: str
    replies: bool = True
    answer: type = object

    def filled(self, **path_parameters: str) -> str:
        """The path with its parameters.

        Raises:
            InvalidArgument: an identifier that is not a valid path segment (empty, `.`, `..`).
        """
        for name, value in path_parameters.items():
            if not isinstance(value, str) or value.strip() in ("", ".", ".."):
                raise InvalidArgument(f"{self.does}: {name} must be an identifier, not {value!r}")
        return self.path.format(**{name: quote(value, safe="") for name, value in path_parameters.items()})


REQUEST_EXPORT = {
    kind.name: Endpoint(
        f"ask for a {kind.name} export", "POST", kind.request_path, "body", Retry.ALWAYS, kind.reference
    )
    for kind in EXPORT_KINDS.values()
}
"""Kind of export -> the endpoint that asks for it."""

GET_EXPORT_DATA = Endpoint(
    "look at an export", "GET", "/get-export-data", "body", Retry.ALWAYS, "Retrieve the results of an export"
)
GET_EXPORT_DATA_BY_QUERY = Endpoint(
    "look at an export",
    "GET",
    "/get-export-data",
    "query",
    Retry.ALWAYS,
    "Retrieve the results of an export, where a proxy drops the body of a GET",
)
EXPORT_DATA_BY_ID = Endpoint(
    "look at an export",
    "GET",
    "/export-data/{export_id}",
    "none",
    Retry.ALWAYS,
    "newer documentation, in place of get-export-data",
)

CREATE_TICKET = Endpoint(
    "create a ticket", "POST", "/tickets", "body", Retry.IF_NOT_SENT, "Create a Ticket", answer=dict
)
UPDATE_TICKET = Endpoint(
    "update a ticket", "PATCH", "/tickets/{ticket_id}", "body", Retry.ALWAYS, "Update a Ticket", answer=dict
)
DELETE_TICKET = Endpoint(
    "delete a ticket", "DELETE", "/tickets/{ticket_id}", "none", Retry.ALWAYS, "Delete a Ticket", replies=False
)
GET_TICKET = Endpoint("get a ticket", "GET", "/tickets/{ticket_id}", "none", Retry.ALWAYS, "Get a Ticket", answer=dict)
GET_TICKETS = Endpoint("get tickets", "GET", "/tickets", "query", Retry.ALWAYS, "Get Many Tickets", answer=list)
CREATE_COMMENT = Endpoint(
    "create a comment", "POST", "/comments", "body", Retry.IF_NOT_SENT, "Create a Ticket Comment", answer=dict
)
CREATE_COMMENTS = Endpoint(
    "create comments", "POST", "/comments-batch", "body", Retry.IF_NOT_SENT, "Create Many Ticket Comments", answer=dict
)
CREATE_ATTACHMENT = Endpoint(
    "create an attachment", "POST", "/attachments", "body", Retry.IF_NOT_SENT, "Create an Attachment", answer=dict
)

CREATE_AGENT = Endpoint("create an agent", "POST", "/agents", "body", Retry.IF_NOT_SENT, "Create an Agent", answer=dict)
ADD_ID_TO_AGENT = Endpoint(
    "add an id to an agent",
    "POST",
    "/agents/add-id-to-agent",
    "body",
    Retry.IF_NOT_SENT,
    "Update an Agent (add agent id to agent)",
    replies=False,
)
UPDATE_AGENT_AVAILABILITY = Endpoint(
    "update an agent's availability",
    "POST",
    "/update-agent-availability",
    "body",
    Retry.ALWAYS,
    "Update an Agent (update agent availability)",
    replies=False,
)

GET_TODO = Endpoint("get a to-do", "GET", "/todos/{id}", "none", Retry.ALWAYS, "Retrieve a Single To-do", answer=dict)
GET_TODOS = Endpoint("list to-dos", "GET", "/todos", "query", Retry.ALWAYS, "Retrieve Many To-dos")
GET_COACHING_POINT = Endpoint(
    "get a coaching point",
    "GET",
    "/coaching-points/{id}",
    "none",
    Retry.ALWAYS,
    "Retrieve a Single Coaching Point",
    answer=dict,
)
GET_COACHING_POINTS = Endpoint(
    "list coaching points", "GET", "/coaching-points", "query", Retry.ALWAYS, "Retrieve Many Coaching Points"
)
GET_COACHING_SESSION = Endpoint(
    "get a coaching session",
    "GET",
    "/coaching-sessions/{id}",
    "none",
    Retry.ALWAYS,
    "Retrieve a Single Coaching Session",
    answer=dict,
)
GET_COACHING_SESSIONS = Endpoint(
    "list coaching sessions", "GET", "/coaching-sessions", "query", Retry.ALWAYS, "Retrieve Many Coaching Sessions"
)

CREATE_TICKET_METRICS = Endpoint(
    "create ticket metrics", "POST", "/ticket-metrics-batch", "body", Retry.AFTER_RESPONSE, "Create Ticket Metrics"
)
CREATE_AGENT_METRICS = Endpoint(
    "create agent metrics", "POST", "/agent-metrics-batch", "body", Retry.AFTER_RESPONSE, "Create Agent Metrics"
)

ENDPOINTS = (
    *REQUEST_EXPORT.values(),
    *(value for value in list(globals().values()) if isinstance(value, Endpoint)),
)
