"""Events of a run: what happened, for progress displays."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from maestro_analytics.errors import MaestroError
from maestro_analytics.exports.ledger import ExportRecord
from maestro_analytics.exports.windows import Window


@dataclass(frozen=True)
class MissedWindow:
    """A window that could not be exported. The others go on.

    Attributes:
        window: None for groups.
        reason: what happened, to which export, and what to do; may be shown to users.
        error: the error that caused it.
    """

    kind: str
    window: Window | None
    reason: str
    error: MaestroError | None = None

    def __str__(self) -> str:
        return f"{self.kind}{f' {self.window}' if self.window else ''}: {self.reason}"


@dataclass(frozen=True)
class Planned:
    """How much there is to export; sent before the first request.

    Attributes:
        seconds_by_kind: seconds of the windows wanted, 0 for a snapshot.
        resumed: exports of an earlier run that are finished first.
    """

    seconds_by_kind: dict[str, float]
    resumed: int


@dataclass(frozen=True)
class Requested:
    """An export was requested and has an id. `again`: an earlier run requested it."""

    export: ExportRecord
    again: bool = False


@dataclass(frozen=True)
class Polled:
    """The vendor told the status of an export."""

    export: ExportRecord
    status: str
    waited_seconds: float


@dataclass(frozen=True)
class Receiving:
    """Bytes of a file were received. `bytes_expected` is None if the store names no length."""

    export: ExportRecord
    bytes_received: int
    bytes_expected: int | None


@dataclass(frozen=True)
class Received:
    """An export is complete: its file is kept, or it is empty."""

    export: ExportRecord


@dataclass(frozen=True)
class Halved:
    """An export ended without a file, and its window is requested in two halves."""

    export: ExportRecord
    reason: str


@dataclass(frozen=True)
class Noticed:
    """Anything else that is worth a line: a warning, a landing, a publication."""

    text: str


Event = Planned | Requested | Polled | Receiving | Received | Halved | Noticed | MissedWindow
OnEvent = Callable[[Event], None]


def one_at_a_time(on_event: OnEvent | None) -> OnEvent:
    """A function that several threads may call, and that calls `on_event` for one event at a time."""
    lock = threading.Lock()

    def emit(event: Event) -> None:
        if on_event is not None:
            with lock:
                on_event(event)

    return emit
