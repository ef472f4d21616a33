"""DuckDB: the private master that a refresh writes, the published file that everyone reads, and the SQL files.

What writes is imported when first used: it brings pandera and the API's client, half a second for whoever only reads.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from maestro_analytics.warehouse.store import Overview, Store, open

if TYPE_CHECKING:
    from maestro_analytics.warehouse.landing.accounting import Landed as Landed
    from maestro_analytics.warehouse.landing.accounting import RowCounts as RowCounts
    from maestro_analytics.warehouse.lock import holder_of as holder_of
    from maestro_analytics.warehouse.master import Master as Master

_HOMES = {"RowCounts": "landing.accounting", "Landed": "landing.accounting", "Master": "master", "holder_of": "lock"}

__all__ = ["Landed", "Master", "Overview", "RowCounts", "Store", "holder_of", "open"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
