"""Find the lines of a kept file that belong to a grade."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from maestro_analytics.tables.archive import BROKEN_STREAM, members_of
from maestro_analytics.tables.casting import NULL_WORDS
from maestro_analytics.tables.csv_batches import records_of
from maestro_analytics.tables.grade_key import GRADE_PARTS, REQUIRED_PARTS, grade_key
from maestro_analytics.tables.headers import HEADER_BOUND, Columns, find_header, match
from maestro_analytics.tables.schemas import GRADE_TABLES, RAW_TABLES


@dataclass(frozen=True)
class Place:
    """A row of a kept file: line and raw text as in `Refusal`."""

    table_name: str
    member: str
    line: int
    raw: str
    grade_key: str


def places_of_grades(path: Path, keys: Collection[str], *, hints: Collection[str]) -> Iterator[Place]:
    """The rows of the raw export at `path` that belong to the grades `keys`, in file order.

    Args:
        hints: texts of which each row sought has at least one (the ticket's id); rows without are passed over quickly.
    """
    with members_of(path) as members:
        for member in members:
            if member.fault is not None:
                continue
            try:
                with member.open() as stream:
                    header, table = find_header(stream.read(HEADER_BOUND), RAW_TABLES, file_name=member.name)
                if header is None or table not in GRADE_TABLES:
                    continue
                columns = match(header, table)
                for record in records_of(member, header):
                    if record.fault is None and any(hint in record.raw for hint in hints):
                        key = _key(record.fields, columns)
                        if key in keys:
                            yield Place(table.name, member.name, record.line, record.raw, str(key))
            except BROKEN_STREAM:
                continue  # Damaged members are never landed.


def _key(fields: Sequence[str], columns: Columns) -> str | None:
    row = dict(zip(columns.stored, fields, strict=True))
    parts = {part: None if (text := row.get(part, "")) in NULL_WORDS else text for part in GRADE_PARTS}
    return None if any(parts[part] is None for part in REQUIRED_PARTS) else grade_key(**parts)
