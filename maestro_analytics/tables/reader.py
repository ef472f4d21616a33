"""A kept export file -> a `Delivery` of checked rows. Memory is bounded by batches, however large the file.

Zip to landed table, 2 million answers on 2 cores: 1.14 times DuckDB's `read_csv` with casts, which checks nothing; peak
660 MiB, and 981 MiB at 10 million. See tests/benchmarks/landing.py.
"""

from __future__ import annotations

import shutil
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from maestro_analytics.errors import SchemaMismatch, TooManyBadRows, UnreadableFile
from maestro_analytics.tables.archive import BROKEN_STREAM, Member, members_of
from maestro_analytics.tables.columns import Table
from maestro_analytics.tables.csv_batches import (
    NeedsSlowReading,
    RowCount,
    TextBatch,
    fast_batches,
    records_of,
    slow_batches,
)
from maestro_analytics.tables.dedupe import ROW_NUMBER, key_hashes, settle, write_rows
from maestro_analytics.tables.delivery import Delivery, Refusal, RefusedFile, StagedTable
from maestro_analytics.tables.headers import (
    HEADER_BOUND,
    Columns,
    Header,
    closest,
    folded,
    match,
    read_header,
    recognise,
    roles,
)
from maestro_analytics.tables.schemas import DELETED_FLAG, KINDS
from maestro_analytics.tables.validation import Problem, check

BUDGET = 0.01
"""Share of a file's rows that may be refused; one more fails the file."""

MOST_PROBLEMS = 500_000
"""More bad rows than this fail a file, whatever its size, so that memory is bounded."""

SHOWN_REFUSALS = 1_000
"""How many of a refused file's bad rows are kept as evidence."""

WORKERS = 2
BATCHES_IN_FLIGHT = 3


@dataclass
class _File:
    """A file on its way through: what is known of it so far."""

    member: Member
    table: Table
    header: Header
    columns: Columns
    first_row: int
    count: RowCount = field(default_factory=RowCount)
    files: list[Path] = field(default_factory=list)
    hashes: list[np.ndarray] = field(default_factory=list)
    flagged_files: list[Path] = field(default_factory=list)
    rows_live: int = 0
    rows_flagged: int = 0
    problems: dict[int, Problem] = field(default_factory=dict)
    named_keys: list[str] = field(default_factory=list)

    @property
    def rows_refused(self) -> int:
        return self.count.ragged + len(self.problems)


def read_export(path: Path, *, kind: str, staging: Path, budget: float = BUDGET) -> Delivery:
    """Read the export of `kind` (`raw`, `groups`, `audit`) at `path`.

    Args:
        path: the kept file, a zip or one CSV.
        kind: which tables its files can be.
        staging: a folder for the checked rows; made if need be, and emptied first.
        budget: the share of a file's rows that may be refused before all of the file is.

    Raises:
        UnreadableFile: no file in it is a table of this kind, or it is a broken zip. What is wrong with one file of
            several is told in `Delivery.refused` and `Delivery.unknown` instead.
    """
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir(parents=True)
    delivery = Delivery(path, kind, staging)
    files: list[_File] = []
    with members_of(path) as members:
        for member in members:
            _read_member(member, delivery, files, budget)
        for table in KINDS[kind]:
            mine = [file for file in files if file.table is table]
            if mine:
                delivery.tables[table.name] = _collect(table, mine)
    if not delivery.tables and not delivery.refused and (delivery.unknown or delivery.blank):
        delivery.close()
        if delivery.unknown:
            raise delivery.unknown[0].error
        raise UnreadableFile(f"{path.name} has no header, so it is no export. Kept at {path}.", path=path)
    return delivery


