"""Land the grades of a raw export: each grade is replaced as a whole, in all its tables.

A grade that a delivery names in any of its files is replaced in all four grade tables, also where a file has no row for
it. Nothing is deleted without its replacement: in the table of a file that is missing or refused, and where every row
of the grade was refused, the grade keeps its earlier rows and is listed in `incomplete_grades`. Without a usable
total_scores no grade lands at all.

Of two versions of a grade, the one with the newer `date_graded` stands; where the dates are equal or unknown, the one
whose export was asked for later. A deletion counts against a live version only if its export was asked for later and
its row is not older; a live row counts against a deletion if its export was asked for later or its row is newer. So
neither the order in which exports arrive nor a second request for an old week, whose deleted row shares the key of a
newer grade, removes or replaces a newer grade.

Measured on 20 million answers, replacing 200,000 grades: delete by key and insert takes 1.6 s, a merge 3.8 s, `insert
or replace` 5.2 s (and leaves stale answers); a primary key made the file 4.8 times larger.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import duckdb
import polars as pl

from maestro_analytics.tables.columns import UTC_MOMENT
from maestro_analytics.tables.delivery import Delivery, StagedTable
from maestro_analytics.tables.grade_key import GRADE_PARTS
from maestro_analytics.tables.headers import folded
from maestro_analytics.tables.schemas import ANNOTATIONS, CSAT, GRADE_TABLES, INDIVIDUAL_ANSWERS, TOTAL_SCORES
from maestro_analytics.warehouse import steps
from maestro_analytics.warehouse.connection import quoted, quoted_all, rowcount, scalar, scan
from maestro_analytics.warehouse.landing.accounting import RowCounts, counted
from maestro_analytics.warehouse.landing.staged import (
    counts_of,
    files_of,
    flagged_files_of,
    insert_list,
    turn_of,
    turns_of,
)
from maestro_analytics.warehouse.ledger import Source
from maestro_analytics.warehouse.multi_select import add_multi_select_questions
from maestro_analytics.warehouse.state import columns_of

DELIVERED_GRADES = """
create or replace temp table delivered_grades as
select *, {turn} as turn
from (
    select
        grade_key,
        _delivery,
        case
            when bool_or(is_total and what = 'live') then true
            when bool_or(is_total and what = 'flagged') then false
            else bool_or(what <> 'flagged')
        end as is_live,
        bool_or(is_total) as has_total,
        coalesce(max(date_graded) filter (is_total), max(date_graded)) as date_graded
    from named_rows
    group by grade_key, _delivery
)
semi join deliveries on deliveries.number = _delivery
"""
"""One row for each grade that an export names.

A live row of total_scores makes it live, a deleted one deleted; without either, any row that is not deleted makes it
live.
"""

GRADE_OUTCOME = """
create or replace temp table grade_outcome as
select
    delivered.grade_key,
    delivered._delivery,
    this.seq,
    delivered.is_live,
    delivered.date_graded,
    coalesce(versions.export_seq, deletions.export_seq) as known_seq,
    versions.export_seq is not null as has_rows,
    coalesce(case
        when versions.export_seq = this.seq then false
        when delivered.is_live and versions.date_graded <> delivered.date_graded
            then versions.date_graded > delivered.date_graded
        when delivered.is_live and versions.export_seq is not null then later.seq is not null
        when versions.export_seq is not null
            then later.seq is not null or coalesce(versions.date_graded > delivered.date_graded, false)
        when delivered.is_live
            then later.seq is not null and not coalesce(delivered.date_graded > deletions.date_graded, false)
        else later.seq is not null
    end, false) as is_stale
