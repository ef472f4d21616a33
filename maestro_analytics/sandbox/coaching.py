"""The lists of coaching records: to-dos, coaching points, coaching sessions, one or many."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from maestro_analytics.sandbox.clock import Clock
from maestro_analytics.sandbox.faults import Faults
from maestro_analytics.sandbox.http import Reply, json_reply
from maestro_analytics.sandbox.routing import Call, Field, Refusal, Route, moment_text
from maestro_analytics.sandbox.simulation.chance import RECORD, draws, identifier, mix
from maestro_analytics.sandbox.simulation.coaching import Record
from maestro_analytics.sandbox.simulation.timeline import Centre

DEFAULT_COUNT = 25

_PAGING = (
    Field("startDate", "moment"),
    Field("endDate", "moment"),
    Field("count", "integer", least=1),
    Field("startIndex", "integer", least=0),
)


class CoachingLists:
    """Lists in a stable order, in pages of at most `largest_page`."""

    def __init__(self, *, centre: Centre, clock: Clock, faults: Faults, largest_page: int) -> None:
        self._centre = centre
        self._clock = clock
        self._faults = faults
        self._largest_page = largest_page
        self._lock = threading.Lock()

    def routes(self) -> list[Route]:
        people = (Field("agentId"), Field("creatorId"))
        coaching = self._centre.coaching
        routes = []
        for name, records, filters in (
            ("todos", coaching.todos, people),
            ("coaching-points", coaching.points, people),
            ("coaching-sessions", coaching.sessions, (*people, Field("coachId"))),
        ):
            routes += [
                Route("GET", f"/{name}", self._many(name, records, filters), (*filters, *_PAGING), reads="query"),
                Route("GET", f"/{name}/:id", self._one(name, records), reads="query"),
            ]
        return routes

    def shown(self, records: list[Record]) -> list[dict[str, Any]]:
        """The records that exist now, moments as datetimes."""
        now = self._clock.now()
        with self._lock:
            return [shown for record in records if (shown := record.as_of(now)) is not None]

    def _one(self, name: str, records: list[Record]) -> Any:
        def answer(call: Call) -> Reply:
            for shown in self.shown(records):
                if shown["id"] == call.path["id"]:
                    return json_reply(200, as_json(shown))
            raise Refusal(404, f"{name}: no record has the id {call.path['id']!r}")

        return answer

    def _many(self, name: str, records: list[Record], filters: tuple[Field, ...]) -> Any:
        def answer(call: Call) -> Reply:
            first = call.parameters.get("startIndex", 0)
            if first and self._faults.first_n("changing-pages", name):
                self._change(records)
            if first and self._faults.every_nth("growing-list"):
                self._grow(records)
            count = min(call.parameters.get("count", DEFAULT_COUNT), self._largest_page)
            matching = [
                shown
                for shown in self.shown(records)
                if _matches(shown, call.parameters, [field.name for field in filters])
            ]
            # Sorted by nothing a client could guess, and by the same on every page.
            matching.sort(key=lambda shown: mix(self._centre.seed, *shown["id"].encode()))
            return json_reply(
                200,
                {
                    "startIndex": first,
                    "totalResults": len(matching),
                    "itemsPerPage": count,
                    "Resources": [as_json(shown) for shown in matching[first : first + count]],
                },
            )

        return answer

    def _change(self, records: list[Record]) -> None:
        """Remove two records and add one: the total can then equal the records seen although the set is wrong."""
        now = self._clock.now()
        with self._lock:
            there = [record for record in records if record.as_of(now) is not None]
            # The first in the lists' order: what comes after them moves to earlier pages.
            there.sort(key=lambda record: mix(self._centre.seed, *record.record_id.encode()))
            for gone in there[:2]:
                gone.removed = now
        self._grow(records, like=there[:1])

    def _grow(self, records: list[Record], like: Sequence[Record] | None = None) -> None:
        """Add a record, created now, with the fields of another."""
        with self._lock:
            for model in records[:1] if like is None else like:
                rng = draws(self._centre.seed, RECORD, len(records), 5)
                records.append(Record(identifier(rng), self._clock.now(), dict(model.fields)))


def _matches(shown: Mapping[str, Any], parameters: Mapping[str, Any], filters: list[str]) -> bool:
    created: datetime = shown["createdAt"]
    if any(name in parameters and shown.get(name) != parameters[name] for name in filters):
        return False
    if "startDate" in parameters and created <= parameters["startDate"]:
        return False
    return "endDate" not in parameters or created < parameters["endDate"]


def as_json(shown: Mapping[str, Any]) -> dict[str, Any]:
    return {name: moment_text(value) if isinstance(value, datetime) else value for name, value in shown.items()}
