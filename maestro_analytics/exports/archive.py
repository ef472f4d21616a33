"""Kept files: their names, and checks that they are undamaged."""

from __future__ import annotations

import hashlib
import lzma
import re
import zipfile
import zlib
from pathlib import Path

from maestro_analytics.exports.ledger import ExportRecord
from maestro_analytics.files import is_bomb, is_zip, sha256_of


def stem(export: ExportRecord) -> str:
    """The file name of an export without its suffix; never a name that the server gives.

    Ids are text of the vendor: only letters, digits, `_` and `-` of them are used, and a hash keeps them distinct.
    """
    given = export.export_id or "unknown"
    harmless = re.sub(r"[^A-Za-z0-9_-]+", "-", given)[:48].strip("-")
    if harmless != given:
        harmless = f"{harmless}-{hashlib.sha256(given.encode()).hexdigest()[:8]}".strip("-")
    return f"{export.kind}-{export.seq:06d}-{harmless}"


def ending(path: Path) -> str:
    """The suffix `.zip` or `.csv`, by the first bytes of the file."""
    return ".zip" if is_zip(path) else ".csv"


def damage(path: Path) -> str:
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
