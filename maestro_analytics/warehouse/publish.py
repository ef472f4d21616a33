"""From the private master to the file that everyone reads.

A reader that has the old file open keeps it, to the end (POSIX); one that opens afterwards gets the new. Windows does
not let a file be replaced that another program has open: there publishing fails with a message, what landed stays in
the master, and the next refresh publishes it.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import sys
from pathlib import Path

import duckdb

from maestro_analytics.errors import MaestroError
from maestro_analytics.kinds import RAW
from maestro_analytics.warehouse import agents, steps
from maestro_analytics.warehouse.comments import write_comments
from maestro_analytics.warehouse.connection import open_master_file
from maestro_analytics.warehouse.sql_files import create_views

FICLONE = 0x40049409
"""Linux: share the other file's blocks, on file systems that can (btrfs, xfs)."""

COPY_BYTES = 64 << 20


def prepare(connection: duckdb.DuckDBPyConnection) -> None:
    """Bring the derived tables and the views up to date. Closing the file then writes everything into it."""
    agents.resolve(connection)
    connection.execute("begin")
    connection.execute("delete from covered_time")
    connection.execute(
        "insert into covered_time select window_start, window_end from state.coverage where kind = $kind",
        {"kind": RAW.name},
    )
    connection.execute("commit")
    create_views(connection)
    write_comments(connection)
    connection.execute("update state.account set published_at = now()")


def publish(master: Path, published: Path) -> Path:
    """Copy the closed master and put the copy in the place of the published file."""
    if (wal := master.with_name(master.name + ".wal")).exists() and wal.stat().st_size:
        raise MaestroError(f"{wal} was not written back into {master.name}; nothing was published")
    part = published.with_name(f".maestro-{os.getpid()}.part")
    try:
        copy_file(master, part)
        steps.reached("copied")
        replace_durably(part, published)
    finally:
        part.unlink(missing_ok=True)
    steps.reached("published")
    return published


def copy_file(source: Path, target: Path) -> None:
    """Copy a file, its blocks shared where the file system can, and see it onto the disk."""
    with source.open("rb") as reading, target.open("wb") as writing:
        if not _clone(reading.fileno(), writing.fileno()):
            _copy(reading.fileno(), writing.fileno(), os.fstat(reading.fileno()).st_size)
        writing.flush()
        os.fsync(writing.fileno())


def _clone(reading: int, writing: int) -> bool:
    if not sys.platform.startswith("linux"):
        return False
    import fcntl

    try:
        fcntl.ioctl(writing, FICLONE, reading)
    except OSError:
        return False
    return True


def _copy(reading: int, writing: int, size: int) -> None:
    if hasattr(os, "copy_file_range"):
        left = size
        try:
            while left and (copied := os.copy_file_range(reading, writing, min(left, COPY_BYTES))):
                left -= copied
            return
        except OSError as error:
            if error.errno not in (errno.EXDEV, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL, errno.EPERM):
                raise
            os.lseek(reading, 0, os.SEEK_SET)
            os.lseek(writing, 0, os.SEEK_SET)
    with open(reading, "rb", closefd=False) as source, open(writing, "wb", closefd=False) as target:
        shutil.copyfileobj(source, target, 1 << 20)


def replace_durably(new: Path, old: Path) -> None:
    """Rename `new` over `old`, and see the name onto the disk.

    Raises:
        MaestroError: `old` is open in another program, on Windows.
    """
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


def compact(path: Path) -> None:
    """Write a database anew, whole, and put it in the place of the old one."""
    new = path.with_name(f"{path.stem}.new.duckdb")
    new.unlink(missing_ok=True)
    connection = open_master_file(new, spill=path.parent / "spill")
    try:
        quoted = str(path).replace("'", "''")
        target = connection.execute("select current_database()").fetchall()[0][0]
        connection.execute(f"attach '{quoted}' as old (read_only)")
        connection.execute(f'copy from database old to "{target}"')
        connection.execute("detach old")
        connection.execute("checkpoint")
    finally:
        connection.close()
    with contextlib.suppress(FileNotFoundError):
        new.with_name(new.name + ".wal").unlink()
    with new.open("rb+") as file:
        os.fsync(file.fileno())
    replace_durably(new, path)
