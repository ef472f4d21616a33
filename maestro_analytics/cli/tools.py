"""`lake`, `dbt` and `mcp`: the tables for other tools."""

from __future__ import annotations

import os
import signal
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from maestro_analytics.cli.commands import command_group
from maestro_analytics.cli.exit_codes import INTERRUPTED
from maestro_analytics.cli.output import MOST_ROWS, AsJson, Format, check_destination, emit_json, write, write_content
from maestro_analytics.extras import require

if TYPE_CHECKING:
    from maestro_analytics.lake import Written

Place = Annotated[str, typer.Argument(metavar="PLACE", help="A folder or s3://BUCKET/FOLDER.", show_default=False)]
Account = Annotated[str | None, typer.Option(metavar="NAME", help="Ask this account, where the lake holds several.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    lake = command_group(
        "lake",
        help="The tables as Delta Lake, by month, for Spark, Databricks, DuckDB, Trino, polars and pandas alike.",
        examples=(
            "lake write --to /mnt/lake",
            "lake show /mnt/lake",
            'lake sql "select count(*) from grades" --at /mnt/lake',
        ),
    )
    lake.command("write")(write_to)
    lake.command("show")(show)
    lake.command("sql")(sql)
    dbt = command_group(
        "dbt", help="The published file in a dbt project.", examples=("dbt sources --output models/sources.yml",)
    )
    dbt.command("sources")(sources)
    app.add_typer(lake)
    app.add_typer(dbt)
    app.command()(mcp)


def write_to(
    to: Annotated[str, typer.Option(metavar="PLACE", help="A folder or s3://BUCKET/FOLDER.", show_default=False)],
    account: Annotated[
        str | None, typer.Option(metavar="NAME", help="The account's folder. Default: the API host.")
    ] = None,
    share: Annotated[
        str, typer.Option(metavar="NAME", help="For one of several machines that hold a period of the account each.")
    ] = "",
    take_over: Annotated[
        bool, typer.Option("--take-over", help="Replace what another data folder wrote to the same place.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Publish the tables as Delta Lake, PLACE/ACCOUNT/TABLE; only months that changed are replaced.

    `lake sql` and `open_lake` see all of a write or none of it. Credentials and endpoint of a bucket come from the
    environment: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION, AWS_ENDPOINT_URL.

    \b
    Examples:
      maestro-analytics lake write --to /mnt/lake
      maestro-analytics lake write --to s3://warehouse/qa --account acme
      maestro-analytics lake write --to s3://warehouse/qa --account acme --share 2025
    """
    from maestro_analytics.lake import published, write_lake
    from maestro_analytics.settings import Settings

    with published(Settings.from_environment().database) as source:
        written = write_lake(source, to, account=account, share=share, take_over=take_over)
    _report(written, as_json=as_json)


def show(path: Place, account: Account = None, as_json: AsJson = False) -> None:
    """What is published in a lake: tables with their rows, months, versions and files.

    \b
    Examples:
      maestro-analytics lake show /mnt/lake
      maestro-analytics lake show s3://warehouse/qa --account acme --json
    """
    import polars as pl

    from maestro_analytics.lake import published_shares

    rows = [
        {
            "share": share.publication.share,
            "table": name,
            "rows": files.rows,
            "months": sum(month is not None for month in share.publication.tables[name].months),
            "version": share.publication.tables[name].version,
            "files": len(files.names),
            "place": str(files.place),
            "written_at": share.publication.written_at.isoformat(timespec="seconds"),
            "refreshed_at": share.publication.refreshed_at,
        }
        for share in published_shares(path, account=account)
        for name, files in share.tables.items()
    ]
    if as_json:
        emit_json({"tables": rows})
        return
    frame = pl.DataFrame(rows)
    # What is the same for all tables of a share is told once, so that the table fits a terminal.
    for (_,), tables in frame.group_by(["share"], maintain_order=True):
        first = tables.row(0, named=True)
        place = first["place"].removesuffix(first["table"]).rstrip("/\\")
        typer.echo(f"{place}\nwritten {first['written_at']}, refreshed {first['refreshed_at'][:19]}")
        write(tables.select("table", "rows", "months", "version", "files"), Format.TABLE)


def sql(
    query: Annotated[str, typer.Argument(metavar="QUERY", help="A query in DuckDB's SQL.")],
    at: Annotated[str, typer.Option("--at", metavar="PLACE", help="The lake.", show_default=False)],
    account: Account = None,
    spark: Annotated[bool, typer.Option("--spark", help="Ask a Spark of this machine instead of DuckDB.")] = False,
    form: Annotated[
        Format, typer.Option("--format", metavar="FORMAT", help="Write table, csv, json (rows) or parquet.")
    ] = Format.TABLE,
) -> None:
    """Ask a lake, as `sql` asks the published database.

    \b
    Examples:
      maestro-analytics lake sql "select count(*) from grades" --at /mnt/lake
      maestro-analytics lake sql "select agent_id, avg(score_percent) from grades group by all" --at /mnt/lake --spark
    """
    import duckdb

    from maestro_analytics.errors import InvalidArgument
    from maestro_analytics.lake import open_lake
    from maestro_analytics.warehouse.store import check_reads_only

    check_destination(form, None)
    check_reads_only(query)
    with open_lake(at, account=account, spark=spark) as lake:
        try:
            frame = lake.sql(query, limit=MOST_ROWS + 1 if form is Format.TABLE else None)
        except duckdb.Error as error:
            raise InvalidArgument(f"the query cannot be run: {error}") from None
    write(frame, form)


def _report(written: Written, *, as_json: bool) -> None:
    if as_json:
        emit_json(asdict(written))
        return
    print(
        f"{written.place}: {sum(written.rows.values())} rows in {len(written.rows)} tables; "
        f"{written.parts_written} parts written, {written.parts_kept} as they were",
        file=sys.stderr,
    )


def sources(
    output: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write to this file, not to standard output.")
    ] = None,
) -> None:
    """Write a sources.yml for the published file: descriptions of everything in it, and tests that hold.

    dbt-duckdb reads the file where profiles.yml attaches it, read-only, as `maestro`. A refresh is not in its way.

    \b
    Examples:
      maestro-analytics dbt sources > models/sources.yml
      maestro-analytics dbt sources --output models/sources.yml
    """
    from maestro_analytics import warehouse
    from maestro_analytics.warehouse.data_dictionary import dbt_sources

    with warehouse.open() as store:
        write_content(dbt_sources(store), output)


def mcp() -> None:
    """Serve the answers to an assistant over the Model Context Protocol, on standard input and output.

    Read-only: a tool for each answer with its filters, `sql` on the published file, and `describe`. Give your
    assistant this command, and the data folder in its environment:

    \b
      {"command": "maestro-analytics", "args": ["mcp"], "env": {"MAESTRO_DATA": "/srv/qa/data"}}

    \b
    Example:
      maestro-analytics mcp
    """
    require("mcp", for_what="`mcp`")
    from maestro_analytics import warehouse

    for name in (signal.SIGINT, signal.SIGTERM):
        # at once: no thread that waits for the client or a query can be stopped, and there is nothing to be written
        signal.signal(name, lambda *_: os._exit(INTERRUPTED))
    with warehouse.open(is_restricted=True) as store:
        from maestro_analytics.assistant import serve

        serve(store)
