"""How fresh and how complete a database is: what `status` prints and a notebook shows."""

from __future__ import annotations

import html
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import duckdb
import polars as pl

from maestro_analytics.kinds import EXPORT_KINDS
from maestro_analytics.warehouse.connection import frame, scalar
from maestro_analytics.warehouse.quoting import quoted

TRY_NEXT = (
    'qa.sql("select * from grades limit 10")',
    'qa.query("agent_scores")',
    'qa.sql("select * from state.coverage")',
)


@dataclass(frozen=True)
class Overview:
    """What is known of a database as a whole.

    Attributes:
        published_at: when it was published; None for a master that never was.
        rows: table -> rows.
        coverage: one row per stretch of time covered: `kind`, `window_start`, `window_end`.
        gaps: one row per stretch between two covered ones, or from the first moment that a refresh asked for to the
            first covered one: `kind`, `gap_start`, `gap_end`.
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
    coverage: pl.DataFrame
    gaps: pl.DataFrame
    quarantine: pl.DataFrame
    unlanded: pl.DataFrame
    refreshes: pl.DataFrame
    last_complete: datetime | None
    requests_last_day: int
    bytes: int

    def lines(self) -> list[str]:
        """The overview as lines of text."""
        when = f"{self.published_at:%Y-%m-%d %H:%M} UTC" if self.published_at else "never"
        lines = [f"{self.path}: published {when}" + (f", account {self.host}" if self.host else "")]
        lines += [
            f"covered {kind}: {start:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} UTC"
            for kind, start, end in self.coverage.iter_rows()
        ]
        lines += [
            f"missing {kind}: {start:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} UTC"
            for kind, start, end in self.gaps.iter_rows()
        ]
        lines += [f"quarantined: {rows} of {name}" for name, rows, _ in self.quarantine.iter_rows()]
        return lines

    def stale(self, max_age: timedelta, *, now: datetime) -> list[str]:
        """What is older than `max_age` or missing, a line each; none for data that is fresh and without gaps."""
        oldest = now - max_age
        problems = []
        if self.last_complete is None:
            problems.append("no refresh has been complete yet; run `maestro-analytics refresh`")
        elif self.last_complete < oldest:
            problems.append(f"the last complete refresh ended {self.last_complete:%Y-%m-%d %H:%M} UTC")
        ends = self.coverage.group_by("kind").agg(pl.col("window_end").max()).sort("kind")
        problems += [f"{kind} is covered up to {end:%Y-%m-%d %H:%M} UTC" for kind, end in ends.rows() if end < oldest]
        if ends.is_empty():
            problems.append("no time is covered")
        gaps = self.gaps.iter_rows()
        problems += [f"{kind} lacks {start:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} UTC" for kind, start, end in gaps]
        return problems

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


def overview(connection: duckdb.DuckDBPyConnection, path: Path) -> Overview:
    """The overview of a database, published or master."""
    covered = frame(connection, "select kind, window_start, window_end from state.coverage order by kind, window_start")
    # A file that an earlier version published has no state.starts.
    has_starts = scalar(
        connection, "select count(*) from duckdb_tables() where schema_name = 'state' and table_name = 'starts'"
    )
    starts = "state.starts" if has_starts else "(select null as kind, null::timestamptz as since where false) as starts"
    gaps = frame(
        connection,
        f"""
        with following as (
            select kind, window_end as gap_start,
                lead(window_start) over (partition by kind order by window_start) as gap_end
            from state.coverage
            union all
            select starts.kind, any_value(starts.since), min(coverage.window_start)
            from {starts} join state.coverage on coverage.kind = starts.kind
            group by starts.kind
        )
        select * from following where gap_start < gap_end order by kind, gap_start
        """,
    )
    quarantine = frame(
        connection,
        "select table_name, count(*) as rows, count(*) filter (where file_refused) as of_refused_files "
        "from state.quarantine group by table_name order by table_name",
    )
    snapshots = [kind for kind in EXPORT_KINDS.values() if not kind.windowed]
    unlanded = frame(
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
    refreshes = frame(connection, "select * from state.refreshes order by refresh_id desc limit 10")
    last_complete = frame(connection, "select max(finished_at) from state.refreshes where status = 'complete'")
    requests = scalar(
        connection,
        "select coalesce(sum(requests), 0)::bigint from state.refreshes where started_at > now() - interval 24 hours",
    )
    account = frame(connection, "select host, published_at from state.account").row(0)
    return Overview(
        path=path,
        host=account[0],
        published_at=account[1],
        newest_grade=frame(connection, "select max(date_graded) as moment from total_scores").item(),
        rows=_rows_of_tables(connection),
        coverage=covered,
        gaps=gaps,
        quarantine=quarantine,
        unlanded=unlanded,
        refreshes=refreshes,
        last_complete=last_complete.item(),
        requests_last_day=int(requests),
        bytes=path.stat().st_size,
    )


def _rows_of_tables(connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """Table -> rows, in order of name.

    The names come from the database: to import the schemas takes as long as all of `status`.
    """
    tables = connection.execute(
        "select table_name from duckdb_tables() where schema_name = 'main' and database_name = current_database() "
        "and not temporary order by table_name"
    ).fetchall()
    return {name: int(scalar(connection, f"select count(*) from main.{quoted(name)}")) for (name,) in tables}
