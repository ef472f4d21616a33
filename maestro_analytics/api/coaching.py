"""Read to-dos, coaching points and coaching sessions: one record by its id, or a whole list while it changes.

A pass over the pages counts only if `totalResults` was the same on each page and equals the number of distinct ids.
After a failed pass the next one is pinned: it asks for records created before it began, so that a growing list can be
read too. The count alone can be right for a wrong set (one record was added, one deleted, and one moved between two
pages), so pages overlap: each starts at the last record of the page before and must begin with it.

Records go to disk page by page: only their ids are held in memory.
"""

from __future__ import annotations

import json
import math
import tempfile
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple, Self

from maestro_analytics.api import endpoints
from maestro_analytics.api.endpoints import Endpoint
from maestro_analytics.api.transport import Transport
from maestro_analytics.arguments import iso, iso_or_none
from maestro_analytics.errors import InconsistentPages, InvalidArgument, RequestRefused, TryAgain

PAGE_SIZES = (500, 200, 100, 50, 25, 10)
"""The reference names no largest page: the largest that is not refused is used, and remembered for the endpoint."""
PASSES = 6
MOST_PAGES = 20_000
"""Of one pass: a limit for servers without totals that never stop sending new records."""
LONGEST_OVERLAP = 3
"""Records that a page may repeat: more than one if the server's startIndex is 1-based."""
PIN_MARGIN = timedelta(seconds=2)
"""The vendor tells its time in whole seconds, and records may be dated by another of its machines."""


class LongList(Exception):
    """A list takes more requests than the caller allows. Nothing of it was kept."""


class RecordFile:
    """JSON records in a temporary file, one a line. Iterate it as often as needed; a context manager.

    Args:
        folder: where the file lies; the system's temporary folder if None.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - closed by `close`
        self.size = 0

    def append(self, records: Iterable[dict[str, Any]]) -> None:
        """Write records at the end."""
        self._file.seek(self.size)
        self._file.writelines(json.dumps(record).encode() + b"\n" for record in records)
        self.size = self._file.tell()

    def truncate(self, size: int) -> None:
        """Remove everything after the first `size` bytes."""
        self._file.truncate(size)
        self.size = size

    def __iter__(self) -> Iterator[dict[str, Any]]:
        position = 0
        while position < self.size:
            self._file.seek(position)
            line = self._file.readline()
            position += len(line)
            yield json.loads(line)

    def close(self) -> None:
        """Delete the file."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


class _Changed(Exception):
    pass


@dataclass
class _Pass:
    """One pass over the pages of a list."""

    file: RecordFile
    overlap: bool
    ids: set[str] = field(default_factory=set)
    last_ids: deque[str] = field(default_factory=lambda: deque(maxlen=LONGEST_OVERLAP))
    count: int = 0
    total: int | None = None
    firsts: set[int] = field(default_factory=set)
    """Every startIndex that the first record of the list seems to have."""

    def add(self, records: list[dict[str, Any]]) -> None:
        identities = [_identity(record) for record in records]
        self.ids.update(identities)
        self.last_ids.extend(identities)
        self.count += len(records)
        self.file.append(records)

    def is_whole(self) -> bool:
        return self.total is None or self.total == len(self.ids)

    def is_sure(self) -> bool:
        """Whether the pages fit each other. A list from which a record went between two pages looks as if its first
        record had another startIndex."""
        return self.overlap and len(self.firsts) <= 1


