"""The tables of schema `state`: facts about the data, committed in the same transaction."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import duckdb

from maestro_analytics.tables.columns import DUCKDB_TYPES, Table
from maestro_analytics.tables.headers import folded
from maestro_analytics.tables.schemas import MULTI_SELECT_QUESTIONS, TABLES
from maestro_analytics.warehouse.connection import LAYOUT, quoted
from maestro_analytics.warehouse.multi_select import add_multi_select_questions


@dataclass(frozen=True)
class StateTable:
    """A table of schema `state`: column -> (type, description)."""

    name: str
    grain: str
    columns: dict[str, tuple[str, str]]

    def ddl(self) -> str:
        body = ",\n    ".join(f"{quoted(name)} {kind}" for name, (kind, _) in self.columns.items())
        return f"create table if not exists state.{self.name} (\n    {body}\n)"


_EXPORT = {
    "export_seq": ("BIGINT", "The export; see state.exports.seq"),
    "export_id": ("VARCHAR", "The vendor's id of the export"),
}

EXPORTS = StateTable(
    "exports",
    "one row per export asked for",
    {
        "seq": (
            "BIGINT",
            "The order in which exports were asked for, and in which files were landed by hand",
        ),
        "kind": ("VARCHAR", "`raw`, `groups` or `audit`"),
        "window_start": ("TIMESTAMPTZ", "The first moment asked for; null for groups, which are a snapshot"),
        "window_end": ("TIMESTAMPTZ", "The moment up to which was asked, not in the window"),
        "export_id": ("VARCHAR", "The vendor's id; null until it is known"),
        "status": (
            "VARCHAR",
            "`planned`, `requested`, `received`, `empty` (nothing to download), `landed`, `partial` (a file of it was "
            "refused), `unreadable`, `errored`, `timed_out`, `failed`",
        ),
        "file": ("VARCHAR", "The kept file, below the data folder"),
        "sha256": ("VARCHAR", "Of the kept file"),
        "bytes": ("BIGINT", "Of the kept file"),
        "requested_at": (
            "TIMESTAMPTZ",
            "Just before the request was sent; of a file landed by hand: when it was asked for, or its newest moment",
        ),
        "asked_at": (
            "TIMESTAMPTZ",
            "The earlier of this machine's clock and the vendor's at the request; coverage ends a minute before it",
        ),
        "completed_at": ("TIMESTAMPTZ", "When the vendor had it complete, as we saw it"),
        "landed_at": ("TIMESTAMPTZ", "When its rows were landed"),
        "landing": ("BIGINT", "The order in which exports landed"),
        "error": ("VARCHAR", "What went wrong, in words"),
        "landed_from": ("VARCHAR", "The path of a file that was landed by hand; null for an export asked for"),
        "pruned_at": (
            "TIMESTAMPTZ",
            "When its kept file was removed because nothing needs it any more; null while it is kept",
        ),
        "total_columns": ("VARCHAR[]", "The columns of its total_scores file; re-grades compare what both exports had"),
    },
)

COVERAGE = StateTable(
    "coverage",
    "one row per stretch of time of which everything has landed",
    {
        "kind": ("VARCHAR", "`raw` or `audit`"),
        "window_start": ("TIMESTAMPTZ", "The first moment covered"),
        "window_end": ("TIMESTAMPTZ", "The moment up to which is covered, itself not"),
    },
)

QUARANTINE = StateTable(
    "quarantine",
    "one row per refused row of a file or list",
    {
        "table_name": ("VARCHAR", "The table it was meant for"),
        "file": ("VARCHAR", "The kept file, below the data folder"),
        "member": ("VARCHAR", "The file inside the zip; empty for a plain file"),
        "line": ("BIGINT", "The line it starts on; the first is 1. For lists: the number of the record"),
        "column_name": ("VARCHAR", "The first wrong column; null when the row itself is"),
        "reason": ("VARCHAR", "Everything that is wrong"),
        "raw": ("VARCHAR", "The row as it stands in the file"),
        "grade_key": ("VARCHAR", "The grade it belongs to, where that could be read"),
        "kind": ("VARCHAR", "`raw`, `groups`, `audit` or `coaching`"),
        **_EXPORT,
        "quarantined_at": ("TIMESTAMPTZ", "When the export was complete"),
        "file_refused": ("BOOLEAN", "Whether the whole file was refused, being over the budget"),
    },
)

SCHEMA_CHANGES = StateTable(
    "schema_changes",
    "one row per column that a table grew because a file had it",
    {
        "table_name": ("VARCHAR", "The table"),
        "column_name": ("VARCHAR", "The column in the table"),
        "name_in_file": ("VARCHAR", "The column in the file"),
        **_EXPORT,
        "changed_at": ("TIMESTAMPTZ", "When the export was complete"),
    },
)

DELETIONS = StateTable(
    "deletions",
    "one row per deleted grade, also one that had never landed",
    {
        "grade_key": ("VARCHAR", "The grade"),
        "source": ("VARCHAR", "The helpdesk the ticket came from"),
        "gradable_id": ("VARCHAR", "The ticket"),
        "rubric_id": ("VARCHAR", "The rubric"),
        "agent_id": ("VARCHAR", "The agent"),
        "grade_type": ("VARCHAR", "The type of grade"),
        "grader": ("VARCHAR", "Who graded"),
        **_EXPORT,
        "deleted_at": ("TIMESTAMPTZ", "When the export that said so was complete"),
        "date_graded": ("TIMESTAMPTZ", "The date of the deleted row, where it has one"),
        "reason": ("VARCHAR", "Why, where it was not the vendor who marked it deleted"),
    },
)

REFRESHES = StateTable(
    "refreshes",
    "one row per run of `maestro-analytics refresh`",
    {
        "refresh_id": ("BIGINT", "The run"),
        "started_at": ("TIMESTAMPTZ", "When it started"),
        "finished_at": ("TIMESTAMPTZ", "When it ended; null while it runs, and when it was killed"),
        "since": ("TIMESTAMPTZ", "From when it was to fetch"),
        "until": ("TIMESTAMPTZ", "Up to when it was to fetch"),
        "kinds": ("VARCHAR[]", "What it was to fetch"),
        "status": ("VARCHAR", "`running`, `complete`, `partial`, `failed`"),
        "requests": ("BIGINT", "API calls made"),
        "quarantined": ("BIGINT", "Rows refused"),
        "error": ("VARCHAR", "Why it failed"),
    },
)

PUSHES = StateTable(
    "pushes",
    "one row per metric value pushed to the vendor, as of the last publication",
    {
        "kind": ("VARCHAR", "`agent` or `ticket`"),
        "agent_id": ("VARCHAR", "The agent it was pushed for"),
        "ticket_id": ("VARCHAR", "The ticket, for ticket metrics"),
        "source_id": ("VARCHAR", "The ticket's source"),
        "metric_id": ("VARCHAR", "The metric"),
        "timestamp": ("TIMESTAMPTZ", "The moment it counts for"),
        "ticket_event_id": ("VARCHAR", "The event within the ticket"),
        "metric_value": ("DOUBLE", "The value"),
        "metric_deleted": ("BOOLEAN", "Whether the value was taken away"),
        "payload_hash": ("VARCHAR", "Tells a changed entry from one sent already"),
        "status": ("VARCHAR", "`planned`, `sent`, `acknowledged`, `rejected`, `unknown`"),
        "reason": ("VARCHAR", "The vendor's words for a rejection"),
        "sent_at": ("TIMESTAMPTZ", "When it was sent"),
        "acknowledged_at": ("TIMESTAMPTZ", "When the vendor confirmed it"),
        "acknowledged_value": ("DOUBLE", "The value that the vendor last confirmed"),
        "withdrawn": ("BOOLEAN", "Whether a newer computation does not have the entry any more"),
    },
)

GRADE_VERSIONS = StateTable(
    "grade_versions",
    "one row per live grade",
    {
        "grade_key": ("VARCHAR", "The grade"),
        "export_seq": ("BIGINT", "The export that its rows came from"),
        "date_graded": ("TIMESTAMPTZ", "The date of this version of the grade"),
    },
)

CSAT_VERSIONS = StateTable(
    "csat_versions",
    "one row per row of csat",
    {
        "source": ("VARCHAR", "The helpdesk"),
        "gradable_id": ("VARCHAR", "The ticket"),
        "export_seq": ("BIGINT", "The export that the row came from"),
    },
)

SNAPSHOTS = StateTable(
    "snapshots",
    "one row per table that is replaced as a whole",
    {
        "table_name": ("VARCHAR", "The table"),
        "export_seq": ("BIGINT", "The export it came from; null for lists"),
        "taken_at": ("TIMESTAMPTZ", "When the vendor had it so"),
        "rows": ("BIGINT", "Rows landed"),
    },
)

LIST_SLICES = StateTable(
    "list_slices",
    "one row per slice, by creation date, of a coaching list that is too long to be read whole in each run",
    {
        "table_name": ("VARCHAR", "The table"),
        "slice_start": ("TIMESTAMPTZ", "The first moment of creation in the slice"),
        "slice_end": ("TIMESTAMPTZ", "The moment of creation at which the slice ends; not in the slice"),
        "read_at": ("TIMESTAMPTZ", "When the slice was last read"),
    },
)

STARTS = StateTable(
    "starts",
    "one row per windowed kind: from when refreshes keep it complete",
    {
        "kind": ("VARCHAR", "`raw` or `audit`"),
        "since": ("TIMESTAMPTZ", "The earliest moment of a run that came through"),
    },
)

SETTLED = StateTable(
    "settled",
    "one row per windowed kind: up to when covered time was read late enough for updates that became visible late",
    {
        "kind": ("VARCHAR", "`raw` or `audit`"),
        "until": ("TIMESTAMPTZ", "The next refresh reads covered time from this moment on again"),
    },
)

DOUBTED_SNAPSHOTS = StateTable(
    "doubted_snapshots",
    "one row per snapshot that had less than half of the rows before it and waits for the next run to confirm it",
    {
        "table_name": ("VARCHAR", "The table, which keeps its earlier rows"),
        "export_seq": ("BIGINT", "The export with few rows; null for lists"),
        "taken_at": ("TIMESTAMPTZ", "When the vendor had it so"),
        "rows": ("BIGINT", "Rows that it had"),
    },
)

ERASURES = StateTable(
    "erasures",
    "one row per run of `maestro-analytics erase`",
    {
        "erased_at": ("TIMESTAMPTZ", "When"),
        "what": ("VARCHAR", "`agent` or `ticket`; whose data it was is not kept"),
        "rows": ("BIGINT", "Rows that left the tables"),
        "files": ("BIGINT", "Kept files that were rewritten or removed"),
    },
)

ACCOUNT = StateTable(
    "account",
    "one row: whose data this is",
    {
        "host": ("VARCHAR", "The account's API host; null until the first refresh"),
        "port": ("BIGINT", "The port of the API on that host"),
        "token_salt": ("VARCHAR", "Salt of token_hash"),
        "prefix": ("VARCHAR", "The account's prefix of answer ids"),
        "token_hash": ("VARCHAR", "Salted hash of the last token: when it changes, the account is checked again"),
        "layout": ("BIGINT", "Version of this database's layout"),
        "published_at": ("TIMESTAMPTZ", "When this file was published"),
        "definitions": ("VARCHAR", "Hash of what the views and comments of this file were made from"),
    },
)

STATE_TABLES = (
    EXPORTS,
    COVERAGE,
    QUARANTINE,
    SCHEMA_CHANGES,
    DELETIONS,
    REFRESHES,
    PUSHES,
    GRADE_VERSIONS,
    CSAT_VERSIONS,
    SNAPSHOTS,
    LIST_SLICES,
    STARTS,
    SETTLED,
    DOUBTED_SNAPSHOTS,
    ERASURES,
    ACCOUNT,
)


_COLUMNS = """
select schema_name, table_name, column_name from duckdb_columns()
where database_name = current_database() and not internal
"""


def create_all(connection: duckdb.DuckDBPyConnection) -> None:
    """All tables, and columns that this version has and an older file lacks. Running it again changes nothing."""
    connection.execute("begin")
    connection.execute("create schema if not exists state")
    there: dict[tuple[str, str], set[str]] = defaultdict(set)
    for schema, name, column in connection.execute(_COLUMNS).fetchall():
        there[schema, name].add(folded(column))
    wanted = {("main", table.name): (table.ddl(), _types(table)) for table in TABLES}
    wanted |= {
        ("state", table.name): (table.ddl(), {name: kind for name, (kind, _) in table.columns.items()})
        for table in STATE_TABLES
    }
    for (schema, name), (ddl, columns) in wanted.items():
        if not there[schema, name]:
            connection.execute(ddl)
            continue
        for column, kind in columns.items():
            if folded(column) not in there[schema, name]:
                connection.execute(f"alter table {schema}.{name} add column {quoted(column)} {kind}")
    if not there["main", MULTI_SELECT_QUESTIONS.name]:
        add_multi_select_questions(connection)
    connection.execute(
        "insert into state.account (host, layout) select null, ? where not exists (from state.account)", [LAYOUT]
    )
    connection.execute("update state.account set layout = ? where layout is distinct from ?", [LAYOUT, LAYOUT])
    connection.execute("commit")


def _types(table: Table) -> dict[str, str]:
    return {name: DUCKDB_TYPES[role] for name, role in table.columns.items()}


def columns_of(connection: duckdb.DuckDBPyConnection, table: str, *, schema: str = "main") -> list[str]:
    """The columns that a table has, those added later too."""
    empty = connection.execute(f"from {schema}.{quoted(table)} limit 0")
    return [name for name, *_ in empty.description]
