"""What a run of exports tells while it goes. Called from its threads, one event at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from maestro_analytics.errors import MaestroError
from maestro_analytics.exports.ledger import ExportRecord
from maestro_analytics.exports.windows import Window


@dataclass(frozen=True)
class MissedWindow:
    """A window that could not be had. The others go on.

    Attributes:
        window: None for groups.
        reason: what happened, to which export, and what to do; fit to be shown.
        error: the error behind it.
    """

    kind: str
    window: Window | None
    reason: str
    error: MaestroError | None = None

    def __str__(self) -> str:
        return f"{self.kind}{f' {self.window}' if self.window else ''}: {self.reason}"


@dataclass(frozen=True)
class Planned:
    """Before the first request: how much there is to cover.

    Attributes:
        seconds_by_kind: seconds of the windows wanted, 0 for a snapshot.
        resumed: exports of an earlier run that are picked up.
    """

    seconds_by_kind: dict[str, float]
    resumed: int


@dataclass(frozen=True)
class Asked:
    """An export was asked for; it has an id now. `again` when an earlier run had asked for it."""

    export: ExportRecord
    again: bool = False


@dataclass(frozen=True)
class Polled:
    """The vendor said how an export is doing."""

    export: ExportRecord
    status: str
    waited_seconds: float


@dataclass(frozen=True)
class Receiving:
    """Bytes of a file came. `bytes_expected` is None where the store does not say."""

    export: ExportRecord
    bytes_received: int
    bytes_expected: int | None


@dataclass(frozen=True)
class Received:
    """An export is there: its file is kept, or it is empty."""

    export: ExportRecord


@dataclass(frozen=True)
class Halved:
    """An export ended without a file, and its window is asked for in two halves."""

    export: ExportRecord
    reason: str


@dataclass(frozen=True)
class Noticed:
    """Something unusual that did not stop anything."""

    text: str


Event = Planned | Asked | Polled | Receiving | Received | Halved | Noticed | MissedWindow
OnEvent = Callable[[Event], None]
