"""Files on disk: private to their owner, written atomically, compared by their bytes, recognised as zips."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from maestro_analytics.errors import DiskFault, MaestroError

ZIP_MAGIC = (b"PK\x03\x04", b"PK\x05\x06")
"""A zip, and a zip without members."""

LARGEST_MEMBER = 256 << 30
HIGHEST_RATIO = 400
RATIO_MATTERS_FROM = 1 << 30
"""A member that claims to unpack to over 1 GiB and 400 times its size is refused as a zip bomb; exports reach 20."""


def is_zip(path: Path) -> bool:
    """Whether the file at `path` starts like a zip."""
    with path.open("rb") as file:
        return file.read(4) in ZIP_MAGIC


def is_bomb(*, packed: int, unpacked: int) -> bool:
    """Whether a zip's member, or a whole zip, claims to unpack to more than any export does."""
    return unpacked > LARGEST_MEMBER or (unpacked > RATIO_MATTERS_FROM and unpacked > HIGHEST_RATIO * max(packed, 1))


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def write_atomically(path: Path) -> Iterator[BinaryIO]:
    """Open a file that replaces `path` when the block ends without an error; readers see the old one or the new."""
    part = path.with_name(f".{path.name}.part")
    try:
        with part.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    replace_durably(part, path)


def replace_durably(new: Path, old: Path) -> None:
    """Rename `new` to `old`, and sync the name to the disk. A file that it replaces passes on its mode and group.

    Raises:
        MaestroError: `old` is open in another program, on Windows.
    """
    keep_permissions(new, old)
    try:
        new.replace(old)
    except PermissionError as error:
        raise MaestroError(
            f"{old} cannot be replaced: on Windows a file that another program has open stays. Close the notebooks "
            "that have it open; what landed is kept, and the next refresh publishes it."
        ) from error
    if os.name == "posix":
        folder = os.open(old.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


DISK_FAULTS = {
    "no space left on device": "the disk is full",
    "disk is full": "the disk is full",
    "permission denied": "permission denied",
    "read-only file system": "the file system is read-only",
    "disk i/o error": "the disk reports an error",
    "disk quota exceeded": "the disk quota is used up",
    "file too large": "the file is larger than the file system or a limit of this process (`ulimit -f`) allows",
    # polars has no other words for a Parquet file that could not be written
    "invalid thrift: transport error": "the disk is probably full",
}
"""How the operating system, DuckDB, SQLite and polars report that a file cannot be written."""


def disk_fault(error: BaseException, *, folder: Path | None = None) -> DiskFault | None:
    """The fault of this machine's disk that an error reports; None for any other error.

    Args:
        folder: what the message names when the error names no file.
    """
    if isinstance(error, MaestroError):
        return error if isinstance(error, DiskFault) else None
    text = str(error).lower()
    reason = next((reason for words, reason in DISK_FAULTS.items() if words in text), None)
    if reason is None:
        return None
    # Of a copy, the second one is the file that is written.
    named = (error.filename2 or error.filename) if isinstance(error, OSError) else None
    return DiskFault(path=Path(os.fsdecode(named)) if named else folder, reason=reason)


def make_private_folder(folder: Path) -> Path:
    """Create a folder that only its owner enters; one that exists keeps its mode. Returns the folder."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError):
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
        with suppress(PermissionError):
            os.chown(new, -1, found.st_gid)
    new.chmod(stat.S_IMODE(found.st_mode))


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file so that a reader finds the earlier one or the whole new one, and a stopped run no half of it.

    As it holds personal data, only its owner reads it, unless its folder is shared or it had another mode.

    Raises:
        DiskFault: the disk is full, or the folder may not be written.
    """
    make_private_folder(path.parent)
    part = path.with_name(f".{path.name[:100]}.{os.getpid()}.part")
    try:
        part.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8", errors="replace"))
        keep_permissions(part, path)
        part.replace(path)
    except OSError as error:
        if disk_fault(error) is None:
            raise
        raise DiskFault(path=path, reason=error.strerror or str(error)) from None
    finally:
        part.unlink(missing_ok=True)
