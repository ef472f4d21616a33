"""The ledger of pushes: what the vendor was told, what it acknowledged, and what nobody knows.

A SQLite file of its own (`pushes.sqlite` in the data folder), because a refresh may hold the master database for
an hour; `publish` shows it as `state.pushes`. One row per kind and key (`entries.KEY`).

The life of an entry, each step on disk before the next thing happens:

    planned -> sent -> acknowledged            the batch was taken
                    -> rejected                refused alone, with the vendor's words
                    -> unknown                 the reply was lost, or the push killed: it may or may not be there

`may_have_arrived` is the place of its last sending in the order of all sendings, `arrived` that of the last one that
was acknowledged. They differ while the vendor may hold something else than the acknowledged payload; such an entry is
sent again by the next push of its kind, whatever that push is about. A `withdrawn` entry is one that a newer
computation does not have any more, since its grades were deleted or moved: the API cannot take it back, but it must not
stand in the way of what replaces it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import polars as pl

from maestro_analytics.errors import AnotherRefresh, MaestroError, SettingsError
from maestro_analytics.files import make_private, make_private_folder
from maestro_analytics.push.entries import ENTRY_SCHEMA, KEY, Entry, Kind
from maestro_analytics.settings import Settings
from maestro_analytics.tables.columns import UTC_MOMENT
from maestro_analytics.warehouse.state import PUSHES

if TYPE_CHECKING:
    from maestro_analytics.warehouse import Master

if TYPE_CHECKING:
    pass

FILE_NAME = "pushes.sqlite"

DDL = """
create table if not exists account (host text not null);
create table if not exists pushes (
    kind text not null,
    agent_id text not null,
    ticket_id text not null,
    source_id text not null,
    metric_id text not null,
    timestamp integer not null,
    ticket_event_id text not null,
    metric_value real,
    metric_deleted integer,
    payload_hash text,
    status text not null check (status in ('planned', 'sent', 'acknowledged', 'rejected', 'unknown')),
    reason text,
    sent_at integer,
    acknowledged_at integer,
    acknowledged_value real,
    acknowledged_deleted integer,
    acknowledged_hash text,
    may_have_arrived integer,
    may_have_arrived_before integer,
    arrived integer,
    withdrawn integer not null default 0,
    primary key (kind, agent_id, ticket_id, source_id, metric_id, timestamp, ticket_event_id)
) without rowid;
"""

ROWS_AT_A_TIME = 50_000

IS_THE_KEY = (
    "kind = ? and agent_id = ? and ticket_id = ? and source_id = ? and metric_id = ? and timestamp = ? "
    "and ticket_event_id = ?"
)
IS_SETTLED = "pushes.may_have_arrived is pushes.arrived"

NOTE = """
insert into pushes (
    kind, agent_id, ticket_id, source_id, metric_id, timestamp, ticket_event_id,
    metric_value, metric_deleted, payload_hash, status, reason
)
values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
on conflict do update set
    metric_value = excluded.metric_value, metric_deleted = excluded.metric_deleted,
    payload_hash = excluded.payload_hash, status = excluded.status, reason = excluded.reason, withdrawn = 0
