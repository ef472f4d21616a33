"""Values of frames as JSON and as text."""

from __future__ import annotations

import json
from datetime import date, time, timedelta
from decimal import Decimal
from math import isfinite
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import polars as pl


def json_value(value: Any) -> Any:
    """A value as JSON has it: moments in ISO 8601, bytes in hexadecimal, durations in seconds, NaN as null.

    A decimal number that a double does not hold to the last digit is text.
    """
    if isinstance(value, dict):
        return {str(json_value(name)): json_value(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [json_value(inner) for inner in value]
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
    """The rows of a frame as JSON values; see `json_value`."""
    import polars as pl

    # Python's moments end at the microsecond.
    fine = [name for name, dtype in frame.schema.items() if dtype == pl.Time or _is_in_nanoseconds(dtype)]
    fine = [name for name in fine if (frame[name].to_physical() % 1_000 != 0).any()]
    return [json_value(row) for row in frame.with_columns(pl.col(fine).dt.to_string("iso:strict")).to_dicts()]


def _is_in_nanoseconds(dtype: pl.DataType) -> bool:
    import polars as pl

    return isinstance(dtype, pl.Datetime) and dtype.time_unit == "ns"


def text_of(value: Any) -> str:
    """A value as text: lists and structures as JSON, moments in ISO 8601, bytes in hexadecimal, spans in seconds."""
    if isinstance(value, float):
        return str(value)
    plain = json_value(value)
    return plain if isinstance(plain, str) else json.dumps(plain, ensure_ascii=False)