def _read_member(member: Member, delivery: Delivery, files: list[_File], budget: float) -> None:
    label = f"{member.name!r} in {delivery.path.name}" if member.name else delivery.path.name
    kept = f"Kept at {delivery.path}."
    tables = KINDS[delivery.kind]

    def unreadable(why: str, table_name: str | None = None) -> RefusedFile:
        return RefusedFile(member.name, table_name, UnreadableFile(f"{label} {why} {kept}", path=delivery.path))

    if member.fault is not None:
        delivery.unknown.append(unreadable(f"{member.fault}."))
        return
    try:
        with member.open() as stream:
            head = stream.read(HEADER_BOUND)
            header = read_header(head)
    except BROKEN_STREAM as error:
        delivery.unknown.append(unreadable(f"is damaged ({error})."))
        return
    if header is None:
        if member.size > HEADER_BOUND:
            delivery.unknown.append(unreadable("starts with blank lines only."))
        else:
            delivery.blank.append(member.name)
        return
    table = recognise(header.names, tables, file_name=member.name)
    if table is None:
        like, lacking = closest(header.names, tables)
        delivery.unknown.append(
            unreadable(
                f"matches no known table ({len(header.names)} columns; closest: {like.name}, lacking "
                f"{', '.join(lacking) or 'nothing'})."
            )
        )
        return
    columns = match(header, table)
    if lacking_identity := columns.lacking(table):
        mismatch = SchemaMismatch(
            f"{label} ({table.name}) lacks {', '.join(lacking_identity)}, without which no row has an identity. {kept}",
            path=delivery.path,
        )
        delivery.refused.append(RefusedFile(member.name, table.name, mismatch))
        return
    if columns.missing:
        delivery.warnings.append(f"{label} ({table.name}) lacks {', '.join(columns.missing)}: null in its rows")
    if columns.unknown:
        delivery.warnings.append(f"{label} ({table.name}) has unknown columns, kept: {', '.join(columns.unknown)}")
    first_row = sum(file.count.rows for file in files if file.table is table)
    try:
        file = _read_rows(member, table, header, columns, delivery.staging, first_row)
        if file.rows_refused > min(budget * file.count.read, MOST_PROBLEMS):
            delivery.refused.append(_over_budget(file, label, kept, delivery.path, budget))
        else:
            files.append(file)
    except _BrokenMember as broken:
        delivery.refused.append(unreadable(f"is damaged ({broken}).", table.name))


class _BrokenMember(Exception):
    """The bytes of a member cannot be unpacked to their end."""


def _read_rows(member: Member, table: Table, header: Header, columns: Columns, staging: Path, first_row: int) -> _File:
    """All rows of a member, checked and staged; read fast if that can be trusted, else one by one."""
    for batches in (fast_batches, slow_batches):
        file = _File(member, table, header, columns, first_row)
        try:
            _stage(file, batches(member, header, columns.stored, file.count), staging)
        except NeedsSlowReading:
            for staged in (*file.files, *file.flagged_files):
                staged.unlink()
            continue
        return file
    raise AssertionError("the slow reader has no doubts")


def _stage(file: _File, batches: Iterator[TextBatch], staging: Path) -> None:
    """Check and write batches in two threads while the next are parsed; all three release the interpreter's lock."""
    in_flight: deque[Future[Callable[[], None]]] = deque()
    with ThreadPoolExecutor(WORKERS) as pool:
        while True:
            try:
                batch = next(batches, None)
            except BROKEN_STREAM as error:
                raise _BrokenMember(str(error)) from error
            if batch is not None:
                in_flight.append(pool.submit(_stage_batch, file, batch, staging))
            while in_flight and (batch is None or len(in_flight) >= BATCHES_IN_FLIGHT):
                in_flight.popleft().result()()
            if batch is None or len(file.problems) > MOST_PROBLEMS:
                return


