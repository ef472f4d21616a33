"""Land the surveys of tickets."""

from __future__ import annotations

from collections.abc import Sequence

import duckdb

from maestro_analytics.tables.delivery import StagedTable
from maestro_analytics.warehouse.connection import quoted_all, rowcount, scalar
from maestro_analytics.warehouse.landing.accounting import RowCounts, Source, counted
from maestro_analytics.warehouse.landing.staged import counts_of, files_of, insert_list, scan, turn_of, turns_of


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
