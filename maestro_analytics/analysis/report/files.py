"""The report as data: CSV and JSON hold every column of the answers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl

from maestro_analytics.analysis.report.block import Section
from maestro_analytics.errors import InvalidArgument

SCHEMA_VERSION = 1


def as_csv(parts: list[Section]) -> str:
    """The first answer of a section as CSV.

    Raises:
        InvalidArgument: there are several sections: one CSV cannot hold them.
    """
    if len(parts) != 1:
        raise InvalidArgument(
            "one CSV file cannot hold the whole report: name a section (agents, graders, questions, coaching), or give "
            "--output a folder, which gets one file for each table."
        )
    return _flat(parts[0].blocks[0].answer).write_csv()


def csv_folder(parts: list[Section], folder: Path) -> list[Path]:
    """One CSV file for each answer, named like the function that gave it."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for part in parts:
        for block in part.blocks:
            path = folder / f"{block.name}.csv"
            path.write_text(_flat(block.answer).write_csv(), encoding="utf-8")
            written.append(path)
    return written


def as_json(parts: list[Section]) -> str:
    """All answers as one JSON object: section -> answer -> what it is about, and its rows."""
    report: dict[str, Any] = {"schema_version": SCHEMA_VERSION, "sections": {}}
    for part in parts:
        report["sections"][part.name] = {
            block.name: {
                "question": block.answer.about.question,
                "period": block.answer.about.period,
                "time_axis": block.answer.about.time_axis,
                "caveat": block.answer.about.caveat,
                "reason": block.answer.about.reason,
                "rows": _flat(block.answer).to_dicts(),
            }
            for block in part.blocks
        }
    return json.dumps(report, ensure_ascii=False, indent=2, default=lambda value: value.isoformat(), allow_nan=False)


def _flat(frame: pl.DataFrame) -> pl.DataFrame:
    return pl.DataFrame(frame)
