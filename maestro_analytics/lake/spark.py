"""A lake on Apache Spark: the files of `sql/`, translated, give the same columns and rows as on DuckDB."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import polars as pl

from maestro_analytics.errors import EngineMissing, InvalidArgument
from maestro_analytics.lake.dialect import Params, Variables
from maestro_analytics.lake.duck import DuckEngine
from maestro_analytics.lake.shares import Files
from maestro_analytics.lake.steps import steps_of

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

BROADCAST_BYTES = 4 << 20
"""A table is broadcast to a join when a hundred times the size of its files is at most this."""
BROADCAST_ROWS = 50_000
"""A kept step is broadcast when it has at most this many rows."""

SPARK_TYPES = {
    "VARCHAR": "STRING",
    "DOUBLE": "DOUBLE",
    "TIMESTAMP WITH TIME ZONE": "TIMESTAMP",
    "TIMESTAMPTZ": "TIMESTAMP",
    "BOOLEAN": "BOOLEAN",
    "VARCHAR[]": "ARRAY<STRING>",
}


def local_session() -> SparkSession:
    """A Spark session on this machine, bound to the loopback address.

    Raises:
        EngineMissing: no PySpark, or no Java that it can start.
    """
    try:
        from pyspark.errors import PySparkRuntimeError
        from pyspark.sql import SparkSession
    except ImportError:
        raise EngineMissing("PySpark is not installed: pip install 'maestro-analytics[spark]'.") from None
    builder = SparkSession.builder.appName("maestro-analytics")
    builder = builder.config("spark.ui.enabled", "false").config("spark.ui.showConsoleProgress", "false")
    # the defaults are those of a cluster's driver: 1 GB, and 200 tasks after each exchange
    builder = builder.config("spark.driver.memory", "2g").config("spark.sql.shuffle.partitions", "16")
    try:
        return (
            builder.config("spark.driver.bindAddress", "127.0.0.1")
            .config("spark.driver.host", "127.0.0.1")
            .getOrCreate()
        )
    except PySparkRuntimeError as error:
        if error.getCondition() != "JAVA_GATEWAY_EXITED":
            raise
        raise EngineMissing(
            "Spark needs Java 17 or newer, and none could be started: install it (Debian: openjdk-17-jre-headless) or "
            "set JAVA_HOME."
        ) from None


class SparkEngine:
    """Tables and views of a lake in a Spark session of its own.

    The session is a new one of the same application: its temporary views and its settings (UTC) are not those of the
    session that was given.
    """

    def __init__(self, session: SparkSession) -> None:
        # an empty copy of the tables, where DuckDB says which columns a query has and of what types
        self._shape = DuckEngine()
        self._tables: set[str] = set()
        self._views: dict[str, str] = {}
        from py4j.protocol import Py4JJavaError  # type: ignore[import-untyped]
        from pyspark.errors import AnalysisException, PySparkException

        self._refused = AnalysisException
        self.lost_files: tuple[type[Exception], ...] = (PySparkException, Py4JJavaError)
        self._session = session.newSession()
        # a moment is shown, truncated and cast to a date in the session's zone
        self._session.conf.set("spark.sql.session.timeZone", "UTC")
        # Spark judges by the size of the Parquet, a hundredth of what the rows are in memory: 5 million answers
        # (14 MB) were sent whole to every executor, and ended a driver of 2 GB. Joins that sort can spill.
        self._session.conf.set("spark.sql.sources.fileCompressionFactor", "100")
        self._session.conf.set("spark.sql.autoBroadcastJoinThreshold", str(BROADCAST_BYTES))
        # a text that holds ${...} is that text
        self._session.conf.set("spark.sql.variable.substitute", "false")

    def register(self, name: str, files: Files) -> None:
        """Register the files of a table under `name`."""
        self.register_empty(name, files.columns)
        if files.names:
            # with a schema given, columns are found by name and those that a file lacks are null
            frame = self._session.read.schema(_schema(files.columns)).parquet(*files.for_spark())
            frame.createOrReplaceTempView(name)

    def register_empty(self, name: str, columns: Mapping[str, str]) -> None:
        """Register a table without rows under `name`."""
        self._session.createDataFrame([], _schema(columns)).createOrReplaceTempView(name)
        self._tables.add(name)
        self._shape.register_empty(name, columns)

    def create_view(self, name: str, select: str) -> None:
        """Register a view, in DuckDB's SQL: it becomes a step of each query that names it."""
        self._views.pop(name, None)
        self._views[name] = select
        self._shape.create_view(name, select)

    def query(self, query: str, *, params: Params = None, variables: Variables | None = None) -> pl.DataFrame:
        """The rows of a query in DuckDB's SQL, with the names and types that DuckDB gives its columns."""
        expected = self._shape.query(query, params=params, variables=variables).schema
        kept: dict[str, DataFrame] = {}
        try:
            for name, select in steps_of(query, variables=variables, params=params, views=self._views):
                step = self._session.sql(select)
                if name:
                    # not `persist`: what names a persisted step holds all of its plan, and plans the double each time
                    kept[name] = step.localCheckpoint()
                    is_small = kept[name].count() <= BROADCAST_ROWS
                    (kept[name].hint("broadcast") if is_small else kept[name]).createOrReplaceTempView(name)
            frame = pl.DataFrame(step.toArrow())
        except self._refused as error:
            raise InvalidArgument(f"Spark cannot be asked this: {str(error).splitlines()[0]}") from None
        finally:
            for name, step in kept.items():
                self._session.catalog.dropTempView(name)
                step._jdf.queryExecution().analyzed().rdd().unpersist(False)
        frame.columns = list(expected)
        return frame.cast(expected)

    def close(self) -> None:
        """Drop the tables and views; the Spark application keeps running."""
        for name in self._tables:
            self._session.catalog.dropTempView(name)
        self._shape.close()


def _schema(columns: Mapping[str, str]) -> str:
    return ", ".join(f"`{name.replace('`', '``')}` {SPARK_TYPES[kind]}" for name, kind in columns.items())
