"""A lock on the data folder, so that one process at a time writes to it, and who holds it.

The operating system releases the lock when its holder ends, even by a crash, so a lock is never stale. The lock
is on a file of its own, never on the database: closing any handle of a DuckDB file drops DuckDB's lock on it (POSIX).
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from filelock import FileLock, Timeout

from maestro_analytics.errors import AnotherRefresh


class FolderLock:
    """The right to write to a data folder, held from `acquire` to `release`. Call `name_holder` as soon as it is held.

    Args:
        folder: the data folder, for the message.
        inner: the folder of the private master, in which the lock lies.
    """

    def __init__(self, folder: Path, inner: Path) -> None:
        self._folder = folder
        self._holder = inner / "holder.json"
        # Not local to a thread: it may be released by another thread than the one that took it.
        self._lock = FileLock(inner / "refresh.lock", mode=0o600, thread_local=False)

    def acquire(self) -> None:
        """Take the lock, or raise an error that names its holder.

        Raises:
            AnotherRefresh: another process, or another `Master` of this one, works on the folder.
        """
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            pid, its_command = self.read_holder()
            raise AnotherRefresh(folder=self._folder, pid=pid, command=its_command) from None

    def name_holder(self, command: str | None) -> None:
        """Write down this process and its command, for others that find the folder in use."""
        self._holder.write_text(json.dumps({"pid": os.getpid(), "command": command}), encoding="utf-8")

    def release(self) -> None:
        """Release the lock, if this holds it."""
        if self._lock.is_locked:
            self._holder.unlink(missing_ok=True)
            self._lock.release()

    def is_free(self) -> bool:
        """Whether no running process holds the lock. Does not acquire it where the system tells of processes."""
        if os.name == "posix":
            pid, _ = self.read_holder()
            return pid is None or not _is_running(pid)
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            return False
        self._lock.release()
        return True

    def read_holder(self) -> tuple[int | None, str | None]:
        """The holder's process id and what it is doing, as far as is known."""
        try:
            holder = json.loads(self._holder.read_text(encoding="utf-8"))
            return int(holder["pid"]), holder["command"]
        except (OSError, ValueError, KeyError, TypeError):
            return None, None  # It has just taken the lock, or just let go.


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def holder_of(data_folder: Path) -> str | None:
    """The process that writes to a data folder, for a message; None if there is none. Does not acquire the lock."""
    inner = data_folder.absolute() / "master"
    if not (inner / "refresh.lock").exists():
        return None
    lock = FolderLock(data_folder, inner)
    if lock.is_free():
        return None
    pid, command = lock.read_holder()
    return f"process {pid}" + (f" ({command})" if command else "") if pid else "another process"
