"""The account of a landing: every row that was read is landed, quarantined, deleted, repeated or superseded.

It is checked inside the transaction, with counts that come from different hands: rows read from the parser, rows
landed and quarantined from what DuckDB says it inserted, the rest from the staged files. Three-valued logic has lost
rows before.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import duckdb
import polars as pl

from maestro_analytics.exports import ExportRecord, Window
from maestro_analytics.exports.windows import joined
from maestro_analytics.tables.delivery import Delivery, Refusal, RefusedFile, StagedTable
from maestro_analytics.tables.headers import folded
from maestro_analytics.tables.reader import refusals_frame
from maestro_analytics.warehouse.connection import changed, frame, quoted, quoted_all, value
from maestro_analytics.warehouse.ledger import relative
from maestro_analytics.warehouse.state import QUARANTINE, columns_of


class BooksDoNotBalance(AssertionError):
    """Rows were read that are accounted for nowhere: a bug. The landing is rolled back."""


@dataclass(frozen=True)
class Account:
    """What became of the rows that one table's files held.

    Attributes:
        landed: now in the table.
        quarantined: refused, in state.quarantine.
        deleted: of grades that the vendor deleted, or marked so themselves.
        repeated: identical to a row that landed.
        superseded: of grades (tickets, activities) that a later export has brought already.
    """

    table_name: str
    read: int = 0
    landed: int = 0
    quarantined: int = 0
    deleted: int = 0
    repeated: int = 0
    superseded: int = 0

    def check(self) -> None:
        """Raises BooksDoNotBalance if a row is missing."""
        if self.read != self.landed + self.quarantined + self.deleted + self.repeated + self.superseded:
            raise BooksDoNotBalance(f"rows do not add up, nothing of this export landed: {self}")


@dataclass
class Landed:
    """What a landing did.

    Attributes:
        export: the export that was landed; None for a list.
        accounts: table name -> what became of its rows.
        refused: files of which nothing landed; while there are any, the window does not count as covered.
        unknown: files that are no table of ours.
        warnings: what a person should know.
        is_covered: whether everything of the export's window has landed.
    """

    export: ExportRecord | None
    accounts: dict[str, Account] = field(default_factory=dict)
    refused: list[RefusedFile] = field(default_factory=list)
    unknown: list[RefusedFile] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    is_covered: bool = True

    @property
    def rows(self) -> dict[str, int]:
        """Table name -> rows landed."""
        return {name: account.landed for name, account in self.accounts.items()}

    @property
    def quarantined(self) -> int:
        """Rows quarantined of files that landed; the bad rows of a refused file count with the file."""
        return sum(account.quarantined for account in self.accounts.values())


@dataclass(frozen=True)
class Source:
    """Where a landing's rows come from, as the state tables tell it.

    Attributes:
        at: when the vendor had the export complete. Everything that a landing dates is dated by it and never by the
            clock, so that a replay gives the same rows.
    """

    kind: str
    seq: int | None
    export_id: str | None
    file: str | None
    at: datetime | None


def grow(connection: duckdb.DuckDBPyConnection, delivery: Delivery, source: Source) -> None:
    """Add the columns that the delivery has for the first time; a transaction of its own, before that of the rows."""
    for staged in delivery.tables.values():
        add_columns(connection, staged.table.name, staged.unknown, source)


def add_columns(
    connection: duckdb.DuckDBPyConnection, table_name: str, unknown: dict[str, str], source: Source
) -> None:
    """Add a VARCHAR column for each of `unknown` (stored name -> name in the file) that the table does not have yet."""
    there = {folded(name) for name in columns_of(connection, table_name)}
    new = {stored: given for stored, given in unknown.items() if folded(stored) not in there}
    if not new:
        return
    connection.execute("begin")
    for stored, given in new.items():
        grown = [table_name] + (["grade_history"] if table_name == "total_scores" else [])
        for name in grown:
            connection.execute(f"alter table main.{name} add column {quoted(stored)} VARCHAR")
        connection.execute(
            "insert into state.schema_changes values (?, ?, ?, ?, ?, ?)",
            [table_name, stored, given, source.seq, source.export_id, source.at],
        )
    connection.execute("commit")


def quarantine(
    connection: duckdb.DuckDBPyConnection, refusals: list[Refusal], source: Source, *, file_refused: bool = False
) -> int:
    """Write refused rows; returns how many. Those of an earlier reading are removed with `clear_quarantine` first."""
    if not refusals:
        return 0
    rows = refusals_frame(refusals).with_columns(
        pl.lit(source.file, dtype=pl.String).alias("file"),
        pl.lit(source.kind).alias("kind"),
        pl.lit(source.seq, dtype=pl.Int64).alias("export_seq"),
        pl.lit(source.export_id, dtype=pl.String).alias("export_id"),
        pl.lit(source.at, dtype=pl.Datetime("us", "UTC")).alias("quarantined_at"),
        pl.lit(file_refused).alias("file_refused"),
    )
    names = quoted_all(list(QUARANTINE.columns))
    connection.register("refused_rows", rows)
    try:
        return changed(connection, f"insert into state.quarantine ({names}) select {names} from refused_rows")
    finally:
        connection.unregister("refused_rows")


def clear_quarantine(connection: duckdb.DuckDBPyConnection, export_seq: int) -> None:
    """A file that is read again is judged again."""
    connection.execute("delete from state.quarantine where export_seq = ?", [export_seq])


def cover(connection: duckdb.DuckDBPyConnection, kind: str, window: Window) -> None:
    """Enter a window as covered, joined with those it touches."""
    before = coverage(connection, kind)
    after = joined([*before, window])
    if after != before:
        connection.execute("delete from state.coverage where kind = ?", [kind])
        for each in after:
            connection.execute("insert into state.coverage values (?, ?, ?)", [kind, each.start, each.end])


def coverage(connection: duckdb.DuckDBPyConnection, kind: str) -> list[Window]:
    """The stretches of time of which everything of `kind` has landed."""
    rows = frame(connection, "select window_start, window_end from state.coverage where kind = ?", [kind])
    return joined(Window(start, end) for start, end in rows.iter_rows())


def source_of(connection: duckdb.DuckDBPyConnection, export: ExportRecord, data_folder: Path) -> Source:
    at = frame(
        connection,
        "select coalesce(completed_at, requested_at) as moment from state.exports where seq = ?",
        [export.seq],
    )
    file = relative(export.file, data_folder) if export.file else None
    return Source(export.kind, export.seq, export.export_id, file, at.item() if at.height else export.requested_at)


def mark_landed(connection: duckdb.DuckDBPyConnection, seq: int, *, status: str, error: str | None) -> None:
    """Enter in the ledger that an export has landed; keeps when and in which order it first did."""
    landing = int(value(connection, "select coalesce(max(landing), 0) + 1 from state.exports"))
    connection.execute(
        "update state.exports set status = ?, error = ?, landed_at = coalesce(landed_at, now()), "
        "landing = coalesce(landing, ?) where seq = ?",
        [status, error, landing, seq],
    )


def insert_list(staged: StagedTable) -> list[str]:
    """The columns of the staged rows that go into the table."""
    return [*staged.table.made_here, *staged.columns]
