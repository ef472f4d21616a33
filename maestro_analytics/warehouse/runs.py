"""What is remembered of each refresh, in state.refreshes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import duckdb

from maestro_analytics.warehouse.connection import frame, value


def start(
    connection: duckdb.DuckDBPyConnection,
    *,
    since: datetime | None,
    until: datetime,
    kinds: Sequence[str],
    at: datetime,
) -> int:
    """Enter a run; returns its id."""
    refresh_id = int(value(connection, "select coalesce(max(refresh_id), 0) + 1 from state.refreshes"))
    connection.execute(
        "insert into state.refreshes (refresh_id, started_at, since, until, kinds, status) values (?, ?, ?, ?, ?, ?)",
        [refresh_id, at, since, until, list(kinds), "running"],
    )
    return refresh_id


def finish(
    connection: duckdb.DuckDBPyConnection,
    refresh_id: int,
    *,
    status: str,
    requests: int,
    quarantined: int,
    error: str | None,
    at: datetime,
) -> None:
    """Enter how a run ended."""
    connection.execute(
        "update state.refreshes set finished_at = ?, status = ?, requests = ?, quarantined = ?, error = ? "
        "where refresh_id = ?",
        [at, status, requests, quarantined, error, refresh_id],
    )


def first_since(connection: duckdb.DuckDBPyConnection) -> datetime | None:
    """The earliest moment that any run was to fetch from."""
    moment: datetime | None = frame(connection, "select min(since) as moment from state.refreshes").item()
    return moment
