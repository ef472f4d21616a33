"""Read a lake with the `sql` and `query` of a Store, on DuckDB, or on Apache Spark with the same columns and rows."""

# Identifiers come from our own schemas or a file's header and are quoted; values are parameters.
# ruff: noqa: S608

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
import threading
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, Self

import duckdb
import polars as pl
import pyarrow.dataset
import sqlglot
from sqlglot import exp

from maestro_analytics.errors import EngineMissing, InvalidArgument, LakeError, NotALake
from maestro_analytics.lake.place import Place, place_of
from maestro_analytics.lake.publications import PUBLICATIONS, Publication, account_folder, published_in
from maestro_analytics.lake.shares import Files, Share, columns_in, merge_shares, shares_of
from maestro_analytics.lake.spark_sql import Params, Variables, to_spark
from maestro_analytics.tables.columns import DUCKDB_TYPES
from maestro_analytics.tables.schemas import MULTI_SELECT_QUESTIONS, TABLES
from maestro_analytics.warehouse import multi_select, sql_files
from maestro_analytics.warehouse.connection import configure_session, quoted, quoted_all, scan
from maestro_analytics.warehouse.results import frame

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

BROADCAST_ROWS = 50_000
"""A kept step is broadcast when it has at most this many rows."""


class DuckEngine:
    """Tables and views of a lake in DuckDB: its Parquet files as views of an in-memory database.

    Attributes:
        lost_files: what is raised when a file is gone.
    """

    lost_files: tuple[type[Exception], ...] = (duckdb.IOException, OSError)

    def __init__(self) -> None:
        self._connection = configure_session(duckdb.connect())

    def register(self, name: str, files: Files) -> None:
        """Register the files of a table under `name`."""
        filesystem, root = files.place.filesystem()
        paths = [f"{root}/{file}" for file in files.names]
        if not paths:
            self.register_empty(name, files.columns)
        elif files.place.in_bucket:
            # DuckDB's bridge to Python file systems gave other sums on each run with two threads (duckdb 2.0.0), and
            # its reader of buckets is an extension to be downloaded; a dataset prunes columns and row groups as well
            schema = self._connection.sql(_no_rows(files.columns)).to_arrow_table().schema
            self._connection.register(
                name, pyarrow.dataset.dataset(paths, filesystem=filesystem, format="parquet", schema=schema)
            )
        else:
            self.create_view(
                name,
                f"select {quoted_all(list(files.columns))} from ({_no_rows(files.columns)} union all by name "
                f"select * from {scan(paths)})",
            )

    def register_empty(self, name: str, columns: Mapping[str, str]) -> None:
        """Register a table without rows under `name`."""
        self.create_view(name, _no_rows(columns))

    def create_view(self, name: str, select: str) -> None:
        """Create a view."""
        self._connection.execute(f"create or replace temp view {quoted(name)} as {select}")

    def query(
        self, query: str, *, params: Params = None, variables: Variables | None = None, limit: int | None = None
    ) -> pl.DataFrame:
        """The rows of a query, or the first `limit`; `variables` are those that it reads with `getvariable`."""
        return frame(self._connection, query, params, variables=variables, limit=limit)

    def close(self) -> None:
        self._connection.close()


