"""Run several exports at a time: which windows are requested, in what order and how long, and how a run ends."""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
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
from maestro_analytics.exports.ledger import ExportRecord, Ledger, is_as_received
from maestro_analytics.exports.lifecycle import ExportEnded, ExportRunner, PollPace, PollShare, UnknownStatus
from maestro_analytics.exports.progress import (
    Halved,
    MissedWindow,
    OnEvent,
    Planned,
    Received,
    Requested,
    one_at_a_time,
)
from maestro_analytics.exports.windows import INITIAL_WINDOW, SMALLEST_WINDOW, Window, cut, joined, without
from maestro_analytics.kinds import EXPORT_KINDS

IN_FLIGHT = 4
REPEATS = 2
"""How often an export is requested again when its failure does not depend on the window."""
MOST_FAILED_WINDOWS = 3
"""Give up on a kind after this many windows of the smallest size failed and none succeeded."""
SNAPSHOT_AGE = timedelta(hours=1)
"""An unfinished snapshot older than this is requested again instead of finished."""
PATIENCE_SECONDS = 5.0
"""How long an interrupted run waits for requests in flight, so that their ids reach the ledger."""
TYPICAL_EXPORT_SECONDS = 30.0
"""Assumed duration of an export, for plans; the vendor promises none."""


@dataclass(frozen=True)
class ExportPlan:
    """What a run would request.

    Attributes:
        windows: kind -> windows in order; one None for a snapshot.
        calls: requests for all of them, with their polls; downloads are on another host and do not count.
        minutes: an estimate, under the token's rate limit and with exports of half a minute each.
    """

    windows: dict[str, list[Window | None]]
    calls: int
    minutes: float


