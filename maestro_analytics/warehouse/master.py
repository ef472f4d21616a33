"""The private master database, which only one process at a time writes to."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Self

import duckdb

from maestro_analytics.errors import MaestroError, SettingsError, UnreadableFile
from maestro_analytics.exports import ExportRecord, Window
from maestro_analytics.settings import is_another_server
from maestro_analytics.tables.delivery import Delivery
from maestro_analytics.warehouse import agents, landing, publish, runs
from maestro_analytics.warehouse.connection import frame, open_master_file, prepared, value
from maestro_analytics.warehouse.landing import accounting
from maestro_analytics.warehouse.landing.accounting import Landed
from maestro_analytics.warehouse.ledger import DuckLedger
from maestro_analytics.warehouse.lock import FolderLock
from maestro_analytics.warehouse.state import create_all

PUBLISHED = "maestro.duckdb"
KEPT = "exports"


class Master:
    """The master database of a data folder. A context manager; `open` is how to get one.

    Sessions of the ledger may come from any thread while a landing runs; landing, publishing and the rest are for one
    thread at a time.

    Attributes:
        folder: the data folder.
        path: the database file, `master/maestro.duckdb` in it.
        ledger: the ledger of exports.
    """

    def __init__(
        self,
        folder: Path,
        path: Path,
        lock: FolderLock | None,
        *,
        host: str | None = None,
        port: int | None = None,
    ) -> None:
        self.folder = folder
        self.path = path
        self._host = host
        self._port = port
        self._lock = lock
        self._connection: duckdb.DuckDBPyConnection | None = open_file(path)
        self._working = threading.RLock()
        self._entering = threading.RLock()
        self.ledger = DuckLedger(self._ledger_session, folder)
        create_all(self._connection)

    @classmethod
    def open(
        cls, data_folder: Path, *, host: str | None = None, port: int | None = None, command: str | None = None
    ) -> Self:
        """Open, or make, the master of a data folder, and take the right to write to the folder.

        Args:
            data_folder: made when it is not there.
            host, port: of the account's API; None where no API is asked.
            command: what this process is, for the message to whoever finds the folder in use.

        Raises:
            AnotherRefresh: the folder is being written to.
            SettingsError: the folder belongs to another account host.
            MaestroError: the master cannot be opened.
        """
        folder = data_folder.absolute()
        inner = folder / "master"
        lock = FolderLock(folder, inner)
        try:
            inner.mkdir(parents=True, exist_ok=True)
            (folder / KEPT).mkdir(exist_ok=True)
            lock.acquire(command)
        except OSError as error:
            raise SettingsError(
                f"the data folder {folder} cannot be written ({error.strerror or error}): set MAESTRO_DATA to another."
            ) from None
        try:
            clean_up(folder)
            path = inner / PUBLISHED
            if not path.exists() and (folder / PUBLISHED).exists():
                # The master was lost: what was published is what it was.
                half_made = path.with_name("recovered.new.duckdb")
                publish.copy_file(folder / PUBLISHED, half_made)
                publish.replace_durably(half_made, path)
            master = cls(folder, path, lock, host=host, port=port)
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
        """The session that lands. Do not keep it: publishing closes it and opens another."""
        if self._connection is None:
            raise MaestroError(f"the master database of {self.folder} is closed")
        return self._connection

    @property
    def staging(self) -> Path:
        """The folder for checked rows on their way: `read_export(..., staging=master.staging / NAME)`."""
        return self.folder / "master" / "staging"

    @property
    def exports_folder(self) -> Path:
        """Where received files are kept."""
        return self.folder / KEPT

    def land(
        self, export: ExportRecord, delivery: Delivery | None, *, step: Callable[[str], None] = lambda done: None
    ) -> Landed:
        """Land what was read of an export, all of it and what is to be remembered of it in one transaction.

        Args:
            export: its record in the ledger, received or empty.
            delivery: what was read; None for an export that is complete and has nothing to download.
            step: called after each step, with its name; tests kill the process in it.

        Returns:
            what became of every row. Files that were refused are told in it, and their window is not covered.
        """
        with self._working:
            self._claim_host()
            return landing.land(self.connection, export, delivery, self.folder, step)

    def land_coaching(
        self,
        table_name: str,
        records: Sequence[Mapping[str, Any]],
        *,
        taken_at: datetime,
        step: Callable[[str], None] = lambda done: None,
    ) -> Landed:
        """Replace a coaching table by a complete list of the API's records, and keep the list for `replay`.

        Raises:
            TooManyBadRows: more bad records than the budget allows; the table stays as it was.
        """
        with self._working:
            self._claim_host()
            return landing.land_coaching(
                self.connection, table_name, records, self.folder / KEPT, taken_at=taken_at, step=step
            )

    def refuse(self, export: ExportRecord, error: UnreadableFile) -> Landed:
        """Enter that a kept file could not be read at all. Nothing lands, and its window is not covered."""
        with self._working:
            return landing.refuse(self.connection, export, error, self.folder)

    def first_since(self) -> datetime | None:
        """The earliest moment that any run was to fetch from; None before the first."""
        with self._working:
            return runs.first_since(self.connection)

    def has_landed(self) -> bool:
        """Whether anything ever landed here: only then is there something to publish."""
        return value(self.connection, "select host is not null from state.account") is True

    def coverage(self, kind: str) -> list[Window]:
        """The stretches of time of which everything of `kind` has landed, in order, none touching the next."""
        with self._working:
            return accounting.coverage(self.connection, kind)

    def resolve_people(self) -> None:
        """Make `agents` and `agent_ids` anew from groups, grades and coaching records. Publishing does it."""
        with self._working:
            agents.resolve(self.connection)

    def start_refresh(self, *, since: datetime | None, until: datetime, kinds: Sequence[str], at: datetime) -> int:
        """Enter a run in state.refreshes; returns its id."""
        with self._working:
            return runs.start(self.connection, since=since, until=until, kinds=kinds, at=at)

    def finish_refresh(
        self, refresh_id: int, *, status: str, requests: int, quarantined: int, error: str | None, at: datetime
    ) -> None:
        """Enter how a run ended: `complete`, `partial` or `failed`."""
        with self._working:
            runs.finish(
                self.connection,
                refresh_id,
                status=status,
                requests=requests,
                quarantined=quarantined,
                error=error,
                at=at,
            )

    def publish(self, *, step: Callable[[str], None] = lambda done: None) -> Path:
        """Make what has landed visible to readers, at once; returns the published file.

        The file is copied while it is closed: a second handle of it, closed, would drop DuckDB's lock.
        """
        with self._working, self._entering:
            publish.prepare(self.connection)
            step("prepared")
            self._close_file()
            try:
                return publish.publish(self.path, self.folder / PUBLISHED, step)
            finally:
                self._connection = open_file(self.path)

    def compact(self) -> tuple[int, int]:
        """Write the master anew without the holes that deleted rows leave; returns its bytes before and after."""
        with self._working, self._entering:
            before = self.path.stat().st_size
            self._close_file()
            try:
                publish.compact(self.path)
            finally:
                self._connection = open_file(self.path)
            return before, self.path.stat().st_size

    def replace_file(self, new: Path) -> None:
        """Put another database in the place of this one, in one step."""
        with self._working, self._entering:
            self._close_file()
            try:
                publish.replace_durably(new, self.path)
            finally:
                self._connection = open_file(self.path)

    def close(self) -> None:
        """Close the database and let go of the folder. May be called again."""
        with self._working, self._entering:
            if self._connection is not None:
                self._close_file()
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
            session = prepared(self.connection.cursor())
            try:
                yield session
            finally:
                session.close()

    def _close_file(self) -> None:
        self.connection.close()
        self._connection = None

    def _check_host(self) -> None:
        if not self._host:
            return
        owner, port = frame(self.connection, "select host, port from state.account").row(0)
        if owner is None or (owner == self._host and not is_another_server(owner, port, self._port)):
            return
        raise SettingsError(
            f"{self.folder} holds the data of {owner}{f':{port}' if port else ''}, and MAESTRO_BASE_URL names "
            f"{self._host}{f':{self._port}' if self._port else ''}: two accounts are never mixed. Set MAESTRO_DATA to "
            "another folder, or MAESTRO_BASE_URL to the account of this one."
        )

    def _claim_host(self) -> None:
        """The folder belongs to a host from the first landing on, not from the first try to reach it."""
        if self._host:
            self.connection.execute(
                "update state.account set host = $host, port = coalesce($port, port) "
                "where host is null or port is distinct from $port",
                {"host": self._host, "port": self._port},
            )


def open_file(path: Path) -> duckdb.DuckDBPyConnection:
    """The master database at `path`.

    Raises:
        MaestroError: DuckDB cannot open it.
    """
    try:
        return open_master_file(path, spill=path.parent / "spill")
    except duckdb.Error as error:
        raise MaestroError(
            f"the private master database {path} cannot be opened ({str(error).splitlines()[0]}). If another program "
            "has it open, close that; else move it away and run `maestro-analytics replay`, which builds it anew from "
            f"{KEPT}/."
        ) from error


def clean_up(folder: Path) -> None:
    """Remove what a killed process left half made."""
    for left_over in (*folder.glob(".maestro-*.part*"), *(folder / "master").glob("*.new*")):
        left_over.unlink(missing_ok=True)
    for left_folder in ("staging", "spill"):
        shutil.rmtree(folder / "master" / left_folder, ignore_errors=True)
