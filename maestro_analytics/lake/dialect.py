"""Translate DuckDB's SQL to Spark's, so that each file of `sql/` runs on both.

sqlglot carries most of it over. What it leaves different is put right here, each with the difference that it mends:
a query that runs on both engines but means another thing is worse than one that does not run.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from typing import Any, ClassVar

import sqlglot
from sqlglot import ErrorLevel, exp
from sqlglot.dialects.spark import Spark
from sqlglot.errors import SqlglotError

from maestro_analytics.errors import InvalidArgument

Value = str | int | float | bool | datetime | date | None | Sequence[Any]
Variables = Mapping[str, Value]
Params = Sequence[Value] | Mapping[str, Value] | None


def to_spark(query: str, *, variables: Variables | None = None, params: Params = None) -> str:
    """Translate a query from DuckDB's SQL to Spark's.

    Args:
        variables: what `getvariable('name')` stands for; null for one that is not given, as in DuckDB.
        params: values of `$name`, or of `$1`, `$2`, ... and `?` in order.

    Raises:
        InvalidArgument: no SQL, a construct that Spark does not have, or a parameter without a value.
    """
    return as_spark(parsed(query, variables=variables, params=params))


def parsed(query: str, *, variables: Variables | None = None, params: Params = None) -> exp.Expr:
    """The tree of a query in DuckDB's SQL, with values in the place of variables and parameters."""
    with _refused_in_one_line():
        tree = sqlglot.parse_one(_marks_numbered(query), read="duckdb")
        return tree.transform(_with_values, variables or {}, _numbered(params or ())).transform(_by_boundaries)


def as_spark(tree: exp.Expr) -> str:
    """A tree of `parsed` as Spark's SQL."""
    for step in tree.find_all(exp.CTE):
        # `as not materialized`: Spark has no words for it
        step.set("materialized", None)
    with _refused_in_one_line():
        return tree.sql(dialect=_Spark, unsupported_level=ErrorLevel.RAISE, comments=False)


@contextmanager
def _refused_in_one_line() -> Iterator[None]:
    try:
        yield
    except SqlglotError as error:
        raise InvalidArgument(f"Spark cannot be asked this: {str(error).strip().splitlines()[0]}") from None


def literal(value: Value) -> exp.Expr:
    """A Python value as SQL. A moment without a zone is UTC."""
    if isinstance(value, datetime):
        aware = value if value.tzinfo else value.replace(tzinfo=UTC)
        return exp.cast(exp.Literal.string(aware.astimezone(UTC).isoformat(sep=" ")), "timestamptz")
    if isinstance(value, date):
        return exp.cast(exp.Literal.string(value.isoformat()), "date")
    if isinstance(value, float) and not math.isfinite(value):
        return exp.cast(exp.Literal.string(str(value)), "double")
    if isinstance(value, float):
        return exp.cast(exp.Literal.number(repr(value)), "double")
    if value is None or isinstance(value, str | int | bool):
        return exp.convert(value)
    if isinstance(value, Sequence):
        return exp.Array(expressions=[literal(item) for item in value])
    raise InvalidArgument(f"a {type(value).__name__} cannot be put into a query.")


def _numbered(params: Sequence[Value] | Mapping[str, Value]) -> dict[str, Value]:
    if isinstance(params, Mapping):
        return {str(name): value for name, value in params.items()}
    return {str(number): value for number, value in enumerate(params, start=1)}


def _marks_numbered(query: str) -> str:
    """`?` -> `$1`, `$2`, ... in the order of the text, which a tree does not keep."""
    marks = [
        token for token in sqlglot.tokenize(query, read="duckdb") if token.token_type == sqlglot.TokenType.PLACEHOLDER
    ]
    for number, mark in reversed(list(enumerate(marks, start=1))):
        query = f"{query[: mark.start]}${number}{query[mark.end + 1 :]}"
    return query


def _with_values(node: exp.Expr, variables: Mapping[str, Value], params: Mapping[str, Value]) -> exp.Expr:
    """Replace variables and parameters by their values."""
    if isinstance(node, exp.Anonymous) and node.name.lower() == "getvariable":
        return literal(variables.get(node.expressions[0].name))
    if isinstance(node, exp.Placeholder):
        name = str(node.this)
        if name not in params:
            raise InvalidArgument(f"the query has a parameter {name} that was given no value.")
        return literal(params[name])
    return node


def _by_boundaries(node: exp.Expr) -> exp.Expr:
    """date_diff: DuckDB counts the boundaries between two moments, Spark the whole units that have passed."""
    if not (isinstance(node, exp.DateDiff) and node.args.get("date_part_boundary")):
        return node
    unit = exp.Literal.string(node.text("unit").lower() or "day")
    later, earlier = (
        exp.TimestampTrunc(this=end.transform(_by_boundaries), unit=unit) for end in (node.this, node.expression)
    )
    return exp.DateDiff(this=later, expression=earlier, unit=node.args.get("unit"))


def _percentile(generator: Any, node: exp.Expr) -> str:
    """quantile_cont(x, p): Spark's `percentile_cont(x, p)` does not exist, its `percentile` is the same number."""
    return str(generator.func("PERCENTILE", node.this, node.expression))


def _epoch(generator: Any, node: exp.Expr) -> str:
    """epoch(x): Spark's unix_timestamp drops the fraction of a second."""
    return f"({generator.func('UNIX_MICROS', node.this)} / 1E6)"


def _ordered_list(generator: Any, node: exp.ArrayAgg) -> str:
    """list(x order by y): collect_list has no order, so pairs are collected and sorted."""
    if not isinstance(node.this, exp.Order):
        return str(generator.func("COLLECT_LIST", node.this))
    keys = node.this.expressions
    if len(keys) > 1 or any(key.args.get("nulls_first") and not key.args.get("desc") for key in keys):
        generator.unsupported("list(... order by ...) by several keys, or with nulls first")
    pairs = f"COLLECT_LIST(STRUCT({generator.sql(keys[0].this)} AS k, {generator.sql(node.this.this)} AS v))"
    ascending = "FALSE" if keys[0].args.get("desc") else "TRUE"
    return f"TRANSFORM(SORT_ARRAY({pairs}, {ascending}), pair -> pair.v)"


class _Spark(Spark):
    class Generator(Spark.Generator):  # type: ignore[valid-type,misc]
        TRANSFORMS: ClassVar[dict[Any, Any]] = {
            **Spark.Generator.TRANSFORMS,
            exp.PercentileCont: _percentile,
            exp.TimeToUnix: _epoch,
            exp.ArrayAgg: _ordered_list,
        }
