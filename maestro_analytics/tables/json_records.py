"""Records of the coaching lists (JSON, camelCase) -> a typed frame in snake case."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import polars as pl
import pyarrow as pa

from maestro_analytics.tables.casting import Typed, moment
from maestro_analytics.tables.columns import DTYPES, Role, Table
from maestro_analytics.tables.delivery import Refusal
from maestro_analytics.tables.validation import check_values

SKIPPED_MEMBER = ""


def read_records(
    records: Sequence[Mapping[str, Any]], table: Table, *, first_line: int = 1
) -> tuple[pl.DataFrame, list[Refusal]]:
    """Records as rows of `table`, and the ones refused.

    JSON says null where it means null, so texts are kept to the letter, `Unknown` and empty ones too. A key that the
    table does not know becomes a String column (JSON text where the value is no string). A record that stands twice
    is taken once; of two different records with one id the one changed last is taken.

    Args:
        first_line: number of the first record, for the refusals.

    Returns:
        One row per record, the table's columns and the unknown ones; refusals, whose `line` is the record's number.
    """
    rows = [{snake_case(key): value for key, value in record.items()} for record in records]
    known = table.file_columns
    unknown = list(dict.fromkeys(key for row in rows for key in row if key not in known))
    frame_columns: dict[str, pl.Series] = {}
    failed: dict[str, pl.Series] = {}
    for name, role in known.items():
        values = [row.get(name) for row in rows]
        if name in table.identity_columns:
            values = [None if value == "" else value for value in values]
        frame_columns[name] = read = _READERS.get(role, _texts)(name, values)
        wrong = pl.Series(name, [value not in (None, "") for value in values], dtype=pl.Boolean) & read.is_null()
        if wrong.any():
            failed[name] = wrong
    for name in unknown:
        frame_columns[name] = _texts(name, [row.get(name) for row in rows])
    text = pa.table({name: pa.array([_text(row.get(name)) for row in rows], pa.string()) for name in known})
    checked = check_values(Typed(pl.DataFrame(frame_columns), failed), table, missing=[], text=text)
    refusals = [
        Refusal(
            table.name, SKIPPED_MEMBER, row + first_line, problem.column_name, problem.reason, json.dumps(records[row])
        )
        for row, problem in sorted(checked.problems.items())
    ]
    newest = checked.live.sort("updated_at", nulls_last=False, maintain_order=True).unique("id", keep="last")
    return newest.sort("id"), refusals


def snake_case(key: str) -> str:
    """`coachingSessionIds` -> `coaching_session_ids`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", key).lower()


def _text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _texts(name: str, values: list[Any]) -> pl.Series:
    return pl.Series(name, [_text(value) for value in values], dtype=pl.String)


def _moments(name: str, values: list[Any]) -> pl.Series:
    return moment(pa.chunked_array([pa.array([_text(value) or "" for value in values], pa.string())])).alias(name)


def _flags(name: str, values: list[Any]) -> pl.Series:
    words = {"true": True, "1": True, "false": False, "0": False}
    return pl.Series(name, [words.get(str(value).lower()) for value in values], dtype=pl.Boolean)


def _numbers(name: str, values: list[Any]) -> pl.Series:
    return _texts(name, values).cast(pl.Float64, strict=False)


def _id_lists(name: str, values: list[Any]) -> pl.Series:
    lists = [[_text(entry) for entry in value] if isinstance(value, list) else None for value in values]
    return pl.Series(name, lists, dtype=DTYPES[Role.ID_LIST])


_READERS: dict[Role, Callable[[str, list[Any]], pl.Series]] = {
    Role.MOMENT: _moments,
    Role.FLAG: _flags,
    Role.NUMBER: _numbers,
    Role.SECONDS: _numbers,
    Role.ID_LIST: _id_lists,
}
