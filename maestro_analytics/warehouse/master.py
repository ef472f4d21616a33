"""The private master database. One process at a time writes to it."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Self

import duckdb
import polars as pl

from maestro_analytics.errors import MaestroError, SettingsError, UnreadableFile
from maestro_analytics.exports import ExportRecord, Window
from maestro_analytics.files import make_private, make_private_folder, replace_durably
from maestro_analytics.tables.delivery import Delivery
from maestro_analytics.warehouse import agents, landing, publish, steps
from maestro_analytics.warehouse.connection import (
    check_layout,
    configure_session,
    has_published_storage,
    open_master_file,
    scalar,
    text_literal,
)
from maestro_analytics.warehouse.landing.accounting import Landed
from maestro_analytics.warehouse.landing.lists import kept_name, slices_of
from maestro_analytics.warehouse.ledger import DuckLedger, coverage, relative
from maestro_analytics.warehouse.lock import FolderLock
from maestro_analytics.warehouse.results import frame
from maestro_analytics.warehouse.state import create_all

PUBLISHED = "maestro.duckdb"
KEPT = "exports"


class Master:
    """The private master database of a data folder, for the one process that writes to it. A context manager.

    Call `Master.open`. The ledger may be used from any thread while a landing runs; the other methods run one at a
    time.

    Attributes:
        folder: the data folder.
        path: the database file, `master/maestro.duckdb` in it.
        ledger: the ledger of exports.
    """

    def __init__(self, folder: Path, path: Path, lock: FolderLock | None, *, host: str | None = None) -> None:
        self.folder = folder
        self.path = path
        self._host = host
        self._port: int | None = None
        self._lock = lock
        self._connection: duckdb.DuckDBPyConnection | None = open_file(path)
        self._is_closed = False
        self._working = threading.RLock()
        self._entering = threading.RLock()
        self.ledger = DuckLedger(self._ledger_session, folder)
        try:
            check_layout(self._connection, path)
            create_all(self._connection)
        except BaseException:
            self._connection.close()
            raise

    @classmethod
    def open(cls, data_folder: Path, *, host: str | None = None, command: str | None = None) -> Self:
        """Open or create the master of a data folder, and lock the folder.

        Args:
            data_folder: created if it does not exist.
            host: of the account's API; None when no API is called.
            command: the running command, shown to a process that finds the folder in use.

        Raises:
            AnotherRefresh: another process writes to the folder.
            SettingsError: the folder belongs to another account host, or a newer version of this program wrote it.
            MaestroError: the master cannot be opened.
        """
        folder = data_folder.absolute()
        if "?" in str(folder):
            raise SettingsError(
                f"the data folder {folder} has a ? in its path, which DuckDB cannot open: set MAESTRO_DATA to another."
            )
        inner = folder / "master"
        lock = FolderLock(folder, inner)
        try:
            for needed in (folder, inner, folder / KEPT):
                make_private_folder(needed)
            lock.acquire()
            # Before anything is written: the files of a killed process may fill the disk.
            clean_up(folder)
            lock.name_holder(command)
        except OSError as error:
            lock.release()
            raise SettingsError(
                f"the data folder {folder} cannot be written ({error.strerror or error}): free space or correct the "
                "permissions, or set MAESTRO_DATA to another."
            ) from None
        try:
            path = inner / PUBLISHED
            if not path.exists() and (folder / PUBLISHED).exists():
                # The master was lost: start from the published copy.
                half_made = path.with_name("recovered.new.duckdb")
                publish.copy_file(folder / PUBLISHED, half_made)
                replace_durably(half_made, path)
            master = cls(folder, path, lock, host=host)
        except BaseException:
            lock.release()
            raise
        try:
            master._check_host()
        except BaseException:
            master.close()
            raise
        return master

    @property
    def connection(self) -> duckdb.DuckDBPyConnection:
        """The session that lands. Do not keep it: publishing closes it, and the next use opens another one."""
        if self._connection is None:
            with self._entering:
                if self._is_closed:
                    raise MaestroError(f"the master database of {self.folder} is closed")
                if self._connection is None:
                    self._connection = open_file(self.path)
        return self._connection

    def query(self, sql: str) -> pl.DataFrame:
        """The rows of a query, as a polars frame."""
        return frame(self.connection, sql)

    @property
    def staging(self) -> Path:
        """The folder of staged rows: `read_export(..., staging=master.staging / NAME)`."""
        return self.folder / "master" / "staging"

    @property
    def exports_folder(self) -> Path:
        """The folder of received files."""
        return self.folder / KEPT

    def land(self, export: ExportRecord, delivery: Delivery | None) -> Landed:
        """Land what was read of an export: rows, state and ledger in one transaction.

        Args:
            export: its record in the ledger, received or empty.
            delivery: what was read; None for an export that is complete and has nothing to download.

        Returns:
            what became of every row. With refused files in it, the window is not covered.
        """
        with self._working:
            self._claim_host()
            return landing.land(self.connection, [(export, delivery)], self.folder)[0]

    def land_together(self, arrived: Sequence[tuple[ExportRecord, Delivery | None]]) -> list[Landed]:
        """Land several exports of a kind in one transaction, in this order, with the result of one by one.

        Args:
            arrived: exports with what `read_exports` read of them, each plain (`landing.together.is_plain`) and all
                with the same tables and columns.

        Raises:
            NotTogether: the result would not be the same. Nothing has landed.
        """
        with self._working:
            self._claim_host()
            return landing.land(self.connection, arrived, self.folder)

    def land_coaching(
        self,
        table_name: str,
        records: Iterable[dict[str, Any]],
        *,
        taken_at: datetime,
        slices: Sequence[Window] = (),
    ) -> Landed:
        """Replace a coaching table by a complete list of the API's records, and keep the list for `replay`.

        Args:
            records: iterated several times.
            slices: creation dates of which `records` is everything, other records stay; without slices `records` is
                the whole list.

        Raises:
            TooManyBadRows: more bad records than the budget allows; the table stays as it was.
        """
        with self._working:
            self._claim_host()
            return landing.land_coaching(
                self.connection, table_name, records, self.folder / KEPT, taken_at=taken_at, slices=slices
            )

    def list_slices(self, table_name: str) -> list[tuple[Window, datetime]]:
        """The slices in which a long coaching list was read, and when; empty if its kept list is gone."""
        if not (self.folder / KEPT / kept_name(table_name)).exists():
            return []
        return slices_of(self.connection, table_name)

    def records_by_day(self, table_name: str) -> list[tuple[datetime, int]]:
        """How many records of a coaching list were created on each day, in order."""
        days = frame(
            self.connection,
            f"select date_trunc('day', created_at), count(*) from main.{table_name} "
            "where created_at is not null group by all order by all",
        )
        return list(days.iter_rows())

    def refuse(self, export: ExportRecord, error: UnreadableFile) -> Landed:
        """Record that a kept file could not be read. Nothing lands, and its window is not covered."""
        with self._working:
            return landing.refuse(self.connection, export, error, self.folder)

    def land_pruned(self, exports: Sequence[ExportRecord]) -> None:
        """Restore what the ledger tells of exports of a kind whose files were pruned: windows, if all had landed."""
        with self._working:
            landing.land_pruned(self.connection, exports)

    def first_since(self) -> dict[str, datetime]:
        """Windowed kind -> the earliest moment that a finished run has fetched."""
        with self._working:
            return dict(frame(self.connection, "select kind, since from state.starts").iter_rows())

    def remember_starts(self, starts: Mapping[str, datetime], *, forget: bool = False) -> None:
        """Remember from when a run has fetched each kind; later runs keep the time since then complete.

        Args:
            forget: whether these starts replace earlier ones, also where those are earlier.
        """
        with self._working:
            known = {} if forget else self.first_since()
            for kind, since in starts.items():
                self.connection.execute("delete from state.starts where kind = ?", [kind])
                earliest = min(since, known.get(kind, since))
                self.connection.execute("insert into state.starts values (?, ?)", [kind, earliest])

    def belongs_to(self, host: str, port: int) -> None:
        """Set the host that the folder belongs to from the next landing on."""
        self._host, self._port = host, port

    def has_landed(self) -> bool:
        """Whether anything has ever landed here, so that there is something to publish."""
        return bool(
            scalar(
                self.connection,
                "select (select host from state.account) is not null "
                "or exists (from state.exports where landing is not null)",
            )
        )

    def is_published(self) -> bool:
        """Whether the published file has every export that has landed: not where an earlier run failed to publish."""
        try:
            self.connection.execute(f"attach {text_literal(str(self.folder / PUBLISHED))} as published (read_only)")
        except duckdb.Error:
            return False
        try:
            newest = "(select max(landing) from state.exports) = (select max(landing) from published.state.exports)"
            return bool(scalar(self.connection, f"select {newest}"))
        finally:
            self.connection.execute("detach published")

    def coverage(self, kind: str) -> list[Window]:
        """The covered periods of `kind`, in order; neighbours are joined."""
        with self._working:
            return coverage(self.connection, kind)

    def resolve_people(self) -> None:
        """Rebuild `agents` and `agent_ids` from groups, grades and coaching records. `publish` does this too."""
        with self._working:
            agents.resolve(self.connection)

    def start_refresh(self, *, since: datetime | None, until: datetime, kinds: Sequence[str], at: datetime) -> int:
        """Record the start of a run in state.refreshes; returns its id."""
        with self._working:
            refresh_id = int(scalar(self.connection, "select coalesce(max(refresh_id), 0) + 1 from state.refreshes"))
            self.connection.execute(
                "insert into state.refreshes (refresh_id, started_at, since, until, kinds, status) "
                "values (?, ?, ?, ?, ?, 'running')",
                [refresh_id, at, since, until, list(kinds)],
            )
            return refresh_id

    def finish_refresh(
        self, refresh_id: int, *, status: str, requests: int, quarantined: int, error: str | None, at: datetime
    ) -> None:
        """Record how a run ended: `complete`, `partial` or `failed`."""
        with self._working:
            self.connection.execute(
                "update state.refreshes set finished_at = ?, status = ?, requests = ?, quarantined = ?, error = ? "
                "where refresh_id = ?",
                [at, status, requests, quarantined, error, refresh_id],
            )

    def publish(self) -> Path:
        """Publish what has landed, atomically; returns the published file.

        The master is closed while it is copied: closing a second handle of an open file would drop DuckDB's lock.
        """
        with self._working, self._entering:
            self._remove_pruned_files()
            publish.prepare(self.connection)
            is_readable = has_published_storage(self.connection)
            steps.reached("prepared")
            self.connection.execute("checkpoint")  # unlike the one of closing, it raises an error when the disk is full
            self._close_file()
            if not is_readable:
                publish.compact(self.path)
            return publish.publish(self.path, self.folder / PUBLISHED)

    def _remove_pruned_files(self) -> None:
        """Remove the kept files of exports with `pruned_at`. The ledger names each file until it is gone."""
        pruned = self.ledger.records("pruned_at is not null and file is not null")
        for export in pruned:
            names = [export.seq, relative(export.file, self.folder) if export.file else None]
            shared = "select count(*) from state.exports where seq <> ? and file = ? and pruned_at is null"
            if export.file and not scalar(self.connection, shared, names):
                export.file.unlink(missing_ok=True)
            self.connection.execute("update state.exports set file = null where seq = ?", [export.seq])

    def compact(self) -> tuple[int, int]:
        """Rewrite the master without the space of deleted rows; returns its size in bytes before and after."""
        with self._working, self._entering:
            before = self.path.stat().st_size
            self._close_file()
            publish.compact(self.path)
            return before, self.path.stat().st_size

    def replace_file(self, new: Path) -> None:
        """Replace the master by another database file, atomically."""
        with self._working, self._entering:
            self._close_file()
            replace_durably(new, self.path)

    def close(self) -> None:
        """Close the database and release the lock of the folder. May be called again."""
        with self._working, self._entering:
            self._close_file()
            self._is_closed = True
            if self._lock is not None:
                shutil.rmtree(self.staging, ignore_errors=True)
                self._lock.release()
                self._lock = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    @contextmanager
    def _ledger_session(self) -> Iterator[duckdb.DuckDBPyConnection]:
        with self._entering:
            session = configure_session(self.connection.cursor())
            try:
                yield session
            finally:
                session.close()

    def _close_file(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _check_host(self) -> None:
        if not self._host:
            return
        owner, port = frame(self.connection, "select host, port from state.account").row(0)
        if owner is None or owner == self._host:
            return
        raise SettingsError(
            f"{self.folder} holds the data of {owner}{f':{port}' if port else ''}, and MAESTRO_BASE_URL names "
            f"{self._host}{f':{self._port}' if self._port else ''}: two accounts are never mixed. Set MAESTRO_DATA to "
            "another folder, or MAESTRO_BASE_URL to the account of this one."
        )

    def _claim_host(self) -> None:
        """Record the host at the first landing, so that a mistyped host does not claim the folder."""
        if self._host:
            self.connection.execute(
                "update state.account set host = $host, port = coalesce($port, port) "
                "where host is distinct from $host or port is distinct from $port",
                {"host": self._host, "port": self._port},
            )


def open_file(path: Path) -> duckdb.DuckDBPyConnection:
    """Open the master database at `path`.

    Raises:
        MaestroError: DuckDB cannot open it.
    """
    is_new = not path.exists()
    try:
        connection = open_master_file(path, spill=path.parent / "spill")
        if is_new:
            make_private(path)
        return connection
    except duckdb.Error as error:
        raise MaestroError(
            f"the private master database {path} cannot be opened ({str(error).splitlines()[0]}). If another program "
            "has it open, close that; otherwise move it away and run `maestro-analytics replay`: it is rebuilt from "
            f"{KEPT}/."
        ) from error


def clean_up(folder: Path) -> None:
    """Remove the unfinished files of a killed process."""
    beside_published = (folder / PUBLISHED).resolve().parent
    for left_over in (
        *beside_published.glob(".maestro-*.part*"),
        *(folder / "master").glob("*.new*"),
        *(folder / KEPT).glob(".*.part"),
    ):
        left_over.unlink(missing_ok=True)
    for left_folder in ("staging", "spill"):
        shutil.rmtree(folder / "master" / left_folder, ignore_errors=True)
