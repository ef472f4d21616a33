"""Rebuild the master from the kept files, without the network: after a fix in the reader, or when it is lost."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from operator import itemgetter
from pathlib import Path

from maestro_analytics.errors import MaestroError, UnreadableFile
from maestro_analytics.exports import ExportRecord
from maestro_analytics.kinds import COACHING, EXPORT_KINDS
from maestro_analytics.tables.delivery import BUDGET
from maestro_analytics.tables.schemas import COACHING_TABLES
from maestro_analytics.warehouse import ledger
from maestro_analytics.warehouse.connection import scalar
from maestro_analytics.warehouse.kept_files import land_export, land_exports
from maestro_analytics.warehouse.landing import land_coaching
from maestro_analytics.warehouse.landing.accounting import Landed
from maestro_analytics.warehouse.landing.lists import KeptList, kept_name
from maestro_analytics.warehouse.landing.staged import add_columns
from maestro_analytics.warehouse.ledger import Source
from maestro_analytics.warehouse.master import KEPT, Master
from maestro_analytics.warehouse.reconcile import remove_ghosts
from maestro_analytics.warehouse.results import frame

CARRIED_OVER = (
    "exports",
    "refreshes",
    "pushes",
    "starts",
    "settled",
    "account",
    "doubted_snapshots",
    "list_slices",
    "erasures",
)
"""What no kept file tells."""

_HAD_A_RESULT = "status in ('received', 'empty', 'landed', 'partial', 'unreadable')"
_KEPT_NAME = re.compile(rf"({'|'.join(EXPORT_KINDS)})-([0-9]+)-(.+)\.(?:zip|csv)")


@dataclass(frozen=True)
class Reread:
    """The result of reading one kept file again.

    Attributes:
        file: the kept file; None for an export that had nothing to download.
        landed: what became of its rows; its `refused` tells files over the budget. None when nothing could be done.
        error: why nothing could be done: the file is gone, or is not an export.
    """

    file: Path | None
    export: ExportRecord | None
    landed: Landed | None
    error: MaestroError | None = None


def replay(master: Master, *, without_missing: bool = False) -> Iterator[Reread]:
    """Rebuild the master from the kept files, in the order in which they first landed; yields the result of each.

    The new database is built beside the old and takes its place at the end, in one step: a replay that is stopped or
    killed has changed nothing. What it gives is the same to the row, for a reader that has not changed.

    Args:
        without_missing: go on though kept files that have landed are gone, or can no longer be read. Their rows are
            lost then, and the next refresh asks for their time again.

    Raises:
        MaestroError: such files are gone (raised at once), or cannot be read (raised after all were tried). The
            database is as it was.
    """
    landed = master.ledger.records("landing is not null and file is not null and pruned_at is null")
    gone = [str(export.file) for export in landed if export.file and not export.file.exists()]
    if gone and not without_missing:
        raise MaestroError(
            f"{len(gone)} kept files of exports that have landed are gone, {gone[0]} for one: a replay would lose "
            "their rows. Put them back, or keep the database as it is."
        )
    fresh_path = master.path.with_name("replay.new.duckdb")
    fresh_path.unlink(missing_ok=True)
    fresh = Master(master.folder, fresh_path, None)
    earlier = {export.seq: export.status for export in landed}
    unread: list[str] = []
    try:
        for result in rebuild(master, fresh):
            yield result
            if _loses_rows(master, result, earlier):
                unread.append(str(result.file))
        if unread and not without_missing:
            raise MaestroError(
                f"{len(unread)} kept files whose rows are in the database can no longer be read, {unread[0]} for one. "
                "The database is as it was. Run it again with a version that reads them, or with --without-missing to "
                "go on without their rows."
            )
        fresh.connection.execute("checkpoint")
        fresh.close()
        master.replace_file(fresh_path)
    finally:
        discard(fresh)


def _loses_rows(master: Master, result: Reread, earlier: Mapping[int, str]) -> bool:
    """Whether rows of the master came from a file of which less could be read now."""
    if result.export is None:
        return result.error is not None and bool(_rows_of_list(master, result.file))
    before = earlier.get(result.export.seq)
    if result.error is not None:
        return before in ("landed", "partial")
    return before == "landed" and result.landed is not None and bool(result.landed.refused)


def _rows_of_list(master: Master, kept: Path | None) -> int:
    table = next(table for table in COACHING_TABLES if kept is not None and kept.name == kept_name(table.name))
    return int(scalar(master.connection, f"select count(*) from main.{table.name}"))


def discard(fresh: Master) -> None:
    """Close a database that was built beside the master, and remove it if it is still there."""
    fresh.close()
    fresh.path.unlink(missing_ok=True)
    fresh.path.with_name(fresh.path.name + ".wal").unlink(missing_ok=True)


def rebuild(master: Master, fresh: Master, *, without: Collection[int] = ()) -> Iterator[Reread]:
    """Land everything that is kept in the empty database `fresh`, in the order in which it once landed.

    Args:
        without: exports to treat as pruned.
    """
    _carry_over(master, fresh)
    fresh.connection.execute(
        "update state.exports set pruned_at = coalesce(pruned_at, now()) where list_contains($seqs, seq)",
        {"seqs": list(without)},
    )
    _carry_over_columns(master, fresh)
    exports = {export.seq: export for export in fresh.ledger.records(_HAD_A_RESULT)}
    order = fresh.connection.execute(
        f"select seq, pruned_at is not null from state.exports where {_HAD_A_RESULT} "
        "and (pruned_at is null or landing is not null) order by landing nulls last, seq"
    ).fetchall()
    # An export counts as landed when it is landed here.
    fresh.connection.execute("update state.exports set landing = null")
    # No kind reads the rows of another, so that exports of one kind can land together.
    for kind in EXPORT_KINDS:
        of_kind = [(exports[seq], is_pruned) for seq, is_pruned in order if exports[seq].kind == kind]
        for is_pruned, group in groupby(of_kind, key=itemgetter(1)):
            following = [export for export, _ in group]
            if is_pruned:
                fresh.land_pruned(following)
            else:
                for export, landed in land_exports(fresh, following):
                    yield Reread(export.file, export, landed, landed.unreadable)
    _number_landings(fresh, [seq for seq, _ in order])
    for table in COACHING_TABLES:
        kept = master.folder / KEPT / kept_name(table.name)
        if kept.exists():
            yield reread_list(fresh, table.name, kept)
    _carry_over_history(master, fresh)
    _remove_ghosts_again(master, fresh)
    fresh.resolve_people()


def _number_landings(fresh: Master, order: Sequence[int]) -> None:
    """Number the exports that have landed in the order in which they once landed, and not kind by kind."""
    fresh.connection.execute(
        """
        update state.exports as exports set landing = numbered.landing
        from (
            select given.seq, row_number() over (order by given.place) as landing
            from (select unnest($order) as seq, unnest(range(len($order))) as place) as given
            join state.exports as landed on landed.seq = given.seq
            where landed.landing is not null
        ) as numbered
        where exports.seq = numbered.seq
        """,
        {"order": list(order)},
    )


def retry_quarantine(master: Master, *, budget: float = BUDGET) -> Iterator[Reread]:
    """Read again the kept files that have rows in quarantine or were refused, and land them in place.

    A grade that a later export has brought meanwhile stays as it is.
    """
    exports = master.ledger.records(
        f"{_HAD_A_RESULT} and file is not null and (status in ('partial', 'unreadable') or seq in "
        "(select export_seq from state.quarantine))"
    )
    lists = frame(master.connection, "select distinct table_name from state.quarantine where kind = ?", [COACHING])
    for export in exports:
        yield reread(master, export, budget=budget)
    for table_name in sorted(lists.get_column("table_name")):
        kept = master.folder / KEPT / kept_name(table_name)
        if kept.exists():
            yield reread_list(master, table_name, kept)


def reread(master: Master, export: ExportRecord, *, budget: float = BUDGET) -> Reread:
    """Read an export's kept file and land it; errors are in the result, not raised."""
    landed = land_export(master, export, budget=budget)
    return Reread(export.file, export, landed, landed.unreadable)


