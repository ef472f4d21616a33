"""Check the batches of files and write their rows to Parquet files, in two threads while the next are parsed.

Checking 100 rows takes as long as checking 10,000, so small files of one table, of one export or several, are checked
together: a raw export of an hour (five files of a few dozen to a few hundred rows) took 89 ms of processor time to read
by itself, and takes less than a tenth of that beside a hundred others.
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
from maestro_analytics.tables.dedupe import StagedRows, key_hashes, write_rows
from maestro_analytics.tables.delivery import Delivery
from maestro_analytics.tables.headers import Columns, Header, roles
from maestro_analytics.tables.validation import Problem, check

WORKERS = 2
BATCHES_IN_FLIGHT = 3
ROWS_OF_A_SMALL_BATCH = 1 << 12
"""Smaller batches wait until they are `MOST_ROWS` together, or all files are parsed."""
MOST_ROWS = 1 << 16


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
    numbers, hashes = live_rows + shifts[part_of(live_rows)], key_hashes(live, file.table)
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
                part.file.staged.append(StagedRows(path, part.file.delivery.number, numbers[mine], own_hashes))
            first, last = np.searchsorted(flagged_rows, (start, end))
            if first < last:
                part.file.flagged_files.append(flagged_path)
                part.file.rows_flagged += int(last - first)
        for row, problem in checked.problems.items():
            part = parts[int(part_of(np.array(row)))]
            part.file.problems[row + int(shifts[int(part_of(np.array(row)))]) - part.file.first_row] = problem

    return enter
