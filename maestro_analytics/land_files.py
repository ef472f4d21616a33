"""Land export files that were obtained another way: from the dashboard, a colleague or a bucket.

They take the same path as the exports of a refresh: kept file, ledger, checks, quarantine, landing, publication. No
token and no network.
"""

from __future__ import annotations

import os
import re
import shutil
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from threading import Event
from typing import Any

from maestro_analytics import account, push
from maestro_analytics.arguments import moment_of
from maestro_analytics.errors import AnotherAccount, ExportFailed, InvalidArgument, MaestroError, UnreadableFile
from maestro_analytics.exports import ExportRecord, OnEvent, Window
from maestro_analytics.exports.ledger import file_ending, file_stem
from maestro_analytics.exports.progress import Noticed
from maestro_analytics.exports.windows import MARGIN
from maestro_analytics.files import disk_fault, is_zip, replace_durably, sha256_of
from maestro_analytics.kinds import EXPORT_KINDS, RAW, WINDOWED
from maestro_analytics.settings import Settings
from maestro_analytics.tables.archive import is_not_ours
from maestro_analytics.tables.delivery import Delivery
from maestro_analytics.tables.reader import kind_of, tables_in
from maestro_analytics.warehouse import Landed, Master
from maestro_analytics.warehouse.kept_files import land_export
from maestro_analytics.warehouse.ledger import settle, settled

SUFFIXES = (".zip", ".csv")
"""Which files of a folder are landed; a file that is named itself may have any name."""


@dataclass(frozen=True)
class FileLanded:
    """What became of one file.

    Attributes:
        paths: the file; several for an export whose tables lie side by side as plain CSVs.
        result: `landed`, `unchanged` (the same bytes had landed before) or `refused`.
    """

    paths: tuple[Path, ...]
    result: str


@dataclass
class LandReport:
    """What one call of `land` did.

    Attributes:
        files: what became of each file, in the order in which they were landed.
        tables: rows landed, by table.
        quarantined: rows refused, kept in state.quarantine.
        errors: files that were refused, and why.
        warnings: unusual things that lost nothing.
        interrupted: the stop event was set.
    """

    database: Path
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    finished_at: datetime | None = None
    files: list[FileLanded] = field(default_factory=list)
    tables: dict[str, int] = field(default_factory=dict)
    quarantined: int = 0
    errors: list[MaestroError] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    interrupted: bool = False

    @property
    def status(self) -> str:
        """`complete`, `partial` or `failed` (nothing landed)."""
        if not (self.errors or self.interrupted):
            return "complete"
        return "partial" if any(file.result != "refused" for file in self.files) or self.tables else "failed"

    def as_json(self) -> dict[str, Any]:
        """The object of `land --json`, without its exit code."""
        finished_at = self.finished_at or datetime.now(UTC)
        return {
            "status": self.status,
            "files": [{"paths": [str(path) for path in file.paths], "result": file.result} for file in self.files],
            "tables": self.tables,
            "quarantined": self.quarantined,
            "database": str(self.database),
            "errors": [error.as_json() for error in self.errors],
            "warnings": self.warnings,
            "started_at": self.started_at.isoformat(),
            "finished_at": finished_at.isoformat(),
        }


