"""Trace a grade back to the exports and the lines of kept files that it came from."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from maestro_analytics.errors import UnknownName
from maestro_analytics.tables.archive import BROKEN_STREAM, members_of
from maestro_analytics.tables.casting import NULL_WORDS
from maestro_analytics.tables.csv_rows import records_of
from maestro_analytics.tables.grade_key import GRADE_PARTS, REQUIRED_PARTS, grade_key
from maestro_analytics.tables.headers import HEADER_BOUND, Columns, find_header, match
from maestro_analytics.tables.schemas import GRADE_TABLES, RAW_TABLES
from maestro_analytics.warehouse.store import Store

_ANSWER_ID = "^[^_]*_(.+)_([A-Z]+)_([^_].*)$"
"""account_gradable_rubric_agent_ROLE_type, as the link views read it."""
_VERSIONS = """
select versions.export_seq as seq, true as is_present
from state.grade_versions as versions where versions.grade_key = $key
union
select exports.seq, false
from grade_history as history join state.exports as exports on exports.export_id = history.export_id
where history.grade_key = $key
union
select deletions.export_seq, true from state.deletions as deletions where deletions.grade_key = $key
"""


@dataclass(frozen=True)
class Place:
    """A row of a kept file: line and raw text as in `Refusal`."""

    table_name: str
    member: str
    line: int
    raw: str
    grade_key: str


def places_of_grades(path: Path, keys: Collection[str], *, hints: Collection[str]) -> Iterator[Place]:
    """The rows of the raw export at `path` that belong to the grades `keys`, in file order.

    Args:
        hints: texts of which each row sought has at least one (the ticket's id); rows without are passed over quickly.
    """
    with members_of(path) as members:
        for member in members:
            if member.fault is not None:
                continue
            try:
                with member.open() as stream:
                    header, table = find_header(stream.read(HEADER_BOUND), RAW_TABLES, file_name=member.name)
                if header is None or table not in GRADE_TABLES:
                    continue
                columns = match(header, table)
                for record in records_of(member, header):
                    if record.fault is None and any(hint in record.raw for hint in hints):
                        key = _key(record.fields, columns)
                        if key in keys:
                            yield Place(table.name, member.name, record.line, record.raw, str(key))
            except BROKEN_STREAM:
                continue  # Damaged members are never landed.


def _key(fields: Sequence[str], columns: Columns) -> str | None:
    row = dict(zip(columns.stored, fields, strict=True))
    parts = {part: None if (text := row.get(part, "")) in NULL_WORDS else text for part in GRADE_PARTS}
    return None if any(parts[part] is None for part in REQUIRED_PARTS) else grade_key(**parts)


@dataclass(frozen=True)
class Origin:
    """One export that brought a version of the grade, and where in its file.

    Attributes:
        is_present: whether what the tables hold of the grade came from it.
        places: the rows of the kept file; empty when the file is gone, as `file_is_kept` tells.
    """

    export: dict[str, object]
    is_present: bool
    file_is_kept: bool
    places: list[Place] = field(default_factory=list)


@dataclass(frozen=True)
class Explanation:
    """All that is known of one grade.

    Attributes:
        rows: table -> its rows of the grade.
        csat: the ticket's survey.
        history: earlier versions of its total score, the oldest first.
        origins: the exports that brought its versions, the newest first.
        coaching_points, todos: what refers to it.
        deletion: the row of state.deletions; no row for a live grade.
    """

    grade_key: str
    rows: dict[str, pl.DataFrame]
    csat: pl.DataFrame
    history: pl.DataFrame
    origins: list[Origin]
    coaching_points: pl.DataFrame
    todos: pl.DataFrame
    deletion: pl.DataFrame


def explain(store: Store, name: str) -> list[Explanation]:
    """Every grade that `name` means: one for a grade key; for an answer id of a calibration, or a ticket id, several.

    Raises:
        UnknownName: no grade has that key, answer id or ticket id.
    """
    keys = _keys(store, name)
    if not keys:
        some = store.sql("select grade_key from total_scores order by date_graded desc limit 1000")
        raise UnknownName(kind="grade", name=name, known=some.get_column("grade_key").to_list())
    return [_explain(store, key) for key in keys]


def _keys(store: Store, name: str) -> list[str]:
    for query in (
        "select grade_key from state.grade_versions where grade_key = $name "
        "union select grade_key from state.deletions where grade_key = $name",
        "select distinct grade_key from grade_answer_names "
        f"where grade_type = regexp_extract($name, '{_ANSWER_ID}', 3) "
        f"and gradable_rubric_agent = regexp_extract($name, '{_ANSWER_ID}', 1)",
        "select grade_key from total_scores where gradable_id = $name "
        "union select grade_key from state.deletions where gradable_id = $name",
    ):
        found = store.sql(f"select * from ({query}) order by grade_key", {"name": name})
        if found.height:
            return found.get_column("grade_key").to_list()
    return []


def _explain(store: Store, key: str) -> Explanation:
    of_grade = {"key": key}
    rows = {
        table.name: store.sql(f"select * from {table.name} where grade_key = $key", of_grade) for table in GRADE_TABLES
    }
    deletion = store.sql("select * from state.deletions where grade_key = $key", of_grade)
    tickets = [*rows.values(), deletion]
    ticket = next(((frame["source"][0], frame["gradable_id"][0]) for frame in tickets if frame.height), (None, ""))
    versions = store.sql(f"select * from ({_VERSIONS}) order by seq desc", of_grade)
    return Explanation(
        grade_key=key,
        rows=rows,
        csat=store.sql(
            "select * from csat where gradable_id = $ticket and source is not distinct from $source",
            {"ticket": ticket[1], "source": ticket[0]},
        ),
        history=store.sql("select * from grade_history where grade_key = $key order by replaced_at", of_grade),
        origins=[
            _origin(store, key, seq=seq, is_present=present, ticket=ticket[1]) for seq, present in versions.iter_rows()
        ],
        coaching_points=store.sql(
            "select points.* from coaching_points as points join grade_coaching_points as links "
            "on links.coaching_point_id = points.id where links.grade_key = $key order by points.id",
            of_grade,
        ),
        todos=store.sql(
            "select todos.* from todos join grade_todos as links on links.todo_id = todos.id "
            "where links.grade_key = $key order by todos.id",
            of_grade,
        ),
        deletion=deletion,
    )


def _origin(store: Store, key: str, *, seq: int, is_present: bool, ticket: str) -> Origin:
    found = store.sql("select * from state.exports where seq = ?", [seq])
    export: dict[str, object] = found.row(0, named=True) if found.height else {"seq": seq}
    file = store.path.parent / Path(str(export["file"])) if export.get("file") else None
    if file is None or not file.exists():
        return Origin(export, is_present, False)
    return Origin(export, is_present, True, list(places_of_grades(file, {key}, hints={ticket})))
