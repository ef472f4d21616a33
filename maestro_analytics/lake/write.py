"""Write the tables of a DuckDB database as Delta tables: only the months that changed since the last write.

    ACCOUNT/total_scores   a Delta table, partitioned by `month` of date_graded, UTC
    ACCOUNT/agents         one that has no date_graded and no partitions
    ACCOUNT/publications   which versions of them belong together, see publications.py

Where machines hold a period of the account each, the tables are also partitioned by `share`. A write reads one snapshot
of the published database and commits each table that changed, then the table `publications`, which is the moment at
which readers through `open_lake` see all of it.
"""

# Identifiers come from our own schemas or a file's header and are quoted; values are parameters.
# ruff: noqa: S608

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa

from maestro_analytics.errors import InvalidArgument, LakeError
from maestro_analytics.lake.months import MONTH_OF, NOTHING, months_of
from maestro_analytics.lake.place import Place, place_of
from maestro_analytics.lake.publications import PUBLICATIONS, SHARE, Publication, PublishedTable, published_in
from maestro_analytics.lake.source import Source, tables_of, versions_of
from maestro_analytics.lake.target import KEPT_HOURS, MONTH, Target, columns_of
from maestro_analytics.warehouse.quoting import quoted

BATCH_ROWS = 100_000

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
    if account is None and not source.host:
        raise InvalidArgument("the database names no account host, since nothing has landed yet: say --account NAME.")
    if account is None:
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
        _refuse_what_is_not_ours(folder, publications, before, share, source.origin, take_over)
        moment = now()
        number = max(int(moment.timestamp() * 1e6), before.number + 1 if before else 0)
        after = Publication(share, number, source.origin, moment, source.refreshed_at)
        wanted = tables_of(source.connection) | (versions_of(source.connection) if share else {})
        targets = {name: Target(folder.within(name), share) for name in wanted}
        written = kept = 0
        for name, target in targets.items():
            earlier = before.tables.get(name) if before else None
            after.tables[name], replaced, left = _write_table(source, target, name, wanted[name], earlier, number)
            written, kept = written + replaced, kept + left
        if before and replace(after, number=before.number, written_at=before.written_at) == before:
            after = before
        else:
            record.commit(lambda: after.frame().to_arrow(), number, partition_by=[SHARE] * bool(share))
            record.vacuum(kept_hours)
            for name in targets:
                if after.tables[name].written_by == number:
                    targets[name].vacuum(kept_hours, [one for one in publications if one is not before])
    return Written(
        place=str(folder),
        account=account,
        share=share,
        publication=after.number,
        rows={name: table.rows for name, table in after.tables.items()},
        parts_written=written,
        parts_kept=kept,
    )


def _refuse_what_is_not_ours(
    folder: Place,
    publications: list[Publication],
    before: Publication | None,
    share: str,
    origin: str,
    take_over: bool,
) -> None:
    if any(bool(one.share) != bool(share) for one in publications):
        raise LakeError(
            f"{folder} holds the account {'as a whole' if share else 'in shares'} already, and this write has "
            f"{'a' if share else 'no'} --share. Choose one way for an account, or move away what is there."
        )
    if before is not None and before.origin != origin and not take_over:
        raise LakeError(
            f"{folder} holds the tables of another account or data folder (written "
            f"{before.written_at:%Y-%m-%dT%H:%M} UTC). Write this one under another --account, under a --share of its "
            "own if both are periods of one account, or replace that one with --take-over."
        )


def _write_table(
    source: Source,
    target: Target,
    name: str,
    columns: dict[str, str],
    earlier: PublishedTable | None,
    number: int,
) -> tuple[PublishedTable, int, int]:
    """Commit the changes of a table; returns what is published of it, and how many parts were replaced and kept."""
    by_month = MONTH_OF in columns
    partition_by = [SHARE] * bool(target.share) + [MONTH] * by_month
    if taken := set(partition_by) & {column.lower() for column in columns}:
        raise LakeError(f"{name} has a column {taken.pop()!r}, by which a lake is partitioned.")
    known = columns_of(target.table) if target.table else {}
    retyped = [column for column, kind in columns.items() if known.get(column, kind) != kind]
    if retyped and target.share:
        raise LakeError(
            f"{target.place}: {retyped[0]!r} is {known[retyped[0]]} in other shares. Write the account anew."
        )
    if retyped or (earlier and target.written_by != earlier.written_by):
        # another type, or a write that was not published stopped here: nothing of before can be kept
        earlier = None
    months = months_of(source.connection, name, columns)
    changed = [month for month in months if earlier is None or not earlier.has(month)]
    gone = set(earlier.months) - {month.name for month in months} if earlier else set()
    if earlier and not changed and not gone:
        if set(columns) <= set(known):
            return earlier, 0, len(months)
        # no month has a value in the column that the table grew; without months the table is written as one
        changed = [] if by_month else months

    def rows() -> pa.RecordBatchReader:
        listed = ", ".join([quoted(column) for column in columns] + [f"?::varchar as {key}" for key in partition_by])
        selects, values = [], []
        for month in changed or [NOTHING]:
            selects.append(f"select {listed} from {quoted(name)} where {month.condition}")
            values += [target.share] * bool(target.share) + [month.name] * by_month + list(month.bounds or ())
        return source.connection.sql(" union all ".join(selects), params=values).to_arrow_reader(BATCH_ROWS)

    version = target.commit(
        rows,
        number,
        partition_by=partition_by,
        months={month.name for month in changed} | gone if earlier and by_month else None,
        schema_mode="overwrite" if retyped else "merge",
    )
    held = {month.name: (month.rows, month.fingerprint) for month in months}
    return PublishedTable(version, number, held), len(changed) + len(gone), len(months) - len(changed)
