"""Remove kept files that nothing needs any more.

A kept file is needed while a live or deleted grade, a survey, an activity or a refused row comes from it, and while it
is the snapshot in the table. The others are removed once a replay without them, into a database that is then
discarded, has given the same tables.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime

import duckdb

from maestro_analytics.errors import MaestroError
from maestro_analytics.exports import ExportRecord, Window, joined, without
from maestro_analytics.kinds import AUDIT, RAW
from maestro_analytics.tables.reader import read_export
from maestro_analytics.tables.schemas import AUDIT_LOGS, CSAT
from maestro_analytics.warehouse.connection import quoted_all, scan
from maestro_analytics.warehouse.master import Master
from maestro_analytics.warehouse.replay import Reread, discard, rebuild
from maestro_analytics.warehouse.results import frame
from maestro_analytics.warehouse.state import columns_of

UNREFERENCED = """
file is not null and pruned_at is null
    and (
        status = 'landed' and (landed_from is null or window_start is null)
        or status in ('partial', 'unreadable') and exists (
            from state.coverage as covered
            where covered.kind = exports.kind
                and covered.window_start <= exports.window_start and covered.window_end >= exports.window_end
        )
    )
    and coalesce(completed_at, landed_at, requested_at) < ?
    and seq not in (
        select export_seq from state.grade_versions where export_seq is not null
        union select export_seq from state.deletions where export_seq is not null and reason is null
        union select export_seq from state.csat_versions where export_seq is not null
        union select export_seq from state.quarantine where export_seq is not null
        union select export_seq from state.snapshots where export_seq is not null
        union select export_seq from state.doubted_snapshots where export_seq is not null
    )