def local_session() -> SparkSession:
    """A Spark session on this machine, bound to the loopback address.

    Raises:
        EngineMissing: no PySpark, or no Java that it can start.
    """
    try:
        from pyspark.errors import PySparkRuntimeError
        from pyspark.logger import PySparkLogger
        from pyspark.sql import SparkSession
    except ImportError:
        raise EngineMissing("PySpark is not installed: pip install 'maestro-analytics[spark]'.") from None
    # PySpark writes a page of JSON to standard error for each query that Spark refuses; the error says it in one line
    PySparkLogger.getLogger("SQLQueryContextLogger").setLevel("CRITICAL")
    # otherwise Spark makes an empty folder `spark-warehouse` in the current one
    warehouse = tempfile.mkdtemp(prefix="maestro-analytics-spark-")
    atexit.register(shutil.rmtree, warehouse, ignore_errors=True)
    settings: dict[str, Any] = {
        "spark.sql.warehouse.dir": warehouse,
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        # the defaults are those of a cluster's driver: 1 GB, and 200 tasks after each exchange
        "spark.driver.memory": "2g",
        "spark.sql.shuffle.partitions": "16",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
    }
    try:
        return SparkSession.builder.appName("maestro-analytics").config(map=settings).getOrCreate()
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
        self._rows: dict[str, int] = {}
        self._views: dict[str, str] = {}
        from py4j.protocol import Py4JJavaError  # type: ignore[import-untyped]
        from pyspark.errors import AnalysisException, PySparkException

        self._refused = AnalysisException
        self.lost_files: tuple[type[Exception], ...] = (PySparkException, Py4JJavaError)
        self._session = session.newSession()
        for name, value in {
            # a moment is shown, truncated and cast to a date in the session's zone
            "spark.sql.session.timeZone": "UTC",
            # Spark judges by the size of the Parquet, a hundredth of what the rows are in memory: 5 million answers
            # (14 MB) were sent whole to every executor, and ended a driver of 2 GB. Joins that sort can spill.
            "spark.sql.sources.fileCompressionFactor": "100",
            "spark.sql.autoBroadcastJoinThreshold": "4MB",
            # groups are looked up in a map of 65,536 before the one that holds all: answers have more, by question and
            # person, and counting them took about a fifth longer
            "spark.sql.codegen.aggregate.map.twolevel.enabled": "false",
            # a text that holds ${...} is that text
            "spark.sql.variable.substitute": "false",
        }.items():
            self._session.conf.set(name, value)

    def register(self, name: str, files: Files) -> None:
        """Register the files of a table under `name`."""
        if not files.names:
            self.register_empty(name, files.columns)
            return
        # with a schema given, columns are found by name and those that a file lacks are null
        schema = ", ".join(
            f"`{column.replace('`', '``')}` {_spark_type(kind)}" for column, kind in files.columns.items()
        )
        frame = self._session.read.schema(schema).parquet(*files.for_spark())
        self._register(name, frame, files.rows, files.columns)

    def register_empty(self, name: str, columns: Mapping[str, str]) -> None:
        """Register a table without rows under `name`."""
        # not `createDataFrame([])`: Spark would plan for rows without number, and sort all that joins them
        self._register(name, self._session.sql(_no_rows(columns, dialect="spark")), 0, columns)

    def _register(self, name: str, frame: DataFrame, rows: int, columns: Mapping[str, str]) -> None:
        frame.createOrReplaceTempView(name)
        self._rows[name] = rows
        self._shape.register_empty(name, columns)

    def create_view(self, name: str, select: str) -> None:
        """Register a view, in DuckDB's SQL: it becomes a step of each query that names it."""
        self._views.pop(name, None)
        self._views[name] = select
        self._shape.create_view(name, select)

    def query(
        self, query: str, *, params: Params = None, variables: Variables | None = None, limit: int | None = None
    ) -> pl.DataFrame:
        """The rows of a query in DuckDB's SQL, or the first `limit`, with the names and types of DuckDB."""
        expected = self._shape.query(query, params=params, variables=variables).schema
        *steps, last = to_spark(query, variables=variables, params=params, views=self._views, rows=self._rows)
        kept: list[DataFrame] = []
        try:
            for step in steps:
                made = self._session.sql(step.sql)
                if step.kept:
                    if step.columns is not None:
                        made = made.drop(*(name for name in made.columns if name.lower() not in step.columns))
                    # not `persist`: what names a persisted step holds all of its plan, and plans the double each time
                    made = made.localCheckpoint(eager=False)
                    kept.append(made)
                    rows = made._jdf.queryExecution().toRdd().count()
                    if rows == 0:
                        made = made.where("false")  # Spark leaves out of a plan what joins it
                    elif rows <= BROADCAST_ROWS:
                        made = made.hint("broadcast")
                made.createOrReplaceTempView(step.name)
            found = self._session.sql(last.sql)
            answer = pl.DataFrame((found if limit is None else found.limit(limit)).toArrow())
        except self._refused as error:
            raise InvalidArgument(f"Spark cannot be asked this: {str(error).splitlines()[0]}") from None
        finally:
            for step in steps:
                self._session.catalog.dropTempView(step.name)
            for made in kept:
                made._jdf.queryExecution().analyzed().rdd().unpersist(False)
        answer.columns = list(expected)
        return answer.cast(expected)

    def close(self) -> None:
        """Drop the tables and views; the Spark application keeps running."""
        for name in self._rows:
            self._session.catalog.dropTempView(name)
        self._shape.close()


@cache
def _spark_type(kind: str) -> str:
    return str(exp.DataType.build(kind, dialect="duckdb").sql("spark"))


def _no_rows(columns: Mapping[str, str], *, dialect: str = "duckdb") -> str:
    listed = ", ".join(f"cast(null as {kind}) as {quoted(column)}" for column, kind in columns.items())
    select = f"select {listed} where false"
    return select if dialect == "duckdb" else sqlglot.transpile(select, read="duckdb", write=dialect)[0]


