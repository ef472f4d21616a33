"""The staged rows of a delivery as a source for SQL, and the columns that they add to their table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import duckdb

from maestro_analytics.tables.delivery import StagedTable
from maestro_analytics.tables.headers import folded
from maestro_analytics.warehouse.connection import quoted, scalar, transaction
from maestro_analytics.warehouse.landing.accounting import RowCounts, quarantine
from maestro_analytics.warehouse.ledger import Source
from maestro_analytics.warehouse.state import columns_of


def files_of(staged: Iterable[StagedTable]) -> list[Path]:
    """The files of live rows of exports that land together. They may have rows of other exports, too."""
    return list(dict.fromkeys(file for each in staged for file in each.files))


def flagged_files_of(staged: Iterable[StagedTable]) -> list[Path]:
    """The same of the rows that the vendor marks as deleted."""
    return list(dict.fromkeys(file for each in staged for file in each.flagged_files))


def turn_of(key: str, sources: Sequence[Source]) -> str:
    """SQL: in which turn a staged row lands, where several exports land together.

    Rows of one key, or of one grade, land in the order of their exports, each in a turn after the others; other rows do
    not touch each other. So what lands in one turn is as if each export had landed by itself.
    """
    return f"dense_rank() over (partition by {key} order by _delivery)" if len(sources) > 1 else "1"


def turns_of(connection: duckdb.DuckDBPyConnection, table: str, sources: Sequence[Source]) -> int:
    """How many turns a table with the column `turn` has; 1 where it has no rows."""
    if len(sources) == 1:
        return 1
    return int(scalar(connection, f"select coalesce(max(turn), 1) from {table}"))


def insert_list(staged: StagedTable) -> list[str]:
    """The columns of the staged rows that go into the table."""
    return [*staged.table.made_here, *staged.columns]


def counts_of(
    connection: duckdb.DuckDBPyConnection, staged: Sequence[StagedTable], sources: Sequence[Source]
) -> list[RowCounts]:
    """The counts that are known before anything lands, of each export; writes the refused rows to the quarantine."""
    return [
        RowCounts(
            each.table.name,
            read=each.rows_read,
            quarantined=quarantine(connection, each.refusals, source),
            deleted=each.rows_flagged,
            repeated=each.rows_repeated,
        )
        for each, source in zip(staged, sources, strict=True)
    ]


def add_columns(
    connection: duckdb.DuckDBPyConnection, table_name: str, unknown: dict[str, str], source: Source
) -> list[str]:
    """Add a VARCHAR column for each of `unknown` (stored name -> name in the file) that the table lacks.

    Runs in a transaction of its own, before that of the rows. Returns one warning per new column.
    """
    if not unknown:
        return []
    existing = {folded(name) for name in columns_of(connection, table_name)}
    new = {stored: given for stored, given in unknown.items() if folded(stored) not in existing}
    if not new:
        return []
    with transaction(connection):
        for stored, given in new.items():
            for name in [table_name] + (["grade_history"] if table_name == "total_scores" else []):
                connection.execute(f"alter table main.{name} add column {quoted(stored)} VARCHAR")
            connection.execute(
                "insert into state.schema_changes values (?, ?, ?, ?, ?, ?)",
                [table_name, stored, given, source.seq, source.export_id, source.at],
            )
    return [f"{table_name} has a new column {given!r}, kept as text in {stored}" for stored, given in new.items()]
