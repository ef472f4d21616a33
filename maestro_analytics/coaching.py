"""Read a coaching list and land it: whole, or in slices by creation date if it is long.

Records change and disappear long after they were created, so everything is read again. A list that takes more than
`WHOLE_REQUESTS` requests is read in slices: the records created in the last `RECENT` days in each run, all others when
they were last read `SLICE_AGE` ago, which is at least once a day with hourly runs.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from threading import Event

from maestro_analytics.api import Transport
from maestro_analytics.api.coaching import CoachingLists, LongList, RecordFile
from maestro_analytics.errors import Cancelled, MaestroError
from maestro_analytics.exports import Window, joined, without
from maestro_analytics.exports.lifecycle import check_clock
from maestro_analytics.warehouse import Landed, Master

WHOLE_REQUESTS = 25
RECENT = timedelta(days=35)
SLICE_AGE = timedelta(hours=23)
SAME_PASS = timedelta(hours=6)
"""When a slice is due, so is each other one that was not read within this time: neighbours are then read together."""
SLICE_RECORDS = 10_000
BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
"""Start of the first slice, which is requested without a start date."""

Slices = list[tuple[Window, datetime]]


def land_list(
    master: Master, transport: Transport, table: str, *, again: bool = False, stop: Event | None = None
) -> Landed:
    """Read the coaching list `table` ("todos", "coaching_points", "coaching_sessions") and land it.

    Args:
        again: read all slices of a long list.

    Raises:
        MaestroError: the list, or a slice, could not be read; the slices read before that have landed.
    """
    lists = CoachingLists(transport)
    read_at = transport.clock.utc()
    known = master.list_slices(table)
    cutoff = (read_at - RECENT).replace(hour=0, minute=0, second=0, microsecond=0)
    due = [Window(BEGINNING, cutoff)] if again else due_slices(known, cutoff, read_at)
    with RecordFile(master.path.parent) as file:
        if not known or due:
            try:
                lists.read_into(table, file, most_requests=WHOLE_REQUESTS, stop=stop)
            except LongList:
                pass
            else:
                check_clock(transport.clock_ahead_seconds, transport.host)
                return master.land_coaching(table, file, taken_at=read_at)
        days = master.records_by_day(table)
        recent = Window(cutoff, read_at.replace(microsecond=0) + timedelta(seconds=1))
        read: list[Window] = []
        failure: MaestroError | None = None
        for window in (recent, *(part for span in due for part in split_by_records(span, days))):
            try:
                _read_slice(lists, table, file, window, is_last=window is recent, stop=stop)
            except Cancelled:
                raise
            except MaestroError as error:
                failure = error
                break
            read.append(window)
        check_clock(transport.clock_ahead_seconds, transport.host)
        if failure is not None and not (read and known):
            raise failure
        landed = master.land_coaching(table, file, taken_at=read_at, slices=read)
        if failure is not None:
            raise failure
        return landed


def _read_slice(
    lists: CoachingLists, table: str, file: RecordFile, window: Window, *, is_last: bool, stop: Event | None
) -> None:
    lists.read_into(
        table,
        file,
        # The vendor leaves out a record that was created at the start date itself.
        start_date=None if window.start == BEGINNING else window.start - timedelta(milliseconds=1),
        end_date=None if is_last else window.end,
        stop=stop,
    )


def due_slices(known: Slices, cutoff: datetime, now: datetime) -> list[Window]:
    """The time before `cutoff` that was never read, or is due to be read again."""
    old = [Window(BEGINNING, cutoff)]
    is_due = any(now - read_at >= SLICE_AGE for window, read_at in known if window.start < cutoff)
    fresh = [window for window, read_at in known if not is_due or now - read_at < SAME_PASS]
    return joined(without(old, fresh))


def split_by_records(span: Window, records_by_day: list[tuple[datetime, int]]) -> list[Window]:
    """Cut `span` at midnights into windows of about `SLICE_RECORDS` records."""
    parts, start, count = [], span.start, 0
    for day, records in records_by_day:
        if not span.start <= day < span.end:
            continue
        if count and count + records > SLICE_RECORDS:
            parts.append(Window(start, day))
            start, count = day, 0
        count += records
    return [*parts, Window(start, span.end)]