from delivered_grades as delivered
join deliveries as this on this.number = delivered._delivery
left join state.grade_versions as versions on versions.grade_key = delivered.grade_key
left join state.deletions as deletions on deletions.grade_key = delivered.grade_key
left join later_exports as later on later.seq = coalesce(versions.export_seq, deletions.export_seq)
where delivered.turn = $turn
"""
"""What becomes of each grade of a turn. The tables have a newer version of a stale grade, which stays."""

LANDING_GRADES = "select grade_key, _delivery from grade_outcome where is_live and not is_stale"


def name_grades(
    connection: duckdb.DuckDBPyConnection, deliveries: Sequence[Delivery], sources: Sequence[Source]
) -> None:
    """Create the temporary tables `delivered_grades` and `kept_rows`, before the transaction."""
    parts = []
    named: list[tuple[str, str, int, bool, str]] = []
    for table in GRADE_TABLES:
        if staged := [delivery.tables[table.name] for delivery in deliveries if table.name in delivery.tables]:
            is_total = str(table is TOTAL_SCORES).lower()
            has_date = any(folded(column) == "date_graded" for column in staged[0].columns)
            date = "date_graded" if has_date else "null::timestamptz as date_graded"
            for what, files in (("live", files_of(staged)), ("flagged", flagged_files_of(staged))):
                if files:
                    row_date = "date_graded" if what == "flagged" else date
                    parts.append(
                        f"select grade_key, _delivery, {is_total} as is_total, '{what}' as what, {row_date} "
                        f"from {scan(files)}"
                    )
        named += [
            (table.name, key, delivery.number, table is TOTAL_SCORES, "named")
            for delivery in deliveries
            if table.name in delivery.tables
            for key in delivery.tables[table.name].named_keys
        ]
    schema = {
        "table_name": pl.String,
        "grade_key": pl.String,
        "_delivery": pl.Int32,
        "is_total": pl.Boolean,
        "what": pl.String,
    }
    names = pl.DataFrame(named, schema, orient="row").with_columns(pl.lit(None, UTC_MOMENT).alias("date_graded"))
    connection.register("refused_rows_of_grades", names)
    parts.append("select grade_key, _delivery, is_total, what, date_graded from refused_rows_of_grades")
    connection.execute("create or replace temp view named_rows as " + " union all ".join(parts))
    connection.execute(DELIVERED_GRADES.format(turn=turn_of("grade_key", sources)))
    connection.execute("drop view temp.named_rows")
    connection.execute(
        "create or replace temp table kept_rows as select table_name, grade_key from refused_rows_of_grades"
    )
    connection.unregister("refused_rows_of_grades")
    for table in GRADE_TABLES if named else ():
        for delivery in deliveries:
            if (staged_table := delivery.tables.get(table.name)) and staged_table.named_keys and staged_table.files:
                connection.execute(
                    "delete from kept_rows where table_name = $name "
                    f"and grade_key in (select grade_key from {scan(staged_table.files)})",
                    {"name": table.name},
                )


def grades_without_total(connection: duckdb.DuckDBPyConnection, delivery: Delivery) -> int:
    """Number of live grades with rows in other files of a delivery and none in total_scores; after `name_grades`."""
    if TOTAL_SCORES.name not in delivery.tables:
        return 0
    condition = "is_live and not has_total and _delivery = $number"
    return int(
        scalar(connection, f"select count(*) from delivered_grades where {condition}", {"number": delivery.number})
    )


def classify_grades(connection: duckdb.DuckDBPyConnection, turn: int = 1) -> None:
    """Create the temporary table `grade_outcome` of the grades of a turn, after `name_grades`."""
    connection.execute(GRADE_OUTCOME, {"turn": turn})


def replace_grades(
    connection: duckdb.DuckDBPyConnection,
    deliveries: Sequence[Delivery],
    sources: Sequence[Source],
    *,
    is_alone: bool,
    is_single_table: bool = False,
) -> dict[str, list[RowCounts]]:
    """Replace the grades of `delivered_grades` in the four tables; runs inside the transaction of the landing.

    Call it after `classify_grades` for the first turn.

    Args:
        deliveries: with the same tables and columns.
        is_alone: the staged files have no rows of other exports. They may have some beside a single delivery, too.
        is_single_table: the delivery was never meant to have the other tables: a grade that has no rows there is whole.
    """
    counts = {
        table.name: counts_of(connection, [delivery.tables[table.name] for delivery in deliveries], sources)
        for table in GRADE_TABLES
        if table.name in deliveries[0].tables
    }
    for turn in range(1, 1 + turns_of(connection, "delivered_grades", sources)):
        if turn > 1:
            classify_grades(connection, turn)
        _replace_turn(connection, deliveries, sources, counts, is_alone=is_alone, is_single_table=is_single_table)
    return counts


def _replace_turn(
    connection: duckdb.DuckDBPyConnection,
    deliveries: Sequence[Delivery],
    sources: Sequence[Source],
    counts: dict[str, list[RowCounts]],
    *,
    is_alone: bool,
    is_single_table: bool,
) -> None:
    """Replace the grades of `grade_outcome`; updates `counts`."""
    totals = [delivery.tables[TOTAL_SCORES.name] for delivery in deliveries]
    _write_history(connection, totals, is_alone=is_alone)
    connection.execute(
        "update state.exports set total_columns = $columns where list_contains($seqs, seq)",
        {"columns": sorted(map(folded, totals[0].columns)), "seqs": [source.seq for source in sources]},
    )
    steps.reached("history written")
    if scalar(connection, "select count(*) from grade_outcome where has_rows and not is_stale"):
        for table in GRADE_TABLES:
            is_replaced = "true" if table.name in counts else "not is_live"
            connection.execute(
                f"delete from main.{table.name} where grade_key in (select grade_key from grade_outcome where has_rows "
                f"and not is_stale and {is_replaced} and (not is_live or grade_key not in "
                "(select grade_key from kept_rows where table_name = $name)))",
                {"name": table.name},
            )
            steps.reached(f"{table.name} deleted")
    all_land = is_alone and not scalar(connection, "select count(*) from grade_outcome where is_stale or not is_live")
    for name in counts:
        staged = [delivery.tables[name] for delivery in deliveries]
        counts[name] = _insert(connection, staged, counts[name], sources, all_land=all_land)
        steps.reached(f"{name} inserted")
    _remember(connection, deliveries)
    _list_incomplete(connection, counts.keys(), is_single_table=is_single_table)
    steps.reached("versions written")


def replaces_grades(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether any grade of the deliveries lands or is deleted, because no newer version is there; after
    `classify_grades`."""
    return bool(scalar(connection, "select count(*) from grade_outcome where not is_stale"))


