"""What was read from one export: checked rows on disk, and an account of every row that is not among them."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from pathlib import Path

from maestro_analytics.errors import UnreadableFile
from maestro_analytics.tables.columns import Table


@dataclass(frozen=True, slots=True)
class Refusal:
    """A row that was not taken.

    Attributes:
        table_name: the table it was meant for.
        member: the file inside the zip; empty for a plain file.
        line: the line of the file it starts on; the first is 1.
        column_name: the first column that is wrong; None when the row itself is (its number of fields, its bytes).
        reason: what is wrong, all of it.
        raw: the row as it stands in the file.
    """

    table_name: str
    member: str
    line: int
    column_name: str | None
    reason: str
    raw: str


@dataclass
class StagedTable:
    """Rows of one table of a delivery, checked and typed, in Parquet files.

    Attributes:
        table: which table.
        columns: the stored columns that the files brought, without those made here and the deletion flag.
        unknown: stored name -> name in the file, for columns that the table does not know.
        files: Parquet files of live rows: `columns`, what is made here, and `ROW_NUMBER` where rows have a key.
        flagged_files: Parquet files of rows that the vendor marks as deleted: the grade's key and its parts.
        rows_read: rows that the files held.
        rows_live: rows in `files`.
        rows_flagged: rows in `flagged_files`.
        rows_repeated: rows identical in every column to one in `files` that has the same row key.
        refusals: the rows refused.
        named_keys: grade keys of refused rows, where they could be read: the delivery names these grades too.
    """

    table: Table
    columns: list[str] = field(default_factory=list)
    unknown: dict[str, str] = field(default_factory=dict)
    files: list[Path] = field(default_factory=list)
    flagged_files: list[Path] = field(default_factory=list)
    rows_read: int = 0
    rows_live: int = 0
    rows_flagged: int = 0
    rows_repeated: int = 0
    refusals: list[Refusal] = field(default_factory=list)
    named_keys: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class RefusedFile:
    """A file of an export of which nothing is taken.

    Attributes:
        member: its name in the zip; empty for a plain file.
        table_name: the table it was meant for; None when it is no file that we know.
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
        tables: table name -> its rows, for each table of which a file was taken (it may have held no row).
        refused: files that were meant for a table and refused.
        unknown: files that are no table of ours; they are reported and kept, and take nothing from the others.
        blank: files without even a header; beside others they count as files without rows.
        warnings: what a person should know: columns that a file lacks or has for the first time.
        staging: the folder of the staged files.
    """

    path: Path
    kind: str
    staging: Path
    tables: dict[str, StagedTable] = field(default_factory=dict)
    refused: list[RefusedFile] = field(default_factory=list)
    unknown: list[RefusedFile] = field(default_factory=list)
    blank: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @property
    def refusals(self) -> list[Refusal]:
        """All refused rows, those of refused files too."""
        return [refusal for staged in self.tables.values() for refusal in staged.refusals] + [
            refusal for file in self.refused for refusal in file.refusals
        ]

    def close(self) -> None:
        """Remove the staged files."""
        shutil.rmtree(self.staging, ignore_errors=True)

    def __enter__(self) -> Delivery:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
