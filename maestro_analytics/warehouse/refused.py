"""Handle exports that are delivered again: with the same bytes, or refused again.

The same bytes are kept once. Of a window that is refused each time only the newest file is kept, with its quarantined
rows, and the window is asked for less and less often. The vendor packs a zip anew for each export, with other time
stamps, so that the same data does not have the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import duckdb

from maestro_analytics.exports import ExportRecord, Window
from maestro_analytics.warehouse.connection import frame
from maestro_analytics.warehouse.ledger import relative

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
