"""The tables as Parquet files that many machines write and any engine reads; the same questions on DuckDB and Spark.

`write_lake` publishes a database, `open_lake` answers from what was published.
"""

from maestro_analytics.lake.lake import Lake, open_lake
from maestro_analytics.lake.write import Source, Written, write_lake

__all__ = ["Lake", "Source", "Written", "open_lake", "write_lake"]
