"""The report as data: CSV and JSON hold every column of the answers."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from pathlib import Path

import polars as pl

from maestro_analytics.analysis.answer import Answer
from maestro_analytics.analysis.report.model import Section
from maestro_analytics.errors import InvalidArgument

SCHEMA_VERSION = 1


ToCsv = Callable[[pl.DataFrame], str]


def as_csv(parts: list[Section], *, to_csv: ToCsv = pl.DataFrame.write_csv) -> str:
    """The first answer of a section as CSV, written by `to_csv`.

    Raises:
        InvalidArgument: there are several sections: one CSV cannot hold them.
    """
    if len(parts) != 1:
        raise InvalidArgument(
            "one CSV file cannot hold the whole report: name a section (agents, graders, questions, coaching), or give "
            "--output a folder, which gets one file for each table."
        )
    return to_csv(_flat(parts[0].blocks[0].answer))


def csv_folder(parts: list[Section], folder: Path, *, to_csv: ToCsv = pl.DataFrame.write_csv) -> list[Path]:
    """One CSV file for each answer, named like the function that gave it and written by `to_csv`."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for part in parts:
        for block in part.blocks:
            path = folder / f"{block.name}.csv"
            path.write_text(to_csv(_flat(block.answer)), encoding="utf-8")
            written.append(path)
    return written


def as_json(parts: Iterable[Section]) -> str:
    """All answers as one JSON object: section -> answer -> what it is about, and its rows, a line each.

    Args:
        parts: the sections; each is written when it comes (see `in_turn`).
    """
    sections = {part.name: _object({block.name: _answer(block.answer) for block in part.blocks}) for part in parts}
    return _object({"schema_version": json.dumps(SCHEMA_VERSION), "sections": _object(sections)})


def _answer(answer: Answer) -> str:
    # Rows are written by polars: a quarter of a million of them take it 0.5 s, and Python's json 7 s.
    rows = _flat(answer).write_ndjson().rstrip("\n").replace("\n", ",\n")
    about = {name: json.dumps(words, ensure_ascii=False) for name, words in asdict(answer.about).items()}
    return _object({**about, "rows": f"[{rows}]"})


def _object(members: Mapping[str, str]) -> str:
    """A JSON object of what is JSON already."""
    return "{" + ",\n".join(f"{json.dumps(name)}: {value}" for name, value in members.items()) + "}"


def _flat(frame: pl.DataFrame) -> pl.DataFrame:
    return pl.DataFrame(frame)