class Pages:
    """Reads whole lists. Remembers the page size that each endpoint takes."""

    def __init__(self, sender: Transport) -> None:
        self._sender = sender
        self._sizes: dict[Endpoint, int] = {}

    def read_all(
        self,
        endpoint: Endpoint,
        filters: Mapping[str, Any],
        *,
        now: Callable[[], str] | None = None,
        stop: threading.Event | None = None,
    ) -> list[dict[str, Any]]:
        """Every record that matches, once; arguments and errors as for `read_into`."""
        by_id: dict[str, dict[str, Any]] = {}
        with RecordFile() as file:
            self.read_into(file, endpoint, filters, now=now, stop=stop)
            for record in file:
                identity = _identity(record)
                earlier = by_id.get(identity)
                if earlier is None or str(record.get("updatedAt", "")) >= str(earlier.get("updatedAt", "")):
                    by_id[identity] = record
        return list(by_id.values())

    def read_into(
        self,
        file: RecordFile,
        endpoint: Endpoint,
        filters: Mapping[str, Any],
        *,
        now: Callable[[], str] | None = None,
        most_requests: int | None = None,
        stop: threading.Event | None = None,
    ) -> None:
        """Append every record that matches to `file`; a record that came twice is in it twice.

        Args:
            now: returns the vendor's time as a value of `endDate`. If given, and `filters` have no `endDate`, each
                pass after the first is limited to records created before it began.
            most_requests: give up after the first page if the list takes more requests; None means no limit.

        Raises:
            LongList: the list takes more than `most_requests`.
            InconsistentPages: the list changed during each of six passes, or the server ignores `startIndex`.
            RequestRefused: the filters were refused, with every page size.
            TryAgain: the answer is not a page of a list.
        """
        overlap = True
        earlier: _Pass | None = None
        why = ""
        start = file.size
        for number in range(PASSES):
            file.truncate(start)
            this = _Pass(file, overlap)
            pinned = {"endDate": now()} if now is not None and number else {}
            try:
                self._read_pages(endpoint, {**pinned, **filters}, this, most_requests if not number else None, stop)
            except _Changed as changed:
                # A list that does not change but comes in another order each time has no overlap to find: from the
                # second such pass on, two passes that agree are accepted instead.
                overlap = overlap and not (earlier is not None and earlier.total == this.total)
                earlier, why = this, str(changed)
                continue
            if this.is_whole() and (this.is_sure() or (earlier is not None and _same(earlier, this))):
                return
            why = f"totalResults is {this.total}, and {len(this.ids)} records came"
            earlier = this
        file.truncate(start)
        raise InconsistentPages(
            f"{endpoint.does}: the list changed during each of {PASSES} passes over its pages (the last time: {why}). "
            "Run it again when fewer people are working, or narrow it with filters."
        )

    def _read_pages(
        self,
        endpoint: Endpoint,
        filters: Mapping[str, Any],
        this: _Pass,
        most_requests: int | None,
        stop: threading.Event | None,
    ) -> None:
        first_index = 0
        for _ in range(MOST_PAGES):
            overlap = 1 if this.overlap and this.count > 0 else 0
            total, starts_at, page = self._page(endpoint, filters, this.count - overlap + first_index, stop)
            if this.count == 0:
                this.total = total
                if starts_at == 1:  # of what was asked for as 0
                    this.firsts.add(1)
                if most_requests is not None and _requests_needed(total, len(page)) > most_requests:
                    raise LongList
            elif total != this.total:
                raise _Changed(f"totalResults went from {this.total} to {total}")
            repeated = _repeated(list(this.last_ids), page) if overlap else 0
            if page and repeated == len(page) > 1 and not first_index:
                # The page repeats only known records: the server's startIndex is 1-based.
                first_index = 1
                continue
            if overlap:
                this.firsts.add(first_index + repeated - 1)
            fresh = {_identity(record) for record in page[repeated:]}
            if fresh and fresh <= this.ids and not this.overlap:
                raise InconsistentPages(
                    f"{endpoint.does}: the page at startIndex {this.count} repeats earlier records only, so the server "
                    "ignores startIndex. Narrow the list with filters until it fits one page, or ask the vendor."
                )
            this.add(page[repeated:])
            if repeated == len(page) or (total is not None and this.count >= total):
                return
            if len(page) == 1 and this.overlap:
                # Pages of one record have nothing to overlap with.
                this.overlap = False
        raise InconsistentPages(
            f"{endpoint.does}: the list did not end within {MOST_PAGES:,} pages and names no total. "
            "Narrow it with filters."
        )

    def _page(
        self, endpoint: Endpoint, filters: Mapping[str, Any], start: int, stop: threading.Event | None
    ) -> tuple[int | None, int | None, list[dict[str, Any]]]:
        first = self._sizes.get(endpoint, PAGE_SIZES[0])
        sizes = [size for size in PAGE_SIZES if size <= first]
        while True:
            size = sizes.pop(0)
            try:
                answer = self._sender.send(endpoint, {**filters, "count": size, "startIndex": start}, stop=stop)
            except RequestRefused as refused:
                if refused.status not in (400, 422) or not sizes or endpoint in self._sizes:
                    raise
                continue
            self._sizes[endpoint] = size
            return _number(answer, "totalResults"), _number(answer, "startIndex"), _resources(endpoint, answer)


def _requests_needed(total: int | None, page_size: int) -> int:
    """Requests of one pass over a list whose first page had `page_size` records; later pages repeat one record."""
    if total is None or total <= page_size:
        return 1
    return 1 + math.ceil((total - page_size) / max(page_size - 1, 1))


