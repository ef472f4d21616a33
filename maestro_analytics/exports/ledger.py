"""Records of the exports requested, so that a run that was killed can finish them, and of their kept files."""

from __future__ import annotations

import hashlib
import json
import lzma
import os
import re
import threading
import zipfile
import zlib
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from maestro_analytics.errors import InvalidArgument
from maestro_analytics.exports.windows import MARGIN, Window
from maestro_analytics.files import is_bomb, is_zip, sha256_of


@dataclass(frozen=True)
class ExportRecord:
    """One export that was requested.

    Attributes:
        seq: the order in which exports were asked for; of two versions of a grade, that of the higher one counts.
        kind: a kind of `EXPORT_KINDS`.
        window: None for groups, a snapshot.
        export_id: the vendor's; None until it is known.
        status: planned, requested, received, empty, landed, errored, timed_out or failed.
        file: the kept file, None before it was received and where there was nothing to download.
        sha256, bytes: of the kept file.
        requested_at: just before the request was sent.
        error: why it failed.
        asked_at: the earlier of this machine's clock and the vendor's when it was asked for; coverage ends before it.
        landed_from: the path of a file that was not asked for but landed by hand; None for every other export.
    """

    seq: int
    kind: str
    window: Window | None
    export_id: str | None = None
    status: str = "planned"
    file: Path | None = None
    sha256: str | None = None
    bytes: int | None = None
    requested_at: datetime | None = None
    error: str | None = None
    asked_at: datetime | None = None
    landed_from: str | None = None

    @property
    def covers(self) -> Window | None:
        """The part of its window that it covers: what lies a minute or more before `asked_at`."""
        if self.window is None or self.asked_at is None:
            return self.window
        end = min(self.window.end, (self.asked_at - MARGIN).replace(microsecond=0))
        return Window(self.window.start, end) if self.window.start < end else None

    def __str__(self) -> str:
        """The kind, window and id of the export, for messages."""
        window = f" {self.window}" if self.window else ""
        return f"{self.kind} export{window}" + (f" ({self.export_id})" if self.export_id else "")


class Ledger(Protocol):
    """Where export records are kept. Each call returns when it is on the disk; safe to share between threads."""

    def plan(self, kind: str, window: Window | None, requested_at: datetime) -> ExportRecord:
        """Enter a new record; called before its request is sent."""
        ...

    def asked(self, seq: int, export_id: str, asked_at: datetime | None = None) -> None:
        """Record the vendor's id; called before the first poll."""
        ...

    def received(self, seq: int, *, file: Path, sha256: str, bytes: int, completed_at: datetime) -> None:
        """Record that its file is kept."""
        ...

    def empty(self, seq: int, completed_at: datetime) -> None:
        """Record that it is complete with nothing to download."""
        ...

    def failed(self, seq: int, *, status: str, error: str) -> None:
        """Record that it ended `errored`, `timed_out` or `failed`."""
        ...

    def with_id(self, export_id: str) -> list[ExportRecord]:
        """Records to which the vendor gave this id, oldest first."""
        ...

    def unfinished(self) -> list[ExportRecord]:
        """Records that are planned, requested, received or empty, and have not landed, oldest first."""
        ...


