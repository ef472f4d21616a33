"""The version of the layout of a database. Light on purpose: reading the published file needs it."""

from __future__ import annotations

from pathlib import Path

import duckdb

from maestro_analytics.errors import SettingsError
from maestro_analytics.warehouse.connection import scalar

LAYOUT = 2


def check_layout(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    """Check that this version of the program knows the layout of a database, which may be new and empty.

    Raises:
        SettingsError: a newer version has written it.
    """
    try:
        layout = scalar(connection, "select max(layout) from state.account")
    except (duckdb.BinderException, duckdb.CatalogException):  # new and empty, or older than the column
        return
    if layout is not None and layout > LAYOUT:
        raise SettingsError(
            f"{path} was written by a newer version of maestro-analytics (layout {layout}; this one knows {LAYOUT}): "
            "update maestro-analytics."
        )
