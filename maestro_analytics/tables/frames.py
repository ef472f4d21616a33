"""Read an export file into polars frames, without a database."""

from __future__ import annotations

import tempfile
from pathlib import Path

import polars as pl

from maestro_analytics.errors import InvalidArgument
from maestro_analytics.kinds import EXPORT_KINDS
from maestro_analytics.tables import reader
from maestro_analytics.tables.columns import DELIVERY
from maestro_analytics.tables.delivery import Delivery, StagedTable, refusals_frame
from maestro_analytics.tables.staging import read_rows


class ExportFrames(dict[str, pl.DataFrame]):
    """The tables of one export file: table name -> its live rows, typed and checked as in the warehouse.

    A table whose file was refused or missing has no frame; one whose file has a header and no rows has an empty frame.

    Attributes:
        path: the file.
        kind: `raw`, `groups` or `audit`.
        refused: one row per refused row, and one (without `line` and `raw`) per refused file: table_name, member (the
            file inside the zip), line, column_name, reason, raw.
        missing: tables of this kind that the file does not have.
        warnings: unusual things that lost nothing, such as columns that the file lacks.
    """

    def __init__(self, delivery: Delivery) -> None:
        super().__init__({name: live_rows(staged) for name, staged in delivery.tables.items()})
        self.path = delivery.path
        self.kind = delivery.kind
        self.missing = delivery.missing
        self.warnings = [*delivery.warnings, *(str(file.error) for file in delivery.unknown)]
        rows = refusals_frame(delivery.refusals).drop("grade_key")
        files = pl.DataFrame(
            [(file.table_name, file.member, None, None, str(file.error), None) for file in delivery.refused],
            rows.schema,
            orient="row",
        )
        self.refused = pl.concat([files, rows])

    def __repr__(self) -> str:
        rows = ", ".join(f"{name}: {frame.height:,} rows" for name, frame in self.items())
        return f"<{self.kind} export {self.path.name}: {rows}; refused: {self.refused.height:,}>"


def read_export(path: Path | str, *, kind: str | None = None) -> ExportFrames:
    """Read an export file into frames. Needs no database, no token and no network, and leaves nothing behind.

    A zip or a plain CSV, as the vendor delivers it or as a spreadsheet saved it again. Deleted grades are left out.

    Args:
        path: the file.
        kind: `raw`, `groups` or `audit`; recognised by the columns when None.

    Returns:
        One frame per table; what was refused is in `.refused`.

    Raises:
        InvalidArgument: there is no such file, or no such kind.
        UnreadableFile: it is not an export, or every file in it was refused; `.failures` of a `TooManyBadRows` has the
            refused rows.
    """
    file = Path(path)
    if not file.is_file():
        raise InvalidArgument(f"{file} is not a file: give the path of an export, a zip or a CSV.")
    if kind is not None and kind not in EXPORT_KINDS:
        raise InvalidArgument(f"kind {kind!r} is unknown: choose from {', '.join(EXPORT_KINDS)}.")
    with (
        tempfile.TemporaryDirectory(prefix="maestro-analytics-") as staging,
        reader.read_export(file, kind=kind or reader.kind_of(file), staging=Path(staging) / "rows") as delivery,
    ):
        if not delivery.tables and delivery.refused:
            raise delivery.refused[0].error
        return ExportFrames(delivery)


def live_rows(staged: StagedTable) -> pl.DataFrame:
    """The staged rows of one table, with its columns first and those that it does not know behind them."""
    return pl.concat([staged.table.empty(), *(read_rows(path).drop(DELIVERY) for path in staged.files)], how="diagonal")
