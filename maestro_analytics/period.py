"""What one run covers, and which windows of it are still to be asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from maestro_analytics.errors import InvalidArgument
from maestro_analytics.exports import ExportRecord, Window
from maestro_analytics.exports.windows import without
from maestro_analytics.kinds import EXPORT_KINDS, WINDOWED

FIRST_PERIOD = timedelta(days=90)
UNTIL_MARGIN = timedelta(minutes=1)
"""What the vendor commits late carries an earlier time stamp: the newest minute is left to the next run."""

LONGEST_CLOCK_ERROR = timedelta(days=1)
"""A vendor whose clock is further off than this does not tell the time."""


@dataclass(frozen=True)
class Period:
    """What one run is asked for: half-open, in UTC, and the kinds."""

    since: datetime
    until: datetime
    kinds: tuple[str, ...]
    again: bool = False

    def wanted(self, covered: Mapping[str, Sequence[Window]]) -> dict[str, list[Window] | None]:
        """The windows to ask for, by kind; None for a snapshot."""
        whole = [Window(self.since, self.until)]
        wanted: dict[str, list[Window] | None] = {
            kind: whole if self.again else without(whole, covered.get(kind, ()))
            for kind in WINDOWED
            if kind in self.kinds
        }
        return wanted | {kind: None for kind in self.kinds if kind in EXPORT_KINDS and kind not in WINDOWED}


def period_of(
    *,
    since: datetime | None,
    until: datetime | None,
    kinds: Sequence[str],
    again: bool = False,
    first_since: datetime | None,
    now: datetime,
) -> Period:
    """What a run covers: from `since` (else the earliest ever asked for, else 90 days) to `until` (else a minute ago).

    Time that has not come yet is never counted as covered: a later `until` means now.

    Raises:
        InvalidArgument: the period is empty.
    """
    end = min(until, now) if until else now - UNTIL_MARGIN
    start = since or first_since or end - FIRST_PERIOD
    start, end = start.replace(microsecond=0), end.replace(microsecond=0)
    if start >= end:
        raise InvalidArgument(
            f"nothing lies between --since {start:%Y-%m-%dT%H:%M:%SZ} and --until {end:%Y-%m-%dT%H:%M:%SZ}: "
            "the first must be before the second, and before now."
        )
    return Period(start, end, tuple(kinds), again)


def gaps(
    period: Period, covered: Mapping[str, Sequence[Window]], *, vendor_now: datetime | None = None
) -> list[dict[str, str]]:
    """What of a period is not covered: `kind`, `window_start`, `window_end` (ISO 8601, UTC) of each stretch.

    Args:
        vendor_now: the vendor's clock, where ours is wrong: what it has not reached is missing nowhere.
    """
    end = min(period.until, vendor_now) if vendor_now else period.until
    whole = [Window(period.since, end)] if period.since < end else []
    return [
        {"kind": kind, "window_start": gap.start.isoformat(), "window_end": gap.end.isoformat()}
        for kind in WINDOWED
        if kind in period.kinds
        for gap in without(whole, covered.get(kind, ()))
    ]


def vendor_now(now: datetime, ahead_seconds: float | None) -> datetime | None:
    """The vendor's clock, where ours is further ahead than the margin allows for; None where it is right enough."""
    ahead = timedelta(seconds=ahead_seconds or 0.0)
    return (now - ahead).replace(microsecond=0) if UNTIL_MARGIN < ahead < LONGEST_CLOCK_ERROR else None


def without_time_to_come(export: ExportRecord, ahead_seconds: float | None) -> tuple[ExportRecord, str | None]:
    """An export whose window ends no later than the vendor's clock when it was asked for, and a warning if that is cut.

    Where this machine's clock is ahead of the vendor's, a window that ends "a minute ago" ends in the vendor's future:
    counted as covered, what happens there would never be asked for.

    Args:
        ahead_seconds: how far this machine's clock is ahead of the vendor's; None where that is not known.
    """
    window = export.window
    asked_at = vendor_now(export.requested_at, ahead_seconds) if export.requested_at else None
    if window is None or asked_at is None or window.end <= asked_at:
        return export, None
    warning = (
        f"this machine's clock is {ahead_seconds:.0f} s ahead of the vendor's: what the vendor's clock had not reached "
        "does not count as covered. Set the clock."
    )
    return replace(export, window=Window(window.start, asked_at) if window.start < asked_at else None), warning
