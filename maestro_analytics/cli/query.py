"""`sql` and `explain`: questions to the published file."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from maestro_analytics.cli.output import AsJson, Format, ForSpreadsheets, check_destination, emit_json, format_of, write
from maestro_analytics.cli.values import rows_of

if TYPE_CHECKING:
    from maestro_analytics.warehouse.lineage import Explanation


def register(app: typer.Typer) -> None:
    """Add `sql` and `explain`."""
    # A query may begin with a comment, which looks like an option.
    app.command(context_settings={"ignore_unknown_options": True})(sql)
    app.command()(explain)


def sql(
    query: Annotated[str, typer.Argument(help="A DuckDB query; `-` reads it from standard input.")],
    form: Annotated[
        Format | None,
        typer.Option("--format", help="table, csv, json (rows), parquet or xlsx; by default as OUTPUT ends."),
    ] = None,
    output: Annotated[Path | None, typer.Option(help="A file, not standard output.")] = None,
    for_spreadsheets: ForSpreadsheets = False,
) -> None:
    """Ask the published database. It is opened read-only, and never in the way of a refresh.

    \b
    Examples:
      maestro-analytics sql "select * from grades limit 10"
      maestro-analytics sql "from state.coverage" --format csv
      maestro-analytics sql "select * from total_scores" --format parquet > scores.parquet
      maestro-analytics sql "select * from ordinary_grades" --output grades.xlsx
      maestro-analytics sql "select * from ordinary_grades" --format csv --spreadsheet > grades.csv
      maestro-analytics sql - < sql/queries/agent_scores.sql
    """
    import duckdb

    import maestro_analytics as ma
    from maestro_analytics.errors import InvalidArgument

    text = sys.stdin.read() if query == "-" else query
    form = form or format_of(output)
    check_destination(form, output, for_spreadsheets=for_spreadsheets)
    with ma.open() as qa:
        try:
            frame = qa.sql(text)
        except duckdb.Error as error:
            raise InvalidArgument(f"the query cannot be run: {error}") from None
    write(frame, form, output=output, for_spreadsheets=for_spreadsheets)


def explain(
    name: Annotated[str, typer.Argument(metavar="GRADE_KEY|ANSWER_ID", help="A grade_key, or a vendor answer id.")],
    as_json: AsJson = False,
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
        emit_json({"grades": [_as_json(explanation) for explanation in explanations]})
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
