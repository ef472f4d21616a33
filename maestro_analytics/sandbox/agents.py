"""Agents by id and e-mail address, and the endpoints that create and change them."""

from __future__ import annotations

import threading
from typing import Any

from maestro_analytics.sandbox.http import Reply, json_reply
from maestro_analytics.sandbox.routing import Call, Field, Refusal, Route
from maestro_analytics.sandbox.simulation.chance import PEOPLE, draws, identifier
from maestro_analytics.sandbox.simulation.people import Person
from maestro_analytics.sandbox.simulation.timeline import Centre

_EMAIL = Field("email", required=True)
_AVAILABILITY_PATHS = ("/update-agent-availability", "/agents/update-agent-availability")


class Directory:
    """Every agent of the account, those of the contact centre and those created through the API."""

    def __init__(self, centre: Centre) -> None:
        self._centre = centre
        self._people = list(centre.people)
        self._lock = threading.Lock()

    def people(self) -> list[Person]:
        with self._lock:
            return list(self._people)

    def find(self, id_or_email: str) -> Person | None:
        """The person with this id or e-mail address."""
        return next(
            (person for person in self.people() if id_or_email == person.email or id_or_email in person.all_ids), None
        )

    def routes(self) -> list[Route]:
        created = (
            Field("name", required=True),
            Field("available", "boolean", required=True),
            _EMAIL,
            Field("agentGroupId"),
            Field("agentId"),
        )
        availability = (_EMAIL, Field("available", "boolean", required=True))
        return [
            Route("POST", "/agents", self._create, created),
            Route("POST", "/agents/add-id-to-agent", self._add_id, (_EMAIL, Field("agentId", required=True))),
            # A newer page of the vendor has the second path.
            *(Route("POST", path, self._set_available, availability) for path in _AVAILABILITY_PATHS),
        ]

    def _create(self, call: Call) -> Reply:
        given = call.parameters
        if "@" not in given["email"]:
            raise Refusal(422, "email must be an e-mail address")
        group = given.get("agentGroupId")
        if group is not None and group not in {known.group_id for known in self._centre.groups}:
            raise Refusal(422, f"agentGroupId: no agent group has the id {group!r}")
        with self._lock:
            number = len(self._people)
            rng = draws(self._centre.seed, PEOPLE, number, 77)
            agent_id = given.get("agentId") or identifier(rng)
            for name, value in (("email", given["email"]), ("agentId", agent_id)):
                if any(value == person.email or value in person.all_ids for person in self._people):
                    raise Refusal(409, f"{name} {value!r} is in use by an existing agent")
            person = Person(
                number=number,
                record_id=identifier(rng),
                name=given["name"],
                email=given["email"],
                ids={"custom": agent_id},
                available=given["available"],
                groups=[group] if group else [],
            )
            self._people.append(person)
        return json_reply(200, _shown(person))

    def _add_id(self, call: Call) -> Reply:
        person = self._by_email(call.parameters["email"])
        agent_id = call.parameters["agentId"]
        with self._lock:
            if any(agent_id in known.all_ids for known in self._people):
                raise Refusal(409, f"agentId {agent_id!r} is in use by an existing agent")
            person.ids[f"added {len(person.ids)}"] = agent_id
        return json_reply(200, _shown(person))

    def _set_available(self, call: Call) -> Reply:
        person = self._by_email(call.parameters["email"])
        person.available = call.parameters["available"]
        return json_reply(200, _shown(person))

    def _by_email(self, email: str) -> Person:
        person = next((person for person in self.people() if person.email == email), None)
        if person is None:
            raise Refusal(404, f"no agent has the email {email!r}")
        return person


def _shown(person: Person) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "_id": person.record_id,
        "name": person.name,
        "agentId": person.all_ids[-1],
        "available": person.available,
        "email": person.email,
    }
    if person.groups:
        shown["agentGroupId"] = person.groups[0]
    return shown
