"""A lake on DuckDB: its Parquet files as views of an in-memory database."""

# Identifiers come from our own schemas or a file's header and are quoted; values are parameters.
# ruff: noqa: S608

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.dataset

from maestro_analytics.lake.dialect import Params, Variables
from maestro_analytics.lake.manifest import Part
from maestro_analytics.lake.shares import Share
from maestro_analytics.lake.storage import LocalFolder
from maestro_analytics.warehouse.connection import configure_session, frame, quoted

ARROW_TYPES = {
    "VARCHAR": pa.string(),
    "DOUBLE": pa.float64(),
    "TIMESTAMP WITH TIME ZONE": pa.timestamp("us", tz="UTC"),
    "BOOLEAN": pa.bool_(),
    "VARCHAR[]": pa.list_(pa.string()),
}


class DuckEngine:
    """Relations and selects of a lake in DuckDB."""

    lost_files: tuple[type[Exception], ...] = (duckdb.IOException, OSError)

    def __init__(self) -> None:
        self._connection = configure_session(duckdb.connect())

    def hold(self, name: str, share: Share, table: str) -> None:
        """Make a share's table known as `name`."""
        files = share.manifest.tables[table]
        if not files.rows:
            self.hold_empty(name, files.columns)
        elif isinstance(share.storage, LocalFolder):
            self._hold_files(name, share, files.columns, files.parts)
        else:
            self._hold_dataset(name, share, files.columns, files.parts)

    def hold_empty(self, name: str, columns: Mapping[str, str]) -> None:
        """Make a table of no rows known as `name`."""
        listed = ", ".join(f"cast(null as {kind}) as {quoted(column)}" for column, kind in columns.items())
        self.define(name, f"select {listed} where false")

    def define(self, name: str, select: str) -> None:
        """Make a select known as `name`."""
        self._connection.execute(f"create or replace temp view {quoted(name)} as {select}")

    def answer(self, query: str, *, params: Params = None, variables: Variables | None = None) -> pl.DataFrame:
        """The rows of a query; `variables` are those that it reads with `getvariable`."""
        set_ones = []
        try:
            for name, value in (variables or {}).items():
                self._connection.execute(f"set variable {quoted(name)} = $value", {"value": value})
                set_ones.append(name)
            return frame(self._connection, query, params)
        finally:
            for name in set_ones:
                self._connection.execute(f"reset variable {quoted(name)}")

    def close(self) -> None:
        self._connection.close()

    def _hold_files(self, name: str, share: Share, columns: Mapping[str, str], parts: Sequence[Part]) -> None:
        # parts written before the table grew have fewer columns; reading by width needs no footer to be opened for that
        selects = []
        for width, group in groupby(sorted(parts, key=lambda part: part.width), key=lambda part: part.width):
            listed = ", ".join(
                quoted(column) if position < width else f"cast(null as {kind}) as {quoted(column)}"
                for position, (column, kind) in enumerate(columns.items())
            )
            paths = [share.storage.arrow_path(file.key)[1] for part in group for file in part.files]
            files = ", ".join("'" + path.replace("'", "''") + "'" for path in paths)
            selects.append(f"select {listed} from read_parquet([{files}], hive_partitioning = false)")
        self.define(name, " union all ".join(selects))

    def _hold_dataset(self, name: str, share: Share, columns: Mapping[str, str], parts: Sequence[Part]) -> None:
        # DuckDB's bridge to Python file systems gave other sums on each run with two threads (duckdb 2.0.0), and its
        # own reader of buckets is an extension to be downloaded; a dataset prunes columns and row groups as well
        found = [share.storage.arrow_path(file.key) for part in parts for file in part.files]
        dataset = pyarrow.dataset.dataset(
            [path for _, path in found],
            filesystem=found[0][0],
            format="parquet",
            schema=pa.schema([(column, ARROW_TYPES[kind]) for column, kind in columns.items()]),
        )
        self._connection.register(name, dataset)
