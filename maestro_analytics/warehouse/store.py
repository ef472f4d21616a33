"""Read the published database, see how fresh and how complete it is, and refuse queries that write."""

from __future__ import annotations

import html
import logging
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import duckdb

from maestro_analytics.errors import EmptyStore, InvalidArgument
from maestro_analytics.kinds import EXPORT_KINDS
from maestro_analytics.settings import Settings
from maestro_analytics.warehouse.connection import (
    Parameters,
    check_layout,
    open_published_file,
    quoted,
    rows,
    scalar,
    text_literal,
    text_rows,
)
from maestro_analytics.warehouse.sql_files import add_missing_views, query_with_variables

if TYPE_CHECKING:
    import polars as pl

TRY_NEXT = (
    'qa.sql("select * from grades limit 10")',
    'qa.query("agent_scores")',
    'qa.sql("select * from state.coverage")',
)
QUERIES = {"SELECT", "EXPLAIN", "MULTI", "RELATION"}
"""Types of statements that give rows. PIVOT is a MULTI."""
SESSION = {"SET", "VARIABLE_SET", "PRAGMA", "CALL", "LOAD"}
"""Types that change this session alone."""
Rows = list[dict[str, Any]]
log = logging.getLogger("maestro_analytics.warehouse")


@dataclass(frozen=True)
class Overview:
    """What is known of a database as a whole.

    Attributes:
        published_at: when it was published; None for a master that never was.
        rows: table -> rows.
        coverage: one row per stretch of time covered: `kind`, `window_start`, `window_end`.
        gaps: one row per stretch between two covered ones, or from the first moment that a refresh asked for to the
            first covered one: `kind`, `gap_start`, `gap_end`. Of a kind without any, the time that was asked
            for is one, if a run with it was ever complete: the token may not be allowed to read the audit log.
        quarantine: one row per table with refused rows: `table_name`, `rows`, `of_refused_files`.
        unlanded: one row per export that failed, timed out, or of which a file was refused, and that no later export
            of the same time has made good: `seq`, `kind`, `window_start`, `window_end`, `status`, `error`.
        refreshes: the last ten runs, the newest first.
        last_complete: when the last complete run ended; None if there was none.
        requests_last_day: API calls of the runs of the last 24 hours.
        bytes: size of the file.
    """

    path: Path
    host: str | None
    published_at: datetime | None
    newest_grade: datetime | None
    rows: dict[str, int]
    coverage: Rows
    gaps: Rows
    quarantine: Rows
    unlanded: Rows
    refreshes: Rows
    last_complete: datetime | None
    requests_last_day: int
    bytes: int

    def lines(self) -> list[str]:
        """The overview as lines of text."""
        when = f"{self.published_at:%Y-%m-%d %H:%M} UTC" if self.published_at else "never"
        lines = [f"{self.path}: published {when}" + (f", account {self.host}" if self.host else "")]
        lines += [f"covered {each['kind']}: {_period(each, 'window')}" for each in self.coverage]
        lines += [f"missing {each['kind']}: {_period(each, 'gap')}" for each in self.gaps]
        lines += [f"quarantined: {each['rows']} of {each['table_name']}" for each in self.quarantine]
        return lines

    def stale(self, max_age: timedelta, *, now: datetime) -> list[str]:
        """What is older than `max_age` or missing, a line each; none for data that is fresh and without gaps."""
        oldest = now - max_age
        problems = []
        if self.last_complete is None:
            problems.append("no refresh has been complete yet; run `maestro-analytics refresh`")
        elif self.last_complete < oldest:
            problems.append(f"the last complete refresh ended {self.last_complete:%Y-%m-%d %H:%M} UTC")
        in_order = sorted(self.coverage, key=itemgetter("kind", "window_end"))
        ends = {each["kind"]: each["window_end"] for each in in_order}
        problems += [f"{kind} is covered up to {end:%Y-%m-%d %H:%M} UTC" for kind, end in ends.items() if end < oldest]
        if not ends:
            problems.append("no time is covered")
        return problems + [f"{each['kind']} lacks {_period(each, 'gap')}" for each in self.gaps]

    def text(self) -> str:
        width = max(len(name) for name in self.rows)
        tables = [f"  {name:<{width}}  {rows:>12,}" for name, rows in self.rows.items()]
        return "\n".join([*self.lines(), "rows:", *tables, "try next:", *(f"  {each}" for each in TRY_NEXT)])

    def html(self) -> str:
        body = "".join(
            f'<tr><td style="text-align:left">{name}</td><td>{rows:,}</td></tr>' for name, rows in self.rows.items()
        )
        facts = "".join(f"<li>{html.escape(line)}</li>" for line in self.lines())
        tries = "".join(f"<li><code>{html.escape(each)}</code></li>" for each in TRY_NEXT)
        return (
            f"<ul>{facts}</ul><table><thead><tr><th style='text-align:left'>table</th><th>rows</th></tr></thead>"
            f"<tbody>{body}</tbody></table><p>Try next:</p><ul>{tries}</ul>"
        )