"""
"""Exports whose kept files no row of the state tables comes from."""

NOT_COMPARED = {
    *("state.exports", "state.account", "state.refreshes", "state.pushes"),
    *("main.covered_time", "main.multi_select_questions"),
}
"""Tables that a replay carries over, one that publishing derives, and one that remembers what was superseded."""

MOST_REPLAYS = 4


@dataclass
class Pruned:
    """What `prune` removed, or would remove.

    Attributes:
        exports: by kind, how many kept files went.
        bytes: their size.
        kept_files, kept_bytes: the files of exports that stay.
        needed_for_replay: of those, how many no row comes from, and without which a replay would give other tables.
    """

    exports: dict[str, int] = field(default_factory=dict)
    bytes: int = 0
    kept_files: int = 0
    kept_bytes: int = 0
    needed_for_replay: int = 0


def prune(
    master: Master, before: datetime, *, dry_run: bool = False, on_reread: Callable[[Reread], None] = lambda each: None
) -> Pruned:
    """Remove kept files received before `before` that nothing needs any more.

    The files themselves go with the next publication.

    Args:
        on_reread: called for each file of the replay that checks the result.

    Raises:
        MaestroError: a replay does not give the tables of the database, with no file left out.
    """
    master.resolve_people()
    chosen = {export.seq: export for export in unneeded(master, before)}
    proposed = len(chosen)
    for _ in range(MOST_REPLAYS):
        if not chosen:
            break
        needed = _find_needed(master, chosen, on_reread)
        if not needed:
            break
        chosen = {seq: export for seq, export in chosen.items() if seq not in needed}
    else:
        chosen = {}
    if not dry_run:
        master.connection.execute(
            "update state.exports set pruned_at = now() where list_contains($seqs, seq)", {"seqs": list(chosen)}
        )
    pruned = _sizes(master, chosen)
    pruned.needed_for_replay = proposed - len(chosen)
    return pruned


def unneeded(master: Master, before: datetime) -> list[ExportRecord]:
    """The exports received before `before` from whose files no row of the tables seems to come."""
    found = {export.seq: export for export in master.ledger.records(UNREFERENCED, [before])}
    # An activity does not name its export. A file may go where the files of later exports cover its whole window.
    covered: list[Window] = []
    for export in reversed(master.ledger.records("kind = ? and status = 'landed'", [AUDIT.name])):
        if export.seq in found and export.covers is not None and not without([export.covers], covered):
            continue
        found.pop(export.seq, None)
        if export.covers is not None and export.file is not None:
            covered = joined([*covered, export.covers])
    return list(found.values())


def _find_needed(master: Master, chosen: dict[int, ExportRecord], on_reread: Callable[[Reread], None]) -> set[int]:
    """Replay without the files of `chosen`; returns those of `chosen` that make a difference."""
    # A replay would land what an interrupted run has received; the tables do not have it yet.
    waiting = master.ledger.records("landing is null and status in ('received', 'empty')")
    path = master.path.with_name("prune.new.duckdb")
    path.unlink(missing_ok=True)
    fresh = Master(master.folder, path, None)
    try:
        for reread in rebuild(master, fresh, without={*chosen, *(export.seq for export in waiting)}):
            on_reread(reread)
        return _needed_for_equality(master, fresh, chosen)
    finally:
        discard(fresh)


def _needed_for_equality(master: Master, fresh: Master, chosen: dict[int, ExportRecord]) -> set[int]:
    old, new = master.connection, fresh.connection
    tables = [name for name in _tables(old) if name not in NOT_COMPARED]
    differing = [name for name in tables if _checksum(old, name) != _checksum(new, name)]
    if not differing:
        return set()
    keys: set[str] = set()
    for name in differing:
        if "grade_key" in _columns(old, name):
            before, after = ({*_checksums_of_grades(each, name)} for each in (old, new))
            keys |= {key for key, _ in before ^ after}
    needed = {seq for seq, export in chosen.items() if export.kind == RAW.name and _names_any(master, export, keys)}
    if {f"main.{CSAT.name}", "state.csat_versions"} & {*differing}:
        needed |= {seq for seq, export in chosen.items() if export.kind == RAW.name}
    if f"main.{AUDIT_LOGS.name}" in differing:
        needed |= {seq for seq, export in chosen.items() if export.kind == AUDIT.name}
    if not needed:
        raise MaestroError(
            f"a replay of the kept files gives other rows of {', '.join(differing)} than the database has, so nothing "
            "was removed. Run `maestro-analytics replay` first, so that the database has what this version reads."
        )
    return needed


def _names_any(master: Master, export: ExportRecord, keys: Collection[str]) -> bool:
    """Whether the kept file of an export has a row of one of these grades."""
    if not keys or export.file is None or export.status == "unreadable":
        return False
    with read_export(export.file, kind=export.kind, staging=master.staging / "prune") as delivery:
        named: set[str] = set()
        for staged in delivery.tables.values():
            named |= {*staged.named_keys}
            for files in (staged.files, staged.flagged_files):
                if files and staged.table.name != CSAT.name:
                    found = frame(master.connection, f"select distinct grade_key from {scan(files)}")
                    named |= {*found.get_column("grade_key")}
        return not named.isdisjoint(keys)


def _tables(connection: duckdb.DuckDBPyConnection) -> list[str]:
    found = connection.execute(
        "select schema_name || '.' || table_name from duckdb_tables() "
        "where database_name = current_database() and schema_name in ('main', 'state') and not temporary order by all"
    )
    return [str(name) for (name,) in found.fetchall()]


def _columns(connection: duckdb.DuckDBPyConnection, name: str) -> list[str]:
    schema, table = name.split(".")
    return sorted(columns_of(connection, table, schema=schema))


def _checksum(connection: duckdb.DuckDBPyConnection, name: str) -> tuple[list[str], list[tuple[int, int]]]:
    """The columns of a table, its number of rows, and a sum over its rows in any order."""
    columns = _columns(connection, name)
    row = f"row({quoted_all(columns)})"
    return columns, connection.execute(f"select count(*), sum(hash({row})::hugeint) from {name}").fetchall()


def _checksums_of_grades(connection: duckdb.DuckDBPyConnection, name: str) -> list[tuple[str, int]]:
    row = f"row({quoted_all(_columns(connection, name))})"
    return connection.execute(
        f"select grade_key, sum(hash({row})::hugeint) from {name} where grade_key is not null group by grade_key"
    ).fetchall()


def _sizes(master: Master, chosen: dict[int, ExportRecord]) -> Pruned:
    pruned = Pruned()
    shared = {export.file for export in master.ledger.records("file is not null") if export.seq not in chosen}
    gone = {export.file: export for export in chosen.values() if export.file and export.file not in shared}
    for file, export in gone.items():
        pruned.exports[export.kind] = pruned.exports.get(export.kind, 0) + 1
        pruned.bytes += file.stat().st_size
    kept = {file for file in shared if file and file.exists()}
    pruned.kept_files = len(kept)
    pruned.kept_bytes = sum(file.stat().st_size for file in kept)
    return pruned
