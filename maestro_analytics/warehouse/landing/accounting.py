"""Row counts of a landing: every row that was read must be landed, quarantined, deleted, repeated or set aside.

The counts are checked inside the transaction and come from independent places: rows read from the parser, rows landed
and quarantined from what DuckDB reports as inserted, the rest from the staged files.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from maestro_analytics.errors import UnreadableFile
from maestro_analytics.exports import ExportRecord
from maestro_analytics.tables.delivery import RefusedFile


class RowsUnaccounted(AssertionError):
    """Rows were read that appear in no count: a bug. The landing is rolled back."""


@dataclass(frozen=True)
class RowCounts:
    """What became of the rows of one table's files.

    Attributes:
        read: rows that the files held.
        landed: rows now in the table.
        quarantined: rows refused, in state.quarantine.
        deleted: rows of grades that the vendor deleted, and rows that it marks as deleted.
        repeated: rows identical to one that landed.
        superseded: rows of grades, tickets or activities of which the table has a newer version.
        doubted: rows of a snapshot that is not believed until the next run sees the same.
    """

    table_name: str
    read: int = 0
    landed: int = 0
    quarantined: int = 0
    deleted: int = 0
    repeated: int = 0
    superseded: int = 0
    doubted: int = 0

    def check(self) -> None:
        """Raises RowsUnaccounted if the counts do not add up to the rows read."""
        set_aside = self.quarantined + self.deleted + self.repeated + self.superseded + self.doubted
        if self.read != self.landed + set_aside:
            raise RowsUnaccounted(f"the row counts do not add up, so nothing of this export landed: {self}")


def counted(
    before: Sequence[RowCounts],
    sources: Sequence[Source],
    fates: Iterable[tuple[int, int, int, int]],
    inserted: int,
) -> list[RowCounts]:
    """The counts of each export with what became of its staged rows.

    Args:
        fates: `Source.number`, and how many of its rows landed, were deleted and were superseded.
        inserted: what DuckDB says that it inserted.

    Raises:
        RowsUnaccounted: it inserted more or fewer than should have landed.
    """
    by_number = {number: fate for number, *fate in fates}
    if inserted != sum(landed for landed, _, _ in by_number.values()):
        raise RowsUnaccounted(f"{inserted} rows of {before[0].table_name} were inserted, and {by_number} should be")
    found = [by_number.get(source.number, (0, 0, 0)) for source in sources]
    return [
        replace(
            counts,
            landed=counts.landed + landed,
            deleted=counts.deleted + deleted,
            superseded=counts.superseded + superseded,
        )
        for counts, (landed, deleted, superseded) in zip(before, found, strict=True)
    ]


@dataclass
class Landed:
    """What a landing did.

    Attributes:
        export: the export that was landed; None for a list.
        row_counts: table name -> what became of its rows.
        refused: files of which nothing landed; while there are any, the window does not count as covered.
        unknown: files that match no known table.
        warnings: messages for a person.
        is_covered: whether everything of the export's window has landed.
    """

    export: ExportRecord | None
    row_counts: dict[str, RowCounts] = field(default_factory=dict)
    refused: list[RefusedFile] = field(default_factory=list)
    unknown: list[RefusedFile] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    is_covered: bool = True

    @property
    def rows(self) -> dict[str, int]:
        """Table name -> rows landed."""
        return {name: counts.landed for name, counts in self.row_counts.items()}

    @property
    def unreadable(self) -> UnreadableFile | None:
        """Why the whole export could not be read; None if it could be."""
        return next((file.error for file in self.refused if not file.member and file.table_name is None), None)

    @property
    def quarantined(self) -> int:
        """Rows quarantined from files that landed; the bad rows of a refused file are not counted."""
        return sum(counts.quarantined for counts in self.row_counts.values())


@dataclass(frozen=True)
class Source:
    """The export that a landing's rows come from, as the state tables name it.

    Attributes:
        number: what the column `DELIVERY` of its staged rows has, where several exports land together.
        at: when the vendor had the export complete. A landing dates everything by it and never by the clock, so that a
            replay gives the same rows.
    """

    kind: str
    seq: int | None
    export_id: str | None
    file: str | None
    at: datetime | None
    number: int = 0
