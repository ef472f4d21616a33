"""Query results as polars frames, for every type that SQL can return.

polars has no counterpart of some DuckDB types (intervals, unions, bits, ...), and none of some values of others (the
date `infinity`, the year 44 BC, the time 24:00:00). Such a column becomes text, as DuckDB writes it; everything else
keeps its type.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

import polars as pl

from maestro_analytics.warehouse.quoting import quoted

if TYPE_CHECKING:
    import duckdb

HELD = {
    *("boolean", "tinyint", "smallint", "integer", "bigint", "utinyint", "usmallint", "uinteger", "ubigint"),
    *("hugeint", "float", "double", "decimal", "varchar", "blob", "uuid", "enum", "null"),
    *("date", "time", "time_ns", "timestamp", "timestamp_s", "timestamp_ms", "timestamp_ns"),
    *("timestamp with time zone", "timestamptz_ns"),
}
"""Types with a counterpart in polars. Those that a later DuckDB adds become text."""

NESTED = {"list", "array", "struct", "tuple", "map"}

TEXT_IN_NESTED = {"time_ns", "timestamp_ns", "timestamptz_ns"}
"""Inside lists and structures, Python would lose their nanoseconds."""

ODD_VALUES = {
    "date": "not {} between date '0001-01-01' and date '9999-12-31'",
    "timestamp": "not {} between timestamp '0001-01-01' and timestamp '9999-12-31 23:59:59.999999'",
    "timestamp_s": "not {} between '0001-01-01'::timestamp_s and '9999-12-31 23:59:59'::timestamp_s",
    "timestamp_ms": "not {} between '0001-01-01'::timestamp_ms and '9999-12-31 23:59:59.999'::timestamp_ms",
    "timestamp with time zone": (
        "not {} between timestamptz '0001-01-01 00:00:00Z' and timestamptz '9999-12-31 23:59:59.999999Z'"
    ),
    "timestamp_ns": "not isfinite({})",
    "timestamptz_ns": "not isfinite({}::timestamptz)",
    "time": "{} = time '24:00:00'",
    "time_ns": "{} = '24:00:00'::time_ns",
    "hugeint": "not {} between 1 - 1e38::hugeint and 1e38::hugeint - 1",
}
"""Type -> the SQL condition of a value that polars or Python does not have."""


class _Rows:
    """A relation as polars reads it, without pyarrow, which takes 0.1 s to import.

    polars keeps the class of what it read until the process ends; if that is a class of DuckDB, DuckDB then reports
    leaks on standard error.
    """

    def __init__(self, relation: duckdb.DuckDBPyRelation) -> None:
        self._relation = relation

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self._relation.__arrow_c_stream__(requested_schema)


def to_polars(relation: duckdb.DuckDBPyRelation) -> pl.DataFrame:
    """All rows of `relation`, which is run once. Columns of the same name are numbered: a, a_1, a_2.

    An INTERVAL column is a Duration, or text where an interval has months, whose length is not fixed.
    """
    names = _distinct(relation.columns)
    kinds = list(relation.types)
    spans = [name for name, kind in zip(names, kinds, strict=True) if kind.id == "interval"]
    held = [_span(at) if kind.id == "interval" else _cast(at, kind) for at, kind in enumerate(kinds, 1)]
    # Materialized, so that the query runs once, and its errors are DuckDB's.
    result = _projected(relation, names, held).materialize()
    odd = _columns_with_odd_values(result)
    held = [
        _cast(at, kind, also_text=ODD_VALUES) if at in odd else None for at, kind in enumerate(list(result.types), 1)
    ]
    frame = pl.DataFrame(_Rows(_projected(result, names, held)))
    return frame.with_columns(_duration(frame[name]) for name in spans)


def _distinct(columns: Sequence[str]) -> list[str]:
    """The names, the later ones of the same name numbered."""
    names: list[str] = []
    for column in columns:
        name, count = column, 0
        while name in names:
            count += 1
            name = f"{column}_{count}"
        names.append(name)
    return names


def _projected(
    relation: duckdb.DuckDBPyRelation, names: Sequence[str], replaced: Sequence[str | None]
) -> duckdb.DuckDBPyRelation:
    """`relation` with an expression in the place of each column that is not None in `replaced`."""
    if not any(replaced) and names == relation.columns:
        return relation
    # By position (#1), because two columns may have one name.
    columns = (
        f"{new or f'#{at}'} as {quoted(name)}" for at, (name, new) in enumerate(zip(names, replaced, strict=True), 1)
    )
    return relation.project(", ".join(columns))


def _cast(at: int, kind: Any, *, also_text: Collection[str] = ()) -> str | None:
    """Column `at` cast to a type that polars holds; None where it has one."""
    wanted = _held_type(kind, also_text)
    return None if wanted == str(kind) else f"cast(#{at} as {wanted})"


def _held_type(kind: Any, also_text: Collection[str]) -> str:
    """The SQL name of the nearest type that polars holds; lists, arrays, structures and maps stay what they are."""
    if kind.id not in NESTED:
        return "VARCHAR" if kind.id not in HELD or kind.id in also_text else str(kind)
    also_text = {*also_text, *TEXT_IN_NESTED}
    if kind.id == "array":
        (_, child), (_, size) = kind.children
        return f"{_held_type(child, also_text)}[{size}]"
    children = [(name, _held_type(child, also_text)) for name, child in kind.children]
    if kind.id == "list":
        return f"{children[0][1]}[]"
    if kind.id == "map" and kind.children[0][1].id in NESTED:
        # A nested key cannot be a key of a Python dictionary.
        children[0] = ("key", "VARCHAR")
    fields = [f"{quoted(name)} {held}" if kind.id == "struct" else held for name, held in children]
    return f"{kind.id.upper()}({', '.join(fields)})"


def _span(at: int) -> str:
    """An interval in parts, for `_duration`."""
    return (
        f"struct_pack(months := datepart('year', #{at}) * 12 + datepart('month', #{at}), "
        f"us := try(epoch_us(#{at})), text := #{at}::varchar)"
    )


def _duration(parts: pl.Series) -> pl.Series:
    """Intervals as durations, or all as text if one of them has months or is longer than a duration can be."""
    months, us, text = (parts.struct.field(name) for name in ("months", "us", "text"))
    if (months != 0).any() or us.null_count() > text.null_count():
        return text.alias(parts.name)
    return us.cast(pl.Duration("us")).alias(parts.name)


def _columns_with_odd_values(result: duckdb.DuckDBPyRelation) -> set[int]:
    """The positions of columns with a value that polars or Python does not have, also inside lists and the like."""
    conditions = {at: _odd(kind, f"#{at}") for at, kind in enumerate(list(result.types), 1)}
    wanted = {at: condition for at, condition in conditions.items() if condition}
    if not wanted:
        return set()
    found = result.aggregate(", ".join(f"bool_or({condition})" for condition in wanted.values())).fetchall()[0]
    return {at for at, is_odd in zip(wanted, found, strict=True) if is_odd}


def _odd(kind: Any, value: str) -> str | None:
    """The SQL condition that `value` is odd or holds something odd; None for types without odd values."""
    if kind.id in ("list", "array"):
        inner = _odd(kind.children[0][1], "each")
        return inner and f"len(list_filter({value}, lambda each: {inner})) > 0"
    if kind.id == "map":
        inners = [
            (part, _odd(child, "each")) for part, (_, child) in zip(("keys", "values"), kind.children, strict=True)
        ]
        parts = [f"len(list_filter(map_{part}({value}), lambda each: {inner})) > 0" for part, inner in inners if inner]
    elif kind.id in ("struct", "tuple"):
        inner_of = (_odd(child, f"struct_extract_at({value}, {at})") for at, (_, child) in enumerate(kind.children, 1))
        parts = [inner for inner in inner_of if inner]
    else:
        condition = ODD_VALUES.get(kind.id)
        return condition and condition.format(value)
    return f"({' or '.join(parts)})" if parts else None
