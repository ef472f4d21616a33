"""What the sandbox received, for tests: requests, the metrics as the vendor has them, violations."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True)
class Received:
    """A request and how it was answered.

    Attributes:
        moment: the sandbox's clock; seconds: the timer, for distances between requests.
        origin: "api" or "store".
        status: the answer's; None when the connection was reset instead.
        carried_out: whether the request had its effect, whatever became of the answer.
    """

    moment: datetime
    seconds: float
    origin: str
    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    status: int | None
    carried_out: bool


@dataclass(frozen=True)
class Metric:
    """A metric as it was last sent. `person` is the agent's record, whichever id or e-mail address named it."""

    agent_id: str
    metric_id: str
    metric_value: float
    timestamp: str
    person: str
    ticket_id: str | None = None
    source_id: str | None = None
    ticket_event_id: str | None = None


@dataclass
class Inbox:
    """Everything received.

    Attributes:
        requests: in order of arrival.
        agent_metrics: (agent_id, metric_id) -> the metric that came last: one value for an agent and metric.
        agent_metric_series: (agent_id, metric_id, timestamp) -> metric: the reading that keeps a value for each moment.
        ticket_metrics: (ticket_id, source_id, agent_id, metric_id) -> metric; deleted ones are gone.
        uploads: attachment id -> bytes that were put to its presigned URL.
        violations: what a well-behaved client never does, in words.
    """

    requests: list[Received] = field(default_factory=list)
    agent_metrics: dict[tuple[str, str], Metric] = field(default_factory=dict)
    agent_metric_series: dict[tuple[str, str, str], Metric] = field(default_factory=dict)
    ticket_metrics: dict[tuple[str, str, str, str], Metric] = field(default_factory=dict)
    uploads: dict[str, bytes] = field(default_factory=dict)
    violations: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def note(self, request: Received) -> None:
        with self._lock:
            self.requests.append(request)

    def note_violation(self, words: str) -> None:
        with self._lock:
            self.violations.append(words)

    def api(self, method: str | None = None, path: str | None = None) -> list[Received]:
        """The requests to the API, of one method and path (below /api/v1) when given."""
        return [
            request
            for request in list(self.requests)
            if request.origin == "api" and method in (None, request.method) and path in (None, request.path)
        ]
