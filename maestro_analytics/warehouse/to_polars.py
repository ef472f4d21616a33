"""Query results as polars frames, for every type that SQL can return.

polars has no counterpart of some DuckDB types (intervals, unions, bits, ...), and none of some values of others (the
date `infinity`, the year 44 BC, the time 24:00:00). Such a column becomes text, as DuckDB writes it; everything else
keeps its type.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime
from typing import TYPE_CHECKING, Any, cast

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

WITH_ODD_VALUES = {"decimal", *(name for name in HELD if name.startswith(("date", "time")))}
"""Types with values that polars or Python does not have; see `_has_odd_values`. A HUGEINT arrives as a decimal."""

EPOCH = datetime(1970, 1, 1)
FIRST, LAST = datetime(1, 1, 1), datetime(9999, 12, 31, 23, 59, 59)
SECONDS_OF_A_DAY = 86_400
PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
MOST_DIGITS = 38


def to_polars(connection: duckdb.DuckDBPyConnection, relation: duckdb.DuckDBPyRelation) -> pl.DataFrame:
    """All rows of `relation`, which is run once. Columns of the same name are numbered: a, a_1, a_2.

    An INTERVAL column is a Duration, or text where an interval has months, whose length is not fixed.
    """
    names = _distinct(relation.columns)
    kinds = list(relation.types)
    spans = [name for name, kind in zip(names, kinds, strict=True) if kind.id == "interval"]
    held = [_span(at) if kind.id == "interval" else _cast(at, kind) for at, kind in enumerate(kinds, 1)]
    # Through pyarrow, though it takes 0.1 s to import: what polars reads from DuckDB itself must be materialized, so
    # that it runs once and fails as a query fails, and 4 million answers then take 3.7 GB and not 2.4.
    table = _projected(relation, names, held).to_arrow_table().rename_columns(names)
    odd = [any(map(_has_odd_values, _leaves(column))) for column in table.columns]
    if any(odd):
        # Read from the result: the query itself must not run twice.
        arrived = connection.from_arrow(table)
        held = [
            _cast(at, kind, also_text=WITH_ODD_VALUES) if is_odd else None
            for at, (kind, is_odd) in enumerate(zip(arrived.types, odd, strict=True), 1)
        ]
        table = _projected(arrived, names, held).to_arrow_table()
    frame = cast(pl.DataFrame, pl.from_arrow(table))
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
    if not any(replaced):
        return relation
    # By position (#1), because two columns may have one name.
    columns = (
        f"{new or f'#{at}'} as {quoted(name)}" for at, (name, new) in enumerate(zip(names, replaced, strict=True), 1)
    )
    return relation.project(", ".join(columns))


def _cast(at: int, kind: Any, *, also_text: AbstractSet[str] = frozenset()) -> str | None:
    """Column `at` cast to a type that polars holds; None where it has one."""
    wanted = _held_type(kind, also_text)
    return None if wanted == str(kind) else f"cast(#{at} as {wanted})"


def _held_type(kind: Any, also_text: AbstractSet[str]) -> str:
    """The SQL name of the nearest type that polars holds; lists, arrays, structures and maps stay what they are."""
    if kind.id not in NESTED:
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


def _leaves(column: Any) -> Iterator[Any]:
    """The arrays of plain values in a column of Arrow: its own, or those inside its lists, structures and maps."""
    import pyarrow as pa

    for array in column.chunks if isinstance(column, pa.ChunkedArray) else [column]:
        kind = array.type
        if pa.types.is_map(kind):
            inner = [array.keys, array.items]
        elif pa.types.is_struct(kind):
            inner = array.flatten()
        elif pa.types.is_list(kind) or pa.types.is_large_list(kind):
            inner = [array.values]
        elif pa.types.is_fixed_size_list(kind):
            inner = [array.flatten()]
        else:
            yield array
            continue
        for each in inner:
            yield from _leaves(each)


def _has_odd_values(array: Any) -> bool:
    """Whether dates or moments are infinite or outside the years 1 to 9999, a time is 24:00 or an integer too long."""
    import pyarrow as pa

    kind = array.type
    # Without pyarrow.compute, whose import is a tenth of what a short command takes.
    if pa.types.is_date32(kind):
        values, low, high = array.view(pa.int32()), (FIRST - EPOCH).days, (LAST - EPOCH).days
    elif pa.types.is_timestamp(kind):
        unit = PER_SECOND[kind.unit]
        # All moments that nanoseconds can tell lie within these years, but for infinity: the ends of 64 bits.
        most = 2**63 - 2
        low, high = (max(-most, min(most, int((end - EPOCH).total_seconds()) * unit)) for end in (FIRST, LAST))
        values = array.view(pa.int64())
    elif pa.types.is_time64(kind):
        values, low, high = array.view(pa.int64()), 0, SECONDS_OF_A_DAY * PER_SECOND[kind.unit] - 1
    elif pa.types.is_decimal(kind) and kind.scale == 0 and kind.precision == MOST_DIGITS:
        values, low, high = array, 1 - 10**MOST_DIGITS, 10**MOST_DIGITS - 1
    else:
        return False
    found = cast(pl.DataFrame, pl.from_arrow(pa.table({"value": values})))["value"].to_physical()
    lowest, highest = cast(Any, found.min()), cast(Any, found.max())
    return lowest is not None and bool(lowest < low or highest > high)
