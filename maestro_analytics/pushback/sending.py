"""Batches on their way: what becomes of each entry, written to the ledger before and after every request."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from maestro_analytics.errors import OutcomeUnknown, RequestRefused, SettingsError, TryAgain, Unreachable
from maestro_analytics.pushback.entries import BATCH_SIZE, Entry, Kind
from maestro_analytics.pushback.ledger import PushLedger
from maestro_analytics.pushback.replies import read_reply

TRIES = 3
"""How often a batch goes out in one push while its reply is lost."""

FAILURES_IN_A_ROW = 2
"""After so many batches that the vendor could not answer at all, the push stops; the rest stays planned."""

HOPELESS_AFTER = 50
"""When so many entries of a metric were refused alone and none was taken, the others of a refused batch are not tried
alone: a metric that the vendor does not know would cost a thousand requests for each batch."""

SendBatch = Callable[[list[dict[str, Any]]], Sequence[Any]]


def _now() -> datetime:
    return datetime.now(UTC)


class Sending:
    """One push's sendings and what became of them.

    Attributes:
        acknowledged: keys the vendor took.
        rejected: key -> (entry, the vendor's words).
        unknown: key -> (entry, reason): sent, and still not known to have arrived.
        resent: entries that went out again because their outcome was unknown, counted once for each time.
        batches: requests made, as batches handed to the client; its own retries not counted.
    """

    def __init__(
        self, send_batch: SendBatch, ledger: PushLedger, kind: Kind, *, now: Callable[[], datetime] = _now
    ) -> None:
        self._send_batch = send_batch
        self._ledger = ledger
        self._kind = kind
        self._now = now
        self.acknowledged: set[Any] = set()
        self.rejected: dict[Any, tuple[Entry, str]] = {}
        self.unknown: dict[Any, tuple[Entry, str]] = {}
        self.resent = 0
        self.batches = 0
        self._taken_metrics: set[str] = set()
        self._refused_alone: Counter[str] = Counter()
        self._failures_in_a_row = 0
        self._names_in_replies = False
        self._believe_words = True

    def send(self, entries: Sequence[Entry]) -> None:
        """Send these in their order, 500 at a time.

        Raises:
            TokenRefused, Unreachable, TryAgain: the vendor cannot be told anything now; what was settled is in the
                ledger, and so is what was not.
        """
        self._ledger.planned(self._kind, entries)
        for start in range(0, len(entries), BATCH_SIZE):
            self._deliver(entries[start : start + BATCH_SIZE])

    def _deliver(self, batch: Sequence[Entry]) -> bool:
        """Send one batch until its entries are settled, halving it where it is refused; whether all of it was taken."""
        whole = True
        for attempt in range(TRIES):
            self.resent += len(batch) if attempt else 0
            self.batches += 1
            self._ledger.sent(self._kind, batch, at=self._now())
            try:
                results = self._send_batch([entry.body() for entry in batch])
            except SettingsError:
                self._ledger.not_taken(self._kind, batch)
                raise
            except RequestRefused as refusal:
                self._isolate(batch, refusal.vendor_message or f"refused with {refusal.status}, without a word")
                return False
            except TryAgain as failure:
                self._leave_unknown([(entry, str(failure)) for entry in batch])
                if isinstance(failure, OutcomeUnknown) and (failure.status is None or failure.status < 500):
                    continue
                # An outcome unknown after a 5xx has been tried often enough by the client.
                self._failures_in_a_row += 1
                if isinstance(failure, Unreachable) or self._failures_in_a_row >= FAILURES_IN_A_ROW:
                    raise
                return False
            self._failures_in_a_row = 0
            reply = read_reply(batch, results, kind=self._kind, names_expected=self._names_in_replies)
            self._names_in_replies = self._names_in_replies or reply.is_matched
            self._acknowledge(reply.acknowledged)
            self._reject(reply.rejected)
            whole = whole and not reply.rejected
            if not reply.unconfirmed:
                return whole
            self._leave_unknown(reply.unconfirmed)
            batch = [entry for entry, _ in reply.unconfirmed]
        return False

    def _isolate(self, batch: Sequence[Entry], words: str) -> None:
        """Split a refused batch until its bad entries stand alone; the order within each slot stays."""
        self._failures_in_a_row = 0
        if len(batch) == 1:
            self._refused_alone[batch[0].metric_id] += 1
            self._reject([(batch[0], words)])
            return
        if all(self._is_hopeless(entry.metric_id) for entry in batch):
            reason = f"{words} (said of the whole batch; {HOPELESS_AFTER} tried alone were all refused)"
            self._reject([(entry, reason) for entry in batch])
            return
        self._ledger.not_taken(self._kind, batch)
        suspects = _named_in(words, batch) if self._believe_words else []
        if suspects:
            # All entries of a named agent or ticket go together, so no slot is divided.
            keys = {entry.key for entry in suspects}
            self._believe_words = not self._deliver(suspects)
            self._deliver([entry for entry in batch if entry.key not in keys])
            return
        middle = len(batch) // 2
        self._deliver(batch[:middle])
        self._deliver(batch[middle:])

    def _is_hopeless(self, metric_id: str) -> bool:
        return metric_id not in self._taken_metrics and self._refused_alone[metric_id] >= HOPELESS_AFTER

    def _acknowledge(self, entries: Sequence[Entry]) -> None:
        self._ledger.acknowledged(self._kind, entries, at=self._now())
        for entry in entries:
            self.acknowledged.add(entry.key)
            self.unknown.pop(entry.key, None)
            self.rejected.pop(entry.key, None)
            self._taken_metrics.add(entry.metric_id)

    def _reject(self, entries: Sequence[tuple[Entry, str]]) -> None:
        self._ledger.rejected(self._kind, entries)
        for entry, words in entries:
            self.rejected[entry.key] = (entry, words)
            self.unknown.pop(entry.key, None)

    def _leave_unknown(self, entries: Sequence[tuple[Entry, str]]) -> None:
        self._ledger.unknown(self._kind, entries)
        for entry, reason in entries:
            self.unknown[entry.key] = (entry, reason)


def _named_in(words: str, batch: Sequence[Entry]) -> list[Entry]:
    """The entries of agents or tickets that a refusal names; none where it names no one or everyone.

    A hint for where to look first, no more: the entries are sent again alone, and so are the others.
    """
    named = {word.strip(".:;!?") for word in re.split(r"[\s\"'`,()\[\]{}=]+", words)}
    suspects = [entry for entry in batch if entry.agent_id in named or (entry.ticket_id and entry.ticket_id in named)]
    return suspects if len(suspects) < len(batch) else []
