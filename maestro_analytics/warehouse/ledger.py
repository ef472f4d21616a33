"""The ledger of exports and what they cover, in the master database. Implements `exports.Ledger`.

Exports that are delivered again are handled here too. The same bytes are kept once. Of a window that is refused each
time only the newest file is kept, with its quarantined rows, and the window is asked for less and less often. The
vendor packs a zip anew for each export, with other time stamps, so that the same data does not have the same bytes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import duckdb
import polars as pl

from maestro_analytics.exports import ExportRecord, Period, Window
from maestro_analytics.exports.windows import EARLIEST_SINCE, joined, without
from maestro_analytics.warehouse.connection import rowcount, scalar, transaction
from maestro_analytics.warehouse.results import frame

IS_LATER = """case
    when coalesce(this.landed_from, other.landed_from) is null then other.seq > this.seq
    when coalesce(other.asked_at, other.requested_at) = coalesce(this.asked_at, this.requested_at)
        then other.seq > this.seq
    else coalesce(other.asked_at, other.requested_at) > coalesce(this.asked_at, this.requested_at)
end"""
"""Whether the export `other` was requested after the export `this`, both rows of state.exports.

Their order is that of their numbers. A file that was landed by hand has a number of its landing; it is compared by the
time at which it was asked for.
"""
LONGEST_DELAY = timedelta(days=1)
FIRST_DELAY_AFTER = timedelta(minutes=30)
"""A window is not delayed while all of its refusals lie within this time: somebody may be at work on the cause."""
REFUSED_WINDOWS = """
with refused as (
    select *, first_value(sha256) over (partition by kind, window_start order by seq desc) as last_sha256
    from state.exports as exports
    where status in ('partial', 'unreadable', 'repeated') and sha256 is not null and not exists (
        from state.coverage as covered
        where covered.kind = exports.kind
            and covered.window_start <= exports.window_start and covered.window_end >= exports.window_end
    )
)
select
    kind,
    window_start,
    arg_max(window_end, seq) as window_end,
    count(*) as refusals,
    count(*) filter (sha256 = last_sha256) as refusals_of_same_bytes,
    min(requested_at) as first_asked,
    max(requested_at) as last_asked
from refused
where window_start is not null
group by kind, window_start
having count(*) > 1
"""
REFUSED_BEFORE = """
select earlier.seq, earlier.file
from state.exports as earlier, state.exports as this
where this.seq = $seq and this.status in ('partial', 'unreadable') and earlier.kind = this.kind and earlier.seq < $seq
    and earlier.status in (this.status, 'unreadable') and earlier.file is not null
    and earlier.window_start >= this.window_start and earlier.window_end <= this.window_end
    and earlier.seq not in (
        select export_seq from state.grade_versions where export_seq is not null
        union select export_seq from state.deletions where export_seq is not null
        union select export_seq from state.csat_versions where export_seq is not null
    )
    and earlier.export_id not in (select unnest([export_id, replaced_by]) from grade_history)
