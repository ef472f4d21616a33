"""Land the surveys of tickets."""

from __future__ import annotations

from dataclasses import replace

import duckdb

from maestro_analytics.tables.delivery import StagedTable
from maestro_analytics.warehouse.connection import rowcount, scalar
from maestro_analytics.warehouse.landing.accounting import RowCounts, Source
from maestro_analytics.warehouse.landing.staged import counts_of, insert_list, scan
from maestro_analytics.warehouse.quoting import quoted_all


def land_csat(connection: duckdb.DuckDBPyConnection, staged: StagedTable, source: Source) -> RowCounts:
    """Replace the surveys of the tickets delivered. They are of the ticket, so deletion flags do not apply."""
    counts = counts_of(connection, staged, source)
    if not staged.files:
        return counts
    connection.execute(
        f"""
        create or replace temp table tickets as
        select staged.source, staged.gradable_id, versions.export_seq is not null as is_known,
            later.seq is not null as is_stale
        from {scan(staged.files)} as staged
        left join state.csat_versions as versions
            on versions.gradable_id = staged.gradable_id and versions.source is not distinct from staged.source
        left join later_exports as later on later.seq = versions.export_seq
        """
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
    names = insert_list(staged)
    landed = rowcount(
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
    superseded = scalar(connection, "select count(*) from tickets where is_stale")
    return replace(counts, landed=landed, superseded=superseded)
