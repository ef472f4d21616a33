"""One writer of a folder at a time, with nothing but puts and lists: no lock service, no conditional put.

A writer puts a claim under `writing/` and then lists the claims. Listings are consistent (a file system's always, S3's
since 2020), so of two writers at once at least one sees the other's claim and withdraws; both may, which loses nothing.
A claim is put aside when its process is dead on this machine, or when it is older than a day; a writer whose claim
was put aside finds that out before it moves the manifest, and publishes nothing.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Self

from maestro_analytics.errors import LakeBusy
from maestro_analytics.lake.storage import Storage

FOLDER = "writing"
ABANDONED_AFTER = timedelta(days=1)


class Claim:
    """The right to write to one folder of a lake, as a context manager."""

    def __init__(self, storage: Storage, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._storage = storage
        self._now = now
        self.key = f"{FOLDER}/{secrets.token_hex(8)}.json"

    def __enter__(self) -> Self:
        self._refuse_if_another_writes()
        owner = {"machine": socket.gethostname(), "pid": os.getpid(), "since": self._now().isoformat()}
        self._storage.put(self.key, json.dumps(owner).encode())
        try:
            self._refuse_if_another_writes()
        except BaseException:
            self._storage.remove(self.key)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._storage.remove(self.key)

    def confirm(self) -> None:
        """Raise LakeBusy unless the claim still stands: asked right before the manifest moves."""
        if self._storage.read(self.key) is None:
            raise LakeBusy(place=self._storage.place, who="another writer, which took this one for dead,")

    def _refuse_if_another_writes(self) -> None:
        for key in self._storage.keys(FOLDER):
            content = self._storage.read(key) if key.endswith(".json") and key != self.key else None
            if content is None:
                continue
            owner = json.loads(content)
            if self._is_abandoned(owner):
                self._storage.remove(key)
            else:
                raise LakeBusy(
                    place=self._storage.place,
                    who=f"process {owner['pid']} on {owner['machine']} (since {owner['since'][:16]} UTC)",
                )

    def _is_abandoned(self, owner: dict[str, str | int]) -> bool:
        if self._now() - datetime.fromisoformat(str(owner["since"])) > ABANDONED_AFTER:
            return True
        return owner["machine"] == socket.gethostname() and not _is_running(int(owner["pid"]))


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
