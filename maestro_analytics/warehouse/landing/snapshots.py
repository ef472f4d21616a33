"""Land the tables that each delivery replaces as a whole: the agent groups and the coaching lists."""

from __future__ import annotations

from dataclasses import replace

import duckdb
import polars as pl

from maestro_analytics.tables.columns import Table
from maestro_analytics.tables.delivery import StagedTable
from maestro_analytics.warehouse.connection import quoted_all, rowcount, scalar
from maestro_analytics.warehouse.landing.accounting import RowCounts, Source
from maestro_analytics.warehouse.landing.staged import counts_of, insert_list, scan


def land_groups(connection: duckdb.DuckDBPyConnection, staged: StagedTable, source: Source) -> RowCounts:
    """Replace the whole table, unless a later snapshot is there."""
    counts = counts_of(connection, staged, source)
    name = staged.table.name
    if scalar(
        connection, "select count(*) from state.snapshots where table_name = ? and export_seq > ?", [name, source.seq]
    ):
        return replace(counts, superseded=staged.rows_live)
    connection.execute(f"delete from main.{name}")
    landed = 0
    if staged.files:
        names = quoted_all(insert_list(staged))
        landed = rowcount(connection, f"insert into main.{name} ({names}) select {names} from {scan(staged.files)}")
    _note_snapshot(connection, name, source, landed)
    return replace(counts, landed=landed)


def land_list(connection: duckdb.DuckDBPyConnection, table: Table, rows: pl.DataFrame, source: Source) -> int:
    """Replace the whole table of a coaching list; returns the rows landed."""
    connection.execute(f"delete from main.{table.name}")
    names = quoted_all(rows.columns)
    connection.register("list_rows", rows)
    try:
        landed = rowcount(connection, f"insert into main.{table.name} ({names}) select {names} from list_rows")
    finally:
        connection.unregister("list_rows")
    _note_snapshot(connection, table.name, source, landed)
    return landed


def _note_snapshot(connection: duckdb.DuckDBPyConnection, name: str, source: Source, rows: int) -> None:
    connection.execute("delete from state.snapshots where table_name = ?", [name])
    connection.execute("insert into state.snapshots values (?, ?, ?, ?)", [name, source.seq, source.at, rows])
