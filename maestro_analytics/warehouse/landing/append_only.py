"""Land rows that never change after they were made, such as the activities of the audit log."""

from __future__ import annotations

from collections.abc import Sequence

import duckdb

from maestro_analytics.tables.columns import Role
from maestro_analytics.tables.delivery import StagedTable
from maestro_analytics.warehouse.connection import quoted, quoted_all, rowcount
from maestro_analytics.warehouse.landing.accounting import RowCounts, Source, counted
from maestro_analytics.warehouse.landing.staged import counts_of, files_of, insert_list, scan, turn_of, turns_of


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
