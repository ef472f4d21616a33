"""The events of a run, and showing them on standard error: bars on a terminal, lines with a time stamp elsewhere."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TextIO

from maestro_analytics.errors import MaestroError
from maestro_analytics.exports.ledger import ExportRecord
from maestro_analytics.exports.windows import Window
from maestro_analytics.kinds import WINDOWED

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

QUIET_SECONDS = 30.0
"""How often plain lines repeat the status of an export."""


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


@contextmanager
def progress(
    stream: TextIO | None = None,
    *,
    bars: bool | None = None,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Iterator[OnEvent]:
    """A function that shows the events of a run.

    Args:
        stream: where; standard error when None. A process without one is shown nothing.
        bars: bars or plain lines; None asks whether `stream` is a terminal. A notebook gets plain lines.
        now: the time that plain lines are stamped with.
    """
    stream = stream or sys.stderr
    if stream is None:
        yield lambda event: None
    elif stream.isatty() if bars is None else bars:
        with _bars(stream) as shown:
            yield shown
    else:
        lines = _Lines(stream, now)
        yield lines.show


def sentence(event: Event) -> str | None:
    """One line about an event; None for events that only progress bars show."""
    match event:
        case Planned(seconds_by_kind, resumed):
            parts = [
                f"{kind} of {_days(seconds)}" if seconds else kind
                for kind, seconds in seconds_by_kind.items()
                if seconds or kind not in WINDOWED
            ]
            taken_up = f"{resumed} exports of an earlier run" if resumed != 1 else "1 export of an earlier run"
            parts += [taken_up] if resumed else []
            return "to get: " + ", ".join(parts) if parts else "nothing to ask for"
        case Requested(export, again):
            return f"{'picked up' if again else 'asked for'} {export}"
        case Received(export):
            return f"received {export}: {_size(export.bytes)}" if export.file else f"nothing in {export}"
        case Halved(_, reason):
            return f"{reason}; asking for halves of it"
        case MissedWindow():
            return f"missed {event}"
        case Noticed(text):
            return text
    return None


class _Lines:
    """Plain lines, each with the time in UTC."""

    def __init__(self, stream: TextIO, now: Callable[[], datetime]) -> None:
        self._stream = stream
        self._now = now
        self._lock = threading.Lock()
        self._last_poll: dict[int, float] = {}

    def _print(self, text: str) -> None:
        with self._lock:
            self._stream.write(f"{self._now():%Y-%m-%dT%H:%M:%SZ} {text}\n")
            self._stream.flush()

    def show(self, event: Event) -> None:
        text = sentence(event)
        if isinstance(event, Polled):
            shown = self._last_poll.get(event.export.seq, 0.0)
            if event.waited_seconds - shown >= QUIET_SECONDS:
                self._last_poll[event.export.seq] = event.waited_seconds
                text = f"{event.export} is {event.status} after {event.waited_seconds:.0f} s"
        if text is not None:
            self._print(text)


@contextmanager
def _bars(stream: TextIO) -> Iterator[OnEvent]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    console = Console(file=stream, highlight=False)
    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), BarColumn(bar_width=24))
    with Progress(
        *columns, TextColumn("{task.fields[note]}", markup=False), TimeElapsedColumn(), console=console, transient=True
    ) as display:
        bars = _Bars(display)
        yield bars.show


class _Bars:
    """A progress bar per export in flight, and one for the time covered."""

    def __init__(self, display: Progress) -> None:
        self._display = display
        self._tasks: dict[int, TaskID] = {}
        self._covered: TaskID | None = None

    def _print(self, text: str) -> None:
        self._display.console.print(text, markup=False, soft_wrap=True)

    def show(self, event: Event) -> None:
        match event:
            case Planned(seconds_by_kind, _):
                total = sum(seconds_by_kind.values())
                if total:
                    parts = (f"{_days(seconds)} of {kind}" for kind, seconds in seconds_by_kind.items() if seconds)
                    self._covered = self._display.add_task("covered", total=total, note=", ".join(parts))
            case Requested(export, _):
                self._tasks[export.seq] = self._display.add_task(_short(export), total=None, note="asked for")
            case Polled(export, status, waited):
                self._update(export, note=f"{status}, {waited:.0f} s")
            case Receiving(export, received, expected):
                self._update(export, completed=received, total=expected, note=_size(received))
            case Received(export):
                self._end(export)
                if self._covered is not None and export.window is not None:
                    self._display.advance(self._covered, export.window.length.total_seconds())
            case Halved(export, _):
                self._end(export)
                self._print(sentence(event) or "")
            case MissedWindow() | Noticed():
                self._print(sentence(event) or "")

    def _update(self, export: ExportRecord, **changes: Any) -> None:
        if export.seq in self._tasks:
            self._display.update(self._tasks[export.seq], **changes)

    def _end(self, export: ExportRecord) -> None:
        if export.seq in self._tasks:
            self._display.remove_task(self._tasks.pop(export.seq))


def _short(export: ExportRecord) -> str:
    return f"{export.kind} {export.window.start:%Y-%m-%d %H:%M}" if export.window else export.kind


def _days(seconds: float) -> str:
    days = seconds / 86_400
    return f"{days:.0f} days" if days >= 2 else f"{seconds / 3600:.1f} h"


def _size(size: int | None) -> str:
    size = size or 0
    return f"{size / 1e6:.1f} MB" if size >= 1e6 else f"{size / 1e3:.1f} kB" if size >= 1e3 else f"{size} bytes"
