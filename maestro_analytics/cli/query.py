"""`sql` and `explain`: questions to the published file."""

from __future__ import annotations

import json
import sys
from datetime import date, time, timedelta
from decimal import Decimal
from enum import StrEnum
from math import isfinite
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    import polars as pl

    from maestro_analytics.warehouse.lineage import Explanation


class Format(StrEnum):
    """How a frame is written to standard output."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"
    PARQUET = "parquet"


def register(app: typer.Typer) -> None:
    """Add `sql` and `explain`."""
    # A query may begin with a comment, which looks like an option.
    app.command(context_settings={"ignore_unknown_options": True})(sql)
    app.command()(explain)


def sql(
    query: Annotated[str, typer.Argument(help="A DuckDB query; `-` reads it from standard input.")],
    form: Annotated[Format, typer.Option("--format", help="table, csv, json (rows) or parquet.")] = Format.TABLE,
) -> None:
    """Ask the published database. It is opened read-only, and never in the way of a refresh.

    \b
    Examples:
      maestro-analytics sql "select * from grades limit 10"
      maestro-analytics sql "from state.coverage" --format csv
      maestro-analytics sql "select * from total_scores" --format parquet > scores.parquet
      maestro-analytics sql - < sql/queries/agent_scores.sql
    """
    import duckdb

    import maestro_analytics as ma
    from maestro_analytics.errors import InvalidArgument

    text = sys.stdin.read() if query == "-" else query
    if form is Format.PARQUET and sys.stdout.isatty():
        raise InvalidArgument("Parquet is no text for a terminal: redirect it, as in `--format parquet > FILE`.")
    with ma.open() as qa:
        try:
            frame = qa.sql(text)
        except duckdb.Error as error:
            raise InvalidArgument(f"the query cannot be run: {error}") from None
    write(frame, form)


def write(frame: pl.DataFrame, form: Format) -> None:
    """Write `frame` to standard output."""
    import polars as pl

    if form is Format.PARQUET:
        frame.write_parquet(sys.stdout.buffer)
    elif form is Format.JSON:
        print(json.dumps(rows_of(frame), ensure_ascii=False))
    elif form is Format.CSV:
        nested = [
            name for name, dtype in frame.schema.items() if dtype.is_nested() or dtype in (pl.Binary, pl.Duration)
        ]
        flat = frame.with_columns(pl.Series(name, _texts(frame[name]), dtype=pl.String) for name in nested)
        sys.stdout.write(flat.write_csv(datetime_format="%Y-%m-%dT%H:%M:%S%.fZ"))
    else:
        # Text of the vendor must not steer the terminal.
        shown = frame.with_columns(pl.col(pl.String).str.replace_all(r"[\x00-\x08\x0B-\x1F\x7F-\x9F]", "\ufffd"))
        with pl.Config(
            tbl_rows=200,
            tbl_cols=-1,
            tbl_hide_dataframe_shape=True,
            tbl_hide_column_data_types=True,
            fmt_str_lengths=60,
            tbl_width_chars=-1,
        ):
            print(shown)
        print(f"{frame.height} rows", file=sys.stderr)


def _texts(column: pl.Series) -> list[str | None]:
    """Lists and structures as JSON text, bytes in hexadecimal, durations in seconds."""
    plain = [_plain(value) for value in column.to_list()]
    return [
        value if value is None or isinstance(value, str) else json.dumps(value, ensure_ascii=False) for value in plain
    ]


def _plain(value: Any) -> Any:
    """A value as JSON has it: moments in ISO 8601, bytes in hexadecimal, durations in seconds, NaN as null."""
    if isinstance(value, dict):
        return {str(name): _plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, float) and not isfinite(value):
        return None
    return value


def rows_of(frame: pl.DataFrame) -> list[dict[str, Any]]:
    """The rows of a frame as JSON values; see `_plain`."""
    return [_plain(row) for row in frame.to_dicts()]


def explain(
    name: Annotated[str, typer.Argument(metavar="GRADE_KEY|ANSWER_ID", help="A grade_key, or a vendor answer id.")],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")] = False,
) -> None:
    """One grade: its rows, its versions, the file and line each came from, and its coaching.

    \b
    Examples:
      maestro-analytics explain 16906fb5ce9d57646fa38362_5310985_AatxWWtXWKcfiN34E_542897_GRADER_grading
      maestro-analytics explain "$(maestro-analytics sql 'select min(grade_key) from grades' --format csv | tail -1)"
    """
    import maestro_analytics as ma
    from maestro_analytics.warehouse.lineage import explain as explained

    with ma.open() as qa:
        explanations = explained(qa, name)
    if as_json:
        grades = [_as_json(explanation) for explanation in explanations]
        print(json.dumps({"schema_version": 1, "grades": grades}, ensure_ascii=False, default=str))
        return
    for explanation in explanations:
        _print(explanation)


def _as_json(explanation: Explanation) -> dict[str, Any]:
    return {
        "grade_key": explanation.grade_key,
        "deleted": explanation.deletion.height > 0,
        "rows": {table: rows_of(frame) for table, frame in explanation.rows.items()},
        "csat": rows_of(explanation.csat),
        "history": rows_of(explanation.history),
        "origins": [
            {
                "export": dict(origin.export),
                "is_present": origin.is_present,
                "file_is_kept": origin.file_is_kept,
                "places": [
                    {"table": place.table_name, "member": place.member, "line": place.line, "raw": place.raw}
                    for place in origin.places
                ],
            }
            for origin in explanation.origins
        ],
        "coaching_points": rows_of(explanation.coaching_points),
        "todos": rows_of(explanation.todos),
    }


def _print(explanation: Explanation) -> None:
    print(f"grade {explanation.grade_key}" + (" (deleted)" if explanation.deletion.height else ""))
    for row in explanation.rows["total_scores"].iter_rows(named=True):
        print(
            f"  {row['rubric_score']} of {row['max_rubric_score']} points, {row['rubric_name']}, agent "
            f"{row['agent_name']}, graded {row['date_graded']} by {row['grader']}"
        )
    counts = ", ".join(f"{frame.height} {table}" for table, frame in explanation.rows.items() if frame.height)
    print(f"  rows: {counts or 'none'}; {explanation.csat.height} csat")
    for row in explanation.history.iter_rows(named=True):
        print(f"  earlier: {row['rubric_score']} points, graded {row['date_graded']}, replaced {row['replaced_at']}")
    for origin in explanation.origins:
        kept = "" if origin.file_is_kept else " (the file is gone)"
        present = "present version" if origin.is_present else "earlier version"
        print(f"  {present} from {origin.export.get('file')}{kept}, export {origin.export.get('export_id')}")
        for place in origin.places:
            print(f"    {place.member or 'file'} line {place.line}: {place.table_name}")
    for what, frame in (("coaching point", explanation.coaching_points), ("to-do", explanation.todos)):
        for row in frame.iter_rows(named=True):
            print(f"  {what} {row['id']} of {row['created_at']}: {row['type']}")
