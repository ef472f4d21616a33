"""`lake`: write the tables as Delta Lake, and query them."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from maestro_analytics.cli.groups import command_group
from maestro_analytics.cli.output import AsJson, Format, emit_json, write

if TYPE_CHECKING:
    from maestro_analytics.lake import Written

Place = Annotated[str, typer.Argument(metavar="PLACE", help="A folder or s3://BUCKET/FOLDER.", show_default=False)]
Account = Annotated[str | None, typer.Option(metavar="NAME", help="Ask this account, where the lake holds several.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this module to `app`."""
    group = command_group(
        "lake",
        help="The tables as Delta Lake, by month, for Spark, Databricks, DuckDB, Trino, polars and pandas alike.",
        examples=(
            "lake write --to /mnt/lake",
            "lake show /mnt/lake",
            'lake sql "select count(*) from grades" --at /mnt/lake',
        ),
    )
    group.command("write")(write_to)
    group.command("show")(show)
    group.command("sql")(sql)
    app.add_typer(group)


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

    with open_lake(at, account=account, spark=spark) as lake:
        try:
            frame = lake.sql(query)
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
