"""Land the activities of the audit log."""

from __future__ import annotations

from dataclasses import replace

import duckdb

from maestro_analytics.tables.delivery import StagedTable
from maestro_analytics.warehouse.connection import quoted_all, rowcount, scalar
from maestro_analytics.warehouse.landing.accounting import RowCounts, Source
from maestro_analytics.warehouse.landing.staged import counts_of, insert_list, scan


def land_audit_logs(connection: duckdb.DuckDBPyConnection, staged: StagedTable, source: Source) -> RowCounts:
    """Enter activities, each once.

    An activity does not change, so that no version is kept of each: one that is there already stays as it is if an
    export asked for later has covered its moment, and is replaced otherwise.
    """
    counts = counts_of(connection, staged, source)
    if not staged.files:
        return counts
    same = " and ".join(f"old.{name} = staged.{name}" for name in staged.table.row_key or ())
    connection.execute(f"create or replace temp table staged_activities as from {scan(staged.files)}")
    connection.execute(
        f"""
        create or replace temp table activities as
        select old.rowid as old_row, staged.rowid as new_row, exists (
            from state.exports as later
            where later.kind = 'audit' and later.landing is not null and later.seq in (select seq from later_exports)
                and staged.time_stamp >= later.window_start - interval 1 second
                and staged.time_stamp <= later.window_end + interval 1 second
        ) as is_stale
        from staged_activities as staged
        join main.audit_logs as old on {same}
        """
    )
    connection.execute("delete from main.audit_logs where rowid in (select old_row from activities where not is_stale)")
    names = quoted_all(insert_list(staged))
    landed = rowcount(
        connection,
        f"insert into main.audit_logs ({names}) select {names} from staged_activities "
        "where rowid not in (select new_row from activities where is_stale)",
    )
    superseded = scalar(connection, "select count(distinct new_row) from activities where is_stale")
    return replace(counts, landed=landed, superseded=superseded)
