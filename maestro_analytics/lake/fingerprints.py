"""What each month of a table holds, as one number: the months that a refresh touched are those whose number changed.

The number is the sum of a hash of each row, so the order of rows does not matter and equal rows do not cancel out. It
is taken of the content, not of the state tables, because a month can change without an export (`replay`, `quarantine
retry`) and an export can come without a change; 5 million answers take 0.4 s, a sixth of writing them. A null adds
nothing, so a column that the table grew leaves the months without a value in it as they were.
"""

# Identifiers come from our own schemas or a file's header and are quoted; values are parameters.
# ruff: noqa: S608

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import reduce

import duckdb

from maestro_analytics.lake.manifest import NO_MONTH
from maestro_analytics.warehouse.connection import quoted

MONTH_OF = "date_graded"


@dataclass(frozen=True)
class Content:
    """One month of a table; `month` is None where the table is not partitioned."""

    month: str | None
    rows: int
    fingerprint: str
    bounds: tuple[datetime, datetime] | None = None

    def select(self, table: str) -> str:
        """The rows, as SQL with `bounds` as its parameters."""
        if self.bounds:
            condition = f" where {MONTH_OF} >= $1 and {MONTH_OF} < $2"
        elif self.month == NO_MONTH:
            condition = f" where {MONTH_OF} is null"
        else:
            condition = ""
        return f"select * from {quoted(table)}{condition}"


def contents(connection: duckdb.DuckDBPyConnection, table: str, columns: Iterable[str]) -> list[Content]:
    """The months of a table that has a `date_graded`, else the table as one; nothing for a table without rows."""
    columns = list(columns)
    # of the moment in UTC, whatever the session's zone
    month = f"date_trunc('month', timezone('UTC', {MONTH_OF}))" if MONTH_OF in columns else "null::timestamp"
    # the epoch as an integer: a moment fetched as a Python object depends on the local time zone package
    rows = connection.execute(
        f"select epoch_us({month}) as starts, count(*), sum(hash({_row(columns)}))::varchar "
        f"from {quoted(table)} group by all having count(*) > 0 order by starts"
    ).fetchall()
    found = []
    for starts, count, fingerprint in rows:
        if starts is None:
            found.append(Content(NO_MONTH if MONTH_OF in columns else None, count, fingerprint))
        else:
            first = datetime.fromtimestamp(starts // 1_000_000, tz=UTC)
            found.append(Content(f"{first:%Y-%m}", count, fingerprint, (first, _next_month(first))))
    return found


def _row(columns: list[str]) -> str:
    """One number for a row: its columns' hashes, each with the column's position, so that swapped values differ."""
    hashes = (
        f"case when {quoted(name)} is null then 0::ubigint else hash({quoted(name)}, {position}) end"
        for position, name in enumerate(columns)
    )
    return reduce(lambda left, right: f"xor({left}, {right})", hashes)


def _next_month(first: datetime) -> datetime:
    return first.replace(year=first.year + first.month // 12, month=first.month % 12 + 1)
