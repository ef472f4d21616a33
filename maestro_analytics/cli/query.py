"""`sql` and `explain`: questions to the published file."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from shutil import get_terminal_size
from typing import TYPE_CHECKING, Annotated, Any

import typer

from maestro_analytics.cli.output import (
    MOST_ROWS,
    AsJson,
    Format,
    ForSpreadsheets,
    check_destination,
    emit_json,
    format_of,
    write,
    write_table,
)
from maestro_analytics.text import one_line, rows_of, table_lines, wrapped

if TYPE_CHECKING:
    import polars as pl

    from maestro_analytics.warehouse.lineage import Explanation

PIPED_WIDTH = 140
INDENT = "  "


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    # A query may begin with a comment, which looks like an option.
    app.command(context_settings={"ignore_unknown_options": True})(sql)
    app.command()(explain)


def sql(
    query: Annotated[str, typer.Argument(metavar="QUERY", help="A DuckDB query; `-` reads it from standard input.")],
    form: Annotated[
        Format | None,
        typer.Option(
            "--format",
            metavar="FORMAT",
            help="Write table, csv, json (rows), parquet or xlsx; by default what FILE ends with.",
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write to this file, not to standard output.")
    ] = None,
    for_spreadsheets: ForSpreadsheets = False,
) -> None:
    """Ask the published database. It is never in the way of a refresh, and SQL that writes is refused.

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
    from maestro_analytics.warehouse.store import check_reads_only

    text = sys.stdin.read() if query == "-" else query
    form = form or format_of(output)
    check_destination(form, output, for_spreadsheets=for_spreadsheets)
    check_reads_only(text)
    with ma.open() as qa:
        try:
            if form is Format.TABLE:  # Without polars, whose import takes a quarter of this command.
                write_table(*qa.sql_as_text(text, limit=MOST_ROWS + 1), output=output)
                return
            frame = qa.sql(text)
        except duckdb.Error as error:
            raise InvalidArgument(f"the query cannot be run: {error}") from None
    write(frame, form, output=output, for_spreadsheets=for_spreadsheets)


def explain(
    name: Annotated[
        str,
        typer.Argument(metavar="GRADE_KEY|ANSWER_ID|TICKET", help="A grade_key, a vendor's answer id, or a ticket."),
    ],
    as_json: AsJson = False,
) -> None:
    """Show one grade: its answers, comments and versions, the file and line each came from, and its coaching.

    \b
    Examples:
      maestro-analytics explain 5311010
      maestro-analytics explain "$(maestro-analytics sql 'select min(grade_key) from grades' --format csv | tail -1)"

    The first is a ticket of the sandbox.
    """
    import maestro_analytics as ma
    from maestro_analytics.warehouse.lineage import explain as explained

    with ma.open() as qa:
        explanations = explained(qa, name)
    if as_json:
        emit_json({"grades": [_as_json(explanation) for explanation in explanations]})
        return
    width = get_terminal_size().columns if sys.stdout.isatty() else PIPED_WIDTH
    for explanation in explanations:
        for line in explanation_lines(explanation, width=width):
            print(line)


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


def explanation_lines(explanation: Explanation, *, width: int) -> list[str]:
    """All that is known of a grade, in lines of at most `width` cells of a terminal."""
    lines = _said(f"grade {explanation.grade_key}" + (" (deleted)" if explanation.deletion.height else ""), width, "")
    for row in explanation.rows["total_scores"].iter_rows(named=True):
        lines += _said(
            f"{row['rubric_score']} of {row['max_rubric_score']} points, {row['rubric_name']}, agent "
            f"{row['agent_name']}, graded {row['date_graded']} by {row['grader']}",
            width,
        )
        if one_line(row["comment"] or ""):
            lines += _said(f'comment: "{one_line(row["comment"])}"', width)
    counts = ", ".join(f"{frame.height} {table}" for table, frame in explanation.rows.items() if frame.height)
    lines += _said(f"rows: {counts or 'none'}; {explanation.csat.height} csat", width)
    lines += _answers(explanation.rows["individual_answers"], width)
    lines += _records(
        "Annotations",
        explanation.rows["annotations"],
        (("Question", "question"), ("Text", "selected_text"), ("Comment", "comment")),
        width,
    )
    lines += _records(
        "Satisfaction",
        explanation.csat,
        (("Score", "csat_score"), ("Rating", "csat_rating"), ("Comment", "csat_comment")),
        width,
    )
    lines += _records(
        "Earlier versions",
        explanation.history,
        (("Points", "rubric_score"), ("Graded", "date_graded"), ("Replaced", "replaced_at")),
        width,
    )
    lines += _records(
        "Coaching points",
        explanation.coaching_points,
        (("Id", "id"), ("Created", "created_at"), ("Type", "type"), ("Notes", "coach_notes")),
        width,
    )
    lines += _records(
        "To-dos",
        explanation.todos,
        (("Id", "id"), ("Created", "created_at"), ("Status", "status"), ("Title", "title"), ("What", "description")),
        width,
    )
    return lines + _files(explanation, width)


def _said(words: str, width: int, indent: str = INDENT) -> list[str]:
    lines = wrapped(one_line(words), width - len(indent), indent=INDENT)
    return [indent + line for line in lines]


def _answers(answers: pl.DataFrame, width: int) -> list[str]:
    if not answers.height:
        return []
    rows = [
        (
            row["question"] or row["question_id"],
            row["answer_label"] or "N/A",
            "–" if row["question_score"] is None else f"{row['question_score']:g} of {row['max_question_score']:g}",
            row["comment"] or "",
        )
        for row in answers.iter_rows(named=True)
    ]
    return _table("Answers", ("Question", "Answer", "Points", "Comment"), rows, width, numbers=(2,))


def _records(title: str, frame: pl.DataFrame, columns: Sequence[tuple[str, str]], width: int) -> list[str]:
    if not frame.height:
        return []
    rows = [
        tuple("" if row[column] is None else str(row[column]) for _, column in columns)
        for row in frame.iter_rows(named=True)
    ]
    return _table(title, [heading for heading, _ in columns], rows, width)


def _table(
    title: str, headings: Sequence[str], rows: Sequence[Sequence[str]], width: int, *, numbers: Sequence[int] = ()
) -> list[str]:
    kept = [at for at in range(len(headings)) if any(row[at] for row in rows)]
    lines = table_lines(
        [headings[at] for at in kept],
        [[row[at] for at in kept] for row in rows],
        width=width - len(INDENT),
        to_the_right=[at in numbers for at in kept],
    )
    return ["", f"{INDENT}{title}", *(f"{INDENT}{line}".rstrip() for line in lines)]


def _files(explanation: Explanation, width: int) -> list[str]:
    lines = ["", f"{INDENT}Where it came from"] if explanation.origins else []
    for origin in explanation.origins:
        kept = "" if origin.file_is_kept else " (the file is gone)"
        present = "present version" if origin.is_present else "earlier version"
        lines += _said(
            f"{present} from {origin.export.get('file')}{kept}, export {origin.export.get('export_id')}", width
        )
        places: dict[str, list[int]] = {}
        for place in origin.places:
            places.setdefault(place.member or "file", []).append(place.line)
        for member, numbers in places.items():
            lines += _said(f"{member} line {', '.join(str(number) for number in sorted(numbers))}", width, INDENT * 2)
    return lines
