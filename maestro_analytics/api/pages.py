"""Lists that are read page by page while others change them.

A pass over the pages counts only when `totalResults` was the same on each of its pages and equals the number of
distinct ids. A pass after one that failed is pinned: it asks for records created before it began, so that a list to
which people keep adding ends too. The count alone can add up with the wrong set (one record came, one went, and one
slipped through between two pages), so pages overlap: each starts at the last record of the one before, and must begin
with it.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from maestro_analytics.api.endpoints import Endpoint
from maestro_analytics.errors import InconsistentPages, RequestRefused, TryAgain

PAGE_SIZES = (500, 200, 100, 50, 25, 10)
"""The reference names no largest page: the largest that is not refused is used, and remembered for the endpoint."""
PASSES = 6
MOST_PAGES = 20_000
"""Of one pass: a server without totals that sends new records without an end is given up after these."""
LONGEST_OVERLAP = 3
"""Records that a page may repeat: more than the one asked for, where a server counts `startIndex` from 1."""


class Sends(Protocol):
    def send(
        self,
        endpoint: Endpoint,
        parameters: Mapping[str, Any] | None = None,
        *,
        stop: threading.Event | None = None,
    ) -> Any: ...


class _Changed(Exception):
    pass


@dataclass
class _Pass:
    """One pass over the pages of a list."""

    overlap: bool
    records: list[dict[str, Any]] = field(default_factory=list)
    total: int | None = None

    def distinct(self) -> dict[str, dict[str, Any]]:
        """The records by id, the one changed last where an id came twice."""
        by_id: dict[str, dict[str, Any]] = {}
        for record in self.records:
            identity = _identity(record)
            earlier = by_id.get(identity)
            if earlier is None or str(record.get("updatedAt", "")) >= str(earlier.get("updatedAt", "")):
                by_id[identity] = record
        return by_id

    def is_whole(self) -> bool:
        return self.total is None or self.total == len(self.distinct())


class Pages:
    """Reads whole lists. Remembers the page size that each endpoint takes."""

    def __init__(self, sender: Sends) -> None:
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
        """Every record that matches, as of one moment.

        Args:
            now: the vendor's time as a value of `endDate`. Where given, and `filters` have no `endDate`, each pass
                after the first is limited to records created before it began.

        Raises:
            InconsistentPages: the list changed during each of six passes, or the server ignores `startIndex`.
            RequestRefused: the filters were refused, with every page size.
            TryAgain: the answer is not a page of a list.
        """
        overlap = True
        earlier: _Pass | None = None
        why = ""
        for number in range(PASSES):
            this = _Pass(overlap)
            pinned = {"endDate": now()} if now is not None and number else {}
            try:
                self._read_pages(endpoint, {**pinned, **filters}, this, stop)
            except _Changed as changed:
                # A list that stands still but comes in another order each time has no overlap to find: from the
                # second such pass on, two passes that agree are believed instead.
                overlap = overlap and not (earlier is not None and earlier.total == this.total)
                earlier, why = this, str(changed)
                continue
            if this.is_whole() and (overlap or (earlier is not None and _same(earlier, this))):
                return list(this.distinct().values())
            why = f"totalResults is {this.total}, and {len(this.distinct())} records came"
            earlier = this
        raise InconsistentPages(
            f"{endpoint.does}: the list changed during each of {PASSES} passes over its pages (the last time: {why}). "
            "Run it again when fewer people are working, or narrow it with filters."
        )

    def _read_pages(
        self, endpoint: Endpoint, filters: Mapping[str, Any], this: _Pass, stop: threading.Event | None
    ) -> None:
        position = 0
        first_index = 0
        seen: set[str] = set()
        for _ in range(MOST_PAGES):
            overlap = 1 if this.overlap and position > 0 else 0
            total, page = self._page(endpoint, filters, position - overlap + first_index, stop)
            if position == 0:
                this.total = total
            elif total != this.total:
                raise _Changed(f"totalResults went from {this.total} to {total}")
            repeated = _repeated(this.records, page) if overlap else 0
            if page and repeated == len(page) > 1 and not first_index:
                # Nothing but what we had, from one record earlier than asked: this server counts from 1.
                first_index = 1
                continue
            fresh = {_identity(record) for record in page[repeated:]}
            if fresh and fresh <= seen and not this.overlap:
                raise InconsistentPages(
                    f"{endpoint.does}: the page at startIndex {position} repeats earlier records only, so the server "
                    "ignores startIndex. Narrow the list with filters until it fits one page, or ask the vendor."
                )
            seen |= fresh
            this.records += page[repeated:]
            position = len(this.records)
            if repeated == len(page) or (total is not None and position >= total):
                return
            if len(page) == 1 and this.overlap:
                # Pages of one record leave nothing to overlap with.
                this.overlap = False
        raise InconsistentPages(
            f"{endpoint.does}: the list did not end within {MOST_PAGES:,} pages and names no total. "
            "Narrow it with filters."
        )

    def _page(
        self, endpoint: Endpoint, filters: Mapping[str, Any], start: int, stop: threading.Event | None
    ) -> tuple[int | None, list[dict[str, Any]]]:
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
            return _total(answer), _resources(endpoint, answer)


def _repeated(records: list[dict[str, Any]], page: list[dict[str, Any]]) -> int:
    """How many records at the start of `page` are the last ones of `records`, in the same order.

    Raises:
        _Changed: none: the list has moved under us.
    """
    known = [_identity(record) for record in records[-LONGEST_OVERLAP:]]
    fresh = [_identity(record) for record in page[:LONGEST_OVERLAP]]
    for length in range(1, LONGEST_OVERLAP + 1):
        if len(known) >= length and known[-length:] == fresh[:length]:
            return length
    raise _Changed("records moved between two pages")


def _same(one: _Pass, other: _Pass) -> bool:
    return one.total == other.total and one.distinct().keys() == other.distinct().keys()


def _identity(record: dict[str, Any]) -> str:
    identity = record.get("id")
    return str(identity) if identity not in (None, "") else json.dumps(record, sort_keys=True, default=str)


def _total(answer: Any) -> int | None:
    """`totalResults`; None where a server does not say."""
    try:
        return int(answer["totalResults"])
    except (KeyError, TypeError, ValueError):
        return None


def _resources(endpoint: Endpoint, answer: Any) -> list[dict[str, Any]]:
    # An answer of another shape must not pass for an empty list: the records we hold would go with it.
    if not isinstance(answer, dict) or not ("Resources" in answer or "totalResults" in answer):
        raise TryAgain(f"{endpoint.does}: the answer is no page of a list. Try again later.", endpoint=endpoint.path)
    resources = answer.get("Resources") or []
    if not isinstance(resources, list) or not all(isinstance(record, dict) for record in resources):
        raise TryAgain(f"{endpoint.does}: a page holds no list of records. Try again later.", endpoint=endpoint.path)
    return resources
