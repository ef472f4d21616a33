"""Read a kept export file into a `Delivery` of checked rows. Memory is bounded by batches, however large the file.

Zip to landed table, 2 million answers on 2 cores: 1.07 to 1.14 times the seconds of DuckDB's `read_csv` with casts,
which checks nothing, and 1.3 times on another machine; peak 735 MiB, and 936 to 1,047 MiB at 16 million. See
tests/benchmarks/landing.py.
"""

from __future__ import annotations

import contextlib
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl

from maestro_analytics.errors import SchemaMismatch, TooManyBadRows, UnreadableFile
from maestro_analytics.tables.archive import BROKEN_STREAM, Member, members_of
from maestro_analytics.tables.columns import DELIVERY, Table
from maestro_analytics.tables.csv_rows import NeedsSlowReading, TextBatch, fast_batches, records_of, slow_batches
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
from maestro_analytics.tables.headers import HEADER_BOUND, closest, find_header, folded, match
from maestro_analytics.tables.schemas import DELETED_FLAG, EXPORT_TABLES, GRADE_TABLES, KINDS, TOTAL_SCORES
from maestro_analytics.tables.staging import (
    ROW,
    FileBeingRead,
    Staging,
    find_repeated,
    read_rows,
    rows_of_losers,
    settle,
    write_rows,
)
from maestro_analytics.tables.validation import Problem

MOST_PROBLEMS = 500_000
"""More bad rows than this fail a file, whatever its size, so that memory is bounded."""

SHOWN_REFUSALS = 1_000
"""How many of a refused file's bad rows are reported."""


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
    read = read_exports({0: path}, kind=kind, staging=staging, budget=budget)[0]
    if isinstance(read, UnreadableFile):
        shutil.rmtree(staging, ignore_errors=True)
        raise read
    return read


def read_exports(
    paths: Mapping[int, Path], *, kind: str, staging: Path, budget: float = BUDGET
) -> dict[int, Delivery | UnreadableFile]:
    """Read several exports of a kind at once: `read_export` of each, and where that would raise, the error.

    They share the staging folder and its files, whose column `DELIVERY` has the number of the export in `paths`. All
    stay open until the last is read, and the rows of small ones are in memory together: a hundred or so at most.
    """
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir(parents=True)
    read: dict[int, Delivery | UnreadableFile] = {}
    found: list[tuple[Delivery, FileBeingRead | RefusedFile]] = []
    rows: Counter[str] = Counter()
    with ExitStack() as opened, Staging(staging) as stage:
        for number, path in paths.items():
            try:
                members = opened.enter_context(members_of(path))
            except UnreadableFile as error:
                read[number] = error
                continue
            read[number] = delivery = Delivery(path, kind, staging, number)
            for member in members:
                if (file := _read_member(member, delivery, stage, rows)) is not None:
                    found.append((delivery, file))
        stage.finish()
        files: list[FileBeingRead] = []
        for delivery, file in found:
            if isinstance(file, RefusedFile):
                delivery.refused.append(file)
            elif file.rows_refused > min(allowed_refusals(file.count.read, budget), MOST_PROBLEMS):
                delivery.refused.append(_over_budget(file, budget))
            else:
                files.append(file)
        _settle(files)
        by_table: dict[tuple[int, str], list[FileBeingRead]] = {}
        for table in KINDS[kind]:
            for file in files:
                if file.table is table:
                    by_table.setdefault((file.delivery.number, table.name), []).append(file)
        for mine in by_table.values():
            mine[0].delivery.tables[mine[0].table.name] = _collect(mine[0].table, mine)
    used = {path for file in files for path in (*(rows.path for rows in file.staged), *file.flagged_files)}
    for path in staging.iterdir():
        if path not in used:  # Of a file that was refused, or that had to be read again.
            path.unlink()
    return {number: _account_for_files(each) if isinstance(each, Delivery) else each for number, each in read.items()}


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


def _account_for_files(delivery: Delivery) -> Delivery | UnreadableFile:
    """Find the tables that have no file, and refuse unrecognised files that may be theirs."""
    known = {*delivery.tables, *(file.table_name for file in delivery.refused)}
    delivery.missing = tuple(table.name for table in KINDS[delivery.kind] if table.name not in known)
    if delivery.missing:
        for file in delivery.unknown:
            named = [name for name in delivery.missing if name in folded(file.member)]
            delivery.refused.append(replace(file, table_name=named[0] if named else None))
        delivery.unknown = []
        named_tables = {file.table_name for file in delivery.refused}
        delivery.missing = tuple(name for name in delivery.missing if name not in named_tables)
    if not delivery.tables and delivery.refused and all(file.table_name is None for file in delivery.refused):
        return delivery.refused[0].error
    return delivery


def _label(member: Member, delivery: Delivery) -> str:
    return f"{member.name!r} in {delivery.path.name}" if member.name else delivery.path.name


