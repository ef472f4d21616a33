"""Read a kept export file into a `Delivery` of checked rows. Memory is bounded by batches, however large the file.

Zip to landed table, 2 million answers on 2 cores: 1.14 times DuckDB's `read_csv` with casts, which checks nothing; peak
660 MiB, and 981 MiB at 10 million. See tests/benchmarks/landing.py.
"""

from __future__ import annotations

import contextlib
import shutil
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path

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
from maestro_analytics.tables.dedupe import ROW, StagedRows, key_hashes, read_rows, rows_of_losers, settle, write_rows
from maestro_analytics.tables.delivery import (
    BUDGET,
    Delivery,
    Refusal,
    RefusedFile,
    StagedTable,
    allowed_refusals,
    refusals_frame,
)
from maestro_analytics.tables.grade_key import GRADE_PARTS
from maestro_analytics.tables.headers import HEADER_BOUND, Columns, Header, closest, find_header, folded, match, roles
from maestro_analytics.tables.schemas import DELETED_FLAG, EXPORT_TABLES, GRADE_TABLES, KINDS, TOTAL_SCORES
from maestro_analytics.tables.validation import Problem, check

MOST_PROBLEMS = 500_000
"""More bad rows than this fail a file, whatever its size, so that memory is bounded."""

SHOWN_REFUSALS = 1_000
"""How many of a refused file's bad rows are reported."""

WORKERS = 2
BATCHES_IN_FLIGHT = 3


@dataclass
class _File:
    """A file that is being read, and what is known of it so far."""

    member: Member
    table: Table
    header: Header
    columns: Columns
    first_row: int
    count: RowCount = field(default_factory=RowCount)
    staged: list[StagedRows] = field(default_factory=list)
    flagged_files: list[Path] = field(default_factory=list)
    rows_flagged: int = 0
    rows_repeated: int = 0
    problems: dict[int, Problem] = field(default_factory=dict)
    named_keys: list[str] = field(default_factory=list)

    @property
    def rows_refused(self) -> int:
        return self.count.ragged + len(self.problems)

    def discard(self) -> None:
        """Remove its staged rows."""
        for path in (*(staged.path for staged in self.staged), *self.flagged_files):
            path.unlink()

    def refuse(self, rows: list[int], reason: str) -> None:
        """Enter rows, by their number in the delivery, as refused."""
        for row in rows:
            self.problems[row - self.first_row] = Problem(None, reason)


def read_export(path: Path, *, kind: str, staging: Path, budget: float = BUDGET) -> Delivery:
    """Read the export of `kind` (`raw`, `groups`, `audit`) at `path`.

    Args:
        path: the kept file, a zip or one CSV.
        kind: which tables its files can be.
        staging: a folder for the checked rows; created if necessary, and emptied first.
        budget: share of a file's rows that may be refused; with more, the file is refused. See `allowed_refusals`.

    Raises:
        UnreadableFile: no file in it is a table of this kind, or it is a damaged zip. What is wrong with one file of
            several is in `Delivery.refused` instead.
    """
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir(parents=True)
    delivery = Delivery(path, kind, staging)
    files: list[_File] = []
    with members_of(path) as members:
        for member in members:
            _read_member(member, delivery, files, budget)
        _settle(files)
        for table in KINDS[kind]:
            mine = [file for file in files if file.table is table]
            if mine:
                delivery.tables[table.name] = _collect(table, mine)
    _account_for_files(delivery)
    if not delivery.tables and delivery.refused and all(file.table_name is None for file in delivery.refused):
        delivery.close()
        raise delivery.refused[0].error
    return delivery


def tables_in(path: Path) -> list[Table]:
    """The tables whose columns the files of the export at `path` have, in the order of the files."""
    found = []
    with members_of(path) as members:
        for member in members:
            with contextlib.suppress(*BROKEN_STREAM):
                if member.fault is None:
                    with member.open() as stream:
                        _, table = find_header(stream.read(HEADER_BOUND), EXPORT_TABLES, file_name=member.name)
                    found += [table] if table is not None else []
    return found


def kind_of(path: Path) -> str:
    """The kind of the export at `path`: that of its first file whose columns are those of a table.

    Raises:
        UnreadableFile: no file in it has the columns of a table.
    """
    for table in tables_in(path):
        return next(kind for kind, tables in KINDS.items() if table in tables)
    known = ", ".join(table.name for table in EXPORT_TABLES)
    raise UnreadableFile(f"{path.name} is not an export: nothing in it has the columns of {known}.", path=path)


