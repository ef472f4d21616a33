"""Write refused rows to state.quarantine."""

from __future__ import annotations

from collections.abc import Sequence

import duckdb
import polars as pl

from maestro_analytics.exports import ExportRecord
from maestro_analytics.tables.delivery import Refusal, refusals_frame
from maestro_analytics.warehouse.connection import quoted_all, rowcount, scalar
from maestro_analytics.warehouse.landing.accounting import Source
from maestro_analytics.warehouse.state import QUARANTINE

SUPERSEDED_ROWS = """
delete from state.quarantine as old
where old.kind = $kind and (
    (
        old.export_seq <> $seq and old.export_seq not in (select seq from later_exports)
        and (
            (old.table_name, old.raw) in (select (table_name, raw) from state.quarantine where export_seq = $seq)
            or $is_covered and old.export_seq in (
                select earlier.seq from state.exports as earlier, state.exports as this
                where this.seq = $seq and earlier.kind = $kind
                    and earlier.window_start >= this.window_start and earlier.window_end <= this.window_end
            )
        )
    )
    or old.export_seq = $seq and (
        (old.table_name, old.raw) in (
            select (table_name, raw) from state.quarantine
            where kind = $kind and export_seq in (select seq from later_exports)
        )
        or exists (
            from state.exports as later, state.exports as this
            where this.seq = $seq and later.kind = $kind and later.seq in (select seq from later_exports)
                and later.status in ('landed', 'empty') and later.landing is not null
                and later.window_start <= this.window_start and later.window_end >= this.window_end
        )
    )
)
"""
"""Rows that came again with the same text, and rows of windows that a later export has covered whole."""

SUPERSEDED_ROWS_OF_GRADES = """
delete from state.quarantine as old
where old.kind = $kind and (
    old.export_seq <> $seq and old.export_seq not in (select seq from later_exports)
        and list_contains($tables, old.table_name)
        and old.grade_key in (select grade_key from grade_outcome where not is_stale)
    or old.export_seq = $seq and old.grade_key in (select grade_key from grade_outcome where is_stale)
)
"""
"""Rows of grades that a later export has brought."""


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


def clear_quarantine(connection: duckdb.DuckDBPyConnection, seqs: Sequence[int | None]) -> None:
    """Remove what earlier readings of exports put into quarantine."""
    connection.execute("delete from state.quarantine where list_contains($seqs, export_seq)", {"seqs": list(seqs)})


def drop_superseded(
    connection: duckdb.DuckDBPyConnection, export: ExportRecord, grade_tables: Sequence[str], *, is_covered: bool
) -> None:
    """Remove refused rows of windowed exports that a later export has replaced: of this one, and by this one.

    Runs after `find_later_exports`, and for grades after `classify_grades`.

    Args:
        grade_tables: the tables of grades that this export replaced.
        is_covered: whether everything of this export's window has landed.
    """
    if not scalar(connection, "select count(*) from state.quarantine where kind = ?", [export.kind]):
        return
    of_export = {"kind": export.kind, "seq": export.seq}
    connection.execute(SUPERSEDED_ROWS, of_export | {"is_covered": is_covered})
    if grade_tables:
        connection.execute(SUPERSEDED_ROWS_OF_GRADES, of_export | {"tables": list(grade_tables)})
