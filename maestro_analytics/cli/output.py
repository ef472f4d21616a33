"""Writing results to standard output: frames in every format, and the JSON object of `--json`."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Mapping
from datetime import date, time, timedelta
from decimal import Decimal
from enum import StrEnum
from math import isfinite
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import typer

if TYPE_CHECKING:
    import polars as pl

SCHEMA_VERSION = 1
"""The version of the JSON objects that `--json` prints."""

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object to standard output.")]


class Format(StrEnum):
    """How a frame is written to standard output."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"
    PARQUET = "parquet"


class JsonOutput:
    """The single JSON object of a command.

    Attributes:
        is_printed: whether this process has printed its object, so that a later failure prints no second one.
    """

    is_printed = False


def emit_json(payload: Mapping[str, Any]) -> None:
    """Print one JSON object with `schema_version` to standard output."""
    JsonOutput.is_printed = True
    print(json.dumps({"schema_version": SCHEMA_VERSION} | dict(payload), ensure_ascii=False, default=str))


def use_utf8() -> None:
    """Write UTF-8 to files and pipes; on a terminal, replace what its encoding lacks.

    The encoding of a cron job (ASCII) or a Windows console (cp1252) cannot hold every name.
    """
    for stream in (sys.stdout, sys.stderr):
        # A process without a console has no streams.
        if stream is None or not hasattr(stream, "reconfigure"):
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


def write(frame: pl.DataFrame, form: Format) -> None:
    """Write `frame` to standard output."""
    import polars as pl

    if form is Format.PARQUET:
        frame.write_parquet(sys.stdout.buffer)
    elif form is Format.JSON:
        print(json.dumps(rows_of(frame), ensure_ascii=False))
    elif form is Format.CSV:
        nested = [
            name for name, dtype in frame.schema.items() if dtype.is_nested() or dtype in (pl.Binary, pl.Duration)
        ]
        flat = frame.with_columns(pl.Series(name, _texts(frame[name]), dtype=pl.String) for name in nested)
        sys.stdout.write(flat.write_csv(datetime_format="%Y-%m-%dT%H:%M:%S%.fZ"))
    else:
        with pl.Config(
            tbl_rows=200,
            tbl_cols=-1,
            tbl_hide_dataframe_shape=True,
            tbl_hide_column_data_types=True,
            fmt_str_lengths=60,
            tbl_width_chars=-1,
        ):
            # Text of the vendor must not steer the terminal: neither cells, nor what lists hold, nor column names.
            print(re.sub(r"[\x00-\x08\x0B-\x1F\x7F-\x9F]", "\ufffd", str(frame)))
        print(f"{frame.height} rows", file=sys.stderr)


def _texts(column: pl.Series) -> list[str | None]:
    """Lists and structures as JSON text, bytes in hexadecimal, durations in seconds."""
    plain = [_plain(value) for value in column.to_list()]
    return [
        value if value is None or isinstance(value, str) else json.dumps(value, ensure_ascii=False) for value in plain
    ]


def _plain(value: Any) -> Any:
    """A value as JSON has it: moments in ISO 8601, bytes in hexadecimal, durations in seconds, NaN as null.

    A decimal number that a double does not hold to the last digit is text.
    """
    if isinstance(value, dict):
        return {str(_plain(name)): _plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, Decimal):
        if value == value.to_integral_value():
            return int(value)
        return float(value) if Decimal(repr(float(value))) == value else str(value)
    if isinstance(value, float) and not isfinite(value):
        return None
    return value


def rows_of(frame: pl.DataFrame) -> list[dict[str, Any]]:
    """The rows of a frame as JSON values; see `_plain`."""
    import polars as pl

    # Python's moments end at the microsecond.
    fine = [name for name, dtype in frame.schema.items() if dtype == pl.Time or _is_in_nanoseconds(dtype)]
    fine = [name for name in fine if (frame[name].to_physical() % 1_000 != 0).any()]
    return [_plain(row) for row in frame.with_columns(pl.col(fine).dt.to_string("iso:strict")).to_dicts()]


def _is_in_nanoseconds(dtype: pl.DataType) -> bool:
    import polars as pl

    return isinstance(dtype, pl.Datetime) and dtype.time_unit == "ns"
