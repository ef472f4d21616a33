"""The result of reading one export: checked rows on disk, and every row and file that was refused."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field, fields
from datetime import datetime
from pathlib import Path

import polars as pl
import polars.selectors as cs

from maestro_analytics.errors import UnreadableFile
from maestro_analytics.files import is_zip
from maestro_analytics.tables.columns import Table

BUDGET = 0.01
"""Share of a file's rows that may be refused before the whole file is refused; see `allowed_refusals`."""

ALWAYS_ALLOWED = 5
"""A few bad rows never refuse a file, however small it is, as long as they are at most half of it."""


def allowed_refusals(rows: int, budget: float = BUDGET) -> float:
    """How many of a file's rows may be refused: the budget's share, never fewer than 5, and never more than half.

    A `budget` of more than half is an explicit choice and is honoured; a `budget` of 0 allows no refused row.
    """
    share = budget * rows
    return share if budget == 0 else min(max(share, ALWAYS_ALLOWED), max(share, rows / 2))


@dataclass(frozen=True, slots=True)
class Refusal:
    """A refused row.

    Attributes:
        table_name: the table it was meant for.
        member: the file inside the zip; empty for a plain file.
        line: the line of the file it starts on; the first is 1.
        column_name: the first wrong column; None when the whole row is wrong (its number of fields, its bytes).
        reason: what is wrong, all of it.
        raw: the row as it stands in the file.
        grade_key: the grade that it belongs to; None where that could not be read.
    """

    table_name: str
    member: str
    line: int
    column_name: str | None
    reason: str
    raw: str
    grade_key: str | None = None


@dataclass
class StagedTable:
    """Rows of one table of a delivery, checked and typed, in Parquet files.

    Attributes:
        table: which table.
        columns: the stored columns that the files brought, without those made here and the deletion flag.
        unknown: stored name -> name in the file, for columns that the table does not know.
        files: Parquet files of live rows: `columns`, what is made here, and `ROW_NUMBER` where rows have a key.
        flagged_files: Parquet files of rows that the vendor marks as deleted: the grade's key and its parts.
        largest_file: bytes in memory of the rows of the largest of `files`; known of lists only.
        rows_read: rows that the files held.
        rows_live: rows in `files`.
        rows_flagged: rows in `flagged_files`.
        has_deleted_flag: whether a file had the column that says which rows are deleted.
        rows_repeated: rows identical in every column to one in `files` that has the same row key.
        has_several: whether rows may share the columns `Table.several_by`; where it is false, none do.
        refusals: the rows refused.
        named_keys: grade keys of refused rows, where they could be read: the delivery names these grades too.
    """

    table: Table
    columns: list[str] = field(default_factory=list)
    unknown: dict[str, str] = field(default_factory=dict)
    files: list[Path] = field(default_factory=list)
    flagged_files: list[Path] = field(default_factory=list)
    largest_file: int = 0
    rows_read: int = 0
    rows_live: int = 0
    rows_flagged: int = 0
    has_deleted_flag: bool = False
    rows_repeated: int = 0
    has_several: bool = False
    refusals: list[Refusal] = field(default_factory=list)
    named_keys: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class RefusedFile:
    """A file of an export from which nothing is landed.

    Attributes:
        member: its name in the zip; empty for a plain file.
        table_name: the table it was meant for, by its columns or its name; None when that is not known.
        error: why; `SchemaMismatch` where its columns or its rows were refused.
        refusals: the first of its refused rows.
        rows_refused: how many rows were refused.
    """

    member: str
    table_name: str | None
    error: UnreadableFile
    refusals: list[Refusal] = field(default_factory=list)
    rows_refused: int = 0


@dataclass
class Delivery:
    """One export, read. A context manager: leaving it removes the staged files.

    Attributes:
        path: the kept file.
        kind: `raw`, `groups` or `audit`.
        tables: table name -> its rows, for each table whose file was read (it may have held no rows).
        refused: files that could not be used: damaged, encrypted, without a header, without an identity column, over
            the budget, or not recognised while a table is missing. What they held is unknown, so nothing may be
            deleted on their account.
        missing: names of the tables of this kind that no file brought, in the order of the kind. A table in `missing`
            or in `refused` has no replacement rows: a landing must keep its earlier rows, and the export's window is
            not complete. A table that came with a header and no rows is in `tables`, not here.
        unknown: files of no known table beside a complete set of tables: reported and kept, otherwise ignored.
        warnings: unusual things that lost nothing, such as columns that a file lacks.
        staging: the folder of the staged files.
        number: what the column `DELIVERY` of the staged files has in its rows.
    """

    path: Path
    kind: str
    staging: Path
    number: int = 0
    tables: dict[str, StagedTable] = field(default_factory=dict)
    refused: list[RefusedFile] = field(default_factory=list)
    missing: tuple[str, ...] = ()
    unknown: list[RefusedFile] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @property
    def refusals(self) -> list[Refusal]:
        """All refused rows, those of refused files too."""
        return [refusal for staged in self.tables.values() for refusal in staged.refusals] + [
            refusal for file in self.refused for refusal in file.refusals
        ]

    @property
    def is_single_table(self) -> bool:
        """Whether it is a plain file of one table, and not a zip that lacks the others."""
        return not is_zip(self.path) and len(self.tables) == 1

    @property
    def is_single_refused_file(self) -> bool:
        """Whether it is a plain file that was refused."""
        return not is_zip(self.path) and not self.tables

    def newest_moment(self) -> datetime | None:
        """The newest moment in any column of its rows; None where no row has one."""
        newest = []
        for staged in self.tables.values():
            for file in (*staged.files, *staged.flagged_files):
                found = pl.scan_parquet(file, glob=False, hive_partitioning=False).select(cs.datetime().max()).collect()
                newest += [moment for moment in found.row(0) if moment is not None] if found.width else []
        return max(newest, default=None)

    def close(self) -> None:
        """Remove the staged files."""
        shutil.rmtree(self.staging, ignore_errors=True)

    def __enter__(self) -> Delivery:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def refusals_frame(refusals: list[Refusal]) -> pl.DataFrame:
    """One row per refused row; columns as the attributes of `Refusal`."""
    names = [entry.name for entry in fields(Refusal)]
    schema = {name: pl.Int64 if name == "line" else pl.String for name in names}
    return pl.DataFrame([[getattr(refusal, name) for name in names] for refusal in refusals], schema, orient="row")
