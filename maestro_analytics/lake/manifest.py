"""The manifest of a lake's folder: which files are its tables, and what each month held when it was written.

Readers use only files that the manifest names, so that moving it is the one moment at which a write becomes visible.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from maestro_analytics.errors import NewerLake, NotALake
from maestro_analytics.lake.storage import Storage

FORMAT = "maestro-analytics lake"
FORMAT_VERSION = 1
KEY = "manifest.json"

NO_MONTH = "unknown"
"""The month of rows without a `date_graded`. Hive's own word for null, `__HIVE_DEFAULT_PARTITION__`, stops pandas 3."""


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class File(_Value):
    """One Parquet file, immutable once written: a changed month gets files of new names."""

    key: str
    rows: int
    bytes: int
    sha256: str


class Part(_Value):
    """One month of a table, or all of a table that is not partitioned (`month` is None).

    Attributes:
        month: `2026-01`, or `NO_MONTH`.
        fingerprint: of the rows' content, whatever their order; see fingerprints.py.
        width: the files hold the first `width` columns of the table; those that the table grew later are null here.
    """

    month: str | None
    rows: int
    fingerprint: str
    width: int
    files: tuple[File, ...]


class TableFiles(_Value):
    """One table: its columns with their DuckDB types, in order, and its parts."""

    columns: dict[str, str]
    parts: tuple[Part, ...]

    @property
    def rows(self) -> int:
        return sum(part.rows for part in self.parts)


class Manifest(_Value):
    """What one write published.

    Attributes:
        account: the folder of the lake.
        share: the writer's own share of the account; empty when one data folder holds all of it.
        generation: 1 for the first write, one more for each later one.
        origin: which data folder the tables come from, so that another's is not overwritten.
        written_at: ISO 8601, UTC.
        refresh: the newest row of `state.refreshes` in the database that was published.
    """

    format: Literal["maestro-analytics lake"] = "maestro-analytics lake"
    format_version: int = FORMAT_VERSION
    account: str
    share: str
    generation: int
    origin: str
    written_at: str
    refresh: dict[str, str | None]
    tables: dict[str, TableFiles]

    @property
    def age(self) -> tuple[str, str, str]:
        """Sorts shares: the one refreshed longest ago first."""
        return (self.refresh.get("started_at") or "", self.written_at, self.share)

    @property
    def keys(self) -> set[str]:
        """The key of every file."""
        return {file.key for table in self.tables.values() for part in table.parts for file in part.files}


class _Opening(BaseModel):
    """The two entries that every version of a manifest has."""

    format: str
    format_version: int


def read_manifest(storage: Storage) -> Manifest | None:
    """The manifest of a folder, or None when it has none.

    Raises:
        NewerLake: written by a version of this package that is newer than this one.
        NotALake: a `manifest.json` of something else.
    """
    content = storage.read(KEY)
    if content is None:
        return None
    try:
        opening = _Opening.model_validate_json(content)
    except ValidationError:
        raise NotALake(place=storage.place, reason="its manifest.json is not that of a lake") from None
    if opening.format != FORMAT:
        raise NotALake(place=storage.place, reason="its manifest.json is not that of a lake")
    if opening.format_version > FORMAT_VERSION:
        raise NewerLake(place=storage.place, version=opening.format_version, known=FORMAT_VERSION)
    try:
        return Manifest.model_validate_json(content)
    except ValidationError as error:
        damage = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(step) for step in damage["loc"])
        raise NotALake(place=storage.place, reason=f"its manifest.json is damaged at {where}") from None
