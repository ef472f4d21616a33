"""Single records of the API as typed values. Fields that the reference does not have are in `model_extra`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)
from pydantic.alias_generators import to_camel


def _none_if_invalid(value: Any, handler: ValidatorFunctionWrapHandler) -> Any:
    try:
        return handler(value)
    except (ValidationError, OverflowError):  # the year 0 or 10000 in UTC
        return None


def _iso_text(value: Any) -> Any:
    """The moment of an ISO 8601 text; pydantic alone would also read numbers as Unix times."""
    return datetime.fromisoformat(value) if isinstance(value, str) else None


def _utc(moment: datetime | None) -> datetime | None:
    if moment is None:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _as_texts(value: Any) -> list[Any]:
    values = value if isinstance(value, list) else [value]
    return [each for each in values if isinstance(each, str | int | float) and not isinstance(each, bool)]


Text = Annotated[str | None, WrapValidator(_none_if_invalid)]
Number = Annotated[float | None, WrapValidator(_none_if_invalid)]
Flag = Annotated[bool | None, WrapValidator(_none_if_invalid)]
Moment = Annotated[datetime | None, AfterValidator(_utc), BeforeValidator(_iso_text), WrapValidator(_none_if_invalid)]
Texts = Annotated[tuple[str, ...], BeforeValidator(_as_texts)]
Attributes = Annotated[Mapping[str, Any], BeforeValidator(lambda value: value if isinstance(value, dict) else {})]


class Record(BaseModel):
    """Base of all records. A value whose type differs from the reference becomes None; in a list it is left out."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        extra="allow",
        frozen=True,
        coerce_numbers_to_str=True,
    )

    @classmethod
    def from_json(cls, answer: Any) -> Self:
        """A record from the vendor's JSON."""
        return cls.model_validate(answer if isinstance(answer, dict) else {})


class Ticket(Record):
    """A ticket. The vendor redacts attributes of a ticket that came from a helpdesk."""

    ticket_id: Text = Field(None, alias="ticket_id")
    id: Text = None
    type: Text = None
    subject: Text = None
    agents: Texts = ()
    link: Text = None
    body: Text = None
    tags: Text = None
    status: Text = None
    csat_score: Number = Field(None, alias="csat_score")
    first_seen: Moment = Field(None, alias="first_seen")
    last_seen: Moment = Field(None, alias="last_seen")
    created_at: Moment = None
    updated_at: Moment = None
    source: Text = None
    attributes: Attributes = Field(default_factory=dict)


class Comment(Record):
    """A comment on a ticket, by a customer or an agent."""

    id: Text = None
    ticket_id: Text = Field(None, alias="ticket_id")
    body: Text = None
    author_id: Text = Field(None, alias="author_id")
    role: Text = None
    channel: Text = None
    public: Flag = None
    time: Moment = None


class Attachment(BaseModel, frozen=True):
    """An attachment of a ticket. The presigned URL that it was uploaded to is not kept."""

    id: str
    ticket_id: str


class Agent(Record):
    """An agent."""

    id: Text = Field(None, alias="_id")
    name: Text = None
    email: Text = None
    available: Flag = None
    agent_id: Text = None
    agent_group_id: Text = None
