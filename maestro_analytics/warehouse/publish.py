"""Publish the private master: write views and comments into it, and copy it to the file that everyone reads.

Tables are described by their schemas, views by the opening comments of their SQL files.

A reader that has the old file open keeps reading it (POSIX); one that opens afterwards reads the new one. On Windows a
file that another program has open cannot be replaced: publishing fails with a message, what landed stays in the master,
and the next refresh publishes it.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import sys
from collections import ChainMap
from pathlib import Path

import duckdb

from maestro_analytics.errors import MaestroError
from maestro_analytics.files import disk_fault, replace_durably
from maestro_analytics.kinds import RAW
from maestro_analytics.tables.columns import Table
from maestro_analytics.tables.schemas import TABLES
from maestro_analytics.warehouse import agents, steps
from maestro_analytics.warehouse.connection import open_master_file, quoted, scalar, text_literal
from maestro_analytics.warehouse.sql_files import (
    create_views,
    described_names,
    description,
    in_dependency_order,
    texts,
    words,
)
from maestro_analytics.warehouse.state import STATE_TABLES

UNKNOWN_COLUMN = "A column of the vendor's file that this version does not know; see state.schema_changes"

_PRESENT = """
select 'TABLE', schema_name, table_name, null, comment from duckdb_tables()
where database_name = current_database() and not internal
union all
select 'VIEW', schema_name, view_name, null, comment from duckdb_views()
where database_name = current_database() and not internal
union all
select 'COLUMN', schema_name, table_name, column_name, comment from duckdb_columns()
where database_name = current_database() and not internal
"""


_VIEWS = "select count(*) from duckdb_views() where database_name = current_database() and not internal"
_TABLES = "select schema_name, sql from duckdb_tables() where database_name = current_database() order by all"
FICLONE = 0x40049409
"""Linux: share the other file's blocks, on file systems that can (btrfs, xfs)."""
COPY_BYTES = 64 << 20


def define_views(connection: duckdb.DuckDBPyConnection) -> None:
    """Create the views and write all comments, unless the file has those of this version and of its tables' columns.

    Both together take 0.13 s, a fifth of an hourly refresh that brings little.
    """
    tables = connection.execute(_TABLES).fetchall()
    made_from = repr((texts("views"), relation_comments(), column_comments(), tables))
    definitions = hashlib.sha256(made_from.encode()).hexdigest()
    # A replay carries the hash over into a new database, which has no views yet.
    is_made = scalar(connection, "select definitions from state.account") == definitions
    if not is_made or scalar(connection, _VIEWS) < len(texts("views")):
        create_views(connection)
        write_comments(connection)
        connection.execute("update state.account set definitions = ?", [definitions])


def write_comments(connection: duckdb.DuckDBPyConnection) -> None:
    """Give every table, view and column the comment that the schemas and SQL files have for it, where it differs."""
    relations = relation_comments()
    columns = {("main", name): found for name, found in column_comments().items()}
    columns |= {
        ("state", table.name): {name: what for name, (_, what) in table.columns.items()} for table in STATE_TABLES
    }
    present = connection.execute(_PRESENT).fetchall()
    connection.execute("begin")
    for what, schema, name, column, comment in present:
        described = columns.get((schema, name), {})
        wanted = described.get(column, UNKNOWN_COLUMN) if what == "COLUMN" else relations.get((schema, name))
        if wanted and comment != wanted:
            full_name = ".".join(quoted(part) for part in (schema, name, column) if part is not None)
            connection.execute(f"comment on {what} {full_name} is {text_literal(wanted)}")
    connection.execute("commit")


def relation_comments() -> dict[tuple[str, str], str]:
    """(schema, table or view) -> what it holds: one sentence for a table, the opening comment for a view."""
    tables = {("main", table.name): sentence(table.grain) for table in TABLES}
    states = {("state", table.name): sentence(table.grain) for table in STATE_TABLES}
    return tables | states | {("main", name): description(text) for name, text in texts("views").items()}


def column_comments() -> dict[str, dict[str, str]]:
    """Table or view of schema main -> column -> description.

    A column of a view that its file does not describe has the description of the table or view that it reads.
    """
    found = {table.name: _described(table) for table in TABLES}
    views = texts("views")
    for name in in_dependency_order(views):
        named = words(views[name])
        read = [source for source in found if source in named]
        # The first one counts: a view before a table, then in the order of the schemas.
        read.sort(key=lambda source: source not in views)
        found[name] = dict(ChainMap(described_names(views[name]), *(found[source] for source in read)))
    return found


def _described(table: Table) -> dict[str, str]:
    comments = {}
    for name, column in table.schema.columns.items():
        unit = (column.metadata or {})["unit"]
        comments[name] = (column.description or "") + (f" ({unit})" if unit else "")
    return comments


def sentence(text: str) -> str:
    """A grain as a sentence."""
    return text[:1].upper() + text[1:] + "."


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
    try:
        connection = open_master_file(new, spill=path.parent / "spill")
        try:
            target = connection.execute("select current_database()").fetchall()[0][0]
            connection.execute(f"attach {text_literal(str(path))} as old (read_only)")
            connection.execute(f'copy from database old to "{target}"')
            connection.execute("detach old")
            connection.execute("checkpoint")
        finally:
            connection.close()
        with new.open("rb+") as file:
            os.fsync(file.fileno())
        replace_durably(new, path)
    finally:
        for left_over in (new, wal_of(new)):
            left_over.unlink(missing_ok=True)
