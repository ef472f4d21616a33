"""What the vendor refused in earlier pushes and has not taken since: the next push sends it last, and together."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Self

import polars as pl

from maestro_analytics.push.entries import ENTRY_SCHEMA, Entry


@dataclass(frozen=True)
class Refused:
    """One refusal: the vendor's words, and when the entry was last sent on its own."""

    reason: str
    at: datetime
    payload_hash: str | None = None


@dataclass(frozen=True)
class Refusals:
    """The refusals that a ledger knows.

    Attributes:
        by_key: key -> refusal, of entries that were refused when they were last sent.
        by_slot: slot -> its last refusal, for agents of whom the vendor never took anything.
        agents: those agents.
    """

    by_key: dict[object, Refused] = field(default_factory=dict)
    by_slot: dict[object, Refused] = field(default_factory=dict)
    agents: frozenset[str] = frozenset()

    @classmethod
    def in_ledger(cls, rows: pl.DataFrame) -> Self:
        """The refusals among the ledger's rows of one kind. One that was never sent was refused here."""
        refused = rows.filter((pl.col("status") == "rejected") & pl.col("sent_at").is_not_null()).sort("sent_at")
        taken = set(rows.filter(pl.col("acknowledged_at").is_not_null())["agent_id"])
        by_key: dict[object, Refused] = {}
        by_slot: dict[object, Refused] = {}
        names = (*ENTRY_SCHEMA, "reason", "sent_at", "payload_hash")
        for *values, reason, sent_at, payload_hash in refused.select(names).iter_rows():
            entry, refusal = Entry(*values), Refused(reason or "", sent_at, payload_hash)
            by_key[entry.key] = refusal
            if entry.agent_id not in taken:
                by_slot[entry.slot] = refusal
        return cls(by_key, by_slot, frozenset(set(refused["agent_id"]) - taken))

    def of(self, entry: Entry) -> Refused | None:
        """The refusal that an entry would most likely meet again: its own, or that of its agent's same metric."""
        own = self.by_key.get(entry.key)
        return own if own is not None and own.payload_hash == entry.payload_hash else self.by_slot.get(entry.slot)

    def split(self, entries: Iterable[Entry]) -> tuple[list[Entry], list[Entry], list[tuple[Entry, Refused]]]:
        """The entries that nothing speaks against, those of agents of whom the vendor took nothing, and the refused."""
        clear: list[Entry] = []
        doubted: list[Entry] = []
        refused: list[tuple[Entry, Refused]] = []
        for entry in entries:
            if (refusal := self.of(entry)) is not None:
                refused.append((entry, refusal))
            else:
                (doubted if entry.agent_id in self.agents else clear).append(entry)
        return clear, doubted, refused