def unreplaced_tables(connection: duckdb.DuckDBPyConnection, deliveries: Sequence[Delivery]) -> list[str]:
    """The tables without a file in these deliveries that make their windows incomplete.

    A missing annotations or csat is complete where the delivered grades and tickets have no such rows yet. Call it
    after `classify_grades`.
    """
    missing = [table.name for table in (*GRADE_TABLES, CSAT) if table.name not in deliveries[0].tables]
    totals = [delivery.tables[TOTAL_SCORES.name] for delivery in deliveries if TOTAL_SCORES.name in delivery.tables]
    tickets = f"select gradable_id from {scan(files_of(totals))}" if files_of(totals) else "select null where false"
    grades = "select grade_key from grade_outcome where not is_stale"
    if len(deliveries) > 1:
        grades = "select grade_key from delivered_grades"
    replaced = {
        ANNOTATIONS.name: f"select count(*) from annotations where grade_key in ({grades})",
        CSAT.name: f"select count(*) from csat where gradable_id in ({tickets})",
    }
    return [name for name in missing if name not in replaced or scalar(connection, replaced[name])]


def _list_incomplete(
    connection: duckdb.DuckDBPyConnection, delivered: Collection[str], *, is_single_table: bool
) -> None:
    """Record which grades have rows of an earlier export, or none where a file is missing, in `incomplete_grades`."""
    if scalar(connection, "select count(*) from incomplete_grades"):
        connection.execute(
            "delete from incomplete_grades where grade_key in (select grade_key from grade_outcome where not is_stale)"
        )
    for table in GRADE_TABLES:
        if table.name not in delivered:
            needs_rows = is_single_table or table is ANNOTATIONS
            had_rows = f"grade_key in (select grade_key from {table.name})" if needs_rows else "true"
            connection.execute(
                "insert into incomplete_grades select grade_key, $name from grade_outcome "
                f"where is_live and not is_stale and {had_rows}",
                {"name": table.name},
            )
    if scalar(connection, "select count(*) from kept_rows"):
        connection.execute(
            "insert into incomplete_grades select distinct kept_rows.grade_key, kept_rows.table_name from kept_rows "
            "join grade_outcome on grade_outcome.grade_key = kept_rows.grade_key where is_live and not is_stale"
        )


