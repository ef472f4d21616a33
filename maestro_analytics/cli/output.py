"""Writing results to standard output or a file: frames in every format, and the JSON object of `--json`."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from io import BytesIO
from pathlib import Path
from shutil import get_terminal_size
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, TextIO

import typer

from maestro_analytics.errors import InvalidArgument
from maestro_analytics.extras import require
from maestro_analytics.files import write_whole
from maestro_analytics.text import harmless, one_line, rows_of, shortened, table_lines, text_of

if TYPE_CHECKING:
    import polars as pl

CSV_MOMENT = "%Y-%m-%dT%H:%M:%S%.fZ"

SCHEMA_VERSION = 1
"""The version of the JSON objects that `--json` prints."""

MOST_ROWS = 200
"""How many rows of a table people are shown."""
EXPLAIN = ["explain_key", "explain_value"]
"""The columns of DuckDB's `explain`."""
LONGEST_CELL = 60
"""How many letters of a cell are written where no terminal wraps it."""

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object to standard output.")]


ForSpreadsheets = Annotated[
    bool,
    typer.Option(
        "--spreadsheet",
        help="Write csv for Excel and the like: a byte order mark, and an apostrophe before what would be a formula.",
    ),
]


class Format(StrEnum):
    """How a frame is written."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"
    PARQUET = "parquet"
    XLSX = "xlsx"

    @property
    def is_binary(self) -> bool:
        return self in (Format.PARQUET, Format.XLSX)


class JsonOutput:
    """The single JSON object of a command.

    Attributes:
        started_at: when the command began.
        is_printed: whether this process has printed its object, so that a later failure prints no second one.
        of_nothing_done: command -> the other keys of its object where it failed before it did anything, so that a
            program that reads them need not know why it failed.
    """

    started_at: ClassVar[datetime] = datetime.now(UTC)
    is_printed = False
    of_nothing_done: ClassVar[dict[str, Callable[[], Mapping[str, Any]]]] = {}


def emit_json(payload: Mapping[str, Any], *, exit_code: int = 0) -> None:
    """Print one JSON object to standard output, with `schema_version`, `exit_code` and when the command ran."""
    JsonOutput.is_printed = True
    whole = {
        "schema_version": SCHEMA_VERSION,
        **payload,
        "started_at": payload.get("started_at") or JsonOutput.started_at.isoformat(),
        "finished_at": payload.get("finished_at") or datetime.now(UTC).isoformat(),
        "exit_code": exit_code,
    }
    print(json.dumps(whole, ensure_ascii=False, default=str))


def print_count(name: str, count: int, note: str = "") -> None:
    """Print a line of a list of counts."""
    print(f"{name:<24}{count:>12,}{note}")


def use_utf8() -> None:
    """Write UTF-8 to files and pipes; on a terminal, replace what its encoding lacks.

    The encoding of a cron job (ASCII) or a Windows console (cp1252) cannot hold every name. A stream that is closed
    becomes one to nowhere: a database would get its number otherwise, and what a library prints.
    """
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115 - until the end
    for stream in (sys.stdout, sys.stderr):
        if not hasattr(stream, "reconfigure"):
            continue
        if stream.isatty():
            stream.reconfigure(errors="replace")
        else:
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")


def discard(stream: TextIO) -> None:
    """Send what is still buffered for a closed pipe to nowhere, so that the interpreter ends without a message."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def format_of(output: Path | None) -> Format:
    """The format that a file's name asks for; a table without a file.

    Raises:
        InvalidArgument: the name ends like none of them.
    """
    if output is None:
        return Format.TABLE
    ending = output.suffix.lower().removeprefix(".")
    try:
        return Format({"txt": "table"}.get(ending, ending))
    except ValueError:
        raise InvalidArgument(f"--output {output}: say which --format it has: {', '.join(Format)}.") from None


def check_destination(form: Format, output: Path | None, *, for_spreadsheets: bool = False) -> None:
    """Check before the work is done that its result can be written.

    Raises:
        InvalidArgument: a binary format and a terminal, a folder as `output`, or `--spreadsheet` without csv.
        SettingsError: xlsx without the extra `excel`.
    """
    if form is Format.XLSX:
        require("excel", for_what="`--format xlsx`")
    if form.is_binary and output is None and sys.stdout.isatty():
        raise InvalidArgument(f"{form} is binary and is not written to a terminal: give --output FILE, or redirect it.")
    if output is not None and output.is_dir():
        raise InvalidArgument(f"--output {output} is a folder; {form} is written to one file.")
    if for_spreadsheets and form is not Format.CSV:
        raise InvalidArgument("--spreadsheet is for --format csv; xlsx needs no such care.")


