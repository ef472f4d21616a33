"""The one way from SQL to polars.

polars has no counterpart of some DuckDB types (intervals, unions, bits, ...), and none of some values of others (the
date `infinity`, the year 44 BC, the time 24:00:00). Such a column becomes text, as DuckDB writes it; everything else
keeps its type.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime
from types import SimpleNamespace
from typing import Any, cast

import duckdb
import polars as pl

from maestro_analytics.warehouse.connection import Parameters, quoted

HELD = {
    *("boolean", "tinyint", "smallint", "integer", "bigint", "utinyint", "usmallint", "uinteger", "ubigint"),
    *("hugeint", "float", "double", "decimal", "varchar", "blob", "uuid", "enum", "null"),
    *("date", "time", "time_ns", "timestamp", "timestamp_s", "timestamp_ms", "timestamp_ns"),
    *("timestamp with time zone", "timestamptz_ns"),
}
"""Types with a counterpart in polars. Those that a later DuckDB adds become text."""
NESTED = {"list", "array", "struct", "tuple", "map"}
TEXT_IN_NESTED = {"time", "time_ns", "timestamp_ns", "timestamptz_ns"}
"""Inside lists and structures, polars would lose the time 24:00:00, and Python the nanoseconds."""
PARTS = {
    "interval": "months := datepart('year', {0}) * 12 + datepart('month', {0}), us := try(epoch_us({0}))",
    "time": "value := {0}",
    "time_ns": "value := {0}",
}
"""Types of which some values are not what polars has: they arrive in parts, of which one is their text."""
WITH_ODD_VALUES = {"decimal", *(name for name in HELD if name.startswith(("date", "timestamp")))}
"""Types with values that polars or Python does not have; see `_has_odd_values`. A HUGEINT arrives as a decimal."""
EPOCH = datetime(1970, 1, 1)
FIRST, LAST = datetime(1, 1, 1), datetime(9999, 12, 31, 23, 59, 59)
PER_SECOND = {"ms": 10**3, "us": 10**6, "ns": 10**9}
MOST_DIGITS = 38


def frame(
    connection: duckdb.DuckDBPyConnection,
    query: str,
    params: Parameters = None,
    *,
    variables: Mapping[str, Any] | None = None,
    limit: int | None = None,
) -> pl.DataFrame:
    """The rows of a query, all fetched: a half-fetched result blocks the next call, and a relation runs again.

    Args:
        variables: those that the query reads with `getvariable`; set for this query only.
        limit: no more rows than this are fetched; None for all.
    """
    variables = variables or {}
    try:
        for name, value in variables.items():
            # SET VARIABLE takes a named parameter, so no value becomes part of the SQL text.
            connection.execute(f"set variable {quoted(name)} = $value", {"value": value})
        relation = connection.sql(query, params=params)
        if relation is None:  # a statement that returns no rows, such as SET
            return pl.DataFrame()
        return to_polars(connection, relation if limit is None else relation.limit(limit))
    finally:
        for name in variables:
            connection.execute(f"reset variable {quoted(name)}")


def to_polars(connection: duckdb.DuckDBPyConnection, relation: duckdb.DuckDBPyRelation) -> pl.DataFrame:
    """All rows of `relation`, which is run once. Columns of the same name are numbered: a, a_1, a_2.

    An INTERVAL column is a Duration, or text where an interval has months, whose length is not fixed.
    """
    names = _distinct(relation.columns)
    kinds = list(relation.types)
    found = _fetched(relation, names, [_cast(at, kind) for at, kind in enumerate(kinds, 1)])
    odd = [column.name for column in found if any(map(_has_odd_values, _leaves(column)))]
    if odd:
        # Read from the result: the query itself must not run twice.
        arrived = connection.from_arrow(found.select(odd))
        as_text = [_cast(at, kind, also_text=WITH_ODD_VALUES) for at, kind in enumerate(arrived.types, 1)]
        found = found.with_columns(_fetched(arrived, odd, as_text))
    return found.with_columns(
        _duration(found[name]) if kind.id == "interval" else _time(found[name])
        for name, kind in zip(names, kinds, strict=True)
        if kind.id in PARTS
    )


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


def _fetched(relation: duckdb.DuckDBPyRelation, names: Sequence[str], replaced: Sequence[str | None]) -> pl.DataFrame:
    """All rows, under these names, with an expression in the place of each column that is not None in `replaced`."""
    if any(replaced) or list(names) != relation.columns:
        # By position (#1), because two columns may have one name.
        columns = (
            f"{new or f'#{at}'} as {quoted(name)}"
            for at, (name, new) in enumerate(zip(names, replaced, strict=True), 1)
        )
        relation = relation.project(", ".join(columns))
    try:
        # Not by way of pyarrow, whose import takes a fifth of the time of a short command. polars keeps the class of
        # what it is given for as long as the process lives, and DuckDB then ends with a page about leaked objects.
        return pl.DataFrame(SimpleNamespace(__arrow_c_stream__=relation.__arrow_c_stream__))
    except pl.exceptions.ComputeError as error:
        raise _of_duckdb(error) from None


def _of_duckdb(error: pl.exceptions.ComputeError) -> duckdb.Error:
    """The error that DuckDB raised while polars read the rows, as it would have raised it before the first of them."""
    message = str(error).removeprefix("got external error: ")
    kind = message.partition(" Error: ")[0].replace(" ", "").lower() + "exception"
    known = {name.lower(): each for name, each in vars(duckdb).items() if name.endswith("Exception")}
    return cast(duckdb.Error, known.get(kind, duckdb.Error)(message))


def _cast(at: int, kind: Any, *, also_text: AbstractSet[str] = frozenset()) -> str | None:
    """Column `at` cast to a type that polars holds, or in parts; None where it is of such a type."""
    if kind.id in PARTS:
        parts = PARTS[kind.id].format(f"#{at}")
        return f"struct_pack({parts}, text := #{at}::varchar)"
    wanted = _held_type(kind, also_text)
    return None if wanted == str(kind) else f"cast(#{at} as {wanted})"


def _held_type(kind: Any, also_text: AbstractSet[str]) -> str:
    """The SQL name of the nearest type that polars holds; lists, arrays, structures and maps stay what they are."""
    if kind.id == "timestamp_s":  # polars would lose the moment `infinity`
        return "TIMESTAMP_MS"
    if kind.id not in NESTED or (kind.id == "struct" and not kind.children):  # `{}` has no name of its type in SQL
        return "VARCHAR" if kind.id not in HELD or kind.id in also_text else str(kind)
    also_text = also_text | TEXT_IN_NESTED
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


def _duration(parts: pl.Series) -> pl.Series:
    """Intervals as durations, or all as text if one of them has months or is longer than a duration can be."""
    months, us, text = (parts.struct.field(name) for name in ("months", "us", "text"))
    if (months != 0).any() or us.null_count() > text.null_count():
        return text.alias(parts.name)
    return us.cast(pl.Duration("us")).alias(parts.name)


def _time(parts: pl.Series) -> pl.Series:
    """Times as they are, or all as text if one of them is 24:00:00, which polars reads as null."""
    value, text = (parts.struct.field(name) for name in ("value", "text"))
    return (text if value.null_count() > text.null_count() else value).alias(parts.name)


def _leaves(column: pl.Series) -> Iterator[pl.Series]:
    """The columns of plain values in a column: itself, or those inside its lists, structures and maps."""
    kind = column.dtype
    if isinstance(kind, pl.Map):
        inner = [column.map.keys(), column.map.values()]
    elif isinstance(kind, pl.Struct):
        inner = column.struct.unnest().get_columns()
    elif isinstance(kind, pl.List | pl.Array):
        inner = [column.explode()]
    else:
        yield column
        return
    for each in inner:
        yield from _leaves(each)


def _has_odd_values(values: pl.Series) -> bool:
    """Whether dates or moments are infinite or outside the years 1 to 9999, or an integer is too long."""
    kind = values.dtype
    if isinstance(kind, pl.Date):
        low, high = (FIRST - EPOCH).days, (LAST - EPOCH).days
    elif isinstance(kind, pl.Datetime):
        unit = PER_SECOND[kind.time_unit]
        # All moments that nanoseconds can tell lie within these years, but for infinity: the ends of 64 bits.
        most = 2**63 - 2
        low, high = (max(-most, min(most, int((end - EPOCH).total_seconds()) * unit)) for end in (FIRST, LAST))
    elif isinstance(kind, pl.Decimal) and kind.scale == 0 and kind.precision == MOST_DIGITS:
        low, high = 1 - 10**MOST_DIGITS, 10**MOST_DIGITS - 1
    else:
        return False
    found = values.to_physical()
    lowest, highest = cast(Any, found.min()), cast(Any, found.max())
    return lowest is not None and bool(lowest < low or highest > high)
