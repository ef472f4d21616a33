"""Kept files: their names, and whether their bytes are whole."""

from __future__ import annotations

import hashlib
import os
import re
import zipfile
import zlib
from pathlib import Path

from maestro_analytics.exports.ledger import ExportRecord
from maestro_analytics.permissions import make_private

ZIP_START = b"PK\x03\x04"
EMPTY_ZIP_START = b"PK\x05\x06"
LARGEST_INFLATION = 200
"""Bytes that one byte of a zip may claim to become; text of grades becomes about 10. Beyond it the reader decides."""


def stem(export: ExportRecord) -> str:
    """The file name of an export without its ending: ours, never the server's. Ids are the vendor's text, so that
    only harmless characters of them are used, and a hash tells apart what that made equal."""
    given = export.export_id or "unknown"
    harmless = re.sub(r"[^A-Za-z0-9_-]+", "-", given)[:48].strip("-")
    if harmless != given:
        harmless = f"{harmless}-{hashlib.sha256(given.encode()).hexdigest()[:8]}".strip("-")
    return f"{export.kind}-{export.seq:06d}-{harmless}"


def ending(path: Path) -> str:
    """`.zip` or `.csv`, by the first bytes."""
    with path.open("rb") as file:
        return ".zip" if file.read(4) in (ZIP_START, EMPTY_ZIP_START) else ".csv"


def damage(path: Path) -> str:
    """What is wrong with received bytes, empty when they are whole: a zip whose members do not read to their
    checksums, or a page of HTML or XML where a file is due."""
    with path.open("rb") as file:
        start = file.read(64).lstrip(b"\xef\xbb\xbf \r\n\t")
    if start.startswith(b"<"):
        return "a page of HTML or XML came in place of a file"
    if not start.startswith(b"PK"):
        return ""
    try:
        with zipfile.ZipFile(path) as archive:
            claimed = sum(member.file_size for member in archive.infolist())
            if claimed > LARGEST_INFLATION * path.stat().st_size + (1 << 20):
                return ""
            for member in archive.infolist():
                with archive.open(member) as stream:
                    while stream.read(1 << 20):
                        pass
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError) as error:
        return f"the zip is damaged ({type(error).__name__})"
    except (NotImplementedError, RuntimeError):
        # A method of compression or encryption that we cannot check; the reader says so, with the file kept.
        return ""
    return ""


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def is_as_received(export: ExportRecord) -> bool:
    """Whether an export's kept file still has the bytes that were received."""
    path = export.file
    if path is None or not path.is_file():
        return False
    return path.stat().st_size == export.bytes and sha256_of(path) == export.sha256


def keep(part: Path, path: Path) -> None:
    """Give a finished download its final name, and make sure that the name is on the disk."""
    make_private(part)
    part.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
