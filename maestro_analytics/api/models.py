"""Single records as typed values. What the vendor adds is kept in `more`."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, ClassVar, Self, get_type_hints


def _text(value: Any) -> str | None:
    return None if value is None or isinstance(value, dict | list) else str(value)


def _number(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def _flag(value: Any) -> bool | None:
    if isinstance(value, str):
        return {"true": True, "false": False}.get(value.strip().lower())
    return value if isinstance(value, bool) else None


def _moment(value: Any) -> datetime | None:
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _texts(value: Any) -> tuple[str, ...]:
    values = value if isinstance(value, list) else [] if value is None else [value]
    return tuple(str(item) for item in values)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


_READERS: dict[Any, Callable[[Any], Any]] = {
    str | None: _text,
    float | None: _number,
    bool | None: _flag,
    datetime | None: _moment,
    tuple[str, ...]: _texts,
    Mapping[str, Any]: _mapping,
}


@dataclass(frozen=True, kw_only=True)
class Record:
    """What all records share.

    Attributes:
        more: fields that the reference does not have, as they came.
    """

    vendor_names: ClassVar[Mapping[str, str]] = {}
    """Our name -> the vendor's, where that is not ours in camel case."""

    more: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @classmethod
    def read(cls, answer: Any) -> Self:
        """A record from the vendor's JSON. A value of another kind than the reference says is None."""
        said = dict(answer) if isinstance(answer, dict) else {}
        hints = get_type_hints(cls)
        names = [entry.name for entry in dataclasses.fields(cls) if entry.name != "more"]
        values = {
            name: _READERS[hints[name]](said.pop(cls.vendor_names.get(name, _camel_case(name)), None)) for name in names
        }
        return cls(**values, more=said)


def _camel_case(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(word.capitalize() for word in others)


def _as_here(*names: str) -> Mapping[str, str]:
    return {name: name for name in names}


@dataclass(frozen=True, kw_only=True)
class Ticket(Record):
    """A ticket. Attributes of a ticket that came from a helpdesk are redacted by the vendor."""

    vendor_names = _as_here("ticket_id", "csat_score", "first_seen", "last_seen")

    ticket_id: str | None
    id: str | None
    type: str | None
    subject: str | None
    agents: tuple[str, ...]
    link: str | None
    body: str | None
    tags: str | None
    status: str | None
    csat_score: float | None
    first_seen: datetime | None
    last_seen: datetime | None
    created_at: datetime | None
    updated_at: datetime | None
    source: str | None
    attributes: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Comment(Record):
    """A comment on a ticket, by a customer or an agent."""

    vendor_names = _as_here("ticket_id", "author_id")

    id: str | None
    ticket_id: str | None
    body: str | None
    author_id: str | None
    role: str | None
    channel: str | None
    public: bool | None
    time: datetime | None


@dataclass(frozen=True, kw_only=True)
class Attachment:
    """An attachment of a ticket. The presigned URL it was sent to is not kept."""

    id: str
    ticket_id: str


@dataclass(frozen=True, kw_only=True)
class Agent(Record):
    """An agent."""

    vendor_names: ClassVar[Mapping[str, str]] = {"id": "_id"}

    id: str | None
    name: str | None
    email: str | None
    available: bool | None
    agent_id: str | None
    agent_group_id: str | None


@dataclass(frozen=True, kw_only=True)
class Todo(Record):
    """A to-do of an agent."""

    id: str | None
    title: str | None
    created_at: datetime | None
    updated_at: datetime | None
    agent_id: str | None
    creator_id: str | None
    status: str | None
    type: str | None
    answer_id: str | None
    coaching_session_ids: tuple[str, ...]
    description: str | None


@dataclass(frozen=True, kw_only=True)
class CoachingPoint(Record):
    """A coaching point about an agent."""

    id: str | None
    created_at: datetime | None
    updated_at: datetime | None
    agent_id: str | None
    creator_id: str | None
    criteria_id: str | None
    rubric_id: str | None
    answer_id: str | None
    type: str | None
    classification: str | None
    coach_notes: str | None
    coaching_session_ids: tuple[str, ...]
    text_content: str | None


@dataclass(frozen=True, kw_only=True)
class CoachingSession(Record):
    """A coaching session with an agent."""

    id: str | None
    name: str | None
    created_at: datetime | None
    updated_at: datetime | None
    agent_id: str | None
    agent_name: str | None
    coach_id: str | None
    coach_name: str | None
    creator_id: str | None
    agent_notes: str | None
    coach_notes: str | None
    coach_private_notes: str | None
    session_contents: str | None
    coaching_template_id: str | None
    meeting_format: str | None
    agent_confirmed: bool | None
    coach_confirmed: bool | None
