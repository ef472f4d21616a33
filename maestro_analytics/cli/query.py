"""`sql`: questions to the published file."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from maestro_analytics.cli.output import Format, ForSpreadsheets, check_destination, format_of, write


def register(app: typer.Typer) -> None:
    """Add `sql`."""
    # A query may begin with a comment, which looks like an option.
    app.command(context_settings={"ignore_unknown_options": True})(sql)


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
    from maestro_analytics.warehouse.read_only import check_reads_only

    text = sys.stdin.read() if query == "-" else query
    form = form or format_of(output)
    check_destination(form, output, for_spreadsheets=for_spreadsheets)
    check_reads_only(text)
    with ma.open() as qa:
        try:
            frame = qa.sql(text)
        except duckdb.Error as error:
            raise InvalidArgument(f"the query cannot be run: {error}") from None
    write(frame, form, output=output, for_spreadsheets=for_spreadsheets)
