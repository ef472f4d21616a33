"""Grades and surveys of files without the column `source`, where another file says which helpdesk they come from.

The same grade comes once without and once with its source then. Where exactly one source is known of a grade that is
the same in all else, that source is its own: the grade is there once. A row without a source in a file that has the
column stays as it is: such a ticket comes from no helpdesk, and one of a helpdesk with the same number is another.

Whether the file of an export that landed earlier had the column is read from its rows: none of them has a source.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import duckdb
import polars as pl

from maestro_analytics.tables.delivery import Delivery, StagedTable
from maestro_analytics.tables.headers import folded
from maestro_analytics.tables.schemas import CSAT, GRADE_TABLES, TOTAL_SCORES
from maestro_analytics.warehouse.connection import scalar, scan
from maestro_analytics.warehouse.landing.staged import files_of
from maestro_analytics.warehouse.results import frame

NO_SOURCE = "\\N|"
REST = r"regexp_extract(grade_key, '^(?:[^|\\]|\\.)*\|(.*)$', 1)"
"""A grade's key without its source."""
KNOWN = """(
    select grade_key, export_seq from state.grade_versions union all select grade_key, export_seq from state.deletions
)"""
KNOWN_KEYS = f"select distinct grade_key from {KNOWN}"
LACKING_KEYS = f"""
select distinct grade_key from {KNOWN} where export_seq in (
    select export_seq from {KNOWN} group by export_seq having bool_and(starts_with(grade_key, '{NO_SOURCE}'))
)
"""
"""Keys of the tables that came in files without the column `source`."""
LACKING_SURVEYS = """
select gradable_id from state.csat_versions where source is null and export_seq in (
    select export_seq from state.csat_versions group by export_seq having bool_and(source is null)
)
"""
KEYED = (
    *(f"main.{table.name}" for table in GRADE_TABLES),
    *("main.grade_history", "main.incomplete_grades", "state.grade_versions", "state.deletions", "state.quarantine"),
)
"""Tables with the keys of grades."""
WITHOUT_SOURCE = ("main.incomplete_grades", "state.grade_versions", "state.quarantine")


def find_sources(connection: duckdb.DuckDBPyConnection, delivery: Delivery) -> None:
    """Fill in the source of grades and surveys that lack it, in the delivery and in the tables.

    Runs before `classify_grades`, in transactions of its own: its changes hold whether or not the delivery lands.
    """
    staged = [delivery.tables[table.name] for table in GRADE_TABLES if table.name in delivery.tables]
    without = [each for each in staged if not _has_source(each)]
    # The first count is quick, and most often none.
    is_lacking_there = (
        scalar(connection, f"select count(*) from {KNOWN} where starts_with(grade_key, '{NO_SOURCE}')") > 0
        and scalar(connection, f"select count(*) from ({LACKING_KEYS})") > 0
    )
    if without or is_lacking_there:
        _list_keys(connection, staged)
    if without:
        _fill_delivery(connection, without)
    if is_lacking_there:
        _fill_tables(connection)
    surveys = delivery.tables.get(CSAT.name)
    if surveys is not None and surveys.files:
        _find_sources_of_surveys(connection, surveys, delivery.tables.get(TOTAL_SCORES.name))


def lacks_sources(connection: duckdb.DuckDBPyConnection, deliveries: Sequence[Delivery]) -> bool:
    """Whether `find_sources` might have anything to fill in for these exports, or after one of them for the next.

    It has if a file lacks the column, or if a grade or survey without a source, known or delivered, is also delivered
    with one. Runs after `name_grades`.
    """
    names = [table.name for table in (*GRADE_TABLES, CSAT)]
    if not all(_has_source(each.tables[name]) for each in deliveries for name in names if name in each.tables):
        return True
    is_without = f"starts_with(grade_key, '{NO_SOURCE}')"
    places = (KNOWN, "delivered_grades")
    without = " union all ".join(f"select grade_key from {place} where {is_without}" for place in places)
    if scalar(connection, f"select count(*) from ({without})") and scalar(
        connection,
        f"select count(*) from (select {REST} as rest from delivered_grades where not {is_without}) as delivered "
        f"join ({without}) as lacking on delivered.rest = substr(lacking.grade_key, 4)",
    ):
        return True
    files = files_of(each.tables[CSAT.name] for each in deliveries if CSAT.name in each.tables)
    if not files:
        return False
    surveys = f"{scan(files)} semi join deliveries on deliveries.number = _delivery"
    return bool(
        scalar(
            connection,
            f"""
            select count(*) from {surveys} where source is not null and gradable_id in (
                select gradable_id from state.csat_versions where source is null
                union all select gradable_id from {surveys} where source is null
            )
            """,
        )
    )


def _has_source(staged: StagedTable) -> bool:
    return any(folded(name) == "source" for name in staged.columns)


def _list_keys(connection: duckdb.DuckDBPyConnection, staged: Sequence[StagedTable]) -> None:
    """Create `delivered_keys`: one row per key of a delivered grade, with whether a file with sources has it."""
    parts = ["select grade_key, has_source from keys_of_refused_rows"]
    parts += [
        f"select grade_key, {_has_source(each)} as has_source from {scan([file])}"
        for each in staged
        for file in (*each.files, *each.flagged_files)
    ]
    refused = [(key, _has_source(each)) for each in staged for key in each.named_keys]
    named = pl.DataFrame(refused, {"grade_key": pl.String, "has_source": pl.Boolean}, orient="row")
    connection.register("keys_of_refused_rows", named)
    connection.execute(
        "create or replace temp table delivered_keys as select grade_key, bool_or(has_source) as has_source "
        f"from ({' union all '.join(parts)}) group by grade_key"
    )
    connection.unregister("keys_of_refused_rows")


