"""One push at a time for each data folder; every other one is told who is pushing."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from maestro_analytics.errors import AnotherRefresh

LOCK_NAME = "pushes.lock"
HOLDER_NAME = "pushes.holder.json"


@contextmanager
def one_push(data_folder: Path) -> Iterator[None]:
    """Hold the folder's turn to push. It ends with the process, however that ends.

    Raises:
        AnotherRefresh: another push holds it; the error names the process.
    """
    data_folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(data_folder / LOCK_NAME)
    holder = data_folder / HOLDER_NAME
    try:
        lock.acquire(timeout=0)
    except Timeout:
        pid, command = _read_holder(holder)
        raise AnotherRefresh(folder=data_folder, pid=pid, command=command) from None
    try:
        command = " ".join([Path(sys.argv[0]).name, *sys.argv[1:3]])
        holder.write_text(json.dumps({"pid": os.getpid(), "command": command}), encoding="utf-8")
        yield
    finally:
        holder.unlink(missing_ok=True)
        lock.release()


def _read_holder(path: Path) -> tuple[int | None, str | None]:
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        return int(told["pid"]), str(told["command"])
    except (OSError, ValueError, KeyError):
        return None, "push"
