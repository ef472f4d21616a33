"""From a kept export file to landed rows: one path for a refresh, a replay, a landing by hand and a reconciliation.

Several exports land together where the tables come out as if they had landed one by one (see `landing/together.py`): a
replay lands a year of small exports, and landing one costs the same whatever its size, some 60 statements.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import duckdb
from polars.exceptions import PanicException

from maestro_analytics.errors import MaestroError, UnreadableFile
from maestro_analytics.exports import ExportRecord
from maestro_analytics.files import disk_fault
from maestro_analytics.kinds import EXPORT_KINDS
from maestro_analytics.tables.delivery import BUDGET, Delivery
from maestro_analytics.tables.reader import read_export, read_exports
from maestro_analytics.warehouse.landing.accounting import Landed
from maestro_analytics.warehouse.landing.together import NotTogether, is_plain, shape
from maestro_analytics.warehouse.master import Master

log = logging.getLogger(__name__)

MOST_FILES = 128
MOST_BYTES = 1 << 20
"""Of kept files that are read and landed together: all their rows are in memory at once."""

MACHINE_FAULTS = (OSError, MemoryError, duckdb.OperationalError, duckdb.InternalError, duckdb.FatalException)
"""Errors of the machine or of the database, which any file would meet."""
Arrived = tuple[ExportRecord, Delivery | None]


def land_export(
    master: Master, export: ExportRecord, *, budget: float = BUDGET, check: Callable[[Delivery], None] | None = None
) -> Landed:
    """Read the kept file of one export and land it. A file that cannot be read is refused: kept, and noted as such.

    Args:
        budget: the share of a file's rows that may be refused.
        check: called with what was read; nothing lands if it raises.

    Raises:
        DiskFault, OSError, MemoryError: the machine's fault and not the file's.
    """
    if export.file is None:
        return master.land(export, None)
    if not export.file.exists():
        gone = UnreadableFile(f"{export.file} is gone; the next refresh asks for its time again", path=export.file)
        return master.refuse(export, gone)
    try:
        delivery = read_export(export.file, kind=export.kind, staging=master.staging / str(export.seq), budget=budget)
    except UnreadableFile as error:
        return master.refuse(export, error)
    except (Exception, PanicException) as error:
        return _refused(master, export, error)
    with delivery:
        if check is not None:
            check(delivery)
        try:
            return master.land(export, delivery)
        except MaestroError:
            raise
        except (Exception, PanicException) as error:
            return _refused(master, export, error)


def land_exports(master: Master, exports: Sequence[ExportRecord]) -> Iterator[tuple[ExportRecord, Landed]]:
    """Read the kept files of exports of one kind and land them in this order; yields each with what became of it.

    The tables come out as if `land_export` had landed one after the other. Small files that follow each other are read
    and landed together, at most `MOST_FILES` of them; one of which anything is refused lands by itself.
    """
    for group in _small_ones_together(exports):
        yield from zip(group, _land_group(master, group), strict=True)


def _small_ones_together(exports: Sequence[ExportRecord]) -> Iterator[list[ExportRecord]]:
    group: list[ExportRecord] = []
    size = 0
    for export in exports:
        added = export.file.stat().st_size if export.file is not None and export.file.exists() else 0
        if group and (len(group) == MOST_FILES or size + added > MOST_BYTES):
            yield group
            group, size = [], 0
        group.append(export)
        size += added
    if group:
        yield group


def _land_group(master: Master, exports: Sequence[ExportRecord]) -> Iterator[Landed]:
    staging = master.staging / f"{exports[0].seq}-{exports[-1].seq}"
    try:
        for run in _runs(exports, _read_group(exports, staging)):
            yield from _land_run(master, run)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _read_group(exports: Sequence[ExportRecord], staging: Path) -> Mapping[int, Delivery | UnreadableFile]:
    """What could be read together, by its place in `exports`: nothing if an error comes that nobody expected."""
    files = {number: export.file for number, export in enumerate(exports) if export.file is not None}
    files = {number: file for number, file in files.items() if file.exists()}
    if len(exports) == 1 or not EXPORT_KINDS[exports[0].kind].windowed:
        return {}
    try:
        return read_exports(files, kind=exports[0].kind, staging=staging)
    except (Exception, PanicException) as error:
        _warn_of_unexpected(exports, "read", error)
        return {}


def _runs(exports: Sequence[ExportRecord], read: Mapping[int, Delivery | UnreadableFile]) -> Iterator[list[Arrived]]:
    """Exports that may land together, and each other one by itself, in their order."""
    run: list[Arrived] = []
    shape_of_run = None
    for number, export in enumerate(exports):
        delivery = read.get(number)
        if isinstance(delivery, UnreadableFile) or (delivery is None and export.file is not None):
            is_alone, mine = True, None
        else:
            is_alone = not is_plain(export, delivery)
            mine = shape(delivery) if delivery is not None else shape_of_run
        if run and (is_alone or (shape_of_run is not None and mine != shape_of_run)):
            yield run
            run, shape_of_run = [], None
        if is_alone or isinstance(delivery, UnreadableFile):
            yield [(export, None)]
            continue
        run.append((export, delivery))
        shape_of_run = mine
    if run:
        yield run


def _land_run(master: Master, run: Sequence[Arrived], *, is_told: bool = False) -> Iterator[Landed]:
    """Land a run; in halves where it cannot land together, so that most of it still does.

    Args:
        is_told: whether a warning has been given that something unexpected keeps these from landing together.
    """
    if len(run) == 1:
        yield land_export(master, run[0][0])
        return
    try:
        landed = master.land_together(run)
    except (Exception, PanicException) as error:
        if isinstance(error, NotTogether):
            log.debug("%s and %d others do not land together: %s", run[0][0], len(run) - 1, error)
        elif not is_told:
            _warn_of_unexpected([export for export, _ in run], "landed", error)
            is_told = True
        for part in (run[: len(run) // 2], run[len(run) // 2 :]):
            yield from _land_run(master, part, is_told=is_told)
    else:
        yield from landed


def _warn_of_unexpected(exports: Sequence[ExportRecord], done: str, error: BaseException) -> None:
    """Tell of an error that nobody expected where exports are read or landed together: then each is by itself."""
    log.warning(
        "%d exports from the %s on could not be %s together (%s): they are %s in smaller groups or one by one",
        len(exports),
        exports[0],
        done,
        _type_and_first_line(error),
        done,
    )


def _refused(master: Master, export: ExportRecord, error: BaseException) -> Landed:
    """Refuse a file that led to an error which nobody expected, so that the others go on; raise a fault of the machine.

    A file that takes more than DuckDB's memory is refused too: it would stop each later run as well.
    """
    if (fault := disk_fault(error, folder=master.staging)) is not None:
        raise fault from error
    if isinstance(error, MACHINE_FAULTS) and not isinstance(error, duckdb.OutOfMemoryException):
        raise error
    return master.refuse(export, _unexpected(export, error))


def _unexpected(export: ExportRecord, error: BaseException) -> UnreadableFile:
    return UnreadableFile(
        f"the file of the {export} could not be read ({_type_and_first_line(error)}). Kept at {export.file}; "
        "`maestro-analytics quarantine retry` reads it again after an update of this program.",
        path=export.file or Path(),
    )


def _type_and_first_line(error: BaseException) -> str:
    return f"{type(error).__name__}: {next(iter(str(error).splitlines()), '')[:200]}"
