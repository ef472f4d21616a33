"""Land what is not a grade: surveys of tickets, the audit log, and the agent groups and coaching lists as a whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import duckdb

from maestro_analytics.kinds import EXPORT_KINDS
from maestro_analytics.tables.columns import Role
from maestro_analytics.tables.delivery import StagedTable
from maestro_analytics.warehouse.connection import quoted, quoted_all, rowcount, scalar, scan
from maestro_analytics.warehouse.landing.accounting import RowCounts, counted
from maestro_analytics.warehouse.landing.staged import counts_of, files_of, insert_list, turn_of, turns_of
from maestro_analytics.warehouse.ledger import Source


def land_csat(
    connection: duckdb.DuckDBPyConnection, staged: Sequence[StagedTable], sources: Sequence[Source]
) -> list[RowCounts]:
    """Replace the surveys of the tickets delivered. They are of the ticket, so deletion flags do not apply."""
    counts = counts_of(connection, staged, sources)
    files = files_of(staged)
    if not files:
        return counts
    connection.execute(
        f"""
        create or replace temp table delivered_tickets as
        select staged.source, staged.gradable_id, staged._delivery, deliveries.seq,
            {turn_of("staged.source, staged.gradable_id", sources)} as turn
        from {scan(files)} as staged
        join deliveries on deliveries.number = staged._delivery
        """
    )
    names = insert_list(staged[0])
    for turn in range(1, 1 + turns_of(connection, "delivered_tickets", sources)):
        connection.execute(
            """
            create or replace temp table tickets as
            select delivered.*, versions.export_seq is not null as is_known, later.seq is not null as is_stale
            from delivered_tickets as delivered
            left join state.csat_versions as versions
                on versions.gradable_id = delivered.gradable_id
                and versions.source is not distinct from delivered.source
            left join later_exports as later on later.seq = versions.export_seq
            where delivered.turn = $turn
            """,
            {"turn": turn},
        )
        if scalar(connection, "select count(*) from tickets where is_known and not is_stale"):
            for name in ("main.csat", "state.csat_versions"):
                connection.execute(
                    f"""
                    delete from {name} as old using tickets
                    where old.gradable_id = tickets.gradable_id and old.source is not distinct from tickets.source
                        and tickets.is_known and not tickets.is_stale
                    """
                )
        landed = rowcount(
            connection,
            f"""
            insert into main.csat ({quoted_all(names)})
            select {", ".join("staged." + quoted_all([name]) for name in names)}
            from {scan(files)} as staged
            join tickets on tickets.gradable_id = staged.gradable_id
                and tickets.source is not distinct from staged.source
                and tickets._delivery = staged._delivery
            where not tickets.is_stale
            """,
        )
        connection.execute(
            "insert into state.csat_versions select source, gradable_id, seq from tickets where not is_stale"
        )
        fates = connection.execute(
            "select _delivery, count(*) filter (not is_stale), 0, count(*) filter (is_stale) from tickets "
            "group by _delivery"
        ).fetchall()
        counts = counted(counts, sources, fates, landed)
    return counts


def land_append_only(
    connection: duckdb.DuckDBPyConnection, staged: Sequence[StagedTable], sources: Sequence[Source]
) -> list[RowCounts]:
    """Insert rows, each once by its `row_key`.

    A row that is there already stays as it is if an export that was requested later covers its moment (the table's
    first moment column), and is replaced otherwise.
    """
    counts = counts_of(connection, staged, sources)
    files = files_of(staged)
    if not files:
        return counts
    table = staged[0].table
    key = table.row_key or ()
    same = " and ".join(f"old.{name} = staged.content.{name}" for name in key)
    moment = next(name for name, role in table.columns.items() if role is Role.MOMENT)
    # The content in one column: a column that the vendor adds may be called `turn`.
    connection.execute(
        f"""
        create or replace temp table staged_rows as
        select staged as content, _delivery, {turn_of(", ".join(key), sources)} as turn
        from {scan(files)} as staged
        semi join deliveries on deliveries.number = staged._delivery
        """
    )
    names = insert_list(staged[0])
    values = ", ".join(f"content.{quoted(name)}" for name in names)
    for turn in range(1, 1 + turns_of(connection, "staged_rows", sources)):
        connection.execute(
            f"""
            create or replace temp table known_rows as
            select old.rowid as old_row, staged.rowid as new_row, exists (
                from state.exports as later
                where later.kind = $kind and later.landing is not null and later.seq in (select seq from later_exports)
                    and staged.content.{moment} >= later.window_start - interval 1 second
                    and staged.content.{moment} <= later.window_end + interval 1 second
            ) as is_stale
            from staged_rows as staged
            join main.{table.name} as old on {same}
            where staged.turn = $turn
            """,
            {"kind": sources[0].kind, "turn": turn},
        )
        connection.execute(
            f"delete from main.{table.name} where rowid in (select old_row from known_rows where not is_stale)"
        )
        landed = rowcount(
            connection,
            f"insert into main.{table.name} ({quoted_all(names)}) select {values} from staged_rows "
            "where turn = $turn and rowid not in (select new_row from known_rows where is_stale)",
            {"turn": turn},
        )
        fates = connection.execute(
            """
            select _delivery, count(*) filter (not is_stale), 0, count(*) filter (is_stale)
            from (
                select _delivery, rowid in (select new_row from known_rows where is_stale) as is_stale
                from staged_rows where turn = $turn
            )
            group by _delivery
            """,
            {"turn": turn},
        ).fetchall()
        counts = counted(counts, sources, fates, landed)
    return counts


def is_doubtful(
    connection: duckdb.DuckDBPyConnection, name: str, source: Source, rows: int, earlier: int | None = None
) -> bool:
    """Whether a snapshot of `rows` rows is not believed yet; records the doubt.

    A snapshot that is empty, or has less than half of the rows of the table, replaces nothing until the next run sees
    about the same: as few rows, within a factor of two.

    Args:
        earlier: rows that the snapshot would replace; default: all of the table.
    """
    earlier = _count(connection, name) if earlier is None else earlier
    doubted = connection.execute(
        "select rows, coalesce(export_seq = $seq, false) from state.doubted_snapshots where table_name = $name",
        {"name": name, "seq": source.seq},
    ).fetchall()
    connection.execute("delete from state.doubted_snapshots where table_name = ?", [name])
    if 2 * rows >= earlier:
        return False
    if doubted and not doubted[0][1] and doubted[0][0] <= 2 * rows <= 4 * doubted[0][0]:
        return False
    connection.execute("insert into state.doubted_snapshots values (?, ?, ?, ?)", [name, source.seq, source.at, rows])
    return True


def doubt_warning(connection: duckdb.DuckDBPyConnection, name: str, rows: int, earlier: int | None = None) -> str:
    """The warning about a snapshot that is not believed yet."""
    earlier = _count(connection, name) if earlier is None else earlier
    return (
        f"{name}: the vendor returned {rows} rows where there were {earlier}, so the earlier rows stay. "
        "They are replaced if the next refresh sees the same."
    )


def _count(connection: duckdb.DuckDBPyConnection, name: str) -> int:
    return int(scalar(connection, f"select count(*) from main.{name}"))


def land_snapshot(
    connection: duckdb.DuckDBPyConnection, staged_tables: Sequence[StagedTable], sources: Sequence[Source]
) -> list[RowCounts]:
    """Replace the whole table, unless it has a later snapshot or this one is doubtful. Snapshots land one by one."""
    (staged,), (source,) = staged_tables, sources
    (counts,) = counts_of(connection, staged_tables, sources)
    name = staged.table.name
    if scalar(
        connection,
        "select count(*) from state.snapshots where table_name = ? and export_seq in (select seq from later_exports)",
        [name],
    ):
        return [replace(counts, superseded=staged.rows_live)]
    if is_doubtful(connection, name, source, staged.rows_live):
        return [replace(counts, doubted=staged.rows_live)]
    connection.execute(f"delete from main.{name}")
    landed = 0
    if staged.files:
        names = quoted_all(insert_list(staged))
        landed = rowcount(connection, f"insert into main.{name} ({names}) select {names} from {scan(staged.files)}")
    _record_snapshot(connection, name, source, landed)
    return [replace(counts, landed=landed)]


def land_list(connection: duckdb.DuckDBPyConnection, staged: StagedTable, source: Source) -> int:
    """Replace the whole table of a coaching list; returns the rows landed.

    Of two records with one id the one changed last lands, and of equal ones the last in the list.
    """
    name = staged.table.name
    connection.execute(f"delete from main.{name}")
    landed = 0
    # One batch after another: all at once would hold a long list in memory.
    for file in staged.files:
        landed += rowcount(connection, f"insert into main.{name} by name select * from {scan([file])}")
    if landed > staged.rows_live:
        order = "(coalesce(updated_at, '-infinity'::timestamptz), rowid)"
        newest = f"select max_by(rowid, {order}) from main.{name} group by id"
        landed -= rowcount(connection, f"delete from main.{name} where rowid not in ({newest})")
    _record_snapshot(connection, name, source, landed)
    return landed


def _record_snapshot(connection: duckdb.DuckDBPyConnection, name: str, source: Source, rows: int) -> None:
    connection.execute("delete from state.snapshots where table_name = ?", [name])
    connection.execute("insert into state.snapshots values (?, ?, ?, ?)", [name, source.seq, source.at, rows])


def supersede_snapshots(connection: duckdb.DuckDBPyConnection, source: Source) -> None:
    """Give up the exports of a snapshot that a later one has replaced, or this one if the table has a later one.

    Their refused rows go, and their kept files go with the next publication. A refused or doubted export that was asked
    for after the one in the table stays.
    """
    name = EXPORT_KINDS[source.kind].tables[0]
    in_table = scalar(connection, "select max(export_seq) from state.snapshots where table_name = ?", [name])
    if in_table == source.seq:
        superseded = "seq <> $seq and seq not in (select seq from later_exports)"
    elif scalar(connection, "select count(*) from later_exports where seq = ?", [in_table]):
        superseded = "seq = $seq"
    else:
        return
    superseded += (
        " and kind = $kind and status in ('landed', 'partial', 'unreadable') and file is not null and pruned_at is null"
    )
    seq = {"seq": source.seq, "kind": source.kind}
    connection.execute(
        f"delete from state.quarantine where export_seq in (select seq from state.exports where {superseded})", seq
    )
    connection.execute(f"update state.exports set pruned_at = $at where {superseded}", seq | {"at": source.at})