def _account_for_files(delivery: Delivery) -> None:
    """Find the tables that have no file, and refuse unrecognised files that may be theirs."""
    known = {*delivery.tables, *(file.table_name for file in delivery.refused)}
    delivery.missing = tuple(table.name for table in KINDS[delivery.kind] if table.name not in known)
    if not delivery.missing:
        return
    for file in delivery.unknown:
        named = [name for name in delivery.missing if name in folded(file.member)]
        delivery.refused.append(replace(file, table_name=named[0] if named else None))
    delivery.unknown = []
    named_tables = {file.table_name for file in delivery.refused}
    delivery.missing = tuple(name for name in delivery.missing if name not in named_tables)


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
            header, table = find_header(stream.read(HEADER_BOUND), tables, file_name=member.name)
    except BROKEN_STREAM as error:
        delivery.unknown.append(unreadable(f"is damaged ({error})."))
        return
    if header is None:
        delivery.unknown.append(unreadable("has no header, so it is not an export."))
        return
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
            f"{label} ({table.name}) lacks {', '.join(lacking_identity)}: its rows cannot be identified. {kept}",
            path=delivery.path,
        )
        delivery.refused.append(RefusedFile(member.name, table.name, mismatch))
        return
    if any(not line.startswith("sep=") for line in header.skipped):
        delivery.warnings.append(f"{label} ({table.name}) has {len(header.skipped)} lines before its header, skipped")
    if columns.missing:
        delivery.warnings.append(f"{label} ({table.name}) lacks {', '.join(columns.missing)}: null in its rows")
    first_row = sum(file.count.rows for file in files if file.table is table)
    try:
        file = _read_rows(member, table, header, columns, delivery.staging, first_row)
        if file.rows_refused > min(allowed_refusals(file.count.read, budget), MOST_PROBLEMS):
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
            file.discard()
            continue
        return file
    raise AssertionError("slow_batches never raises NeedsSlowReading")


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
            if batch is None or file.rows_refused > MOST_PROBLEMS:
                return


def _stage_batch(file: _File, batch: TextBatch, staging: Path) -> Callable[[], None]:
    """Check and write one batch; returns a function that records it, which only the reading thread may call."""
    checked = check(batch.text, file.table, roles(file.columns, file.table))
    stem = f"{file.table.name}-{file.first_row + batch.first_row}"
    live = checked.live
    hashes = key_hashes(live, file.table)
    numbers = checked.live_rows.to_numpy() + (file.first_row + batch.first_row)
    staged = staging / f"{stem}.parquet"
    if live.height:
        write_rows(live, staged)
    flagged = staging / f"{stem}-deleted.parquet"
    if checked.flagged is not None:
        write_rows(checked.flagged, flagged)

    def enter() -> None:
        if live.height:
            file.staged.append(StagedRows(staged, numbers, hashes))
        if checked.flagged is not None:
            file.flagged_files.append(flagged)
            file.rows_flagged += checked.flagged.height
        file.problems.update({batch.first_row + row: problem for row, problem in checked.problems.items()})
        file.named_keys.extend(checked.named_keys)

    return enter


def _settle(files: list[_File]) -> None:
    """Make the tables of a delivery consistent: one row per key, and each grade whole or deleted in all of them."""
    _spread_deletions(files)
    contested: list[pl.DataFrame] = []
    for table in EXPORT_TABLES:
        mine = [file for file in files if file.table is table]
        repeats = settle([rows for file in mine for rows in file.staged], table)
        for file in mine:
            here = range(file.first_row, file.first_row + file.count.rows)
            file.rows_repeated += sum(row in here for row in repeats.repeated)
            reason = f"another row with the same {', '.join(table.row_key or ())} and other values is newer"
            file.refuse([row for row in repeats.losers if row in here], reason)
        if table is TOTAL_SCORES and repeats.contested is not None:
            contested.append(repeats.contested)
    contested += _refused_beside_live(files)
    if contested:
        _refuse_rows_of_losers(files, pl.concat(contested))


