"""`sql` and `explain`: questions to the published file."""

from __future__ import annotations

import json
import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    import polars as pl

    from maestro_analytics.warehouse.explain import Explanation


class Format(StrEnum):
    """How a frame is written to standard output."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"
    PARQUET = "parquet"


def register(app: typer.Typer) -> None:
    """Add `sql` and `explain`."""
    app.command()(sql)
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
    import polars.selectors as cs

    if form is Format.PARQUET:
        frame.write_parquet(sys.stdout.buffer)
    elif form is Format.JSON:
        print(frame.with_columns(cs.datetime().dt.to_string("iso:strict")).write_json())
    elif form is Format.CSV:
        flat = frame.with_columns(
            pl.col(name).map_elements(lambda value: json.dumps(list(value)), return_dtype=pl.String)
            for name, dtype in frame.schema.items()
            if isinstance(dtype, pl.List)
        )
        sys.stdout.write(flat.write_csv(datetime_format="%Y-%m-%dT%H:%M:%S%.fZ"))
    else:
        with pl.Config(
            tbl_rows=200,
            tbl_cols=-1,
            tbl_hide_dataframe_shape=True,
            tbl_hide_column_data_types=True,
            fmt_str_lengths=60,
            tbl_width_chars=-1,
        ):
            print(frame)
        print(f"{frame.height} rows", file=sys.stderr)


def rows_of(frame: pl.DataFrame) -> list[dict[str, Any]]:
    """The rows of a frame as JSON values; moments in ISO 8601."""
    import polars.selectors as cs

    rows: list[dict[str, Any]] = frame.with_columns(cs.datetime().dt.to_string("iso:strict")).to_dicts()
    return rows


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
    from maestro_analytics.warehouse.explain import explain as explained

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
