"""Which table a file holds, told by its header; the file's name is a hint for ties only."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from maestro_analytics.tables.columns import Role, Table
from maestro_analytics.tables.schemas import DELETED_FLAG, RAW_TABLES, TABLES, TABLES_BY_NAME

HEADER_BOUND = 1 << 16
"""Bytes in which the header of a file must stand, blank lines before it included."""

_COLUMNS_OF_VIEWS = ("person_id", "score_percent", "csat_score")
"""Columns that the view `grades` adds to those of total_scores."""

_FILE_TABLES = tuple(table for table in TABLES if table.schema.name not in ("agents", "agent_ids", "grade_history"))


@dataclass(frozen=True)
class Header:
    """The first record of a file.

    Attributes:
        names: the columns as the file spells them.
        length: how many bytes the header takes, with a BOM and the blank lines before it.
        lines: how many lines the header takes, with the blank lines before it.
    """

    names: tuple[str, ...]
    length: int
    lines: int


@dataclass(frozen=True)
class Columns:
    """How the columns of a file map to those of a table.

    Attributes:
        stored: one name for each column of the file, in the file's order: the table's, or a new one for a column
            that the table does not know.
        unknown: stored name -> the name in the file, for the columns that the table does not know.
        missing: columns of the table that the file lacks.
        has_deleted_flag: whether the file says of each row if it was deleted.
    """

    stored: tuple[str, ...]
    unknown: dict[str, str]
    missing: tuple[str, ...]
    has_deleted_flag: bool

    def lacking(self, table: Table) -> tuple[str, ...]:
        """What the file lacks of the table's identity; a file that lacks any of it is refused."""
        lacking = tuple(name for name in table.identity_columns if name in self.missing)
        if table.one_of and all(name in self.missing for name in table.one_of):
            lacking += (" or ".join(table.one_of),)
        return lacking


def read_header(head: bytes) -> Header | None:
    """The header at the start of `head` (the first `HEADER_BOUND` bytes of a file); None when all of it is blank."""
    taken: list[bytes] = []

    def lines() -> Iterator[str]:
        for line in head.splitlines(keepends=True):
            taken.append(line)
            yield line.decode("utf-8-sig" if len(taken) == 1 else "utf-8", errors="replace")

    for record in csv.reader(lines()):
        if any(name.strip() for name in record):
            return Header(tuple(record), sum(map(len, taken)), len(taken))
    return None


def normal(name: str) -> str:
    """A column's name as we spell it: ` Agent ID` -> `agent_id`."""
    return re.sub(r"[\s-]+", "_", name.strip().casefold())


def folded(name: str) -> str:
    """What two names have in common that are one column to DuckDB: it takes A to Z for a to z, and no more."""
    return name.encode().lower().decode()


def recognise(names: Sequence[str], tables: Sequence[Table], *, file_name: str) -> Table | None:
    """The one of `tables` whose file has a header `names`; None when it is none of them.

    A table needs a column that no other table's file has, and at least half of its columns, to be recognised. The one
    of which most is there wins, so that a column of one table that the vendor adds to another misleads nobody.
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
    others = {name for other in _FILE_TABLES if other is not table for name in other.file_columns}
    return set(table.file_columns) - others


def closest(names: Sequence[str], tables: Sequence[Table]) -> tuple[Table, list[str]]:
    """The table that an unknown header is most like, and which of its columns the header lacks."""
    found = {normal(name) for name in names}
    table = max(tables, key=lambda each: len(found & set(each.file_columns)) / len(each.file_columns))
    return table, sorted(set(table.file_columns) - found)


def match(header: Header, table: Table) -> Columns:
    """Map the columns of a file to those of `table`. Any header gets through, however it repeats itself.

    A name that the table knows is taken once, by the column that spells it best. Any other column is kept under its
    own name, or with a number behind it where DuckDB, which does not tell upper from lower case, would mix it up with
    another column of the table.
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
            by_position[position] = _free_name(name, position, taken)
            unknown[by_position[position]] = name
        stored.append(by_position[position])
    missing = tuple(name for name in table.file_columns if name not in owner)
    return Columns(tuple(stored), unknown, missing, DELETED_FLAG in owner)


def reserved_names(table: Table) -> set[str]:
    """Names that a new column of `table` must not take: those of columns made here, in the table and beside it."""
    names = set(table.columns)
    if table.name == "total_scores":
        names |= set(TABLES_BY_NAME["grade_history"].columns) | set(_COLUMNS_OF_VIEWS)
    return names


def _free_name(name: str, position: int, taken: set[str]) -> str:
    base = "".join(char for char in name.strip() if char.isprintable()) or f"column_{position + 1}"
    free, number = base, 2
    while folded(free) in taken:
        free, number = f"{base}_{number}", number + 1
    taken.add(folded(free))
    return free


def roles(columns: Columns, table: Table) -> dict[str, Role]:
    """Stored name -> role, for every column of the file; what the table does not know is a label."""
    known = table.file_columns | {DELETED_FLAG: Role.FLAG}
    return {name: Role.LABEL if name in columns.unknown else known.get(name, Role.LABEL) for name in columns.stored}