def land(
    paths: Path | str | Iterable[Path | str],
    *,
    kind: str | None = None,
    asked_at: datetime | date | str | None = None,
    since: datetime | date | str | None = None,
    until: datetime | date | str | None = None,
    settings: Settings | None = None,
    stop: Event | None = None,
    on_event: OnEvent | None = None,
) -> LandReport:
    """Land export files in the database and publish it. Needs no token and no network.

    A file that has landed before (the same bytes) changes nothing. The plain CSVs of one raw export, one per table,
    are landed together when they lie in one folder.

    Args:
        paths: zips, plain CSVs, and folders of either.
        kind: `raw`, `groups` or `audit`; recognised by the columns when None.
        asked_at: when the vendor made the files; the newest moment in each file when None. Nothing that an export
            asked for later has brought is replaced.
        since, until: the period, half-open, of which the files together are the whole; it then counts as covered, once
            all of them have landed. Both or neither.
        settings: from the environment when None.
        stop: set it, and landing ends after the current file.
        on_event: called with a `Noticed` for each file.

    Returns:
        What was done; files that were refused are in `errors`, and the others have landed.

    Raises:
        InvalidArgument: a path does not exist, or a value cannot be used.
        SettingsError: the data folder cannot be written.
        AnotherRefresh: another process writes to the data folder.
    """
    given = [paths] if isinstance(paths, Path | str) else list(paths)
    now = datetime.now(UTC)
    made = moment_of(asked_at, name="asked_at")
    if made is not None and made > now:
        raise InvalidArgument(f"--asked-at {made:%Y-%m-%dT%H:%M:%SZ} is in the future.")
    if kind is not None and kind not in EXPORT_KINDS:
        raise InvalidArgument(f"--kind {kind!r}: choose from {', '.join(EXPORT_KINDS)}.")
    window = _window(moment_of(since, name="since"), moment_of(until, name="until"), now)
    files = find_files([Path(path) for path in given])
    settings = settings or Settings.from_environment()
    report = LandReport(settings.database, now)
    exports = _exports_in(files, kind, report)
    with Master.open(settings.data, command="land") as master:
        try:
            for number, (paths_of_one, its_kind) in enumerate(exports, 1):
                if stop is not None and stop.is_set():
                    report.interrupted = True
                    break
                is_last = its_kind not in {later for _, later in exports[number:]}
                covered = window if its_kind in WINDOWED and is_last and not report.errors else None
                text = _land_one(master, paths_of_one, its_kind, made, covered, report)
                # Time that came another way is not asked for again, but for its end.
                late = covered.end - timedelta(minutes=settings.overlap_minutes) if covered else None
                if late and settled(master.query).get(its_kind, late) < late and not report.errors:
                    settle(master.connection, its_kind, late)
                if on_event is not None:
                    on_event(Noticed(f"{number} of {len(exports)}: {text}"))
        finally:
            is_new = any(file.result != "unchanged" for file in report.files)
            if master.has_landed() and (is_new or not master.is_published()):
                push.publish(master)
    report.finished_at = datetime.now(UTC)
    return report


def find_files(paths: Sequence[Path]) -> list[Path]:
    """The files at `paths`, and the zips and CSVs in its folders and below them, in order of name; each once.

    Raises:
        InvalidArgument: a path does not exist, or a folder has no such file.
    """
    found: dict[Path, Path] = {}
    for path in paths:
        if path.is_dir():
            inside = sorted(
                file
                for file in path.rglob("*")
                if file.suffix.lower() in SUFFIXES and file.is_file() and not is_not_ours(file.name)
                and not file.name.startswith(".")
            )  # fmt: skip
            if not inside:
                raise InvalidArgument(f"{path} has no zip and no CSV in it.")
        elif path.is_file():
            inside = [path]
        else:
            raise InvalidArgument(f"{path} does not exist.")
        found |= {file.absolute(): file for file in inside}
    if not found:
        raise InvalidArgument("no file was named: give zips, CSVs, or folders of either.")
    return list(found.values())


def _window(since: datetime | None, until: datetime | None, now: datetime) -> Window | None:
    if since is None and until is None:
        return None
    if since is None or until is None:
        raise InvalidArgument("give --since and --until together: the files are the whole of the time between.")
    return Window(since, min(until, now - MARGIN))


def _exports_in(files: Sequence[Path], kind: str | None, report: LandReport) -> list[tuple[tuple[Path, ...], str]]:
    """The files by export, with the kind of each. Files that are not an export are entered as refused."""
    exports: list[tuple[tuple[Path, ...], str]] = []
    single: dict[tuple[Path, str], dict[Path, str]] = {}
    for file in files:
        try:
            its_kind = kind or kind_of(file)
            tables = [] if is_zip(file) else tables_in(file)
        except (UnreadableFile, OSError) as error:
            report.errors.append(error if isinstance(error, MaestroError) else UnreadableFile(str(error), path=file))
            report.files.append(FileLanded((file,), "refused"))
            continue
        if its_kind == RAW.name and tables:
            # `scores_2026-01.csv` beside `answers_2026-01.csv`: the name without that of its table.
            name = re.sub(tables[0].name.replace("_", "[ _-]*"), "", file.name.casefold())
            single.setdefault((file.parent, name), {})[file] = tables[0].name
        else:
            exports.append(((file,), its_kind))
    for folder in dict.fromkeys(folder for folder, _ in single):
        groups = [group for (parent, _), group in single.items() if parent == folder]
        together = {file: table for group in groups for file, table in group.items()}
        for group in [together] if _is_one_export(together) else groups:
            if _is_one_export(group):
                exports.append((tuple(group), RAW.name))
            else:
                exports += [((file,), RAW.name) for file in group]
    return exports


