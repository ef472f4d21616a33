"""Read the published database."""

from __future__ import annotations

import logging
import threading
from datetime import datetime
from pathlib import Path
from typing import Any, Self

import duckdb
import polars as pl

from maestro_analytics.errors import EmptyStore, InvalidArgument
from maestro_analytics.settings import Settings
from maestro_analytics.warehouse.connection import Parameters, frame, open_published_file
from maestro_analytics.warehouse.layout import check_layout
from maestro_analytics.warehouse.read_only import restrict
from maestro_analytics.warehouse.sql_files import add_missing_views, query_with_variables
from maestro_analytics.warehouse.status import Overview, overview

log = logging.getLogger("maestro_analytics.warehouse")


class Store:
    """A published database, read-only. It never blocks a refresh and is never blocked by one.

    The open database does not change when a refresh publishes a newer one; `reload` opens the newest. A context
    manager. Threads may share it: their queries run one after the other.

    Args:
        path: the published file.
        is_restricted: whether its queries may read this file only, and no other file of the machine.

    Raises:
        EmptyStore: the file does not exist.
        SettingsError: a newer version of this program wrote it.
    """

    def __init__(self, path: Path, *, is_restricted: bool = False) -> None:
        self.path = path.absolute()
        self._is_restricted = is_restricted
        self._turn = threading.RLock()
        self._connection: duckdb.DuckDBPyConnection | None = None
        self._opened_as: tuple[int, int, int] | None = None
        self.reload()

    def sql(self, query: str, params: Parameters = None, *, limit: int | None = None) -> pl.DataFrame:
        """The rows of any SQL query, as polars, or the first `limit` of them.

        `params` are bound to `?` (a list) or `$name` (a mapping). `.to_pandas()` of the frame needs pandas:
        `pip install 'maestro-analytics[pandas]'`.
        """
        with self._turn:
            return frame(self._session, query, params, limit=limit)

    def interrupt(self) -> None:
        """End the query that another thread runs; it raises `duckdb.InterruptException` there."""
        self._session.interrupt()

    def query(self, name: str, /, **variables: Any) -> pl.DataFrame:
        """The rows of `sql/queries/NAME.sql`; its variables are set for this query only. None leaves one unset.

        Raises:
            UnknownName: there is no such query, or it reads no such variable.
        """
        text, wanted = query_with_variables(name, variables)
        with self._turn:
            return frame(self._session, text, variables=wanted)

    def reload(self) -> bool:
        """Open the newest published file; returns whether it differs from the one that was open.

        Raises:
            EmptyStore: the file is gone; the open database stays open.
        """
        with self._turn:
            try:
                found = self.path.stat()
            except FileNotFoundError:
                raise EmptyStore(path=self.path) from None
            newest = (found.st_dev, found.st_ino, found.st_mtime_ns)
            if newest == self._opened_as:
                return False
            fresh = open_published_file(self.path)
            try:
                check_layout(fresh, self.path)
                add_missing_views(fresh)
                if self._is_restricted:
                    restrict(fresh)
            except BaseException:
                fresh.close()
                raise
            if self._connection is not None:
                self._connection.close()
            self._connection, self._opened_as = fresh, newest
            return True

    @property
    def refreshed_at(self) -> datetime | None:
        """When the open database was published."""
        moment = self.sql("select published_at from state.account").item()
        return moment if isinstance(moment, datetime) else None

    def overview(self) -> Overview:
        """How fresh and how complete the data is; see `Overview`."""
        with self._turn:
            return overview(self._session, self.path)

    def close(self) -> None:
        """Close the database. May be called again."""
        with self._turn:
            if self._connection is not None:
                self._connection.close()
                self._connection = None
                self._opened_as = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Store {self.path}{', closed' if self._connection is None else ''}>"

    def _repr_html_(self) -> str:
        if self._connection is None:
            return f"<p>{self.path}, closed</p>"
        return self.overview().html()

    @property
    def _session(self) -> duckdb.DuckDBPyConnection:
        if self._connection is None:
            raise InvalidArgument(f"the store of {self.path} is closed; open it again with ma.open()")
        return self._connection


def open(path: Path | str | None = None, *, is_restricted: bool = False) -> Store:
    """Open the published database read-only.

    Args:
        path: the database file. Default: that of the data folder in the settings. If only the sandbox has been
            refreshed there, the sandbox's database is opened, and a warning is logged.
        is_restricted: see `Store`.

    Raises:
        EmptyStore: nothing has been refreshed yet.
    """
    if path is not None:
        return Store(Path(path), is_restricted=is_restricted)
    settings = Settings.from_environment()
    if not settings.database.exists() and settings.sandbox_database.exists():
        log.warning("%s does not exist: using the sandbox's data in %s", settings.database, settings.sandbox_database)
        return Store(settings.sandbox_database, is_restricted=is_restricted)
    return Store(settings.database, is_restricted=is_restricted)