def plan_windows(
    wanted: Mapping[str, Sequence[Window] | None],
    *,
    initial_window: timedelta = INITIAL_WINDOW,
    requests_per_minute: int = 95,
) -> ExportPlan:
    """The windows that `run_exports` would start with, the calls they cost and the minutes they take.

    Windows that have to be halved cost more; that is not known before.
    """
    windows: dict[str, list[Window | None]] = {
        kind: [None] if spans is None else [*cut(spans, initial_window)] for kind, spans in wanted.items()
    }
    exports = sum(len(pieces) for pieces in windows.values())
    calls = exports * (1 + polls_within(TYPICAL_EXPORT_SECONDS, PollPace()))
    rounds = -(-exports // IN_FLIGHT)
    minutes = max(calls / requests_per_minute, rounds * TYPICAL_EXPORT_SECONDS / 60)
    return ExportPlan(windows, calls, round(minutes, 1))


def polls_within(seconds: float, pace: PollPace) -> int:
    """How often an export that completes after `seconds` is polled."""
    polls, elapsed, delay = 1, pace.first_seconds, pace.first_seconds
    while elapsed < seconds:
        delay = min(delay * pace.factor, pace.longest_seconds)
        elapsed += delay
        polls += 1
    return polls


class WindowLength:
    """The window length of one kind: halved by failures, doubled by successes, more slowly after each failure."""

    def __init__(self, largest: timedelta, smallest: timedelta) -> None:
        self._largest = largest
        self._smallest = smallest
        self.value = largest
        self._successes = 0
        self._needed = 1

    def failed(self, length: timedelta) -> None:
        """Record that a window of `length` failed."""
        self.value = max(min(self.value, length / 2), self._smallest)
        self._successes = 0
        self._needed = min(self._needed * 2, 16)

    def succeeded(self, length: timedelta) -> None:
        """Record that a window of `length` succeeded."""
        if self.value >= self._largest or length < self.value:
            return
        self._successes += 1
        if self._successes >= self._needed:
            self.value = min(self.value * 2, self._largest)
            self._successes = 0


class Backlog:
    """What is left to request of one kind of export."""

    def __init__(self, *, largest: timedelta, smallest: timedelta) -> None:
        self.smallest = smallest
        self.length = WindowLength(largest, smallest)
        self.spans: deque[Window | None] = deque()
        self.has_succeeded = False
        self.failed_windows = 0

    def take(self) -> Window | None:
        """The next window, removed from the backlog; None for a snapshot."""
        span = self.spans.popleft()
        if span is None:
            return None
        window, rest = span.first(self.length.value)
        if rest is not None:
            self.spans.appendleft(rest)
        return window

    def clear(self) -> list[Window]:
        """Remove all windows, and return them."""
        left = joined(span for span in self.spans if span is not None)
        self.spans.clear()
        return left


@dataclass(frozen=True)
class _Job:
    """A window to request, or an export of an earlier run to finish."""

    kind: str
    window: Window | None
    record: ExportRecord | None = None
    repeats: int = 0


class _Run:
    """The jobs of a run: at most `in_flight` at a time, each in a thread of its own.

    The threads are daemons and not a `ThreadPoolExecutor`'s, which the interpreter joins at its exit: an interrupted
    process would wait a minute for a request that the vendor does not answer.
    """

    def __init__(
        self,
        runner: ExportRunner,
        backlogs: Mapping[str, Backlog],
        resumed: Sequence[ExportRecord],
        in_flight: int,
    ) -> None:
        self.results: queue.Queue[ExportRecord | MissedWindow | BaseException | None] = queue.Queue()
        self._runner = runner
        self._backlogs = backlogs
        self._jobs = deque(_Job(record.kind, record.window, record) for record in resumed)
        self._in_flight = in_flight
        self._threads: set[threading.Thread] = set()
        self._lock = threading.Lock()
        """Held by whoever reads or changes the jobs, the backlogs and the threads."""

    def start(self) -> None:
        """Start the first jobs; each that ends starts the next."""
        with self._lock:
            self._start_jobs()

    def join(self, seconds: float) -> None:
        """Wait at most `seconds` for the threads."""
        until = time.monotonic() + seconds
        with self._lock:
            threads = list(self._threads)
        for thread in threads:
            thread.join(max(until - time.monotonic(), 0.0))

    def _start_jobs(self) -> None:
        while len(self._threads) < self._in_flight and not self._runner.halt.is_set():
            job = self._next_job()
            if job is None:
                break
            thread = threading.Thread(target=self._work, args=(job,), name=f"export-{job.kind}", daemon=True)
            self._threads.add(thread)
            thread.start()
        if not self._threads:
            self.results.put(None)

    def _next_job(self) -> _Job | None:
        if self._jobs:
            return self._jobs.popleft()
        return next((_Job(kind, left.take()) for kind, left in self._backlogs.items() if left.spans), None)

    def _work(self, job: _Job) -> None:
        try:
            self._do(job)
        except Cancelled:
            pass
        except BaseException as error:
            self.results.put(error)
            self._runner.halt.set()
        finally:
            with self._lock:
                self._threads.discard(threading.current_thread())
                self._start_jobs()

    def _do(self, job: _Job) -> None:
        record = job.record
        try:
            if record is None:
                record = self._runner.request(job.kind, job.window)
            else:
                self._runner.emit(Requested(record, again=True))
            if record.status != "empty" and not is_as_received(record):
                record = self._runner.finish(record, is_new=job.record is None)
        except TokenRefused as refused:
            if refused.status != 403:
                raise
            self._give_up_kind(job, record, KindRefused(job.kind, host=refused.host, status=403))
        except (SettingsError, Unreachable):
            raise
        except ExportEnded as ended:
            self._runner.fail(ended.export, status=ended.status, error=str(ended))
            self._halve(job, ended)
        except UnknownStatus as error:
            self._runner.fail(record, status="failed", error=str(error)) if record else None
            self._miss(MissedWindow(job.kind, job.window, str(error), error))
        except (ExportFailed, DownloadFailed, TryAgain, RequestRefused) as error:
            if record is None and isinstance(error, RequestRefused) and error.status == 404:
                host = self._runner.transport.host
                self._give_up_kind(job, None, KindRefused(job.kind, host=host, status=404))
                return
            if record is not None:
                self._runner.fail(record, status="failed", error=str(error))
            self._repeat_or_miss(job, error)
        else:
            with self._lock:
                backlog = self._backlogs[job.kind]
                backlog.has_succeeded = True
                if job.window is not None:
                    backlog.length.succeeded(job.window.length)
            self._runner.emit(Received(record))
            self.results.put(record)

    def _give_up_kind(self, job: _Job, record: ExportRecord | None, error: KindRefused) -> None:
        """Miss everything of a kind that this token may not export."""
        if record is not None:
            self._runner.fail(record, status="failed", error=str(error))
        with self._lock:
            left = [job.window, *self._backlogs[job.kind].clear()]
        for window in left:
            self._miss(MissedWindow(job.kind, window, str(error), error))

    def _halve(self, job: _Job, ended: ExportEnded) -> None:
        """Request the window of a failed export in two halves; one of the smallest size is missed."""
        if job.window is None:
            self._repeat_or_miss(job, ended)
            return
        backlog = self._backlogs[job.kind]
        halves = job.window.split(backlog.smallest)
        if halves is not None:
            with self._lock:
                backlog.length.failed(job.window.length)
                backlog.spans.extendleft(reversed(halves))
            self._runner.emit(Halved(ended.export, str(ended)))
            return
        reason = (
            f"{ended}. The window was halved down to {backlog.smallest.total_seconds() / 60:g} min and still failed: "
            f"ask the vendor about export {ended.export_id}."
        )
        self._miss(MissedWindow(job.kind, job.window, reason, ended))
        left: list[Window] = []
        with self._lock:
            backlog.failed_windows += 1
            if backlog.failed_windows >= MOST_FAILED_WINDOWS and not backlog.has_succeeded:
                left = backlog.clear()
        for window in left:
            reason = f"not requested, because smaller windows failed too: {ended}"
            self._miss(MissedWindow(job.kind, window, reason, ended))

    def _repeat_or_miss(self, job: _Job, error: MaestroError) -> None:
        repeatable = isinstance(error, TryAgain | ExportEnded) or job.record is not None
        if repeatable and job.repeats < REPEATS:
            with self._lock:
                self._jobs.append(_Job(job.kind, job.window, repeats=job.repeats + 1))
        else:
            self._miss(MissedWindow(job.kind, job.window, str(error), error))

    def _miss(self, missed: MissedWindow) -> None:
        self._runner.emit(missed)
        self.results.put(missed)


def _resume(
    ledger: Ledger, backlogs: Mapping[str, Backlog], wanted: Mapping[str, Sequence[Window] | None], now: datetime
) -> list[ExportRecord]:
    """Fill the backlogs with what is wanted, and return the unfinished exports of an earlier run to finish first."""
    resumed = []
    again: dict[str, list[Window]] = {kind: list(windows or ()) for kind, windows in wanted.items()}
    for record in ledger.unfinished():
        if record.kind not in backlogs:
            continue
        is_old = record.window is None and (record.requested_at is None or now - record.requested_at > SNAPSHOT_AGE)
        if record.export_id is None or is_old:
            why = "the snapshot is too old to finish" if record.export_id else "stopped before its id was known"
            ledger.failed(record.seq, status="failed", error=why)
            if record.window is not None:
                again[record.kind].append(record.window)
        else:
            resumed.append(record)
    for kind, backlog in backlogs.items():
        mine = [record for record in resumed if record.kind == kind]
        if wanted[kind] is not None:
            backlog.spans.extend(without(again[kind], [record.window for record in mine if record.window is not None]))
        elif not mine:
            backlog.spans.append(None)
    return resumed


@contextmanager
def run_exports(
    transport: Transport,
    wanted: Mapping[str, Sequence[Window] | None],
    ledger: Ledger,
    folder: Path,
    *,
    in_flight: int = IN_FLIGHT,
    initial_window: timedelta = INITIAL_WINDOW,
    smallest_window: timedelta = SMALLEST_WINDOW,
    timeout_seconds: float | None = None,
    parameters: Mapping[str, Mapping[str, Any]] | None = None,
    pace: PollPace | None = None,
    on_event: OnEvent | None = None,
    stop: threading.Event | None = None,
) -> Iterator[Iterator[ExportRecord | MissedWindow]]:
    """Export windows and snapshots, and keep their files.

        with run_exports(transport, {"raw": [window], "groups": None}, ledger, folder) as outcomes:
            for outcome in outcomes: ...

    Iterating gives each export as soon as its file is kept (status "received") or it turned out to have nothing to
    download ("empty"), while others are in flight, and a `MissedWindow` for each window that could not be exported.
    Exports of an earlier run that the ledger knows are finished first, not requested again. Leaving the `with` block
    stops what is in flight.

    Args:
        wanted: kind -> windows; None for a snapshot.
        folder: where files are kept; created if it does not exist.
        in_flight: exports that are made at the same time.
        initial_window: length of the first windows, and the longest; a window that ends `errored` or does not end is
            requested in halves, down to `smallest_window`.
        timeout_seconds: after which an export that does not end is given up; default from the settings.
        parameters: kind -> parameters of the request besides the dates; default those of `EXPORT_KINDS`.
        on_event: called for each event, one at a time, from several threads.
        stop: ends everything at once when set, as an interrupt does.

    Raises:
        InvalidArgument: a kind without its windows, a snapshot with windows, or a limit that is too small.
        TokenRefused, SettingsError, Unreachable: at once, while iterating; what is in flight stays in the ledger.
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
    backlogs = {kind: Backlog(largest=initial_window, smallest=smallest) for kind in wanted}
    resumed = _resume(ledger, backlogs, wanted, clock.utc())
    runner = ExportRunner(
        transport=transport,
        requests=ExportRequests(transport),
        files=PresignedTransfer(clock=clock),
        ledger=ledger,
        folder=folder.absolute(),
        parameters=parameters,
        pace=pace or PollPace(),
        share=PollShare(transport.settings.requests_per_minute, clock),
        timeout_seconds=transport.settings.export_timeout if timeout_seconds is None else timeout_seconds,
        emit=one_at_a_time(on_event),
    )
    run = _Run(runner, backlogs, resumed, in_flight)
    seconds = {
        kind: sum(span.length.total_seconds() for span in backlog.spans if span) for kind, backlog in backlogs.items()
    }
    runner.emit(Planned(seconds, len(resumed)))
    run.start()
    try:
        yield _results(run, stop)
    finally:
        runner.halt.set()
        run.join(PATIENCE_SECONDS)


def _results(run: _Run, stop: threading.Event | None) -> Iterator[ExportRecord | MissedWindow]:
    while True:
        if stop is not None and stop.is_set():
            raise Cancelled("stopped by the caller; exports in flight are finished by the next run")
        with suppress(queue.Empty):
            result = run.results.get(timeout=0.2)
            if result is None:
                return
            if isinstance(result, BaseException):
                raise result
            yield result
