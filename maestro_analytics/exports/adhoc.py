"""Exports without a warehouse: request them and keep their files in a folder."""

from __future__ import annotations

import hashlib
import json
import logging
import tempfile
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from maestro_analytics.api import Transport
from maestro_analytics.arguments import choice
from maestro_analytics.exports.ledger import ExportRecord, FileLedger
from maestro_analytics.exports.lifecycle import PollPace
from maestro_analytics.exports.progress import MissedWindow, OnEvent
from maestro_analytics.exports.scheduler import run_exports
from maestro_analytics.exports.windows import INITIAL_WINDOW, Window
from maestro_analytics.kinds import EXPORT_KINDS

if TYPE_CHECKING:
    import polars as pl

log = logging.getLogger("maestro_analytics.exports")

LEDGER_FOLDER = ".asked-for"
"""In the target folder: the ledger, with which the same call goes on after a kill."""


class Calibrations(StrEnum):
    """Whether calibrations are in a raw export."""

    ALL = "all"
    NONE = "none"
    ONLY = "only"


class SingleFile(StrEnum):
    """The one file that a raw export can be limited to."""

    INDIVIDUAL_ANSWERS = "individual_answers"
    SECTION_SCORES = "section_scores"
    TOTAL_SCORES = "total_scores"
    ANNOTATIONS = "annotations"
    CSAT = "csat"


@dataclass(frozen=True)
class ExportResult:
    """The exports of one call, with their files.

    Attributes:
        kind: a kind of `EXPORT_KINDS`.
        exports: in the order of the requests; an export with nothing to download has no file.
        missed: windows that could not be exported; empty if all could.
    """

    kind: str
    exports: tuple[ExportRecord, ...]
    missed: tuple[MissedWindow, ...] = ()

    @property
    def files(self) -> list[Path]:
        """The kept files, bytes as received, in the order of the requests."""
        return [export.file for export in self.exports if export.file is not None]

    @cached_property
    def frames(self) -> dict[str, pl.DataFrame]:
        """Table name -> its live rows, typed as in the warehouse; read from the kept files at the first use.

        Of a grade (a ticket, an activity) that is in several files, the rows of the newest export are taken.

        Raises:
            UnreadableFile, SchemaMismatch: a file that is not a known export, lacks an identity column, or has more bad
                rows than the budget allows.
        """
        import polars as pl

        from maestro_analytics.tables.schemas import GRADE_TABLES, KINDS

        frames = {table.name: table.empty() for table in KINDS[self.kind]}
        grade_tables = [table.name for table in GRADE_TABLES]
        for file in self.files:
            fresh, named = _read(file, self.kind)
            for table in KINDS[self.kind]:
                if table.name not in fresh:
                    continue
                replaced = named if table.name in grade_tables else fresh[table.name]
                keys = list(table.replaced_by)
                old = frames[table.name]
                if keys:
                    old = old.join(replaced.select(keys).unique(), on=keys, how="anti", nulls_equal=True)
                frames[table.name] = pl.concat([old, fresh[table.name]], how="diagonal")
        return frames


def _read(file: Path, kind: str) -> tuple[dict[str, pl.DataFrame], pl.DataFrame]:
    """A kept file's tables, and the keys of all grades in it, also of those that it only says are deleted."""
    import polars as pl

    from maestro_analytics.tables.frames import live_rows
    from maestro_analytics.tables.reader import read_export
    from maestro_analytics.tables.staging import read_rows

    with (
        tempfile.TemporaryDirectory() as folder,
        read_export(file, kind=kind, staging=Path(folder) / "rows") as delivery,
    ):
        for refused in delivery.refused:
            raise refused.error
        if delivery.refusals:
            first = delivery.refusals[0].reason
            log.warning("%d rows of %s were left out; the first: %s", len(delivery.refusals), file.name, first)
        fresh = {name: live_rows(staged) for name, staged in delivery.tables.items()}
        named = [pl.Series("grade_key", [], dtype=pl.String)]
        for name, staged in delivery.tables.items():
            keyed = [fresh[name], *(read_rows(path) for path in staged.flagged_files)]
            named += [frame["grade_key"] for frame in keyed if "grade_key" in frame.columns]
    return fresh, pl.concat(named).unique().to_frame()


def raw_parameters(
    *,
    single_file: SingleFile | str | None = None,
    calibrations: Calibrations | str = Calibrations.ALL,
    grader_qa: bool = True,
    deleted: bool = True,
) -> dict[str, Any]:
    """Parameters of a raw export. Source: "Request A “Raw” Export"."""
    parameters = {
        "singleFileExport": choice(single_file, SingleFile, name="single_file"),
        "includeCalibrations": choice(calibrations, Calibrations, name="calibrations"),
        "includeGraderQA": grader_qa,
        "includeDeleted": deleted,
    }
    return {name: value for name, value in parameters.items() if value is not None}


def export_once(
    transport: Transport,
    kind: str,
    folder: Path,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    parameters: Mapping[str, Any] | None = None,
    max_window: timedelta = INITIAL_WINDOW,
    pace: PollPace | None = None,
    on_event: OnEvent | None = None,
    stop: threading.Event | None = None,
) -> ExportResult:
    """Export `kind`, and keep the files in `folder`.

    Killed and called again with the same arguments, it goes on where it stopped.

    Args:
        since, until: half-open, aware; both None for groups, both given for the others.
        parameters: of the request, besides the dates; by default everything is included.
        max_window: length of the first windows.

    Raises:
        InvalidArgument: naive moments, or none for a windowed kind.
        TokenRefused, Unreachable: what was received stays in the folder.
    """
    window = Window(since, until) if since is not None and until is not None else None
    asked = dict(EXPORT_KINDS[kind].parameters if parameters is None else parameters)
    call = json.dumps([transport.settings.base_url, kind, str(window), asked], sort_keys=True)
    name = f"{kind}-{hashlib.sha256(call.encode()).hexdigest()[:16]}.jsonl"
    ledger = FileLedger(folder / LEDGER_FOLDER / name)
    exports: list[ExportRecord] = []
    missed: list[MissedWindow] = []
    with run_exports(
        transport,
        {kind: [window] if window else None},
        ledger,
        folder,
        initial_window=max_window,
        parameters={kind: asked},
        pace=pace,
        on_event=on_event,
        stop=stop,
    ) as outcomes:
        for outcome in outcomes:
            if isinstance(outcome, MissedWindow):
                missed.append(outcome)
            else:
                exports.append(outcome)
    for export in exports:
        ledger.landed(export.seq)
    return ExportResult(kind, tuple(sorted(exports, key=lambda export: export.seq)), tuple(missed))
