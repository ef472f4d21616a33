"""One entry of a metrics batch: its identity, its payload, and the API's names for both.

The reference calls an agent metric "defined by combination of the metric id and agent id", yet takes a
`timestamp`; whether the vendor keeps one value for each pair or a series is not said, and we work under both
readings. So an entry has two names:

    key    everything that may tell two values apart: agent, ticket, source, metric, timestamp, ticket event
    slot   what the reference says defines a metric: agent, ticket, source, metric

The ledger remembers by key. Within a slot entries go in order of time, so that the newest stands where the
vendor keeps one value for a slot.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import polars as pl

from maestro_analytics.tables.columns import UTC_MOMENT

BATCH_SIZE = 500
"""The reference's "maximum of 500 metrics per batch"."""


class Kind(StrEnum):
    """What the metrics are attached to, and so which endpoint takes them."""

    AGENT = "agent"
    TICKET = "ticket"


SLOT = ("agent_id", "ticket_id", "source_id", "metric_id")
KEY = (*SLOT, "timestamp", "ticket_event_id")
IN_ORDER = ("timestamp", *SLOT, "ticket_event_id")
"""How entries are sent: in order of time."""

ENTRY_SCHEMA: dict[str, Any] = {
    "agent_id": pl.String,
    "ticket_id": pl.String,
    "source_id": pl.String,
    "metric_id": pl.String,
    "timestamp": UTC_MOMENT,
    "ticket_event_id": pl.String,
    "metric_value": pl.Float64,
    "metric_deleted": pl.Boolean,
}
"""A frame of entries: one row per key. Parts that an entry does not have are the empty text, so that keys can be
joined; `metric_deleted` is null where it is not sent."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One value of one metric; see the top of this module for `slot` and `key`."""

    agent_id: str
    ticket_id: str
    source_id: str
    metric_id: str
    timestamp: datetime
    ticket_event_id: str
    metric_value: float
    metric_deleted: bool | None

    @property
    def slot(self) -> tuple[str, ...]:
        return (self.agent_id, self.ticket_id, self.source_id, self.metric_id)

    @property
    def key(self) -> tuple[str | int, ...]:
        """The identity as the ledger stores it: `timestamp` in whole seconds since 1970."""
        return (*self.slot, int(self.timestamp.timestamp()), self.ticket_event_id)

    @property
    def payload_hash(self) -> str:
        return payload_hash(self.metric_value, self.metric_deleted, self.ticket_event_id)

    def body(self) -> dict[str, Any]:
        """The entry as the API takes it; an optional field that has no value is left out."""
        fields = {
            "ticket_id": self.ticket_id,
            "source_id": self.source_id,
            "agent_id": self.agent_id,
            "metric_id": self.metric_id,
            "metric_value": self.metric_value,
            "timestamp": api_moment(self.timestamp),
            "ticket_event_id": self.ticket_event_id,
            "metric_deleted": self.metric_deleted,
        }
        return {name: value for name, value in fields.items() if value is not None and value != ""}

    def facts(self, reason: str) -> dict[str, str | None]:
        """The entry in a report's list of what was rejected or is unknown."""
        return {name: self.body().get(name) for name in FACTS} | {"reason": reason}


FACTS = ("agent_id", "metric_id", "timestamp", "ticket_id", "source_id")


def payload_hash(metric_value: float, metric_deleted: bool | None, ticket_event_id: str) -> str:
    """A digest of what an entry says beyond its identity; the same for "not deleted" said and unsaid."""
    told = json.dumps([float(metric_value), bool(metric_deleted), ticket_event_id])
    return hashlib.sha256(told.encode()).hexdigest()[:32]


def api_moment(moment: datetime) -> str:
    """`2017-12-13T05:00:00Z`, the form that the reference asks for."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def entries_of(frame: pl.DataFrame) -> list[Entry]:
    """The rows of a frame of entries, in order of time (then of their other names)."""
    return [Entry(*row) for row in frame.select(*ENTRY_SCHEMA).sort(IN_ORDER).iter_rows()]


def with_payload_hash(frame: pl.DataFrame) -> pl.DataFrame:
    """A frame of entries with its column `payload_hash`."""
    payloads = frame.select("metric_value", "metric_deleted", "ticket_event_id").iter_rows()
    return frame.with_columns(payload_hash=pl.Series([payload_hash(*payload) for payload in payloads], dtype=pl.String))