def open_lake(
    path: str | os.PathLike[str], *, account: str | None = None, spark: SparkSession | bool | None = None
) -> Lake:
    """Open a lake that `lake write` published; it has the `sql` and `query` of the published database.

        lake = ma.open_lake("s3://warehouse/qa", account="acme")
        lake.sql("select count(*) from grades")
        lake.query("agent_scores", team="Berlin")

    Args:
        path: a local folder or `s3://BUCKET/FOLDER`: of a whole lake, or of one account in it.
        account: which account, where the lake holds several.
        spark: a session: ask Apache Spark instead of DuckDB. True starts one on this machine.

    Raises:
        NotALake: nothing was published there, or several accounts and `account` does not say which.
        EngineMissing: `spark=True` without PySpark or Java.
        LakeError: the place cannot be reached.
    """
    folder = account_folder(place_of(path), account)
    return Lake(folder, SparkEngine(local_session() if spark is True else spark) if spark else DuckEngine())


def published_shares(path: str | os.PathLike[str], *, account: str | None = None) -> tuple[Share, ...]:
    """The shares published for one account; raises as `open_lake` does."""
    folder = account_folder(place_of(path), account)
    with folder.reached():
        return shares_of(folder, _published(folder))


def _published(folder: Place) -> list[Publication]:
    table = folder.within(PUBLICATIONS).table()
    if table is None:
        raise NotALake(place=str(folder), reason="what was published there is gone")
    return published_in(table)


class Lake:
    """One account of a lake, as of one moment: what is published later is seen after `reload()`.

    May be shared between threads: they take turns. A context manager.

    Attributes:
        account: the account's name.
        shares: what it is made of; several where machines hold a period each.
    """

    def __init__(self, folder: Place, engine: DuckEngine | SparkEngine) -> None:
        self._folder = folder
        self._engine = engine
        self._turn = threading.RLock()
        self.shares: tuple[Share, ...] = ()
        self.reload()

    @property
    def account(self) -> str:
        return self._folder.root.rpartition("/")[2]

    def sql(self, query: str, params: Params = None, *, limit: int | None = None) -> pl.DataFrame:
        """The rows of a query in DuckDB's SQL, or the first `limit` of them; on Spark it is translated first.

        Args:
            params: values of `?` or `$1` in order, or of `$name` by name.
        """
        return self._answered(query, params=params, limit=limit)

    def query(self, name: str, /, **variables: Any) -> pl.DataFrame:
        """The rows of `sql/queries/NAME.sql`, with the variables that its first lines list; None leaves one unset.

        Raises:
            UnknownName: no such query, or it has no such variable.
        """
        text, wanted = sql_files.query_with_variables(name, variables)
        return self._answered(text, variables=wanted)

    def _answered(self, query: str, **options: Any) -> pl.DataFrame:
        with self._turn:
            try:
                return self._engine.query(query, **options)
            except self._engine.lost_files:
                if _published(self._folder) == [share.publication for share in self.shares]:
                    raise
                raise LakeError(
                    f"{self._folder} has been published again since it was opened, and files of the earlier "
                    "publication are gone: open the newest with .reload()."
                ) from None

    def reload(self) -> bool:
        """Open the newest publication; returns whether there was a newer one."""
        with self._turn:
            with self._folder.reached():
                published = _published(self._folder)
                if published == [share.publication for share in self.shares]:
                    return False
                shares = shares_of(self._folder, published)
            alone = len(shares) == 1
            damaged: tuple[type[Exception], ...] = (*self._engine.lost_files, duckdb.InvalidInputException)
            for share in shares:
                for table, files in share.tables.items():
                    try:
                        self._engine.register(share.relation(table, alone=alone), files)
                    except damaged as error:
                        raise LakeError(
                            f"a file of {files.place} is gone or damaged ({str(error).splitlines()[0]}). If it cannot "
                            "be brought back, remove that folder: the next `lake write` writes the table anew."
                        ) from None
            for name, select in () if alone else merge_shares(shares).items():
                self._engine.create_view(name, select)
            known = columns_in(shares)
            for declared in TABLES:
                if declared.name not in known:
                    types = {name: DUCKDB_TYPES[role] for name, role in declared.columns.items()}
                    self._engine.register_empty(declared.name, types)
            if not all(MULTI_SELECT_QUESTIONS.name in share.tables for share in shares):
                self._engine.create_view(MULTI_SELECT_QUESTIONS.name, multi_select.DEFINITION)
            views = sql_files.texts("views")
            for name in sql_files.in_dependency_order(views):
                self._engine.create_view(name, views[name])
            self.shares = shares
            return True

    def close(self) -> None:
        """Release the files; a Spark session that was passed in stays open."""
        self._engine.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()
