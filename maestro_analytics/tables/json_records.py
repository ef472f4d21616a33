"""Turn JSON records of the coaching lists into typed rows with snake case columns."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from itertools import accumulate
from typing import Any, cast

import polars as pl
import pyarrow as pa

from maestro_analytics.tables.casting import Typed, arrow_texts, flag, moment, number
from maestro_analytics.tables.columns import DTYPES, Role, Table
from maestro_analytics.tables.delivery import Refusal
from maestro_analytics.tables.headers import free_name
from maestro_analytics.tables.validation import check_values

SKIPPED_MEMBER = ""


def read_records(
    records: Sequence[Mapping[str, Any]], table: Table, *, first_line: int = 1
) -> tuple[pl.DataFrame, list[Refusal]]:
    """Records as rows of `table`, and the ones refused.

    JSON says null where it means null, so texts are kept to the letter, `Unknown` and empty ones too. A key that the
    table does not know becomes a String column (JSON text where the value is not a string). A record that stands twice
    is taken once; of two different records with one id the one changed last is taken.

    Args:
        first_line: number of the first record, for the refusals.

    Returns:
        One row per record, the table's columns and the unknown ones; refusals, whose `line` is the record's number.
    """
    known = table.file_columns
    names = tuple(known)
    rows = [dict(zip(column_names(tuple(record), names), record.values(), strict=True)) for record in records]
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
    quoted = pa.table({name: arrow_texts([_text(row.get(name)) for row in rows]) for name in failed})
    checked = check_values(Typed(pl.DataFrame(frame_columns), failed), table, missing=[], text=quoted)
    refusals = [
        Refusal(
            table.name, SKIPPED_MEMBER, row + first_line, problem.column_name, problem.reason, json.dumps(records[row])
        )
        for row, problem in sorted(checked.problems.items())
    ]
    newest = checked.live.sort("updated_at", nulls_last=False, maintain_order=True).unique("id", keep="last")
    return newest.sort("id"), refusals


@lru_cache(maxsize=1024)
def column_names(keys: tuple[str, ...], known: tuple[str, ...]) -> tuple[str, ...]:
    """A column name for each key of a record, of a table with the columns `known`; no two keys share one.

    The key that is spelt as the reference spells it has the column of the table. Another key with the same name in
    snake case, or one that DuckDB cannot tell from it, gets a number: `agent_id_2`. An empty key is `unnamed`.
    """
    names: dict[str, str] = {}
    taken: set[str] = set()
    for is_documented in (True, False):
        for key in keys:
            name = snake_case(key)
            if (name in known and camel_case(name) == key) is is_documented:
                names[key] = free_name(name, taken, empty="unnamed")
    return tuple(names[key] for key in keys)


def snake_case(key: str) -> str:
    """`coachingSessionIds` -> `coaching_session_ids`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", key).lower()


def camel_case(name: str) -> str:
    """`coaching_session_ids` -> `coachingSessionIds`."""
    return re.sub(r"_([a-z0-9])", lambda found: found[1].upper(), name)


def _text(value: Any) -> str | None:
    """A value as text: JSON where it is not text, and lone surrogates, which UTF-8 cannot encode, as `\\ud800`."""
    if value is None:
        return None
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if text.isascii() else text.encode(errors="backslashreplace").decode()


def _texts(name: str, values: list[Any]) -> pl.Series:
    return pl.Series(name, [_text(value) for value in values], dtype=pl.String)


def _moments(name: str, values: list[Any]) -> pl.Series:
    return moment(pa.chunked_array([arrow_texts([_text(value) or "" for value in values])])).alias(name)


def _flags(name: str, values: list[Any]) -> pl.Series:
    return _texts(name, values).to_frame().select(flag(pl.col(name))).to_series()


def _numbers(name: str, values: list[Any]) -> pl.Series:
    return _texts(name, values).to_frame().select(number(pl.col(name))).to_series()


def _id_lists(name: str, values: list[Any]) -> pl.Series:
    # One array of all ids, cut into lists: polars makes each list a column first, in three times the time.
    lists = [value if isinstance(value, list) else None for value in values]
    ends = list(accumulate((len(ids or ()) for ids in lists), initial=0))
    starts = [None if ids is None else start for ids, start in zip(lists, ends[:-1], strict=True)]
    offsets = pl.Series([*starts, ends[-1]], dtype=pl.Int32).to_arrow()
    every_id = arrow_texts([_text(entry) for ids in lists for entry in ids or ()])
    series = cast(pl.Series, pl.from_arrow(pa.ListArray.from_arrays(offsets, every_id)))
    return series.cast(DTYPES[Role.ID_LIST]).alias(name)


_READERS: dict[Role, Callable[[str, list[Any]], pl.Series]] = {
    Role.MOMENT: _moments,
    Role.FLAG: _flags,
    Role.NUMBER: _numbers,
    Role.SECONDS: _numbers,
    Role.ID_LIST: _id_lists,
}
