"""Copy the private master to the published file that everyone reads.

A reader that has the old file open keeps reading it (POSIX); one that opens afterwards reads the new one. On Windows a
file that another program has open cannot be replaced: publishing fails with a message, what landed stays in the master,
and the next refresh publishes it.
"""

from __future__ import annotations

import errno
import os
import shutil
import sys
from pathlib import Path

import duckdb

from maestro_analytics.errors import MaestroError
from maestro_analytics.files import disk_fault, replace_durably
from maestro_analytics.kinds import RAW
from maestro_analytics.warehouse import agents, steps
from maestro_analytics.warehouse.comments import define_views
from maestro_analytics.warehouse.connection import open_master_file
from maestro_analytics.warehouse.quoting import text_literal

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
    define_views(connection)
    connection.execute("update state.account set published_at = now()")


def publish(master: Path, published: Path) -> Path:
    """Copy the closed master and replace the published file by the copy.

    A published path that is a symbolic link stays one: the file that it names is replaced. The write-ahead log of
    another program that wrote to the published file is removed: DuckDB would apply it to a file that it does not fit.
    """
    if (wal := wal_of(master)).exists() and wal.stat().st_size:
        raise MaestroError(
            f"{wal} was not written back into {master.name}, so nothing was published. Run the same command again; if "
            "it fails again, move both files away and run `maestro-analytics replay`."
        )
    target = published.resolve()
    part = part_of(target)
    try:
        copy_file(master, part)
        steps.reached("copied")
        for path in {published, target}:
            wal_of(path).unlink(missing_ok=True)
        replace_durably(part, target)
    finally:
        part.unlink(missing_ok=True)
    steps.reached("published")
    return published


def wal_of(database: Path) -> Path:
    """The write-ahead log of a database file."""
    return database.with_name(database.name + ".wal")


def part_of(published: Path) -> Path:
    """The unfinished copy that is to replace the published file, on the same file system."""
    return published.with_name(f".maestro-{os.getpid()}.part")


def copy_file(source: Path, target: Path) -> None:
    """Copy a file, with shared blocks where the file system can, and sync it to the disk."""
    try:
        with source.open("rb") as reading, target.open("wb") as writing:
            if not _clone(reading.fileno(), writing.fileno()):
                _copy(reading.fileno(), writing.fileno(), os.fstat(reading.fileno()).st_size)
            writing.flush()
            os.fsync(writing.fileno())
    except OSError as error:
        if (fault := disk_fault(error, folder=target)) is not None:
            raise fault from error
        raise


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


def compact(path: Path) -> None:
    """Rewrite a database without the space of deleted rows, with `STORAGE_VERSION`, and replace the old file."""
    new = path.with_name(f"{path.stem}.new.duckdb")
    new.unlink(missing_ok=True)
    connection = open_master_file(new, spill=path.parent / "spill")
    try:
        target = connection.execute("select current_database()").fetchall()[0][0]
        connection.execute(f"attach {text_literal(str(path))} as old (read_only)")
        connection.execute(f'copy from database old to "{target}"')
        connection.execute("detach old")
        connection.execute("checkpoint")
    finally:
        connection.close()
    wal_of(new).unlink(missing_ok=True)
    with new.open("rb+") as file:
        os.fsync(file.fileno())
    replace_durably(new, path)
