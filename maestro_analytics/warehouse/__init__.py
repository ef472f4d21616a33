"""DuckDB: the private master that a refresh writes, the published file that everyone reads, and the SQL files."""

from maestro_analytics.warehouse.books import Account, Landed
from maestro_analytics.warehouse.locking import holder_of
from maestro_analytics.warehouse.master import Master
from maestro_analytics.warehouse.overview import Overview
from maestro_analytics.warehouse.store import Store, open

__all__ = ["Account", "Landed", "Master", "Overview", "Store", "holder_of", "open"]
