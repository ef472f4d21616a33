"""Tables of a DuckDB database -> Parquet files of a lake, only what changed since the last write.

    ACCOUNT/manifest.json                                    what readers go by
    ACCOUNT/tables/total_scores/month=2026-01/part-*.parquet one table by month of date_graded, UTC
    ACCOUNT/tables/agents/part-*.parquet                     one that has no date_graded
    ACCOUNT/shares/NAME/...                                  the same again, for each machine that holds a period only

A write reads one snapshot of the published database. Each (table, month) whose fingerprint differs from the manifest's
is written again under new names; then the manifest moves, which is the moment at which readers see all of it. Files of
the manifest before it stay, for readers that are at work; older ones go.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from maestro_analytics.errors import InvalidArgument, LakeBusy, LakeError
from maestro_analytics.lake import manifest as manifests
from maestro_analytics.lake.claim import Claim
from maestro_analytics.lake.fingerprints import Content, contents
from maestro_analytics.lake.manifest import File, Manifest, Part, TableFiles
from maestro_analytics.lake.source import Source, tables_of, versions_of
from maestro_analytics.lake.storage import Storage, storage_of

FILE_BYTES = 256 << 20
"""A file that grows past this is closed and another begun: large enough for scans, small enough for tasks."""

SHARES = "shares"

FOLDER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True)
class Written:
    """What a write did.

    Attributes:
        place: the folder that was written.
        generation: of the manifest that stands now.
        rows: table -> rows in the lake.
        parts_written, parts_kept: months (or whole tables) that were written, and that had not changed.
        files_written, bytes_written: of the Parquet files of this write.
    """

    place: str
    account: str
    share: str
    generation: int
    rows: dict[str, int]
    parts_written: int
    parts_kept: int
    files_written: int
    bytes_written: int


def write_lake(
    source: Source,
    to: str | Path,
    *,
    account: str | None = None,
    share: str = "",
    take_over: bool = False,
    file_bytes: int = FILE_BYTES,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Written:
    """Publish the tables of `source` into the lake at `to`.

    Args:
        to: a local folder, or `s3://BUCKET/FOLDER`.
        account: the account's folder in the lake; the API host where none is given.
        share: for one of several machines that each hold a period of the same account; readers see them as one.
        take_over: replace what another data folder wrote to the same place.
        file_bytes: size at which a file is closed and another begun.

    Raises:
        LakeBusy: another writer is at work on the same folder; nothing was published.
        LakeError: the place cannot be used, or holds the tables of another data folder.
    """
    if account is None and not source.host:
        raise InvalidArgument("the database names no account host, since nothing has landed yet: say --account NAME.")
    if account is None:
        account = re.sub(r"[^A-Za-z0-9._-]+", "-", source.host)
    for kind, name in (("account", account), ("share", share or "x")):
        if not FOLDER_NAME.fullmatch(name):
            raise InvalidArgument(f"{name!r} cannot name a folder of a lake ({kind}): use letters, digits and . _ -")
    folder = storage_of(to).within(account)
    storage = folder.within(SHARES).within(share) if share else folder
    with Claim(storage, now=now) as claim:
        before = manifests.read_manifest(storage)
        if others := _written_the_other_way(folder, share):
            raise LakeError(
                f"{folder.place} holds the account {others} already, and this write has "
                f"{'a' if share else 'no'} --share. Choose one way for an account, or move away what is there."
            )
        if before is not None and before.origin != source.origin and not take_over:
            raise LakeError(
                f"{storage.place} holds the tables of another data folder (written {before.written_at[:16]} UTC). "
                "Write this one under another --account, under a --share of its own if both are periods of one "
                "account, or replace that one with --take-over."
            )
        writing = _Writing(source.connection, storage, before, file_bytes)
        wanted = tables_of(source.connection) | (versions_of(source.connection) if share else {})
        tables = {name: writing.table(name, columns) for name, columns in wanted.items()}
        if before is not None and (before.tables, before.origin, before.refresh) == (
            tables,
            source.origin,
            source.refresh,
        ):
            return writing.result(before)
        after = Manifest(
            account=account,
            share=share,
            generation=(before.generation if before else 0) + 1,
            origin=source.origin,
            written_at=now().isoformat(timespec="seconds"),
            refresh=source.refresh,
            tables=tables,
        )
        claim.confirm()
        if manifests.read_manifest(storage) != before:
            raise LakeBusy(place=storage.place, who="another writer has published meanwhile, and")
        storage.put(manifests.KEY, after.model_dump_json(indent=1).encode())
        still_read = after.keys | (before.keys if before else set())
        for key in storage.keys("tables"):
            if key not in still_read:
                storage.remove(key)
    return writing.result(after)


def _written_the_other_way(folder: Storage, share: str) -> str | None:
    if share:
        return "as a whole" if folder.read(manifests.KEY) is not None else None
    shares = folder.within(SHARES)
    return "in shares" if any(shares.within(name).read(manifests.KEY) for name in shares.folders()) else None


class _Writing:
    """One write: the parts that it makes, and those that it keeps."""

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, storage: Storage, before: Manifest | None, file_bytes: int
    ) -> None:
        self._connection = connection
        self._storage = storage
        self._before = before
        self._file_bytes = file_bytes
        generation = (before.generation if before else 0) + 1
        self._name = f"part-{generation:06d}-{secrets.token_hex(4)}"
        self._made: list[Part] = []
        self._kept = 0

    def table(self, name: str, columns: dict[str, str]) -> TableFiles:
        earlier = self._before.tables.get(name) if self._before else None
        # columns are only ever added at the end; where that does not hold, nothing of before can be kept
        grew = earlier is not None and list(columns.items())[: len(earlier.columns)] == list(earlier.columns.items())
        kept = {part.month: part for part in earlier.parts} if earlier and grew else {}
        parts = []
        for content in contents(self._connection, name, columns):
            part = kept.get(content.month)
            if part is not None and part.fingerprint == content.fingerprint and part.rows == content.rows:
                self._kept += 1
            else:
                part = self._write(name, columns, content)
            parts.append(part)
        return TableFiles(columns=columns, parts=tuple(parts))

    def _write(self, table: str, columns: dict[str, str], content: Content) -> Part:
        folder = f"tables/{table}" + (f"/month={content.month}" if content.month else "")
        with self._storage.staging() as staging:
            target = staging / "rows"
            # a path and a size are no parameters of COPY; both are ours
            self._connection.execute(
                f"copy ({content.select(table)}) to '{str(target).replace(chr(39), chr(39) * 2)}' "
                f"(format parquet, compression zstd, file_size_bytes {self._file_bytes})",
                content.bounds,
            )
            files = []
            for number, file in enumerate(sorted(target.glob("*.parquet"))):
                key = f"{folder}/{self._name}-{number}.parquet"
                described = File(key=key, rows=self._rows(file), bytes=file.stat().st_size, sha256=_sha256(file))
                self._storage.add(file, key)
                files.append(described)
        if sum(file.rows for file in files) != content.rows:
            raise LakeError(f"{table} {content.month or ''}: {content.rows} rows were to be written, not as many were.")
        part = Part(
            month=content.month,
            rows=content.rows,
            fingerprint=content.fingerprint,
            width=len(columns),
            files=tuple(files),
        )
        self._made.append(part)
        return part

    def _rows(self, file: Path) -> int:
        counted = self._connection.execute("select sum(num_rows) from parquet_file_metadata($1)", [str(file)])
        return int(counted.fetchall()[0][0])

    def result(self, manifest: Manifest) -> Written:
        files = [file for part in self._made for file in part.files]
        return Written(
            place=self._storage.place,
            account=manifest.account,
            share=manifest.share,
            generation=manifest.generation,
            rows={name: table.rows for name, table in manifest.tables.items()},
            parts_written=len(self._made),
            parts_kept=self._kept,
            files_written=len(files),
            bytes_written=sum(file.bytes for file in files),
        )


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
