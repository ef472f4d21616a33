"""The records of a CSV file one by one, with the line and the raw text of each.

This is the slow reader, some 400,000 records a second. It runs where the fast one (`csv_batches.py`) cannot tell what
we need to know: the line and the raw text of a refused row, and rows that broke the file's structure.

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
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

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