def _insert(
    connection: duckdb.DuckDBPyConnection,
    staged: Sequence[StagedTable],
    counts: list[RowCounts],
    sources: Sequence[Source],
    *,
    all_land: bool,
) -> list[RowCounts]:
    files = files_of(staged)
    if not files:
        return counts
    names = quoted_all(insert_list(staged[0]))
    rows = scan(files) if all_land else f"{scan(files)} semi join ({LANDING_GRADES}) using (grade_key, _delivery)"
    landed = rowcount(connection, f"insert into main.{staged[0].table.name} ({names}) select {names} from {rows}")
    if staged[0].table is INDIVIDUAL_ANSWERS and any(each.has_several for each in staged):
        add_multi_select_questions(connection, rows)
    if all_land:
        return counted(counts, sources, [(sources[0].number, landed, 0, 0)], landed)
    fates = connection.execute(
        f"""
        select
            _delivery, count(*) filter (is_live and not is_stale), count(*) filter (not is_live and not is_stale),
            count(*) filter (is_stale)
        from {scan(files)} join grade_outcome using (grade_key, _delivery)
        group by _delivery
        """
    ).fetchall()
    return counted(counts, sources, fates, landed)


def _write_history(connection: duckdb.DuckDBPyConnection, totals: Sequence[StagedTable], *, is_alone: bool) -> None:
    """Copy the total scores that are about to be replaced into grade_history, where their content changes.

    Only columns that both exports had are compared: a column that the vendor adds changes no grade. Deleted grades have
    no history, and reading the same export again adds nothing. A total score that has no successor in this delivery is
    copied too; it is removed again when a later reading shows that nothing had changed.
    """
    if not scalar(connection, "select count(*) from grade_outcome where known_seq is not null"):
        return
    columns = [name for name in columns_of(connection, "total_scores") if name not in TOTAL_SCORES.made_here]
    files = files_of(totals)
    delivered = {folded(name) for name in insert_list(totals[0])} if files else set()
    of_this_turn = "" if is_alone else " semi join grade_outcome using (grade_key, _delivery)"
    new_columns = quoted_all(["grade_key", *(name for name in columns if folded(name) in delivered)])
    connection.execute(
        "create or replace temp view new_totals as "
        + (f"select {new_columns} from {scan(files)}{of_this_turn}" if files else "from total_scores limit 0")
    )
    differs, column_sets = _differs(connection, [name for name in columns if folded(name) in delivered])
    carried = ["grade_key", *columns]
    connection.execute(
        f"""
        insert into grade_history ({quoted_all(carried)}, export_id, replaced_at, replaced_by)
        select
            {", ".join(f"old.{quoted(name)}" for name in carried)}, exports.export_id, this.complete_at, this.export_id
        from total_scores as old
        join grade_outcome on grade_outcome.grade_key = old.grade_key
        join deliveries as this on this.number = grade_outcome._delivery
        left join new_totals on new_totals.grade_key = old.grade_key
        left join state.exports as exports on exports.seq = grade_outcome.known_seq
        where grade_outcome.is_live and not grade_outcome.is_stale and grade_outcome.known_seq <> grade_outcome.seq
            and old.grade_key not in (select grade_key from kept_rows where table_name = 'total_scores')
            and (new_totals.grade_key is null or {differs})
        """,
        column_sets,
    )
    if delivered and scalar(connection, "select count(*) from grade_history"):
        connection.execute(
            f"""
            delete from grade_history where rowid in (
                select old.rowid
                from grade_history as old
                join grade_outcome on grade_outcome.grade_key = old.grade_key
                join new_totals on new_totals.grade_key = old.grade_key
                join state.exports as exports
                    on exports.seq = grade_outcome.known_seq and exports.export_id = old.replaced_by
                left join total_scores as present on present.grade_key = old.grade_key
                where grade_outcome.is_live and not grade_outcome.is_stale and grade_outcome.has_rows
                    and (present.grade_key is null or grade_outcome.known_seq = grade_outcome.seq)
                    and not ({differs})
            )
            """,
            column_sets,
        )
    connection.execute("drop view temp.new_totals")


