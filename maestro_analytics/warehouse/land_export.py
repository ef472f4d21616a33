"""From a kept export file to landed rows: one path for a refresh, a replay, a landing by hand and a reconciliation."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
from polars.exceptions import PanicException

from maestro_analytics.errors import MaestroError, UnreadableFile
from maestro_analytics.exports import ExportRecord
from maestro_analytics.files import disk_fault
from maestro_analytics.tables.delivery import BUDGET, Delivery
from maestro_analytics.tables.reader import read_export
from maestro_analytics.warehouse.landing.accounting import Landed

if TYPE_CHECKING:
    from maestro_analytics.warehouse.master import Master

MACHINE_FAULTS = (OSError, MemoryError, duckdb.OperationalError, duckdb.InternalError, duckdb.FatalException)
"""Errors of the machine or of the database, which any file would meet."""


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
    first_line = next(iter(str(error).splitlines()), "")[:200]
    return UnreadableFile(
        f"the file of the {export} could not be read ({type(error).__name__}: {first_line}). Kept at {export.file}; "
        "`maestro-analytics quarantine retry` reads it again after an update of this program.",
        path=export.file or Path(),
    )