"""

LEDGER_SCHEMA: dict[str, Any] = ENTRY_SCHEMA | {
    "payload_hash": pl.String,
    "status": pl.String,
    "reason": pl.String,
    "sent_at": UTC_MOMENT,
    "acknowledged_at": UTC_MOMENT,
    "acknowledged_value": pl.Float64,
    "acknowledged_deleted": pl.Boolean,
    "acknowledged_hash": pl.String,
    "may_have_arrived": pl.Int64,
    "arrived": pl.Int64,
    "withdrawn": pl.Boolean,
}


class PushLedger:
    """The ledger of one data folder, as a context manager. Every method commits before it returns."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._last_place = connection.execute("select coalesce(max(may_have_arrived), 0) from pushes").fetchone()[0]

    @classmethod
    def open(cls, data_folder: Path, *, host: str) -> PushLedger:
        """Open the ledger of a data folder for the one push that runs; it is created if it does not exist.

        What an earlier push left `sent` becomes `unknown`: it was stopped before the reply came.

        Raises:
            SettingsError: the ledger belongs to another account's host, or cannot be written.
        """
        path = data_folder / FILE_NAME
        try:
            make_private_folder(data_folder)
            is_new = not path.exists()
            connection = sqlite3.connect(path, isolation_level=None)
            if is_new:
                make_private(path)  # SQLite gives its log the same mode.
        except (OSError, sqlite3.Error) as error:
            raise SettingsError(f"the push ledger {path} cannot be opened: {error}") from None
        try:
            connection.execute("pragma journal_mode = wal")
            # A batch must not leave before its entries are on the disk as sent.
            connection.execute("pragma synchronous = full")
            connection.executescript(DDL)
            _check_host(connection, data_folder, host)
            connection.execute("insert into account select ? where not exists (select 1 from account)", (host,))
            connection.execute(
                "update pushes set status = 'unknown', reason = ? where status = 'sent'",
                ("the push was stopped before the reply came",),
            )
            return cls(connection)
        except sqlite3.Error as error:
            connection.close()
            raise SettingsError(f"the push ledger {path} cannot be used: {error}") from None
        except BaseException:
            connection.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._connection.close()

    def rows(self, kind: Kind) -> pl.DataFrame:
        """Every entry of a kind that the ledger knows, with the columns of `LEDGER_SCHEMA`."""
        return _rows(self._connection, kind)

    def planned(self, kind: Kind, entries: Iterable[Entry]) -> None:
        """Record entries that are to be sent."""
        self._note(kind, ((entry, "planned", None) for entry in entries))

    def refused_here(self, kind: Kind, entries: Iterable[tuple[Entry, str]]) -> None:
        """Record entries that are not sent, for a reason of our own. One whose outcome is unknown stays unknown."""
        self._note(kind, ((entry, "rejected", reason) for entry, reason in entries), only=IS_SETTLED)

    def withdrawn(self, kind: Kind, keys: pl.DataFrame) -> None:
        """Record that these entries are no longer computed: a frame with the columns of `entries.KEY`."""
        rows = keys.select(KEY).with_columns(pl.col("timestamp").dt.epoch("s")).iter_rows()
        self._update("withdrawn = 1", [(kind, *row) for row in rows])

    def sent(self, kind: Kind, entries: Sequence[Entry], *, at: datetime) -> None:
        """Record entries as sent, in this order. Committed before the request is made."""
        places = enumerate(entries, start=self._last_place + 1)
        self._last_place += len(entries)
        self._update(
            "status = 'sent', reason = null, sent_at = ?, may_have_arrived_before = may_have_arrived, "
            "may_have_arrived = ?",
            [(_seconds(at), place, kind, *entry.key) for place, entry in places],
        )

    def not_taken(self, kind: Kind, entries: Iterable[Entry]) -> None:
        """Record that sent entries were certainly not accepted, for no fault of their own: they are planned again."""
        self._update(
            "status = 'planned', may_have_arrived = may_have_arrived_before",
            [(kind, *entry.key) for entry in entries],
        )

    def acknowledged(self, kind: Kind, entries: Iterable[Entry], *, at: datetime) -> None:
        """Record entries that the vendor accepted."""
        self._update(
            "status = 'acknowledged', reason = null, acknowledged_at = ?, acknowledged_value = metric_value, "
            "acknowledged_deleted = metric_deleted, acknowledged_hash = payload_hash, arrived = may_have_arrived",
            [(_seconds(at), kind, *entry.key) for entry in entries],
        )

    def rejected(self, kind: Kind, entries: Iterable[tuple[Entry, str]]) -> None:
        """Record entries that the vendor refused, with the reason of each; it keeps the values that it had."""
        self._update(
            "status = 'rejected', reason = ?, may_have_arrived = arrived",
            [(reason, kind, *entry.key) for entry, reason in entries],
        )

    def refused_together(self, kind: Kind, entries: Iterable[tuple[Entry, str, datetime]]) -> None:
        """The vendor refused these together: each keeps the reason and the moment of its own refusal, beside it."""
        self._update(
            "status = 'rejected', reason = ?, sent_at = ?, may_have_arrived = arrived",
            [(reason, _seconds(at), kind, *entry.key) for entry, reason, at in entries],
        )

    def unknown(self, kind: Kind, entries: Iterable[tuple[Entry, str]]) -> None:
        """Record entries of which it is unknown whether the vendor accepted them, with the reason of each."""
        self._update("status = 'unknown', reason = ?", [(reason, kind, *entry.key) for entry, reason in entries])

    def _update(self, changes: str, values: Iterable[tuple[Any, ...]]) -> None:
        with self._transaction():
            self._connection.executemany(f"update pushes set {changes} where {IS_THE_KEY}", values)  # noqa: S608

    def _note(self, kind: Kind, noted: Iterable[tuple[Entry, str, str | None]], *, only: str = "true") -> None:
        payloads = (
            (kind, *entry.key, entry.metric_value, entry.metric_deleted, entry.payload_hash, status, reason)
            for entry, status, reason in noted
        )
        with self._transaction():
            self._connection.executemany(f"{NOTE} where {only}", payloads)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("begin immediate")
        try:
            yield
        except BaseException:
            self._connection.execute("rollback")
            raise
        self._connection.execute("commit")


