"""Read the shares of several machines, each with a period of one account, as one account.

Each share is complete in itself, so a grade can be in two: graded in one machine's period, graded again in another's.
The tables are made one here as a refresh would have made them: of a grade, the version stands that was asked for last,
whole, in all its tables, or its deletion; of records that each machine lists in full, the newest list. History is each
machine's own. A lake with one share is read as it is.
"""

# Identifiers come from our own schemas or a file's header and are quoted; values are parameters.
# ruff: noqa: S608

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from maestro_analytics.errors import LakeError
from maestro_analytics.lake.place import Place
from maestro_analytics.lake.publications import SHARE, Publication, columns_of, transaction_of
from maestro_analytics.lake.source import CSAT_VERSIONS, GRADE_VERSIONS
from maestro_analytics.tables import schemas
from maestro_analytics.warehouse.connection import quoted

SNAPSHOTS = {table.name for table in (schemas.AGENT_GROUPS, *schemas.COACHING_TABLES)}
OF_GRADES = {table.name for table in schemas.GRADE_TABLES}
NEWEST = "lake_newest_versions"


@dataclass(frozen=True)
class Files:
    """The Parquet files of one table of a share, in the version that was published.

    Attributes:
        columns: with their DuckDB types; a file from before the table grew lacks some.
        names: below `place`.
    """

    place: Place
    columns: dict[str, str]
    names: tuple[str, ...]
    rows: int

    def for_spark(self) -> list[str]:
        """The files' addresses. Spark takes each for a pattern, and none for a percent-encoded address."""
        root = f"s3a://{self.place.root}" if self.place.in_bucket else f"file://{self.place.root}"
        return [re.sub(r"([][{}*?\\])", r"\\\1", f"{root}/{name}") for name in self.names]


@dataclass(frozen=True)
class Share:
    """What one data folder published: all of an account, or a machine's period of it."""

    publication: Publication
    tables: dict[str, Files]

    def relation(self, table: str, *, alone: bool) -> str:
        """The name under which an engine holds the share's table."""
        return table if alone else f"lake_{self.publication.share}_{table}"


def shares_of(account: Place, publications: Sequence[Publication]) -> tuple[Share, ...]:
    """The tables of each publication, in the version that it names.

    Raises:
        LakeError: a table, or that version of it, is gone.
    """
    names = {name for publication in publications for name in publication.tables}
    newest = {name: account.within(name).table() for name in names}
    shares = []
    for publication in publications:
        tables = {}
        for name, published in publication.tables.items():
            place = account.within(name)
            table = newest[name]
            # a write that is under way, or that stopped, has committed newer rows than those that are published
            if table and table.transaction_version(transaction_of(publication.share)) != published.written_by:
                table = place.table(published.version)
            if table is None:
                raise LakeError(f"{place} is gone, which had been published {publication.written_at:%Y-%m-%d}.")
            files = pl.DataFrame(table.get_add_actions(flatten=True))
            if publication.share:
                files = files.filter(pl.col(f"partition.{SHARE}") == publication.share)
            tables[name] = Files(place, columns_of(table), tuple(files["path"].sort()), published.rows)
        shares.append(Share(publication, tables))
    return tuple(shares)


def columns_in(shares: Sequence[Share]) -> dict[str, dict[str, str]]:
    """Table -> column -> DuckDB type: what any share has, in the newest share's order."""
    tables: dict[str, dict[str, str]] = {}
    for share in reversed(shares):
        for name, table in share.tables.items():
            newer = tables.get(name, {})
            tables[name] = newer | table.columns | newer
    return tables


def merge_shares(shares: Sequence[Share]) -> dict[str, str]:
    """Name -> select (DuckDB's SQL) of each table, over the relations of several shares; each after those it reads."""
    columns = columns_in(shares)
    everything = {name: _all(shares, name, columns[name]) for name in columns}
    selects = {
        NEWEST: f"select grade_key, deleted, share from ({everything[GRADE_VERSIONS]}) as versions "
        "qualify row_number() over (partition by grade_key order by asked_at desc nulls last, share desc) = 1"
    }
    for name in sorted(columns, key=lambda table: table == schemas.AGENTS.name):
        listed = ", ".join(f"lines.{quoted(column)}" for column in columns[name])
        lines = f"select {listed} from ({everything[name]}) as lines"
        table = schemas.TABLES_BY_NAME.get(name)
        if name in OF_GRADES:
            selects[name] = (
                f"{lines} left join {NEWEST} as newest on newest.grade_key = lines.grade_key "
                "where coalesce(newest.share, lines.share) = lines.share and not coalesce(newest.deleted, false)"
            )
        elif name in SNAPSHOTS:
            having_rows = [
                number for number, share in enumerate(shares) if name in share.tables and share.tables[name].rows
            ]
            selects[name] = f"{lines} where lines.share = {max(having_rows, default=0)}"
        elif name == schemas.CSAT.name:
            selects[name] = (
                f"{lines} left join ({everything[CSAT_VERSIONS]}) as versions on versions.share = lines.share "
                "and versions.gradable_id = lines.gradable_id and versions.source is not distinct from lines.source "
                "qualify row_number() over (partition by lines.source, lines.gradable_id "
                "order by versions.asked_at desc nulls last, lines.share desc) = 1"
            )
        elif name == schemas.COVERED_TIME.name:
            # Periods of several shares can overlap. A grade is in at most one row, so that joining adds no grades.
            selects[name] = (
                "select min(window_start) as window_start, max(window_end) as window_end from ("
                "select *, sum(is_first) over (order by window_start, window_end) as island from ("
                "select *, case when window_start <= max(window_end) over (order by window_start, window_end "
                "rows between unbounded preceding and 1 preceding) then 0 else 1 end as is_first "
                f"from ({everything[name]}) as periods) as marked) as islands group by island"
            )
        elif table is not None and table.row_key:
            if table is schemas.AGENTS:
                # drop a person whose ids belong to another person in a newer share
                lines += f" where person_id in (select person_id from {schemas.AGENT_IDS.name})"
            key = ", ".join(f"lines.{quoted(column)}" for column in table.row_key)
            selects[name] = f"{lines} qualify row_number() over (partition by {key} order by lines.share desc) = 1"
        else:
            selects[name] = lines
    return selects


def _all(shares: Sequence[Share], table: str, columns: Mapping[str, str]) -> str:
    """The rows of all shares, with the number of the share, nulls where a share has not grown a column yet."""
    parts = []
    for number, share in enumerate(shares):
        if table not in share.tables:
            continue
        has = share.tables[table].columns
        listed = ", ".join(
            quoted(column) if column in has else f"cast(null as {kind}) as {quoted(column)}"
            for column, kind in columns.items()
        )
        parts.append(f"select {listed}, {number} as share from {quoted(share.relation(table, alone=False))}")
    return " union all ".join(parts)