def reread_list(master: Master, table_name: str, kept: Path) -> Reread:
    """Land a kept coaching list."""
    try:
        records = KeptList(kept)
        landed = land_coaching(
            master.connection,
            table_name,
            records,
            kept.parent,
            taken_at=records.taken_at,
            keep=False,
        )
    except MaestroError as error:
        return Reread(kept, None, None, error)
    except (OSError, EOFError, ValueError) as error:
        return Reread(kept, None, None, UnreadableFile(f"{kept} is damaged ({error}); refresh it", path=kept))
    return Reread(kept, None, landed)


def _carry_over(master: Master, fresh: Master) -> None:
    for name in CARRIED_OVER:
        rows = frame(master.connection, f"select * from state.{name}")
        fresh.connection.execute(f"delete from state.{name}")
        fresh.connection.register("carried", rows)
        fresh.connection.execute(f"insert into state.{name} by name select * from carried")
        fresh.connection.unregister("carried")
    if not scalar(fresh.connection, "select count(*) from state.exports"):
        for record in _records_from_names(master.folder / KEPT):
            ledger.add(fresh.connection, record, master.folder)


_PRUNED = "select seq from state.exports where pruned_at is not null"


def _carry_over_columns(master: Master, fresh: Master) -> None:
    """Add the columns that pruned files had brought."""
    pruned = {"pruned": [seq for (seq,) in fresh.connection.execute(_PRUNED).fetchall()]}
    changes = frame(
        master.connection, "select * from state.schema_changes where list_contains($pruned, export_seq)", pruned
    )
    for change in changes.iter_rows(named=True):
        source = Source("", change["export_seq"], change["export_id"], None, change["changed_at"])
        add_columns(fresh.connection, change["table_name"], {change["column_name"]: change["name_in_file"]}, source)


