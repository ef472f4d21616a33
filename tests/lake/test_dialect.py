"""What sqlglot leaves different between DuckDB and Spark, held against both engines."""

from datetime import UTC, date, datetime

import duckdb
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maestro_analytics.errors import InvalidArgument
from maestro_analytics.lake.dialect import to_spark
from maestro_analytics.lake.spark import SparkEngine

ROWS = """
from (values
    (1, 2.5, timestamptz '2026-01-31T23:59:59.75Z', timestamptz '2026-02-01T00:00:00Z', 'b'),
    (2, 7.0, timestamptz '2026-03-01T12:00:00Z', timestamptz '2026-02-27T13:00:00Z', 'a'),
    (3, null, timestamptz '2025-12-31T00:00:00.5Z', timestamptz '2026-12-30T23:00:00Z', null),
    (4, -0.5, null, timestamptz '2026-01-01T00:00:00Z', 'c\\d')
) as rows(id, x, began, ended, label)
"""

EXPRESSIONS = [
    "id, quantile_cont(x, 0.9) over () as q",
    "id, date_diff('day', began, ended) as days, date_diff('month', began, ended) as months",
    "id, date_diff('hour', began, ended) as hours, datediff('year', began, ended) as years",
    "id, epoch(began) as seconds, epoch(ended - interval 1 day) as before",
    "id, cast(began at time zone 'Asia/Tokyo' as date) as day, date_trunc('week', began) as week",
    "id, strftime(began, '%Y-%m-%d') as day, extract(year from ended) as year",
    "id, began is not distinct from ended as same, coalesce(label, 'none') || '!' as marked",
    "id, regexp_extract(label, '^([a-z])(.*)$', 2) as rest, label = 'c\\d' as has_backslash",
    "id, greatest(x, 0) as at_least, round(x) as whole, id / 2 as half, id // 2 as floor, id % 3 as rest",
    "id, row_number() over (order by x desc, id) as place, lag(id) over (order by label, id) as before",
    "sum(id) as s, avg(x) as a, median(x) as m, stddev_samp(x) as d, count(*) filter (where x > 0) as n",
    "list(label order by id) as ascending, list(id order by id desc) as descending",
    "max_by(label, x) as best, min(began) as first, string_agg(label, ', ' order by id) as labels",
]


@pytest.fixture(scope="module")
def engines(spark):
    connection = duckdb.connect()
    connection.execute("set TimeZone = 'UTC'")
    engine = SparkEngine(spark)
    yield connection, engine
    engine.close()
    connection.close()


@pytest.mark.parametrize("expressions", EXPRESSIONS)
def test_an_expression_means_the_same_on_both_engines(engines, expressions):
    connection, engine = engines
    query = f"select {expressions} {ROWS}" + (" order by id" if expressions.startswith("id") else "")
    expected = connection.sql(query).pl()
    got = engine.query(query)
    assert got.schema == expected.schema
    assert [tuple(rounded(row)) for row in got.rows()] == [tuple(rounded(row)) for row in expected.rows()]


def rounded(row):
    return [round(value, 9) if isinstance(value, float) else value for value in row]


def test_rows_come_in_the_order_asked_for_with_nulls_last_on_both(engines):
    connection, engine = engines
    for order in ("x", "x desc", "label", "label desc", "began desc nulls first"):
        query = f"select id {ROWS} order by {order}"
        assert engine.query(query).equals(connection.sql(query).pl()), order


def test_values_of_every_kind_are_carried_over(engines):
    connection, engine = engines
    values = {
        "a_text": "x",
        "a_moment": datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC),
        "a_day": date(2026, 1, 2),
        "a_float": 2.5,
        "an_integer": 7,
        "a_flag": True,
        "a_list": ["p", "q"],
    }
    query = "select " + ", ".join(f"${name} as {name}" for name in values)
    assert engine.query(query, params=values).row(0, named=True) == values
    variables = "select " + ", ".join(f"getvariable('{name}') as {name}" for name in values)
    assert engine.query(variables, variables=values).row(0, named=True) == values
    assert connection.sql("select getvariable('never_set') is null").fetchall() == [(True,)]
    assert engine.query("select getvariable('never_set') is null as unset").item() is True


@settings(max_examples=40)
@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0")), min_size=3, max_size=3))
def test_marks_take_their_values_in_the_order_of_the_text(texts):
    """Whatever the values hold, however a tree keeps its branches; a mark inside a text or a comment is none."""
    marked = "with a as (select ? as x) select '?' as mark, x /* ? */ from a where x <> ? limit length(?)"
    numbered = "with a as (select $1 as x) select '?' as mark, x from a where x <> $2 limit length($3)"
    assert to_spark(marked, params=texts) == to_spark(numbered, params=texts)


def test_a_parameter_without_a_value_is_refused():
    with pytest.raises(InvalidArgument, match="parameter name that was given no value"):
        to_spark("select $name")


@pytest.mark.parametrize("query", ["select from where", "select list(a order by b, c) from t"])
def test_what_cannot_be_carried_over_is_one_line(query):
    with pytest.raises(InvalidArgument, match="Spark cannot be asked this") as refusal:
        to_spark(query)
    assert "\n" not in str(refusal.value)


def test_what_spark_itself_refuses_is_one_line(engines):
    with pytest.raises(
        InvalidArgument, match=r"Spark cannot be asked this: .*requires the window to be ordered"
    ) as refusal:
        engines[1].query("select row_number() over () as n from (values (1)) as t(id)")
    assert "\n" not in str(refusal.value)


def test_an_answer_has_the_names_and_types_of_duckdb(engines):
    connection, engine = engines
    query = (
        "select count(*), 1 as i, 1 + 2, sum(id), avg(id), null as nothing, row_number() over (order by id) "
        "from (values (1)) as t(id) group by id"
    )
    assert engine.query(query).schema == connection.sql(query).pl().schema
    assert engine.query(query).schema["i"] == pl.Int32
