"""Several machines, each with a period of one account, read as one account.

Each share is complete in itself, so a grade can be in two: graded in one machine's period, graded again in another's.
The tables are made one here as a refresh would have made them: the newest version of a grade stands, whole, in all its
tables; of a record that each machine lists in full, the newest list stands. A lake with one share is read as it is.
"""

# Identifiers come from our own schemas or a file's header and are quoted; values are parameters.
# ruff: noqa: S608

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from maestro_analytics.errors import NotALake
from maestro_analytics.lake.manifest import Manifest, read_manifest
from maestro_analytics.lake.storage import Storage
from maestro_analytics.lake.write import SHARES
from maestro_analytics.tables.coaching import COACHING_TABLES
from maestro_analytics.tables.schemas import AGENT_GROUPS, GRADE_TABLES, TABLES_BY_NAME
from maestro_analytics.warehouse.connections import quoted

SNAPSHOTS = {table.name for table in (AGENT_GROUPS, *COACHING_TABLES)}
OF_GRADES = {table.name for table in GRADE_TABLES}
VERSIONS = "lake_newest_versions"


@dataclass(frozen=True)
class Share:
    """One folder with a manifest: all of an account, or a machine's period of it."""

    storage: Storage
    manifest: Manifest

    def relation(self, table: str, *, alone: bool) -> str:
        """The name under which an engine holds the share's table."""
        return table if alone else f"lake_{self.manifest.share or 'all'}_{table}"


def shares_of(account: Storage) -> list[Share]:
    """The shares of an account's folder, the one refreshed longest ago first; empty when it is no such folder."""
    folders = [account]
    shares = account.within(SHARES)
    folders += [shares.within(name) for name in shares.folders()]
    found = [Share(folder, manifest) for folder in folders if (manifest := read_manifest(folder)) is not None]
    return sorted(found, key=lambda share: (share.manifest.written_at, share.manifest.share))


def account_folder(root: Storage, account: str | None) -> Storage:
    """The folder of one account: `root` itself, or the one below it that is meant.

    Raises:
        NotALake: there is none, or several and `account` does not say which.
    """
    if account is None and shares_of(root):
        return root
    accounts = [name for name in root.folders() if not name.startswith(".") and shares_of(root.within(name))]
    if account is not None and account not in accounts:
        raise NotALake(place=root.place, reason=f"it holds no account {account!r}, only {accounts}")
    if not accounts:
        raise NotALake(place=root.place, reason="it has no manifest.json, and no folder in it has one")
    if len(accounts) > 1 and account is None:
        raise NotALake(place=root.place, reason=f"it holds several accounts, {accounts}; say account=... which")
    return root.within(account or accounts[0])


def columns_of(shares: Sequence[Share]) -> dict[str, dict[str, str]]:
    """Table -> column -> DuckDB type: what any share has, in the newest share's order."""
    tables: dict[str, dict[str, str]] = {}
    for share in reversed(shares):
        for name, table in share.manifest.tables.items():
            for column, kind in table.columns.items():
                tables.setdefault(name, {}).setdefault(column, kind)
    return tables


def made_one(shares: Sequence[Share]) -> dict[str, str]:
    """Name -> select (DuckDB's SQL) of each table, over the relations of several shares; in order of need."""
    columns = columns_of(shares)
    versions = _all(shares, "total_scores", ("grade_key", "date_graded"), columns)
    newest = (
        f"select grade_key, share from ({versions}) as versions "
        "qualify row_number() over (partition by grade_key order by date_graded desc nulls last, share desc) = 1"
    )
    selects = {VERSIONS: newest}
    for name, table_columns in columns.items():
        everything = _all(shares, name, table_columns, columns)
        listed = ", ".join(f"rows.{quoted(column)}" for column in table_columns)
        table = TABLES_BY_NAME.get(name)
        if name in OF_GRADES:
            # rows of a grade that no total_scores knows (its file was refused) have no newer version to yield to
            selects[name] = (
                f"select {listed} from ({everything}) as rows left join {VERSIONS} as newest "
                "on newest.grade_key = rows.grade_key where coalesce(newest.share, rows.share) = rows.share"
            )
        elif name in SNAPSHOTS:
            having_rows = [number for number, share in enumerate(shares) if _rows(share, name)]
            selects[name] = f"select {listed} from ({everything}) as rows where share = {max(having_rows, default=0)}"
        elif table is not None and table.row_key:
            key = ", ".join(quoted(column) for column in table.row_key)
            selects[name] = (
                f"select {listed} from ({everything}) as rows "
                f"qualify row_number() over (partition by {key} order by share desc) = 1"
            )
        else:
            selects[name] = f"select {listed} from ({everything}) as rows"
    return selects


def _rows(share: Share, table: str) -> int:
    return share.manifest.tables[table].rows if table in share.manifest.tables else 0


def _all(shares: Sequence[Share], table: str, wanted: Iterable[str], columns: Mapping[str, Mapping[str, str]]) -> str:
    """The rows of all shares, with the number of the share, nulls where a share has not grown a column yet."""
    parts = []
    for number, share in enumerate(shares):
        if table not in share.manifest.tables:
            continue
        has = share.manifest.tables[table].columns
        listed = ", ".join(
            quoted(column) if column in has else f"cast(null as {columns[table][column]}) as {quoted(column)}"
            for column in wanted
        )
        parts.append(f"select {listed}, {number} as share from {quoted(share.relation(table, alone=False))}")
    return " union all ".join(parts)
