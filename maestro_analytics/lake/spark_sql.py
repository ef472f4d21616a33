"""Translate a query from DuckDB's SQL to Spark's, divided into the steps that Spark computes.

sqlglot translates most of it. What it leaves different is put right here, each with the difference that it mends: a
query that runs on both engines but means another thing is worse than one that does not run.

Spark reads a step (a view, or a name after `with`) anew wherever it is named, and cannot know how large an aggregate
will be. So a step that joins, aggregates or the like is kept, in memory and on disk, where it is named twice, or where
it aggregates and is joined: Spark then knows its size, and sends a small one whole to the other side of a join. A step
that only filters or picks columns of one table is read again: Parquet gives it the columns that are asked for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Any, ClassVar

import sqlglot
from sqlglot import ErrorLevel, exp
from sqlglot.dialects.dialect import rename_func
from sqlglot.dialects.spark import Spark
from sqlglot.errors import SqlglotError

from maestro_analytics.errors import InvalidArgument

Value = str | int | float | bool | datetime | date | None | Sequence[Any]
Variables = Mapping[str, Value]
Params = Sequence[Value] | Mapping[str, Value] | None

WORK = (exp.Join, exp.Group, exp.Distinct, exp.Window, exp.SetOperation, exp.AggFunc, exp.Explode, exp.Unnest)
MANY_ROWS = 1_000_000
"""A step that reads a table of more rows is kept to size a join. Few rows are sorted as fast, and Spark broadcasts what
turns out to be small by itself."""


@dataclass
class Step:
    """One select in Spark's SQL, for Spark to know under `name`.

    Attributes:
        kept: whether its result is stored.
        columns: names of columns (in lower case) of which later steps need those that the step has; None for all.
    """

    name: str
    tree: exp.Expr
    kept: bool = False
    columns: set[str] | None = None
    sql: str = ""


def to_spark(
    query: str,
    *,
    variables: Variables | None = None,
    params: Params = None,
    views: Mapping[str, str] | None = None,
    rows: Mapping[str, int] | None = None,
) -> list[Step]:
    """Translate a query into steps, each after those that it reads; the last is the query itself.

    Args:
        variables: what `getvariable('name')` stands for; null for one that is not given, as in DuckDB.
        params: values of `$name`, or of `$1`, `$2`, ... and `?` in order.
        views: name -> select, in DuckDB's SQL, of the views that the query may name, each after those that it names.
        rows: how many rows tables have; few where it is not said.

    Raises:
        InvalidArgument: no SQL, a construct that Spark does not have, or a parameter without a value.
    """
    steps: list[Step] = []
    try:
        tree = _with_values(query, variables, params)
        needed = {table.name for table in tree.find_all(exp.Table)}
        selects: dict[str, exp.Expr] = {}
        for name, view in reversed(list((views or {}).items())):
            if name in needed:
                selects[name] = _with_values(view, variables)
                needed |= {table.name for table in selects[name].find_all(exp.Table)}
        names: dict[str, str] = {}
        for name in reversed(selects):
            names[name] = _divide(name, selects[name], names, steps)
        _divide("", tree, names, steps, may_be_kept=False)
        _choose_what_is_kept(steps, rows or {})
        _choose_columns(steps)
        for step in steps:
            step.sql = step.tree.sql(dialect=_Spark, unsupported_level=ErrorLevel.RAISE, comments=False)
    except SqlglotError as error:
        raise InvalidArgument(f"Spark cannot be asked this: {str(error).strip().splitlines()[0]}") from None
    return steps


def _divide(name: str, tree: exp.Expr, names: Mapping[str, str], steps: list[Step], *, may_be_kept: bool = True) -> str:
    """Append a select to the steps, after those of its `with`; returns the unique name that it has there.

    Args:
        names: the unique names of the steps that it may read.
    """
    names = dict(names)
    with_ = tree.args.get("with_")
    if with_ is not None and not with_.args.get("recursive"):
        tree.set("with_", None)
        for each in with_.expressions:
            select = each.this
            if each.args["alias"].columns:
                select = exp.select("*").from_(select.subquery(each.args["alias"]))
            names[each.alias] = _divide(
                each.alias, select, names, steps, may_be_kept=each.args.get("materialized") is not False
            )
    within = set()
    for each in tree.find_all(exp.CTE):
        each.set("materialized", None)  # Spark has no words for `as not materialized`
        within.add(each.alias)
    for table in tree.find_all(exp.Table):
        if table.name in names and table.name not in within:
            if not table.alias:
                table.set("alias", exp.TableAlias(this=exp.to_identifier(table.name)))
            table.set("this", exp.to_identifier(names[table.name]))
    steps.append(Step(f"step_{len(steps)}_{name}", tree, may_be_kept))
    return steps[-1].name


def _choose_what_is_kept(steps: list[Step], rows: Mapping[str, int]) -> None:
    reads_many: set[str] = {name for name, count in rows.items() if count > MANY_ROWS}
    for step in steps:
        if any(table.name in reads_many for table in step.tree.find_all(exp.Table)):
            reads_many.add(step.name)
    read: Counter[str] = Counter()
    joined: set[str] = set()
    for step in reversed(steps):
        works = step.tree.find(*WORK) is not None
        sizes_a_join = step.name in joined & reads_many and step.tree.find(exp.Group, exp.Distinct) is not None
        worth_it = read[step.name] > 1 or sizes_a_join
        step.kept = step.kept and works and worth_it
        times = 1 if step.kept or step is steps[-1] else read[step.name]
        for table in step.tree.find_all(exp.Table) if times else ():
            read[table.name] += times
            select = table.find_ancestor(exp.Select)
            if (select is not None and select.args.get("joins")) or table.find_ancestor(exp.In, exp.Exists):
                joined.add(table.name)


def _choose_columns(steps: list[Step]) -> None:
    """Of each step, the columns that later ones name, or take with a `*` that they themselves need."""
    needed: dict[str, set[str] | None] = {steps[-1].name: None}
    for step in reversed(steps):
        step.columns = needed.get(step.name, set())
        mentioned = {each.name.lower() for each in step.tree.find_all(exp.Identifier)}
        names: set[str] | None = mentioned
        if any(not isinstance(star.parent, exp.Count) for star in step.tree.find_all(exp.Star)):
            # rows are united and told apart by all of their columns
            takes_all = step.columns is None or step.tree.find(exp.SetOperation, exp.Distinct)
            names = None if takes_all else mentioned | (step.columns or set())
        for table in step.tree.find_all(exp.Table):
            earlier = needed.get(table.name, set())
            needed[table.name] = None if names is None or earlier is None else names | earlier


@lru_cache(maxsize=200)
def _parsed(query: str) -> exp.Expr:
    """The tree of a query, with `?` as `$1`, `$2`, ... in the order of the text, which a tree does not keep."""
    marks = [
        token for token in sqlglot.tokenize(query, read="duckdb") if token.token_type == sqlglot.TokenType.PLACEHOLDER
    ]
    for number, mark in reversed(list(enumerate(marks, start=1))):
        query = f"{query[: mark.start]}${number}{query[mark.end + 1 :]}"
    return sqlglot.parse_one(query, read="duckdb").transform(_by_boundaries).transform(_in_microseconds)


def _with_values(query: str, variables: Variables | None, params: Params = None) -> exp.Expr:
    """The tree of a query with values for variables and parameters, without the conditions that those decide."""
    if not isinstance(params, Mapping):
        params = {str(number): value for number, value in enumerate(params or (), start=1)}
    tree = _parsed(query).transform(_with_value, variables or {}, params)
    for node in reversed(list(tree.walk())):
        if (simpler := _decided(node)) is not node:
            node.replace(simpler)
    return tree


def _with_value(node: exp.Expr, variables: Variables, params: Mapping[str, Value]) -> exp.Expr:
    if isinstance(node, exp.Anonymous) and node.name.lower() == "getvariable":
        return _literal(variables.get(node.expressions[0].name))
    if isinstance(node, exp.Placeholder):
        if str(node.this) not in params:
            raise InvalidArgument(f"the query has a parameter {node.this} that was given no value.")
        return _literal(params[str(node.this)])
    return node


def _decided(node: exp.Expr) -> exp.Expr:
    """A simpler form of a condition whose parts are known; sqlglot's `simplify` changes dates of other zones."""
    simpler: exp.Expr = node
    match node:
        case exp.Coalesce(this=exp.Null(), expressions=[only]):
            simpler = only
        case exp.EQ(this=exp.Literal(is_string=True) as left, expression=exp.Literal(is_string=True) as right):
            simpler = exp.convert(left == right)
        case exp.In(this=exp.Literal() as value) if value in node.expressions:
            simpler = exp.true()
        case exp.Paren(this=exp.Boolean() as value):
            simpler = value
        case exp.Or() | exp.And():
            decides = exp.convert(isinstance(node, exp.Or))
            sides = [side for side in (node.this, node.expression) if not isinstance(side, exp.Boolean)]
            if decides in (node.this, node.expression):
                simpler = decides
            elif len(sides) < 2:
                simpler = sides[0] if sides else exp.convert(not decides.this)
    return simpler


