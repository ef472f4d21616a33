"""The descriptions of tables, views and columns for readers: the data dictionary, and the sources of a dbt project.

    python -m maestro_analytics.warehouse.data_dictionary

rewrites `sql/README.md` from the schemas, the views and the queries; a test compares it with the code.

The descriptions for dbt are the comments in the published file, so that columns which only this account has are
described too. Its tests follow from the schemas: identity columns are not null, a key of one column is unique, kinds
and states are known words, and keys lead to the table of what they name.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator

import duckdb

from maestro_analytics.tables.columns import DUCKDB_TYPES, Table
from maestro_analytics.tables.schemas import TABLES, TABLES_BY_NAME
from maestro_analytics.warehouse.connection import CATALOG, configure_session
from maestro_analytics.warehouse.publish import column_comments, sentence
from maestro_analytics.warehouse.sql_files import create_views, description, grain, sql_folder, texts, variables
from maestro_analytics.warehouse.state import STATE_TABLES, StateTable, columns_of, create_all
from maestro_analytics.warehouse.store import Store

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
SOURCES = {"main": "maestro", "state": "maestro_state"}
"""Schema of the file -> name of the source in dbt."""
GRADE_VIEWS = ("grades", "ordinary_grades")
"""Views with one row for each row of `total_scores`, or for some of them."""
LEADS_TO = {
    ("section_scores", "grade_key"): ("total_scores", "grade_key"),
    ("individual_answers", "grade_key"): ("total_scores", "grade_key"),
    ("annotations", "grade_key"): ("total_scores", "grade_key"),
    ("grades", "person_id"): ("agents", "person_id"),
    ("agent_ids", "person_id"): ("agents", "person_id"),
    ("grade_coaching_points", "grade_key"): ("grades", "grade_key"),
    ("grade_coaching_points", "coaching_point_id"): ("coaching_points", "id"),
    ("grade_todos", "grade_key"): ("grades", "grade_key"),
    ("grade_todos", "todo_id"): ("todos", "id"),
    ("session_coaching_points", "coaching_session_id"): ("coaching_sessions", "id"),
    ("session_coaching_points", "coaching_point_id"): ("coaching_points", "id"),
}
"""(Table or view, column) -> where each value of it, if there is one, is a key."""
RELATIONS = """
with relations as (
    select schema_name, table_name as name, comment from duckdb_tables()
    where database_name = current_database() and not internal
    union all
    select schema_name, view_name, comment from duckdb_views()
    where database_name = current_database() and not internal
)
select * from relations where schema_name in ('main', 'state') order by all
"""
COLUMNS = """
select schema_name, table_name as name, column_name, comment from duckdb_columns()
where database_name = current_database() and not internal order by schema_name, name, column_index
"""
DESCRIPTIONS = {
    "main": "Grades, coaching and people of a MaestroQA account. Moments are UTC.",
    "state": "What is known about the data: exports, coverage, quarantine, deletions.",
}


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


def dbt_sources(store: Store) -> str:
    """A `sources.yml` for the open file.

    The tests are written as dbt 1.10.5 and newer read them (`arguments`).
    """
    relations = store.sql(RELATIONS).rows()
    columns: dict[tuple[str, str], list[tuple[str, str | None]]] = {}
    for schema, name, column, comment in store.sql(COLUMNS).iter_rows():
        if "{" in column:
            continue  # A column that a file brought; dbt would run such a name as a template.
        columns.setdefault((schema, name), []).append((column, comment))
    lines = [
        "# Made by `maestro-analytics dbt sources` from the published file. Attach it in profiles.yml:",
        f"#   attach: [{{path: data/maestro.duckdb, alias: {CATALOG}, read_only: true}}]",
        "version: 2",
        "sources:",
    ]
    for schema, source in SOURCES.items():
        lines += [f"  - name: {source}", f"    database: {CATALOG}", f"    schema: {schema}"]
        lines += [f"    description: {_text(DESCRIPTIONS[schema])}", "    tables:"]
        for found, name, comment in relations:
            if found == schema:
                lines += [f"      - name: {_text(name)}", f"        description: {_text(comment)}", "        columns:"]
                for column, what in columns[schema, name]:
                    lines += [f"          - name: {_text(column)}", f"            description: {_text(what)}"]
                    lines += _tests(schema, name, column)
    return "\n".join(lines) + "\n"


def _tests(schema: str, name: str, column: str) -> Iterator[str]:
    """The tests of a column, as lines."""
    tests = []
    if (name, column) in _required(schema):
        tests.append("- not_null")
    if (name, column) in _unique(schema):
        tests.append("- unique")
    if values := _accepted(schema).get((name, column)):
        tests += ["- accepted_values:", "    arguments:", f"      values: {json.dumps(values)}"]
    if schema == "main" and (name, column) in LEADS_TO:
        table, key = LEADS_TO[name, column]
        tests += ["- relationships:", "    arguments:"]
        tests += [f"      to: source('{SOURCES[schema]}', '{table}')", f"      field: {key}"]
    if tests:
        yield "            data_tests:"
        yield from (f"              {line}" for line in tests)


def _required(schema: str) -> set[tuple[str, str]]:
    """Columns that are never null: those of an identity, and links."""
    if schema != "main":
        return {("exports", "seq"), ("exports", "kind"), ("exports", "status"), ("coverage", "kind")}
    found = {
        (table.name, name)
        for table in TABLES
        for name, column in table.schema.columns.items()
        if (column.metadata or {})["identity"]
    }
    found |= {(view, name) for view in GRADE_VIEWS for table, name in found if table == "total_scores"}
    return found | {pair for pair in LEADS_TO if pair[0] not in (*TABLES_BY_NAME, *GRADE_VIEWS)}


def _unique(schema: str) -> set[tuple[str, str]]:
    """Columns that no two rows share."""
    if schema != "main":
        return {("exports", "seq")}
    keys = {(table.name, table.row_key[0]) for table in TABLES if table.row_key and len(table.row_key) == 1}
    return keys | {(view, "grade_key") for view in GRADE_VIEWS}


def _accepted(schema: str) -> dict[tuple[str, str], list[str]]:
    """The words that a kind or state can have; the descriptions of these columns name them."""
    if schema != "state":
        return {}
    return {
        (table.name, name): words
        for table in STATE_TABLES
        for name, (_, what) in table.columns.items()
        if name in ("kind", "status") and (words := re.findall(r"`(\w+)`", what))
    }


def _text(text: str | None) -> str:
    """A text in YAML: JSON's quoting is valid there."""
    return json.dumps(text or "", ensure_ascii=False)
