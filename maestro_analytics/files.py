"""Files on disk: written atomically, compared by their bytes, recognised as zips."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from maestro_analytics.errors import MaestroError
from maestro_analytics.permissions import keep_permissions

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
