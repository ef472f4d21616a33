"""Compare the grades of the master before and after a period is landed again, and remove ghosts."""

from __future__ import annotations

from datetime import datetime

import duckdb
import polars as pl

from maestro_analytics.tables.grade_key import GRADE_PARTS
from maestro_analytics.tables.schemas import GRADE_TABLES
from maestro_analytics.warehouse.connection import quoted_all, transaction
from maestro_analytics.warehouse.results import frame
from maestro_analytics.warehouse.state import columns_of

LISTED = ("grade_key", *GRADE_PARTS, "date_graded")
"""Columns that identify a grade in the lists of `reconcile`."""


class GradeComparison:
    """The content of all grades at one moment, to be compared with a later one.

    Args:
        connection: of the master. The comparison lives in temporary tables of this connection.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        # Columns that a later landing adds must not make every grade look changed.
        self._columns = {table.name: columns_of(connection, table.name) for table in GRADE_TABLES}
        self._take("before")

    def _take(self, name: str) -> None:
        """Store a hash of each grade's rows in all four tables, independent of their order."""
        hashes = " union all ".join(
            f"select grade_key, hash(row({quoted_all(columns)})) as content from main.{table}"
            for table, columns in self._columns.items()
        )
        self._connection.execute(
            f"create or replace temp table {name} as with hashes as ({hashes}), grades as (select grade_key, "
            "sum(content::hugeint) as content from hashes group by grade_key) "
            f"select {quoted_all(list(LISTED))}, content from main.total_scores join grades using (grade_key)"
        )

    def changes(
        self, *, first_seq: int, ghosts_since: datetime, until: datetime
    ) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
        """Ghosts, missing and stale grades, one row per grade with `LISTED`, after the exports from `first_seq` on.

        A grade that was graded from `ghosts_since` on was updated since then, so that an export from there until now
        must hold it; where none does, the vendor no longer has it.
        """
        self._take("after")
        names = quoted_all(list(LISTED))
        listed = ", ".join(f"after.{quoted_all([name])}" for name in LISTED)
        ghosts = frame(
            self._connection,
            f"select {listed} from after join state.grade_versions as versions using (grade_key) "
            "where versions.export_seq < $seq and after.date_graded >= $since and after.date_graded < $until "
            "order by all",
            {"seq": first_seq, "since": ghosts_since, "until": until},
        )
        missing = frame(
            self._connection,
            f"select {names} from after where grade_key not in (select grade_key from before) order by all",
        )
        stale = frame(
            self._connection,
            f"select {names} from before where not exists (select * from after where after.grade_key = "
            "before.grade_key and after.content = before.content) order by all",
        )
        return ghosts, missing, stale


def remove_ghosts(connection: duckdb.DuckDBPyConnection, ghosts: pl.DataFrame, *, seq: int, at: datetime) -> None:
    """Remove grades that the vendor no longer has, and enter them in state.deletions as of the export `seq`."""
    parts = quoted_all(["grade_key", *GRADE_PARTS])
    connection.register("ghosts", ghosts)
    try:
        with transaction(connection):
            for table in GRADE_TABLES:
                connection.execute(f"delete from main.{table.name} where grade_key in (select grade_key from ghosts)")
            for name in ("grade_versions", "deletions"):
                connection.execute(f"delete from state.{name} where grade_key in (select grade_key from ghosts)")
            connection.execute(
                f"insert into state.deletions ({parts}, export_seq, deleted_at, reason) "
                f"select {parts}, ?, ?, 'reconcile: the vendor no longer has it' from ghosts",
                [seq, at],
            )
    finally:
        connection.unregister("ghosts")
