"""File permissions: files are for their owner, and for the group of a folder that is shared with it."""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path


def make_private_folder(folder: Path) -> Path:
    """Create a folder that only its owner enters; one that exists keeps its mode. Returns the folder."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    return folder


def make_private(file: Path) -> None:
    """Let only the owner read and write a new file, and the group read it where its folder is shared with the group."""
    file.chmod(0o640 if is_shared(file.parent) else 0o600)


def is_shared(folder: Path) -> bool:
    """Whether a folder is shared with its group: the group may enter, and it is setgid or closed to others."""
    mode = folder.stat().st_mode
    return mode & 0o050 == 0o050 and bool(mode & stat.S_ISGID or not mode & 0o007)


def keep_permissions(new: Path, old: Path) -> None:
    """Give a file that is about to replace another one its mode and, where the system lets us, its group."""
    try:
        found = old.stat()
    except FileNotFoundError:
        make_private(new)
        return
    if os.name == "posix":
        with contextlib.suppress(PermissionError):
            os.chown(new, -1, found.st_gid)
    new.chmod(stat.S_IMODE(found.st_mode))


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file so that a reader finds the earlier one or the whole new one, and a stopped run no half of it.

    As it holds personal data, only its owner reads it, unless its folder is shared or it had another mode.
    """
    make_private_folder(path.parent)
    part = path.with_name(f".{path.name[:100]}.{os.getpid()}.part")
    try:
        part.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8", errors="replace"))
        keep_permissions(part, path)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
