"""What a lake is written from: one snapshot of a published database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb

from maestro_analytics.errors import EmptyStore, LakeError
from maestro_analytics.warehouse.connection import open_published_file

COLUMN_TYPES = ("VARCHAR", "DOUBLE", "TIMESTAMP WITH TIME ZONE", "BOOLEAN", "VARCHAR[]")
"""What every reader of Delta Lake reads alike; the warehouse has no other, and Delta Lake has no unsigned integers."""

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
        if kind not in COLUMN_TYPES:
            raise LakeError(f'{table}."{column}" is {kind}, which not every reader of a lake knows.')
        tables.setdefault(table, {})[column] = kind
    return tables


def versions_of(connection: duckdb.DuckDBPyConnection) -> dict[str, dict[str, str]]:
    """Make `VERSIONS` known to the connection; their columns and types."""
    for name, select in VERSIONS.items():
        connection.execute(f"create or replace temp view {name} as {select}")
    return {name: {row[0]: row[1] for row in connection.execute(f"describe {name}").fetchall()} for name in VERSIONS}
