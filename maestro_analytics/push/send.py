"""Batches on their way: what becomes of each entry, written to the ledger before and after every request."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from maestro_analytics.errors import OutcomeUnknown, RequestRefused, SettingsError, TryAgain, Unreachable
from maestro_analytics.push.entries import BATCH_SIZE, Entry, Kind
from maestro_analytics.push.ledger import PushLedger
from maestro_analytics.push.replies import Refusals, Refused, Suspicion, Trait, read_reply, spread

TRIES = 3
"""How often a batch goes out in one push while its reply is lost."""

FAILURES_IN_A_ROW = 2
"""After so many batches that the vendor could not answer at all, the push stops; the rest stays planned."""

TRIED_APART = timedelta(hours=20)
"""How often entries that the vendor refused in an earlier push are tried one by one, when it refuses them together."""

AGENTS_TRIED = 4
"""Of so many agents that were refused in an earlier push, and are refused together, each is tried in every push."""

SendBatch = Callable[[list[dict[str, Any]]], Sequence[Any]]


class Sending:
    """One push's sendings and what became of them.

    Attributes:
        acknowledged: keys the vendor took.
        rejected: key -> (entry, the vendor's words).
        unknown: key -> (entry, reason): sent, and still not known to have arrived.
        resent: entries that went out again because their outcome was unknown, counted once for each time.
        given_as: for the key of each entry that was tried under another id, the key that it was given with.
    """

    def __init__(
        self,
        send_batch: SendBatch,
        ledger: PushLedger,
        kind: Kind,
        *,
        refusals: Refusals | None = None,
    ) -> None:
        self._send_batch = send_batch
        self._ledger = ledger
        self._kind = kind
        self.acknowledged: set[Any] = set()
        self.rejected: dict[Any, tuple[Entry, str]] = {}
        self.unknown: dict[Any, tuple[Entry, str]] = {}
        self.resent = 0
        self.given_as: dict[Any, Any] = {}
        self._refusals = refusals or Refusals()
        self._suspicion = Suspicion()
        self._failures_in_a_row = 0
        self._names_in_replies = False

    def send(self, entries: Sequence[Entry]) -> None:
        """Send these in their order, 500 at a time; those that the vendor refused in an earlier push last, apart.

        What was refused before mostly is again, and must not make the good entries be looked through for it.

        Raises:
            TokenRefused, Unreachable, TryAgain: the vendor cannot be told anything now; what was settled is in the
                ledger, and so is what was not.
        """
        self._ledger.planned(self._kind, entries)
        clear, doubted, refused = self._refusals.split(entries)
        self._send_apart(clear)
        self._send_apart(doubted)
        for start in range(0, len(refused), BATCH_SIZE):
            self._send_again(refused[start : start + BATCH_SIZE])

    def _send_apart(self, entries: Sequence[Entry]) -> None:
        """Send these until each is settled: a batch that is refused comes apart."""
        # A stack, the next on top, since a refused batch can come apart many times over.
        starts = range(0, len(entries), BATCH_SIZE)
        waiting = [entries[start : start + BATCH_SIZE] for start in reversed(starts)]
        while waiting:
            batch = waiting.pop()
            words = self._deliver(batch)
            if words is not None:
                waiting.extend(reversed(self._come_apart(batch, words)))

    def _send_again(self, refused: Sequence[tuple[Entry, Refused]]) -> None:
        """Send entries together that were refused before.

        If they are refused again, they come apart once a day; of few agents, each agent's entries are sent at once.
        """
        batch = [entry for entry, _ in refused]
        words = self._deliver(batch)
        if words is None:
            return
        if len(batch) == 1 or datetime.now(UTC) - min(refusal.at for _, refusal in refused) >= TRIED_APART:
            for part in self._come_apart(batch, words):
                self._send_apart(part)
            return
        by_agent: dict[str, list[tuple[Entry, Refused]]] = {}
        for entry, refusal in refused:
            by_agent.setdefault(entry.agent_id, []).append((entry, refusal))
        if 1 < len(by_agent) <= AGENTS_TRIED:
            self._ledger.not_taken(self._kind, batch)
            for of_agent in by_agent.values():
                self._send_again(of_agent)
            return
        self._ledger.refused_together(self._kind, ((entry, refusal.reason, refusal.at) for entry, refusal in refused))
        self._note_rejected((entry, refusal.reason) for entry, refusal in refused)

    def try_other_ids(self, entries: Sequence[Entry], next_id: Mapping[str, str]) -> None:
        """Send the entries of agents of whom nothing was taken again, under the same person's next id, and the next.

        The groups list all ids of a person, and do not say which of them the vendor takes metrics under.

        Args:
            entries: what was sent.
            next_id: see `compute.next_ids`.

        Raises:
            As `send`.
        """
        while entries:
            reached = {agent_id for agent_id, *_ in (*self.acknowledged, *self.unknown)}
            refused = [
                entry
                for entry in entries
                if entry.key in self.rejected and entry.agent_id in next_id and entry.agent_id not in reached
            ]
            entries = [replace(entry, agent_id=next_id[entry.agent_id]) for entry in refused]
            for before, entry in zip(refused, entries, strict=True):
                self.given_as[entry.key] = self.given_as.get(before.key, before.key)
            self.send(entries)

    def rejected_under_every_id(self) -> dict[Any, tuple[Entry, str]]:
        """`rejected`, each entry once, as it was given, and only where it went under no other id either."""
        settled = {self.given_as.get(key) for key in (*self.acknowledged, *self.unknown)}
        return {key: told for key, told in self.rejected.items() if key not in self.given_as and key not in settled}

    def _deliver(self, batch: Sequence[Entry]) -> str | None:
        """Send one batch until its entries are settled; the vendor's words if it is refused as a whole."""
        for attempt in range(TRIES):
            self.resent += len(batch) if attempt else 0
            self._ledger.sent(self._kind, batch, at=datetime.now(UTC))
            try:
                results = self._send_batch([entry.body() for entry in batch])
            except SettingsError:
                self._ledger.not_taken(self._kind, batch)
                raise
            except RequestRefused as refusal:
                self._failures_in_a_row = 0
                return refusal.vendor_message or f"refused with {refusal.status}, without a message"
            except TryAgain as failure:
                self._leave_unknown([(entry, str(failure)) for entry in batch])
                if isinstance(failure, OutcomeUnknown) and (failure.status is None or failure.status < 500):
                    continue
                # An outcome unknown after a 5xx has been tried often enough by the client.
                self._failures_in_a_row += 1
                if isinstance(failure, Unreachable) or self._failures_in_a_row >= FAILURES_IN_A_ROW:
                    raise
                return None
            self._failures_in_a_row = 0
            reply = read_reply(batch, results, kind=self._kind, names_expected=self._names_in_replies)
            self._names_in_replies = self._names_in_replies or reply.is_matched
            self._acknowledge(reply.acknowledged)
            self._reject(reply.rejected)
            if reply.doubted:
                words = "; ".join(dict.fromkeys(words for _, words in reply.doubted))
                for part in self._come_apart([entry for entry, _ in reply.doubted], words):
                    self._send_apart(part)
            if not reply.unconfirmed:
                return None
            self._leave_unknown(reply.unconfirmed)
            batch = [entry for entry, _ in reply.unconfirmed]
        return None

    def _come_apart(self, batch: Sequence[Entry], words: str) -> list[Sequence[Entry]]:
        """The parts in which to send a refused batch again; none once its entries are known to be bad.

        The order within each slot stays, or is mended afterwards (`diff.plan_repeats`).
        """
        if len(batch) == 1:
            self._suspicion.refused_alone(batch[0])
            self._reject([(batch[0], words)])
            return []
        self._ledger.not_taken(self._kind, batch)
        if self._suspicion.is_given_up(batch):
            self._reject_unseen(batch, words)
            return []
        suspects = self._suspicion.suspects(batch, words)
        if suspects:
            keys = {entry.key for entry in suspects}
            refusal = self._deliver(suspects)
            if refusal is None and keys <= self.acknowledged:
                self._suspicion.words_misled()
            others = [entry for entry in batch if entry.key not in keys]
            return [*(self._come_apart(suspects, refusal) if refusal is not None else []), others]
        trait = self._suspicion.common_trait(batch)
        if trait is not None:
            samples = self._try_samples(batch, words, trait)
            batch = [entry for entry in batch if entry.key not in samples]
            if len(samples) > 1:
                # Bad ones were found: the others may be good.
                return [batch] if batch else []
        middle = len(batch) // 2
        return [part for part in (batch[:middle], batch[middle:]) if part]

    def _try_samples(self, batch: Sequence[Entry], words: str, trait: Trait) -> set[Any]:
        """Try some of a refused batch alone, of which everything may be bad for the same reason, until one is taken.

        If none is, the whole batch is given up. Returns the keys of the entries that need not be looked for any more.
        """
        tried = set()
        for sample in spread(batch, trait):
            refusal = self._deliver([sample])
            tried.add(sample.key)
            if refusal is None:
                return tried
            self._come_apart([sample], refusal)
        self._suspicion.give_up(trait)
        self._reject_unseen([entry for entry in batch if entry.key not in tried], words)
        return {entry.key for entry in batch}

    def _acknowledge(self, entries: Sequence[Entry]) -> None:
        self._ledger.acknowledged(self._kind, entries, at=datetime.now(UTC))
        for entry in entries:
            self.acknowledged.add(entry.key)
            self.unknown.pop(entry.key, None)
            self.rejected.pop(entry.key, None)
            self._suspicion.taken(entry)

    def _reject(self, entries: Sequence[tuple[Entry, str]]) -> None:
        self._ledger.rejected(self._kind, entries)
        self._note_rejected(entries)

    def _note_rejected(self, entries: Iterable[tuple[Entry, str]]) -> None:
        for entry, words in entries:
            self.rejected[entry.key] = (entry, words)
            self.unknown.pop(entry.key, None)

    def _reject_unseen(self, entries: Sequence[Entry], words: str) -> None:
        reason = f"{words} (said of a batch; others like it were tried alone and all refused)"
        self._reject([(entry, reason) for entry in entries])

    def _leave_unknown(self, entries: Sequence[tuple[Entry, str]]) -> None:
        self._ledger.unknown(self._kind, entries)
        for entry, reason in entries:
            self.unknown[entry.key] = (entry, reason)
