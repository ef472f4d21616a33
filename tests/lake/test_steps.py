"""Which steps of a query Spark keeps, and that keeping them changes no answer."""

import pytest

from maestro_analytics.lake import open_lake, write_lake
from maestro_analytics.lake.steps import steps_of


def kept(query: str, **given) -> list[str]:
    """Names of the steps that are kept, without the numbers that set them apart."""
    return [name.split("_", 2)[2] for name, _ in steps_of(query, **given) if name]


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
    assert kept(query) == expected


def test_a_step_behind_a_filter_that_is_not_set_is_not_made():
    views = {"members": "select distinct k from groups"}
    query = (
        "select * from t where coalesce(getvariable('team'), '') = '' "
        "or k in (select k from members where team = coalesce(getvariable('team'), ''))"
    )
    assert kept(query, views=views) == []
    assert kept(query, views=views, variables={"team": "a"}) == ["members"]


def test_each_statement_reads_only_what_the_ones_before_it_kept():
    query = "with a as (select k from t), b as (select k from a group by k) select * from u join b using (k)"
    [(name, step), (last, final)] = list(steps_of(query))
    assert (name, last) == ("step_1_b", "")
    assert step == "WITH step_0_a AS (SELECT k FROM t) SELECT k FROM step_0_a AS a GROUP BY k"
    assert final == "SELECT * FROM u JOIN step_1_b AS b USING (k)"


@pytest.fixture
def on_both(source, tmp_path, spark):
    write_lake(source, tmp_path, account="acme")
    with open_lake(tmp_path) as on_duckdb, open_lake(tmp_path, spark=spark) as on_spark:
        yield on_duckdb, on_spark


def test_steps_may_have_the_names_of_tables_and_of_a_step_within_another(on_both):
    query = (
        "with todos as (select status, count(*) as n from todos group by status), "
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
