"""The sections of a report: what each holds, its answers computed once each, and the same as data."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from threading import Lock
from typing import Any, Unpack

import polars as pl

from maestro_analytics.analysis.answer import Answer
from maestro_analytics.analysis.filters import Choice, Filters, Store
from maestro_analytics.analysis.report.grading_pieces import COACHING, GRADERS, GRADING
from maestro_analytics.analysis.report.model import Piece, Section
from maestro_analytics.analysis.report.score_pieces import AGENTS, CHANGES, OVERVIEW, QUESTIONS
from maestro_analytics.errors import InvalidArgument

CONTENTS: dict[str, tuple[str, tuple[Piece, ...]]] = {
    "overview": ("Overview", OVERVIEW),
    "changes": ("What changed", CHANGES),
    "agents": ("Agents and teams", AGENTS),
    "graders": ("Graders", GRADERS),
    "questions": ("Questions", QUESTIONS),
    "coaching": ("Coaching", COACHING),
    "grading": ("Is enough graded?", GRADING),
}
"""Section -> its title and what it holds."""
KINDS = tuple(CONTENTS)
AT_A_TIME = 3
SCHEMA_VERSION = 1
ToCsv = Callable[[pl.DataFrame], str]


class QueriedOnce:
    """A store that runs each query once, however many answers of a report use it; one query at a time."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._found: dict[tuple[object, ...], pl.DataFrame] = {}
        self._turn = Lock()

    def query(self, name: str, /, **variables: Any) -> pl.DataFrame:
        asked = (name, *sorted(variables.items()))
        with self._turn:
            if asked not in self._found:
                self._found[asked] = self._store.query(name, **variables)
            return self._found[asked]


def sections(store: Store, kind: str = "all", *, min_n: int = 10, **filters: Unpack[Filters]) -> list[Section]:
    """The sections of a report: one of `KINDS`, or all. Errors: see `Filters`."""
    return list(in_turn(store, kind, min_n=min_n, **filters))


def in_turn(store: Store, kind: str = "all", *, min_n: int = 10, **filters: Unpack[Filters]) -> Iterator[Section]:
    """Yield each section as soon as it is ready, so that it can be drawn while others are computed.

    While one answer waits for its SQL others work with what they have. Take all, or close it, before the store closes.
    """
    Choice.of(store, filters)
    once = QueriedOnce(store)
    wanted = [name for name in KINDS if kind in (name, "all")]
    workers = ThreadPoolExecutor(AT_A_TIME)
    try:
        asked = {
            name: [workers.submit(piece.asked, once, min_n, filters) for piece in CONTENTS[name][1]] for name in wanted
        }
        for name in wanted:
            yield Section(name, CONTENTS[name][0], tuple(answer.result() for answer in asked[name]))
    finally:
        workers.shutdown(cancel_futures=True)


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
    return to_csv(pl.DataFrame(parts[0].blocks[0].answer))


def csv_folder(parts: list[Section], folder: Path, *, to_csv: ToCsv = pl.DataFrame.write_csv) -> list[Path]:
    """One CSV file for each answer, named like the function that gave it and written by `to_csv`."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for part in parts:
        for block in part.blocks:
            path = folder / f"{block.name}.csv"
            path.write_text(to_csv(pl.DataFrame(block.answer)), encoding="utf-8")
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
    rows = pl.DataFrame(answer).write_ndjson().rstrip("\n").replace("\n", ",\n")
    about = {name: json.dumps(words, ensure_ascii=False) for name, words in asdict(answer.about).items()}
    return _object({**about, "rows": f"[{rows}]"})


def _object(members: Mapping[str, str]) -> str:
    """A JSON object of members that are JSON already."""
    return "{" + ",\n".join(f"{json.dumps(name)}: {value}" for name, value in members.items()) + "}"
