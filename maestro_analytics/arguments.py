"""Check the arguments of calls and the options of commands before anything is done with them."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import TypeVar, overload

from maestro_analytics.errors import InvalidArgument

Choice = TypeVar("Choice", bound=StrEnum)


def in_utc(moment: datetime, *, name: str) -> datetime:
    """An aware moment in UTC.

    Args:
        name: of the option or argument, for the message.

    Raises:
        InvalidArgument: in UTC it lies before the year 1 or after the year 9999.
    """
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise InvalidArgument(
            f"{name} {moment.isoformat()} lies outside of the years 1 to 9999 in UTC: check the year."
        ) from None


@overload
def moment_of(value: datetime | date | str, *, name: str) -> datetime: ...
@overload
def moment_of(value: datetime | date | str | None, *, name: str) -> datetime | None: ...
def moment_of(value: datetime | date | str | None, *, name: str) -> datetime | None:
    """A datetime, a date or ISO 8601 text as an aware moment in UTC; None for None.

    A date is its midnight in UTC, and a moment without an offset is UTC.

    Args:
        name: of the option or argument, for the message.

    Raises:
        InvalidArgument: the text is neither a date nor a moment, or outside of the years 1 to 9999.
    """
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            raise InvalidArgument(
                f"{name} {value!r} is not a date or a moment: write 2026-01-31 or 2026-01-31T09:00:00Z (UTC)."
            ) from None
    elif isinstance(value, date) and not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day)
    if value is None:
        return None
    return in_utc(value, name=name) if value.tzinfo else value.replace(tzinfo=UTC)


def iso(moment: datetime, *, name: str = "moment") -> str:
    """A moment in the vendor's format: UTC with `Z`, and milliseconds unless they are 0.

    Raises:
        InvalidArgument: `moment` is not a datetime, or has no time zone.
    """
    if not isinstance(moment, datetime):
        raise InvalidArgument(
            f"{name} must be an aware datetime such as datetime(2026, 1, 31, 12, tzinfo=UTC), not {moment!r}"
        )
    if moment.tzinfo is None or moment.utcoffset() is None:
        raise InvalidArgument(
            f"{name} has no time zone. For UTC write datetime({moment.year}, {moment.month}, {moment.day}, "
            f"{moment.hour}, {moment.minute}, tzinfo=UTC); for local time write {name}.astimezone()."
        )
    utc = moment.astimezone(UTC)
    whole = utc.strftime("%Y-%m-%dT%H:%M:%S")
    return f"{whole.rjust(19, '0')}.{utc.microsecond // 1000:03d}Z" if utc.microsecond else f"{whole.rjust(19, '0')}Z"


def iso_or_none(moment: datetime | None, *, name: str) -> str | None:
    return None if moment is None else iso(moment, name=name)


def required_text(value: object, *, name: str) -> str:
    """A str that is not blank.

    Raises:
        InvalidArgument: it is missing, blank, or not a str (a number loses the leading zeros of an id).
    """
    if not isinstance(value, str):
        raise InvalidArgument(f"{name} must be a text, not {value!r}")
    if not value.strip():
        raise InvalidArgument(f"{name} must not be empty")
    return value


def choice(value: str | Choice | None, choices: type[Choice], *, name: str) -> str | None:
    """The value of an enum's member, given as the member or as its value.

    Raises:
        InvalidArgument: the enum has no such member.
    """
    if value is None:
        return None
    try:
        return choices(value).value
    except ValueError:
        allowed = ", ".join(repr(member.value) for member in choices)
        raise InvalidArgument(f"{name} must be one of {allowed}, not {value!r}") from None


def optional_text(value: object, *, name: str) -> str | None:
    """A text, or None; an empty one is allowed."""
    if value is not None and not isinstance(value, str):
        raise InvalidArgument(f"{name} must be a text, not {value!r}")
    return value


def email_address(value: object) -> str:
    """A text with an `@` in it; the vendor checks the rest."""
    text = required_text(value, name="email")
    if "@" not in text.strip("@"):
        raise InvalidArgument(f"email must be an e-mail address, not {text!r}")
    return text


def flag(value: object, *, name: str) -> bool:
    """A bool; truthy values are rejected."""
    if not isinstance(value, bool):
        raise InvalidArgument(f"{name} must be True or False, not {value!r}")
    return value


def number(value: object, *, name: str) -> float | None:
    """A finite number, or None: JSON has neither NaN nor infinity."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise InvalidArgument(f"{name} must be a finite number, not {value!r}")
    return value