def write(frame: pl.DataFrame, form: Format, *, output: Path | None = None, for_spreadsheets: bool = False) -> None:
    """Write `frame` to standard output, or to the file `output`."""
    if form is Format.TABLE:
        first = frame.head(MOST_ROWS + 1).rows()
        texts = [[None if value is None else text_of(value) for value in row] for row in first]
        write_table(frame.columns, texts, [dtype.is_numeric() for dtype in frame.schema.values()], output=output)
    else:
        write_content(_content(frame, form, for_spreadsheets=for_spreadsheets), output)


def write_table(
    headings: Sequence[str],
    rows: Sequence[Sequence[str | None]],
    are_numbers: Sequence[bool],
    *,
    output: Path | None = None,
) -> None:
    """Write the first `MOST_ROWS` of `rows` as a table to standard output, or to the file `output`.

    On a terminal, a table that is too wide has its cells wrapped, or each row written as a list. In a pipe or a file
    each row is one line, and texts longer than `LONGEST_CELL` are cut.

    Args:
        rows: their cells as text; None is written as `null`.
        are_numbers: of each column, whether its cells are numbers, which are aligned to the right.
    """
    longest, width = LONGEST_CELL, sys.maxsize
    if output is None and sys.stdout.isatty():
        longest, width = sys.maxsize, get_terminal_size().columns
    shown = [[shortened("null" if cell is None else cell, longest) for cell in row] for row in rows[:MOST_ROWS]]
    # Text of the vendor must not steer the terminal: neither cells nor column names.
    names = [one_line(name) for name in headings]
    if names == EXPLAIN:  # a drawing of several lines
        lines = [line for _, plan in rows for line in harmless(plan or "").splitlines()]
    else:
        lines = table_lines(names, shown, width=width, to_the_right=are_numbers) if names else []
    write_content("".join(f"{line}\n" for line in lines), output)
    if len(rows) > MOST_ROWS:
        print(f"the first {MOST_ROWS} rows; --format csv writes all", file=sys.stderr)
    else:
        print(f"{len(rows)} row{'' if len(rows) == 1 else 's'}", file=sys.stderr)


def write_content(content: str | bytes, output: Path | None) -> None:
    """Write to a file, whole or not at all; to standard output without one."""
    if output is not None:
        write_whole(output, content)
        typer.echo(f"wrote {output}", err=True)
    elif isinstance(content, bytes):
        sys.stdout.buffer.write(content)
    else:
        sys.stdout.write(content)


def _content(frame: pl.DataFrame, form: Format, *, for_spreadsheets: bool) -> str | bytes:
    if form is Format.XLSX:
        from maestro_analytics.cli.spreadsheet import workbook

        return workbook({"result": frame}, for_what="`--format xlsx`")
    if form is Format.PARQUET:
        buffer = BytesIO()
        frame.write_parquet(buffer)
        return buffer.getvalue()
    if form is Format.JSON:
        return json.dumps(rows_of(frame), ensure_ascii=False) + "\n"
    return csv_text(frame, for_spreadsheets=for_spreadsheets)


def csv_text(frame: pl.DataFrame, *, for_spreadsheets: bool = False) -> str:
    """`frame` as CSV: lists and structures as JSON text, bytes in hexadecimal, durations in seconds."""
    import polars as pl

    nested = [name for name, dtype in frame.schema.items() if dtype.is_nested() or dtype in (pl.Binary, pl.Duration)]
    flat = frame.with_columns(
        pl.Series(name, [None if value is None else text_of(value) for value in frame[name].to_list()], dtype=pl.String)
        for name in nested
    )
    if not for_spreadsheets:
        return flat.write_csv(datetime_format=CSV_MOMENT)
    from maestro_analytics.cli.spreadsheet import BOM, without_formulas

    return BOM + without_formulas(flat).write_csv(datetime_format=CSV_MOMENT)
