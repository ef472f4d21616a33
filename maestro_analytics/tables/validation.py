"""Check rows against their table's schema: typed rows, and a reason for each row that is refused.

Three things can be wrong with a row: a text that its column's role cannot read (found during the cast, because the
null that a failed cast leaves is valid in any nullable column), a failure of the pandera schema (a missing identity, a
number that is not finite, a wrong type), and no value in any of the columns of which the table needs one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

import pandera.errors
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from maestro_analytics.tables.casting import WHAT_IT_IS_NOT, Typed, typed
from maestro_analytics.tables.columns import DTYPES, Role, Table
from maestro_analytics.tables.grade_key import GRADE_PARTS, REQUIRED_PARTS, grade_keys
from maestro_analytics.tables.schemas import DELETED_FLAG, GRADE_TABLES

SHOWN_CHARACTERS = 60
"""How much of a refused text is quoted in the reason; all of it is in the raw row."""

ROUNDED_ID = r"^\s*[0-9](?:[.,][0-9]+)?E\+[0-9]{2,}\s*$"


_NO_ROWS = pl.Series("row number", [], dtype=pl.Int64)


@dataclass(frozen=True)
class Problem:
    """Why a row is refused: the first wrong column (None for the whole row), all that is wrong, and its grade."""

    column_name: str | None
    reason: str
    grade_key: str | None = None


@dataclass(frozen=True)
class Checked:
    """The rows of a batch: live, deleted and refused. Row numbers count from the batch's first row.

    Attributes:
        live: rows to land, all columns of the table and those unknown to it.
        live_rows: their row numbers.
        flagged: rows that the vendor marks as deleted: `GRADE_PARTS`, `grade_key` and `date_graded`; None without any.
        flagged_rows: their row numbers.
        problems: row number -> why it is refused.
    """

    live: pl.DataFrame
    live_rows: pl.Series
    flagged: pl.DataFrame | None
    flagged_rows: pl.Series
    problems: dict[int, Problem]


def check(text: pa.Table, table: Table, roles: Mapping[str, Role]) -> Checked:
    """Type and check the rows of `text`, whose columns are `roles`; columns that the table has besides are null."""
    values = typed(text, roles)
    missing = [name for name in table.file_columns if name not in roles]
    for name, words in table.words_to.items():
        word = pl.repeat(None, values.frame.height, dtype=pl.String, eager=True)
        if (failed := values.unreadable.pop(name, None)) is not None:
            texts = cast(pl.Series, pl.from_arrow(text.column(name)))
            word = pl.select(pl.when(failed).then(texts)).to_series()
        values = Typed(values.frame.with_columns(word.alias(words)), values.unreadable)
    return check_values(values, table, missing=missing, text=text, rounded=rounded_ids(text))


def rounded_ids(text: pa.Table) -> dict[str, pl.Series]:
    """Id column -> which rows have a number there that a spreadsheet rounded, such as `5.31E+06`."""
    found = {}
    for name in ("gradable_id", "agent_id", "agent_ids"):
        if name in text.column_names and pc.any(pc.match_substring(text.column(name), "E+")).as_py():
            found[name] = cast(pl.Series, pl.from_arrow(pc.match_substring_regex(text.column(name), ROUNDED_ID)))
    return found


def check_values(
    values: Typed,
    table: Table,
    *,
    missing: list[str],
    text: pa.Table | None,
    rounded: Mapping[str, pl.Series] | None = None,
) -> Checked:
    """Separate good, deleted and bad rows that are typed already; `text` is what the reasons quote."""
    frame = values.frame.with_columns(
        pl.lit(None, dtype=DTYPES[table.file_columns[name]]).alias(name) for name in missing
    )
    is_grade = table in GRADE_TABLES
    has_flag = DELETED_FLAG in frame.columns and DELETED_FLAG not in table.columns
    flags = frame.get_column(DELETED_FLAG).fill_null(False) if has_flag and is_grade else None
    if has_flag:
        frame = frame.drop(DELETED_FLAG)
    if is_grade:
        frame = frame.with_columns(grade_keys(frame))
    problems = _problems(frame, table, values.unreadable, rounded or {}, text)
    if flags is not None and not flags.any():
        flags = None
    if not problems and flags is None:
        return Checked(frame, pl.int_range(0, frame.height, dtype=pl.Int64, eager=True), None, _NO_ROWS, {})
    return _separated(frame, flags, problems, is_grade=is_grade)


def _separated(
    frame: pl.DataFrame, flags: pl.Series | None, problems: dict[int, Problem], *, is_grade: bool
) -> Checked:
    numbered = frame.with_row_index("row number").with_columns(pl.col("row number").cast(pl.Int64))
    is_bad = pl.col("row number").is_in(list(problems))
    flagged, flagged_rows = None, _NO_ROWS
    if is_grade:
        has_key = pl.all_horizontal(pl.col(part).is_not_null() for part in REQUIRED_PARTS)
        if flags is not None:
            # A deletion is obeyed if it is known which grade it is of, whatever else is wrong with its row.
            obeyed = numbered.filter(flags & (has_key | ~is_bad))
            flagged = obeyed.select(*GRADE_PARTS, "grade_key", "date_graded")
            flagged_rows = obeyed.get_column("row number")
            problems = {row: problem for row, problem in problems.items() if row not in set(flagged_rows)}
            numbered = numbered.filter(~pl.col("row number").is_in(flagged_rows.to_list()))
        keys = dict(numbered.filter(is_bad & has_key).select("row number", "grade_key").iter_rows())
        problems = {row: replace(problem, grade_key=keys.get(row)) for row, problem in problems.items()}
    live = numbered.filter(~is_bad)
    return Checked(live.drop("row number"), live.get_column("row number"), flagged, flagged_rows, problems)


def _problems(
    frame: pl.DataFrame,
    table: Table,
    unreadable: Mapping[str, pl.Series],
    rounded: Mapping[str, pl.Series],
    text: pa.Table | None,
) -> dict[int, Problem]:
    found: dict[int, dict[str, str]] = {}
    for name, rows in rounded.items():
        for row in rows.arg_true().to_list():
            found.setdefault(row, {})[name] = (
                f"{_quoted(text, name, row)} is an id that a spreadsheet rounded; the digits are lost"
            )
    for name, failed in unreadable.items():
        role = table.file_columns.get(name, Role.FLAG)
        for row in failed.arg_true().to_list():
            found.setdefault(row, {})[name] = f"{_quoted(text, name, row)} is not {WHAT_IT_IS_NOT[role]}"
    for name, row, reason in _schema_failures(frame, table):
        found.setdefault(row, {}).setdefault(name, reason)
    if table.one_of:
        lacks_all = frame.select(pl.all_horizontal(pl.col(name).is_null() for name in table.one_of)).to_series()
        for row in lacks_all.arg_true().to_list():
            found.setdefault(row, {}).setdefault(table.one_of[0], f"none of {', '.join(table.one_of)} is given")
    order = {name: position for position, name in enumerate(frame.columns)}
    problems = {}
    for row, reasons in found.items():
        names = sorted(reasons, key=lambda name: order.get(name, len(order)))
        problems[row] = Problem(names[0], "; ".join(f"{name}: {reasons[name]}" for name in names))
    return problems


def _schema_failures(frame: pl.DataFrame, table: Table) -> list[tuple[str, int, str]]:
    """(column, row, reason) for each failure of the table's schema."""
    schema = frame.schema
    kinds = {name: schema.get(name) for name in table.columns}
    if kinds != {name: DTYPES[role] for name, role in table.columns.items()}:
        raise AssertionError(f"{table.name}: {kinds}")
    if frame.select(table.passes).item():
        return []
    try:
        table.row_checks.validate(frame, lazy=True)
    except pandera.errors.SchemaErrors as errors:
        broken = []
        for case in errors.failure_cases.iter_rows(named=True):
            if case["check"] == "not_nullable":
                reason = "is missing, and the row has no identity without it"
            else:
                reason = f"{case['failure_case']} is not a {case['check']} number"
            broken.append((str(case["column"]), int(case["index"]), reason))
        return broken
    return []


def _quoted(text: pa.Table | None, name: str, row: int) -> str:
    value: Any = text.column(name)[row].as_py() if text is not None else None
    shown = repr(value)
    return shown if len(shown) <= SHOWN_CHARACTERS else shown[:SHOWN_CHARACTERS] + "..."