def _period(row: Mapping[str, Any], name: str) -> str:
    return f"{row[f'{name}_start']:%Y-%m-%d %H:%M} to {row[f'{name}_end']:%Y-%m-%d %H:%M} UTC"


def overview(connection: duckdb.DuckDBPyConnection, path: Path) -> Overview:
    """The overview of a database, published or master."""
    covered = rows(connection, "select kind, window_start, window_end from state.coverage order by kind, window_start")
    # A file that an earlier version published has no state.starts.
    has_starts = scalar(
        connection, "select count(*) from duckdb_tables() where schema_name = 'state' and table_name = 'starts'"
    )
    starts = "state.starts" if has_starts else "(select null as kind, null::timestamptz as since where false) as starts"
    gaps = rows(
        connection,
        f"""
        with following as (
            select kind, window_end as gap_start,
                lead(window_start) over (partition by kind order by window_start) as gap_end
            from state.coverage
            union all
            select
                starts.kind, any_value(starts.since),
                coalesce(min(coverage.window_start), (
                    select max(refreshes.until) from state.refreshes as refreshes
                    where list_contains(refreshes.kinds, starts.kind)
                ))
            from {starts} left join state.coverage on coverage.kind = starts.kind
            where coverage.kind is not null or starts.kind in (
                select unnest(refreshes.kinds) from state.refreshes as refreshes where refreshes.status = 'complete'
            )
            group by starts.kind
        )
        select * from following where gap_start < gap_end order by kind, gap_start
        """,
    )
    quarantine = rows(
        connection,
        "select table_name, count(*) as rows, count(*) filter (where file_refused) as of_refused_files "
        "from state.quarantine group by table_name order by table_name",
    )
    snapshots = [kind for kind in EXPORT_KINDS.values() if not kind.windowed]
    unlanded = rows(
        connection,
        """
        select seq, kind, window_start, window_end, status, error
        from state.exports as failed
        where status in ('partial', 'unreadable', 'errored', 'timed_out', 'failed')
            and not exists (
                select * from state.coverage as covered
                where covered.kind = failed.kind
                    and covered.window_start <= failed.window_start and covered.window_end >= failed.window_end
            )
            and not exists (
                select * from state.snapshots as taken
                where list_position($kinds, failed.kind) = list_position($tables, taken.table_name)
                    and taken.export_seq > failed.seq
            )
        order by seq
        """,
        {"kinds": [kind.name for kind in snapshots], "tables": [kind.tables[0] for kind in snapshots]},
    )
    refreshes = rows(connection, "select * from state.refreshes order by refresh_id desc limit 10")
    requests = scalar(
        connection,
        "select coalesce(sum(requests), 0)::bigint from state.refreshes where started_at > now() - interval 24 hours",
    )
    (known,) = rows(
        connection,
        """
        select host, published_at, (select max(date_graded) from total_scores) as newest_grade,
            (select max(finished_at) from state.refreshes where status = 'complete') as last_complete
        from state.account
        """,
    )
    return Overview(
        path=path,
        rows=_rows_of_tables(connection),
        coverage=covered,
        gaps=gaps,
        quarantine=quarantine,
        unlanded=unlanded,
        refreshes=refreshes,
        requests_last_day=int(requests),
        bytes=path.stat().st_size,
        **known,
    )