def _read_member(
    member: Member, delivery: Delivery, stage: Staging, rows: Counter[str]
) -> FileBeingRead | RefusedFile | None:
    """Read one file of an export. One that matches no table is entered in the delivery, and nothing is returned.

    Args:
        rows: table name -> how many rows of it were read before.
    """
    label = _label(member, delivery)
    kept = f"Kept at {delivery.path}."
    tables = KINDS[delivery.kind]

    def unreadable(why: str, table_name: str | None = None) -> RefusedFile:
        return RefusedFile(member.name, table_name, UnreadableFile(f"{label} {why} {kept}", path=delivery.path))

    if member.fault is not None:
        delivery.unknown.append(unreadable(f"{member.fault}."))
        return None
    try:
        with member.open() as stream:
            header, table = find_header(stream.read(HEADER_BOUND), tables, file_name=member.name)
    except BROKEN_STREAM as error:
        delivery.unknown.append(unreadable(f"is damaged ({error})."))
        return None
    if header is None:
        delivery.unknown.append(unreadable("has no header, so it is not an export."))
        return None
    if table is None:
        like, lacking = closest(header.names, tables)
        delivery.unknown.append(
            unreadable(
                f"matches no known table ({len(header.names)} columns; closest: {like.name}, lacking "
                f"{', '.join(lacking) or 'nothing'})."
            )
        )
        return None
    columns = match(header, table)
    if lacking_identity := columns.lacking(table):
        mismatch = SchemaMismatch(
            f"{label} ({table.name}) lacks {', '.join(lacking_identity)}: its rows cannot be identified. {kept}",
            path=delivery.path,
        )
        return RefusedFile(member.name, table.name, mismatch)
    if any(not line.startswith("sep=") for line in header.skipped):
        delivery.warnings.append(f"{label} ({table.name}) has {len(header.skipped)} lines before its header, skipped")
    if columns.missing:
        delivery.warnings.append(f"{label} ({table.name}) lacks {', '.join(columns.missing)}: null in its rows")
    try:
        file = _read_rows(FileBeingRead(delivery, member, table, header, columns, rows[table.name]), stage)
    except _BrokenMember as broken:
        return unreadable(f"is damaged ({broken}).", table.name)
    rows[table.name] += file.count.rows
    return file


class _BrokenMember(Exception):
    """The bytes of a member cannot be unpacked to their end."""


def _read_rows(file: FileBeingRead, stage: Staging) -> FileBeingRead:
    """All rows of a member, checked and staged; read fast if that can be trusted, else one by one."""
    for batches in (fast_batches, slow_batches):
        try:
            _stage(file, batches(file.member, file.header, file.columns.stored, file.count), stage)
        except NeedsSlowReading:
            file = file.again()
            continue
        return file
    raise AssertionError("slow_batches never raises NeedsSlowReading")


def _stage(file: FileBeingRead, batches: Iterator[TextBatch], stage: Staging) -> None:
    while True:
        try:
            batch = next(batches, None)
        except BROKEN_STREAM as error:
            raise _BrokenMember(str(error)) from error
        if batch is None or file.rows_refused > MOST_PROBLEMS:
            return
        stage.add(file, batch)


def _settle(files: list[FileBeingRead]) -> None:
    """Make the tables of each delivery consistent: one row per key, each grade whole or deleted in all of them."""
    by_delivery: dict[int, list[FileBeingRead]] = {}
    for file in files:
        by_delivery.setdefault(file.delivery.number, []).append(file)
    for mine in by_delivery.values():
        _spread_deletions(mine)
    contested: list[pl.DataFrame] = []
    for table in EXPORT_TABLES:
        of_table = [file for file in files if file.table is table]
        repeats = settle([rows for file in of_table for rows in file.staged], table)
        repeated, losers = (np.sort(np.array(rows, dtype=np.int64)) for rows in (repeats.repeated, repeats.losers))
        for file in of_table:
            here = (file.first_row, file.first_row + file.count.rows)
            first, last = np.searchsorted(repeated, here)
            file.rows_repeated += int(last - first)
            reason = f"another row with the same {', '.join(table.row_key or ())} and other values is newer"
            file.refuse(losers[slice(*np.searchsorted(losers, here))].tolist(), reason)
        if table is TOTAL_SCORES and repeats.contested is not None:
            contested.append(repeats.contested)
    contested += [frame for mine in by_delivery.values() for frame in _refused_beside_live(mine)]
    if contested:
        for (number,), of_delivery in pl.concat(contested).group_by(DELIVERY):
            _refuse_rows_of_losers(by_delivery[int(str(number))], of_delivery.drop(DELIVERY))


