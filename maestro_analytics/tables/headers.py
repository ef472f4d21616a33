"""Which table a file holds and where its rows begin. The columns decide; the file's name only breaks ties.

A spreadsheet or a report tool may have saved the file again: other delimiters, a `sep=` line, a title or a comment
before the header are accepted. The header is the first record that is the header of one of the expected tables.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from maestro_analytics.tables.columns import DELIVERY, Role, Table
from maestro_analytics.tables.schemas import (
    COACHING_TABLES,
    DELETED_FLAG,
    DELETED_FLAG_SPELLINGS,
    EXPORT_TABLES,
    RAW_TABLES,
)

HEADER_BOUND = 1 << 20
"""Bytes in which the header of a file must end, with the lines before it."""

LINES_BEFORE_THE_HEADER = 20
"""How many records before the header are looked at."""

REMEMBERED_NAMES = 4096
"""Column names of which the spellings are remembered: a replay reads the same headers thousands of times."""

DELIMITERS = (",", ";", "\t", "|")

csv.field_size_limit((1 << 31) - 1)


@dataclass(frozen=True)
class Header:
    """The header of a file.

    Attributes:
        names: the columns as the file spells them.
        length: bytes up to the end of the header, with a BOM and the lines before it.
        lines: lines up to the end of the header, with the lines before it.
        delimiter: what separates the fields.
        skipped: the lines before the header that are not blank.
    """

    names: tuple[str, ...]
    length: int
    lines: int
    delimiter: str = ","
    skipped: tuple[str, ...] = ()


@dataclass(frozen=True)
class Columns:
    """How the columns of a file map to those of a table.

    Attributes:
        stored: one name for each column of the file, in the file's order: the table's, or a new one for a column
            that the table does not know.
        unknown: stored name -> the name in the file, for the columns that the table does not know.
        missing: columns of the table that the file lacks.
    """

    stored: tuple[str, ...]
    unknown: dict[str, str]
    missing: tuple[str, ...]

    @property
    def has_deleted_flag(self) -> bool:
        """Whether the file says of each row if its grade was deleted."""
        return DELETED_FLAG in self.stored

    def lacking(self, table: Table) -> tuple[str, ...]:
        """What the file lacks of the table's identity; a file that lacks any of it is refused."""
        lacking = tuple(name for name in table.identity_columns if name in self.missing)
        if table.one_of and all(name in self.missing for name in table.one_of):
            lacking += (" or ".join(table.one_of),)
        return lacking


def find_header(head: bytes, tables: Sequence[Table], *, file_name: str = "") -> tuple[Header | None, Table | None]:
    """The header in `head` (the first `HEADER_BOUND` bytes of a file), and which of `tables` it is the header of.

    Returns:
        (header, table); (the first record that is not blank, None) when no record is a known header; (None, None) when
        all of it is blank.
    """
    first: Header | None = None
    for delimiter in DELIMITERS:
        for header in _first_records(head, delimiter):
            first = first or header
            if (table := recognise(header.names, tables, file_name=file_name)) is not None:
                return header, table
    return first, None


def _first_records(head: bytes, delimiter: str) -> Iterator[Header]:
    """The first records that are not blank, each as if it were the header."""
    taken: list[bytes] = []
    length = 0
    skipped: tuple[str, ...] = ()

    def lines() -> Iterator[str]:
        nonlocal length
        for line in head.splitlines(keepends=True):
            taken.append(line)
            length += len(line)
            yield line.decode("utf-8-sig" if len(taken) == 1 else "utf-8", errors="replace")

    try:
        for record in csv.reader(lines(), delimiter=delimiter):
            if not any(name.strip() for name in record):
                continue
            yield Header(tuple(record), length, len(taken), delimiter, skipped)
            skipped += (delimiter.join(record),)
            if len(skipped) > LINES_BEFORE_THE_HEADER:
                return
    except csv.Error:
        return


