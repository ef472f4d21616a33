"""Grades and surveys without a source, where another file says which helpdesk they come from.

A file can lack the column `source`, so that the same grade comes once without and once with it. Where exactly one
source is known of a grade that is the same in all else, that source is its own: the grade is there once.
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
from maestro_analytics.warehouse.connection import frame, scalar
from maestro_analytics.warehouse.landing.staged import scan

NO_SOURCE = "\\N|"
REST = r"regexp_extract(grade_key, '^(?:[^|\\]|\\.)*\|(.*)$', 1)"
"""A grade's key without its source."""
KNOWN_KEYS = "select grade_key from state.grade_versions union select grade_key from state.deletions"
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
    delivered = [file for each in staged for file in (*each.files, *each.flagged_files)]
    named = pl.DataFrame({"grade_key": [key for each in staged for key in each.named_keys]}, {"grade_key": pl.String})
    connection.register("keys_of_refused_rows", named)
    keys = "select grade_key from keys_of_refused_rows" + "".join(
        f" union select grade_key from {scan([file])}" for file in delivered
    )
    connection.execute(f"create or replace temp table delivered_keys as {keys}")
    connection.unregister("keys_of_refused_rows")
    lacking = f"select count(*) from delivered_keys where starts_with(grade_key, '{NO_SOURCE}')"
    if scalar(connection, lacking):
        _fill_delivery(connection, staged)
    if scalar(connection, f"select count(*) from ({KNOWN_KEYS}) where starts_with(grade_key, '{NO_SOURCE}')"):
        _fill_tables(connection)
    surveys = delivery.tables.get(CSAT.name)
    if surveys is not None and surveys.files:
        _find_sources_of_surveys(connection, surveys, delivery.tables.get(TOTAL_SCORES.name))


def _fill_delivery(connection: duckdb.DuckDBPyConnection, staged: Sequence[StagedTable]) -> None:
    """Give delivered grades without a source the one that the tables, or other rows of the delivery, have."""
    found = frame(
        connection,
        f"""
        with known as (
            select {REST} as rest, grade_key from ({KNOWN_KEYS} union select grade_key from delivered_keys)
            where not starts_with(grade_key, '{NO_SOURCE}')
        )
        select lacking.grade_key, min(known.grade_key) as known_key
        from delivered_keys as lacking join known on known.rest = substr(lacking.grade_key, 4)
        where starts_with(lacking.grade_key, '{NO_SOURCE}')
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
        # A row with the source and one without it in the same table stay two: neither of them can be preferred.
        there = frame(connection, f"select grade_key from {scan(files)}") if files else sources.select("grade_key")
        usable = sources.join(there, left_on="known_key", right_on="grade_key", how="anti")
        for file in files:
            _fill_file(file, usable)
        if not any(folded(name) == "source" for name in each.columns):
            each.columns.append("source")
        each.named_keys = [keys.get(key, key) for key in each.named_keys]
        each.refusals = [
            replace(refusal, grade_key=keys.get(refusal.grade_key or "", refusal.grade_key))
            for refusal in each.refusals
        ]
    connection.register("found_keys", found)
    connection.execute(
        "create or replace temp table delivered_keys as select distinct coalesce(known_key, delivered.grade_key) as "
        "grade_key from delivered_keys as delivered left join found_keys using (grade_key)"
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
        from ({KNOWN_KEYS}) as lacking join delivered on delivered.rest = substr(lacking.grade_key, 4)
        where starts_with(lacking.grade_key, '{NO_SOURCE}')
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
    if scalar(connection, f"select count(*) from {delivered} where source is null"):
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
                and gradable_id in (select gradable_id from {delivered} where source is null)
                and gradable_id not in (select gradable_id from {delivered} where source is not null)
            group by gradable_id having count(*) = 1
            """,
        )
        for file in surveys.files if found.height else []:
            rows = pl.read_parquet(file, glob=False, hive_partitioning=False)
            filled = rows.join(found, on="gradable_id", how="left", maintain_order="left")
            filled.with_columns(source=pl.coalesce("source", "found_source")).select(rows.columns).write_parquet(file)
        if found.height and not any(folded(name) == "source" for name in surveys.columns):
            surveys.columns.append("source")
    if not scalar(connection, "select count(*) from state.csat_versions where source is null"):
        return
    connection.execute(
        f"""
        create or replace temp table found_surveys as
        select gradable_id, min(source) as source, gradable_id in (
            select gradable_id from state.csat_versions where source is not null
        ) as is_there
        from {delivered} where source is not null group by gradable_id having count(*) = 1
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
