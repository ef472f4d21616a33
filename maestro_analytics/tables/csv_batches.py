"""The rows of a file as batches of text columns, fast if the file is well formed, record by record if not.

The fast reader is pyarrow's, on the unpacked stream of the member, so that unpacking and parsing overlap and no
temporary file is written. Blocks are small on purpose: 500,000 answers take 0.33 s in blocks of 1 MiB, 0.68 s in 8 and
1.1 s in 32, where every block is memory fresh from the kernel.

When the fast reader raises (bytes that are not UTF-8, a record longer than a block), or when a record with the wrong
number of fields spans lines (a stray quote may have swallowed rows), the member is read again from its start by
`csv_records.py`.

pyarrow drops the LF of a CR LF inside a quoted field when a block ends between the two (apache/arrow#51368), so no
block that it is given ends with CR.
"""

from __future__ import annotations

import io
from collections import deque
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO, cast

import pyarrow as pa
import pyarrow.csv as arrow_csv

from maestro_analytics.tables.archive import Member
from maestro_analytics.tables.casting import arrow_texts
from maestro_analytics.tables.csv_records import Record, read_records
from maestro_analytics.tables.headers import Header

BLOCK_BYTES = 1 << 20
ROWS_IN_A_BATCH = 1 << 16
ROWS_IN_A_SLOW_BATCH = 1 << 14


class NeedsSlowReading(Exception):
    """The fast reader cannot read this member, or may have read it wrongly."""


@dataclass
class TextBatch:
    """Some rows as text.

    Attributes:
        first_row: how many rows of the member stand before these.
        text: one string column for each of the header's, named as stored; no nulls.
    """

    first_row: int
    text: pa.Table


@dataclass
class RowCount:
    """Counted while batches are read.

    Attributes:
        rows: records with as many fields as the header.
        ragged: other records.
    """

    rows: int = 0
    ragged: int = 0

    @property
    def read(self) -> int:
        """All records."""
        return self.rows + self.ragged


def fast_batches(member: Member, header: Header, names: tuple[str, ...], count: RowCount) -> Iterator[TextBatch]:
    """Batches of `ROWS_IN_A_BATCH` rows or a little more.

    Raises:
        NeedsSlowReading: see the top of this module.
    """

    def ragged(row: Any) -> str:
        count.ragged += 1
        # An exception cannot pass through the parser, so this is looked at after the batch.
        if "\n" in row.text or "\r" in row.text:
            doubts.append(row.text)
        return "skip"

    doubts: list[str] = []
    waiting: list[Any] = []
    last_value = ""
    with member.open() as stream:
        skip(stream, header.length)
        try:
            for block in open_csv(tail := _Tail(stream), names, ragged, header.delimiter):
                if doubts:
                    break
                if not block.num_rows:
                    continue
                waiting.append(block)
                last_value = block.column(len(names) - 1)[-1].as_py()
                if sum(each.num_rows for each in waiting) >= ROWS_IN_A_BATCH:
                    yield _batch(waiting, count)
        except pa.ArrowInvalid as error:
            raise NeedsSlowReading(str(error)) from error
    # A quote that opens in the very last column and is never closed makes one valid row of the rest of the file.
    if doubts or "\n" in last_value or "\r" in last_value or tail.ends_like_an_open_quote(last_value):
        raise NeedsSlowReading("a record that may have swallowed others")
    if waiting:
        yield _batch(waiting, count)


def _batch(waiting: list[Any], count: RowCount) -> TextBatch:
    batch = TextBatch(count.rows, pa.Table.from_batches(waiting))
    count.rows += batch.text.num_rows
    waiting.clear()
    return batch


def slow_batches(member: Member, header: Header, names: tuple[str, ...], count: RowCount) -> Iterator[TextBatch]:
    """Batches of `ROWS_IN_A_SLOW_BATCH` rows at most. Never raises NeedsSlowReading."""
    rows: list[Record] = []
    for record in records_of(member, header):
        if record.fault is not None:
            count.ragged += 1
            continue
        rows.append(record)
        if len(rows) == ROWS_IN_A_SLOW_BATCH:
            yield _slow_batch(rows, names, count)
            rows = []
    if rows:
        yield _slow_batch(rows, names, count)


def _slow_batch(rows: list[Record], names: tuple[str, ...], count: RowCount) -> TextBatch:
    columns = zip(*(record.fields for record in rows), strict=True)
    text = pa.table({name: arrow_texts(column) for name, column in zip(names, columns, strict=True)})
    batch = TextBatch(count.rows, text)
    count.rows += len(rows)
    return batch


def records_of(member: Member, header: Header) -> Generator[Record, None, None]:
    """The records of a member after its header."""
    with member.open() as stream:
        yield from read_records(stream, width=len(header.names), skip_lines=header.lines, delimiter=header.delimiter)


def open_csv(stream: _Tail, names: tuple[str, ...], on_ragged: Any, delimiter: str) -> Iterator[Any]:
    """pyarrow's record batches of `stream`, which stands after the header; all columns are text without nulls."""
    if not stream.has_rows():
        return iter(())  # pyarrow refuses an empty stream.
    return cast(
        "Iterator[Any]",
        arrow_csv.open_csv(
            stream,
            read_options=arrow_csv.ReadOptions(column_names=names, block_size=BLOCK_BYTES),
            parse_options=arrow_csv.ParseOptions(
                delimiter=delimiter, newlines_in_values=True, invalid_row_handler=on_ragged
            ),
            convert_options=arrow_csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False
            ),
        ),
    )


def skip(stream: BinaryIO, length: int) -> None:
    """Read `length` bytes away."""
    while length > 0 and (skipped := stream.read(length)):
        length -= len(skipped)


class _Tail(io.RawIOBase):
    """The rest of a stream. It remembers its last bytes, and no chunk but the last ends with CR."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._first = b""
        self._last = deque((b"", b""), maxlen=2)

    def readable(self) -> bool:
        return True

    def has_rows(self) -> bool:
        """Whether there is more than blank lines; called before anything is read."""
        self._first = self._stream.read(1)
        while self._first in (b"\r", b"\n"):
            self._first = self._stream.read(1)
        return bool(self._first)

    def read(self, size: int = -1) -> bytes:
        first, self._first = self._first, b""
        chunk = first + self._stream.read(size - len(first) if size > 0 else size)
        while chunk.endswith(b"\r") and (following := self._stream.read(1)):
            if size > 1 and len(chunk) >= size:
                chunk, self._first = chunk[:-1], b"\r" + following
                break
            chunk += following
        if chunk:
            self._last.append(chunk)
        return chunk

    def ends_like_an_open_quote(self, value: str) -> bool:
        """Whether the file may have ended inside the quoted field `value`: a line end would be part of that field."""
        return b"".join(self._last).endswith(b'"' + value.replace('"', '""').encode())
