"""Write the Parquet files of a Delta table, each with the statistics that Delta Lake's log keeps of it.

deltalake's own writer divides a stream of rows into partitions, takes statistics of every text, and writes the columns
that hold nothing, which takes twice the processor time.
"""

from __future__ import annotations

import json
import math
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake.transaction import AddAction

from maestro_analytics.lake.place import Place

EPOCH = datetime(1970, 1, 1)
RISING_TEXTS = {"gradable_id"}
"""Texts that rise with time, as numbers of tickets do. Others lie between the same two in every file, so that a reader
could skip none by them; comparing them all is a quarter of the work of writing."""


def write_file(
    table: Place, rows: pa.RecordBatchReader, partition: Mapping[str, str], absent: Iterable[str] = ()
) -> AddAction:
    """Write rows as a file of a Delta table, to which it belongs once the action that is returned is committed.

    Args:
        rows: the columns of the file; each batch becomes a row group.
        partition: the columns by which the table is partitioned, which files do not have, with their values.
        absent: the columns of the table that the file does not have because they hold nothing.
    """
    filesystem, root = table.filesystem()
    folder = "".join(f"{name}={value}/" for name, value in partition.items())
    path = f"{folder}part-{uuid4()}.zstd.parquet"
    if not table.in_bucket:
        filesystem.create_dir(f"{root}/{folder}")
    count = 0
    nulls: Counter[str] = Counter()
    collected: list[pq.FileMetaData] = []
    with filesystem.open_output_stream(f"{root}/{path}") as sink:
        writer = pq.ParquetWriter(
            sink,
            rows.schema,
            compression="zstd",
            compression_level=3,
            write_statistics=[
                each.name for each in rows.schema if each.type != pa.string() or each.name in RISING_TEXTS
            ],
            store_schema=False,  # it would tell readers of Arrow the time zone of this session
            metadata_collector=collected,
        )
        try:
            with ThreadPoolExecutor(1) as pool:
                writing: Future[None] | None = None
                for batch in rows:
                    count += batch.num_rows
                    nulls.update({name: batch[name].null_count for name in batch.schema.names})
                    if writing:
                        writing.result()
                    # while the next one is read
                    writing = pool.submit(writer.write_batch, batch)
                if writing:
                    writing.result()
            writer.close()
        except BaseException:
            # pyarrow raises another error here, as the file has no footer, which would hide that the disk is full
            with suppress(Exception):
                writer.close()
            raise
        size = sink.tell()
    values = _least_and_greatest(collected[0])
    stats = {
        "numRecords": count,
        "minValues": {name: min(found) for name, found in values.items()},
        "maxValues": {name: max(found) for name, found in values.items()},
        "nullCount": dict(nulls) | dict.fromkeys(absent, count),
    }
    return AddAction(path, size, partition, time.time_ns() // 1_000_000, True, json.dumps(stats, allow_nan=False))


def _least_and_greatest(file: pq.FileMetaData) -> dict[str, list[Any]]:
    """Of each column, the least and the greatest value of each row group, where the footer and JSON have them all."""
    found = {}
    for number in range(file.num_columns):
        column = file.schema.column(number)
        parts = [file.row_group(group).column(number) for group in range(file.num_row_groups)]
        if column.max_repetition_level == 0 and all(part.is_stats_set for part in parts):
            is_moment = column.logical_type.type == "TIMESTAMP"
            # a row group of nulls has neither
            statistics = [part.statistics for part in parts if part.statistics.num_values]
            values = [_for_json(value, is_moment) for each in statistics for value in (each.min_raw, each.max_raw)]
            if values and None not in values:
                found[column.name] = values
    return found


def _for_json(value: Any, is_moment: bool) -> Any:
    """A value of a Parquet footer as Delta Lake's statistics have it; None for one that they cannot have."""
    match value:
        case bytes():
            return value.decode()
        case float() if math.isfinite(value):
            return value
        case int() if is_moment:
            try:
                return (EPOCH + timedelta(microseconds=value)).isoformat(timespec="microseconds") + "Z"
            except OverflowError:
                return None  # after the year 9999, which is as far as readers' calendars go
        case int() if not isinstance(value, bool):
            return value
    return None
