"""Files for spreadsheets: Excel workbooks, and CSV that Excel opens as it is meant.

A spreadsheet takes a cell that begins with `=`, `+`, `-` or `@` for a formula, and turns ids into numbers. In a
workbook every text is written as text, so neither happens. CSV has no types: `--spreadsheet` puts an apostrophe before
such a text. Numbers and moments are numbers and moments in both.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from io import BytesIO
from typing import TYPE_CHECKING, Any

from maestro_analytics.errors import InvalidArgument
from maestro_analytics.extras import require
from maestro_analytics.text import json_value, text_of

if TYPE_CHECKING:
    import polars as pl

BOM = "\ufeff"
"""Without it Excel reads a CSV file in the encoding of the country."""

STARTS_A_FORMULA = re.compile(r"^[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
"""The signs after which spreadsheets evaluate a cell; the last four are their full-width forms."""

MOST_ROWS = 1_048_575
"""Of a sheet, besides its heading."""

MOST_CHARACTERS = 32_767
"""Of a cell."""

EXACT_INTEGER = 10**15
"""Excel keeps 15 digits of a number."""

FIRST_DATE = date(1900, 3, 1)
"""Before it Excel counts a day that never was."""

MOMENT_FORMAT = 'yyyy-mm-dd hh:mm:ss"Z"'
PLAIN_MOMENT_FORMAT = "yyyy-mm-dd hh:mm:ss"
DATE_FORMAT = "yyyy-mm-dd"


def without_formulas(frame: pl.DataFrame) -> pl.DataFrame:
    """`frame` with an apostrophe before each text, and each column name, that a spreadsheet would evaluate."""
    import polars as pl

    texts = pl.col([name for name, dtype in frame.schema.items() if dtype in (pl.String, pl.Categorical, pl.Enum)])
    texts = texts.cast(pl.String)
    guarded = frame.with_columns(
        pl.when(texts.str.contains(STARTS_A_FORMULA.pattern)).then("'" + texts).otherwise(texts).name.keep()
    )
    return guarded.rename({name: f"'{name}" for name in frame.columns if STARTS_A_FORMULA.match(name)})


def workbook(sheets: Mapping[str, pl.DataFrame], *, notes: Sequence[tuple[str, ...]] = (), for_what: str) -> bytes:
    """An Excel workbook with one sheet for each frame.

    Texts stay texts: ids keep their leading zeros, and no text becomes a formula or a link. Moments are in UTC. What
    Excel cannot hold as a number (more than 15 digits, infinite) is text; a text is cut at 32,767 characters.

    Args:
        sheets: sheet name -> its rows; a name of more than 31 characters is cut.
        notes: lines of a first sheet "About"; none without them.
        for_what: what the workbook is for, in the message that names a missing extra.

    Raises:
        SettingsError: the extra `excel` is not installed.
        InvalidArgument: more rows than a sheet of Excel has.
    """
    require("excel", for_what=for_what)
    import xlsxwriter

    for name, frame in sheets.items():
        if frame.height > MOST_ROWS:
            raise InvalidArgument(
                f"{name} has {frame.height:,} rows, and a sheet of Excel has {MOST_ROWS:,}: use csv or parquet, or "
                "choose fewer rows."
            )
    buffer = BytesIO()
    # Row by row, so that the memory does not hold the whole workbook.
    with xlsxwriter.Workbook(buffer, {"constant_memory": True}) as book:
        bold = book.add_format({"bold": True})
        formats = {
            form: book.add_format({"num_format": form}) for form in (MOMENT_FORMAT, PLAIN_MOMENT_FORMAT, DATE_FORMAT)
        }
        names = _sheet_names([*(["About"] if notes else []), *sheets])
        if notes:
            about = book.add_worksheet(names.pop(0))
            about.set_column(0, 1, 30)
            for row, line in enumerate(notes):
                for at, text in enumerate(line):
                    _write_text(about, row, at, text)
        for name, frame in zip(names, sheets.values(), strict=True):
            sheet = book.add_worksheet(name)
            sheet.freeze_panes(1, 0)
            sheet.autofilter(0, 0, frame.height, max(frame.width - 1, 0))
            _write_sheet(sheet, frame, bold, formats)
    return buffer.getvalue()


def _sheet_names(wanted: Sequence[str]) -> list[str]:
    """As Excel allows them: 31 characters, none of []:*?/\\, no two alike in any case."""
    names: list[str] = []
    for each in wanted:
        clean = re.sub(r"[\[\]:*?/\\]", " ", each).strip("' ")[:31] or "sheet"
        name, count = clean, 1
        while name.lower() in {taken.lower() for taken in names}:
            count += 1
            name = f"{clean[:27]} {count}"
        names.append(name)
    return names


def _write_sheet(sheet: Any, frame: pl.DataFrame, bold: Any, formats: Mapping[str, Any]) -> None:
    for at, column in enumerate(frame.iter_columns()):
        sheet.set_column(at, at, _width(column))
        _write_text(sheet, 0, at, column.name, bold)
    for row, values in enumerate(frame.iter_rows(), 1):
        for at, value in enumerate(values):
            if value is not None:
                _write_cell(sheet, row, at, value, formats)


def _width(column: pl.Series) -> int:
    """In characters: what is seen of the first rows."""
    import polars as pl

    longest = 20 if column.dtype.is_temporal() else 10
    if column.dtype == pl.String:
        longest = max(column.head(200).str.len_chars().fill_null(0).to_list(), default=0)
    return min(60, max(longest, len(column.name)) + 2)


def _write_cell(sheet: Any, row: int, at: int, value: Any, formats: Mapping[str, Any]) -> None:
    if isinstance(value, bool):
        sheet.write_boolean(row, at, value)
    elif isinstance(value, datetime) and value.date() >= FIRST_DATE:
        form = PLAIN_MOMENT_FORMAT if value.tzinfo is None else MOMENT_FORMAT
        moment = value if value.tzinfo is None else value.astimezone(UTC).replace(tzinfo=None)
        sheet.write_datetime(row, at, moment, formats[form])
    elif isinstance(value, date) and not isinstance(value, datetime) and value >= FIRST_DATE:
        sheet.write_datetime(row, at, value, formats[DATE_FORMAT])
    elif isinstance(value, int | float | Decimal | timedelta) and _is_exact(number := json_value(value)):
        sheet.write_number(row, at, number)
    else:
        _write_text(sheet, row, at, text_of(value))


def _is_exact(number: Any) -> bool:
    """Whether Excel keeps a number as it is; a decimal number that no double holds is text already."""
    return isinstance(number, float) or (isinstance(number, int) and abs(number) < EXACT_INTEGER)


def _write_text(sheet: Any, row: int, at: int, text: str, form: Any = None) -> None:
    # The library would take this one for marked-up text, and write it into the file's XML as it is.
    if text.startswith("<r>") and text.endswith("</r>"):
        text += " "
    sheet.write_string(row, at, text[:MOST_CHARACTERS], form)
