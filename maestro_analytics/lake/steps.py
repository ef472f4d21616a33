"""Split a query into the steps that Spark computes: kept steps, each before the steps that read it, and the query last.

Spark reads a step (a view, or a name after `with`) anew wherever it is named, and cannot know how large an aggregate
will be. So a step that joins, aggregates or the like is kept, in memory and on disk, where it is named twice, or where
it aggregates: Spark then knows its size, and sends a small one to the other side of a join instead of sorting both.
A step that only filters or picks columns of one table is read again: Parquet gives it the columns that are asked for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sqlglot import exp
from sqlglot.optimizer.simplify import simplify

from maestro_analytics.lake.dialect import Params, Variables, as_spark, parsed

WORK = (exp.Join, exp.Group, exp.Distinct, exp.Window, exp.SetOperation, exp.AggFunc, exp.Explode, exp.Unnest)
REDUCES = (exp.Group, exp.Distinct)


@dataclass
class Step:
    """One select; `kept` if its result is stored under its name."""

    name: str
    tree: exp.Expr
    kept: bool = False

    def reads(self) -> list[exp.Table]:
        """The tables that it reads, as often as it reads them, without those behind a filter that is not set."""
        return list(simplify(self.tree.transform(_without_nulls)).find_all(exp.Table))


def steps_of(
    query: str, *, variables: Variables | None = None, params: Params = None, views: Mapping[str, str] | None = None
) -> Iterator[tuple[str, str]]:
    """Name and Spark SQL of each kept step; the query itself comes last, with an empty name.

    Args:
        views: name -> select, in DuckDB's SQL, of the views that the query may name, each after those that it names.

    Raises:
        InvalidArgument: as `dialect.to_spark`.
    """
    tree = parsed(query, variables=variables, params=params)
    needed = {table.name for table in tree.find_all(exp.Table)}
    selects: list[tuple[str, exp.Expr]] = []
    for name, select in reversed(list((views or {}).items())):
        if name in needed:
            selects.insert(0, (name, parsed(select, variables=variables)))
            needed |= {table.name for table in selects[0][1].find_all(exp.Table)}
    steps = _named_apart(tree, selects)
    _choose_what_is_kept(steps)
    unkept: dict[str, Step] = {}
    for step in steps:
        if step.kept or step is steps[-1]:
            yield (step.name if step.kept else ""), as_spark(_with(step, unkept))
        else:
            unkept[step.name] = step


def _named_apart(query: exp.Expr, views: list[tuple[str, exp.Expr]]) -> list[Step]:
    """The views and common table expressions of a query under unique names, each after those that it reads."""
    steps: list[Step] = []
    names: dict[str, str] = {}
    with_ = query.args.get("with_")
    own = []
    if with_ is not None and not with_.args.get("recursive"):
        query.set("with_", None)
        own = [(named.alias, named.this, named.args.get("materialized") is not False) for named in with_.expressions]
    for name, tree, may_be_kept in [*((name, view, True) for name, view in views), *own, ("", query, False)]:
        within = {named.alias for named in tree.find_all(exp.CTE)}
        for table in tree.find_all(exp.Table):
            if table.name in names and table.name not in within:
                if not table.alias:
                    table.set("alias", exp.TableAlias(this=exp.to_identifier(table.name)))
                table.set("this", exp.to_identifier(names[table.name]))
        steps.append(Step(f"step_{len(steps)}_{name}", tree, may_be_kept))
        names[name] = steps[-1].name
    return steps


def _choose_what_is_kept(steps: list[Step]) -> None:
    read: Counter[str] = Counter()
    joined: set[str] = set()
    for step in reversed(steps):
        works = step.tree.find(*WORK) is not None
        worth_it = read[step.name] > 1 or (step.name in joined and step.tree.find(*REDUCES) is not None)
        step.kept = step.kept and works and worth_it
        times = 1 if step.kept or step is steps[-1] else read[step.name]
        for table in step.reads() if times else ():
            read[table.name] += times
            select = table.find_ancestor(exp.Select)
            if (select is not None and select.args.get("joins")) or table.find_ancestor(exp.In, exp.Exists):
                joined.add(table.name)


def _with(step: Step, unkept: dict[str, Step]) -> exp.Expr:
    """The step's select, with the steps that it needs and that are not kept as common table expressions."""
    needed: dict[str, None] = {}

    def need(one: Step) -> None:
        for table in one.tree.find_all(exp.Table):
            if table.name in unkept and table.name not in needed:
                need(unkept[table.name])
                needed[table.name] = None

    need(step)
    tree = step.tree.copy()
    first = [
        exp.CTE(this=unkept[name].tree.copy(), alias=exp.TableAlias(this=exp.to_identifier(name))) for name in needed
    ]
    if first:
        within = tree.args.get("with_")
        tree.set("with_", exp.With(expressions=[*first, *(within.expressions if within else ())]))
    return tree


def _without_nulls(node: exp.Expr) -> exp.Expr:
    """coalesce(null, x) -> x, which is what a variable without a value comes to."""
    if isinstance(node, exp.Coalesce) and isinstance(node.this, exp.Null) and len(node.expressions) == 1:
        value: exp.Expr = node.expressions[0]
        return value
    return node