def erase(data_folder: Path, *, agent_ids: Sequence[str], tickets: Sequence[str], dry_run: bool = False) -> int:
    """Delete the entries of agents or tickets and rewrite the file without them; returns how many there were."""
    path = data_folder / FILE_NAME
    if not path.exists():
        return 0
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        marks = [",".join("?" * len(each)) for each in (agent_ids, tickets)]
        condition = f"agent_id in ({marks[0]}) or ticket_id in ({marks[1]})"
        given = (*agent_ids, *tickets)
        found = connection.execute(f"select count(*) from pushes where {condition}", given).fetchone()[0]  # noqa: S608
        if not dry_run:
            connection.execute(f"delete from pushes where {condition}", given)  # noqa: S608
            connection.execute("vacuum")
            connection.execute("pragma wal_checkpoint(truncate)")
    return int(found)


def read_ledger(data_folder: Path, kind: Kind, *, host: str | None = None) -> pl.DataFrame:
    """`PushLedger.rows` of a data folder, for reading only, also while a push is running; no rows without a ledger.

    Raises:
        SettingsError: the ledger belongs to another account's host than `host`.
    """
    path = data_folder / FILE_NAME
    if not path.exists():
        return pl.DataFrame(schema=LEDGER_SCHEMA)
    # Not mode=ro, which could neither take up what a killed push left in the log nor clear the log's files away.
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True)) as connection:
        connection.execute("pragma query_only = on")
        if not connection.execute("select 1 from sqlite_master where name = 'pushes'").fetchone():
            return pl.DataFrame(schema=LEDGER_SCHEMA)
        if host is not None:
            _check_host(connection, data_folder, host)
        return _rows(connection, kind)


def _rows(connection: sqlite3.Connection, kind: Kind) -> pl.DataFrame:
    columns = ", ".join(LEDGER_SCHEMA)
    stored = {name: pl.Int64 if dtype in (UTC_MOMENT, pl.Boolean) else dtype for name, dtype in LEDGER_SCHEMA.items()}
    cursor = connection.execute(f"select {columns} from pushes where kind = ?", (kind,))  # noqa: S608
    # Piecewise: rows as Python objects take ten times the memory of the frame.
    pieces = [pl.DataFrame(schema=stored)]
    while rows := cursor.fetchmany(ROWS_AT_A_TIME):
        pieces.append(pl.DataFrame(rows, schema=stored, orient="row"))
    return pl.concat(pieces).with_columns(
        pl.from_epoch(name, "s").dt.replace_time_zone("UTC").cast(UTC_MOMENT)
        if dtype == UTC_MOMENT
        else pl.col(name).cast(pl.Boolean)
        for name, dtype in LEDGER_SCHEMA.items()
        if dtype in (UTC_MOMENT, pl.Boolean)
    )


def refuse_another_account(data_folder: Path, *, known_host: str, host: str) -> None:
    """Raise SettingsError unless the data folder, whose account is at `known_host`, is meant by a push to `host`."""
    if known_host != host:
        raise SettingsError(
            f"{data_folder} belongs to the account at {known_host}, and this push would go to {host}: "
            "set MAESTRO_DATA to a folder of its own for each account, or MAESTRO_BASE_URL back."
        )


def _check_host(connection: sqlite3.Connection, data_folder: Path, host: str) -> None:
    known = connection.execute("select host from account").fetchone()
    if known is not None:
        refuse_another_account(data_folder, known_host=known[0], host=host)


def _seconds(moment: datetime) -> int:
    return int(moment.astimezone(UTC).timestamp())


PUBLISHING = "push"
"""The command that a refresh waits for: a push that publishes."""


def publish(master: Master) -> None:
    """Publish the master, with the push ledger of the data folder as its `state.pushes`.

    One row per kind, agent, ticket, source, metric, timestamp and ticket event. `acknowledged_value` is what the
    vendor last acknowledged, which a later value may be about to replace; `withdrawn` says that a newer computation
    does not have the entry any more.
    """
    frames = [read_ledger(master.folder, kind).with_columns(kind=pl.lit(kind.value)) for kind in Kind]
    texts = [pl.col(name).replace("", None) for name in ("ticket_id", "source_id", "ticket_event_id")]
    pushes = pl.concat(frames).with_columns(texts).select(*PUSHES.columns)
    connection = master.connection
    connection.register("pushes_of_the_ledger", pushes)
    try:
        connection.execute("delete from state.pushes")
        connection.execute("insert into state.pushes by name from pushes_of_the_ledger")
    finally:
        connection.unregister("pushes_of_the_ledger")
    master.publish()


def show_in_published(settings: Settings) -> list[str]:
    """Bring `state.pushes` of the published database up to date, if there is one and no refresh is running.

    A running refresh copies the ledger itself before it publishes.

    Returns:
        A warning where it could not be done: what was pushed is pushed, and the ledger knows it.
    """
    if not settings.database.exists():
        return []
    from maestro_analytics.warehouse import Master

    try:
        with Master.open(settings.data, host=settings.host, command=PUBLISHING) as master:
            publish(master)
    except AnotherRefresh:
        return []
    except MaestroError as error:
        return [f"state.pushes of the published database is not up to date: {error}"]
    return []