"""
"""Refused exports of the window of a refused one, of which nothing is in the tables: a replay does not need them."""


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


class Sessions(Protocol):
    """Gives the ledger a database session for one call."""

    def __call__(self) -> AbstractContextManager[duckdb.DuckDBPyConnection]: ...


class DuckLedger:
    """One row of `state.exports` for each export. Each call is committed, and on the disk, when it returns."""

    def __init__(self, session: Sessions, data_folder: Path) -> None:
        self._session = session
        self._folder = data_folder

    def plan(self, kind: str, window: Window | None, requested_at: datetime) -> ExportRecord:
        """Enter a new record; called before its request is sent."""
        with self._session() as connection:
            seq = int(scalar(connection, "select coalesce(max(seq), 0) + 1 from state.exports"))
            record = ExportRecord(seq=seq, kind=kind, window=window, requested_at=requested_at)
            add(connection, record, self._folder)
            return record

    def enter(self, record: ExportRecord) -> None:
        """Enter a file that was landed by hand, not requested."""
        with self._session() as connection:
            add(connection, record, self._folder)

    def forget(self, record: ExportRecord) -> None:
        """Remove a record and its kept file, of which nothing has landed."""
        with self._session() as connection:
            connection.execute("delete from state.exports where seq = ?", [record.seq])
        if record.file is not None:
            record.file.unlink(missing_ok=True)

    def asked(self, seq: int, export_id: str, asked_at: datetime | None = None) -> None:
        """Record the vendor's id; called before the first poll."""
        self._change(seq, "status = 'requested', export_id = ?, asked_at = ?", export_id, asked_at)

    def received(self, seq: int, *, file: Path, sha256: str, bytes: int, completed_at: datetime) -> None:
        """Record that its file is kept."""
        self._change(
            seq,
            "status = 'received', file = ?, sha256 = ?, bytes = ?, completed_at = ?",
            relative(file, self._folder),
            sha256,
            bytes,
            completed_at,
        )

    def empty(self, seq: int, completed_at: datetime) -> None:
        """Record that it is complete with nothing to download."""
        self._change(seq, "status = 'empty', completed_at = ?", completed_at)

    def failed(self, seq: int, *, status: str, error: str) -> None:
        """Record that it ended `errored`, `timed_out` or `failed`."""
        self._change(seq, "status = ?, error = ?", status, error)

    def with_id(self, export_id: str) -> list[ExportRecord]:
        """Those to which the vendor gave this id, in the order asked."""
        return self.records("export_id = ?", [export_id])

    def unfinished(self) -> list[ExportRecord]:
        """Those that are planned, requested or received, or empty and not yet entered as landed, in the order asked."""
        return self.records(
            "landed_from is null and (status in ('planned', 'requested', 'received') or "
            "(status = 'empty' and landing is null))"
        )

    def next_seq(self) -> int:
        """The number of the next export."""
        with self._session() as connection:
            return int(scalar(connection, "select coalesce(max(seq), 0) + 1 from state.exports"))

    def records(self, condition: str = "true", params: list[Any] | None = None) -> list[ExportRecord]:
        """The records that satisfy a SQL condition, in the order of their requests."""
        with self._session() as connection:
            return list(read(connection, self._folder, condition, params))

    def _change(self, seq: int, assignments: str, *params: Any) -> None:
        with self._session() as connection:
            if rowcount(connection, f"update state.exports set {assignments} where seq = ?", [*params, seq]) != 1:
                raise LookupError(f"the ledger has no export {seq}")


def add(connection: duckdb.DuckDBPyConnection, record: ExportRecord, data_folder: Path) -> None:
    """Enter a record as it is."""
    connection.execute(
        "insert into state.exports (seq, kind, window_start, window_end, export_id, status, file, sha256, bytes, "
        "requested_at, error, asked_at, landed_from) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            record.seq,
            record.kind,
            record.window.start if record.window else None,
            record.window.end if record.window else None,
            record.export_id,
            record.status,
            relative(record.file, data_folder) if record.file else None,
            record.sha256,
            record.bytes,
            record.requested_at,
            record.error,
            record.asked_at,
            record.landed_from,
        ],
    )


def read(
    connection: duckdb.DuckDBPyConnection, data_folder: Path, condition: str, params: list[Any] | None = None
) -> Iterator[ExportRecord]:
    rows = frame(connection, f"select * from state.exports where {condition} order by seq", params)
    for row in rows.iter_rows(named=True):
        yield ExportRecord(
            seq=row["seq"],
            kind=row["kind"],
            window=Window(row["window_start"], row["window_end"]) if row["window_start"] else None,
            export_id=row["export_id"],
            status=row["status"],
            file=data_folder / row["file"] if row["file"] else None,
            sha256=row["sha256"],
            bytes=row["bytes"],
            requested_at=row["requested_at"],
            error=row["error"],
            asked_at=row["asked_at"],
            landed_from=row["landed_from"],
        )


def date_by_content(connection: duckdb.DuckDBPyConnection, seq: int, newest: datetime | None) -> None:
    """Date a file with an unknown request time by the newest moment in it.

    So it replaces nothing that an export asked for later has brought. A file without any moment, such as the groups,
    is dated before all exports.
    """
    connection.execute(
        "update state.exports set requested_at = least(coalesce(?, ?), now()) where seq = ? and requested_at is null",
        [newest, EARLIEST_SINCE, seq],
    )


def find_later_exports(connection: duckdb.DuckDBPyConnection, seq: int) -> None:
    """Create the temporary table `later_exports`: the exports that were requested after export `seq`."""
    connection.execute(
        "create or replace temp table later_exports as select other.seq "
        f"from state.exports as other, state.exports as this where this.seq = $seq and {IS_LATER}",
        {"seq": seq},
    )


