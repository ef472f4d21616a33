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

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

import polars as pl
from deltalake import DeltaTable

from maestro_analytics.errors import NotALake
from maestro_analytics.lake.months import Month
from maestro_analytics.lake.place import Place

PUBLICATIONS = "publications"
SHARE = "share"
OLD_FORMAT = ("manifest.json", "shares")

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

    def has(self, month: Month) -> bool:
        """Whether the month's content is unchanged."""
        return self.months.get(month.name) == (month.rows, month.fingerprint)


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

    @property
    def age(self) -> tuple[str, datetime, str]:
        """Sort key of shares: the one that was refreshed longest ago comes first."""
        return (self.refreshed_at, self.written_at, self.share)

    def frame(self) -> pl.DataFrame:
        """The rows of the table `publications`; `share` only where there is one."""
        rows = [
            {
                "table_name": name,
                "month": month,
                "rows": rows,
                "fingerprint": fingerprint,
                "version": table.version,
                "written_by": table.written_by,
                "publication": self.number,
                "origin": self.origin,
                "written_at": self.written_at,
                "refreshed_at": self.refreshed_at,
            }
            for name, table in self.tables.items()
            # a table without rows has one row here, too
            for month, (rows, fingerprint) in (table.months or {None: (0, "")}).items()
        ]
        frame = pl.DataFrame(rows, schema=SCHEMA)
        return frame.with_columns(pl.lit(self.share).alias(SHARE)) if self.share else frame


def transaction_of(share: str) -> str:
    """The name under which Delta Lake notes the numbers of a share's publications."""
    return f"maestro-analytics/{share}" if share else "maestro-analytics"


def published_in(table: DeltaTable) -> list[Publication]:
    """The publications that a version of the table `publications` holds, the one refreshed longest ago first."""
    frame = pl.DataFrame(table.to_pyarrow_table())
    found: dict[str, Publication] = {}
    for row in frame.sort("table_name", "month").iter_rows(named=True):
        share = row.get(SHARE) or ""
        publication = found.setdefault(
            share, Publication(share, row["publication"], row["origin"], row["written_at"], row["refreshed_at"])
        )
        recorded = publication.tables.setdefault(
            row["table_name"], PublishedTable(row["version"], row["written_by"], {})
        )
        if row["rows"]:
            recorded.months[row["month"]] = (row["rows"], row["fingerprint"])
    return sorted(found.values(), key=lambda publication: publication.age)


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
        old = [folder for folder in (root, *map(root.within, folders)) if _is_of_old_format(folder)]
    if account is not None and account not in accounts:
        _refuse_old(old, [root.within(account), root])
        raise NotALake(place=str(root), reason=f"it holds no account {account!r}, only {accounts}")
    if not accounts:
        _refuse_old(old, old)
        raise NotALake(place=str(root), reason=f"no Delta table {PUBLICATIONS!r} lies there or in a folder of it")
    if len(accounts) > 1 and account is None:
        raise NotALake(place=str(root), reason=f"it holds several accounts, {accounts}; say account=... which")
    return root.within(account or accounts[0])


def _holds(folder: Place) -> bool:
    return folder.within(PUBLICATIONS).table() is not None


def _is_of_old_format(folder: Place) -> bool:
    manifest, shares = OLD_FORMAT
    return folder.has_file(manifest) or any(
        folder.within(shares).within(name).has_file(manifest) for name in folder.within(shares).folders()
    )


def _refuse_old(found: Iterable[Place], meant: Iterable[Place]) -> None:
    for folder in found:
        if folder in meant:
            place, _, account = str(folder).rpartition("/")
            raise NotALake(
                place=str(folder),
                reason="it is in the format before Delta Lake, which this version does not read",
                remedy=f"`maestro-analytics lake write --to {place} --account {account}` writes it anew from the "
                "database; the old manifest.json, tables and shares can then be removed.",
            )
