"""Queries on Spark: what sqlglot leaves different, held against both engines, and which steps are kept."""

from datetime import UTC, date, datetime

import duckdb
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maestro_analytics.errors import InvalidArgument
from maestro_analytics.lake import open_lake, write_lake
from maestro_analytics.lake.lake import SparkEngine
from maestro_analytics.lake.spark_sql import to_spark

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
    with_marks, with_numbers = (to_spark(query, params=texts) for query in (marked, numbered))
    assert [step.sql for step in with_marks] == [step.sql for step in with_numbers]


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


MANY = {"t": 2_000_000}


def kept(query: str, **given) -> list[str]:
    """Names of the steps that are kept, without the numbers that set them apart."""
    return [step.name.split("_", 2)[2] for step in to_spark(query, **given) if step.kept]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("with a as (select k, sum(v) from t group by k) select * from a as x join a as y using (k)", ["a"]),
        ("with a as (select k, v from t where v > 1) select * from a as x join a as y using (k)", []),
        ("with a as (select t.* from t join u using (k)), b as (select * from a) select * from b, b as c", ["a"]),
        ("with a as (select t.* from t join u using (k)) select * from a", []),
        ("with a as (select distinct k from t) select * from u where k in (select k from a)", ["a"]),
        ("with a as (select distinct k from t) select * from a", []),
        ("with a as not materialized (select k, sum(v) from t group by k) select * from a, a as b", []),
        (
            "with a as (select distinct k from t), b as (select distinct k from a) select * from u join b using (k)",
            ["b"],
        ),
    ],
)
def test_a_step_is_kept_where_reading_it_again_costs_more(query, expected):
    assert kept(query, rows=MANY) == expected


def test_a_step_that_aggregates_few_rows_is_not_kept_to_size_a_join():
    """Spark sees how many rows it has before it joins them, and few rows are sorted quickly."""
    query = "with a as (select distinct k from t) select * from u where k in (select k from a)"
    assert kept(query, rows={"t": 1000, "u": 2_000_000}) == []


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("select x.v from a as x join a as y using (k)", {"v", "k"}),
        ("select count(*) from a as x join a as y using (k)", {"k"}),
        ("select x.* from a as x join a as y using (k)", None),
        ("select v from (select x.* from a as x join a as y using (k)) as b", None),
        (", b as (select x.* from a as x join a as y using (k)) select v from b", {"v", "k"}),
        (", b as (select * from a union select * from a) select v from b", None),
    ],
)
def test_of_a_step_the_columns_are_kept_that_later_ones_need(query, expected):
    [step, *_] = to_spark(f"with a as (select k, max(v) as v, max(w) as w from t group by k) {query}")
    assert step.columns is None if expected is None else step.columns & {"k", "v", "w"} == expected


def test_a_step_behind_a_filter_that_is_not_set_is_not_made():
    views = {"members": "select distinct k from groups"}
    query = (
        "select * from t where coalesce(getvariable('team'), '') = '' "
        "or k in (select k from members where team = coalesce(getvariable('team'), ''))"
    )
    rows = {"groups": 2_000_000}
    assert kept(query, views=views, rows=rows) == []
    assert kept(query, views=views, rows=rows, variables={"team": "a"}) == ["members"]


def test_each_step_reads_the_ones_before_it_under_unique_names():
    query = (
        "with a as (select k from t), b as (with a as (select 1 as x) select x from a), c(y) as (select 2) "
        "select k, x, y from a, b, c"
    )
    assert {step.name: step.sql for step in to_spark(query)} == {
        "step_0_a": "SELECT k FROM t",
        "step_1_a": "SELECT 1 AS x",
        "step_2_b": "SELECT x FROM step_1_a AS a",
        "step_3_c": "SELECT * FROM (SELECT 2) AS c(y)",
        "step_4_": "SELECT k, x, y FROM step_0_a AS a, step_2_b AS b, step_3_c AS c",
    }


@pytest.fixture
def on_both(source, tmp_path, spark):
    write_lake(source, tmp_path, account="acme")
    with open_lake(tmp_path) as on_duckdb, open_lake(tmp_path, spark=spark) as on_spark:
        yield on_duckdb, on_spark


def test_steps_may_have_the_names_of_tables_and_of_a_step_within_another(on_both):
    query = (
        "with todos(status, n) as (select status, count(*) from todos group by status), "
        "b as (with c as (select status from todos where n > 0) select distinct status from c), "
        "c as (select max(n) as most from todos) "
        "select todos.status, todos.n, again.n as m, most from c, todos join todos as again using (status) "
        "join b using (status) order by todos.status"
    )
    on_duckdb, on_spark = on_both
    assert on_spark.sql(query).equals(on_duckdb.sql(query))
    assert on_spark.sql("select count(*) from todos").item() == on_duckdb.sql("select count(*) from todos").item() > 2


def test_nothing_is_kept_once_a_query_is_answered(on_both, spark):
    _, on_spark = on_both
    on_spark.query("agent_scores")
    with pytest.raises(Exception, match="divide"):
        on_spark.sql(
            "with a as (select status, count(*) as n from todos group by status) "
            "select 1 / (a.n - a.n) from a join a as b using (status)"
        )
    assert spark.sparkContext._jsc.sc().getPersistentRDDs().isEmpty()
    assert spark.catalog.listTables() == []
