"""Staged rows: batches of files, checked and written to Parquet in two threads while the next are parsed.

Checking 100 rows takes as long as checking 10,000, so small files of one table, of one export or several, are checked
together: a raw export of an hour (five files of a few dozen to a few hundred rows) took 89 ms of processor time to read
by itself, and takes less than a tenth of that beside a hundred others.

Of rows of one export that share a row key, one lands. A file can hold a row several times: csat repeats a ticket's
survey for each grade of the ticket, a zip can hold its folder twice. Rows equal in every column to the one that lands
are repeats. Of rows that differ, one lands (see `Table.filled_first` and `Table.newest_by`) and the others are refused.
Keys are compared as 64-bit hashes first, 8 bytes a row, because few repeat; only rows whose hash repeats are compared
in full.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import numpy as np
import polars as pl
import pyarrow as pa

from maestro_analytics.tables.archive import Member
from maestro_analytics.tables.columns import DELIVERY, Table
from maestro_analytics.tables.csv_rows import RowCount, TextBatch
from maestro_analytics.tables.delivery import Delivery
from maestro_analytics.tables.headers import Columns, Header, roles
from maestro_analytics.tables.validation import Problem, check

WORKERS = 2
BATCHES_IN_FLIGHT = 3
ROWS_OF_A_SMALL_BATCH = 1 << 12
"""Smaller batches wait until they are `MOST_ROWS` together, or all files are parsed."""
MOST_ROWS = 1 << 16
ROW = "row number"
_CONTENT = "content"
_SPREAD = np.uint64(0x9E3779B97F4A7C15)
"""Makes other hashes of the same keys in another export."""


@dataclass
class StagedRows:
    """The rows of one export in a staged Parquet file.

    Attributes:
        path: the file; those of small files have rows of several exports.
        delivery: the export, as `DELIVERY` has it.
        numbers: for each of its rows, the number of the row among all rows of the table that were read together. A
            range where none is missing: 8 bytes a row would be 128 MB for 16 million.
        hashes: for each of its rows, the hash of its key; None where rows of the table may repeat.
    """

    path: Path
    delivery: int
    numbers: range | np.ndarray
    hashes: np.ndarray | None

    def frame(self) -> pl.DataFrame:
        """Its rows, with their numbers in a column beside those of the table."""
        mine = read_rows(self.path).filter(pl.col(DELIVERY) == self.delivery)
        return mine.with_columns(pl.Series(ROW, self.numbers, dtype=pl.Int64))

    def remove(self, numbers: Sequence[int]) -> int:
        """Take rows out of the file; returns how many it held."""
        mine = np.asarray(self.numbers)
        kept = ~np.isin(mine, np.asarray(numbers, dtype=np.int64))
        removed = int(kept.size - kept.sum())
        if removed:
            rows = read_rows(self.path)
            of_delivery = rows.get_column(DELIVERY).to_numpy() == self.delivery
            stays = ~of_delivery
            stays[of_delivery] = kept
            write_rows(rows.filter(pl.Series(stays)), self.path)
            self.numbers = mine[kept]
            self.hashes = None if self.hashes is None else self.hashes[kept]
        return removed


def hashes_of(rows: pl.DataFrame, key: Sequence[str]) -> np.ndarray | None:
    """One unsigned 64-bit hash of export and key for each row; None without a key to compare rows by.

    A column of the key that the file lacks is left out.
    """
    if not key:
        return None
    exports = rows.get_column(DELIVERY).to_numpy().astype(np.uint64)
    hashes: np.ndarray = rows.select(name for name in key if name in rows.columns).hash_rows(
        seed=20180813
    ).to_numpy() ^ (exports * _SPREAD)
    return hashes


@dataclass(frozen=True)
class Repeats:
    """What was taken out of the staged files.

    Attributes:
        repeated: row numbers of rows that are equal to one that stays.
        losers: row numbers of rows that share their key with one that stays and differ from it.
        contested: for each loser of a grade table, its `grade_key` with its grader and date_graded (`grader`,
            `date_graded`) and those of the row that stays (`winner`, `winner_date`), and its export (`DELIVERY`).
    """

    repeated: list[int]
    losers: list[int]
    contested: pl.DataFrame | None = None


def find_repeated(hashes: Sequence[np.ndarray]) -> np.ndarray:
    """The hashes that occur more than once."""
    if not hashes:
        return np.empty(0, dtype=np.uint64)
    everything = np.concatenate(hashes)
    everything.sort()  # In place: of 16 million rows a copy has 128 MB.
    return np.unique(everything[1:][everything[1:] == everything[:-1]])


def settle(files: list[StagedRows], table: Table) -> Repeats:
    """Leave one row for each row key of an export, or one of each set of equal rows where the table has no row key."""
    suspects = find_repeated([file.hashes for file in files if file.hashes is not None])
    if suspects.size == 0:
        return Repeats([], [])
    touched = [
        (file, mine) for file in files if file.hashes is not None and (mine := np.isin(file.hashes, suspects)).any()
    ]
    candidates = pl.concat([file.frame().filter(pl.Series(mine)) for file, mine in touched], how="diagonal")
    repeats = _compare(candidates, table)
    for file, _ in touched:
        file.remove([*repeats.repeated, *repeats.losers])
    return repeats


def _compare(candidates: pl.DataFrame, table: Table) -> Repeats:
    content = [name for name in candidates.columns if name != ROW]
    distinct = candidates.with_columns(pl.struct(content).rank("dense").alias(_CONTENT))
    if table.row_key is None:
        first = distinct.sort(ROW).unique(_CONTENT, keep="first")
        return Repeats(distinct.join(first, on=ROW, how="anti").get_column(ROW).to_list(), [])
    order = [pl.col(name).is_not_null() for name in table.filled_first]
    order += [pl.col(table.newest_by)] if table.newest_by in content else []
    ordered = distinct.sort(*order, ROW, nulls_last=False)
    kept = [_CONTENT, ROW, *(name for name in ("grader", "date_graded") if name in content)]
    key = [DELIVERY, *(name for name in table.row_key if name in content)]
    winners = ordered.group_by(key).agg(pl.col(name).last().alias(f"winning {name}") for name in kept)
    compared = ordered.join(winners, on=key, nulls_equal=True)
    others = compared.filter(pl.col(ROW) != pl.col(f"winning {ROW}"))
    is_repeat = pl.col(_CONTENT) == pl.col(f"winning {_CONTENT}")
    lost = others.filter(~is_repeat)
    return Repeats(
        others.filter(is_repeat).get_column(ROW).to_list(),
        lost.get_column(ROW).to_list(),
        _contested(lost) if table.row_key == ("grade_key",) and lost.height else None,
    )


def _contested(lost: pl.DataFrame) -> pl.DataFrame:
    """See `Repeats.contested`; a column that the files lack is null."""

    def of(name: str, dtype: pl.DataType) -> pl.Expr:
        return pl.col(name) if name in lost.columns else pl.lit(None, dtype=dtype)

    text, moment = pl.String(), pl.Datetime("us", "UTC")
    return lost.select(
        pl.col("grade_key", DELIVERY),
        of("grader", text).alias("grader"),
        of("date_graded", moment).alias("date_graded"),
        of("winning grader", text).alias("winner"),
        of("winning date_graded", moment).alias("winner_date"),
    ).unique()


def rows_of_losers(rows: pl.DataFrame, contested: pl.DataFrame) -> list[int]:
    """Row numbers of `rows` (of a file of sections, answers or annotations) that belong to a grade that lost.

    A row belongs to the grade that landed when it has that grade's grader, and, where the losing grade has the same
    grader, not the losing grade's date.
    """
    for name, dtype in (("grader", pl.String()), ("date_graded", pl.Datetime("us", "UTC"))):
        if name not in rows.columns:
            rows = rows.with_columns(pl.lit(None, dtype=dtype).alias(name))
    mine = rows.select(ROW, "grade_key", "grader", "date_graded")
    joined = mine.join(contested.rename({"grader": "loser", "date_graded": "loser_date"}), on="grade_key")
    of_another = pl.col("grader").ne_missing(pl.col("winner"))
    of_earlier = (
        pl.col("grader").eq_missing(pl.col("loser"))
        & pl.col("date_graded").eq_missing(pl.col("loser_date"))
        & pl.col("date_graded").ne_missing(pl.col("winner_date"))
    )
    return joined.filter(of_another | of_earlier).get_column(ROW).unique().to_list()


def write_rows(rows: pl.DataFrame, file: Path) -> None:
    """Stage `rows`.

    Parquet with lz4 is 20 MB for 500,000 answers that are 234 MB as Arrow IPC, and DuckDB reads it in 0.35 s, not 0.60.
    """
    rows.write_parquet(file, compression="lz4", statistics=False)


def read_rows(file: Path) -> pl.DataFrame:
    """The rows of a staged file. The path is read literally, never as a pattern or as partitions."""
    return pl.read_parquet(file, glob=False, hive_partitioning=False)


@dataclass
class FileBeingRead:
    """A file that is being read, and what is known of it so far."""

    delivery: Delivery
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
    groups: list[np.ndarray] = field(default_factory=list)
    """Hashes of the columns `Table.several_by` of its rows."""

    @property
    def rows_refused(self) -> int:
        return self.count.ragged + len(self.problems)

    @property
    def named_keys(self) -> list[str]:
        """Grade keys of refused rows, where they could be read."""
        return list(dict.fromkeys(found.grade_key for found in self.problems.values() if found.grade_key is not None))

    def again(self) -> FileBeingRead:
        """The same file, of which nothing has been read."""
        return FileBeingRead(self.delivery, self.member, self.table, self.header, self.columns, self.first_row)

    def refuse(self, rows: list[int], reason: str) -> None:
        """Enter rows, by their number among those of the table, as refused."""
        for row in rows:
            self.problems[row - self.first_row] = Problem(None, reason)


class Staging:
    """Checks and writes batches to the folder `folder`. A context manager; call `finish` before the end."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._pool = ThreadPoolExecutor(WORKERS)
        self._in_flight: deque[Future[Callable[[], None]]] = deque()
        self._small: dict[tuple[str, tuple[str, ...]], list[_Part]] = {}
        self._rows_waiting: Counter[tuple[str, tuple[str, ...]]] = Counter()
        self._started = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._pool.shutdown()

    def add(self, file: FileBeingRead, batch: TextBatch) -> None:
        """Check a batch and write its rows, now or with others. A small batch must be the last of its file."""
        part = _Part(file, batch)
        if batch.text.num_rows >= ROWS_OF_A_SMALL_BATCH:
            self._start([part])
            return
        key = (file.table.name, file.columns.stored)
        waiting = self._small.setdefault(key, [])
        # A staged file tells exports apart, but not two files of one export, such as a zip that holds a folder twice.
        if waiting and (waiting[-1].file.delivery is file.delivery or self._rows_waiting[key] > MOST_ROWS):
            self._start(waiting)
            waiting = self._small[key] = []
            self._rows_waiting[key] = 0
        waiting.append(part)
        self._rows_waiting[key] += part.rows

    def finish(self) -> None:
        """Wait until all batches are written and entered in their files."""
        for waiting in self._small.values():
            self._start(waiting)
        self._small.clear()
        self._enter(0)

    def _start(self, parts: Sequence[_Part]) -> None:
        path = self._folder / f"{parts[0].file.table.name}-{self._started}.parquet"
        self._started += 1
        self._in_flight.append(self._pool.submit(_stage, parts, path))
        self._enter(BATCHES_IN_FLIGHT - 1)

    def _enter(self, most_in_flight: int) -> None:
        while len(self._in_flight) > most_in_flight:
            self._in_flight.popleft().result()()