def list_sources(
    connection: duckdb.DuckDBPyConnection, numbered: Sequence[tuple[int | None, ExportRecord]], data_folder: Path
) -> list[Source]:
    """The exports as sources of a landing's rows; also creates the temporary table `deliveries` of them.

    Args:
        numbered: exports in the order in which they land, and what the column `DELIVERY` of staged rows has for each;
            None for one without rows.
    """
    connection.execute(
        """
        create or replace temp table deliveries as
        select given.number, given.place, exports.seq, exports.export_id,
            coalesce(completed_at, requested_at) as complete_at
        from (
            select unnest($numbers::integer[]) as number, unnest($seqs) as seq, unnest(range(len($seqs))) as place
        ) as given
        join state.exports as exports on exports.seq = given.seq
        """,
        {"numbers": [number for number, _ in numbered], "seqs": [export.seq for _, export in numbered]},
    )
    moments = dict(frame(connection, "select seq, complete_at from deliveries").iter_rows())
    return [
        Source(
            export.kind,
            export.seq,
            export.export_id,
            relative(export.file, data_folder) if export.file else None,
            moments[export.seq],
            -1 if number is None else number,
        )
        for number, export in numbered
    ]


def mark_landed(connection: duckdb.DuckDBPyConnection, exports: Sequence[tuple[int, str, str | None]]) -> None:
    """Record that exports have landed, in this order; the first landing fixes the moment and the order.

    Args:
        exports: seq, status and error of each.
    """
    last = int(scalar(connection, "select coalesce(max(landing), 0) from state.exports"))
    connection.execute(
        """
        update state.exports as exports
        set status = given.status, error = given.error, landed_at = coalesce(landed_at, now()),
            landing = coalesce(landing, $last + given.place)
        from (
            select unnest($seqs) as seq, unnest($statuses) as status, unnest($errors::varchar[]) as error,
                unnest(range(1, len($seqs) + 1)) as place
        ) as given
        where exports.seq = given.seq
        """,
        {
            "last": last,
            "seqs": [seq for seq, _, _ in exports],
            "statuses": [status for _, status, _ in exports],
            "errors": [error for _, _, error in exports],
        },
    )


def relative(file: Path, data_folder: Path) -> str:
    """A kept file's name below the data folder, so that the folder can be moved; its full name outside of it."""
    absolute = file.absolute()
    if absolute.is_relative_to(data_folder.absolute()):
        return absolute.relative_to(data_folder.absolute()).as_posix()
    return absolute.as_posix()


def delayed_windows(connection: duckdb.DuckDBPyConnection, now: datetime) -> Iterator[tuple[str, Window, str]]:
    """Windows that were refused twice or more and are not due again: kind, window, and why.

    They are due after as much time as has passed from their first to their last refusal, and at the latest after a day;
    where the bytes were the same, which cannot be read any better soon, after an hour at least.
    """
    rows = frame(connection, REFUSED_WINDOWS).iter_rows()
    for kind, start, end, refusals, of_same_bytes, first_asked, last_asked in rows:
        refused_for = last_asked - first_asked
        delay = refused_for if refused_for >= FIRST_DELAY_AFTER else timedelta()
        if of_same_bytes > 1:
            delay = max(delay, timedelta(hours=2.0 ** min(of_same_bytes - 2, 5)))
        due = last_asked + min(delay, LONGEST_DELAY)
        if now < due:
            window = Window(start, end)
            yield (
                kind,
                window,
                f"{kind} {window} was refused {refusals} times: asked for again after {due:%Y-%m-%dT%H:%M:%SZ}, or "
                "with --again.",
            )


