"""Every view and every query of `sql/`: the same rows from the database, from DuckDB over Parquet and from Spark."""

from datetime import UTC, datetime

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from maestro_analytics import analysis
from maestro_analytics.lake import open_lake, write_lake
from maestro_analytics.warehouse import sql_files

VIEWS = sql_files.texts("views")
QUERIES = sql_files.texts("queries")
WITH_VARIABLES = [
    *(name for name, text in QUERIES.items() if "getvariable" in text),
    *("question_scores", "section_scores", "paired_scores", "coaching_sessions"),
]
"""Queries with variables of their own, and one for each view of filters that the others share."""
GIVEN = {
    "since": datetime(2026, 1, 20, tzinfo=UTC),
    "until": datetime(2026, 4, 10, 12, 30, tzinfo=UTC),
    "team": "Team 0",
    "agent": "00003",
    "rubric": "Chat",
    "source": "helpdesk",
    "grade_type": "any",
    "include_uncovered": True,
    "threshold": 85.5,
    "week_zone": "Asia/Tokyo",
    "with_questions": False,
    "every": "month",
    "kind": "agent",
    "period": "week",
    "rows": 2.0,
}


@pytest.fixture(scope="session")
def lake_folder(centre, tmp_path_factory):
    folder = tmp_path_factory.mktemp("lake")
    write_lake(centre, folder, account="acme")
    return folder


@pytest.fixture(scope="session")
def on_duckdb(lake_folder):
    with open_lake(lake_folder) as lake:
        yield lake


@pytest.fixture(scope="session")
def on_spark(lake_folder, spark):
    with open_lake(lake_folder, spark=spark) as lake:
        yield lake


@pytest.fixture(scope="session")
def original(centre):
    """The tables that were written, with the views, in their own database."""
    for name in sql_files.in_dependency_order(VIEWS):
        centre.connection.execute(f"create or replace view {name} as {VIEWS[name]}")
    return centre.connection


def same(left: pl.DataFrame, right: pl.DataFrame) -> None:
    """The same columns, types and rows in any order; of floats not the last digits, which hang on the order of sums."""
    assert left.schema == right.schema
    order = [name for name, kind in left.schema.items() if not kind.is_float()] + [
        name for name, kind in left.schema.items() if kind.is_float()
    ]
    sortable = [
        pl.col(name).round(6) if left.schema[name].is_float() else pl.col(name).cast(pl.String)
        for name in order
        if not left.schema[name].is_nested()
    ]
    assert_frame_equal(
        left.sort(sortable, nulls_last=True), right.sort(sortable, nulls_last=True), rel_tol=1e-9, abs_tol=1e-9
    )


def given_to(name: str) -> dict:
    """The values of GIVEN for the variables that a query's first lines list, all at once."""
    return {variable: GIVEN[variable] for variable in sql_files.variables(QUERIES[name])}


@pytest.mark.parametrize("name", VIEWS)
def test_a_view_gives_the_same_rows_on_every_engine(original, on_duckdb, on_spark, name):
    expected = original.sql(f"select * from {name}").pl()
    same(expected, on_duckdb.sql(f"select * from {name}"))
    same(expected, on_spark.sql(f"select * from {name}"))


@pytest.mark.parametrize("name", QUERIES)
def test_a_query_gives_the_same_rows_on_every_engine(original, on_duckdb, on_spark, name):
    expected = original.sql(QUERIES[name]).pl()
    assert expected.height > 0, "the contact centre of conftest.py holds no case for it: add one"
    same(expected, on_duckdb.query(name))
    same(expected, on_spark.query(name))


@pytest.mark.parametrize("name", WITH_VARIABLES)
def test_a_query_with_its_variables_gives_the_same_rows_on_every_engine(on_duckdb, on_spark, name):
    same(on_duckdb.query(name, **given_to(name)), on_spark.query(name, **given_to(name)))


def test_an_answer_of_the_analysis_is_the_same_on_every_engine(on_duckdb, on_spark):
    """The functions take a lake as they take the published database; agent_scores asks several queries."""
    answer = analysis.agent_scores
    same(answer(on_duckdb, team="Team 0"), answer(on_spark, team="Team 0"))
    assert answer(on_duckdb, team="Team 0").height > 0
