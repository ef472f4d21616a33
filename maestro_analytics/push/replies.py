"""What a reply to a batch says about each entry, told by the names in it and never by position.

The reference's example results carry `ticket_id` and `metric_id` only, for agent metrics too, and its payloads
misspell `agent_id` and `metric_id`; so a reply is believed as far as it goes:

    a result with an error                   the entries that it names are rejected, with its words; where it names
                                             none, or they are confirmed too, the entries in doubt are looked through
    every result names entries of ours       entries that no result names are not confirmed: their outcome is unknown
    any other result                         such as one without the subject's name, or with a name that we did not
                                             send (a vendor may answer with other ids): the reply cannot be matched,
                                             and its 2xx stands for the whole batch
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from maestro_analytics.push.entries import Entry, Kind

MISSPELT = {"aegnt_id": "agent_id", "mtric_id": "metric_id", "source": "source_id"}
NAMES = {
    Kind.AGENT: ("agent_id", "metric_id", "timestamp"),
    Kind.TICKET: ("ticket_id", "source_id", "agent_id", "metric_id", "timestamp", "ticket_event_id"),
}
SUBJECT = {Kind.AGENT: "agent_id", Kind.TICKET: "ticket_id"}
NOT_NAMED = "the reply confirms other entries of the batch and not this one"

Names = tuple[tuple[str, str | int], ...]


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
