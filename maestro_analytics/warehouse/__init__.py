"""DuckDB: the private master that a refresh writes, the published file that everyone reads, and the SQL files.

What writes is imported when first used: it brings pandera and the API's client, half a second for whoever only reads.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from maestro_analytics.warehouse.overview import Overview
from maestro_analytics.warehouse.store import Store, open

if TYPE_CHECKING:
    from maestro_analytics.warehouse.books import Account as Account
    from maestro_analytics.warehouse.books import Landed as Landed
    from maestro_analytics.warehouse.locking import holder_of as holder_of
    from maestro_analytics.warehouse.master import Master as Master

_HOMES = {"Account": "books", "Landed": "books", "Master": "master", "holder_of": "locking"}

__all__ = ["Account", "Landed", "Master", "Overview", "Store", "holder_of", "open"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
