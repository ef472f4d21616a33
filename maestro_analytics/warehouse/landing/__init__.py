"""Land deliveries in the tables: rows, state and ledger in one transaction."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
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
from maestro_analytics.tables.schemas import CSAT, DELETED_FLAG, GRADE_TABLES, KINDS, TABLES_BY_NAME, TOTAL_SCORES
from maestro_analytics.warehouse import steps
from maestro_analytics.warehouse.connection import little_memory, scalar, transaction
from maestro_analytics.warehouse.landing.accounting import (
    Landed,
    RowCounts,
    clear_quarantine,
    drop_superseded,
    quarantine,
)
from maestro_analytics.warehouse.landing.grades import (
    classify_grades,
    grades_without_total,
    name_grades,
    replace_grades,
    replaces_grades,
    unreplaced_tables,
)
from maestro_analytics.warehouse.landing.lists import (
    KeptList,
    SlicedList,
    keep_list,
    kept_name,
    record_slices,
    rows_in_slices,
    stage_list,
)
from maestro_analytics.warehouse.landing.other_tables import (
    doubt_warning,
    is_doubtful,
    land_append_only,
    land_csat,
    land_list,
    land_snapshot,
    supersede_snapshots,
)
from maestro_analytics.warehouse.landing.sources import find_sources
from maestro_analytics.warehouse.landing.staged import add_columns
from maestro_analytics.warehouse.landing.together import check_grades, check_order
from maestro_analytics.warehouse.ledger import (
    Source,
    add,
    cover,
    date_by_content,
    find_later_exports,
    list_sources,
    mark_landed,
    uncover,
)

LANDERS = {CSAT.name: land_csat} | {
    table: land_append_only if kind.windowed else land_snapshot
    for kind in EXPORT_KINDS.values()
    if kind is not RAW
    for table in kind.tables
}
"""Table -> what lands its rows; the grade tables are landed together."""
MEMORY_PER_BYTE = 10
"""Of a batch of rows that DuckDB inserts: of long texts it holds several copies."""


@dataclass
class _Arrived:
    """An export that lands, what was read of it, and what becomes of it."""

    export: ExportRecord
    delivery: Delivery | None
    source: Source
    landed: Landed


def land(
    connection: duckdb.DuckDBPyConnection,
    given: Sequence[tuple[ExportRecord, Delivery | None]],
    data_folder: Path,
) -> list[Landed]:
    """Land exports: rows, state and ledger in one transaction. See `Master.land` and `Master.land_together`.

    Raises:
        NotTogether: several would not land as they do one by one. Nothing has landed.
    """
    arrived = _enter(connection, given, data_folder)
    if len(arrived) > 1:
        check_order(connection)
    export, landed = arrived[0].export, arrived[0].landed
    kind = export.kind
    read = [(each, each.delivery) for each in arrived if each.delivery is not None]
    deliveries = [delivery for _, delivery in read]
    # A single CSV given by hand, such as the total scores alone, is not an export that lost the other files.
    is_single_table = export.landed_from is not None and bool(read) and deliveries[0].is_single_table
    if kind == RAW.name and read:
        for each, delivery in read:
            each.landed.warnings += _flag_warning(connection, delivery)
        if len(arrived) == 1:
            find_sources(connection, deliveries[0])
        name_grades(connection, deliveries, [each.source for each, _ in read])
        for each, delivery in read:
            if count := grades_without_total(connection, delivery):
                each.landed.warnings.append(
                    f"{delivery.path.name}: grades with rows in other files but none in {TOTAL_SCORES.name}: {count:,}"
                    ". They land without a score. `refresh --again` requests the period again."
                )
        classify_grades(connection)
        if len(arrived) > 1:
            check_grades(connection, deliveries)
        else:
            missing = _find_missing(connection, arrived[0], deliveries[0], is_single_table=is_single_table)
            landed.refused = [*landed.refused, *missing]
    steps.reached("grades classified")
    # After the checks: exports that do not land together add no column, so that the one that does tells of it.
    for each, delivery in read:
        for staged in delivery.tables.values():
            each.landed.warnings += add_columns(connection, staged.table.name, staged.unknown, each.source)
    steps.reached("columns grown")
    tables = {name: [delivery.tables[name] for delivery in deliveries] for name in deliveries[0].tables} if read else {}
    is_snapshot = not EXPORT_KINDS[kind].windowed
    if is_snapshot and not landed.refused:
        # A snapshot without rows, or with nothing to download, means that there is nothing (no groups).
        tables = {table.name: [StagedTable(table)] for table in KINDS[kind]} | tables
    bringing = [each for each, _ in read] or arrived
    sources = [each.source for each in bringing]
    with transaction(connection):
        clear_quarantine(connection, [each.export.seq for each in arrived])
        row_counts: dict[str, list[RowCounts]] = {}
        if TOTAL_SCORES.name in tables:
            row_counts |= replace_grades(
                connection, deliveries, sources, is_alone=len(arrived) == 1, is_single_table=is_single_table
            )
        for name, lander in LANDERS.items():
            if name in tables:
                row_counts[name] = lander(connection, tables[name], sources)
                if is_snapshot and _is_doubted(connection, sources[0]):
                    landed.warnings.append(doubt_warning(connection, name, tables[name][0].rows_live))
                steps.reached(f"{name} landed")
        for number, each in enumerate(bringing):
            each.landed.row_counts = {name: counts[number] for name, counts in row_counts.items()}
            for counts in each.landed.row_counts.values():
                counts.check()
        for each in arrived:
            for file in each.landed.refused:
                quarantine(connection, file.refusals, each.source, file_refused=True)
            each.landed.is_covered = not each.landed.refused and not (is_single_table and kind == RAW.name)
        covered = [each.export.covers for each in arrived if each.export.covers and each.landed.is_covered]
        cover(connection, kind, covered)
        if export.covers and landed.refused and TOTAL_SCORES.name in tables and replaces_grades(connection):
            # Replaced grades keep rows of an earlier export in the table of the missing file: request the window again.
            uncover(connection, kind, export.covers)
        mark_landed(connection, [_status(each) for each in arrived])
        if is_snapshot:
            supersede_snapshots(connection, sources[0])
        elif len(arrived) == 1:  # `check_order` and `check_grades` have seen that several supersede nothing.
            replaced = [table.name for table in GRADE_TABLES if {table.name, TOTAL_SCORES.name} <= tables.keys()]
            drop_superseded(connection, export, replaced, is_covered=landed.is_covered and export.window is not None)
        steps.reached("before commit")
    steps.reached("committed")
    return [each.landed for each in arrived]


def _enter(
    connection: duckdb.DuckDBPyConnection, given: Sequence[tuple[ExportRecord, Delivery | None]], data_folder: Path
) -> list[_Arrived]:
    """Enter exports that the ledger does not have; creates `deliveries` and `later_exports`."""
    seqs = [export.seq for export, _ in given]
    known = connection.execute(
        "select seq from state.exports where list_contains($seqs, seq)", {"seqs": seqs}
    ).fetchall()
    for export, delivery in given:
        if (export.seq,) not in known:
            add(connection, export, data_folder)
        if export.requested_at is None:
            date_by_content(connection, export.seq, delivery.newest_moment() if delivery else None)
    # Of several, none is requested after one that lands before it: see `check_order`.
    find_later_exports(connection, seqs[-1])
    numbered = [(delivery.number if delivery else None, export) for export, delivery in given]
    return [
        _Arrived(
            export,
            delivery,
            source,
            Landed(export)
            if delivery is None
            else Landed(export, refused=delivery.refused, unknown=delivery.unknown, warnings=list(delivery.warnings)),
        )
        for (export, delivery), source in zip(given, list_sources(connection, numbered, data_folder), strict=True)
    ]


def _find_missing(
    connection: duckdb.DuckDBPyConnection, arrived: _Arrived, delivery: Delivery, *, is_single_table: bool
) -> list[RefusedFile]:
    """The files that a raw export lacks, where rows are to be replaced, as refused files."""
    missing = unreplaced_tables(connection, [delivery])
    if is_single_table:
        only = next(iter(delivery.tables))
        arrived.landed.warnings.append(f"{delivery.path.name} has {only} alone; the other tables keep what they have")
        missing = [] if only in (TOTAL_SCORES.name, CSAT.name) else [TOTAL_SCORES.name]
    elif arrived.export.landed_from is not None and delivery.is_single_refused_file:
        missing = []
    return _missing_files(missing, delivery, arrived.export)


def _status(arrived: _Arrived) -> tuple[int, str, str | None]:
    """The number of a landed export, its status and its error."""
    status = "partial" if arrived.landed.refused else "empty" if arrived.delivery is None else "landed"
    return arrived.export.seq, status, "; ".join(str(file.error) for file in arrived.landed.refused) or None


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


def _missing_files(missing: Sequence[str], delivery: Delivery, export: ExportRecord) -> list[RefusedFile]:
    """The files that a raw export lacks, as refused files; those that are refused already are not repeated."""
    refused = {file.table_name for file in delivery.refused}
    name, remedy = delivery.path.name, "the next refresh asks for it again"
    if export.landed_from is not None:
        # A refresh asks for what it has asked for before, which need not be the time of a file that came another way.
        name = Path(export.landed_from).name
        since = f"{export.window.start:%Y-%m-%d}`" if export.window else "T`, with T before its first grade"
        remedy = f"land all of its files together, or run `maestro-analytics refresh --again --since {since}"
    return [
        RefusedFile(
            "",
            table,
            UnreadableFile(
                f"{name} has no usable {table} file, so "
                + ("none of its grades landed" if table == TOTAL_SCORES.name else f"earlier rows of {table} stay")
                + f" and its period is not complete. Kept at {delivery.path}; {remedy}.",
                path=delivery.path,
            ),
        )
        for table in missing
        if table not in refused
    ]


def land_pruned(connection: duckdb.DuckDBPyConnection, exports: Sequence[ExportRecord]) -> None:
    """Land exports of a kind whose kept files were pruned. See `Master.land_pruned`."""
    with transaction(connection):
        covered = [export.covers for export in exports if export.covers is not None and export.status == "landed"]
        cover(connection, exports[0].kind, covered)
        mark_landed(connection, [(export.seq, export.status, export.error) for export in exports])


def refuse(
    connection: duckdb.DuckDBPyConnection, export: ExportRecord, error: UnreadableFile, data_folder: Path
) -> Landed:
    """Record that a kept file could not be read. See `Master.refuse`."""
    if not scalar(connection, "select count(*) from state.exports where seq = ?", [export.seq]):
        add(connection, export, data_folder)
    with transaction(connection):
        clear_quarantine(connection, [export.seq])
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
