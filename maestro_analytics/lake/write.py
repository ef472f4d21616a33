"""Write the tables of a DuckDB database as Delta tables: only the months that changed since the last write.

    ACCOUNT/total_scores   a Delta table, partitioned by `month` of date_graded, UTC
    ACCOUNT/agents         one that has no date_graded and no partitions
    ACCOUNT/publications   which versions of them belong together, see publications.py

Where machines hold a period of the account each, the tables are also partitioned by `share`. A write reads one snapshot
of the published database and commits each table that changed, then the table `publications`, which is the moment at
which readers through `open_lake` see all of it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, Field, Schema, Transaction
from deltalake.exceptions import CommitFailedError
from deltalake.transaction import AddAction

from maestro_analytics.errors import InvalidArgument, LakeBusy, LakeError
from maestro_analytics.lake.parquet_files import write_file
from maestro_analytics.lake.place import STORAGE_OPTIONS, Place, place_of
from maestro_analytics.lake.publications import (
    PUBLICATIONS,
    SHARE,
    Publication,
    PublishedTable,
    columns_of,
    fields_of,
    published_in,
    transaction_of,
)
from maestro_analytics.lake.source import (
    MONTH_OF,
    Source,
    filled_columns,
    months_of,
    rows_of,
    tables_of,
    versions_of,
)

MONTH = "month"
KEPT_HOURS = 24
"""How long files that a later version replaced stay: a notebook that was opened in the morning goes on all day."""
TRIES = 10
"""Commits that those of other shares overtake."""
FOLDER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True)
class Written:
    """What a write did.

    Attributes:
        place: the account's folder.
        publication: number of the publication that stands now.
        rows: table -> rows in the lake, of this share.
        parts_written, parts_kept: months (or tables without months) that were replaced, and that had not changed.
    """

    place: str
    account: str
    share: str
    publication: int
    rows: dict[str, int]
    parts_written: int
    parts_kept: int


def write_lake(
    source: Source,
    to: str | Path,
    *,
    account: str | None = None,
    share: str = "",
    take_over: bool = False,
    kept_hours: int = KEPT_HOURS,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Written:
    """Publish the tables of `source` into the lake at `to`.

    Args:
        to: a local folder, or `s3://BUCKET/FOLDER`.
        account: the account's folder in the lake; the API host where none is given.
        share: for one of several machines that each hold a period of the same account; readers see them as one.
        take_over: replace what another data folder wrote to the same place.
        kept_hours: how long files that a later version replaced stay, for readers at work.

    Raises:
        LakeBusy: another writer published the same tables meanwhile; nothing was published by this one.
        LakeError: the place cannot be used, or holds the tables of another data folder.
    """
    if account is None:
        if not source.host:
            raise InvalidArgument("the database names no account host, as nothing has landed yet: say --account NAME.")
        account = re.sub(r"[^A-Za-z0-9._-]+", "-", source.host)
    for kind, name in (("account", account), ("share", share or "x")):
        if not FOLDER_NAME.fullmatch(name):
            raise InvalidArgument(f"{name!r} cannot name a folder of a lake ({kind}): use letters, digits and . _ -")
    folder = place_of(to).within(account)
    with folder.reached():
        # opened before anything is written: whoever publishes this share meanwhile makes the last commit below fail
        record = Target(folder.within(PUBLICATIONS), share)
        publications = published_in(record.table) if record.table else []
        before = next((one for one in publications if one.share == share), None)
        if any(bool(one.share) != bool(share) for one in publications):
            raise LakeError(
                f"{folder} holds the account {'as a whole' if share else 'in shares'} already, and this write has "
                f"{'a' if share else 'no'} --share. Choose one way for an account, or move away what is there."
            )
        if before and before.origin != source.origin and not take_over:
            raise LakeError(
                f"{folder} holds the tables of another account or data folder (written "
                f"{before.written_at:%Y-%m-%dT%H:%M} UTC). Write this one under another --account, under a --share of "
                "its own if both are periods of one account, or replace that one with --take-over."
            )
        moment = now()
        number = max(int(moment.timestamp() * 1e6), before.number + 1 if before else 0)
        after = Publication(share, number, source.origin, moment, source.refreshed_at)
        wanted = tables_of(source.connection) | (versions_of(source.connection) if share else {})
        targets = {
            name: Target(folder.within(name), share, by_month=MONTH_OF in columns) for name, columns in wanted.items()
        }
        written = kept = 0
        for name, target in targets.items():
            earlier = before.tables.get(name) if before else None
            after.tables[name], replaced, left = _write_table(source, target, name, wanted[name], earlier, number)
            written, kept = written + replaced, kept + left
        if before and replace(after, number=before.number, written_at=before.written_at) == before:
            after = before
        else:
            noted = after.frame().to_arrow()
            record.commit([record.write(noted.to_reader())], Schema.from_arrow(noted.schema).fields, number)
        # also of a table that has not changed since: its earlier files may hold somebody who was erased
        for target in (record, *targets.values()):
            target.vacuum(kept_hours, [one for one in publications if one is not before])
    rows = {name: table.rows for name, table in after.tables.items()}
    return Written(str(folder), account, share, after.number, rows, written, kept)


def _write_table(
    source: Source,
    target: Target,
    name: str,
    columns: dict[str, str],
    earlier: PublishedTable | None,
    number: int,
) -> tuple[PublishedTable, int, int]:
    """Commit the changes of a table; returns what is published of it, and how many parts were replaced and kept."""
    if taken := set(target.partition_by) & {column.lower() for column in columns}:
        raise LakeError(f"{name} has a column {taken.pop()!r}, by which a lake is partitioned.")
    known = columns_of(target.table) if target.table else {}
    retyped = [column for column, kind in columns.items() if known.get(column, kind) != kind]
    if retyped and target.share:
        raise LakeError(
            f"{target.place}: {retyped[0]!r} is {known[retyped[0]]} in other shares. Write the account anew."
        )
    if retyped or (earlier and target.written_by() != earlier.written_by):
        # another type, or a write that was not published stopped here: nothing of before can be kept
        earlier = None
    months = months_of(source.connection, name, columns)
    content = {month.name: (month.rows, month.fingerprint) for month in months}
    changed = [each for each in months if earlier is None or earlier.months.get(each.name) != content[each.name]]
    gone = set(earlier.months) - set(content) if earlier else set()
    if earlier and not changed and not gone:
        if set(columns) <= set(known):
            return earlier, 0, len(months)
        # no month has a value in the column that the table grew; without months the table is written as one
        changed = [] if target.by_month else months
    files = []
    for month in changed:
        filled = filled_columns(source.connection, name, columns, month)
        files.append(
            target.write(rows_of(source.connection, name, filled, month), month.name, set(columns) - set(filled))
        )
    version = target.commit(
        files,
        fields_of(columns),
        number,
        months={month.name for month in changed} | gone if earlier and target.by_month else None,
        retyped=bool(retyped),
    )
    return PublishedTable(version, number, content), len(changed) + len(gone), len(months) - len(changed)


class Target:
    """The Delta table in a folder, as a share writes to it; `share` is empty where one data folder holds it all.

    Attributes:
        table: None where it does not exist yet.
        by_month: whether it is partitioned by month.
    """

    def __init__(self, place: Place, share: str, *, by_month: bool = False) -> None:
        self.place = place
        self.share = share
        self.by_month = by_month
        self.partition_by = [SHARE] * bool(share) + [MONTH] * by_month
        self.table = place.table()

    def written_by(self, share: str | None = None) -> int | None:
        """Number of the publication that wrote the rows of a share last, by default of this one."""
        name = transaction_of(self.share if share is None else share)
        return self.table.transaction_version(name) if self.table else None

    def write(self, rows: pa.RecordBatchReader, month: str | None = None, absent: Iterable[str] = ()) -> AddAction:
        """Write a file for `commit`; `absent` are the columns that hold nothing and are not in `rows`."""
        values = {SHARE: self.share, MONTH: month or ""}
        return write_file(self.place, rows, {key: values[key] for key in self.partition_by}, absent)

    def commit(
        self,
        files: Sequence[AddAction],
        columns: Sequence[Field],
        number: int,
        *,
        months: Iterable[str | None] | None = None,
        retyped: bool = False,
    ) -> int:
        """Replace the share's files by others, in one commit; the version of the table then.

        Args:
            columns: of the rows, without those of partitions.
            number: of the publication.
            months: replace the files of these only.
            retyped: replace the table's columns too, instead of adding those that it lacks.

        Raises:
            LakeBusy: another writer of the same share has committed since the table was opened, or one of another
                share has added a column of the same name and another type.
        """
        filters: list[Any] = [(SHARE, "=", self.share)] if self.share else []
        if months is not None:
            filters.append((MONTH, "in", list(months) or [""]))
        wanted = {each.name: each for each in (*columns, *fields_of(dict.fromkeys(self.partition_by, "VARCHAR")))}
        before = self.written_by()
        for _ in range(TRIES):
            try:
                if self.table is None:
                    # on its own: two writers that each create a table with its rows would both succeed
                    DeltaTable.create(
                        self.place.uri,
                        Schema(list(wanted.values())),
                        mode="ignore",
                        partition_by=self.partition_by or None,
                        configuration={"delta.deletedFileRetentionDuration": f"interval {KEPT_HOURS} hours"},
                        storage_options=STORAGE_OPTIONS,
                    )
                    self.table = self.place.table()
                    continue
                known = {} if retyped else {each.name: each for each in self.table.schema().fields}
                if self.written_by() != before or any(
                    known.get(key, wanted[key]).type != wanted[key].type for key in wanted
                ):
                    break
                self.table.create_write_transaction(
                    list(files),
                    "overwrite",
                    Schema(list((known | wanted).values())),
                    self.partition_by,
                    filters or None,
                    commit_properties=CommitProperties(
                        app_transactions=[Transaction(transaction_of(self.share), number)]
                    ),
                )
                self.table = self.place.table()
                if self.table and self.written_by() == number:
                    return int(self.table.version())
                break
            except CommitFailedError:
                self.table = self.place.table()
        raise LakeBusy(place=str(self.place))

    def vacuum(self, kept_hours: int, others: Iterable[Publication] = ()) -> None:
        """Remove files that no version needs any more, nor what `others` published and have since begun to replace."""
        name = self.place.root.rpartition("/")[2]
        published = [(one.tables[name], one.share) for one in others if name in one.tables]
        kept = [table.version for table, share in published if self.written_by(share) != table.written_by]
        for dry_run in (True, False):
            # each vacuum is two commits: none where there is nothing to remove
            if self.table is None or not self.table.vacuum(
                kept_hours, dry_run, enforce_retention_duration=False, full=True, keep_versions=kept
            ):
                return
