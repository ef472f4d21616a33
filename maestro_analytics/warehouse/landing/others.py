"""Landing what is no grade: csat, audit logs, the agent groups, and the coaching lists."""

from __future__ import annotations

from dataclasses import replace

import duckdb
import polars as pl

from maestro_analytics.tables.columns import Table
from maestro_analytics.tables.delivery import StagedTable
from maestro_analytics.warehouse.connection import changed, quoted_all, value
from maestro_analytics.warehouse.landing.accounting import Account, Source, insert_list, quarantine
from maestro_analytics.warehouse.landing.grades import scan


def land_csat(connection: duckdb.DuckDBPyConnection, staged: StagedTable, source: Source) -> Account:
    """Replace the surveys of the tickets delivered. They belong to the ticket, so that deletion flags mean nothing."""
    account = _opened(connection, staged, source)
    if not staged.files:
        return account
    connection.execute(
        f"""
        create or replace temp table tickets as
        select staged.source, staged.gradable_id, versions.export_seq is not null as is_known,
            coalesce(versions.export_seq > $seq, false) as is_stale
        from {scan(staged.files)} as staged
        left join state.csat_versions as versions
            on versions.gradable_id = staged.gradable_id and versions.source is not distinct from staged.source
        """,
        {"seq": source.seq},
    )
    if value(connection, "select count(*) from tickets where is_known and not is_stale"):
        for name in ("main.csat", "state.csat_versions"):
            connection.execute(
                f"""
                delete from {name} as old using tickets
                where old.gradable_id = tickets.gradable_id and old.source is not distinct from tickets.source
                    and tickets.is_known and not tickets.is_stale
                """
            )
    names = insert_list(staged)
    landed = changed(
        connection,
        f"""
        insert into main.csat ({quoted_all(names)})
        select {", ".join("staged." + quoted_all([name]) for name in names)}
        from {scan(staged.files)} as staged
        join tickets on tickets.gradable_id = staged.gradable_id and tickets.source is not distinct from staged.source
        where not tickets.is_stale
        """,
    )
    connection.execute(
        "insert into state.csat_versions select source, gradable_id, $seq from tickets where not is_stale",
        {"seq": source.seq},
    )
    superseded = value(connection, "select count(*) from tickets where is_stale")
    return replace(account, landed=landed, superseded=superseded)


def land_audit(connection: duckdb.DuckDBPyConnection, staged: StagedTable, source: Source) -> Account:
    """Enter activities, each once.

    An activity does not change, so that no version is kept of each: one that is there already stays as it is if an
    export asked for later has covered its moment, and is replaced otherwise.
    """
    account = _opened(connection, staged, source)
    if not staged.files:
        return account
    same = " and ".join(f"old.{name} = staged.{name}" for name in staged.table.row_key or ())
    connection.execute(
        f"""
        create or replace temp table activities as
        select old.rowid as old_row, staged."row number" as new_row, exists (
            from state.exports as later
            where later.kind = 'audit' and later.landing is not null and later.seq > $seq
                and staged.time_stamp >= later.window_start - interval 1 second
                and staged.time_stamp <= later.window_end + interval 1 second
        ) as is_stale
        from {scan(staged.files)} as staged
        join main.audit_logs as old on {same}
        """,
        {"seq": source.seq},
    )
    connection.execute("delete from main.audit_logs where rowid in (select old_row from activities where not is_stale)")
    names = quoted_all(insert_list(staged))
    landed = changed(
        connection,
        f"insert into main.audit_logs ({names}) select {names} from {scan(staged.files)} "
        'where "row number" not in (select new_row from activities where is_stale)',
    )
    superseded = value(connection, "select count(distinct new_row) from activities where is_stale")
    return replace(account, landed=landed, superseded=superseded)


def land_groups(connection: duckdb.DuckDBPyConnection, staged: StagedTable, source: Source) -> Account:
    """Replace the whole table, unless a later snapshot is there."""
    account = _opened(connection, staged, source)
    name = staged.table.name
    if value(
        connection, "select count(*) from state.snapshots where table_name = ? and export_seq > ?", [name, source.seq]
    ):
        return replace(account, superseded=staged.rows_live)
    connection.execute(f"delete from main.{name}")
    landed = 0
    if staged.files:
        names = quoted_all(insert_list(staged))
        landed = changed(connection, f"insert into main.{name} ({names}) select {names} from {scan(staged.files)}")
    _note_snapshot(connection, name, source, landed)
    return replace(account, landed=landed)


def land_list(connection: duckdb.DuckDBPyConnection, table: Table, rows: pl.DataFrame, source: Source) -> int:
    """Replace the whole table of a coaching list; returns the rows landed."""
    connection.execute(f"delete from main.{table.name}")
    names = quoted_all(rows.columns)
    connection.register("list_rows", rows)
    try:
        landed = changed(connection, f"insert into main.{table.name} ({names}) select {names} from list_rows")
    finally:
        connection.unregister("list_rows")
    _note_snapshot(connection, table.name, source, landed)
    return landed


def _note_snapshot(connection: duckdb.DuckDBPyConnection, name: str, source: Source, rows: int) -> None:
    connection.execute("delete from state.snapshots where table_name = ?", [name])
    connection.execute("insert into state.snapshots values (?, ?, ?, ?)", [name, source.seq, source.at, rows])


def _opened(connection: duckdb.DuckDBPyConnection, staged: StagedTable, source: Source) -> Account:
    return Account(
        staged.table.name,
        read=staged.rows_read,
        quarantined=quarantine(connection, staged.refusals, source),
        repeated=staged.rows_repeated,
    )
