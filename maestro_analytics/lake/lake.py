"""Read a lake with the `sql` and `query` of a Store, on DuckDB or on Spark."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Any, Self

import polars as pl

from maestro_analytics.errors import LakeError, NotALake
from maestro_analytics.lake.engines import DuckEngine, SparkEngine, local_session
from maestro_analytics.lake.place import Place, place_of
from maestro_analytics.lake.publications import PUBLICATIONS, Publication, account_folder, published_in
from maestro_analytics.lake.shares import Share, columns_in, merge_shares, shares_of
from maestro_analytics.lake.spark_sql import Params, Variables
from maestro_analytics.tables.columns import DUCKDB_TYPES
from maestro_analytics.tables.schemas import TABLES
from maestro_analytics.warehouse import sql_files

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


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

    def sql(self, query: str, params: Params = None) -> pl.DataFrame:
        """The rows of a query in DuckDB's SQL; on Spark it is translated first.

        Args:
            params: values of `?` or `$1` in order, or of `$name` by name.
        """
        return self._answered(query, params=params)

    def query(self, name: str, /, **variables: Any) -> pl.DataFrame:
        """The rows of `sql/queries/NAME.sql`, with the variables that its first lines list; None leaves one unset.

        Raises:
            UnknownName: no such query, or it has no such variable.
        """
        text, wanted = sql_files.query_with_variables(name, variables)
        return self._answered(text, variables=wanted)

    def _answered(self, query: str, *, params: Params = None, variables: Variables | None = None) -> pl.DataFrame:
        with self._turn:
            try:
                return self._engine.query(query, params=params, variables=variables)
            except self._engine.lost_files:
                if _published(self._folder) == [share.publication for share in self.shares]:
                    raise
                raise LakeError(
                    f"{self._folder} has been published anew since it was opened, and files of then are gone: "
                    "go on with .reload()."
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
            for share in shares:
                for table, files in share.tables.items():
                    self._engine.register(share.relation(table, alone=alone), files)
            for name, select in () if alone else merge_shares(shares).items():
                self._engine.create_view(name, select)
            known = columns_in(shares)
            for declared in TABLES:
                if declared.name not in known:
                    types = {name: DUCKDB_TYPES[role] for name, role in declared.columns.items()}
                    self._engine.register_empty(declared.name, types)
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
