"""What the vendor refuses: entries of earlier pushes, which are sent last and together, and where to look in a batch.

The bad entries of a batch that was refused as a whole are found by halving it, for about twenty requests each. What the
vendor says, and what was refused before, often tells where to look first; neither is relied on: an entry is rejected
when it was refused alone, or when it is like entries (of the same agent, ticket or metric) of which a spread of samples
was refused alone and not one was ever taken.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
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


SAMPLES = {"agent": 10, "ticket": 10, "metric": 40}
"""How many are tried alone before all others of an agent, ticket or metric that the vendor may not know are given up: a
metric that it does not know would cost a thousand requests for each batch."""

Trait = tuple[str, str]


def traits(entry: Entry) -> Iterator[Trait]:
    """What an entry may be refused for, besides its own value and moment."""
    yield "agent", entry.agent_id
    if entry.ticket_id:
        yield "ticket", f"{entry.source_id} {entry.ticket_id}"
    yield "metric", entry.metric_id


class Suspicion:
    """What one push has learned of whom the vendor takes metrics from."""

    def __init__(self) -> None:
        self._taken: set[Trait] = set()
        self._refused: set[Trait] = set()
        self._given_up: set[Trait] = set()
        self._believes_words = True

    def taken(self, entry: Entry) -> None:
        self._taken.update(traits(entry))

    def refused_alone(self, entry: Entry) -> None:
        self._refused.update(traits(entry))

    def words_misled(self) -> None:
        """The entries that the vendor's words named were all taken."""
        self._believes_words = False

    def give_up(self, trait: Trait) -> None:
        self._given_up.add(trait)

    def is_given_up(self, batch: Sequence[Entry]) -> bool:
        """Whether every entry of a refused batch has a trait that was given up, and is taken from nobody."""
        return all(any(trait in self._given_up - self._taken for trait in traits(entry)) for entry in batch)

    def suspects(self, batch: Sequence[Entry], words: str) -> list[Entry]:
        """The entries to look at first; none where that would be no one or everyone.

        All entries of an agent or ticket go together, so that no slot is divided.
        """
        named = set(re.split(r"[\s\"'`,;()\[\]{}=]+", words)) if self._believes_words else set()
        named |= {word.strip(".:!?") for word in named}
        refused = {trait for trait in self._refused - self._taken if trait[0] != "metric"}
        found = [
            entry
            for entry in batch
            if entry.agent_id in named
            or (entry.ticket_id and entry.ticket_id in named)
            or any(trait in refused for trait in traits(entry))
        ]
        return found if len(found) < len(batch) else []

    def common_trait(self, batch: Sequence[Entry]) -> Trait | None:
        """What all entries of a batch share, if nothing that shares it was ever taken."""
        shared = set(traits(batch[0])).intersection(*(traits(entry) for entry in batch[1:])) - self._taken
        return min(shared, default=None)


def spread(batch: Sequence[Entry], trait: Trait) -> list[Entry]:
    """The samples of a trait: entries evenly spread over the batch, the first and the last among them."""
    count = min(SAMPLES[trait[0]], len(batch))
    return [batch[position * (len(batch) - 1) // (count - 1)] for position in range(count)] if count > 1 else [*batch]