def _fill_delivery(connection: duckdb.DuckDBPyConnection, staged: Sequence[StagedTable]) -> None:
    """Give the grades of files without sources the one that the tables, or other files of the delivery, have."""
    found = frame(
        connection,
        f"""
        with known as (
            select distinct {REST} as rest, grade_key
            from ({KNOWN_KEYS} union all select grade_key from delivered_keys)
            where not starts_with(grade_key, '{NO_SOURCE}')
        )
        select lacking.grade_key, min(known.grade_key) as known_key
        from delivered_keys as lacking join known on known.rest = substr(lacking.grade_key, 4)
        where starts_with(lacking.grade_key, '{NO_SOURCE}') and not lacking.has_source
        group by lacking.grade_key having count(*) = 1
        """,
    )
    if not found.height:
        return
    sources = found.with_columns(
        found_source=pl.Series([_source_of(key) for key in found["known_key"]], dtype=pl.String)
    )
    keys = dict(found.iter_rows())
    for each in staged:
        files = [*each.files, *each.flagged_files]
        for file in files:
            _fill_file(file, sources)
        each.columns.append("source")
        each.named_keys = [keys.get(key, key) for key in each.named_keys]
        each.refusals = [
            replace(refusal, grade_key=keys.get(refusal.grade_key or "", refusal.grade_key))
            for refusal in each.refusals
        ]
    connection.register("found_keys", found)
    connection.execute(
        "create or replace temp table delivered_keys as select distinct coalesce(known_key, delivered.grade_key) as "
        "grade_key, has_source from delivered_keys as delivered left join found_keys using (grade_key)"
    )
    connection.unregister("found_keys")


def _fill_file(file: Path, sources: pl.DataFrame) -> None:
    rows = pl.read_parquet(file, glob=False, hive_partitioning=False)
    filled = rows.join(sources, on="grade_key", how="left", maintain_order="left").with_columns(
        source=pl.coalesce("source", "found_source"), grade_key=pl.coalesce("known_key", "grade_key")
    )
    filled.select(rows.columns).write_parquet(file)


def _source_of(key: str) -> str:
    """The source in a grade's key."""
    part = re.match(r"(?:[^|\\]|\\.)*", key)
    return re.sub(r"\\(.)", r"\1", part.group() if part else "")


def _fill_tables(connection: duckdb.DuckDBPyConnection) -> None:
    """Give grades in the tables that lack a source the one that the delivery has; of two that are there, one stays."""
    found = frame(
        connection,
        f"""
        with delivered as (
            select {REST} as rest, grade_key from delivered_keys where not starts_with(grade_key, '{NO_SOURCE}')
        )
        select
            lacking.grade_key, min(delivered.grade_key) as known_key,
            min(delivered.grade_key) in (select grade_key from ({KNOWN_KEYS})) as is_there
        from ({LACKING_KEYS}) as lacking join delivered on delivered.rest = substr(lacking.grade_key, 4)
        group by lacking.grade_key having count(*) = 1
        """,
    )
    if not found.height:
        return
    sources = found.with_columns(source=pl.Series([_source_of(key) for key in found["known_key"]], dtype=pl.String))
    connection.register("found_keys", sources)
    connection.execute("begin")
    for name in KEYED:
        if name not in ("main.grade_history", "state.quarantine"):
            connection.execute(
                f"delete from {name} where grade_key in (select grade_key from found_keys where is_there)"
            )
        source = "" if name in WITHOUT_SOURCE else ", source = found_keys.source"
        connection.execute(
            f"update {name} as old set grade_key = found_keys.known_key{source} from found_keys "
            "where old.grade_key = found_keys.grade_key"
        )
    connection.execute("commit")
    connection.unregister("found_keys")


def _find_sources_of_surveys(
    connection: duckdb.DuckDBPyConnection, surveys: StagedTable, totals: StagedTable | None
) -> None:
    """The same for surveys, which belong to a ticket: its source is that of its grades or of another survey of it."""
    delivered = scan(surveys.files)
    if not _has_source(surveys):
        tickets = (
            "select gradable_id, source from total_scores union select gradable_id, source from state.csat_versions"
        )
        if totals is not None and totals.files:
            tickets += f" union select gradable_id, source from {scan(totals.files)}"
        found = frame(
            connection,
            f"""
            select gradable_id, min(source) as found_source
            from ({tickets}) as tickets
            where source is not null
                and gradable_id in (select gradable_id from {delivered})
            group by gradable_id having count(*) = 1
            """,
        )
        for file in surveys.files if found.height else []:
            rows = pl.read_parquet(file, glob=False, hive_partitioning=False)
            filled = rows.join(found, on="gradable_id", how="left", maintain_order="left")
            filled.with_columns(source=pl.coalesce("source", "found_source")).select(rows.columns).write_parquet(file)
        if found.height:
            surveys.columns.append("source")
    if not scalar(connection, f"select count(*) from ({LACKING_SURVEYS})"):
        return
    connection.execute(
        f"""
        create or replace temp table found_surveys as
        select gradable_id, min(source) as source, gradable_id in (
            select gradable_id from state.csat_versions where source is not null
        ) as is_there
        from {delivered} where source is not null and gradable_id in ({LACKING_SURVEYS})
        group by gradable_id having count(*) = 1
        """
    )
    connection.execute("begin")
    for name in ("main.csat", "state.csat_versions"):
        connection.execute(
            f"delete from {name} where source is null and gradable_id in "
            "(select gradable_id from found_surveys where is_there)"
        )
        connection.execute(
            f"update {name} as old set source = found_surveys.source from found_surveys "
            "where old.source is null and old.gradable_id = found_surveys.gradable_id"
        )
    connection.execute("commit")
