"""The files inside an export: the members of a zip, or the one plain file. Decided by the first bytes.

Nothing is extracted: a member is read as a stream, so that a name like `../x` names no path, and memory is bounded.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from maestro_analytics.errors import UnreadableFile

ZIP_MAGIC = (b"PK\x03\x04", b"PK\x05\x06")
"""A zip, and a zip without members."""

LARGEST_MEMBER = 256 << 30
HIGHEST_RATIO = 400
RATIO_MATTERS_FROM = 1 << 30
"""A member that claims to unpack to over 1 GiB and 400 times its size is no export but a bomb; seen were 5 to 20."""

BROKEN_STREAM = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError)
"""What reading a damaged, encrypted or strangely packed member raises."""


@dataclass(frozen=True)
class Member:
    """One file of an export.

    Attributes:
        name: its name in the zip; empty for a plain file.
        size: bytes, unpacked.
        open: a new stream of its bytes.
        fault: why it must not be read, or None.
    """

    name: str
    size: int
    open: Callable[[], BinaryIO]
    fault: str | None = None


@contextmanager
def members_of(path: Path) -> Iterator[list[Member]]:
    """The files of the export at `path`, in the order in which they stand in it.

    Raises:
        UnreadableFile: it starts like a zip, and is none.
    """
    with path.open("rb") as file:
        is_zip = file.read(4) in ZIP_MAGIC
    if not is_zip:
        yield [Member("", path.stat().st_size, lambda: path.open("rb"))]
        return
    try:
        archive = zipfile.ZipFile(path)
    except BROKEN_STREAM as error:
        raise UnreadableFile(
            f"{path.name} starts like a zip and cannot be opened as one ({error}). It is kept at {path}; ask for the "
            "export again.",
            path=path,
        ) from error
    with archive:
        yield [_member(archive, info) for info in archive.infolist() if not info.is_dir()]


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Member:
    fault = None
    if info.file_size > LARGEST_MEMBER or (
        info.file_size > RATIO_MATTERS_FROM and info.file_size > HIGHEST_RATIO * max(info.compress_size, 1)
    ):
        fault = f"claims to unpack {info.compress_size} bytes to {info.file_size}"
    elif info.flag_bits & 0x1:
        fault = "is encrypted"
    return Member(info.filename, info.file_size, lambda: cast(BinaryIO, archive.open(info)), fault)
