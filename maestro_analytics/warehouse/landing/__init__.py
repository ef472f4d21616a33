"""Land deliveries in the tables: rows, state and ledger in one transaction."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb

from maestro_analytics.errors import TooManyBadRows, UnreadableFile
from maestro_analytics.exports import ExportRecord
from maestro_analytics.kinds import COACHING, GROUPS, RAW
from maestro_analytics.permissions import make_private
from maestro_analytics.tables.delivery import (
    BUDGET,
    Delivery,
    RefusedFile,
    StagedTable,
    allowed_refusals,
    refusals_frame,
)
from maestro_analytics.tables.headers import folded
from maestro_analytics.tables.json_records import read_records
from maestro_analytics.tables.schemas import AGENT_GROUPS, AUDIT_LOGS, CSAT, TABLES_BY_NAME, TOTAL_SCORES
from maestro_analytics.warehouse import steps
from maestro_analytics.warehouse.connection import scalar
from maestro_analytics.warehouse.landing.accounting import Landed, RowCounts, Source
from maestro_analytics.warehouse.landing.audit_logs import land_audit_logs
from maestro_analytics.warehouse.landing.coverage import cover
from maestro_analytics.warehouse.landing.csat import land_csat
from maestro_analytics.warehouse.landing.grades import classify_grades, replace_grades, unreplaced_tables
from maestro_analytics.warehouse.landing.quarantine import clear_quarantine, quarantine
from maestro_analytics.warehouse.landing.snapshots import doubt_warning, is_doubtful, land_groups, land_list
from maestro_analytics.warehouse.landing.staged import add_columns
from maestro_analytics.warehouse.ledger import add, mark_landed, source_of

LANDERS = {CSAT.name: land_csat, AUDIT_LOGS.name: land_audit_logs, AGENT_GROUPS.name: land_groups}


def land(
    connection: duckdb.DuckDBPyConnection,
    export: ExportRecord,
    delivery: Delivery | None,
    data_folder: Path,
) -> Landed:
    """Land an export: rows, state and ledger in one transaction. See `Master.land`."""
    if not scalar(connection, "select count(*) from state.exports where seq = ?", [export.seq]):
        add(connection, export, data_folder)
    source = source_of(connection, export, data_folder)
    landed = Landed(export)
    if delivery is not None:
        landed.refused = delivery.refused
        landed.unknown = delivery.unknown
        landed.warnings = list(delivery.warnings)
        for staged in delivery.tables.values():
            landed.warnings += add_columns(connection, staged.table.name, staged.unknown, source)
        steps.reached("columns grown")
        if export.kind == RAW.name:
            classify_grades(connection, delivery, source)
            landed.refused = [*landed.refused, *_missing_files(connection, delivery)]
        steps.reached("grades classified")
    tables = dict(delivery.tables) if delivery else {}
    if export.kind == GROUPS.name and not landed.refused:
        # An export of groups without rows, or with nothing to download, means that there are no groups.
        tables.setdefault(AGENT_GROUPS.name, StagedTable(AGENT_GROUPS))
    with transaction(connection):
        clear_quarantine(connection, export.seq)
        if delivery is not None and TOTAL_SCORES.name in tables:
            landed.row_counts |= replace_grades(connection, delivery, source)
        for name, lander in LANDERS.items():
            if name in tables:
                landed.row_counts[name] = lander(connection, tables[name], source)
                if name == AGENT_GROUPS.name and _is_doubted(connection, source):
                    landed.warnings.append(doubt_warning(connection, name, tables[name].rows_live))
                steps.reached(f"{name} landed")
        for counts in landed.row_counts.values():
            counts.check()
        for file in landed.refused:
            quarantine(connection, file.refusals, source, file_refused=True)
        landed.is_covered = not landed.refused
        if export.covers is not None and landed.is_covered:
            cover(connection, export.kind, export.covers)
        status = "partial" if landed.refused else "landed" if delivery is not None else "empty"
        errors = "; ".join(str(file.error) for file in landed.refused) or None
        mark_landed(connection, export.seq, status=status, error=errors)
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


def _missing_files(connection: duckdb.DuckDBPyConnection, delivery: Delivery) -> list[RefusedFile]:
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
        for name in unreplaced_tables(connection, delivery)
        if name not in refused
    ]


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
    records: Sequence[Mapping[str, Any]],
    kept_folder: Path,
    *,
    taken_at: datetime,
    keep: bool = True,
) -> Landed:
    """Replace a coaching table by a complete list of records. See `Master.land_coaching`.

    Args:
        keep: whether to write the list to the kept files; False when it was read from there.
    """
    table = TABLES_BY_NAME[table_name]
    # The kept file stores whole seconds, and a replay must date the rows like this landing.
    taken_at = taken_at.replace(microsecond=0)
    kept = kept_folder / f"coaching-{table_name}.ndjson.gz"
    rows, refusals = read_records(records, table)
    source = Source(COACHING, None, None, f"{kept_folder.name}/{kept.name}", taken_at)
    if len(refusals) > allowed_refusals(len(records)):
        raise TooManyBadRows(
            f"{len(refusals)} of {len(records)} records of {table_name} were refused, more than the budget of "
            f"{BUDGET:.1%} allows, so the table stays as it was; the first: {refusals[0].reason}.",
            path=kept,
            failures=refusals_frame(refusals),
        )
    landed = Landed(None)
    unknown = {name: name for name in rows.columns if name not in table.columns}
    landed.warnings += add_columns(connection, table_name, unknown, source)
    steps.reached("columns grown")
    if keep:
        with transaction(connection):
            is_doubted = is_doubtful(connection, table_name, source, rows.height)
        if is_doubted:
            landed.warnings.append(doubt_warning(connection, table_name, rows.height))
            landed.row_counts[table_name] = RowCounts(table_name, read=len(records), doubted=len(records))
            return landed
        keep_list(kept, records, taken_at)
        steps.reached("list kept")
    with transaction(connection):
        connection.execute("delete from state.quarantine where kind = ? and table_name = ?", [COACHING, table_name])
        counts = RowCounts(
            table_name,
            read=len(records),
            quarantined=quarantine(connection, refusals, source),
            repeated=len(records) - len(refusals) - rows.height,
        )
        landed.row_counts[table_name] = replace(counts, landed=land_list(connection, table, rows, source))
        landed.row_counts[table_name].check()
        steps.reached("before commit")
    steps.reached("committed")
    return landed


def keep_list(path: Path, records: Sequence[Mapping[str, Any]], taken_at: datetime) -> None:
    """Write a list as compressed JSON lines, atomically; the gzip header says when it was read."""
    part = path.with_name(f".{path.name}.part")
    with part.open("wb") as raw:
        with gzip.GzipFile("", "wb", compresslevel=6, fileobj=raw, mtime=taken_at.timestamp()) as file:
            for record in records:
                file.write(json.dumps(record, ensure_ascii=False).encode(errors="surrogatepass") + b"\n")
        raw.flush()
        os.fsync(raw.fileno())
    make_private(part)
    part.replace(path)


def read_list(path: Path) -> tuple[list[dict[str, Any]], int]:
    """The records of a kept list, and when it was read from the API, in seconds since 1970."""
    with gzip.open(path, "rb") as file:
        records = [json.loads(line) for line in file]
        taken = file.mtime
    return records, int(taken or 0)


@contextmanager
def transaction(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Commit at the end, or roll back when an exception passes."""
    connection.execute("begin")
    try:
        yield
    except BaseException:
        connection.execute("rollback")
        raise
    connection.execute("commit")
