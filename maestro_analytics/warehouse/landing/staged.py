"""The staged rows of a delivery as a source for SQL, and the columns that they add to their table."""

from __future__ import annotations

from pathlib import Path

import duckdb

from maestro_analytics.tables.delivery import StagedTable
from maestro_analytics.tables.headers import folded
from maestro_analytics.warehouse.connection import transaction
from maestro_analytics.warehouse.landing.accounting import RowCounts, Source
from maestro_analytics.warehouse.landing.quarantine import quarantine
from maestro_analytics.warehouse.quoting import quoted, text_literal
from maestro_analytics.warehouse.state import columns_of


def scan(files: list[Path]) -> str:
    """Staged Parquet files as a table expression. The path is text: it is neither a pattern nor holds partitions."""
    listed = ", ".join(text_literal(_literal_path(file)) for file in files)
    return f"read_parquet([{listed}], union_by_name = true, hive_partitioning = false)"


def _literal_path(file: Path) -> str:
    return "".join(f"[{char}]" if char in "*?[" else char for char in str(file))


def insert_list(staged: StagedTable) -> list[str]:
    """The columns of the staged rows that go into the table."""
    return [*staged.table.made_here, *staged.columns]


def counts_of(connection: duckdb.DuckDBPyConnection, staged: StagedTable, source: Source) -> RowCounts:
    """The counts that are known before anything lands; writes the refused rows to the quarantine."""
    return RowCounts(
        staged.table.name,
        read=staged.rows_read,
        quarantined=quarantine(connection, staged.refusals, source),
        repeated=staged.rows_repeated,
    )


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
