"""Parameters checked as strictly as the reference states them; a refusal names every parameter that is wrong."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

SECONDS_DATE = "2017-12-13T05:00:00Z"
_DOCUMENTED = {
    "date": re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII),
    "moment": re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,3})?Z", re.ASCII),
}
_TAKEN = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|\+00:00)", re.ASCII)
"""What the vendor was seen to take: public clients send fractions and `+00:00`."""


class Refusal(Exception):
    """A request that the vendor refuses, with the status and the message of the answer."""

    def __init__(self, status: int, message: str) -> None:
        self.status = status
        self.message = message
        super().__init__(message)


@dataclass(frozen=True)
class Field:
    """A parameter.

    Kinds: text, boolean, number, integer, date (documented to the second), moment (to the millisecond), enum, texts (an
    array of strings), object, anything.
    """

    name: str
    kind: str = "text"
    required: bool = False
    choices: tuple[str, ...] = ()
    least: int = 0
    nullable: bool = False


def checked(values: Mapping[str, Any], fields: Sequence[Field], *, where: str = "") -> dict[str, Any]:
    """The known parameters, dates as aware datetimes.

    Raises:
        Refusal: 422, naming each parameter that is missing or wrong.
    """
    result: dict[str, Any] = {}
    problems = []
    for field in fields:
        if field.name not in values:
            if field.required:
                problems.append(f"{where}{field.name} is required")
            continue
        value = values[field.name]
        if value is None and field.nullable:
            continue
        try:
            result[field.name] = _value(field, value)
        except ValueError as error:
            problems.append(f"{where}{field.name} {error}")
    if problems:
        raise Refusal(422, "; ".join(problems))
    return result


def moment_of(text: str) -> datetime:
    """A date string that the vendor takes as an aware datetime."""
    return datetime.fromisoformat(text).astimezone(UTC)


def moment_text(moment: datetime) -> str:
    """A moment as the vendor's JSON has it: with milliseconds."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def _value(field: Field, value: Any) -> Any:
    if field.kind in _DOCUMENTED:
        return _moment(value)
    if field.kind == "text":
        if not isinstance(value, str) or (field.required and not value.strip()):
            raise ValueError("must be a string that is not empty" if field.required else "must be a string")
    elif field.kind == "enum":
        if value not in field.choices:
            raise ValueError(f"must be one of {', '.join(field.choices)}")
    elif field.kind == "boolean":
        if not isinstance(value, bool):
            raise ValueError("must be a boolean")
    elif field.kind == "number":
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float)
            or value != value
            or abs(value) == float("inf")
        ):
            raise ValueError("must be a number")
    elif field.kind == "integer":
        if not (isinstance(value, str) and value.isascii() and value.isdigit()) or int(value) < field.least:
            raise ValueError(f"must be a whole number of at least {field.least}")
        return int(value)
    elif field.kind == "texts":
        if not isinstance(value, list) or not all(isinstance(item, str) and item for item in value):
            raise ValueError("must be an array of strings")
        if field.required and not value:
            raise ValueError("must name at least one")
    elif field.kind == "object" and not isinstance(value, dict):
        raise ValueError("must be an object")
    return value


def undocumented_dates(values: Mapping[str, Any], fields: Sequence[Field]) -> list[str]:
    """The dates among checked values that are not written as the reference has it, as `name 'value'`."""
    return [
        f"{field.name} {values[field.name]!r}"
        for field in fields
        if field.kind in _DOCUMENTED
        and field.name in values
        and not _DOCUMENTED[field.kind].fullmatch(values[field.name])
    ]


def _moment(value: Any) -> datetime:
    if isinstance(value, str) and _TAKEN.fullmatch(value):
        try:
            return moment_of(value)
        except ValueError:
            pass
    raise ValueError(f"must be a UTC date like {SECONDS_DATE}")
