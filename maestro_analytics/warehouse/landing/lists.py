"""Coaching lists: the kept file, the slices of a long list, and staging in batches."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

import duckdb

from maestro_analytics.exports import Window, without
from maestro_analytics.files import write_atomically
from maestro_analytics.tables.columns import Table
from maestro_analytics.tables.delivery import StagedTable
from maestro_analytics.tables.json_records import read_records
from maestro_analytics.warehouse.connection import scalar
from maestro_analytics.warehouse.results import frame

BATCH = 2_000
"""Records in memory at a time."""

Records = Iterable[dict[str, Any]]


def kept_name(table_name: str) -> str:
    """The name of the kept file of a coaching list."""
    return f"coaching-{table_name}.ndjson.gz"


class KeptList:
    """A kept list: JSON lines, compressed. The gzip header has the time at which the list was read from the API."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __iter__(self) -> Iterator[dict[str, Any]]:
        with gzip.open(self.path, "rb") as file:
            for line in file:
                yield json.loads(line)

    @property
    def taken_at(self) -> datetime:
        """When the list was read from the API."""
        with gzip.open(self.path, "rb") as file:
            file.read(1)
            return datetime.fromtimestamp(file.mtime or 0, UTC)


class SlicedList:
    """A kept list in which some slices are replaced by newly read records.

    Attributes:
        new_records: how many newly read records there are, each id counted once.
    """

    def __init__(self, kept: KeptList, records: Records, slices: Sequence[Window]) -> None:
        self._kept = kept
        self._records = records
        self._slices = slices
        self._ids = {str(record.get("id")) for record in records}
        self.new_records = len(self._ids)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        if self._kept.path.exists():
            for record in self._kept:
                if str(record.get("id")) not in self._ids and not self._is_replaced(record):
                    yield record
        yield from self._records

    def _is_replaced(self, record: dict[str, Any]) -> bool:
        created = _created_at(record)
        return created is not None and any(window.start <= created < window.end for window in self._slices)


def _created_at(record: dict[str, Any]) -> datetime | None:
    """When a record was created; None if `createdAt` is missing or invalid."""
    try:
        moment = datetime.fromisoformat(record["createdAt"])
    except (KeyError, TypeError, ValueError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def keep_list(path: Path, records: Records, taken_at: datetime) -> None:
    """Write a list as compressed JSON lines, atomically; the gzip header says when it was read."""
    with (
        write_atomically(path) as raw,
        gzip.GzipFile("", "wb", compresslevel=6, fileobj=raw, mtime=taken_at.timestamp()) as file,
    ):
        for record in records:
            file.write(json.dumps(record, ensure_ascii=False).encode(errors="surrogatepass") + b"\n")


def stage_list(records: Records, table: Table, folder: Path) -> StagedTable:
    """Check records batch by batch and write the rows to Parquet files in `folder`; `rows_live` counts each id once."""
    staged = StagedTable(table)
    ids: set[str] = set()
    remaining = iter(records)
    while batch := list(islice(remaining, BATCH)):
        rows, refusals = read_records(batch, table, first_line=staged.rows_read + 1)
        staged.rows_read += len(batch)
        staged.refusals += refusals
        staged.unknown |= {name: name for name in rows.columns if name not in table.columns}
        ids.update(rows.get_column("id"))
        staged.largest_file = max(staged.largest_file, int(rows.estimated_size()))
        path = folder / f"{len(staged.files):06}.parquet"
        rows.write_parquet(path)
        staged.files.append(path)
    staged.rows_live = len(ids)
    staged.rows_repeated = staged.rows_read - len(staged.refusals) - staged.rows_live
    return staged


def rows_in_slices(connection: duckdb.DuckDBPyConnection, table_name: str, slices: Sequence[Window]) -> int:
    """How many rows of a list's table were created within `slices`."""
    query = f"select count(*) from main.{table_name} where created_at >= ? and created_at < ?"
    return sum(int(scalar(connection, query, [window.start, window.end])) for window in slices)


def slices_of(connection: duckdb.DuckDBPyConnection, table_name: str) -> list[tuple[Window, datetime]]:
    """The slices of a list, in order, and when each was last read."""
    rows = frame(
        connection,
        "select slice_start, slice_end, read_at from state.list_slices where table_name = ? order by slice_start",
        [table_name],
    )
    return [(Window(start, end), read_at) for start, end, read_at in rows.iter_rows()]


def record_slices(
    connection: duckdb.DuckDBPyConnection, table_name: str, slices: Sequence[Window], read_at: datetime
) -> None:
    """Record that slices were read. Without slices the list was read whole, and none are recorded."""
    known = slices_of(connection, table_name) if slices else []
    left = [(part, at) for window, at in known for part in without([window], slices)]
    connection.execute("delete from state.list_slices where table_name = ?", [table_name])
    for window, at in (*left, *((window, read_at) for window in slices)):
        connection.execute(
            "insert into state.list_slices values (?, ?, ?, ?)", [table_name, window.start, window.end, at]
        )
