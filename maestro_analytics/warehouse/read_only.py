"""Queries from outside: only statements that read are run."""

from __future__ import annotations

import duckdb

from maestro_analytics.errors import InvalidArgument

QUERIES = {"SELECT", "EXPLAIN", "MULTI", "RELATION"}
"""Types of statements that give rows. PIVOT is a MULTI."""

SESSION = {"SET", "VARIABLE_SET", "PRAGMA", "CALL", "LOAD"}
"""Types that change this session alone."""


def check_reads_only(query: str) -> None:
    """Check that no statement of `query` writes: neither tables nor files.

    Raises:
        InvalidArgument: one does, or the text is not SQL.
    """
    for kind in _kinds(query):
        if kind not in QUERIES | SESSION:
            raise InvalidArgument(_refusal(kind))


def check_is_one_query(query: str) -> None:
    """Check that `query` is one statement that gives rows, and nothing else.

    Raises:
        InvalidArgument: it is not.
    """
    kinds = _kinds(query)
    for kind in kinds:
        if kind not in QUERIES:
            raise InvalidArgument(_refusal(kind))
    if len(kinds) != 1:
        raise InvalidArgument(f"one query at a time: this text has {len(kinds)} statements.")


def restrict(connection: duckdb.DuckDBPyConnection) -> None:
    """Keep queries of `connection` from reading and writing other files, and from changing that."""
    connection.execute("set enable_external_access = false")
    connection.execute("set lock_configuration = true")


def _kinds(query: str) -> list[str]:
    try:
        return [statement.type.name for statement in duckdb.extract_statements(query)]
    except duckdb.Error as error:
        raise InvalidArgument(f"the query cannot be run: {error}") from None


def _refusal(kind: str) -> str:
    return (
        f"the database is read-only: {kind} statements are refused. Write a query that gives rows (SELECT, FROM, WITH, "
        "DESCRIBE, SHOW, SUMMARIZE)."
    )
