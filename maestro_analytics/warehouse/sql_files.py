"""The SQL files: `sql/views/*.sql` and `sql/queries/*.sql`, plain DuckDB, one select each.

The variables of a query are the names that it passes to `getvariable`; its first comment lines say what they mean.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from functools import cache
from graphlib import TopologicalSorter
from itertools import takewhile
from pathlib import Path
from typing import Any

import duckdb

from maestro_analytics.errors import UnknownName
from maestro_analytics.warehouse import multi_select

_PACKAGE = Path(__file__).parents[1]
_VARIABLE = re.compile(r"getvariable\('([A-Za-z_][A-Za-z0-9_]*)'\)")
_COMMENT = re.compile(r"--[^\n]*")
_DESCRIBED = re.compile(r"--\s+(\w+)\s{2,}(\S.*)")


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
    """The variables that a query reads, in its own text and in the views that it names."""
    found: set[str] = set()
    unread, read = [text], set[str]()
    while unread:
        each = unread.pop()
        found.update(_VARIABLE.findall(_COMMENT.sub("", each)))
        views = views_named_in(each) - read
        read |= views
        unread += [texts("views")[name] for name in views]
    return found


def views_named_in(text: str) -> set[str]:
    """The views that the text of a query or view names."""
    return set(re.findall(r"\w+", _COMMENT.sub("", text))) & set(texts("views"))


def query_with_variables(name: str, given: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """The text of a query, and those of the `given` variables that are not None.

    Raises:
        UnknownName: there is no such query, or it reads no such variable.
    """
    text = query(name)
    known = variables(text)
    for each in given:
        if each not in known:
            raise UnknownName(kind=f"variable of the query {name}", name=each, known=known)
    return text, {each: value for each, value in given.items() if value is not None}


def grain(text: str) -> str:
    """What one row is: the first line, a comment."""
    return text.splitlines()[0].removeprefix("--").strip()


def description(text: str) -> str:
    """What the opening comment says, in one line, without the lines that describe a name."""
    lines = [line for line in _opening(text) if not _DESCRIBED.fullmatch(line)]
    return " ".join(line.removeprefix("--").strip() for line in lines)


def described_names(text: str) -> dict[str, str]:
    """Name -> description, from the lines `--   NAME  description` of the opening comment: columns of a view."""
    return {found[1]: found[2] for line in _opening(text) if (found := _DESCRIBED.fullmatch(line))}


def _opening(text: str) -> list[str]:
    return list(takewhile(lambda line: line.startswith("--"), text.splitlines()))


def create_views(connection: duckdb.DuckDBPyConnection) -> None:
    """Create every view again, so that `select *` shows columns added since, and drop views that have no file."""
    wanted = texts("views")
    for name in _existing_views(connection):
        if name not in wanted:
            connection.execute(f'drop view main."{name}"')
    for name in in_dependency_order(wanted):
        connection.execute(f"create or replace view main.{name} as {wanted[name]}")


def add_missing_views(connection: duckdb.DuckDBPyConnection) -> None:
    """Create views that the file lacks as temporary views of this connection.

    A file that an older version published lacks the views of this one until the next refresh. Views of tables or
    columns that the file lacks too are skipped.
    """
    wanted = texts("views")
    existing = set(_existing_views(connection))
    tables = {str(name) for (name,) in connection.execute("select table_name from duckdb_tables()").fetchall()}
    lacking = {"covered_time", "incomplete_grades"} - tables
    if "multi_select_questions" not in tables and "individual_answers" in tables:
        connection.execute(f"create temporary view multi_select_questions as {multi_select.DEFINITION}")
    for table in lacking:
        from maestro_analytics.tables.schemas import TABLES_BY_NAME  # pandera takes half a second to import

        # Nothing is known of covered time in such a file, so that no grade is taken for uncovered.
        connection.execute(TABLES_BY_NAME[table].ddl().replace("create table", "create temporary table", 1))
    for name in in_dependency_order(wanted):
        if lacking or name not in existing:
            with suppress(duckdb.CatalogException, duckdb.BinderException):
                connection.execute(f"create temporary view {name} as {wanted[name]}")


def in_dependency_order(views: Mapping[str, str]) -> list[str]:
    """The names of views, each after the views that its text names."""
    reads = {name: words(text) & (set(views) - {name}) for name, text in views.items()}
    return list(TopologicalSorter(reads).static_order())


def words(text: str) -> set[str]:
    """The names and keywords of a statement, without its comments."""
    return set(re.findall(r"\w+", _COMMENT.sub("", text)))


def _existing_views(connection: duckdb.DuckDBPyConnection) -> Iterable[str]:
    rows = connection.execute(
        "select view_name from duckdb_views() where schema_name = 'main' and not internal "
        "and database_name = current_database()"
    ).fetchall()
    return [str(name) for (name,) in rows]
