"""What the vendor says of the entries of a batch: its replies, and its refusals.

A reply is matched by the names in it and never by position. The reference's example results carry `ticket_id` and
`metric_id` only, for agent metrics too, and its payloads misspell `agent_id` and `metric_id`; so a reply is believed as
far as it goes:

    a result with an error                   the entries that it names are rejected, with its words; where it names
                                             none, or they are confirmed too, the entries in doubt are looked through
    every result names entries of ours       entries that no result names are not confirmed: their outcome is unknown
    any other result                         such as one without the subject's name, or with a name that we did not
                                             send (a vendor may answer with other ids): the reply cannot be matched,
                                             and its 2xx stands for the whole batch

The bad entries of a batch that was refused as a whole are found by halving it, for about twenty requests each. What the
vendor says, and what was refused before, often tells where to look first; neither is relied on: an entry is rejected
when it was refused alone, or when it is like entries (of the same agent, ticket or metric) of which a spread of samples
was refused alone and not one was ever taken.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Self

import polars as pl

from maestro_analytics.push.entries import ENTRY_SCHEMA, Entry, Kind

SAMPLES = {"agent": 10, "ticket": 10, "metric": 40}
"""How many are tried alone before all others of an agent, ticket or metric that the vendor may not know are given up: a
metric that it does not know would cost a thousand requests for each batch."""
Trait = tuple[str, str]
MISSPELT = {"aegnt_id": "agent_id", "mtric_id": "metric_id", "source": "source_id"}
NAMES = {
    Kind.AGENT: ("agent_id", "metric_id", "timestamp"),
    Kind.TICKET: ("ticket_id", "source_id", "agent_id", "metric_id", "timestamp", "ticket_event_id"),
}
SUBJECT = {Kind.AGENT: "agent_id", Kind.TICKET: "ticket_id"}
NOT_NAMED = "the reply confirms other entries of the batch and not this one"
Names = tuple[tuple[str, str | int], ...]


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


@dataclass(frozen=True)
class Reply:
    """Which entries of a batch the vendor took, refused or did not confirm (the last two with a reason).

    `doubted` are those that an error of the reply may mean, with its words.
    """

    acknowledged: list[Entry]
    rejected: list[tuple[Entry, str]]
    unconfirmed: list[tuple[Entry, str]]
    doubted: list[tuple[Entry, str]]
    is_matched: bool


def read_reply(batch: Sequence[Entry], results: Sequence[Any], *, kind: Kind, names_expected: bool) -> Reply:
    """Match the results of a 2xx to the entries of the batch.

    Args:
        names_expected: an earlier reply could be matched, so one without any result confirms nothing.
    """
    names = [_names_in(result, kind) for result in results]
    index = _index(batch, {tuple(name for name, _ in carried) for carried in names if carried}, kind)
    taken: set[Any] = set()
    refused: dict[Any, str] = {}
    stray_words: list[str] = []
    matched = bool(results) or names_expected
    for result, carried in zip(results, names, strict=True):
        keys = [entry.key for entry in index.get(carried, ())]
        words = _error_in(result)
        if words is None:
            taken.update(keys)
        else:
            refused |= dict.fromkeys(keys, words)
            if not keys:
                stray_words.append(words)
        matched = matched and bool(keys)
    reply = Reply([], [], [], [], is_matched=matched)
    for entry in batch:
        if entry.key in refused and entry.key not in taken:
            reply.rejected.append((entry, refused[entry.key]))
        elif entry.key in refused:
            reply.doubted.append((entry, refused[entry.key]))
        elif stray_words and entry.key not in taken:
            reply.doubted.append((entry, "; ".join(dict.fromkeys(stray_words))))
        elif matched and entry.key not in taken:
            reply.unconfirmed.append((entry, NOT_NAMED))
        else:
            reply.acknowledged.append(entry)
    return reply


def _index(batch: Sequence[Entry], name_sets: set[tuple[str, ...]], kind: Kind) -> dict[Names, list[Entry]]:
    """The entries under each of the ways in which the results name them."""
    index: dict[Names, list[Entry]] = defaultdict(list)
    for entry in batch:
        own = dict(_normal(entry.body(), kind))
        for name_set in name_sets:
            index[tuple((name, own.get(name, "")) for name in name_set)].append(entry)
    return index


def _names_in(result: Any, kind: Kind) -> Names:
    """The names that a result carries; none where it lacks the subject's."""
    if not isinstance(result, dict):
        return ()
    names = _normal({MISSPELT.get(str(name), str(name)): value for name, value in result.items()}, kind)
    return names if any(name == SUBJECT[kind] for name, _ in names) else ()


def _normal(fields: dict[str, Any], kind: Kind) -> Names:
    names: list[tuple[str, str | int]] = []
    for name in NAMES[kind]:
        value = fields.get(name)
        if value is None or value == "":
            continue
        if name == "timestamp":
            moment = _moment(str(value))
            if moment is not None:
                names.append((name, moment))
        else:
            text = str(value)
            names.append((name, text.lower() if "@" in text else text))
    return tuple(names)


def _moment(text: str) -> int | None:
    """Whole seconds since 1970, None for anything else."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())


def _error_in(result: Any) -> str | None:
    """What a result says went wrong, None if nothing did."""
    if not isinstance(result, dict):
        return None
    for name in ("error", "errors", "error_message", "errorMessage"):
        if result.get(name):
            return str(result[name])
    failed = str(result.get("status", "")).lower() in ("error", "errored", "failed", "rejected")
    if failed or result.get("success") is False:
        return str(result.get("message") or result.get("reason") or "the vendor marks it as failed and gives no reason")
    return None
