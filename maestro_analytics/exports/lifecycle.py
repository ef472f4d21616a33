"""Run one export: request, poll, download, keep. Each step is in the ledger before the next one starts."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from maestro_analytics.api.clock import Clock
from maestro_analytics.api.endpoints import REQUEST_EXPORT
from maestro_analytics.api.exports import AnotherExport, ExportRequests
from maestro_analytics.api.redaction import redact
from maestro_analytics.api.transfer import PresignedTransfer, UrlExpired
from maestro_analytics.api.transport import Transport
from maestro_analytics.errors import (
    Cancelled,
    DiskFault,
    DownloadFailed,
    ExportFailed,
    MaestroError,
    RequestRefused,
    SettingsError,
    TryAgain,
    Unreachable,
)
from maestro_analytics.exports.ledger import ExportRecord, Ledger, file_damage, file_ending, file_stem
from maestro_analytics.exports.progress import Noticed, OnEvent, Polled, Receiving, Requested
from maestro_analytics.exports.windows import Window
from maestro_analytics.files import replace_durably
from maestro_analytics.kinds import EXPORT_KINDS

FRESH_URLS = 5
CLOCK_TOLERANCE_SECONDS = 5.0
LARGEST_CLOCK_ERROR = timedelta(days=1)
FAILED_WORDS = {"failed", "failure", "error", "cancelled", "canceled", "aborted", "expired", "rejected"}
"""Statuses that are not in the reference and mean that no file will be made."""
DONE_WORDS = {"completed", "done", "finished", "succeeded", "success", "ready"}
"""Statuses that are not in the reference and mean that a file is made, where they come with its URL."""
LONGEST_UNKNOWN_SECONDS = 300.0
"""How long to wait for an export with a status that is not in the reference."""
POLLS_BEFORE_KNOWN = 3
"""Polls during which the vendor may not know yet the id that it just gave, or the address of its file."""


class ExportEnded(ExportFailed):
    """An export ended `errored`, or did not end in time (`timed_out`): a smaller window may succeed."""

    def __init__(self, message: str, *, status: str, export: ExportRecord) -> None:
        self.status = status
        self.export = export
        super().__init__(message, export_id=export.export_id, window=export.window)


class UnknownExport(ExportFailed):
    """The vendor does not know the id, or an export of an earlier run is complete without a file."""


class UnknownStatus(ExportFailed):
    """An export has a status that is not in the reference, and no file."""


def clock_ahead(seconds: float | None) -> timedelta:
    """How far this machine's clock is ahead of the vendor's; 0 below five seconds, which network delay explains."""
    return timedelta(seconds=seconds) if seconds is not None and seconds > CLOCK_TOLERANCE_SECONDS else timedelta()


def check_clock(seconds: float | None, host: str) -> None:
    """Raises SettingsError if this machine's clock and the vendor's differ by a day or more."""
    if seconds is not None and abs(seconds) >= LARGEST_CLOCK_ERROR.total_seconds():
        raise SettingsError(
            f"this machine's clock is {abs(seconds) / 3600:.0f} hours {'ahead of' if seconds > 0 else 'behind'} the "
            f"clock of {host}: what is covered would be wrong. Set the clock, then run the same command again."
        )


@dataclass(frozen=True)
class PollPace:
    """When an export is polled: `first_seconds` after its request, then after waits that grow by `factor`."""

    first_seconds: float = 2.0
    factor: float = 1.5
    longest_seconds: float = 30.0


class PollShare:
    """Limits the polls of all exports to half of the token's requests per minute; the rest is for other requests."""

    def __init__(self, per_minute: int, clock: Clock) -> None:
        self._most = max(per_minute // 2, 1)
        self._clock = clock
        self._lock = threading.Lock()
        self._times: deque[float] = deque()

    def wait_for_turn(self, stop: threading.Event) -> None:
        while True:
            with self._lock:
                now = self._clock.seconds()
                while self._times and self._times[0] <= now - 60:
                    self._times.popleft()
                if len(self._times) < self._most:
                    self._times.append(now)
                    return
                seconds = self._times[0] + 60 - now
            self._clock.wait(seconds, stop)


@dataclass
class ExportRunner:
    """Runs exports, one per thread; holds what they share.

    Attributes:
        timeout_seconds: after which an export that does not end is given up; counted from its request, or from when
            a later run resumed it.
        halt: ends every wait and download; nothing is written to the ledger after it.
    """

    transport: Transport
    requests: ExportRequests
    files: PresignedTransfer
    ledger: Ledger
    folder: Path
    parameters: Mapping[str, Mapping[str, Any]] | None
    pace: PollPace
    share: PollShare
    timeout_seconds: float
    emit: OnEvent
    halt: threading.Event = field(default_factory=threading.Event)
    unknown_statuses: set[str] = field(default_factory=set)
    requesting: threading.Lock = field(default_factory=threading.Lock)

    def request(self, kind: str, window: Window | None) -> ExportRecord:
        """Request an export. Its record is in the ledger before the request, its id before this returns.

        One at a time: a process that is killed then leaves at most one export behind whose id nobody knows.
        """
        with self.requesting:
            self._check()
            record = self.ledger.plan(kind, window, self.transport.clock.utc())
            try:
                chosen = EXPORT_KINDS[kind].parameters if self.parameters is None else self.parameters[kind]
                parameters = {**chosen, **(window.parameters() if window else {})}
                export_id = self.requests.request(kind, parameters, stop=self.halt)
            except Cancelled:
                raise
            except MaestroError as error:
                self.fail(record, status="failed", error=str(error))
                raise
            record = replace(record, export_id=export_id, status="requested")
            # The vendor may answer the same request with the same export, whose content is of the first request.
            same, _ = self._others_with_its_id(record)
            asked_at = min([self._asked_at(record), *(known.asked_at for known in same if known.asked_at)])
            # Even if halted meanwhile: with the id, the next run need not request the export again.
            self.ledger.asked(record.seq, export_id, asked_at)
        record = replace(record, asked_at=asked_at)
        self.emit(Requested(record))
        return record

    def _others_with_its_id(self, record: ExportRecord) -> tuple[list[ExportRecord], list[ExportRecord]]:
        """Earlier exports to which the vendor gave the id of `record`: those of the same request, and the others."""
        earlier = [known for known in self.ledger.with_id(record.export_id or "") if known.seq < record.seq]
        # A ledger that was rebuilt from the names of kept files knows no windows.
        same = [known for known in earlier if known.kind == record.kind and known.window in (None, record.window)]
        return same, [known for known in earlier if known not in same]

    def _check_is_its_own(self, record: ExportRecord, others: Sequence[ExportRecord], sha256: str) -> None:
        """Check that a downloaded file is not that of an earlier export of another window or kind.

        Otherwise it would cover this window with the rows of another one. An id that was seen before is not enough to
        refuse it: a vendor whose ids start again after a restart gives them twice.

        Raises:
            AnotherExport: it is, or its id is that of an export that has not ended.
        """
        for other in others:
            if other.sha256 == sha256 or other.status in ("requested", "timed_out"):
                raise AnotherExport(
                    f"{self.transport.host} answered the request for the {record} with the id of another export, the "
                    f"{other}, and with its file. Run it again later; if it repeats, ask the vendor.",
                    endpoint=REQUEST_EXPORT[record.kind].path,
                )

    def _asked_at(self, record: ExportRecord) -> datetime:
        """The moment of the request by the earlier of this machine's clock and the vendor's."""
        requested_at = record.requested_at or self.transport.clock.utc()
        return requested_at - clock_ahead(self.transport.clock_ahead_seconds)

    def fail(self, record: ExportRecord, *, status: str, error: str) -> None:
        """Record that an export failed, and delete what a killed run left of its download."""
        self._check()
        self.ledger.failed(record.seq, status=status, error=error)
        self._part(record).unlink(missing_ok=True)

    def finish(self, record: ExportRecord, *, is_new: bool) -> ExportRecord:
        """Poll an export until it is complete, and keep its file.

        Raises:
            ExportEnded: `errored`, or not in time.
            UnknownExport: the vendor does not know it.
            DownloadFailed: its file could not be downloaded.
            AnotherExport: its file is that of another window or kind.
        """
        same, others = self._others_with_its_id(record)
        data_url = self._wait_for_url(record, is_new=is_new)
        completed_at = self.transport.clock.utc()
        was_empty = all(known.sha256 is None and known.status in ("empty", "landed") for known in same)
        if not data_url and not (is_new and was_empty):
            # Its file may have expired at the vendor, so only an export that is new or was empty counts as empty.
            raise UnknownExport(
                f"the {record}, which was requested before, is complete but has no file any more",
                export_id=record.export_id,
                window=record.window,
            )
        if not data_url:
            self._check()
            self.ledger.empty(record.seq, completed_at)
            record = replace(record, status="empty")
        else:
            path, sha256, size = self._download(record, data_url)
            self._check()
            try:
                self._check_is_its_own(record, others, sha256)
            except AnotherExport:
                path.unlink()
                raise
            self.ledger.received(record.seq, file=path, sha256=sha256, bytes=size, completed_at=completed_at)
            record = replace(record, status="received", file=path, sha256=sha256, bytes=size)
        return record

    def _part(self, record: ExportRecord) -> Path:
        return self.folder / f"{file_stem(record)}.part"

    def _check(self) -> None:
        if self.halt.is_set():
            raise Cancelled

    def _wait_for_url(self, record: ExportRecord, *, is_new: bool) -> str:
        """The URL of a complete export's file, empty when there is nothing to download."""
        clock = self.transport.clock
        started = clock.seconds()
        delay = self.pace.first_seconds if is_new else 0.0
        polls = 0
        said = "nothing"
        while True:
            waited = clock.seconds() - started
            if polls and waited >= self.timeout_seconds:
                raise ExportEnded(
                    f"the {record} did not end within {self.timeout_seconds:.0f} s (it was {said!r} at the last poll)",
                    status="timed_out",
                    export=record,
                )
            clock.wait(min(delay, max(self.timeout_seconds - waited, 0.0)), self.halt)
            self.share.wait_for_turn(self.halt)
            polls += 1
            delay = min(max(delay, self.pace.first_seconds) * self.pace.factor, self.pace.longest_seconds)
            try:
                state = self.requests.state(record.export_id or "", stop=self.halt)
            except Unreachable:
                raise
            except TryAgain as error:
                if isinstance(error, AnotherExport) and polls >= POLLS_BEFORE_KNOWN:
                    raise
                continue
            except RequestRefused as refused:
                if refused.status != 404:
                    raise
                if is_new and polls < POLLS_BEFORE_KNOWN:
                    continue
                raise UnknownExport(
                    f"the vendor does not know the {record}", export_id=record.export_id, window=record.window
                ) from None
            said = redact(state.status)
            self.emit(Polled(record, said, clock.seconds() - started))
            match state.status.strip().lower():
                case "complete" if state.data_url is not None:
                    return state.data_url
                case "complete" if polls < POLLS_BEFORE_KNOWN:
                    continue
                case "complete":
                    raise ExportFailed(
                        f"the {record} is complete, and the answer does not say where its file is or that there is "
                        "none: it has no dataUrl. Ask the vendor about it.",
                        export_id=record.export_id,
                        window=record.window,
                    )
                case word if word in DONE_WORDS and state.data_url:
                    return state.data_url
                case "errored":
                    raise ExportEnded(f'the {record} ended "errored"', status="errored", export=record)
                case "requested" | "in_progress":
                    continue
                case word if word in FAILED_WORDS or waited >= LONGEST_UNKNOWN_SECONDS:
                    raise UnknownStatus(
                        f"the {record} has the status {said!r} after {waited:.0f} s, which the reference does not have",
                        export_id=record.export_id,
                        window=record.window,
                    )
                case _ if said not in self.unknown_statuses:
                    self.unknown_statuses.add(said)
                    self.emit(
                        Noticed(f"an export has the status {said!r}, which the reference does not have; still waiting")
                    )

    def _download(self, record: ExportRecord, data_url: str) -> tuple[Path, str, int]:
        """The kept file, its sha256 and its size."""
        part = self._part(record)

        def on_bytes(received: int, expected: int | None) -> None:
            self.emit(Receiving(record, received, expected))

        why = ""
        for number in range(FRESH_URLS):
            if number:
                self.transport.clock.wait(min(2.0 ** (number - 1), 15.0), self.halt)
                try:
                    data_url = self.requests.state(record.export_id or "", stop=self.halt).data_url or ""
                except Unreachable:
                    raise
                except TryAgain as error:
                    why, data_url = str(error), ""
                    continue
                if not data_url:
                    why = "a complete export no longer says where its file is"
                    continue
            try:
                downloaded = self.files.download(data_url, part, stop=self.halt, on_bytes=on_bytes)
            except UrlExpired as expired:
                why = str(expired)
                continue
            except DiskFault:
                # On a full disk the next run could not even start.
                part.unlink(missing_ok=True)
                raise
            why = file_damage(part)
            if not why:
                path = part.with_suffix(file_ending(part))
                replace_durably(part, path)
                return path, downloaded.sha256, downloaded.size
        raise DownloadFailed(
            f"the file of the {record} could not be downloaded ({why}, with {FRESH_URLS} fresh URLs). Run it "
            "again later.",
            export_id=record.export_id,
        )