@lru_cache(REMEMBERED_NAMES)
def normal(name: str) -> str:
    """A column's name as we spell it: ` Agent ID`, `agentId` -> `agent_id`."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name.strip())
    plain = re.sub(r"[\s_-]+", "_", spaced).casefold()
    return DELETED_FLAG if plain.replace("_", "") in DELETED_FLAG_SPELLINGS else plain


@lru_cache(REMEMBERED_NAMES)
def folded(name: str) -> str:
    """A name as DuckDB compares names: A to Z are equal to a to z, other letters keep their case."""
    return name.encode(errors="surrogatepass").lower().decode(errors="surrogatepass")


def recognise(names: Sequence[str], tables: Sequence[Table], *, file_name: str) -> Table | None:
    """The one of `tables` whose file has the columns `names`; None when no table matches.

    A table matches when a column that only its file has is there, and at least half of its columns. The table with the
    largest share of matching columns wins, so a column of one table that the vendor adds to another changes nothing.
    """
    found = {normal(name) for name in names}
    ranked = []
    for table in tables:
        share = len(found & set(table.file_columns)) / len(table.file_columns)
        if found & characteristic_columns(table) and share >= 0.5:
            ranked.append((share, table.name in file_name.casefold(), table))
    return max(ranked, key=lambda entry: entry[:2])[2] if ranked else None


def characteristic_columns(table: Table) -> set[str]:
    """The columns that only this table's file has."""
    others = {name for other in (*EXPORT_TABLES, *COACHING_TABLES) if other is not table for name in other.file_columns}
    return set(table.file_columns) - others


def closest(names: Sequence[str], tables: Sequence[Table]) -> tuple[Table, list[str]]:
    """The table that an unknown header is most like, and which of its columns the header lacks."""
    found = {normal(name) for name in names}
    table = max(tables, key=lambda each: len(found & set(each.file_columns)) / len(each.file_columns))
    return table, sorted(set(table.file_columns) - found)


def match(header: Header, table: Table) -> Columns:
    """Map the columns of a file to those of `table`. Any header can be mapped, also one that repeats names.

    A name that the table knows is taken once, by the column whose spelling is closest. Any other column keeps its own
    name; a number is appended where DuckDB, which ignores the case of names, would confuse it with another column.
    """
    known = set(table.file_columns) | ({DELETED_FLAG} if table in RAW_TABLES else set())
    owner: dict[str, int] = {}
    for wanted in (lambda name: name, normal):
        for position, name in enumerate(header.names):
            if wanted(name) in known and wanted(name) not in owner and position not in owner.values():
                owner[wanted(name)] = position
    by_position = {position: name for name, position in owner.items()}
    taken = {folded(name) for name in (*known, *reserved_names(table))}
    unknown: dict[str, str] = {}
    stored = []
    for position, name in enumerate(header.names):
        if position not in by_position:
            by_position[position] = free_name(name, taken, empty=f"column_{position + 1}")
            unknown[by_position[position]] = name
        stored.append(by_position[position])
    missing = tuple(name for name in table.file_columns if name not in owner)
    return Columns(tuple(stored), unknown, missing)


def reserved_names(table: Table) -> set[str]:
    """Names that a new column of `table` must not take; `rowid` is what DuckDB calls the place of a row."""
    return {*table.columns, *table.reserved, DELIVERY, "rowid"}


def free_name(name: str, taken: set[str], *, empty: str) -> str:
    """A column name that is not in `taken` yet, which holds folded names and gets this one: `name`, `name_2`, ...

    Args:
        empty: the name for one without a printable character.
    """
    base = "".join(char for char in name.strip() if char.isprintable()) or empty
    free, number = base, 2
    while folded(free) in taken:
        free, number = f"{base}_{number}", number + 1
    taken.add(folded(free))
    return free


def roles(columns: Columns, table: Table) -> dict[str, Role]:
    """Stored name -> role, for every column of the file; what the table does not know is a label."""
    known = table.file_columns | {DELETED_FLAG: Role.FLAG}
    return {name: Role.LABEL if name in columns.unknown else known.get(name, Role.LABEL) for name in columns.stored}
