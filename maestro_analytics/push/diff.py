"""The difference between what was computed and what the vendor last acknowledged: what a push has to send."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import polars as pl

from maestro_analytics.push.entries import (
    BATCH_SIZE,
    ENTRY_SCHEMA,
    IN_ORDER,
    KEY,
    SLOT,
    Entry,
    entries_of,
    with_payload_hash,
)

NEWEST_LAST = ("timestamp", "ticket_event_id")
"""How keys of one slot follow one another."""


@dataclass(frozen=True)
class Plan:
    """The sendings of one push.

    Attributes:
        changes: a frame of entries that say something new (or again), or whose outcome is not known, with
            `acknowledged_value`: what the vendor last acknowledged, null for nothing.
        repeats: a frame of entries that say nothing new, but must follow a change of an older moment in their slot:
            where the vendor keeps one value for a slot, the newest would be lost otherwise.
        unchanged: how many of the entries given the vendor has acknowledged as they are.
    """

    changes: pl.DataFrame
    repeats: pl.DataFrame
    unchanged: int

    @property
    def sendings(self) -> list[Entry]:
        """Changes and repeats, in order of time."""
        return entries_of(pl.concat([self.changes.select(*ENTRY_SCHEMA), self.repeats]))

    @property
    def batches(self) -> int:
        """Requests needed when every one is answered and none is refused."""
        return -(-(self.changes.height + self.repeats.height) // BATCH_SIZE)

    def told(self) -> list[dict[str, Any]]:
        """The changes as rows of the report: the entry as the API takes it, and `acknowledged_value`."""
        rows = self.changes.select(*ENTRY_SCHEMA, "acknowledged_value").sort(IN_ORDER)
        return [Entry(*row).body() | {"acknowledged_value": before} for *row, before in rows.iter_rows()]


def plan_push(entries: pl.DataFrame, ledger: pl.DataFrame) -> Plan:
    """What to send of a frame of entries, given the ledger's rows of their kind.

    Besides what changed, that is every entry of the ledger whose outcome is unknown, so that a lost reply or a killed
    push is settled by the next push.
    """
    given = with_payload_hash(entries)
    known = _with_uncertain(ledger)
    compared = given.join(
        known.select(*KEY, "acknowledged_hash", "acknowledged_value", "uncertain", "withdrawn"), on=KEY, how="left"
    )
    is_acknowledged = pl.col("acknowledged_hash") == pl.col("payload_hash")
    # What the ledger does not know compares as null: a change too.
    is_unchanged = (is_acknowledged & ~pl.col("uncertain") & ~pl.col("withdrawn")).fill_null(value=False)
    owed = known.filter(pl.col("uncertain") & ~pl.col("withdrawn")).join(given, on=KEY, how="anti")
    columns = [*ENTRY_SCHEMA, "acknowledged_value"]
    changes = pl.concat([compared.filter(~is_unchanged).select(columns), owed.select(columns)])
    return Plan(changes, _repeats(changes, known), compared.filter(is_unchanged).height)


def plan_repeats(ledger: pl.DataFrame) -> pl.DataFrame:
    """A frame of entries that should stand last in their slot, and after which something else was sent.

    A plan foresees these; they are left over where a push was killed, or a newer value refused.
    """
    return _repeats(pl.DataFrame(schema=ENTRY_SCHEMA), _with_uncertain(ledger))


def withdraw(ledger: pl.DataFrame, keys: pl.DataFrame) -> pl.DataFrame:
    """The ledger's rows as they will be when these keys are withdrawn, for a plan that writes nothing."""
    marks = keys.select(KEY).with_columns(marked=True)
    marked = pl.col("withdrawn") | pl.col("marked").fill_null(value=False)
    return ledger.join(marks, on=KEY, how="left").with_columns(withdrawn=marked).drop("marked")


def _with_uncertain(ledger: pl.DataFrame) -> pl.DataFrame:
    return ledger.with_columns(uncertain=pl.col("may_have_arrived").ne_missing(pl.col("arrived")))


def _repeats(changes: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
    """The newest entry of each slot, where it is settled and a change is older, or something was sent after it."""
    is_there = pl.col("acknowledged_hash").is_not_null() | pl.col("uncertain")
    at_vendor = known.filter(is_there & ~pl.col("withdrawn"))
    newest = at_vendor.sort(*NEWEST_LAST).unique(SLOT, keep="last", maintain_order=True)
    last_sent = known.group_by(SLOT).agg(last_sent=pl.col("may_have_arrived").max())
    last_change = (
        changes.sort(*NEWEST_LAST)
        .unique(SLOT, keep="last", maintain_order=True)
        .select(*SLOT, change_timestamp="timestamp", change_event="ticket_event_id")
    )
    change_is_older = (pl.col("change_timestamp") < pl.col("timestamp")) | (
        (pl.col("change_timestamp") == pl.col("timestamp")) & (pl.col("change_event") < pl.col("ticket_event_id"))
    )
    something_came_after = pl.col("last_sent") > pl.col("may_have_arrived")
    repeats = (
        newest.filter(~pl.col("uncertain"))
        .join(last_sent, on=SLOT)
        .join(last_change, on=SLOT, how="left")
        .filter(pl.when(pl.col("change_timestamp").is_null()).then(something_came_after).otherwise(change_is_older))
    )
    return repeats.with_columns(metric_value="acknowledged_value", metric_deleted="acknowledged_deleted").select(
        *ENTRY_SCHEMA
    )
