"""A lake on DuckDB: its Parquet files as views of an in-memory database."""

# Identifiers come from our own schemas or a file's header and are quoted; values are parameters.
# ruff: noqa: S608

from __future__ import annotations

from collections.abc import Mapping

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.dataset

from maestro_analytics.lake.dialect import Params, Variables
from maestro_analytics.lake.shares import Files
from maestro_analytics.warehouse.connection import configure_session, frame
from maestro_analytics.warehouse.quoting import quoted, quoted_all, text_literal

ARROW_TYPES = {
    "VARCHAR": pa.string(),
    "DOUBLE": pa.float64(),
    "TIMESTAMP WITH TIME ZONE": pa.timestamp("us", tz="UTC"),
    "BOOLEAN": pa.bool_(),
    "VARCHAR[]": pa.list_(pa.string()),
}


class DuckEngine:
    """Tables and views of a lake in DuckDB."""

    lost_files: tuple[type[Exception], ...] = (duckdb.IOException, OSError)

    def __init__(self) -> None:
        self._connection = configure_session(duckdb.connect())

    def register(self, name: str, files: Files) -> None:
        """Register the files of a table under `name`."""
        filesystem, root = files.place.filesystem()
        paths = [f"{root}/{file}" for file in files.names]
        if not paths:
            self.register_empty(name, files.columns)
        elif files.place.in_bucket:
            # DuckDB's bridge to Python file systems gave other sums on each run with two threads (duckdb 2.0.0), and
            # its reader of buckets is an extension to be downloaded; a dataset prunes columns and row groups as well
            schema = pa.schema([(column, ARROW_TYPES[kind]) for column, kind in files.columns.items()])
            self._connection.register(
                name, pyarrow.dataset.dataset(paths, filesystem=filesystem, format="parquet", schema=schema)
            )
        else:
            listed = ", ".join(text_literal(path) for path in paths)
            self.create_view(
                name,
                f"select {quoted_all(list(files.columns))} from ({_no_rows(files.columns)} union all by name "
                f"select * from read_parquet([{listed}], hive_partitioning = false, union_by_name = true))",
            )

    def register_empty(self, name: str, columns: Mapping[str, str]) -> None:
        """Register a table without rows under `name`."""
        self.create_view(name, _no_rows(columns))

    def create_view(self, name: str, select: str) -> None:
        """Create a view."""
        self._connection.execute(f"create or replace temp view {quoted(name)} as {select}")

    def query(self, query: str, *, params: Params = None, variables: Variables | None = None) -> pl.DataFrame:
        """The rows of a query; `variables` are those that it reads with `getvariable`."""
        return frame(self._connection, query, params, variables=variables)

    def close(self) -> None:
        self._connection.close()


def _no_rows(columns: Mapping[str, str]) -> str:
    listed = ", ".join(f"cast(null as {kind}) as {quoted(column)}" for column, kind in columns.items())
    return f"select {listed} where false"
