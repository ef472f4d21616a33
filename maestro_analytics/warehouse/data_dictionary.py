"""The data dictionary, `sql/README.md`, made from the schemas, the views and the queries.

    python -m maestro_analytics.warehouse.data_dictionary

rewrites it; a test compares it with the code.
"""

from __future__ import annotations

from collections.abc import Iterable

import duckdb

from maestro_analytics.tables.columns import DUCKDB_TYPES, Table
from maestro_analytics.tables.schemas import TABLES
from maestro_analytics.warehouse.comments import column_comments, sentence
from maestro_analytics.warehouse.connection import configure_session
from maestro_analytics.warehouse.sql_files import create_views, description, grain, sql_folder, texts, variables
from maestro_analytics.warehouse.state import STATE_TABLES, StateTable, columns_of, create_all

OPENING = """\
# Data dictionary

Made by `python -m maestro_analytics.warehouse.data_dictionary` from the schemas, views and queries: change those.

`data/maestro.duckdb` opens in DuckDB 1.2 and every newer version, and shows these descriptions as
comments there (`select * from duckdb_columns()`). Moments are UTC; `set TimeZone = 'UTC'` before comparing them with
plain timestamps. Tables are in schema `main`, what is known about them in schema `state`. A table grows a VARCHAR
column when a file has one that is not listed here; `state.schema_changes` says which and when.

The files in `queries/` run by hand as they are, with `set variable NAME = VALUE` before for those that take variables,
and from Python as `qa.query("NAME", variable=value)`. Each of them runs in DuckDB 1.2 and every newer version.
"""


def data_dictionary() -> str:
    """The page, in Markdown."""
    sections = [OPENING, "## Tables\n", *(_table(table) for table in TABLES), "## Views\n", *_views()]
    sections += ["## State\n", *(_state_table(table) for table in STATE_TABLES), "## Queries\n", _queries()]
    return "\n".join(sections)


def _table(table: Table) -> str:
    rows = []
    for name, column in table.schema.columns.items():
        metadata = column.metadata or {}
        unit = metadata["unit"] or ""
        notes = "identity" if metadata["identity"] else ""
        rows.append((f"`{name}`", DUCKDB_TYPES[metadata["role"]], unit, notes, column.description or ""))
    return f"### {table.name}\n\n{sentence(table.grain)}\n\n" + _markdown(("column", "type", "unit", "", "what"), rows)


def _state_table(table: StateTable) -> str:
    rows = [(f"`{name}`", kind, what) for name, (kind, what) in table.columns.items()]
    return f"### state.{table.name}\n\n{sentence(table.grain)}\n\n" + _markdown(("column", "type", "what"), rows)


def _views() -> Iterable[str]:
    comments = column_comments()
    connection = configure_session(duckdb.connect(":memory:"))
    try:
        create_all(connection)
        create_views(connection)
        for name, text in texts("views").items():
            rows = [(f"`{column}`", comments[name][column]) for column in columns_of(connection, name)]
            yield f"### {name}\n\n{description(text)}\n\n" + _markdown(("column", "what"), rows)
    finally:
        connection.close()


def _queries() -> str:
    rows = [
        (f"[`{name}`](queries/{name}.sql)", grain(text), ", ".join(f"`{each}`" for each in sorted(variables(text))))
        for name, text in texts("queries").items()
    ]
    return _markdown(("query", "what", "variables"), rows)


def _markdown(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines) + "\n"


if __name__ == "__main__":
    (sql_folder() / "README.md").write_text(data_dictionary(), encoding="utf-8")