class FileLedger:
    """A ledger in a file of JSON lines, for exports without a warehouse. One line per change.

    Args:
        path: the file; made when it is not there.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._records: dict[int, ExportRecord] = {}
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InvalidArgument(f"{path.parent} cannot be made ({error.strerror}): choose another folder.") from None
        if path.exists():
            for line in path.read_bytes().split(b"\n"):
                self._apply(line)

    def plan(self, kind: str, window: Window | None, requested_at: datetime) -> ExportRecord:
        with self._lock:
            seq = max(self._records, default=0) + 1
            bounds = [window.start.isoformat(), window.end.isoformat()] if window else None
            self._write(seq, {"kind": kind, "window": bounds, "requested_at": requested_at.isoformat()})
            return self._records[seq]

    def asked(self, seq: int, export_id: str, asked_at: datetime | None = None) -> None:
        self._change(seq, export_id=export_id, status="requested", asked_at=asked_at.isoformat() if asked_at else None)

    def received(self, seq: int, *, file: Path, sha256: str, bytes: int, completed_at: datetime) -> None:
        self._change(seq, status="received", file=str(file), sha256=sha256, bytes=bytes, at=completed_at.isoformat())

    def empty(self, seq: int, completed_at: datetime) -> None:
        self._change(seq, status="empty", at=completed_at.isoformat())

    def landed(self, seq: int) -> None:
        """Record that the caller has it, so that a later run does not resume it."""
        self._change(seq, status="landed")

    def failed(self, seq: int, *, status: str, error: str) -> None:
        self._change(seq, status=status, error=error)

    def with_id(self, export_id: str) -> list[ExportRecord]:
        return [record for record in self._sorted() if record.export_id == export_id]

    def unfinished(self) -> list[ExportRecord]:
        return [record for record in self._sorted() if record.status in ("planned", "requested", "received", "empty")]

    def _sorted(self) -> list[ExportRecord]:
        with self._lock:
            return [self._records[seq] for seq in sorted(self._records)]

    def _change(self, seq: int, **facts: Any) -> None:
        with self._lock:
            self._write(seq, facts)

    def _write(self, seq: int, facts: dict[str, Any]) -> None:
        line = json.dumps({"seq": seq, **facts}).encode()
        with self._path.open("ab") as file:
            # A line that a kill cut short must not swallow this one.
            file.write((b"" if file.tell() == 0 else b"\n") + line)
            file.flush()
            os.fsync(file.fileno())
        self._apply(line)

    def _apply(self, line: bytes) -> None:
        try:
            facts = json.loads(line)
            seq = int(facts.pop("seq"))
        except (ValueError, TypeError, KeyError, AttributeError):
            return
        facts.pop("at", None)
        if "kind" in facts:
            window = facts["window"]
            self._records[seq] = ExportRecord(
                seq=seq,
                kind=facts["kind"],
                window=Window(*(datetime.fromisoformat(bound) for bound in window)) if window else None,
                requested_at=datetime.fromisoformat(facts["requested_at"]),
            )
        elif seq in self._records:
            if facts.get("asked_at"):
                facts["asked_at"] = datetime.fromisoformat(facts["asked_at"])
            if "file" in facts:
                facts["file"] = Path(facts["file"])
            self._records[seq] = replace(self._records[seq], **facts)


def file_stem(export: ExportRecord) -> str:
    """The file name of an export without its suffix; never a name that the server gives.

    Ids are text of the vendor: only letters, digits, `_` and `-` of them are used, and a hash keeps them distinct.
    """
    given = export.export_id or "unknown"
    harmless = re.sub(r"[^A-Za-z0-9_-]+", "-", given)[:48].strip("-")
    if harmless != given:
        harmless = f"{harmless}-{hashlib.sha256(given.encode()).hexdigest()[:8]}".strip("-")
    return f"{export.kind}-{export.seq:06d}-{harmless}"


def file_ending(path: Path) -> str:
    """The suffix `.zip` or `.csv`, by the first bytes of the file."""
    return ".zip" if is_zip(path) else ".csv"


def file_damage(path: Path) -> str:
    """What is wrong with a received file: a zip whose members fail their checksums, or a page of HTML or XML.

    Empty if nothing is.
    """
    with path.open("rb") as file:
        start = file.read(64).lstrip(b"\xef\xbb\xbf \r\n\t")
    if start.startswith(b"<"):
        return "a page of HTML or XML came in place of a file"
    if not start.startswith(b"PK"):
        return ""
    try:
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(member.file_size for member in archive.infolist())
            if is_bomb(packed=path.stat().st_size, unpacked=unpacked):
                return ""  # the reader refuses it, with the file kept
            for member in archive.infolist():
                with archive.open(member) as stream:
                    while stream.read(1 << 20):
                        pass
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError) as error:
        return f"the zip is damaged ({type(error).__name__})"
    except Exception:
        # Complete, but encrypted, packed in an unknown way or with a name that is not UTF-8. The reader meets the same
        # error and refuses the file, which stays kept; a second download would bring the same bytes.
        return ""
    return ""


def is_as_received(export: ExportRecord) -> bool:
    """Whether an export's kept file still has the bytes that were received."""
    path = export.file
    if path is None or not path.is_file():
        return False
    return path.stat().st_size == export.bytes and sha256_of(path) == export.sha256
