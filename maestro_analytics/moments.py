"""Moments that a person gave, in UTC."""

from __future__ import annotations

from datetime import UTC, datetime

from maestro_analytics.errors import InvalidArgument


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
