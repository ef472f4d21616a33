"""How every DuckDB connection is opened, parts of SQL statements, and results of a few rows.

Without polars: it would take a fifth of the time of a command that needs no frame, such as `status`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC
from pathlib import Path
from typing import Any, cast

import duckdb

from maestro_analytics.errors import SettingsError, UnreadableFile

CATALOG = "maestro"
Parameters = Mapping[str, Any] | Sequence[Any] | None
MOMENT = "timestamp with time zone"
NUMBERS = {
    *("tinyint", "smallint", "integer", "bigint", "hugeint", "bignum", "float", "double", "decimal"),
    *("utinyint", "usmallint", "uinteger", "ubigint", "uhugeint"),
}
"""Types of numbers, as `DuckDBPyType.id` names them."""
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


def scan(files: Iterable[str | Path]) -> str:
    """Parquet files as a table expression. Each path is text: it is neither a pattern nor holds partitions."""
    listed = ", ".join(
        text_literal("".join(f"[{char}]" if char in "*?[" else char for char in str(file))) for file in files
    )
    return f"read_parquet([{listed}], union_by_name = true, hive_partitioning = false)"


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


def scalar(connection: duckdb.DuckDBPyConnection, query: str, params: Parameters = None) -> Any:
    """The one value of a query that gives one row of one column; None without a row."""
    rows = connection.execute(query, params).fetchall()
    return rows[0][0] if rows else None


def text_rows(
    connection: duckdb.DuckDBPyConnection, query: str, *, limit: int
) -> tuple[list[str], list[tuple[str | None, ...]], list[bool]]:
    """The first `limit` rows of a query, each value as DuckDB writes it.

    Returns:
        The columns' names, the rows, and of each column whether its values are numbers.
    """
    relation = connection.sql(query)
    if relation is None:  # SET and other statements without a result
        return [], [], []
    # By position, because two columns may have one name.
    as_text = ", ".join(f"#{at}::varchar" for at, _ in enumerate(relation.columns, 1))
    shown = relation.limit(limit).project(as_text).fetchall()
    return relation.columns, shown, [kind.id in NUMBERS for kind in relation.types]


def rows(connection: duckdb.DuckDBPyConnection, query: str, params: Parameters = None) -> list[dict[str, Any]]:
    """The rows of a query that gives few; moments are in UTC. `results.frame` is for any number of rows."""
    relation = connection.sql(query, params=params)
    moments = {name for name, kind in zip(relation.columns, relation.types, strict=True) if kind.id == MOMENT}
    # DuckDB needs pytz, which is not installed, to give Python a moment with its zone.
    plain = [f"{quoted(name)}::timestamp" if name in moments else quoted(name) for name in relation.columns]
    return [
        {
            name: value.replace(tzinfo=UTC) if name in moments and value is not None else value
            for name, value in zip(relation.columns, row, strict=True)
        }
        for row in relation.project(", ".join(plain)).fetchall()
    ]


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
