"""Land deliveries in the tables: rows, state and ledger in one transaction."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb

from maestro_analytics.errors import TooManyBadRows, UnreadableFile
from maestro_analytics.exports import ExportRecord, Window
from maestro_analytics.kinds import COACHING, EXPORT_KINDS, RAW
from maestro_analytics.tables.delivery import (
    BUDGET,
    Delivery,
    RefusedFile,
    StagedTable,
    allowed_refusals,
    refusals_frame,
)
from maestro_analytics.tables.headers import folded
from maestro_analytics.tables.schemas import CSAT, DELETED_FLAG, GRADE_TABLES, KINDS, TABLES_BY_NAME, TOTAL_SCORES
from maestro_analytics.warehouse import steps
from maestro_analytics.warehouse.connection import little_memory, scalar, transaction
from maestro_analytics.warehouse.landing.accounting import Landed, RowCounts, Source
from maestro_analytics.warehouse.landing.append_only import land_append_only
from maestro_analytics.warehouse.landing.coverage import cover
from maestro_analytics.warehouse.landing.csat import land_csat
from maestro_analytics.warehouse.landing.grades import classify_grades, replace_grades, unreplaced_tables
from maestro_analytics.warehouse.landing.lists import (
    KeptList,
    SlicedList,
    keep_list,
    kept_name,
    record_slices,
    rows_in_slices,
    stage_list,
)
from maestro_analytics.warehouse.landing.quarantine import clear_quarantine, drop_superseded, quarantine
from maestro_analytics.warehouse.landing.snapshots import (
    doubt_warning,
    is_doubtful,
    land_list,
    land_snapshot,
    supersede_snapshots,
)
from maestro_analytics.warehouse.landing.sources import find_sources
from maestro_analytics.warehouse.landing.staged import add_columns
from maestro_analytics.warehouse.ledger import add, date_by_content, find_later_exports, mark_landed, source_of

LANDERS = {CSAT.name: land_csat} | {
    table: land_append_only if kind.windowed else land_snapshot
    for kind in EXPORT_KINDS.values()
    if kind is not RAW
    for table in kind.tables
}
"""Table -> what lands its rows; the grade tables are landed together."""
MEMORY_PER_BYTE = 10
"""Of a batch of rows that DuckDB inserts: of long texts it holds several copies."""


def land(
    connection: duckdb.DuckDBPyConnection,
    export: ExportRecord,
    delivery: Delivery | None,
    data_folder: Path,
) -> Landed:
    """Land an export: rows, state and ledger in one transaction. See `Master.land`."""
    if not scalar(connection, "select count(*) from state.exports where seq = ?", [export.seq]):
        add(connection, export, data_folder)
    if export.requested_at is None:
        date_by_content(connection, export.seq, delivery.newest_moment() if delivery else None)
    find_later_exports(connection, export.seq)
    source = source_of(connection, export, data_folder)
    landed = Landed(export)
    # A single CSV given by hand, such as the total scores alone, is not an export that lost the other files.
    is_single_table = export.landed_from is not None and delivery is not None and delivery.is_single_table
    if delivery is not None:
        landed.refused = delivery.refused
        landed.unknown = delivery.unknown
        landed.warnings = list(delivery.warnings)
        for staged in delivery.tables.values():
            landed.warnings += add_columns(connection, staged.table.name, staged.unknown, source)
        steps.reached("columns grown")
        if export.kind == RAW.name:
            landed.warnings += _flag_warning(connection, delivery)
            find_sources(connection, delivery)
            classify_grades(connection, delivery, source)
            missing = unreplaced_tables(connection, delivery)
            if is_single_table:
                only = next(iter(delivery.tables))
                landed.warnings.append(f"{delivery.path.name} has {only} alone; the other tables keep what they have")
                missing = [] if only in (TOTAL_SCORES.name, CSAT.name) else [TOTAL_SCORES.name]
            elif export.landed_from is not None and delivery.is_single_refused_file:
                missing = []
            landed.refused = [*landed.refused, *_missing_files(missing, delivery)]
        steps.reached("grades classified")
    tables = dict(delivery.tables) if delivery else {}
    is_snapshot = not EXPORT_KINDS[export.kind].windowed
    if is_snapshot and not landed.refused:
        # A snapshot without rows, or with nothing to download, means that there is nothing (no groups).
        tables = {table.name: StagedTable(table) for table in KINDS[export.kind]} | tables
    with transaction(connection):
        clear_quarantine(connection, export.seq)
        if delivery is not None and TOTAL_SCORES.name in tables:
            landed.row_counts |= replace_grades(connection, delivery, source, is_single_table=is_single_table)
        for name, lander in LANDERS.items():
            if name in tables:
                landed.row_counts[name] = lander(connection, tables[name], source)
                if is_snapshot and _is_doubted(connection, source):
                    landed.warnings.append(doubt_warning(connection, name, tables[name].rows_live))
                steps.reached(f"{name} landed")
        for counts in landed.row_counts.values():
            counts.check()
        for file in landed.refused:
            quarantine(connection, file.refusals, source, file_refused=True)
        landed.is_covered = not landed.refused and not (is_single_table and export.kind == RAW.name)
        if export.covers is not None and landed.is_covered:
            cover(connection, export.kind, export.covers)
        status = "partial" if landed.refused else "landed" if delivery is not None else "empty"
        errors = "; ".join(str(file.error) for file in landed.refused) or None
        mark_landed(connection, export.seq, status=status, error=errors)
        if is_snapshot:
            supersede_snapshots(connection, source)
        else:
            replaced = [table.name for table in GRADE_TABLES if {table.name, TOTAL_SCORES.name} <= tables.keys()]
            drop_superseded(
                connection,
                export,
                replaced,
                is_covered=landed.is_covered and export.window is not None,
            )
        if TOTAL_SCORES.name in tables:
            connection.execute(
                "update state.exports set total_columns = ? where seq = ?",
                [sorted(map(folded, tables[TOTAL_SCORES.name].columns)), export.seq],
            )
        steps.reached("before commit")
    steps.reached("committed")
    return landed


def _is_doubted(connection: duckdb.DuckDBPyConnection, source: Source) -> bool:
    return bool(scalar(connection, "select count(*) from state.doubted_snapshots where export_seq = ?", [source.seq]))


def _flag_warning(connection: duckdb.DuckDBPyConnection, delivery: Delivery) -> list[str]:
    """A warning if the vendor marked deleted grades before, and these total scores do not say which are deleted."""
    totals = delivery.tables.get(TOTAL_SCORES.name)
    if totals is None or totals.has_deleted_flag or not totals.rows_live:
        return []
    if not scalar(connection, "select count(*) from state.deletions where reason is null"):
        return []
    return [
        f"{TOTAL_SCORES.name} lacks {DELETED_FLAG}, which earlier exports had: a grade that was deleted counts as live"
    ]


def _missing_files(missing: Sequence[str], delivery: Delivery) -> list[RefusedFile]:
    """The files that a raw export lacks, as refused files; those that are refused already are not repeated."""
    refused = {file.table_name for file in delivery.refused}
    return [
        RefusedFile(
            "",
            name,
            UnreadableFile(
                f"{delivery.path.name} has no usable {name} file, so "
                + ("none of its grades landed" if name == TOTAL_SCORES.name else f"earlier rows of {name} stay")
                + f" and its period is not complete. Kept at {delivery.path}; the next refresh asks for it again.",
                path=delivery.path,
            ),
        )
        for name in missing
        if name not in refused
    ]


def land_pruned(connection: duckdb.DuckDBPyConnection, export: ExportRecord) -> None:
    """Land an export whose kept file was pruned. See `Master.land_pruned`."""
    with transaction(connection):
        if export.covers is not None and export.status == "landed":
            cover(connection, export.kind, export.covers)
        mark_landed(connection, export.seq, status=export.status, error=export.error)


def refuse(
    connection: duckdb.DuckDBPyConnection, export: ExportRecord, error: UnreadableFile, data_folder: Path
) -> Landed:
    """Record that a kept file could not be read. See `Master.refuse`."""
    if not scalar(connection, "select count(*) from state.exports where seq = ?", [export.seq]):
        add(connection, export, data_folder)
    with transaction(connection):
        clear_quarantine(connection, export.seq)
        connection.execute(
            "update state.exports set status = 'unreadable', error = ? where seq = ?", [str(error), export.seq]
        )
    return Landed(export, refused=[RefusedFile("", None, error)], is_covered=False)


def land_coaching(
    connection: duckdb.DuckDBPyConnection,
    table_name: str,
    records: Iterable[dict[str, Any]],
    kept_folder: Path,
    *,
    taken_at: datetime,
    slices: Sequence[Window] = (),
    keep: bool = True,
) -> Landed:
    """Replace a coaching table, or slices of it. See `Master.land_coaching`.

    Args:
        keep: whether to write the list to the kept files; False when it was read from there.
    """
    table = TABLES_BY_NAME[table_name]
    # The kept file stores whole seconds, and a replay must date the rows like this landing.
    taken_at = taken_at.replace(microsecond=0)
    kept = kept_folder / kept_name(table_name)
    source = Source(COACHING, None, None, f"{kept_folder.name}/{kept.name}", taken_at)
    merged = SlicedList(KeptList(kept), records, slices) if slices else None
    complete = merged or records
    landed = Landed(None)
    staging = kept_folder.parent / "master" / "staging"
    staging.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=staging) as folder:
        staged = stage_list(complete, table, Path(folder))
        if len(staged.refusals) > allowed_refusals(staged.rows_read):
            raise TooManyBadRows(
                f"{len(staged.refusals)} of {staged.rows_read} records of {table_name} were refused, more than the "
                f"budget of {BUDGET:.1%} allows, so the table stays as it was; the first: "
                f"{staged.refusals[0].reason}.",
                path=kept,
                failures=refusals_frame(staged.refusals),
            )
        landed.warnings += add_columns(connection, table_name, staged.unknown, source)
        steps.reached("columns grown")
        if keep:
            # A slice is compared with the same slice of the table, a whole list with the whole table.
            rows = merged.new_records if merged else staged.rows_live
            earlier = rows_in_slices(connection, table_name, slices) if merged else None
            with transaction(connection):
                is_doubted = is_doubtful(connection, table_name, source, rows, earlier)
            if is_doubted:
                landed.warnings.append(doubt_warning(connection, table_name, rows, earlier))
                landed.row_counts[table_name] = RowCounts(table_name, read=rows, doubted=rows)
                return landed
            keep_list(kept, complete, taken_at)
            steps.reached("list kept")
        del complete, merged  # They hold the ids of a long list.

        def replace_rows() -> None:
            with transaction(connection):
                connection.execute(
                    "delete from state.quarantine where kind = ? and table_name = ?", [COACHING, table_name]
                )
                quarantined = quarantine(connection, staged.refusals, source)
                rows_landed = land_list(connection, staged, source)
                landed.row_counts[table_name] = RowCounts(
                    table_name,
                    read=staged.rows_read,
                    landed=rows_landed,
                    quarantined=quarantined,
                    repeated=staged.rows_repeated,
                )
                landed.row_counts[table_name].check()
                if keep:
                    record_slices(connection, table_name, slices, taken_at)
                steps.reached("before commit")

        try:
            with little_memory(connection, MEMORY_PER_BYTE * staged.largest_file):
                replace_rows()
        except duckdb.OutOfMemoryException:
            replace_rows()
    steps.reached("committed")
    return landed
