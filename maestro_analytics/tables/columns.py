"""Table and column declarations: roles, types, and how rows replace each other.

A column says what its text means with one of a few roles (`Role`), which fix its type:

    role        polars                DuckDB        as text in a file
    LABEL       String                VARCHAR       ids and names, always text; `Unknown`, `N/A` and empty are null
    FREE_TEXT   String                VARCHAR       kept to the letter, also when empty
    NUMBER      Float64, finite       DOUBLE        `N/A`, `Unknown` and empty are null
    SECONDS     Float64, finite       DOUBLE        seconds or HH:MM:SS
    MOMENT      Datetime(us, UTC)     TIMESTAMPTZ   `="2018-08-13 12:34:56.789"` or ISO 8601 with Z
    FLAG        Boolean               BOOLEAN       true/false/1/0 in any case
    ID_LIST     List(String)          VARCHAR[]     comma-separated

A column can be part of a row's identity besides: a row that lacks it is quarantined, a file without the
column is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Any

import pandera.polars as pa
import polars as pl


class Role(StrEnum):
    """What the text of a column means; see the table at the top of this module."""

    LABEL = "label"
    FREE_TEXT = "free text"
    NUMBER = "number"
    SECONDS = "seconds"
    MOMENT = "moment"
    FLAG = "flag"
    ID_LIST = "list of ids"


UTC_MOMENT = pl.Datetime("us", "UTC")

DELIVERY = "_delivery"
"""A column of every staged file: which of the exports that were read together its rows are of."""

DTYPES: dict[Role, Any] = {
    Role.LABEL: pl.String,
    Role.FREE_TEXT: pl.String,
    Role.NUMBER: pl.Float64,
    Role.SECONDS: pl.Float64,
    Role.MOMENT: UTC_MOMENT,
    Role.FLAG: pl.Boolean,
    Role.ID_LIST: pl.List(pl.String),
}

DUCKDB_TYPES: dict[Role, str] = {
    Role.LABEL: "VARCHAR",
    Role.FREE_TEXT: "VARCHAR",
    Role.NUMBER: "DOUBLE",
    Role.SECONDS: "DOUBLE",
    Role.MOMENT: "TIMESTAMPTZ",
    Role.FLAG: "BOOLEAN",
    Role.ID_LIST: "VARCHAR[]",
}


FINITE = pa.Check(lambda data: data.lazyframe.select(pl.col(data.key).is_finite()), name="finite")
"""The check of every number column: neither infinite nor NaN."""


def column(role: Role, description: str, *, unit: str | None = None, is_identity: bool = False) -> pa.Column:
    """A pandera column of `role`; `unit` is told in the data dictionary."""
    checks = [FINITE] if role in (Role.NUMBER, Role.SECONDS) else []
    return pa.Column(
        DTYPES[role],
        checks=checks,
        nullable=not is_identity,
        description=description,
        metadata={"role": role, "unit": unit, "identity": is_identity},
    )


def identity(description: str) -> pa.Column:
    return column(Role.LABEL, description, is_identity=True)


def label(description: str) -> pa.Column:
    return column(Role.LABEL, description)


def free_text(description: str) -> pa.Column:
    return column(Role.FREE_TEXT, description)


def points(description: str) -> pa.Column:
    return column(Role.NUMBER, description, unit="points")


def moment(description: str) -> pa.Column:
    return column(Role.MOMENT, description, unit="UTC")


@dataclass(frozen=True)
class Table:
    """One table: its columns, and how rows of a newer delivery replace those of an older one.

    Attributes:
        name: the name in DuckDB, and of the file it comes from.
        grain: what one row is, in words.
        schema: the pandera schema; its column order is the table's.
        replaced_by: all rows with these values go when a newer delivery names them; empty for a table
            that is replaced as a whole (a snapshot) or derived.
        row_key: columns that no two live rows of a delivery share; None where rows may repeat.
        made_here: columns that no file holds, because we compute them.
        one_of: columns of which a row, and a file, needs at least one.
        newest_by: of rows that share `row_key`, the one that lands: the latest by this column, then the last in the
            file.
        filled_first: for the same choice, before `newest_by`: a row with a value in one of these columns before one
            without.
        repeats_by: columns by which rows that may be identical in every column are found; such a row lands once.
        several_by: columns that several rows share only where the vendor has several of them, such as the answers to a
            multi-select question.
        words_to: number column -> column that takes a text which is not a number, instead of refusing its row.
        reserved: names that a new column of a file must not take besides the table's own.
    """

    name: str
    grain: str
    schema: pa.DataFrameSchema
    replaced_by: tuple[str, ...] = ()
    row_key: tuple[str, ...] | None = None
    made_here: tuple[str, ...] = ()
    one_of: tuple[str, ...] = ()
    newest_by: str | None = None
    filled_first: tuple[str, ...] = ()
    repeats_by: tuple[str, ...] = ()
    several_by: tuple[str, ...] = ()
    words_to: Mapping[str, str] = field(default_factory=dict)
    reserved: tuple[str, ...] = ()

    @cached_property
    def columns(self) -> dict[str, Role]:
        """Column name -> role, in the table's order."""
        return {name: col.metadata["role"] for name, col in self.schema.columns.items()}

    @cached_property
    def file_columns(self) -> dict[str, Role]:
        """The columns that are expected in a file."""
        return {name: role for name, role in self.columns.items() if name not in self.made_here}

    @cached_property
    def row_checks(self) -> pa.DataFrameSchema:
        """The part of the schema that a row can fail: columns with checks, and those that must not be null."""
        return pa.DataFrameSchema(
            {name: col for name, col in self.schema.columns.items() if col.checks or not col.nullable}
        )

    @cached_property
    def passes(self) -> pl.Expr:
        """Whether all rows of a frame pass `row_checks`.

        pandera takes 2 ms for each column, however few the rows, so it is asked only to name the rows that do not pass.
        """
        columns = self.row_checks.columns
        needed = [pl.col(name).is_not_null().all() for name, col in columns.items() if not col.nullable]
        finite = [pl.col(name).is_finite().all() for name, col in columns.items() if FINITE in col.checks]
        # A check that this expression does not know is pandera's to make, of every row.
        known = all(check == FINITE for col in columns.values() for check in col.checks)
        return pl.all_horizontal(pl.lit(known), *needed, *finite)

    @property
    def identity_columns(self) -> tuple[str, ...]:
        """Columns without which a row is quarantined and a file refused."""
        return tuple(name for name in self.file_columns if self.schema.columns[name].metadata["identity"])

    def ddl(self) -> str:
        """`create table` for DuckDB. No primary key and no index: a landing replaces all rows of a grade."""
        body = ",\n    ".join(f'"{name}" {DUCKDB_TYPES[role]}' for name, role in self.columns.items())
        return f"create table if not exists main.{self.name} (\n    {body}\n)"

    def empty(self) -> pl.DataFrame:
        """A frame of no rows with the table's columns and types."""
        return pl.DataFrame(schema={name: DTYPES[role] for name, role in self.columns.items()})
