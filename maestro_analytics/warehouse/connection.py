"""How every DuckDB connection is opened, parts of SQL statements, and the one way from SQL to polars.

polars has no counterpart of some DuckDB types (intervals, unions, bits, ...), and none of some values of others (the
date `infinity`, the year 44 BC, the time 24:00:00). Such a column becomes text, as DuckDB writes it; everything else
keeps its type.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any, cast

import duckdb
import polars as pl

from maestro_analytics.errors import SettingsError, UnreadableFile

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
CATALOG = "maestro"
Parameters = Mapping[str, Any] | Sequence[Any] | None
UTC_SESSION = "set TimeZone = 'UTC'"
"""A session that is not in UTC moves rows between days."""
STORAGE_VERSION = "v1.2.0"
"""DuckDB 1.2 and every newer version read it. v1.3.0 writes faster (4 million answers: 1.6 s against 2.7 s), but
DuckDB 1.3.0 and 1.3.2 then read other strings from the file, without an error."""
MASTER_MEMORY = "640MB"
"""Enough for a landing of any size, which spills to disk beyond it; the whole process stays under 1.5 GiB."""
LEAST_MEMORY = 40 << 20
"""With less, DuckDB refuses some statements."""
LAYOUT = 2


def quoted(name: str) -> str:
    """A column's name as SQL, whatever a file called it."""
    return '"' + name.replace('"', '""') + '"'


def quoted_all(names: Sequence[str]) -> str:
    return ", ".join(quoted(name) for name in names)


def text_literal(text: str) -> str:
    """A name or description as an SQL text literal."""
    return "'" + text.replace("'", "''") + "'"


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


def open_master_file(path: Path, *, spill: Path) -> duckdb.DuckDBPyConnection:
    """The private database at `path`, for writing; created if it does not exist.

    A new file gets `STORAGE_VERSION`; an existing one keeps its own, see `has_published_storage`.
    """
    config = {
        "storage_compatibility_version": STORAGE_VERSION,
        "memory_limit": MASTER_MEMORY,
        "preserve_insertion_order": "false",
        "temp_directory": str(spill),
        "autoinstall_known_extensions": "false",
    }
    return configure_session(duckdb.connect(path, config=cast("dict[str, Any]", config)))


@contextmanager
def transaction(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Commit at the end, or roll back when an exception passes."""
    connection.execute("begin")
    try:
        yield
    except BaseException:
        connection.execute("rollback")
        raise
    connection.execute("commit")


@contextmanager
def little_memory(connection: duckdb.DuckDBPyConnection, size: int) -> Iterator[None]:
    """Let DuckDB hold about `size` bytes only; what does not fit, it writes to the disk.

    An insert of many rows otherwise holds 120,000 of them, uncompressed, before it writes any.
    """
    mib = max(size, LEAST_MEMORY) >> 20
    with suppress(duckdb.OutOfMemoryException):  # What landed before may hold more.
        connection.execute("set memory_limit = $limit", {"limit": f"{mib}MiB"})
    try:
        yield
    finally:
        connection.execute("set memory_limit = $limit", {"limit": MASTER_MEMORY})


def has_published_storage(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether the open file has `STORAGE_VERSION`; older clients cannot read one that an older release wrote."""
    found = scalar(
        connection, "select tags['storage_version'] from duckdb_databases() where database_name = current_database()"
    )
    return str(found).rstrip("+") == STORAGE_VERSION


def open_published_file(path: Path) -> duckdb.DuckDBPyConnection:
    """The published database at `path`, read-only.

    Attached to an instance of its own: DuckDB keeps one instance of each path in a process, so that plain `connect`
    would go on showing the old file for as long as any other connection to that path is open.

    Raises:
        UnreadableFile: it is not a DuckDB file, or a newer DuckDB wrote it.
    """
    connection = duckdb.connect(":memory:")
    try:
        connection.execute(f"attach {text_literal(str(path))} as {CATALOG} (read_only)")
        connection.execute(f"use {CATALOG}")
    except duckdb.Error as error:
        connection.close()
        raise UnreadableFile(
            f"{path} cannot be opened ({str(error).splitlines()[0]}). The next `maestro-analytics refresh` publishes "
            "it anew from the master; `maestro-analytics replay` builds everything from the kept files.",
            path=path,
        ) from None
    return configure_session(connection)


def configure_session(connection: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    """In UTC, without a progress bar; a cursor is a session of its own and inherits neither.

    The bar goes to standard output and breaks `--json`. In Jupyter without ipywidgets DuckDB has none, and refuses to
    be told so.
    """
    connection.execute(UTC_SESSION)
    if scalar(connection, "select current_setting('enable_progress_bar')"):
        connection.execute("set enable_progress_bar = false")
    return connection


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
        if relation is None:
            return pl.DataFrame()
        return to_polars(connection, relation if limit is None else relation.limit(limit))
    finally:
        for name in variables:
            connection.execute(f"reset variable {quoted(name)}")


def scalar(connection: duckdb.DuckDBPyConnection, query: str, params: Parameters = None) -> Any:
    """The one value of a query that gives one row of one column; None without a row."""
    rows = connection.execute(query, params).fetchall()
    return rows[0][0] if rows else None


def rowcount(connection: duckdb.DuckDBPyConnection, statement: str, params: Parameters = None) -> int:
    """How many rows an insert, update or delete changed."""
    return int(connection.execute(statement, params).fetchall()[0][0])


def check_layout(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    """Check that this version of the program knows the layout of a database, which may be new and empty.

    Raises:
        SettingsError: a newer version has written it.
    """
    try:
        layout = scalar(connection, "select max(layout) from state.account")
    except (duckdb.BinderException, duckdb.CatalogException):  # new and empty, or older than the column
        return
    if layout is not None and layout > LAYOUT:
        raise SettingsError(
            f"{path} was written by a newer version of maestro-analytics (layout {layout}; this one knows {LAYOUT}): "
            "update maestro-analytics."
        )
