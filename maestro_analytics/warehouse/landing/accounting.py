"""Every row that was read is landed, quarantined, deleted, repeated or set aside: the counts, and the quarantine.

The counts are checked inside the transaction and come from independent places: rows read from the parser, rows landed
and quarantined from what DuckDB reports as inserted, the rest from the staged files.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import duckdb
import polars as pl

from maestro_analytics.errors import UnreadableFile
from maestro_analytics.exports import ExportRecord
from maestro_analytics.tables.delivery import Refusal, RefusedFile, refusals_frame
from maestro_analytics.warehouse.connection import quoted_all, rowcount, scalar
from maestro_analytics.warehouse.ledger import Source
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


class RowsUnaccounted(AssertionError):
    """Rows were read that appear in no count: a bug. The landing is rolled back."""


@dataclass(frozen=True)
class RowCounts:
    """What became of the rows of one table's files.

    Attributes:
        read: rows that the files held.
        landed: rows now in the table.
        quarantined: rows refused, in state.quarantine.
        deleted: rows of grades that the vendor deleted, and rows that it marks as deleted.
        repeated: rows identical to one that landed.
        superseded: rows of grades, tickets or activities of which the table has a newer version.
        doubted: rows of a snapshot that is not believed until the next run sees the same.
    """

    table_name: str
    read: int = 0
    landed: int = 0
    quarantined: int = 0
    deleted: int = 0
    repeated: int = 0
    superseded: int = 0
    doubted: int = 0

    def check(self) -> None:
        """Raises RowsUnaccounted if the counts do not add up to the rows read."""
        set_aside = self.quarantined + self.deleted + self.repeated + self.superseded + self.doubted
        if self.read != self.landed + set_aside:
            raise RowsUnaccounted(f"the row counts do not add up, so nothing of this export landed: {self}")


def counted(
    before: Sequence[RowCounts],
    sources: Sequence[Source],
    fates: Iterable[tuple[int, int, int, int]],
    inserted: int,
) -> list[RowCounts]:
    """The counts of each export with what became of its staged rows.

    Args:
        fates: `Source.number`, and how many of its rows landed, were deleted and were superseded.
        inserted: what DuckDB says that it inserted.

    Raises:
        RowsUnaccounted: it inserted more or fewer than should have landed.
    """
    by_number = {number: fate for number, *fate in fates}
    if inserted != sum(landed for landed, _, _ in by_number.values()):
        raise RowsUnaccounted(f"{inserted} rows of {before[0].table_name} were inserted, and {by_number} should be")
    found = [by_number.get(source.number, (0, 0, 0)) for source in sources]
    return [
        replace(
            counts,
            landed=counts.landed + landed,
            deleted=counts.deleted + deleted,
            superseded=counts.superseded + superseded,
        )
        for counts, (landed, deleted, superseded) in zip(before, found, strict=True)
    ]


@dataclass
class Landed:
    """What a landing did.

    Attributes:
        export: the export that was landed; None for a list.
        row_counts: table name -> what became of its rows.
        refused: files of which nothing landed; while there are any, the window does not count as covered.
        unknown: files that match no known table.
        warnings: messages for a person.
        is_covered: whether everything of the export's window has landed.
    """

    export: ExportRecord | None
    row_counts: dict[str, RowCounts] = field(default_factory=dict)
    refused: list[RefusedFile] = field(default_factory=list)
    unknown: list[RefusedFile] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    is_covered: bool = True

    @property
    def rows(self) -> dict[str, int]:
        """Table name -> rows landed."""
        return {name: counts.landed for name, counts in self.row_counts.items()}

    @property
    def unreadable(self) -> UnreadableFile | None:
        """Why the whole export could not be read; None if it could be."""
        return next((file.error for file in self.refused if not file.member and file.table_name is None), None)

    @property
    def quarantined(self) -> int:
        """Rows quarantined from files that landed; the bad rows of a refused file are not counted."""
        return sum(counts.quarantined for counts in self.row_counts.values())


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