def _stage_batch(file: _File, batch: TextBatch, staging: Path) -> Callable[[], None]:
    """Check and write one batch; returns what enters it in the books, for the reading thread alone to call."""
    checked = check(batch.text, file.table, roles(file.columns, file.table))
    stem = f"{file.table.name}-{file.first_row + batch.first_row}"
    live = checked.live
    hashes = None
    if file.table.row_key is not None:
        hashes = key_hashes(live, file.table)
        live = live.with_columns((checked.live_rows + file.first_row + batch.first_row).alias(ROW_NUMBER))
    staged = staging / f"{stem}.parquet"
    if live.height:
        write_rows(live, staged)
    flagged = staging / f"{stem}-deleted.parquet"
    if checked.flagged is not None:
        write_rows(checked.flagged, flagged)

    def enter() -> None:
        if live.height:
            file.files.append(staged)
            file.rows_live += live.height
            if hashes is not None:
                file.hashes.append(hashes)
        if checked.flagged is not None:
            file.flagged_files.append(flagged)
            file.rows_flagged += checked.flagged.height
        file.problems.update({batch.first_row + row: problem for row, problem in checked.problems.items()})
        file.named_keys.extend(checked.named_keys)

    return enter


def _collect(table: Table, files: list[_File]) -> StagedTable:
    """The files of one table as one, with one row for each row key."""
    staged = StagedTable(table)
    for file in files:
        there = {folded(name) for name in (*staged.columns, DELETED_FLAG)}
        new = [name for name in file.columns.stored if folded(name) not in there]
        staged.columns.extend(new)
        staged.unknown |= {name: given for name, given in file.columns.unknown.items() if name in new}
        staged.files.extend(file.files)
        staged.flagged_files.extend(file.flagged_files)
        staged.rows_read += file.count.read
        staged.rows_live += file.rows_live
        staged.rows_flagged += file.rows_flagged
        staged.named_keys.extend(file.named_keys)
    if table.row_key is not None:
        repeats = settle(staged.files, [hashes for file in files for hashes in file.hashes], table)
        staged.rows_repeated = repeats.rows_repeated
        staged.rows_live -= repeats.rows_repeated + len(repeats.losers)
        lost = Problem(None, f"another row with the same {', '.join(table.row_key)} and other values is newer")
        for row in repeats.losers:
            file = next(file for file in files if file.first_row <= row < file.first_row + file.count.rows)
            file.problems[row - file.first_row] = lost
    for file in files:
        staged.refusals.extend(_refusals(file))
    return staged


def _refusals(file: _File, *, at_most: int | None = None) -> list[Refusal]:
    """The refused rows of a file, each with its line and raw text; a second pass, made only when there are some."""
    wanted = file.rows_refused if at_most is None else min(at_most, file.rows_refused)
    found: list[Refusal] = []
    row = 0
    if not wanted:
        return found
    with closing(records_of(file.member, file.header)) as records:
        for record in records:
            if record.fault is not None:
                problem: Problem | None = Problem(None, record.fault)
            else:
                problem = file.problems.get(row)
                row += 1
            if problem is not None:
                where = (file.table.name, file.member.name, record.line)
                found.append(Refusal(*where, problem.column_name, problem.reason, record.raw))
                if len(found) == wanted:
                    break
    return found


def _over_budget(file: _File, label: str, kept: str, path: Path, budget: float) -> RefusedFile:
    refusals = _refusals(file, at_most=SHOWN_REFUSALS)
    for staged in (*file.files, *file.flagged_files):
        staged.unlink()
    reasons: dict[str, int] = {}
    for refusal in refusals:
        reasons[refusal.reason] = reasons.get(refusal.reason, 0) + 1
    most = max(reasons, key=lambda reason: reasons[reason])
    error = TooManyBadRows(
        f"{label} ({file.table.name}): {file.rows_refused} of {file.count.read} rows were refused, more than the "
        f"budget of {budget:.1%} allows, so none of it landed; most often: {most}. {kept} See `maestro-analytics "
        "quarantine list`; after a fix, `maestro-analytics replay`.",
        path=path,
        failures=refusals_frame(refusals),
    )
    return RefusedFile(file.member.name, file.table.name, error, refusals, file.rows_refused)


def refusals_frame(refusals: list[Refusal]) -> pl.DataFrame:
    """One row per refused row."""
    columns: dict[str, Any] = {
        "table_name": pl.String,
        "member": pl.String,
        "line": pl.Int64,
        "column_name": pl.String,
        "reason": pl.String,
        "raw": pl.String,
    }
    return pl.DataFrame([[getattr(refusal, name) for name in columns] for refusal in refusals], columns, orient="row")
