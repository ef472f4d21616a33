"""Read and write state.coverage: the periods of which everything has landed."""

from __future__ import annotations

from collections.abc import Sequence

import duckdb

from maestro_analytics.exports import Window
from maestro_analytics.exports.windows import joined
from maestro_analytics.warehouse.connection import frame


def coverage(connection: duckdb.DuckDBPyConnection, kind: str) -> list[Window]:
    """The covered periods of `kind`, in order; neighbours are joined."""
    rows = frame(connection, "select window_start, window_end from state.coverage where kind = ?", [kind])
    return joined(Window(start, end) for start, end in rows.iter_rows())


def cover(connection: duckdb.DuckDBPyConnection, kind: str, windows: Sequence[Window]) -> None:
    """Record windows as covered, joined with those they touch."""
    if not windows:
        return
    before = coverage(connection, kind)
    after = joined([*before, *windows])
    if after != before:
        connection.execute("delete from state.coverage where kind = ?", [kind])
        for each in after:
            connection.execute("insert into state.coverage values (?, ?, ?)", [kind, each.start, each.end])
