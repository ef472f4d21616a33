"""A delivery -> the tables. Rows, state and ledger go in one transaction: all of it is there afterwards, or none."""

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
from maestro_analytics.kinds import COACHING, GROUPS
from maestro_analytics.tables.delivery import Delivery, RefusedFile, StagedTable
from maestro_analytics.tables.json_records import read_records
from maestro_analytics.tables.reader import BUDGET, refusals_frame
from maestro_analytics.tables.schemas import AGENT_GROUPS, AUDIT_LOGS, CSAT, GRADE_TABLES, TABLES_BY_NAME
from maestro_analytics.warehouse.connection import value
from maestro_analytics.warehouse.landing.accounting import (
    Account,
    Landed,
    Source,
    add_columns,
    clear_quarantine,
    cover,
    grow,
    mark_landed,
    quarantine,
    source_of,
)
from maestro_analytics.warehouse.landing.grades import Step, prepare_fates, replace_grades
from maestro_analytics.warehouse.landing.others import land_audit, land_csat, land_groups, land_list
from maestro_analytics.warehouse.ledger import add

LANDERS = {CSAT.name: land_csat, AUDIT_LOGS.name: land_audit, AGENT_GROUPS.name: land_groups}


def land(
    connection: duckdb.DuckDBPyConnection,
    export: ExportRecord,
    delivery: Delivery | None,
    data_folder: Path,
    step: Step,
) -> Landed:
    """See `Master.land`."""
    if not value(connection, "select count(*) from state.exports where seq = ?", [export.seq]):
        add(connection, export, data_folder)
    source = source_of(connection, export, data_folder)
    landed = Landed(export)
    if delivery is not None:
        landed.refused = delivery.refused
        landed.unknown = delivery.unknown
        landed.warnings = list(delivery.warnings)
        grow(connection, delivery, source)
        step("columns grown")
        prepare_fates(connection, delivery, source)
        step("fates prepared")
    tables = dict(delivery.tables) if delivery else {}
    if export.kind == GROUPS.name and not landed.refused:
        # A snapshot without a row, or with nothing to download, says that there are no groups.
        tables.setdefault(AGENT_GROUPS.name, StagedTable(AGENT_GROUPS))
    with transaction(connection):
        clear_quarantine(connection, export.seq)
        if delivery is not None and any(table.name in tables for table in GRADE_TABLES):
            landed.accounts |= replace_grades(connection, delivery, source, step)
        for name, lander in LANDERS.items():
            if name in tables:
                landed.accounts[name] = lander(connection, tables[name], source)
                step(f"{name} landed")
        for account in landed.accounts.values():
            account.check()
        for file in landed.refused:
            quarantine(connection, file.refusals, source, file_refused=True)
        landed.is_covered = not landed.refused
        if export.window is not None and landed.is_covered:
            cover(connection, export.kind, export.window)
        status = "partial" if landed.refused else "landed" if delivery is not None else "empty"
        errors = "; ".join(str(file.error) for file in landed.refused) or None
        mark_landed(connection, export.seq, status=status, error=errors)
        step("before commit")
    step("committed")
    return landed


def refuse(
    connection: duckdb.DuckDBPyConnection, export: ExportRecord, error: UnreadableFile, data_folder: Path
) -> Landed:
    """See `Master.refuse`."""
    if not value(connection, "select count(*) from state.exports where seq = ?", [export.seq]):
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
    step: Step,
    keep: bool = True,
) -> Landed:
    """See `Master.land_coaching`."""
    table = TABLES_BY_NAME[table_name]
    # The kept list tells seconds, and a replay must date its rows as this does.
    taken_at = taken_at.replace(microsecond=0)
    kept = kept_folder / f"coaching-{table_name}.ndjson.gz"
    rows, refusals = read_records(records, table)
    source = Source(COACHING, None, None, f"{kept_folder.name}/{kept.name}", taken_at)
    if len(refusals) > BUDGET * len(records):
        raise TooManyBadRows(
            f"{len(refusals)} of {len(records)} records of {table_name} were refused, more than the budget of "
            f"{BUDGET:.1%} allows, so the table stays as it was; the first: {refusals[0].reason}.",
            path=kept,
            failures=refusals_frame(refusals),
        )
    landed = Landed(None)
    unknown = {name: name for name in rows.columns if name not in table.columns}
    add_columns(connection, table_name, unknown, source)
    step("columns grown")
    if keep:
        keep_list(kept, records, taken_at)
        step("list kept")
    with transaction(connection):
        connection.execute("delete from state.quarantine where kind = ? and table_name = ?", [COACHING, table_name])
        account = Account(
            table_name,
            read=len(records),
            quarantined=quarantine(connection, refusals, source),
            repeated=len(records) - len(refusals) - rows.height,
        )
        landed.accounts[table_name] = replace(account, landed=land_list(connection, table, rows, source))
        landed.accounts[table_name].check()
        step("before commit")
    step("committed")
    return landed


def keep_list(path: Path, records: Sequence[Mapping[str, Any]], taken_at: datetime) -> None:
    """Keep a list as compressed JSON lines, whole or not at all; when it was taken stands in the gzip header."""
    part = path.with_name(f".{path.name}.part")
    with part.open("wb") as raw:
        with gzip.GzipFile("", "wb", compresslevel=6, fileobj=raw, mtime=taken_at.timestamp()) as file:
            for record in records:
                file.write(json.dumps(record, ensure_ascii=False).encode() + b"\n")
        raw.flush()
        os.fsync(raw.fileno())
    part.replace(path)


def read_list(path: Path) -> tuple[list[dict[str, Any]], int]:
    """The records of a kept list, and when it was taken, in seconds since 1970."""
    with gzip.open(path, "rb") as file:
        records = [json.loads(line) for line in file]
        taken = file.mtime
    return records, int(taken or 0)


@contextmanager
def transaction(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """All or nothing."""
    connection.execute("begin")
    try:
        yield
    except BaseException:
        connection.execute("rollback")
        raise
    connection.execute("commit")