def _repeated(known: list[str], page: list[dict[str, Any]]) -> int:
    """How many records at the start of `page` are the last of the `known` ids, in the same order.

    Raises:
        _Changed: none is: records moved between the two requests.
    """
    fresh = [_identity(record) for record in page[:LONGEST_OVERLAP]]
    for length in range(1, LONGEST_OVERLAP + 1):
        if len(known) >= length and known[-length:] == fresh[:length]:
            return length
    raise _Changed("records moved between two pages")


def _same(one: _Pass, other: _Pass) -> bool:
    return one.total == other.total and one.ids == other.ids


def _identity(record: dict[str, Any]) -> str:
    identity = record.get("id")
    return str(identity) if identity not in (None, "") else json.dumps(record, sort_keys=True, default=str)


def _number(answer: Any, name: str) -> int | None:
    """A number of the answer, also where it is written as text; None if the answer has none."""
    try:
        return int(answer[name])
    except (KeyError, TypeError, ValueError):
        return None


def _resources(endpoint: Endpoint, answer: Any) -> list[dict[str, Any]]:
    # An answer of another shape must not count as an empty list: the records in the table would be deleted.
    if not isinstance(answer, dict) or not ("Resources" in answer or "totalResults" in answer):
        raise TryAgain(f"{endpoint.does}: the answer is not a page of a list. Try again later.", endpoint=endpoint.path)
    resources = answer.get("Resources") or []
    if not isinstance(resources, list) or not all(isinstance(record, dict) for record in resources):
        raise TryAgain(f"{endpoint.does}: a page has no list of records. Try again later.", endpoint=endpoint.path)
    return resources


class _List(NamedTuple):
    one: Endpoint
    many: Endpoint


LISTS = {
    "todos": _List(endpoints.GET_TODO, endpoints.GET_TODOS),
    "coaching_points": _List(endpoints.GET_COACHING_POINT, endpoints.GET_COACHING_POINTS),
    "coaching_sessions": _List(endpoints.GET_COACHING_SESSION, endpoints.GET_COACHING_SESSIONS),
}
"""Name of the table -> its endpoints."""


class CoachingLists:
    """The endpoints for coaching records."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._pages = Pages(transport)

    def record(self, name: str, id: str) -> dict[str, Any]:
        """One record of the list `name` as the vendor's JSON.

        Raises:
            RequestRefused: status 404: no record has this id.
        """
        return dict(self._transport.send(LISTS[name].one, id=id))

    def read_all(
        self,
        name: str,
        *,
        agent_id: str | None = None,
        creator_id: str | None = None,
        coach_id: str | None = None,
        start_date: datetime | None = None,
        end_date: datetime | None = None,
        stop: threading.Event | None = None,
    ) -> list[dict[str, Any]]:
        """Every record of a list ("todos", "coaching_points", "coaching_sessions") that matches, as of one moment.

        Args:
            start_date, end_date: created after, created before; aware.
            coach_id: coaching sessions only.
            stop: ends waits at once when set.

        Raises:
            Cancelled: `stop` was set while waiting.
            InvalidArgument: an unknown list, a naive datetime, or `coach_id` for another list than the sessions.
            InconsistentPages: the list changed during every pass.
        """
        if name not in LISTS:
            raise InvalidArgument(f"no list is called {name!r}; there are {', '.join(LISTS)}")
        if coach_id is not None and name != "coaching_sessions":
            raise InvalidArgument(f"{name} cannot be filtered by coach_id; only coaching_sessions can")
        filters = {
            "agentId": agent_id,
            "creatorId": creator_id,
            "coachId": coach_id,
            "startDate": iso_or_none(start_date, name="start_date"),
            "endDate": iso_or_none(end_date, name="end_date"),
        }
        given = {key: value for key, value in filters.items() if value is not None}
        return self._pages.read_all(LISTS[name].many, given, now=self._pin, stop=stop)

    def read_into(
        self,
        name: str,
        file: RecordFile,
        *,
        start_date: datetime | None = None,
        end_date: datetime | None = None,
        most_requests: int | None = None,
        stop: threading.Event | None = None,
    ) -> None:
        """Append every record of a list to `file`; arguments and errors as for `read_all`.

        Args:
            most_requests: give up after the first page if the list takes more requests; None means no limit.

        Raises:
            LongList: the list takes more than `most_requests`.
        """
        dates = {"startDate": iso_or_none(start_date, name="start"), "endDate": iso_or_none(end_date, name="end")}
        self._pages.read_into(
            file,
            LISTS[name].many,
            {key: value for key, value in dates.items() if value is not None},
            now=self._pin,
            most_requests=most_requests,
            stop=stop,
        )

    def _pin(self) -> str:
        """The end of a pass that must not see records that come meanwhile."""
        return iso(self._transport.vendor_now() - PIN_MARGIN)
