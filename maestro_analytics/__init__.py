"""MaestroQA grades and coaching as validated DuckDB tables, polars frames and statistics.

    import maestro_analytics as ma

    qa = ma.open()                         # the published database, read-only
    qa.sql("select * from grades").head()  # a polars DataFrame
    client = ma.Client()                   # settings from the environment
    client.todos(agent_id="72999")         # a polars DataFrame, all pages
    ma.refresh(since="2026-01-01")         # fetch, land and publish; returns a report
    ma.land(["export.zip"])                # files obtained another way, into the database
    frames = ma.read_export("export.zip")  # table name -> polars DataFrame, without a database or a token

Names are imported when first used, so that the command line answers at once.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from maestro_analytics import analysis as analysis
    from maestro_analytics.client import Client as Client
    from maestro_analytics.lake import open_lake as open_lake
    from maestro_analytics.land_files import land as land
    from maestro_analytics.pipeline import refresh as refresh
    from maestro_analytics.sandbox import Sandbox as Sandbox
    from maestro_analytics.settings import Settings as Settings
    from maestro_analytics.tables.frames import read_export as read_export
    from maestro_analytics.warehouse import open as open

__version__ = "0.1.0"

_HOMES = {
    "Client": "maestro_analytics.client",
    "Sandbox": "maestro_analytics.sandbox",
    "Settings": "maestro_analytics.settings",
    "analysis": "maestro_analytics.analysis",
    "errors": "maestro_analytics.errors",
    "land": "maestro_analytics.land_files",
    "open": "maestro_analytics.warehouse",
    "open_lake": "maestro_analytics.lake",
    "read_export": "maestro_analytics.tables.frames",
    "refresh": "maestro_analytics.pipeline",
    "tables": "maestro_analytics.tables",
}

__all__ = [
    "Client",
    "Sandbox",
    "Settings",
    "analysis",
    "errors",
    "land",
    "open",
    "open_lake",
    "read_export",
    "refresh",
    "tables",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = import_module(_HOMES[name])
    return home if home.__name__.rpartition(".")[2] == name else getattr(home, name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
