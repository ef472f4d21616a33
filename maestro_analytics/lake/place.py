"""Where a lake lies: a local folder, or a folder in a bucket of an S3-compatible store.

Credentials, region and endpoint of a bucket are those of the environment's usual names (`AWS_ACCESS_KEY_ID`,
`AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN`, `AWS_REGION`, `AWS_ENDPOINT_URL`, profiles, instance roles), read by
deltalake and pyarrow themselves; no option takes them and nothing here stores them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pyarrow.fs
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError, TableNotFoundError

from maestro_analytics.errors import InvalidArgument, LakeError
from maestro_analytics.text import one_line

NOT_IN_A_PATH = re.compile(r"[][^|\\\x00-\x1f\x7f]|%[0-9A-Fa-f]{2}")
"""deltalake 1.6 ends with a panic on these, refuses them, or reads `%20` as a space and looks for another folder."""
STORAGE_OPTIONS = {"allow_http": "true"}
"""For deltalake: the endpoint of a bucket may be one on this machine, without TLS."""


@dataclass(frozen=True)
class Place:
    """A folder: of a lake, of an account in it, or of a table.

    Attributes:
        root: an absolute path, or `BUCKET/FOLDER`; with no slash at its end.
    """

    root: str
    in_bucket: bool

    def __str__(self) -> str:
        return f"s3://{self.root}" if self.in_bucket else self.root

    @property
    def uri(self) -> str:
        """The address as deltalake takes it."""
        return str(self) if self.in_bucket else Path(self.root).as_uri()

    def within(self, name: str) -> Place:
        return Place(f"{self.root}/{name}", self.in_bucket)

    def table(self, version: int | None = None) -> DeltaTable | None:
        """The Delta table in this folder, or None where there is none."""
        try:
            return DeltaTable(self.uri, version=version, storage_options=STORAGE_OPTIONS)
        except TableNotFoundError:
            return None

    def has_file(self, name: str) -> bool:
        filesystem, root = self.filesystem()
        return bool(filesystem.get_file_info(f"{root}/{name}").type == pyarrow.fs.FileType.File)

    def folders(self) -> list[str]:
        """Names of the folders right below, in order; none where the place does not exist."""
        filesystem, root = self.filesystem()
        found = filesystem.get_file_info(pyarrow.fs.FileSelector(root, allow_not_found=True))
        return sorted(info.base_name for info in found if info.type == pyarrow.fs.FileType.Directory)

    def filesystem(self) -> tuple[pyarrow.fs.FileSystem, str]:
        """The place as a pyarrow file system."""
        if not self.in_bucket:
            return pyarrow.fs.LocalFileSystem(), self.root
        # only from_uri obeys AWS_ENDPOINT_URL; the constructor of S3FileSystem does not
        return pyarrow.fs.FileSystem.from_uri(f"s3://{self.root.partition('/')[0]}")[0], self.root

    @contextmanager
    def reached(self) -> Iterator[None]:
        """Turn an error of the file system, the store or Delta Lake into a LakeError of one line.

        Raises:
            LakeError: the place cannot be used.
        """
        try:
            yield
        except (OSError, DeltaError) as error:
            # without what RUST_BACKTRACE adds, and without colours
            text = re.sub(r"\x1b\[[0-9;]*m", "", str(error).partition("\n   0: ")[0]).strip()
            said = re.search(r"<Message>(.*?)</Message>|message: \"(.*?)\"", text)
            line = said[1] or said[2] if said else text.splitlines()[-1].strip(" ↳")
            raise LakeError(f"{self} cannot be used: {line}. What had been published stays as it was.") from None


def place_of(location: str | os.PathLike[str]) -> Place:
    """The place that a path or an `s3://bucket/folder` address names.

    Raises:
        InvalidArgument: an address of another kind, one that carries credentials or options, or a path that Delta
            Lake cannot have.
    """
    text = os.fspath(location)
    if "://" not in text:
        path = str(Path(text).expanduser().absolute())
        if found := NOT_IN_A_PATH.search(path):
            raise InvalidArgument(f"{one_line(path)}: the path of a lake cannot have {found[0]!r} in it.")
        return Place(path, in_bucket=False)
    parts = urlsplit(text)
    if parts.scheme not in ("s3", "s3a"):
        raise InvalidArgument(
            f"a lake lies in a local folder or under s3://BUCKET/FOLDER; {parts.scheme}:// is not known here."
        )
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise InvalidArgument(
            "an s3:// address names a bucket and a folder and nothing else: credentials and the endpoint come from the "
            "environment (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION, AWS_ENDPOINT_URL)."
        )
    if not parts.netloc:
        raise InvalidArgument("an s3:// address needs a bucket: s3://BUCKET/FOLDER.")
    return Place(f"{parts.netloc}/{parts.path.strip('/')}".rstrip("/"), in_bucket=True)
