"""`lake`: the tables as Parquet that any engine reads, and questions to them."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from maestro_analytics.cli.output import AsJson, Format, emit_json, write

if TYPE_CHECKING:
    from maestro_analytics.lake import Written

Place = Annotated[str, typer.Argument(metavar="PATH", help="A folder or s3://BUCKET/FOLDER.", show_default=False)]
Account = Annotated[str | None, typer.Option(metavar="NAME", help="Which account, where the lake holds several.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this module to `app`."""
    group = typer.Typer(
        name="lake",
        help="The tables as Parquet, by month, for Spark, DuckDB, Trino and pandas alike.",
        no_args_is_help=True,
        rich_markup_mode=None,
    )
    group.command("write")(write_to)
    group.command("show")(show)
    group.command("sql")(sql)
    app.add_typer(group)


def write_to(
    to: Annotated[str, typer.Option(metavar="PATH", help="A folder or s3://BUCKET/FOLDER.", show_default=False)],
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
    """Publish the tables into a lake; only months that changed since the last write are written again.

    Readers see all of a write or none of it. Credentials and endpoint of a bucket come from the environment:
    AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION, AWS_ENDPOINT_URL.

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
    """What is published in a lake: tables, rows, months, and with --json every file, for engines of your own.

    \b
    Examples:
      maestro-analytics lake show /mnt/lake
      maestro-analytics lake show s3://warehouse/qa --account acme --json
    """
    import polars as pl

    from maestro_analytics.lake import published_shares

    shares = published_shares(path, account=account)
    if as_json:
        listed = [{"place": share.storage.place} | share.manifest.model_dump(mode="json") for share in shares]
        emit_json({"shares": listed})
        return
    rows = [
        {
            "share": share.manifest.share,
            "table": name,
            "rows": table.rows,
            "months": sum(part.month is not None for part in table.parts),
            "files": sum(len(part.files) for part in table.parts),
            "bytes": sum(file.bytes for part in table.parts for file in part.files),
        }
        for share in shares
        for name, table in share.manifest.tables.items()
    ]
    for share in shares:
        manifest = share.manifest
        print(f"{share.storage.place}: write {manifest.generation}, {manifest.written_at}", file=sys.stderr)
    write(pl.DataFrame(rows), Format.TABLE)


def sql(
    query: Annotated[str, typer.Argument(help="A query in DuckDB's SQL.")],
    at: Annotated[str, typer.Option("--at", metavar="PATH", help="The lake.", show_default=False)],
    account: Account = None,
    spark: Annotated[bool, typer.Option("--spark", help="Ask a Spark of this machine instead of DuckDB.")] = False,
    form: Annotated[Format, typer.Option("--format", help="table, csv, json (rows) or parquet.")] = Format.TABLE,
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
        f"{written.parts_written} parts written ({written.files_written} files, {written.bytes_written / 1e6:.1f} MB), "
        f"{written.parts_kept} as they were",
        file=sys.stderr,
    )