def _is_one_export(tables: dict[Path, str]) -> bool:
    """Whether plain files can be one export: no table occurs in two of them."""
    return len(set(tables.values())) == len(tables)


def _land_one(
    master: Master,
    paths: tuple[Path, ...],
    kind: str,
    asked_at: datetime | None,
    window: Window | None,
    report: LandReport,
) -> str:
    """Land one export file, and enter the result in the report; returns a line about it."""
    name = paths[0].name if len(paths) == 1 else f"{paths[0].parent} ({len(paths)} files)"
    export, is_new = _keep(master, paths, kind, asked_at, window)
    if not is_new and export.status == "landed":
        report.files.append(FileLanded(paths, "unchanged"))
        return f"{name} has landed before"

    def check(delivery: Delivery) -> None:
        if warning := account.check_file(master.query, delivery):
            report.warnings.append(warning)

    try:
        landed = land_export(master, export, check=check)
    except AnotherAccount as error:
        master.ledger.forget(export)
        report.errors.append(error)
        report.files.append(FileLanded(paths, "refused"))
        return f"{name}: {error}"
    report.files.append(FileLanded(paths, "refused" if landed.refused and not landed.rows else "landed"))
    _enter(landed, report)
    if window is not None and not landed.is_covered and not landed.refused:
        report.errors.append(
            ExportFailed(
                f"{name} is not a whole export, so {window} does not count as covered. Give all of its files.",
                export_id=export.export_id,
                window=window,
            )
        )
    counts = ", ".join(f"{rows:,} {table}" for table, rows in landed.rows.items() if rows)
    return f"{name}: {counts or 'no rows landed'}" + "".join(f"; {file.error}" for file in landed.refused)


def _enter(landed: Landed, report: LandReport) -> None:
    for table, rows in landed.rows.items():
        report.tables[table] = report.tables.get(table, 0) + rows
    report.quarantined += landed.quarantined
    report.errors += [file.error for file in landed.refused]
    lines = [*landed.warnings, *(str(file.error) for file in landed.unknown)]
    report.warnings += [line for line in lines if line not in report.warnings]
    for table, counts in landed.row_counts.items():
        if counts.superseded:
            report.warnings.append(
                f"{counts.superseded:,} rows of {table} did not land: an export asked for later has brought them"
            )


def _keep(
    master: Master, paths: tuple[Path, ...], kind: str, asked_at: datetime | None, window: Window | None
) -> tuple[ExportRecord, bool]:
    """The kept copy of a file and its record, and whether they are new: the same bytes are kept once."""
    part = master.exports_folder / ".landing.part"
    try:
        if len(paths) == 1:
            shutil.copyfile(paths[0], part)
        else:
            pack(paths, part)
        with part.open("rb+") as file:
            os.fsync(file.fileno())
        sha256 = sha256_of(part)
        known = [
            export
            for export in master.ledger.records("kind = ? and sha256 = ?", [kind, sha256])
            if export.file is not None and export.file.exists()
        ]
        if known:
            return max(known, key=lambda export: (export.status == "landed", export.seq)), False
        export = ExportRecord(
            seq=master.ledger.next_seq(),
            kind=kind,
            window=window,
            export_id=f"file-{sha256[:16]}",
            status="received",
            sha256=sha256,
            bytes=part.stat().st_size,
            requested_at=asked_at,
            asked_at=asked_at,
            landed_from=str(paths[0].absolute()),
        )
        kept = master.exports_folder / (file_stem(export) + file_ending(part))
        replace_durably(part, kept)
        export = replace(export, file=kept)
        master.ledger.enter(export)
        return export, True
    except OSError as error:
        raise disk_fault(error, folder=master.exports_folder) or error from None
    finally:
        part.unlink(missing_ok=True)


def pack(paths: Sequence[Path], target: Path) -> None:
    """Write plain CSVs as one zip, as the vendor delivers an export; the same files give the same bytes."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as packed:
        for path in sorted(paths):
            member = zipfile.ZipInfo(path.name)
            member.compress_type = zipfile.ZIP_DEFLATED
            with path.open("rb") as source, packed.open(member, "w", force_zip64=True) as stream:
                shutil.copyfileobj(source, stream, 1 << 20)