def _differs(connection: duckdb.DuckDBPyConnection, columns: Sequence[str]) -> tuple[str, dict[str, list[str] | None]]:
    """SQL: whether a known total score `old` differs from `new_totals` in those of `columns` that its export had.

    Returns:
        the condition, and its parameters. It compares all columns of a row at once, for each set of columns that the
        known exports had: to plan a condition on each column takes DuckDB longer than to land the grades of an hour.
    """
    sets = connection.execute(
        "select distinct exports.total_columns from grade_outcome left join state.exports as exports "
        "on exports.seq = grade_outcome.known_seq where grade_outcome.known_seq is not null"
    ).fetchall()
    conditions = []
    parameters = {}
    for number, (had,) in enumerate(sets):
        if both := [name for name in columns if had is None or folded(name) in had]:
            old, new = (", ".join(f"{table}.{quoted(name)}" for name in both) for table in ("old", "new_totals"))
            is_set = f"exports.total_columns is not distinct from $set_{number}::varchar[]"
            conditions.append(f"({is_set} and row({old}) is distinct from row({new}))")
            parameters[f"set_{number}"] = had
    return " or ".join(conditions) or "false", parameters


def _remember(connection: duckdb.DuckDBPyConnection, deliveries: Sequence[Delivery]) -> None:
    """Record the export that each live grade came from, and the deleted grades."""
    for name in ("grade_versions", "deletions"):
        connection.execute(
            f"delete from state.{name} where grade_key in "
            "(select grade_key from grade_outcome where known_seq is not null and not is_stale)"
        )
    connection.execute(
        "insert into state.grade_versions select grade_key, seq, date_graded from grade_outcome "
        "where is_live and not is_stale"
    )
    flagged = [
        f"select {quoted_all(['grade_key', *GRADE_PARTS])}, _delivery from {scan(files)}"
        for name in deliveries[0].tables
        if (files := flagged_files_of(delivery.tables[name] for delivery in deliveries))
    ]
    if flagged:
        parts = ", ".join(f"min(flagged.{part})" for part in GRADE_PARTS)
        connection.execute(
            f"""
            insert into state.deletions
                (grade_key, {", ".join(GRADE_PARTS)}, export_seq, export_id, deleted_at, date_graded)
            select
                flagged.grade_key, {parts}, any_value(this.seq), any_value(this.export_id), any_value(this.complete_at),
                any_value(grade_outcome.date_graded)
            from ({" union all ".join(flagged)}) as flagged
            join grade_outcome on grade_outcome.grade_key = flagged.grade_key
                and grade_outcome._delivery = flagged._delivery
            join deliveries as this on this.number = flagged._delivery
            where not grade_outcome.is_live and not grade_outcome.is_stale
            group by flagged.grade_key
            """
        )
