"""Every endpoint of the vendor's reference, declared once.

`reference` is the heading in the vendor's reference (maestroqa-api-reference) under which an endpoint is described.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from urllib.parse import quote

from maestro_analytics.errors import InvalidArgument
from maestro_analytics.kinds import EXPORT_KINDS


class Repeat(Enum):
    """When a request whose answer was not a good one may be sent again."""

    FREELY = "twice does what once does, or only costs"
    WHEN_ANSWERED = "after a 5xx, not after a lost reply: the caller decides about those"
    WHEN_NOT_ARRIVED = "only when it certainly did not arrive: twice makes two"


@dataclass(frozen=True)
class Endpoint:
    """One endpoint.

    Attributes:
        does: what it does, for messages.
        method: the HTTP method.
        path: below the base URL; `{name}` is filled from path parameters.
        parameters: where parameters travel, "query", "body" or "none".
        repeat: when it may be sent again.
        replies: whether a good answer must be JSON.
        reference: heading in the vendor's reference.
    """

    does: str
    method: str
    path: str
    parameters: str
    repeat: Repeat
    reference: str
    replies: bool = True

    def filled(self, **path_parameters: str) -> str:
        """The path with its parameters.

        Raises:
            InvalidArgument: an identifier that is empty, or that a URL would swallow (`.`, `..`).
        """
        for name, value in path_parameters.items():
            if not isinstance(value, str) or value.strip() in ("", ".", ".."):
                raise InvalidArgument(f"{self.does}: {name} must be a text that names one, not {value!r}")
        return self.path.format(**{name: quote(value, safe="") for name, value in path_parameters.items()})


REQUEST_EXPORT = {
    kind.name: Endpoint(
        f"ask for a {kind.name} export", "POST", kind.request_path, "body", Repeat.FREELY, kind.reference
    )
    for kind in EXPORT_KINDS.values()
}
"""Kind of export -> the endpoint that asks for it."""

GET_EXPORT_DATA = Endpoint(
    "look at an export", "GET", "/get-export-data", "body", Repeat.FREELY, "Retrieve the results of an export"
)
GET_EXPORT_DATA_BY_QUERY = Endpoint(
    "look at an export", "GET", "/get-export-data", "query", Repeat.FREELY,
    "Retrieve the results of an export, where a proxy drops the body of a GET",
)  # fmt: skip
EXPORT_DATA_BY_ID = Endpoint(
    "look at an export", "GET", "/export-data/{export_id}", "none", Repeat.FREELY,
    "newer documentation, in place of get-export-data",
)  # fmt: skip

CREATE_TICKET = Endpoint(
    "create a ticket", "POST", "/tickets", "body", Repeat.WHEN_NOT_ARRIVED, "Create a Ticket"
)  # fmt: skip
UPDATE_TICKET = Endpoint("update a ticket", "PATCH", "/tickets/{ticket_id}", "body", Repeat.FREELY, "Update a Ticket")
DELETE_TICKET = Endpoint(
    "delete a ticket", "DELETE", "/tickets/{ticket_id}", "none", Repeat.FREELY, "Delete a Ticket", replies=False
)
GET_TICKET = Endpoint("get a ticket", "GET", "/tickets/{ticket_id}", "none", Repeat.FREELY, "Get a Ticket")
GET_TICKETS = Endpoint("get tickets", "GET", "/tickets", "query", Repeat.FREELY, "Get Many Tickets")
CREATE_COMMENT = Endpoint(
    "create a comment", "POST", "/comments", "body", Repeat.WHEN_NOT_ARRIVED, "Create a Ticket Comment"
)
CREATE_COMMENTS = Endpoint(
    "create comments", "POST", "/comments-batch", "body", Repeat.WHEN_NOT_ARRIVED, "Create Many Ticket Comments"
)
CREATE_ATTACHMENT = Endpoint(
    "create an attachment", "POST", "/attachments", "body", Repeat.WHEN_NOT_ARRIVED, "Create an Attachment"
)

CREATE_AGENT = Endpoint("create an agent", "POST", "/agents", "body", Repeat.WHEN_NOT_ARRIVED, "Create an Agent")
ADD_ID_TO_AGENT = Endpoint(
    "add an id to an agent", "POST", "/agents/add-id-to-agent", "body", Repeat.WHEN_NOT_ARRIVED,
    "Update an Agent (add agent id to agent)", replies=False,
)  # fmt: skip
UPDATE_AGENT_AVAILABILITY = Endpoint(
    "update an agent's availability", "POST", "/update-agent-availability", "body", Repeat.FREELY,
    "Update an Agent (update agent availability)", replies=False,
)  # fmt: skip

GET_TODO = Endpoint("get a to-do", "GET", "/todos/{id}", "none", Repeat.FREELY, "Retrieve a Single To-do")
GET_TODOS = Endpoint("list to-dos", "GET", "/todos", "query", Repeat.FREELY, "Retrieve Many To-dos")
GET_COACHING_POINT = Endpoint(
    "get a coaching point", "GET", "/coaching-points/{id}", "none", Repeat.FREELY, "Retrieve a Single Coaching Point"
)
GET_COACHING_POINTS = Endpoint(
    "list coaching points", "GET", "/coaching-points", "query", Repeat.FREELY, "Retrieve Many Coaching Points"
)
GET_COACHING_SESSION = Endpoint(
    "get a coaching session", "GET", "/coaching-sessions/{id}", "none", Repeat.FREELY,
    "Retrieve a Single Coaching Session",
)  # fmt: skip
GET_COACHING_SESSIONS = Endpoint(
    "list coaching sessions", "GET", "/coaching-sessions", "query", Repeat.FREELY, "Retrieve Many Coaching Sessions"
)

CREATE_TICKET_METRICS = Endpoint(
    "create ticket metrics", "POST", "/ticket-metrics-batch", "body", Repeat.WHEN_ANSWERED, "Create Ticket Metrics"
)
CREATE_AGENT_METRICS = Endpoint(
    "create agent metrics", "POST", "/agent-metrics-batch", "body", Repeat.WHEN_ANSWERED, "Create Agent Metrics"
)

ENDPOINTS = (
    *REQUEST_EXPORT.values(),
    *(value for value in list(globals().values()) if isinstance(value, Endpoint)),
)
