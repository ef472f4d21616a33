"""What options of several commands mean."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import overload

from maestro_analytics.errors import InvalidArgument
from maestro_analytics.moments import in_utc


@overload
def moment(text: str, *, option: str) -> datetime: ...
@overload
def moment(text: None, *, option: str) -> None: ...
@overload
def moment(text: str | None, *, option: str) -> datetime | None: ...
def moment(text: str | None, *, option: str) -> datetime | None:
    """A date or an ISO 8601 moment, as UTC; None for None.

    A date is its midnight in UTC, and a moment without an offset is UTC.

    Raises:
        InvalidArgument: the text is neither, or outside of the years 1 to 9999.
    """
    if text is None:
        return None
    try:
        if len(text) == len("2026-01-31"):
            day = date.fromisoformat(text)
            return datetime(day.year, day.month, day.day, tzinfo=UTC)
        parsed = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidArgument(
            f"{option} {text!r} is not a date or a moment: write 2026-01-31 or 2026-01-31T09:00:00Z (UTC)."
        ) from None
    return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else in_utc(parsed, name=option)


def choices(text: str | None, *, option: str, known: Sequence[str]) -> tuple[str, ...]:
    """`a,b` as a tuple in the order of `known`; all of `known` for None.

    Raises:
        InvalidArgument: a word is not among `known`, or there is none at all.
    """
    if text is None:
        return tuple(known)
    words = {word.strip() for word in text.split(",") if word.strip()}
    unknown = sorted(words - set(known))
    if unknown or not words:
        raise InvalidArgument(f"{option} {text!r}: choose from {', '.join(known)}, separated by commas.")
    return tuple(word for word in known if word in words)
