"""Metrics pushed by the client, in batches that are taken or refused as a whole."""

from __future__ import annotations

from typing import Any

from maestro_analytics.sandbox.agents import Directory
from maestro_analytics.sandbox.faults import Faults
from maestro_analytics.sandbox.http import Reply, json_reply
from maestro_analytics.sandbox.received import Inbox, Metric
from maestro_analytics.sandbox.routing import (
    Call,
    Field,
    Refusal,
    Route,
    batch_of,
    moment_text,
)
from maestro_analytics.sandbox.simulation.chance import FILE, draws
from maestro_analytics.sandbox.tickets import Tickets

_AGENT_METRIC = (
    Field("agent_id", required=True),
    Field("metric_id", required=True),
    Field("metric_value", "number", required=True),
    Field("timestamp", "date", required=True),
)
_TICKET_METRIC = (
    Field("ticket_id", required=True),
    Field("source_id", required=True),
    *_AGENT_METRIC,
    Field("ticket_event_id", nullable=True),
    Field("metric_deleted", "boolean"),
)


class Metrics:
    def __init__(self, *, directory: Directory, tickets: Tickets, faults: Faults, inbox: Inbox, seed: int) -> None:
        self._directory = directory
        self._tickets = tickets
        self._faults = faults
        self._inbox = inbox
        self._seed = seed

    def routes(self) -> list[Route]:
        batch = (Field("batch", "anything", required=True),)
        return [
            Route("POST", "/agent-metrics-batch", self._agent_batch, batch, is_metrics_batch=True),
            Route("POST", "/ticket-metrics-batch", self._ticket_batch, batch, is_metrics_batch=True),
        ]

    def _agent_batch(self, call: Call) -> Reply:
        entries = batch_of(call, _AGENT_METRIC, self._inbox, "agent metrics")
        metrics = self._known_only(entries)
        for metric in metrics:
            self._inbox.agent_metrics[metric.agent_id, metric.metric_id] = metric
            self._inbox.agent_metric_series[metric.agent_id, metric.metric_id, metric.timestamp] = metric
        return self._created([{"agent_id": metric.agent_id, "metric_id": metric.metric_id} for metric in metrics])

    def _ticket_batch(self, call: Call) -> Reply:
        entries = batch_of(call, _TICKET_METRIC, self._inbox, "ticket metrics")
        metrics = self._known_only(entries)
        for metric, entry in zip(metrics, entries, strict=True):
            key = (entry["ticket_id"], entry["source_id"], metric.agent_id, metric.metric_id)
            if entry.get("metric_deleted"):
                self._inbox.ticket_metrics.pop(key, None)
            else:
                self._inbox.ticket_metrics[key] = metric
        return self._created([{"ticket_id": entry["ticket_id"], "metric_id": entry["metric_id"]} for entry in entries])

    def _known_only(self, entries: list[dict[str, Any]]) -> list[Metric]:
        forgotten = {person.record_id for person in self._directory.people()[: self._faults.number("unknown-agent")]}
        metrics, problems = [], []
        for position, entry in enumerate(entries):
            person = self._directory.find(entry["agent_id"])
            if person is None or person.record_id in forgotten:
                problems.append(f"batch[{position}].agent_id {entry['agent_id']!r} is not an agent's id or email")
                continue
            ticket_id, source_id = entry.get("ticket_id"), entry.get("source_id")
            if ticket_id is not None and not self._tickets.has(str(source_id), ticket_id):
                problems.append(f"batch[{position}].ticket_id {ticket_id!r} is not a ticket of source_id {source_id!r}")
                continue
            metrics.append(
                Metric(
                    agent_id=entry["agent_id"],
                    metric_id=entry["metric_id"],
                    metric_value=float(entry["metric_value"]),
                    timestamp=moment_text(entry["timestamp"]).replace(".000Z", "Z"),
                    person=person.record_id,
                    ticket_id=ticket_id,
                    source_id=source_id,
                    ticket_event_id=entry.get("ticket_event_id"),
                )
            )
        if problems:
            raise Refusal(422, "; ".join(problems))
        return metrics

    def _created(self, results: list[dict[str, str]]) -> Reply:
        # Nothing says that results come in the order of the batch, so they do not.
        draws(self._seed, FILE, len(results)).shuffle(results)
        return json_reply(201, {"results": results})
