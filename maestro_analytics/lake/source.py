"""What a lake is written from: one snapshot of a published database, and the content of each month of its tables.

The months that a refresh touched are those whose fingerprint changed: the sum of a hash of each row, so the order of
rows does not matter and equal rows do not cancel out. It is taken of the content, not of the state tables, because a
month can change without an export (`replay`, `quarantine retry`) and an export can come without a change; 4 million
answers take 0.6 s of processor time, a fifth of writing them. A null adds nothing, so a column that the table grew
leaves the months without a value in it as they were.
"""

# Identifiers come from our own schemas or a file's header and are quoted; values are parameters.
# ruff: noqa: S608

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import reduce
from pathlib import Path

import duckdb
import pyarrow as pa

from maestro_analytics.errors import EmptyStore, LakeError
from maestro_analytics.warehouse.connection import open_published_file, quoted, quoted_all

COLUMN_TYPES = {
    "string": "VARCHAR",
    "double": "DOUBLE",
    "timestamp": "TIMESTAMP WITH TIME ZONE",
    "boolean": "BOOLEAN",
    "array": "VARCHAR[]",
}
"""Delta's name -> DuckDB's name of the types that every reader reads alike; the warehouse has no other."""
BATCH_ROWS = 200_000
"""Two are in memory while a file is written."""
MONTH_OF = "date_graded"
NO_MONTH = "unknown"
"""The month of rows without a `date_graded`. Hive's own word for null, `__HIVE_DEFAULT_PARTITION__`, stops pandas 3."""

GRADE_VERSIONS = "lake_grade_versions"
CSAT_VERSIONS = "lake_csat_versions"
VERSIONS = {
    GRADE_VERSIONS: "select versions.grade_key, exports.requested_at as asked_at, versions.deleted from ("
    "select grade_key, export_seq, false as deleted from state.grade_versions "
    "union all select grade_key, export_seq, true from state.deletions) as versions "
    "join state.exports as exports on exports.seq = versions.export_seq",
    CSAT_VERSIONS: "select versions.source, versions.gradable_id, exports.requested_at as asked_at "
    "from state.csat_versions as versions join state.exports as exports on exports.seq = versions.export_seq",
}
"""What a share tells besides its tables: when each grade was asked for, so that the newest of several shares stands."""


@dataclass(frozen=True)
class Source:
    """A snapshot to publish: a connection that sees it, and where it comes from.

    Attributes:
        origin: tells data folders apart; see `Publication.origin`.
        refreshed_at: when the newest refresh began.
        host: the account's API host, which names its folder where nothing else does.
    """

    connection: duckdb.DuckDBPyConnection
    origin: str
    refreshed_at: str = ""
    host: str = ""


@contextmanager
def published(path: Path) -> Iterator[Source]:
    """The published database at `path` as a source: one snapshot of it, whatever a refresh publishes meanwhile.

    Raises:
        EmptyStore: there is none.
    """
    if not path.exists():
        raise EmptyStore(path=path)
    connection = open_published_file(path)
    try:
        host, origin, refreshed_at = connection.execute(
            "select coalesce(max(host), ''), left(sha256(concat_ws(' ', max(host), epoch_us(min(started_at)))), 16), "
            "coalesce(max(started_at)::varchar, '') from state.account left join state.refreshes on true"
        ).fetchall()[0]
        yield Source(connection, origin, refreshed_at, host)
    finally:
        connection.close()


def tables_of(connection: duckdb.DuckDBPyConnection) -> dict[str, dict[str, str]]:
    """Table -> column -> DuckDB type, of the schema main of the current catalog."""
    rows = connection.execute(
        "select columns.table_name, column_name, data_type from duckdb_columns() as columns "
        "join duckdb_tables() as tables using (database_name, schema_name, table_name) "
        "where database_name = current_catalog() and schema_name = 'main' order by 1, column_index"
    ).fetchall()
    tables: dict[str, dict[str, str]] = {}
    for table, column, kind in rows:
        if kind not in COLUMN_TYPES.values():
            raise LakeError(f'{table}."{column}" is {kind}, which not every reader of a lake knows.')
        tables.setdefault(table, {})[column] = kind
    return tables


def versions_of(connection: duckdb.DuckDBPyConnection) -> dict[str, dict[str, str]]:
    """Make `VERSIONS` known to the connection; their columns and types."""
    for name, select in VERSIONS.items():
        connection.execute(f"create or replace temp view {name} as {select}")
    return {name: {row[0]: row[1] for row in connection.execute(f"describe {name}").fetchall()} for name in VERSIONS}


@dataclass(frozen=True)
class Month:
    """One month of a table, `2026-01` or `NO_MONTH`; `name` is None where the table has no months.

    Attributes:
        bounds: first and last moment, in microseconds since 1970. No dates: a year has up to five digits here.
    """

    name: str | None
    rows: int
    fingerprint: str
    bounds: tuple[int, int] | None = None

    @property
    def condition(self) -> str:
        """The SQL condition that selects the rows of the month, with `bounds` as its parameters."""
        if self.bounds:
            return f"{MONTH_OF} between make_timestamptz(?) and make_timestamptz(?)"
        if self.name:
            return f"({MONTH_OF} is null or not isfinite({MONTH_OF}))"
        return "true" if self.rows else "false"


def months_of(connection: duckdb.DuckDBPyConnection, table: str, columns: Iterable[str]) -> list[Month]:
    """The months of a table that has a `date_graded`, else the table as one; nothing for a table without rows."""
    month, moment, unknown = "null", "null::timestamptz", None
    if MONTH_OF in columns:
        moment, unknown = f"case when isfinite({MONTH_OF}) then {MONTH_OF} end", NO_MONTH
        # in UTC, whatever the session's zone; `timezone('UTC', ...)` asks a calendar and takes four times as long
        month = f"date_trunc('month', make_timestamp(epoch_us({moment})))"
    # each column's hash has the column's position, so that swapped values differ
    hashes = (
        f"case when {quoted(name)} is null then 0::ubigint else hash({quoted(name)}, {position}) end"
        for position, name in enumerate(columns)
    )
    fingerprint = reduce(lambda left, right: f"xor({left}, {right})", hashes)
    rows = connection.execute(
        f"select strftime(month::timestamp, '%Y-%m'), count(*), sum(fingerprint)::varchar, "
        "epoch_us(min(moment)), epoch_us(max(moment)) from "
        f"(select {month} as month, {moment} as moment, {fingerprint} as fingerprint from {quoted(table)}) "
        "group by month having count(*) > 0 order by month"
    ).fetchall()
    return [
        Month(name or unknown, count, fingerprint, (first, last) if name else None)
        for name, count, fingerprint, first, last in rows
    ]


def filled_columns(
    connection: duckdb.DuckDBPyConnection, table: str, columns: Iterable[str], month: Month
) -> list[str]:
    """The columns that have a value in a month."""
    counts = ", ".join(f"count({quoted(name)})" for name in columns)
    select = f"select {counts} from {quoted(table)} where {month.condition}"
    found = connection.execute(select, list(month.bounds or ())).fetchall()[0]
    return [name for name, count in zip(columns, found, strict=True) if count] or list(columns)


def rows_of(
    connection: duckdb.DuckDBPyConnection, table: str, columns: Iterable[str], month: Month
) -> pa.RecordBatchReader:
    """The rows of a month as a stream."""
    select = f"select {quoted_all(list(columns))} from {quoted(table)} where {month.condition}"
    return connection.sql(select, params=list(month.bounds or ())).to_arrow_reader(BATCH_ROWS)
