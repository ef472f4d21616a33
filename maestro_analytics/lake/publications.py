"""What has been published of an account: the small Delta table `publications` beside the others.

Delta Lake commits one table at a time. So that a reader sees all tables of one publication, a write notes last, in one
commit, which version of each table belongs to it, and what each month held, which tells the next write what changed.
(Notes in the commits of the tables themselves could not say that the last table was done, and a log forgets commits.)
One row per share, table and month.

Each commit to a table also carries the number of its publication as Delta's own transaction of the share. From it a
reader knows whether the newest version still is the published one, and the writer whether a write before it stopped
half way; and two writers of one share at once cannot both commit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

import polars as pl
from deltalake import DeltaTable, Field
from deltalake.schema import ArrayType, DataType, PrimitiveType

from maestro_analytics.errors import NotALake
from maestro_analytics.lake.place import Place
from maestro_analytics.lake.source import COLUMN_TYPES

PUBLICATIONS = "publications"
SHARE = "share"

SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "table_name": pl.String,
    "month": pl.String,
    "rows": pl.Int64,
    "fingerprint": pl.String,
    "version": pl.Int64,
    "written_by": pl.Int64,
    "publication": pl.Int64,
    "origin": pl.String,
    "written_at": pl.Datetime("us", "UTC"),
    "refreshed_at": pl.String,
}


@dataclass(frozen=True)
class PublishedTable:
    """One table in a publication.

    Attributes:
        version: of the Delta table, when it was written last.
        written_by: number of the publication that wrote it last.
        months: their rows and fingerprints.
    """

    version: int
    written_by: int
    months: dict[str | None, tuple[int, str]]

    @property
    def rows(self) -> int:
        return sum(rows for rows, _ in self.months.values())


@dataclass(frozen=True)
class Publication:
    """What a data folder published last: all of an account, or its share.

    Attributes:
        share: name of the share; empty when one data folder holds all of the account.
        number: later ones have larger numbers: microseconds since 1970 when the write began.
        origin: which data folder the tables come from, so that another's is not overwritten.
        refreshed_at: when the newest refresh of the data folder began.
    """

    share: str
    number: int
    origin: str
    written_at: datetime
    refreshed_at: str
    tables: dict[str, PublishedTable] = field(default_factory=dict)

    def frame(self) -> pl.DataFrame:
        """The rows of the table `publications`, which is partitioned by share where there are shares."""
        written = (self.number, self.origin, self.written_at, self.refreshed_at)
        rows = [
            (name, month, count, fingerprint, table.version, table.written_by, *written)
            for name, table in self.tables.items()
            # a table without rows has one row here, too
            for month, (count, fingerprint) in (table.months or {None: (0, "")}).items()
        ]
        return pl.DataFrame(rows, SCHEMA, orient="row")


def transaction_of(share: str) -> str:
    """The name under which Delta Lake notes the numbers of a share's publications."""
    return f"maestro-analytics/{share}" if share else "maestro-analytics"


def columns_of(table: DeltaTable) -> dict[str, str]:
    """The columns of a Delta table, without those of partitions, with their DuckDB types."""
    partitions = table.metadata().partition_columns
    fields = table.schema().fields
    return {field.name: COLUMN_TYPES[field.type.type] for field in fields if field.name not in partitions}


def fields_of(columns: Mapping[str, str]) -> list[Field]:
    """Columns and their DuckDB types as Delta Lake declares them."""
    types: dict[str, DataType] = {kind: PrimitiveType(name) for name, kind in COLUMN_TYPES.items() if name != "array"}
    types[COLUMN_TYPES["array"]] = ArrayType(PrimitiveType("string"), contains_null=True)
    return [Field(name, types[kind]) for name, kind in columns.items()]


def published_in(table: DeltaTable) -> list[Publication]:
    """The publications that a version of the table `publications` holds, the one refreshed longest ago first."""
    found: dict[str, Publication] = {}
    for row in pl.DataFrame(table.to_pyarrow_table()).sort("table_name", "month").iter_rows(named=True):
        share = row.get(SHARE) or ""
        written = (row["publication"], row["origin"], row["written_at"], row["refreshed_at"])
        tables = found.setdefault(share, Publication(share, *written)).tables
        recorded = tables.setdefault(row["table_name"], PublishedTable(row["version"], row["written_by"], {}))
        if row["rows"]:
            recorded.months[row["month"]] = (row["rows"], row["fingerprint"])
    return sorted(found.values(), key=lambda one: (one.refreshed_at, one.written_at, one.share))


def account_folder(root: Place, account: str | None) -> Place:
    """The folder of one account: `root` itself, or the one below it that is meant.

    Raises:
        NotALake: there is none, or several and `account` does not say which, or one of the format before Delta Lake.
    """
    with root.reached():
        if account is None and _holds(root):
            return root
        folders = root.folders()
        accounts = [name for name in folders if _holds(root.within(name))]
        found = [name for name in accounts if account in (None, name)]
        if not found:
            _refuse_the_old_format(root, *map(root.within, folders if account is None else [account]))
    if account is not None and not found:
        raise NotALake(place=str(root), reason=f"it holds no account {account!r}, only {accounts}")
    if not found:
        raise NotALake(place=str(root), reason=f"no Delta table {PUBLICATIONS!r} lies there or in a folder of it")
    if len(found) > 1:
        raise NotALake(place=str(root), reason=f"it holds several accounts, {accounts}; say account=... which")
    return root.within(found[0])


def _holds(folder: Place) -> bool:
    return folder.within(PUBLICATIONS).table() is not None


def _refuse_the_old_format(*folders: Place) -> None:
    for folder in folders:
        shares = folder.within("shares")
        if any(each.has_file("manifest.json") for each in (folder, *map(shares.within, shares.folders()))):
            place, _, account = str(folder).rpartition("/")
            raise NotALake(
                place=str(folder),
                reason="it is in the format before Delta Lake, which this version does not read",
                remedy=f"`maestro-analytics lake write --to {place} --account {account}` writes it anew from the "
                "database; the old manifest.json, tables and shares can then be removed.",
            )