def _spread_deletions(files: list[_File]) -> None:
    """A grade that is deleted by the files with a deletion flag is deleted in the files without one, too."""
    with_flag = [file for file in files if file.columns.has_deleted_flag and file.table in GRADE_TABLES]
    without = [file for file in files if not file.columns.has_deleted_flag and file.table in GRADE_TABLES]
    deleted = [read_rows(path) for file in with_flag for path in file.flagged_files]
    if not deleted or not without:
        return
    keys = pl.concat(deleted).select("grade_key").unique()
    for file in with_flag:
        for rows in file.staged:
            keys = keys.join(read_rows(rows.path).select("grade_key"), on="grade_key", how="anti")
    for file in without:
        for rows in file.staged:
            frame = rows.frame()
            gone = frame.join(keys, on="grade_key", how="semi")
            if gone.height:
                missing = [part for part in GRADE_PARTS if part not in gone.columns]
                gone = gone.with_columns(pl.lit(None, dtype=pl.String).alias(part) for part in missing)
                if "date_graded" not in gone.columns:
                    gone = gone.with_columns(pl.lit(None, dtype=pl.Datetime("us", "UTC")).alias("date_graded"))
                flagged = rows.path.with_name(f"{rows.path.stem}-deleted-elsewhere.parquet")
                write_rows(gone.select(*GRADE_PARTS, "grade_key", "date_graded"), flagged)
                file.flagged_files.append(flagged)
                file.rows_flagged += rows.remove(gone.get_column(ROW).to_list())


def _refused_beside_live(files: list[_File]) -> list[pl.DataFrame]:
    """Grades that have a refused total score beside a live one. See `Repeats`."""
    totals = [file for file in files if file.table is TOTAL_SCORES]
    named = pl.DataFrame({"grade_key": [key for file in totals for key in file.named_keys]}, {"grade_key": pl.String})
    if not named.height:
        return []
    columns = ["grade_key", "grader", "date_graded"]
    live = [
        read_rows(rows.path).join(named.unique(), on="grade_key", how="semi").select(columns)
        for file in totals
        for rows in file.staged
        if {"grader", "date_graded"} <= set(file.columns.stored)
    ]
    return [
        frame.select(
            "grade_key",
            pl.lit(None, dtype=pl.String).alias("grader"),
            pl.lit(None, dtype=frame.schema["date_graded"]).alias("date_graded"),
            pl.col("grader").alias("winner"),
            pl.col("date_graded").alias("winner_date"),
        )
        for frame in live
        if frame.height
    ]


def _refuse_rows_of_losers(files: list[_File], contested: pl.DataFrame) -> None:
    """Refuse the sections, answers and annotations of the grades that did not land."""
    for file in files:
        if file.table is TOTAL_SCORES or file.table not in GRADE_TABLES or "grader" not in file.columns.stored:
            continue
        for rows in file.staged:
            frame = rows.frame()
            touched = frame.join(contested, on="grade_key", how="semi")
            if touched.height and (losers := rows_of_losers(touched, contested)):
                rows.remove(losers)
                file.refuse(losers, "it belongs to another version of this grade, and a newer one landed")


def _collect(table: Table, files: list[_File]) -> StagedTable:
    """Merge the files of one table."""
    staged = StagedTable(table)
    for file in files:
        there = {folded(name) for name in (*staged.columns, DELETED_FLAG)}
        new = [name for name in file.columns.stored if folded(name) not in there]
        staged.columns.extend(new)
        staged.unknown |= {name: given for name, given in file.columns.unknown.items() if name in new}
        staged.files.extend(rows.path for rows in file.staged)
        staged.flagged_files.extend(file.flagged_files)
        staged.rows_read += file.count.read
        staged.rows_live += sum(len(rows.numbers) for rows in file.staged)
        staged.rows_flagged += file.rows_flagged
        staged.has_deleted_flag |= file.columns.has_deleted_flag
        staged.named_keys.extend(file.named_keys)
        staged.rows_repeated += file.rows_repeated
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
                found.append(Refusal(*where, problem.column_name, problem.reason, record.raw, problem.grade_key))
                if len(found) == wanted:
                    break
    return found


def _over_budget(file: _File, label: str, kept: str, path: Path, budget: float) -> RefusedFile:
    refusals = _refusals(file, at_most=SHOWN_REFUSALS)
    file.discard()
    reasons: dict[str, int] = {}
    for refusal in refusals:
        reasons[refusal.reason] = reasons.get(refusal.reason, 0) + 1
    most = max(reasons, key=lambda reason: reasons[reason])
    error = TooManyBadRows(
        f"{label} ({file.table.name}): {file.rows_refused} of {file.count.read} rows were refused, more than the "
        f"budget allows ({budget:.1%}, at least 5 rows), so the file was refused; most often: {most}. {kept} See "
        "`maestro-analytics quarantine list`; after a fix, `maestro-analytics replay`.",
        path=path,
        failures=refusals_frame(refusals),
    )
    return RefusedFile(file.member.name, file.table.name, error, refusals, file.rows_refused)
