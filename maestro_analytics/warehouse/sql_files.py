"""The SQL files: `sql/views/*.sql` and `sql/queries/*.sql`, plain DuckDB, one select each.

A query's variables are the names that it asks `getvariable` for; its first comment lines say what they mean.
"""

from __future__ import annotations

import re
from contextlib import suppress
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import duckdb

from maestro_analytics.errors import UnknownName

_PACKAGE = Path(__file__).parents[1]
_VARIABLE = re.compile(r"getvariable\('([A-Za-z_][A-Za-z0-9_]*)'\)")
_COMMENT = re.compile(r"--[^\n]*")


def sql_folder() -> Path:
    """Where the SQL files are: in the package when it is installed, beside it in a checkout."""
    installed = _PACKAGE / "_sql"
    return installed if installed.is_dir() else _PACKAGE.parent / "sql"


@cache
def texts(folder: str) -> dict[str, str]:
    """Name -> text of each file in `views` or `queries`."""
    return {path.stem: path.read_text(encoding="utf-8") for path in sorted((sql_folder() / folder).glob("*.sql"))}


def query(name: str) -> str:
    """The text of a query.

    Raises:
        UnknownName: there is no such file.
    """
    known = texts("queries")
    if name not in known:
        raise UnknownName(kind="query", name=name, known=known)
    return known[name]


def variables(text: str) -> set[str]:
    """The variables that a query asks for."""
    return set(_VARIABLE.findall(_COMMENT.sub("", text)))


def grain(text: str) -> str:
    """What one row is: the first line, a comment."""
    return text.splitlines()[0].removeprefix("--").strip()


def create_views(connection: duckdb.DuckDBPyConnection) -> None:
    """Make every view anew, so that `select *` shows columns that a table grew, and drop those that have no file."""
    wanted = texts("views")
    there = connection.execute(
        "select view_name from duckdb_views() where schema_name = 'main' and not internal "
        "and database_name = current_database()"
    ).fetchall()
    for (name,) in there:
        if name not in wanted:
            connection.execute(f'drop view main."{name}"')
    for name in in_order_of_need(wanted):
        connection.execute(f"create or replace view main.{name} as {wanted[name]}")


def lend_views(connection: duckdb.DuckDBPyConnection) -> None:
    """Give this connection alone the views that a file lacks, because an older version published it.

    So the queries of this version run on it until the next refresh publishes it anew; a view of a table that the file
    lacks too stays away.
    """
    wanted = texts("views")
    there = connection.execute(
        "select view_name from duckdb_views() where schema_name = 'main' and not internal "
        "and database_name = current_database()"
    ).fetchall()
    for name in in_order_of_need(wanted):
        if (name,) not in there:
            with suppress(duckdb.CatalogException):
                connection.execute(f"create temporary view {name} as {wanted[name]}")


def in_order_of_need(views: dict[str, str]) -> list[str]:
    """The names of views, each behind those that its text names."""
    needs = {
        name: set(re.findall(r"\w+", _COMMENT.sub("", text))) & (set(views) - {name}) for name, text in views.items()
    }
    return list(TopologicalSorter(needs).static_order())
