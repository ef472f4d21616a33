"""Hash the content of each month of a table: the months that a refresh touched are those whose hash changed.

The number is the sum of a hash of each row, so the order of rows does not matter and equal rows do not cancel out. It
is taken of the content, not of the state tables, because a month can change without an export (`replay`, `quarantine
retry`) and an export can come without a change; 5 million answers take 0.4 s, a third of writing them. A null adds
nothing, so a column that the table grew leaves the months without a value in it as they were.
"""

# Identifiers come from our own schemas or a file's header and are quoted; values are parameters.
# ruff: noqa: S608

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce

import duckdb

from maestro_analytics.warehouse.quoting import quoted

MONTH_OF = "date_graded"
NO_MONTH = "unknown"
"""The month of rows without a `date_graded`. Hive's own word for null, `__HIVE_DEFAULT_PARTITION__`, stops pandas 3."""


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


NOTHING = Month(None, 0, "")


def months_of(connection: duckdb.DuckDBPyConnection, table: str, columns: Iterable[str]) -> list[Month]:
    """The months of a table that has a `date_graded`, else the table as one; nothing for a table without rows."""
    columns = list(columns)
    if MONTH_OF not in columns:
        month, moment = "null", "null::timestamptz"
    else:
        # of the moment in UTC, whatever the session's zone
        moment = f"case when isfinite({MONTH_OF}) then {MONTH_OF} end"
        month = f"date_trunc('month', timezone('UTC', {moment}))"
    rows = connection.execute(
        f"select strftime(month::timestamp, '%Y-%m'), count(*), sum(fingerprint)::varchar, "
        "epoch_us(min(moment)), epoch_us(max(moment)) from "
        f"(select {month} as month, {moment} as moment, {_row(columns)} as fingerprint from {quoted(table)}) "
        "group by month having count(*) > 0 order by month"
    ).fetchall()
    unknown = NO_MONTH if MONTH_OF in columns else None
    return [
        Month(name or unknown, count, fingerprint, (first, last) if name else None)
        for name, count, fingerprint, first, last in rows
    ]


def _row(columns: list[str]) -> str:
    """The hash of a row, from its columns' hashes, each with the column's position, so that swapped values differ."""
    hashes = (
        f"case when {quoted(name)} is null then 0::ubigint else hash({quoted(name)}, {position}) end"
        for position, name in enumerate(columns)
    )
    return reduce(lambda left, right: f"xor({left}, {right})", hashes)