def keep_once(connection: duckdb.DuckDBPyConnection, export: ExportRecord, data_folder: Path) -> None:
    """Keep the bytes of a landed or refused file once: earlier exports with the same bytes give theirs up.

    Earlier refused ones give up their quarantined rows too; earlier landed ones then name the newest file. Refused
    again, a file also replaces those of its window that were refused before and of which no row is in the tables.
    """
    if export.file is None or export.sha256 is None:
        return
    newest = relative(export.file, data_folder)
    earlier = connection.execute(
        "select seq, file, status <> 'landed' from state.exports where kind = ? and sha256 = ? and seq < ? "
        "and status in ('landed', 'partial', 'unreadable') and file is not null",
        [export.kind, export.sha256, export.seq],
    ).fetchall()
    earlier += [(*row, True) for row in connection.execute(REFUSED_BEFORE, {"seq": export.seq}).fetchall()]
    for seq, file, was_refused in dict.fromkeys(earlier):
        if was_refused:
            connection.execute("delete from state.quarantine where export_seq = ?", [seq])
            connection.execute("update state.exports set status = 'repeated', file = null where seq = ?", [seq])
        else:
            connection.execute("update state.quarantine set file = ? where export_seq = ?", [newest, seq])
            connection.execute("update state.exports set file = ? where seq = ?", [newest, seq])
        if file != newest:
            (data_folder / file).unlink(missing_ok=True)


def same_file(connection: duckdb.DuckDBPyConnection, export: ExportRecord, data_folder: Path) -> ExportRecord | None:
    """An export that has landed with the same bytes, although its window shares no time with that of this one."""
    if export.window is None:
        return None
    same = "landing is not null and kind = ? and sha256 = ? and (window_end <= ? or window_start >= ?)"
    params = [export.kind, export.sha256, export.window.start, export.window.end]
    return next(read(connection, data_folder, same, params), None)


def coverage(connection: duckdb.DuckDBPyConnection, kind: str) -> list[Window]:
    """The covered periods of `kind`, in order; neighbours are joined."""
    rows = frame(connection, "select window_start, window_end from state.coverage where kind = ?", [kind])
    return joined(Window(start, end) for start, end in rows.iter_rows())


def cover(connection: duckdb.DuckDBPyConnection, kind: str, windows: Sequence[Window]) -> None:
    """Record windows as covered, joined with those they touch."""
    if windows:
        _write_coverage(connection, kind, joined([*coverage(connection, kind), *windows]))


def uncover(connection: duckdb.DuckDBPyConnection, kind: str, window: Window) -> None:
    """Take a window out of what is covered."""
    _write_coverage(connection, kind, without(coverage(connection, kind), [window]))


def settled(sql: Callable[[str], pl.DataFrame]) -> dict[str, datetime]:
    """Kind -> the moment up to which covered time was read late enough.

    Args:
        sql: runs a query on the master or on the published file.
    """
    return dict(sql("select kind, until from state.settled").iter_rows())


def settle(connection: duckdb.DuckDBPyConnection, kind: str, until: datetime) -> None:
    """Record that covered time before `until` was read late enough."""
    with transaction(connection):
        connection.execute("delete from state.settled where kind = ?", [kind])
        connection.execute("insert into state.settled values (?, ?)", [kind, until])


class Settling:
    """Moves on the moment up to which covered time is settled, as the exports of a run land.

    Args:
        covered: kind -> what is covered before the run.
    """

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, period: Period, covered: Mapping[str, Sequence[Window]]
    ) -> None:
        known = settled(partial(frame, connection))
        self._period = period
        self._before = {
            kind: period.settled_before(known.get(kind), covered[kind]) or since
            for kind, since in period.starts.items()
        }
        self._read: dict[str, list[Window]] = defaultdict(list)
        for kind, until in self._before.items():
            if kind not in known and covered[kind]:
                settle(connection, kind, until)

    def landed(self, connection: duckdb.DuckDBPyConnection, export: ExportRecord) -> None:
        """Take into account an export of which everything has landed, as far as it was asked for late enough."""
        if export.covers is None or export.asked_at is None:
            return
        kind = export.kind
        end = min(export.covers.end, export.asked_at - self._period.overlap)
        if export.covers.start < end:
            self._read[kind].append(Window(export.covers.start, end))
        before, covered = self._before[kind], coverage(connection, kind)
        settle(connection, kind, self._period.settled_after(before, covered, self._read[kind]))


def _write_coverage(connection: duckdb.DuckDBPyConnection, kind: str, after: Sequence[Window]) -> None:
    if after != coverage(connection, kind):
        connection.execute("delete from state.coverage where kind = ?", [kind])
        for each in after:
            connection.execute("insert into state.coverage values (?, ?, ?)", [kind, each.start, each.end])
