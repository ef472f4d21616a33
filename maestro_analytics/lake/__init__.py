"""The tables as Delta Lake, which several machines can write and any engine reads.

`write_lake` publishes a database, `open_lake` answers from what was published.
"""

# ruff: noqa: E402

from maestro_analytics.extras import require

require("lake", for_what="a lake")

from maestro_analytics.lake.lake import Lake, open_lake, published_shares
from maestro_analytics.lake.source import Source, published
from maestro_analytics.lake.write import Written, write_lake

__all__ = ["Lake", "Source", "Written", "open_lake", "published", "published_shares", "write_lake"]