def _spread_deletions(files: list[FileBeingRead]) -> None:
    """A grade that is deleted by the files with a deletion flag is deleted in the files without one, too."""
    with_flag = [file for file in files if file.columns.has_deleted_flag and file.table in GRADE_TABLES]
    without = [file for file in files if not file.columns.has_deleted_flag and file.table in GRADE_TABLES]
    flagged_files = dict.fromkeys(path for file in with_flag for path in file.flagged_files)
    if not flagged_files or not without:
        return
    number = files[0].delivery.number
    deleted = [read_rows(path).filter(pl.col(DELIVERY) == number) for path in flagged_files]
    keys = pl.concat(deleted).select("grade_key").unique()
    for file in with_flag:
        for rows in file.staged:
            keys = keys.join(rows.frame().select("grade_key"), on="grade_key", how="anti")
    for file in without:
        for rows in file.staged:
            frame = rows.frame()
            gone = frame.join(keys, on="grade_key", how="semi")
            if gone.height:
                missing = [part for part in GRADE_PARTS if part not in gone.columns]
                gone = gone.with_columns(pl.lit(None, dtype=pl.String).alias(part) for part in missing)
                if "date_graded" not in gone.columns:
                    gone = gone.with_columns(pl.lit(None, dtype=pl.Datetime("us", "UTC")).alias("date_graded"))
                flagged = rows.path.with_name(f"{rows.path.stem}-{rows.numbers[0]}-deleted-elsewhere.parquet")
                write_rows(gone.select(*GRADE_PARTS, "grade_key", "date_graded", DELIVERY), flagged)
                file.flagged_files.append(flagged)
                file.rows_flagged += rows.remove(gone.get_column(ROW).to_list())


def _refused_beside_live(files: list[FileBeingRead]) -> list[pl.DataFrame]:
    """Grades that have a refused total score beside a live one. See `Repeats`."""
    totals = [file for file in files if file.table is TOTAL_SCORES]
    named = pl.DataFrame({"grade_key": [key for file in totals for key in file.named_keys]}, {"grade_key": pl.String})
    if not named.height:
        return []
    columns = ["grade_key", DELIVERY, "grader", "date_graded"]
    live = [
        rows.frame().join(named.unique(), on="grade_key", how="semi").select(columns)
        for file in totals
        for rows in file.staged
        if {"grader", "date_graded"} <= set(file.columns.stored)
    ]
    return [
        frame.select(
            "grade_key",
            DELIVERY,
            pl.lit(None, dtype=pl.String).alias("grader"),
            pl.lit(None, dtype=frame.schema["date_graded"]).alias("date_graded"),
            pl.col("grader").alias("winner"),
            pl.col("date_graded").alias("winner_date"),
        )
        for frame in live
        if frame.height
    ]


def _refuse_rows_of_losers(files: list[FileBeingRead], contested: pl.DataFrame) -> None:
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


def _collect(table: Table, files: list[FileBeingRead]) -> StagedTable:
    """Merge the files of one table."""
    staged = StagedTable(table)
    for file in files:
        there = {folded(name) for name in (*staged.columns, DELETED_FLAG)}
        new = [name for name in file.columns.stored if folded(name) not in there]
        staged.columns.extend(new)
        staged.unknown |= {name: given for name, given in file.columns.unknown.items() if name in new}
        staged.rows_read += file.count.read
        staged.rows_live += sum(len(rows.numbers) for rows in file.staged)
        staged.rows_flagged += file.rows_flagged
        staged.has_deleted_flag |= file.columns.has_deleted_flag
        staged.named_keys.extend(file.named_keys)
        staged.rows_repeated += file.rows_repeated
    staged.files = list(dict.fromkeys(rows.path for file in files for rows in file.staged))
    staged.flagged_files = list(dict.fromkeys(path for file in files for path in file.flagged_files))
    staged.has_several = find_repeated([hashes for file in files for hashes in file.groups]).size > 0
    for file in files:
        staged.refusals.extend(_refusals(file))
    return staged


def _refusals(file: FileBeingRead, *, at_most: int | None = None) -> list[Refusal]:
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


def _over_budget(file: FileBeingRead, budget: float) -> RefusedFile:
    path = file.delivery.path
    refusals = _refusals(file, at_most=SHOWN_REFUSALS)
    reasons: dict[str, int] = {}
    for refusal in refusals:
        reasons[refusal.reason] = reasons.get(refusal.reason, 0) + 1
    most = max(reasons, key=lambda reason: reasons[reason])
    label = _label(file.member, file.delivery)
    error = TooManyBadRows(
        f"{label} ({file.table.name}): {file.rows_refused} of {file.count.read} rows were refused, more than the "
        f"budget allows ({budget:.1%}, at least 5 rows), so the file was refused; most often: {most}. Kept at "
        f"{path}. See `maestro-analytics quarantine list`; after a fix, `maestro-analytics replay`.",
        path=path,
        failures=refusals_frame(refusals),
    )
    return RefusedFile(file.member.name, file.table.name, error, refusals, file.rows_refused)
