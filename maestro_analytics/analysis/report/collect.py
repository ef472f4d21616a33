"""Compute the answers of a report: each query runs once, several answers at a time."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import Any, Unpack

import polars as pl

from maestro_analytics.analysis.filters import Choice, Filters, Store
from maestro_analytics.analysis.report.contents import CONTENTS
from maestro_analytics.analysis.report.model import Section

KINDS = tuple(CONTENTS)
AT_A_TIME = 3


class QueriedOnce:
    """A store that runs a query once for a report, however many of its answers rest on it; one at a time."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._found: dict[tuple[object, ...], pl.DataFrame] = {}
        self._turn = Lock()

    def query(self, name: str, /, **variables: Any) -> pl.DataFrame:
        asked = (name, *sorted(variables.items()))
        with self._turn:
            if asked not in self._found:
                self._found[asked] = self._store.query(name, **variables)
            return self._found[asked]


def sections(store: Store, kind: str = "all", *, min_n: int = 10, **filters: Unpack[Filters]) -> list[Section]:
    """The sections of a report: one of `KINDS`, or all. Errors: see `Filters`."""
    return list(in_turn(store, kind, min_n=min_n, **filters))


def in_turn(store: Store, kind: str = "all", *, min_n: int = 10, **filters: Unpack[Filters]) -> Iterator[Section]:
    """Yield each section as soon as it is ready, so that it can be drawn while others are computed.

    While one answer waits for its SQL others work with what they have. Take all, or close it, before the store closes.
    """
    Choice.of(store, filters)
    once = QueriedOnce(store)
    wanted = [name for name in KINDS if kind in (name, "all")]
    workers = ThreadPoolExecutor(AT_A_TIME)
    try:
        asked = {
            name: [workers.submit(piece.asked, once, min_n, filters) for piece in CONTENTS[name][1]] for name in wanted
        }
        for name in wanted:
            yield Section(name, CONTENTS[name][0], tuple(answer.result() for answer in asked[name]))
    finally:
        workers.shutdown(cancel_futures=True)
