"""Refused rows, in state.quarantine."""

from __future__ import annotations

import duckdb
import polars as pl

from maestro_analytics.tables.delivery import Refusal, refusals_frame
from maestro_analytics.warehouse.connection import quoted_all, rowcount
from maestro_analytics.warehouse.landing.accounting import Source
from maestro_analytics.warehouse.state import QUARANTINE


def quarantine(
    connection: duckdb.DuckDBPyConnection, refusals: list[Refusal], source: Source, *, file_refused: bool = False
) -> int:
    """Write refused rows; returns how many. Call `clear_quarantine` before a file is read again."""
    if not refusals:
        return 0
    rows = refusals_frame(refusals).with_columns(
        pl.lit(source.file, dtype=pl.String).alias("file"),
        pl.lit(source.kind).alias("kind"),
        pl.lit(source.seq, dtype=pl.Int64).alias("export_seq"),
        pl.lit(source.export_id, dtype=pl.String).alias("export_id"),
        pl.lit(source.at, dtype=pl.Datetime("us", "UTC")).alias("quarantined_at"),
        pl.lit(file_refused).alias("file_refused"),
    )
    names = quoted_all(list(QUARANTINE.columns))
    connection.register("refused_rows", rows)
    try:
        return rowcount(connection, f"insert into state.quarantine ({names}) select {names} from refused_rows")
    finally:
        connection.unregister("refused_rows")


def clear_quarantine(connection: duckdb.DuckDBPyConnection, export_seq: int) -> None:
    """Remove what earlier readings of an export put into quarantine."""
    connection.execute("delete from state.quarantine where export_seq = ?", [export_seq])
