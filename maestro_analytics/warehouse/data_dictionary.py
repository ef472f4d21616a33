"""The data dictionary, `sql/README.md`, made from the schemas, the views and the queries.

    python -m maestro_analytics.warehouse.data_dictionary

writes it anew; a test holds it against the code.
"""

from __future__ import annotations

from collections.abc import Iterable

import duckdb

from maestro_analytics.tables.columns import DUCKDB_TYPES, Table
from maestro_analytics.tables.schemas import TABLES
from maestro_analytics.warehouse.connection import configure_session
from maestro_analytics.warehouse.sql_files import create_views, grain, sql_folder, texts, variables
from maestro_analytics.warehouse.state import STATE_TABLES, StateTable, columns_of, create_all

OPENING = """\
# Data dictionary

Made by `python -m maestro_analytics.warehouse.data_dictionary` from the schemas, views and queries: change those.

`data/maestro.duckdb` opens in any DuckDB client. Moments are UTC; `set TimeZone = 'UTC'` before comparing them with
plain timestamps. Tables are in schema `main`, what is known about them in schema `state`. A table grows a VARCHAR
column when a file has one that is not listed here; `state.schema_changes` says which and when.

The files in `queries/` run by hand as they are, with `set variable NAME = VALUE` before for those that take variables,
and from Python as `qa.query("NAME", variable=value)`.
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
    return f"### {table.name}\n\n{_sentence(table.grain)}\n\n" + _markdown(("column", "type", "unit", "", "what"), rows)


def _state_table(table: StateTable) -> str:
    rows = [(f"`{name}`", kind, what) for name, (kind, what) in table.columns.items()]
    return f"### state.{table.name}\n\n{_sentence(table.grain)}\n\n" + _markdown(("column", "type", "what"), rows)


def _views() -> Iterable[str]:
    connection = configure_session(duckdb.connect(":memory:"))
    try:
        create_all(connection)
        create_views(connection)
        for name, text in texts("views").items():
            columns = ", ".join(f"`{column}`" for column in columns_of(connection, name))
            comment = "\n".join(_comment_lines(text))
            yield f"### {name}\n\n{comment}\n\nColumns: {columns}.\n"
    finally:
        connection.close()


def _queries() -> str:
    rows = [
        (f"[`{name}`](queries/{name}.sql)", grain(text), ", ".join(f"`{each}`" for each in sorted(variables(text))))
        for name, text in texts("queries").items()
    ]
    return _markdown(("query", "what", "variables"), rows)


def _comment_lines(text: str) -> list[str]:
    lines = []
    for line in text.splitlines():
        if not line.startswith("--"):
            break
        lines.append(line.removeprefix("--").strip())
    return lines


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + "."


def _markdown(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines) + "\n"


if __name__ == "__main__":
    (sql_folder() / "README.md").write_text(data_dictionary(), encoding="utf-8")