def _literal(value: Value) -> exp.Expr:
    """A Python value as SQL. A moment without a zone is UTC."""
    if value is None or isinstance(value, str | int | bool):
        return exp.convert(value)
    if isinstance(value, datetime):
        aware = value if value.tzinfo else value.replace(tzinfo=UTC)
        kind, text = "timestamptz", aware.astimezone(UTC).isoformat(sep=" ")
    elif isinstance(value, date):
        kind, text = "date", str(value)
    elif isinstance(value, float):
        kind, text = "double", str(value)
    elif isinstance(value, Sequence):
        return exp.Array(expressions=[_literal(item) for item in value])
    else:
        raise InvalidArgument(f"a {type(value).__name__} cannot be put into a query.")
    return exp.cast(exp.Literal.string(text), kind)


def _by_boundaries(node: exp.Expr) -> exp.Expr:
    """date_diff: DuckDB counts the boundaries between two moments, Spark the whole units that have passed."""
    if not (isinstance(node, exp.DateDiff) and node.args.get("date_part_boundary")):
        return node
    unit = exp.Literal.string(node.text("unit").lower() or "day")
    later, earlier = (
        exp.TimestampTrunc(this=end.transform(_by_boundaries), unit=unit) for end in (node.this, node.expression)
    )
    return exp.DateDiff(this=later, expression=earlier, unit=node.args.get("unit"))


def _in_microseconds(node: exp.Expr) -> exp.Expr:
    """epoch_us: sqlglot does not know it."""
    if isinstance(node, exp.Anonymous) and node.name.lower() == "epoch_us":
        return exp.Anonymous(this="UNIX_MICROS", expressions=node.expressions)
    return node


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
            # quantile_cont(x, p): Spark's `percentile_cont(x, p)` does not exist, its `percentile` is the same number
            exp.PercentileCont: rename_func("PERCENTILE"),
            # epoch(x): Spark's unix_timestamp drops the fraction of a second
            exp.TimeToUnix: lambda self, node: f"({self.func('UNIX_MICROS', node.this)} / 1E6)",
            exp.ArrayAgg: _ordered_list,
        }
