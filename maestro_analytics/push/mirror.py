"""Copy the push ledger into `state.pushes`, where SQL can read it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from maestro_analytics.errors import AnotherRefresh, MaestroError
from maestro_analytics.push.entries import Kind
from maestro_analytics.push.ledger import read_ledger
from maestro_analytics.settings import Settings
from maestro_analytics.warehouse.state import PUSHES

if TYPE_CHECKING:
    import duckdb


PUBLISHING = "push"
"""The command that a refresh waits for: a push that publishes."""


def copy_into(connection: duckdb.DuckDBPyConnection, data_folder: Path) -> None:
    """Copy the push ledger of the data folder into `state.pushes` of an open database.

    One row per kind, agent, ticket, source, metric, timestamp and ticket event. `acknowledged_value` is what the
    vendor last acknowledged, which a later value may be about to replace; `withdrawn` says that a newer computation
    does not have the entry any more.
    """
    frames = [read_ledger(data_folder, kind).with_columns(kind=pl.lit(kind.value)) for kind in Kind]
    texts = [pl.col(name).replace("", None) for name in ("ticket_id", "source_id", "ticket_event_id")]
    pushes = pl.concat(frames).with_columns(texts).select(*PUSHES.columns)
    connection.register("pushes_of_the_ledger", pushes)
    try:
        connection.execute("delete from state.pushes")
        connection.execute("insert into state.pushes by name from pushes_of_the_ledger")
    finally:
        connection.unregister("pushes_of_the_ledger")


def show_in_published(settings: Settings) -> list[str]:
    """Bring `state.pushes` of the published database up to date, if there is one and no refresh is running.

    A running refresh copies the ledger itself before it publishes.

    Returns:
        A warning where it could not be done: what was pushed is pushed, and the ledger knows it.
    """
    if not settings.database.exists():
        return []
    from maestro_analytics.warehouse import Master

    try:
        with Master.open(settings.data, host=settings.host, command=PUBLISHING) as master:
            copy_into(master.connection, settings.data)
            master.publish()
    except AnotherRefresh:
        return []
    except MaestroError as error:
        return [f"state.pushes of the published database is not up to date: {error}"]
    return []
