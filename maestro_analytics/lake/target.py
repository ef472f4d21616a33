"""One Delta table of a lake, as one share writes to it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Literal

from deltalake import CommitProperties, DeltaTable, Schema, Transaction, WriterProperties, write_deltalake
from deltalake.exceptions import CommitFailedError
from deltalake.schema import ArrayType

from maestro_analytics.errors import LakeBusy
from maestro_analytics.lake.place import Place
from maestro_analytics.lake.publications import SHARE, Publication, transaction_of

MONTH = "month"
KEPT_HOURS = 24
"""How long files that a later version replaced stay: a notebook that was opened in the morning goes on all day."""
TRIES = 10
"""Commits that those of other shares overtake."""

DUCKDB_TYPES = {
    "string": "VARCHAR",
    "double": "DOUBLE",
    "timestamp": "TIMESTAMP WITH TIME ZONE",
    "boolean": "BOOLEAN",
}


def columns_of(table: DeltaTable) -> dict[str, str]:
    """The columns of a Delta table, without those of partitions, with their DuckDB types."""
    partitions = table.metadata().partition_columns
    return {
        field.name: "VARCHAR[]" if isinstance(field.type, ArrayType) else DUCKDB_TYPES[field.type.type]
        for field in table.schema().fields
        if field.name not in partitions
    }


class Target:
    """A table that may not exist yet; `share` is empty where one data folder holds all of the account."""

    def __init__(self, place: Place, share: str) -> None:
        self.place = place
        self.share = share
        self.table = place.table()

    @property
    def written_by(self) -> int | None:
        """Number of the publication that wrote the share's rows last."""
        return self._written_by(self.share)

    def _written_by(self, share: str) -> int | None:
        return self.table.transaction_version(transaction_of(share)) if self.table else None

    def commit(
        self,
        rows: Callable[[], Any],
        number: int,
        *,
        partition_by: list[str],
        months: Iterable[str | None] | None = None,
        schema_mode: Literal["merge", "overwrite"] = "merge",
    ) -> int:
        """Replace the share's rows by `rows()`, in one commit; the version of the table then.

        Args:
            rows: makes what Arrow can stream, anew for each try.
            number: of the publication.
            months: replace the rows of these only.

        Raises:
            LakeBusy: another writer of the same share has committed since the table was opened.
        """
        conditions = [f"{SHARE} = '{self.share}'"] if self.share else []
        if months is not None:
            conditions.append(f"{MONTH} in ({', '.join(repr(month) for month in months) or repr('')})")
        before = self.written_by
        for _ in range(TRIES):
            try:
                if self.table is None:
                    self._create(rows, partition_by)
                    continue
                if self.written_by != before:
                    break
                write_deltalake(
                    self.table,
                    rows(),
                    mode="overwrite",
                    predicate=" and ".join(conditions) or None,
                    schema_mode=schema_mode,
                    partition_by=partition_by or None,
                    writer_properties=WriterProperties(compression="ZSTD"),
                    commit_properties=CommitProperties(
                        app_transactions=[Transaction(transaction_of(self.share), number)]
                    ),
                )
                self.table = self.place.table()
                if self.table and self.written_by == number:
                    return int(self.table.version())
                break
            except CommitFailedError:
                self.table = self.place.table()
        raise LakeBusy(place=str(self.place))

    def _create(self, rows: Callable[[], Any], partition_by: list[str]) -> None:
        # on its own: two writers that each create a table with its rows would both succeed
        DeltaTable.create(
            self.place.uri,
            Schema.from_arrow(rows().schema),
            mode="ignore",
            partition_by=partition_by or None,
            configuration={"delta.deletedFileRetentionDuration": f"interval {KEPT_HOURS} hours"},
            storage_options=self.place.options,
        )
        self.table = self.place.table()

    def vacuum(self, kept_hours: int, others: Iterable[Publication] = ()) -> None:
        """Remove files that no version needs any more, nor what `others` published and have since begun to replace."""
        name = self.place.root.rpartition("/")[2]
        published = [(one.tables[name], one.share) for one in others if name in one.tables]
        kept = [table.version for table, share in published if self._written_by(share) != table.written_by]
        for dry_run in (True, False):
            # each vacuum is two commits: none where there is nothing to remove
            if self.table is None or not self.table.vacuum(
                kept_hours, dry_run, enforce_retention_duration=False, full=True, keep_versions=kept
            ):
                return
