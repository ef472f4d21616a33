"""Exports outside a warehouse: asked for, kept in a folder, and told about."""

from __future__ import annotations

import contextlib
import hashlib
import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any

from maestro_analytics.api import ApiClient
from maestro_analytics.api.validation import choice
from maestro_analytics.exports.events import MissedWindow, OnEvent
from maestro_analytics.exports.ledger import ExportRecord, FileLedger
from maestro_analytics.exports.lifecycle import PollPace
from maestro_analytics.exports.scheduler import run_exports
from maestro_analytics.exports.windows import INITIAL_WINDOW, Window
from maestro_analytics.kinds import EXPORT_KINDS

LEDGER_FOLDER = ".asked-for"
"""In the target folder: what was asked for, so that the same call after a kill picks it up."""


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
class KeptExports:
    """Exports that were asked for once, with their files.

    Attributes:
        kind: a kind of `EXPORT_KINDS`.
        exports: in the order in which they were asked for; those with nothing to download have no file.
        missed: windows that could not be had. Empty when all is well.
    """

    kind: str
    exports: tuple[ExportRecord, ...]
    missed: tuple[MissedWindow, ...]

    @property
    def files(self) -> list[Path]:
        """The kept files, in the order in which they were asked for."""
        return [export.file for export in self.exports if export.file is not None]


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
    client: ApiClient,
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
) -> KeptExports:
    """Have exports of `kind` made, and keep their files in `folder`.

    Killed and called again with the same arguments, it goes on where it was.

    Args:
        since, until: half-open, aware; both None for groups, both given for the others.
        parameters: of the request, besides the dates; by default everything is included.
        max_window: length of the first windows.

    Raises:
        InvalidArgument: naive moments, or none where they are due.
        TokenRefused, Unreachable: what was received stays in the folder.
    """
    window = Window(since, until) if since is not None and until is not None else None
    asked = dict(EXPORT_KINDS[kind].parameters if parameters is None else parameters)
    call = json.dumps([client.settings.base_url, kind, str(window), asked], sort_keys=True)
    name = f"{kind}-{hashlib.sha256(call.encode()).hexdigest()[:16]}.jsonl"
    ledger = FileLedger(folder / LEDGER_FOLDER / name)
    exports: list[ExportRecord] = []
    missed: list[MissedWindow] = []
    run = run_exports(
        client,
        {kind: [window] if window else None},
        ledger,
        folder,
        initial_window=max_window,
        parameters={kind: asked},
        pace=pace,
        on_event=on_event,
        stop=stop,
    )
    with contextlib.closing(run) as results:
        for result in results:
            if isinstance(result, MissedWindow):
                missed.append(result)
            else:
                exports.append(result)
    for export in exports:
        ledger.landed(export.seq)
    return KeptExports(kind, tuple(sorted(exports, key=lambda export: export.seq)), tuple(missed))