@dataclass(frozen=True)
class _Part:
    """A batch of one file."""

    file: FileBeingRead
    batch: TextBatch

    @property
    def rows(self) -> int:
        return int(self.batch.text.num_rows)


def _as_range(numbers: np.ndarray) -> range | np.ndarray:
    """Ascending numbers, as a range if none is missing."""
    first, last = int(numbers[0]), int(numbers[-1])
    return range(first, last + 1) if last - first == len(numbers) - 1 else numbers


def _stage(parts: Sequence[_Part], path: Path) -> Callable[[], None]:
    """Check and write batches of files with the same columns; returns a function that enters the rows in their files.

    Only the thread that reads the files may call it.
    """
    file = parts[0].file
    text = pa.concat_tables([part.batch.text for part in parts])
    checked = check(text, file.table, roles(file.columns, file.table))
    ends = np.cumsum([part.rows for part in parts])
    starts = ends - [part.rows for part in parts]
    deliveries = np.array([part.file.delivery.number for part in parts], dtype=np.int32)
    # What to add to the number of a row among those checked, for its number among all of the table.
    shifts = [part.file.first_row + part.batch.first_row for part in parts] - starts

    def part_of(rows: np.ndarray) -> np.ndarray:
        return np.searchsorted(ends, rows, side="right")

    live_rows, flagged_rows = checked.live_rows.to_numpy(), checked.flagged_rows.to_numpy()
    live = checked.live.with_columns(pl.Series(DELIVERY, deliveries[part_of(live_rows)], dtype=pl.Int32))
    numbers = live_rows + shifts[part_of(live_rows)]
    hashes = hashes_of(live, file.table.row_key or file.table.repeats_by)
    groups = hashes_of(live, file.table.several_by)
    if live.height:
        write_rows(live, path)
    flagged_path = path.with_name(f"{path.stem}-deleted.parquet")
    if checked.flagged is not None:
        flagged = pl.Series(DELIVERY, deliveries[part_of(flagged_rows)], dtype=pl.Int32)
        write_rows(checked.flagged.with_columns(flagged), flagged_path)

    def enter() -> None:
        for part, start, end in zip(parts, starts, ends, strict=True):
            first, last = np.searchsorted(live_rows, (start, end))
            if first < last:
                mine = slice(first, last)
                own_hashes = None if hashes is None else hashes[mine]
                part.file.staged.append(
                    StagedRows(path, part.file.delivery.number, _as_range(numbers[mine]), own_hashes)
                )
                if groups is not None:
                    part.file.groups.append(groups[mine])
            first, last = np.searchsorted(flagged_rows, (start, end))
            if first < last:
                part.file.flagged_files.append(flagged_path)
                part.file.rows_flagged += int(last - first)
        for row, problem in checked.problems.items():
            part = parts[int(part_of(np.array(row)))]
            part.file.problems[row + int(shifts[int(part_of(np.array(row)))]) - part.file.first_row] = problem

    return enter
