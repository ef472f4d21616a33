"""Handle exports that the vendor delivers again with the same bytes.

The bytes are kept once. Where they are refused each time, their quarantined rows are kept once too, and their windows
are asked for less and less often.
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

REFUSED_WINDOWS = """
select
    kind,
    arg_max(window_start, seq) as window_start,
    arg_max(window_end, seq) as window_end,
    count(*) as refusals,
    max(requested_at) as last_asked
from state.exports
where status in ('partial', 'unreadable', 'repeated') and sha256 is not null and window_start is not null
group by kind, sha256
having count(*) > 1
"""


def delayed_windows(connection: duckdb.DuckDBPyConnection, now: datetime) -> Iterator[tuple[str, Window, str]]:
    """Windows that were refused twice or more with the same bytes and are not due again: kind, window, and why."""
    for kind, start, end, refusals, last_asked in frame(connection, REFUSED_WINDOWS).iter_rows():
        due = last_asked + min(timedelta(hours=2.0 ** min(refusals - 2, 5)), LONGEST_DELAY)
        if now < due:
            window = Window(start, end)
            yield (
                kind,
                window,
                f"{kind} {window} was refused {refusals} times with the same bytes: asked for again after "
                f"{due:%Y-%m-%dT%H:%M:%SZ}, or with --again.",
            )


def keep_once(connection: duckdb.DuckDBPyConnection, export: ExportRecord, data_folder: Path) -> None:
    """Keep the bytes of a landed or refused file once: earlier exports with the same bytes give theirs up.

    Earlier refused ones give up their quarantined rows too; earlier landed ones then name the newest file.
    """
    if export.file is None or export.sha256 is None:
        return
    newest = relative(export.file, data_folder)
    earlier = connection.execute(
        "select seq, file, status <> 'landed' from state.exports where kind = ? and sha256 = ? and seq < ? "
        "and status in ('landed', 'partial', 'unreadable') and file is not null",
        [export.kind, export.sha256, export.seq],
    ).fetchall()
    for seq, file, was_refused in earlier:
        if was_refused:
            connection.execute("delete from state.quarantine where export_seq = ?", [seq])
            connection.execute("update state.exports set status = 'repeated', file = null where seq = ?", [seq])
        else:
            connection.execute("update state.quarantine set file = ? where export_seq = ?", [newest, seq])
            connection.execute("update state.exports set file = ? where seq = ?", [newest, seq])
        if file != newest:
            (data_folder / file).unlink(missing_ok=True)
