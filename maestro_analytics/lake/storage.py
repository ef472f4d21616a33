"""Where a lake lies: a local folder or a bucket of an S3-compatible store, with the few things a lake does there.

A key is a path below the storage's own root, with `/` between its parts. `put` and `add` are atomic: a reader finds
the whole object or none of it (a rename here, one PUT or one completed upload there).

Credentials, region and endpoint of a bucket are those of the environment's usual names (`AWS_ACCESS_KEY_ID`,
`AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN`, `AWS_REGION`, `AWS_ENDPOINT_URL`, profiles, instance roles), read by
pyarrow itself: they are no option, and nothing here ever holds them.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

import pyarrow.fs

from maestro_analytics.errors import InvalidArgument, LakeError

COPY_BYTES = 8 << 20


class Storage(Protocol):
    """What a lake needs of the place where it lies."""

    @property
    def place(self) -> str:
        """The root, as a message names it."""
        ...

    def within(self, name: str) -> Storage:
        """The storage of a folder below this one."""
        ...

    def read(self, key: str) -> bytes | None:
        """The bytes of an object, or None when there is none."""
        ...

    def put(self, key: str, content: bytes) -> None:
        """Write a small object, or replace it, at once."""
        ...

    def add(self, file: Path, key: str) -> None:
        """Bring a finished local file in under a new key; the local file is gone afterwards, or soon."""
        ...

    def remove(self, key: str) -> None:
        """Remove an object; no matter if it is gone already."""
        ...

    def keys(self, prefix: str) -> list[str]:
        """All keys below a folder, at any depth, in order."""
        ...

    def folders(self) -> list[str]:
        """Names of the folders right below the root, in order."""
        ...

    def staging(self) -> AbstractContextManager[Path]:
        """A context manager: a local folder for files that are being made. For the one who holds the claim."""
        ...

    def spark_path(self, key: str) -> str:
        """The address under which Spark reads the object."""
        ...

    def arrow_path(self, key: str) -> tuple[pyarrow.fs.FileSystem, str]:
        """The object for pyarrow."""
        ...


def storage_of(location: str | os.PathLike[str]) -> Storage:
    """The storage that a path or an `s3://bucket/folder` address names.

    Raises:
        InvalidArgument: an address of another kind, or one that carries credentials or options.
    """
    text = os.fspath(location)
    if "://" not in text:
        return LocalFolder(Path(text).expanduser().absolute())
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
    try:
        # only from_uri obeys AWS_ENDPOINT_URL; the constructor of S3FileSystem does not
        filesystem, bucket = pyarrow.fs.FileSystem.from_uri(f"s3://{parts.netloc}?allow_delayed_open=true")
    except OSError as error:
        raise LakeError(f"the bucket {parts.netloc} cannot be reached: {_first_line(error)}") from None
    return Bucket(filesystem, f"{bucket}/{parts.path.strip('/')}".rstrip("/"))


class LocalFolder:
    """A folder of a local or mounted file system."""

    def __init__(self, root: Path) -> None:
        self._root = root

    @property
    def place(self) -> str:
        return str(self._root)

    def within(self, name: str) -> LocalFolder:
        return LocalFolder(self._root / name)

    def read(self, key: str) -> bytes | None:
        try:
            return (self._root / key).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise _unusable(self.place, error) from None

    def put(self, key: str, content: bytes) -> None:
        target = self._root / key
        unfinished = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            unfinished.write_bytes(content)
        except OSError as error:
            raise _unusable(self.place, error) from None
        self.add(unfinished, key)

    def add(self, file: Path, key: str) -> None:
        target = self._root / key
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with file.open("rb") as written:
                os.fsync(written.fileno())
            file.replace(target)
            folder = os.open(target.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except OSError as error:
            raise _unusable(self.place, error) from None

    def remove(self, key: str) -> None:
        (self._root / key).unlink(missing_ok=True)

    def keys(self, prefix: str) -> list[str]:
        return sorted(
            path.relative_to(self._root).as_posix() for path in (self._root / prefix).rglob("*") if path.is_file()
        )

    def folders(self) -> list[str]:
        try:
            return sorted(path.name for path in self._root.iterdir() if path.is_dir())
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise _unusable(self.place, error) from None

    @contextmanager
    def staging(self) -> Iterator[Path]:
        # in the lake itself, so that a finished file is renamed into place instead of copied
        try:
            self._root.mkdir(parents=True, exist_ok=True)
            for left_by_a_killed_writer in self._root.glob(".staging-*"):
                shutil.rmtree(left_by_a_killed_writer)
            folder = Path(tempfile.mkdtemp(prefix=".staging-", dir=self._root))
        except OSError as error:
            raise _unusable(self.place, error) from None
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def spark_path(self, key: str) -> str:
        return _unglobbed(f"file://{self._root / key}")

    def arrow_path(self, key: str) -> tuple[pyarrow.fs.FileSystem, str]:
        return pyarrow.fs.LocalFileSystem(), str(self._root / key)


class Bucket:
    """A folder of a bucket, through pyarrow's file system."""

    def __init__(self, filesystem: pyarrow.fs.FileSystem, root: str) -> None:
        self._filesystem = filesystem
        self._root = root

    @property
    def place(self) -> str:
        return f"s3://{self._root}"

    def within(self, name: str) -> Bucket:
        return Bucket(self._filesystem, f"{self._root}/{name}")

    def read(self, key: str) -> bytes | None:
        try:
            with self._filesystem.open_input_stream(f"{self._root}/{key}") as stream:
                return bytes(stream.read())
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _unusable(self.place, error) from None

    def put(self, key: str, content: bytes) -> None:
        try:
            with self._filesystem.open_output_stream(f"{self._root}/{key}") as stream:
                stream.write(content)
        except OSError as error:
            raise _unusable(self.place, error) from None

    def add(self, file: Path, key: str) -> None:
        try:
            with file.open("rb") as source, self._filesystem.open_output_stream(f"{self._root}/{key}") as stream:
                shutil.copyfileobj(source, stream, COPY_BYTES)
        except OSError as error:
            raise _unusable(self.place, error) from None
        file.unlink()

    def remove(self, key: str) -> None:
        try:
            self._filesystem.delete_file(f"{self._root}/{key}")
        except FileNotFoundError:
            return
        except OSError as error:
            raise _unusable(self.place, error) from None

    def keys(self, prefix: str) -> list[str]:
        found = self._list(f"{self._root}/{prefix}".rstrip("/"), recursive=True)
        return sorted(
            info.path.removeprefix(f"{self._root}/") for info in found if info.type == pyarrow.fs.FileType.File
        )

    def folders(self) -> list[str]:
        found = self._list(self._root, recursive=False)
        return sorted(info.base_name for info in found if info.type == pyarrow.fs.FileType.Directory)

    def _list(self, path: str, *, recursive: bool) -> list[pyarrow.fs.FileInfo]:
        selector = pyarrow.fs.FileSelector(path, recursive=recursive, allow_not_found=True)
        try:
            return list(self._filesystem.get_file_info(selector))
        except OSError as error:
            raise _unusable(self.place, error) from None

    @contextmanager
    def staging(self) -> Iterator[Path]:
        with tempfile.TemporaryDirectory(prefix="maestro-lake-") as folder:
            yield Path(folder)

    def spark_path(self, key: str) -> str:
        return _unglobbed(f"s3a://{self._root}/{key}")

    def arrow_path(self, key: str) -> tuple[pyarrow.fs.FileSystem, str]:
        return self._filesystem, f"{self._root}/{key}"


def _unglobbed(path: str) -> str:
    """Spark takes each path for a pattern, and none for a percent-encoded address."""
    return re.sub(r"([][{}*?\\])", r"\\\1", path)


def _first_line(error: OSError) -> str:
    return (error.strerror or str(error)).partition("\n")[0]


def _unusable(place: str, error: OSError) -> LakeError:
    return LakeError(f"{place} cannot be used: {_first_line(error)}. What had been published stays as it was.")
