"""Several exports in flight, windows that size themselves, and results in the order in which they arrive."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections import deque
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from maestro_analytics.api.exports import ExportRequests
from maestro_analytics.api.transfer import PresignedTransfer
from maestro_analytics.api.transport import Transport
from maestro_analytics.errors import (
    Cancelled,
    DownloadFailed,
    ExportFailed,
    InvalidArgument,
    KindRefused,
    MaestroError,
    RequestRefused,
    SettingsError,
    TokenRefused,
    TryAgain,
    Unreachable,
)
from maestro_analytics.exports import archive
from maestro_analytics.exports.backlog import Backlog
from maestro_analytics.exports.events import Asked, Event, Halved, MissedWindow, OnEvent, Planned, Received
from maestro_analytics.exports.ledger import ExportRecord, Ledger
from maestro_analytics.exports.lifecycle import (
    ExportEnded,
    Lives,
    PollPace,
    PollShare,
    UnknownStatus,
)
from maestro_analytics.exports.windows import INITIAL_WINDOW, SMALLEST_WINDOW, Window, joined, without
from maestro_analytics.kinds import EXPORT_KINDS

REPEATS = 2
"""How often an export is asked for again when it was not its window that failed."""
HOPELESS_WINDOWS = 3
"""So many of the smallest windows failed and none came through: the vendor does not make exports now."""
SNAPSHOT_AGE = timedelta(hours=1)
"""A groups export that was asked for longer ago says how things were, not how they are."""
PATIENCE_SECONDS = 5.0
"""How long an interrupted run waits for requests under way, so that their ids reach the ledger."""


@dataclass(frozen=True)
class _Job:
    """A window to ask for, or an export of an earlier run to pick up."""

    kind: str
    window: Window | None
    record: ExportRecord | None = None
    repeats: int = 0


class _Run:
    """The state that the threads of a run share; every method that touches it holds `changed`."""

    def __init__(self, lives: Lives, kinds: Mapping[str, Backlog], resumed: Sequence[ExportRecord]) -> None:
        self.lives = lives
        self.results: queue.Queue[ExportRecord | MissedWindow | BaseException | None] = queue.Queue()
        self._kinds = kinds
        self._jobs = deque(_Job(record.kind, record.window, record) for record in resumed)
        self._under_way = 0
        self._changed = threading.Condition()

    def work(self) -> None:
        """One thread: jobs until there are none left."""
        try:
            while (job := self._next()) is not None:
                try:
                    self._do(job)
                finally:
                    with self._changed:
                        self._under_way -= 1
                        self._changed.notify_all()
        except Cancelled:
            pass
        except BaseException as error:
            self.results.put(error)
            self.lives.halt.set()
        finally:
            with self._changed:
                self._changed.notify_all()
            self.results.put(None)

    def _next(self) -> _Job | None:
        with self._changed:
            while True:
                if self.lives.halt.is_set():
                    return None
                job = self._take()
                if job is not None:
                    self._under_way += 1
                    return job
                if not self._under_way:
                    return None
                # One under way may come back in halves.
                self._changed.wait(1.0)

    def _take(self) -> _Job | None:
        if self._jobs:
            return self._jobs.popleft()
        kind = next((kind for kind in self._kinds.values() if kind.spans), None)
        return None if kind is None else _Job(kind.name, kind.take())

    def _do(self, job: _Job) -> None:
        record = job.record
        try:
            if record is None:
                record = self.lives.ask(job.kind, job.window)
            else:
                self.lives.emit(Asked(record, again=True))
            if record.status != "empty" and not archive.is_as_received(record):
                record = self.lives.finish(record, is_new=job.record is None)
        except TokenRefused as refused:
            if refused.status != 403:
                raise
            self._give_up_kind(job, record, KindRefused(job.kind, host=refused.host, status=403))
        except (SettingsError, Unreachable):
            raise
        except ExportEnded as ended:
            self.lives.fail(ended.export, status=ended.status, error=str(ended))
            self._halve(job, ended)
        except UnknownStatus as error:
            self.lives.fail(record, status="failed", error=str(error)) if record else None
            self._miss(MissedWindow(job.kind, job.window, str(error), error))
        except (ExportFailed, DownloadFailed, TryAgain, RequestRefused) as error:
            if record is None and isinstance(error, RequestRefused) and error.status == 404:
                self._give_up_kind(job, None, KindRefused(job.kind, host=self.lives.transport.host, status=404))
                return
            if record is not None:
                self.lives.fail(record, status="failed", error=str(error))
            self._again_or_missed(job, error)
        else:
            with self._changed:
                kind = self._kinds[job.kind]
                kind.came_through = True
                if job.window is not None:
                    kind.sizes.succeeded(job.window.length)
            self.lives.emit(Received(record))
            self.results.put(record)

    def _give_up_kind(self, job: _Job, record: ExportRecord | None, error: KindRefused) -> None:
        """Miss everything of a kind that the vendor does not give to this token."""
        if record is not None:
            self.lives.fail(record, status="failed", error=str(error))
        with self._changed:
            spans = self._kinds[job.kind].spans
            left = [job.window, *joined(span for span in spans if span is not None)]
            spans.clear()
        for window in left:
            self._miss(MissedWindow(job.kind, window, str(error), error))

    def _halve(self, job: _Job, ended: ExportEnded) -> None:
        if job.window is None:
            self._again_or_missed(job, ended)
            return
        kind = self._kinds[job.kind]
        halves = job.window.split(kind.smallest)
        if halves is not None:
            with self._changed:
                kind.sizes.failed(job.window.length)
                kind.spans.extendleft(reversed(halves))
            self.lives.emit(Halved(ended.export, str(ended)))
            return
        reason = (
            f"{ended}. The window was halved down to {kind.smallest.total_seconds() / 60:g} min and still failed: ask "
            f"the vendor about export {ended.export_id}."
        )
        self._miss(MissedWindow(job.kind, job.window, reason, ended))
        left: list[Window] = []
        with self._changed:
            kind.hopeless += 1
            if kind.hopeless >= HOPELESS_WINDOWS and not kind.came_through:
                left = joined(window for window in kind.spans if window is not None)
                kind.spans.clear()
        for span in left:
            self._miss(MissedWindow(job.kind, span, f"not asked for, as smaller windows failed too: {ended}", ended))

    def _again_or_missed(self, job: _Job, error: MaestroError) -> None:
        repeatable = isinstance(error, TryAgain | ExportEnded) or job.record is not None
        if repeatable and job.repeats < REPEATS:
            with self._changed:
                self._jobs.append(_Job(job.kind, job.window, repeats=job.repeats + 1))
        else:
            self._miss(MissedWindow(job.kind, job.window, str(error), error))

    def _miss(self, missed: MissedWindow) -> None:
        self.lives.emit(missed)
        self.results.put(missed)


def _take_up(
    ledger: Ledger, kinds: Mapping[str, Backlog], wanted: Mapping[str, Sequence[Window] | None], now: datetime
) -> list[ExportRecord]:
    """Fill the kinds with what is wanted, and return the exports of an earlier run that are picked up for it."""
    resumed = []
    again: dict[str, list[Window]] = {name: list(windows or ()) for name, windows in wanted.items()}
    for record in ledger.unfinished():
        if record.kind not in kinds:
            continue
        is_old = record.window is None and (record.requested_at is None or now - record.requested_at > SNAPSHOT_AGE)
        if record.export_id is None or is_old:
            why = "the snapshot is too old to finish" if record.export_id else "stopped before its id was known"
            ledger.failed(record.seq, status="failed", error=why)
            if record.window is not None:
                again[record.kind].append(record.window)
        else:
            resumed.append(record)
    for name, kind in kinds.items():
        mine = [record for record in resumed if record.kind == name]
        if wanted[name] is not None:
            kind.spans.extend(without(again[name], [record.window for record in mine if record.window is not None]))
        elif not mine:
            kind.spans.append(None)
    return resumed


def _one_at_a_time(on_event: OnEvent | None) -> OnEvent:
    lock = threading.Lock()

    def emit(event: Event) -> None:
        if on_event is not None:
            with lock:
                on_event(event)

    return emit


def run_exports(
    transport: Transport,
    wanted: Mapping[str, Sequence[Window] | None],
    ledger: Ledger,
    folder: Path,
    *,
    in_flight: int = 4,
    initial_window: timedelta = INITIAL_WINDOW,
    smallest_window: timedelta = SMALLEST_WINDOW,
    timeout_seconds: float | None = None,
    parameters: Mapping[str, Mapping[str, Any]] | None = None,
    pace: PollPace | None = None,
    on_event: OnEvent | None = None,
    stop: threading.Event | None = None,
) -> Generator[ExportRecord | MissedWindow, None, None]:
    """Have exports made, and keep their files.

    Yields each export as soon as its file is kept (status "received") or it turned out to have nothing to download
    ("empty"), while others are in flight, and a `MissedWindow` for each window that could not be had. Exports of an
    earlier run that the ledger knows are picked up first, not asked for again.

    Close it (`contextlib.closing`) before the ledger: it stops its threads then, and again when it is interrupted.

    Args:
        wanted: kind -> windows; None for a snapshot.
        folder: where files are kept; made when it is not there.
        in_flight: exports made at the same time.
        initial_window: length of the first windows, and the longest; a window that ends `errored` or does not end is
            asked for in halves, down to `smallest_window`.
        timeout_seconds: after which an export that does not end is given up; default from the settings.
        parameters: kind -> parameters of the request besides the dates; default those of `EXPORT_KINDS`.
        on_event: called for each thing that happens, one at a time.
        stop: ends everything at once when set, as an interrupt does.

    Raises:
        TokenRefused, SettingsError, Unreachable: at once; what is in flight stays in the ledger.
        Cancelled: `stop` was set.
    """
    clock = transport.clock
    smallest = min(smallest_window, initial_window)
    if in_flight < 1 or smallest < timedelta(seconds=1):
        raise InvalidArgument("in_flight must be at least 1, and a window at least a second")
    for kind, windows in wanted.items():
        if kind not in EXPORT_KINDS or (windows is None) == EXPORT_KINDS[kind].windowed:
            raise InvalidArgument(
                f"wanted must hold windows of a windowed kind, or None of a snapshot, not {kind}: {windows}"
            )
    folder.mkdir(parents=True, exist_ok=True)
    halt = threading.Event()
    kinds = {name: Backlog(name, largest=initial_window, smallest=smallest) for name in wanted}
    resumed = _take_up(ledger, kinds, wanted, clock.utc())
    lives = Lives(
        transport=transport,
        requests=ExportRequests(transport),
        files=PresignedTransfer(clock=clock),
        ledger=ledger,
        folder=folder.absolute(),
        parameters=parameters,
        pace=pace or PollPace(),
        share=PollShare(transport.settings.requests_per_minute, clock),
        timeout_seconds=transport.settings.export_timeout if timeout_seconds is None else timeout_seconds,
        emit=_one_at_a_time(on_event),
        halt=halt,
    )
    run = _Run(lives, kinds, resumed)
    seconds = {name: sum(span.length.total_seconds() for span in kind.spans if span) for name, kind in kinds.items()}
    lives.emit(Planned(seconds, len(resumed)))
    threads = [
        threading.Thread(target=run.work, name=f"export-{number}", daemon=True) for number in range(1, in_flight + 1)
    ]
    for thread in threads:
        thread.start()
    try:
        working = len(threads)
        while working:
            if stop is not None and stop.is_set():
                raise Cancelled("stopped by the caller; exports in flight are picked up by the next run")
            with contextlib.suppress(queue.Empty):
                result = run.results.get(timeout=0.2)
                if result is None:
                    working -= 1
                elif isinstance(result, BaseException):
                    raise result
                else:
                    yield result
    finally:
        halt.set()
        give_up = time.monotonic() + PATIENCE_SECONDS
        for thread in threads:
            thread.join(max(give_up - time.monotonic(), 0.0))
