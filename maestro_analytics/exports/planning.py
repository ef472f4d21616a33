"""What a run would ask for, before any of it is spent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from maestro_analytics.exports.lifecycle import PollPace
from maestro_analytics.exports.windows import INITIAL_WINDOW, Window, cut

TYPICAL_EXPORT_SECONDS = 30.0
"""What an export is taken to need; the vendor promises nothing."""


@dataclass(frozen=True)
class ExportPlan:
    """What would be asked for.

    Attributes:
        windows: kind -> windows in order; one None for a snapshot.
        calls: requests for all of them, with their polls; downloads are on another host and cost none.
        minutes: an estimate, under the token's limits and with exports of half a minute each.
    """

    windows: dict[str, list[Window | None]]
    calls: int
    minutes: float


def plan_windows(
    wanted: Mapping[str, Sequence[Window] | None],
    *,
    initial_window: timedelta = INITIAL_WINDOW,
    in_flight: int = 4,
    requests_per_minute: int = 95,
    pace: PollPace | None = None,
) -> ExportPlan:
    """The windows that `run_exports` would start with, the calls they cost and the minutes they take.

    A window that has to be halved costs more; that is not known before.
    """
    windows: dict[str, list[Window | None]] = {
        kind: [None] if spans is None else [*cut(spans, initial_window)] for kind, spans in wanted.items()
    }
    exports = sum(len(pieces) for pieces in windows.values())
    calls = exports * (1 + polls_within(TYPICAL_EXPORT_SECONDS, pace or PollPace()))
    rounds = -(-exports // in_flight)
    minutes = max(calls / requests_per_minute, rounds * TYPICAL_EXPORT_SECONDS / 60)
    return ExportPlan(windows, calls, round(minutes, 1))


def polls_within(seconds: float, pace: PollPace) -> int:
    """How often an export that is complete after `seconds` is looked at."""
    polls, elapsed, delay = 1, pace.first_seconds, pace.first_seconds
    while elapsed < seconds:
        delay = min(delay * pace.factor, pace.longest_seconds)
        elapsed += delay
        polls += 1
    return polls
