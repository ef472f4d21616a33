"""Land the tables that each delivery replaces as a whole: the agent groups and the coaching lists."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import duckdb

from maestro_analytics.kinds import EXPORT_KINDS
from maestro_analytics.tables.delivery import StagedTable
from maestro_analytics.warehouse.connection import quoted_all, rowcount, scalar
from maestro_analytics.warehouse.landing.accounting import RowCounts, Source
from maestro_analytics.warehouse.landing.staged import counts_of, insert_list, scan


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
