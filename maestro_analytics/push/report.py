"""What one push did, or would do."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from maestro_analytics.errors import MaestroError

SCHEMA_VERSION = 1


@dataclass
class PushReport:
    """What one push did; with `dry_run`, what it would do.

    Attributes:
        kind: `agent` or `ticket`.
        planned: entries that say something new, or whose outcome was not known.
        sent: planned entries that the vendor acknowledged.
        unchanged: entries that the vendor had already acknowledged as they are; not sent.
        repeated: entries sent again behind a change of an older moment, so that the newest stands.
        resent: sendings repeated because a reply was lost. The same entry replaces itself at the vendor.
        requests: with `dry_run`, the requests needed; else the tries made, those after an error too.
        rejected, unknown: `agent_id`, `metric_id`, `timestamp` and `reason` (and the ticket) of each entry that was
            refused, here or by the vendor, and of each whose outcome is still not known: the next push sends it again.
        changes: with `dry_run`, each planned entry with its `metric_value` and the `acknowledged_value` it replaces.
        warnings: sentences about the push as a whole.
        stopped_by: why the push ended before everything was settled; None if it did not.
    """

    kind: str
    dry_run: bool = False
    planned: int = 0
    sent: int = 0
    unchanged: int = 0
    repeated: int = 0
    resent: int = 0
    requests: int = 0
    rejected: list[dict[str, str | None]] = field(default_factory=list)
    unknown: list[dict[str, str | None]] = field(default_factory=list)
    changes: list[dict[str, Any]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    stopped_by: MaestroError | None = None

    @property
    def is_complete(self) -> bool:
        """Whether every entry given stands at the vendor now (or would, for a dry run)."""
        return not (self.rejected or self.unknown or self.stopped_by)

    def as_json(self) -> dict[str, Any]:
        """The object of `push --json`."""
        told: dict[str, Any] = {
            "schema_version": SCHEMA_VERSION,
            "kind": self.kind,
            "dry_run": self.dry_run,
            "planned": self.planned,
            "sent": self.sent,
            "unchanged": self.unchanged,
            "repeated": self.repeated,
            "resent": self.resent,
            "requests": self.requests,
            "rejected": [_without_empty_ticket(facts) for facts in self.rejected],
            "unknown": [_without_empty_ticket(facts) for facts in self.unknown],
            "warnings": self.warnings,
            "stopped_by": None if self.stopped_by is None else f"{type(self.stopped_by).__name__}: {self.stopped_by}",
        }
        return told | ({"changes": self.changes} if self.dry_run else {})

    def lines(self) -> list[str]:
        """The report for people."""
        if self.dry_run:
            heading = (
                f"would send {self.planned} {self.kind} metrics in {_count(self.requests, 'request')}, "
                f"{self.unchanged} unchanged"
            )
        else:
            heading = f"{self.sent} of {self.planned} {self.kind} metrics sent, {self.unchanged} unchanged"
        lines = [heading]
        if self.repeated:
            lines.append(f"{self.repeated} sent again unchanged, behind a change of an older moment")
        if self.resent:
            lines.append(f"{self.resent} sent again after a lost reply; the same entry replaces itself")
        for change in self.changes:
            before = change["acknowledged_value"]
            lines.append(f"  {_name(change)}: {'nothing' if before is None else before} -> {change['metric_value']}")
        for title, entries in (("rejected", self.rejected), ("unknown, sent again next time", self.unknown)):
            lines += [f"{len(entries)} {title}"] if entries else []
            lines += [f"  {_name(entry)}: {entry['reason']}" for entry in entries]
        return lines


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _name(entry: dict[str, Any]) -> str:
    parts = [entry.get(name) for name in ("ticket_id", "agent_id", "metric_id", "timestamp")]
    return " ".join(str(part) for part in parts if part)


def _without_empty_ticket(facts: dict[str, str | None]) -> dict[str, str | None]:
    return {name: value for name, value in facts.items() if value is not None or name not in ("ticket_id", "source_id")}
