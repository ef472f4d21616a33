"""Land rows that never change after they were made, such as the activities of the audit log."""

from __future__ import annotations

from dataclasses import replace

import duckdb

from maestro_analytics.tables.columns import Role
from maestro_analytics.tables.delivery import StagedTable
from maestro_analytics.warehouse.connection import rowcount, scalar
from maestro_analytics.warehouse.landing.accounting import RowCounts, Source
from maestro_analytics.warehouse.landing.staged import counts_of, insert_list, scan
from maestro_analytics.warehouse.quoting import quoted_all


def land_append_only(connection: duckdb.DuckDBPyConnection, staged: StagedTable, source: Source) -> RowCounts:
    """Insert rows, each once by its `row_key`.

    A row that is there already stays as it is if an export that was requested later covers its moment (the table's
    first moment column), and is replaced otherwise.
    """
    counts = counts_of(connection, staged, source)
    if not staged.files:
        return counts
    table = staged.table
    same = " and ".join(f"old.{name} = staged.{name}" for name in table.row_key or ())
    moment = next(name for name, role in table.columns.items() if role is Role.MOMENT)
    connection.execute(f"create or replace temp table staged_rows as from {scan(staged.files)}")
    connection.execute(
        f"""
        create or replace temp table known_rows as
        select old.rowid as old_row, staged.rowid as new_row, exists (
            from state.exports as later
            where later.kind = $kind and later.landing is not null and later.seq in (select seq from later_exports)
                and staged.{moment} >= later.window_start - interval 1 second
                and staged.{moment} <= later.window_end + interval 1 second
        ) as is_stale
        from staged_rows as staged
        join main.{table.name} as old on {same}
        """,
        {"kind": source.kind},
    )
    connection.execute(
        f"delete from main.{table.name} where rowid in (select old_row from known_rows where not is_stale)"
    )
    names = quoted_all(insert_list(staged))
    landed = rowcount(
        connection,
        f"insert into main.{table.name} ({names}) select {names} from staged_rows "
        "where rowid not in (select new_row from known_rows where is_stale)",
    )
    superseded = scalar(connection, "select count(distinct new_row) from known_rows where is_stale")
    return replace(counts, landed=landed, superseded=superseded)