def _carry_over_history(master: Master, fresh: Master) -> None:
    """Restore the earlier versions of grades of which a version came with a pruned file."""
    pruned = frame(fresh.connection, "select export_id from state.exports where pruned_at is not null")
    history = frame(
        master.connection,
        "select * from grade_history where grade_key in (select grade_key from grade_history where "
        "list_contains($pruned, export_id) or list_contains($pruned, replaced_by))",
        {"pruned": pruned.get_column("export_id").drop_nulls().to_list()},
    )
    fresh.connection.register("earlier_versions", history)
    fresh.connection.execute("delete from grade_history where grade_key in (select grade_key from earlier_versions)")
    fresh.connection.execute("insert into grade_history by name select * from earlier_versions")
    fresh.connection.unregister("earlier_versions")


def _remove_ghosts_again(master: Master, fresh: Master) -> None:
    """Remove the grades that `reconcile --remove` removed, because the kept files still hold them."""
    removed = frame(
        master.connection,
        "select * from state.deletions as deletions where reason is not null",
    )
    for (seq, at), ghosts in removed.group_by("export_seq", "deleted_at", maintain_order=True):
        remove_ghosts(fresh.connection, ghosts, seq=int(str(seq)), at=at)


def _records_from_names(folder: Path) -> Iterator[ExportRecord]:
    """What the names of kept files still tell when the ledger is lost: kind, order and id, but not which window."""
    found = [(path, named) for path in folder.iterdir() if (named := _KEPT_NAME.fullmatch(path.name))]
    for path, named in sorted(found, key=lambda each: int(each[1][2])):
        at = datetime.fromtimestamp(int(path.stat().st_mtime), UTC)
        yield ExportRecord(
            seq=int(named[2]),
            kind=named[1],
            window=None,
            export_id=named[3],
            status="received",
            file=path,
            bytes=path.stat().st_size,
            requested_at=at,
        )
