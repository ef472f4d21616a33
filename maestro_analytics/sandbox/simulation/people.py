"""People: agents with an id in each helpdesk, teams, graders and coaches."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from random import Random

from maestro_analytics.sandbox.simulation.chance import PEOPLE, draws, identifier

CUSTOMER_SHIFT = 1_000
SOURCES = ("zendesk", "salesforce", "livechat", "custom_crm")

_FIRST = (
    *("Ada", "Björn", "Chloé", "Dmitri", "Elif", "Farah", "Grace", "Hiro", "Inés", "Jürgen"),
    *("Kofi", "Léa", "Mona", "Nils", "Olu", "Priya", "Quinn", "Rosa", "Siân", "Tomás"),
)
_LAST = (
    *("Adler", "Bianchi", "Çelik", "D'Souza", "Eze", "Fløde", "García", "Haddad"),
    *("Ito", "Jansen", "Kovač", "Lund", "Müller", "Novák", "O'Neil", "Park"),
)
_TEAMS = ("Billing", 'Chat "night owls"', "Logistics, returns", "VIP 🌟", "Onboarding", "Technical support")


@dataclass(slots=True, eq=False)
class Person:
    """An agent: one person, with several ids.

    `ids` maps a helpdesk to the person's id there. `quality` is what an unbiased grader gives on average before any
    coaching, in percent, without bonus points and auto-fails.
    """

    number: int
    record_id: str
    name: str
    email: str
    ids: dict[str, str]
    available: bool
    groups: list[str] = field(default_factory=list)
    quality: float = 80.0
    sessions: list[datetime] = field(default_factory=list)

    @property
    def all_ids(self) -> list[str]:
        return list(dict.fromkeys(self.ids.values()))

    def id_for(self, source: str | None) -> str:
        """The id under which a ticket of this helpdesk names the person."""
        return self.ids.get(source or "") or next(iter(self.ids.values()))


@dataclass(slots=True, eq=False)
class User:
    """A grader or coach. `bias` is what this grader gives beyond an unbiased one, in percent points.

    `mood` is what is added to it at a moment.
    """

    number: int
    user_id: str
    name: str
    email: str
    bias: float
    mood: Callable[[int, datetime], float] | None = None

    def bias_at(self, moment: datetime) -> float:
        return self.bias + (self.mood(self.number, moment) if self.mood else 0.0)


@dataclass(frozen=True)
class Group:
    group_id: str
    name: str


def make_groups(seed: int, agents: int) -> list[Group]:
    rng = draws(seed, PEOPLE, 1)
    return [Group(identifier(rng), _TEAMS[n % len(_TEAMS)]) for n in range(min(len(_TEAMS), max(2, agents // 6)))]


def make_people(seed: int, agents: int, groups: list[Group], customer: int = 0) -> list[Person]:
    """Agents with one to three ids; every ninth is in no team and then has one id, some have left.

    No two customers have an id or an address in common.
    """
    shift = customer * CUSTOMER_SHIFT
    rng = draws(seed, PEOPLE, 2)
    people = []
    for number in range(agents):
        name = f"{_FIRST[number % len(_FIRST)]} {_LAST[(number * 7 + number // len(_FIRST)) % len(_LAST)]}"
        if number % 11 == 5:
            name += ", Jr."
        alone = number % 9 == 8
        first = number % len(SOURCES)
        sources = [SOURCES[(first + step) % len(SOURCES)] for step in range(1 if alone else 1 + number % 3)]
        teams = [] if alone else [groups[number % len(groups)].group_id]
        if number % 7 == 3 and not alone:
            teams.append(groups[(number + 1) % len(groups)].group_id)
        people.append(
            Person(
                number=number,
                record_id=identifier(rng),
                name=name,
                email=f"agent{shift + number}@example.com",
                ids={source: _agent_id(rng, source, shift + number) for source in sources},
                available=number % 10 != 7,
                groups=teams,
                quality=round(min(90.0, max(64.0, rng.gauss(79.0, 6.0))), 2),
            )
        )
    return people


def _agent_id(rng: Random, source: str, number: int) -> str:
    """Ids of the kinds seen: numbers with leading zeros, 20 digits, letters, and with "_" inside."""
    if source == "zendesk":
        return f"{540_000 + number * 13:07d}" if number % 2 == 0 else str(70_000 + number * 11)
    if source == "salesforce":
        return f"0055e{number:07d}{identifier(rng, 6)}"
    if source == "livechat":
        return f"{10**19 + rng.randrange(10**18) * 7 + number}"
    return f"agent_{number:03d}_{identifier(rng, 4)}"


def make_users(seed: int, agents: int, customer: int = 0) -> list[User]:
    """Graders, who coach as well. Their biases add up to zero; the first is the lead, who is fair."""
    rng = draws(seed, PEOPLE, 3)
    count = max(4, min(60, 3 + agents // 8))
    biases = [0.0] + [rng.uniform(-6.0, 6.0) for _ in range(count - 1)]
    mean = sum(biases[1:]) / (count - 1)
    biases = [0.0] + [round(max(-6.5, min(6.5, bias - mean)), 2) for bias in biases[1:]]
    biases[-1] = round(-sum(biases[:-1]), 2)
    return [
        User(
            number=number,
            user_id=identifier(rng),
            name=f"{_LAST[(number * 3 + 1) % len(_LAST)]} {_FIRST[(number * 5 + 2) % len(_FIRST)]}",
            email=f"grader{customer * CUSTOMER_SHIFT + number}@example.com",
            bias=bias,
        )
        for number, bias in enumerate(biases)
    ]
