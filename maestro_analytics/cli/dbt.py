"""`dbt`: the published file as sources of a dbt project."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from maestro_analytics.cli.groups import command_group
from maestro_analytics.cli.output import write_content


def register(app: typer.Typer) -> None:
    """Add `dbt sources`."""
    group = command_group(
        "dbt", help="The published file in a dbt project.", examples=("dbt sources --output models/sources.yml",)
    )
    group.command("sources")(sources)
    app.add_typer(group)


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
    from maestro_analytics.warehouse.dbt_sources import dbt_sources

    with warehouse.open() as store:
        write_content(dbt_sources(store), output)