def _rows_of_tables(connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """Table -> rows, in order of name.

    The names come from the database: to import the schemas takes as long as all of `status`.
    """
    tables = connection.execute(
        "select table_name from duckdb_tables() where schema_name = 'main' and database_name = current_database() "
        "and not temporary order by table_name"
    ).fetchall()
    # In one statement: each takes longer to plan than to run.
    counts = [f"select {text_literal(name)}, count(*) from main.{quoted(name)}" for (name,) in tables]
    return dict(connection.execute(f"{' union all '.join(counts)} order by 1").fetchall())


def check_reads_only(query: str) -> None:
    """Check that `query` has a statement, and none that writes: neither tables nor files.

    Raises:
        InvalidArgument: it has none, one of them writes, or the text is not SQL.
    """
    kinds = _kinds(query)
    if not kinds:
        raise InvalidArgument("there is no SQL statement in this text: the query is empty.")
    for kind in kinds:
        if kind not in QUERIES | SESSION:
            raise InvalidArgument(_refusal(kind))


def check_is_one_query(query: str) -> None:
    """Check that `query` is one statement that gives rows, and nothing else.

    Raises:
        InvalidArgument: it is not.
    """
    kinds = _kinds(query)
    for kind in kinds:
        if kind not in QUERIES:
            raise InvalidArgument(_refusal(kind))
    if len(kinds) != 1:
        raise InvalidArgument(f"one query at a time: this text has {len(kinds)} statements.")


def restrict(connection: duckdb.DuckDBPyConnection) -> None:
    """Keep queries of `connection` from reading and writing other files, and from changing that."""
    connection.execute("set enable_external_access = false")
    connection.execute("set lock_configuration = true")


def _kinds(query: str) -> list[str]:
    try:
        return [statement.type.name for statement in duckdb.extract_statements(query)]
    except duckdb.Error as error:
        raise InvalidArgument(f"the query cannot be run: {error}") from None


def _refusal(kind: str) -> str:
    return (
        f"the database is read-only: {kind} statements are refused. Write a query that gives rows (SELECT, FROM, WITH, "
        "DESCRIBE, SHOW, SUMMARIZE)."
    )


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
        return self._frame(query, params, limit=limit)

    def sql_as_text(self, query: str, *, limit: int) -> tuple[list[str], list[tuple[str | None, ...]], list[bool]]:
        """The first `limit` rows of any SQL query as text; see `connection.text_rows`."""
        with self._turn:
            return text_rows(self._session, query, limit=limit)

    def interrupt(self) -> None:
        """End the query that another thread runs; it raises `duckdb.InterruptException` there."""
        self._session.interrupt()

    def query(self, name: str, /, **variables: Any) -> pl.DataFrame:
        """The rows of `sql/queries/NAME.sql`; its variables are set for this query only. None leaves one unset.

        Raises:
            UnknownName: there is no such query, or it reads no such variable.
        """
        text, wanted = query_with_variables(name, variables)
        return self._frame(text, variables=wanted)

    def _frame(self, *query: Any, **options: Any) -> pl.DataFrame:
        from maestro_analytics.warehouse.results import frame  # A repr and `status` need no polars.

        with self._turn:
            return frame(self._session, *query, **options)

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
        path: the database file, or a data folder. Default: the data folder in the settings. If only the sandbox has
            been refreshed in it, the sandbox's database is opened, and a warning is logged.
        is_restricted: see `Store`.

    Raises:
        EmptyStore: nothing has been refreshed yet.
    """
    if path is not None and not Path(path).is_dir():
        return Store(Path(path), is_restricted=is_restricted)
    settings = Settings.from_environment(data=path)
    if not settings.database.exists() and settings.sandbox_database.exists():
        log.warning("%s does not exist: using the sandbox's data in %s", settings.database, settings.sandbox_database)
        return Store(settings.sandbox_database, is_restricted=is_restricted)
    return Store(settings.database, is_restricted=is_restricted)
