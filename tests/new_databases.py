"""New databases of the tests: copies of one that the program made.

The views and 650 comments of a database take 0.4 s of processor time, and the suite makes hundreds of databases.
Commands in an interpreter of their own make theirs themselves.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import duckdb

from maestro_analytics.warehouse import Master, master
from maestro_analytics.warehouse.publish import define_views

as_the_program_does = master.open_file

copied: Path | None = None
"""The folder that this process copies from."""


def make(folder: Path) -> None:
    """Make the database to copy: tables, views and comments, nothing landed and nothing published."""
    with Master.open(folder) as made:
        define_views(made.connection)


def copy(path: Path) -> None:
    """Make a new database at `path`."""
    assert copied is not None
    shutil.copy(copied / "master" / master.PUBLISHED, path)


def copy_from(folder: Path) -> None:
    """Let `Master.open` of this process copy the database of `folder` where it would make a new one."""
    global copied
    copied = folder

    def open_file(path: Path) -> duckdb.DuckDBPyConnection:
        if path.name == master.PUBLISHED and not path.exists():
            copy(path)
        return as_the_program_does(path)

    master.open_file = open_file
