"""The rows of a CSV file: as batches of text columns where it is well formed, record by record where it is not.

The fast reader is pyarrow's, on the unpacked stream of the member, so that unpacking and parsing overlap and no
temporary file is written. Blocks are small on purpose: 500,000 answers take 0.33 s in blocks of 1 MiB, 0.68 s in 8 and
1.1 s in 32, where every block is memory fresh from the kernel. pyarrow drops the LF of a CR LF inside a quoted field
when a block ends between the two (apache/arrow#51368), so no block that it is given ends with CR.

The slow reader takes records one by one, some 400,000 a second. It runs where the line and the raw text of a record
are needed, and from the start of a member where the fast one raises (bytes that are not UTF-8, a record longer than a
block) or meets a record with the wrong number of fields that spans lines (a stray quote may have swallowed rows).

What a stray quote does. A field that opens with a quote runs to the next one, over line ends, so a quote that is never
closed would swallow the rest of the file, and one that closes in a later row the rows between. Neither is taken
quietly: the first line of such a record is refused, and reading goes on at the next line. A record counts as such
when it does not end within `RECORD_BOUND` or before the file does, or when it has the wrong number of fields, spans
lines, and most of what follows its first line is rows of the right number of fields. (Refusing the whole file instead
would let one stray quote in a comment withhold ten thousand grades.)
"""

from __future__ import annotations

import csv
import io
from collections import deque
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO, cast

import pyarrow as pa
import pyarrow.csv as arrow_csv

from maestro_analytics.tables.archive import Member
from maestro_analytics.tables.casting import arrow_texts
from maestro_analytics.tables.headers import Header

BLOCK_BYTES = 1 << 20
ROWS_IN_A_BATCH = 1 << 16
ROWS_IN_A_SLOW_BATCH = 1 << 14
RECORD_BOUND = 32 << 20
"""Characters that one record may have; a comment can hold a pasted picture."""

NEVER_CLOSED = "a quote is opened and never closed"


@dataclass(frozen=True, slots=True)
class Record:
    """One record.

    Attributes:
        line: the line it starts on; the file's first line is 1.
        raw: its text as it stands in the file, without the line end.
        fields: its values; of another number than the header's when `fault` is set.
        fault: why it cannot be a row, or None.
    """

    line: int
    raw: str
    fields: list[str]
    fault: str | None = None


class _TooLong(Exception):
    """A record went on beyond its bound."""


class _Lines:
    """The lines of a file, counted, with a way to put some back."""

    def __init__(self, text: io.TextIOWrapper) -> None:
        self._text = text
        self._returned: deque[str] = deque()
        self.next_line = 1
        self.taken: list[str] = []
        self._size = 0

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        if self._size > RECORD_BOUND:
            raise _TooLong
        line = self._returned.popleft() if self._returned else self._text.readline()
        if not line:
            raise StopIteration
        self.taken.append(line)
        self._size += len(line)
        return line

    def start_record(self) -> None:
        self.next_line += len(self.taken)
        self.taken = []
        self._size = 0

    def put_back_all_but_first(self) -> None:
        self._returned.extendleft(reversed(self.taken[1:]))
        del self.taken[1:]


def read_records(stream: BinaryIO, *, width: int, skip_lines: int, delimiter: str = ",") -> Iterator[Record]:
    """The records of `stream` after its first `skip_lines` lines; blank lines are skipped.

    Bytes that are not UTF-8 make a record faulty, not the file: they stand in `raw` as `\\xff`.
    """
    text = io.TextIOWrapper(stream, encoding="utf-8-sig", errors="surrogateescape", newline="")
    try:
        yield from _records(_Lines(text), width, skip_lines, delimiter)
    finally:
        text.detach()  # The stream is its opener's to close.


def _records(lines: _Lines, width: int, skip_lines: int, delimiter: str) -> Iterator[Record]:
    csv.field_size_limit((1 << 31) - 1)
    for _ in range(skip_lines):
        next(lines, None)
    lines.start_record()
    reader = csv.reader(lines, delimiter=delimiter)
    while True:
        fault: str | None = None
        try:
            fields = next(reader)
        except StopIteration:
            break
        except (_TooLong, csv.Error):
            fields, fault = [], NEVER_CLOSED
        if fault is None and len(lines.taken) > 1:
            # The reader takes an open quote at the end of the file for a closed one; only the text can tell.
            if ends_inside_quotes("".join(lines.taken), delimiter):
                fault = NEVER_CLOSED
            elif len(fields) != width and _holds_rows(lines.taken[1:], width, delimiter):
                fault = "a quote swallowed the rows below"
        elif fault is None and '"' in lines.taken[0] and ends_inside_quotes(lines.taken[0], delimiter):
            fault = NEVER_CLOSED
        if fault is not None:
            lines.put_back_all_but_first()
            reader = csv.reader(lines, delimiter=delimiter)
        elif fields and len(fields) != width:
            fault = f"{len(fields)} fields where the header has {width}"
        if fields or fault:
            yield _record(lines, fields, fault)
        lines.start_record()


def ends_inside_quotes(raw: str, delimiter: str = ",") -> bool:
    """Whether a quoted field is still open at the end of `raw`, which starts outside one."""
    position, end = 0, len(raw)
    while position < end:
        if raw[position] == '"':
            closing = raw.find('"', position + 1)
            while closing != -1 and raw[closing + 1 : closing + 2] == '"':
                closing = raw.find('"', closing + 2)
            if closing == -1:
                return True
            position = closing + 1
        # What follows, quotes too, is plain text up to the next delimiter or line end.
        while position < end and raw[position] not in (delimiter, "\r", "\n"):
            position += 1
        position += 1
    return False


def _holds_rows(lines: list[str], width: int, delimiter: str) -> bool:
    widths = [len(fields) for fields in csv.reader(lines, delimiter=delimiter) if fields]
    return 2 * widths.count(width) > len(widths)


def _record(lines: _Lines, fields: list[str], fault: str | None) -> Record:
    raw = "".join(lines.taken)
    raw = raw.removesuffix("\n").removesuffix("\r")
    if not raw.isascii() and any("\udc80" <= char <= "\udcff" for char in raw):
        raw = raw.encode("utf-8", errors="surrogateescape").decode("utf-8", errors="backslashreplace")
        fault = fault or "bytes that are not UTF-8"
    return Record(lines.next_line, raw, fields, fault)


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
