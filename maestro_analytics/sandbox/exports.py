"""Exports: requested, in progress, complete or errored. The content is fixed at the request."""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zlib import crc32

from maestro_analytics.sandbox.agents import Directory
from maestro_analytics.sandbox.clock import Clock
from maestro_analytics.sandbox.faults import Faults
from maestro_analytics.sandbox.files import Damage, RawSelection, write_raw, write_table
from maestro_analytics.sandbox.http import Reply, json_reply
from maestro_analytics.sandbox.routing import Call, Field, Refusal, Route
from maestro_analytics.sandbox.rows import RAW_FILES, Row, audit_rows, grades_updated, group_rows
from maestro_analytics.sandbox.simulation.chance import FILE, draws, identifier
from maestro_analytics.sandbox.simulation.grades import CALIBRATIONS, GRADER_QA, GRADING, Grade
from maestro_analytics.sandbox.simulation.timeline import Centre
from maestro_analytics.sandbox.store import ObjectStore

_TOKEN = Field("apiToken")
_WINDOW = (Field("startDate", "date", required=True), Field("endDate", "date", required=True), Field("name"))
_RAW_FIELDS = (
    *_WINDOW,
    Field(
        "singleFileExport",
        "enum",
        choices=("individual_answers", "section_scores", "total_scores", "annotations", "csat"),
    ),
    Field("includeCalibrations", "enum", choices=("all", "none", "only")),
    Field("includeGraderQA", "boolean"),
    Field("includeDeleted", "boolean"),
    _TOKEN,
)


@dataclass
class ExportJob:
    """An export as the vendor sees it. `damage` counts the rows that a fault added to its files."""

    export_id: str
    number: int
    kind: str
    name: str
    parameters: dict[str, Any]
    asked: datetime
    status: str = "requested"
    path: Path | None = None
    scores: int = 0
    damage: Damage = field(default_factory=Damage)


class Exports:
    """The export endpoints. Each file is complete at least `seconds` after its request."""

    def __init__(
        self,
        *,
        centre: Centre,
        directory: Directory,
        clock: Clock,
        store: ObjectStore,
        faults: Faults,
        folder: Path,
        seconds: float,
        url_seconds: float,
    ) -> None:
        self.jobs: list[ExportJob] = []
        self._centre = centre
        self._directory = directory
        self._clock = clock
        self._store = store
        self._faults = faults
        self._folder = folder
        self._seconds = seconds
        self._url_seconds = url_seconds
        self._closing = threading.Event()
        self._lock = threading.Lock()
        self._makers = ThreadPoolExecutor(max_workers=8, thread_name_prefix="sandbox-export")

    def routes(self) -> list[Route]:
        group_fields = (Field("name"), Field("includeUnavailable", "boolean"), _TOKEN)
        by_id = (Field("exportId", required=True), _TOKEN)
        return [
            Route("POST", "/request-raw-export", self._request_raw, _RAW_FIELDS, token_in_body=True),
            Route("POST", "/request-groups-export", self._request_groups, group_fields, token_in_body=True),
            Route("POST", "/request-audit-log-export", self._request_audit, (*_WINDOW, _TOKEN), token_in_body=True),
            Route("GET", "/get-export-data", self._poll, by_id, reads="either", token_in_body=True),
            Route("GET", "/export-data/:id", self._poll, reads="query"),
        ]

    def close(self) -> None:
        self._closing.set()
        self._makers.shutdown(wait=True, cancel_futures=True)

    def _request_raw(self, call: Call) -> Reply:
        start, end = _window(call)
        clock = self._shown_until()
        chosen = [
            grade
            for grade in grades_updated(self._centre, start, end, clock)
            if _is_wanted(grade, clock, call.parameters)
        ]
        single = call.parameters.get("singleFileExport")
        flagged = bool(call.parameters.get("includeDeleted"))

        def make(job: ExportJob, path: Path) -> Damage:
            selection = RawSelection(chosen, clock, flagged)
            tables = (single,) if single else RAW_FILES
            number = self._file_number(job)
            return write_raw(
                self._centre, selection, tables, path, number=number, faults=self._faults, zipped=single is None
            )

        return self._ask("raw", call, make, scores=len(chosen), suffix="csv" if single else "zip")

    def _request_groups(self, call: Call) -> Reply:
        clock = self._clock.now()
        everyone = bool(call.parameters.get("includeUnavailable"))
        people = self._directory.people()
        rows = list(group_rows(self._centre, people, clock, include_unavailable=everyone))
        shown = [] if self._faults.first_n("empty-groups") else rows
        return self._ask("groups", call, self._table_maker("agent_groups", shown), scores=len(rows))

    def _request_audit(self, call: Call) -> Reply:
        start, end = _window(call)
        rows = list(audit_rows(self._centre, start, end, self._shown_until()))
        return self._ask("audit", call, self._table_maker("audit_logs", rows), scores=len(rows))

    def _shown_until(self) -> datetime:
        """The moment up to which windowed exports include changes."""
        return self._clock.now() - timedelta(minutes=self._faults.number("late-updates"))

    def _table_maker(self, table: str, rows: Iterable[Row]) -> Callable[[ExportJob, Path], Damage]:
        def make(job: ExportJob, path: Path) -> Damage:
            number = self._file_number(job)
            return write_table(table, rows, path, seed=self._centre.seed, number=number, faults=self._faults)

        return make

    def _file_number(self, job: ExportJob) -> int:
        """The random seed of the order and style of a file's rows."""
        if not self._faults.number("steady-files"):
            return job.number
        return crc32(f"{job.kind} {sorted(job.parameters.items())}".encode())

    def _ask(
        self,
        kind: str,
        call: Call,
        make: Callable[[ExportJob, Path], Damage],
        *,
        scores: int,
        suffix: str = "csv",
    ) -> Reply:
        with self._lock:
            earlier = next((job for job in self.jobs if job.kind == kind), None)
            if earlier is not None and self._faults.first_n("earlier-id"):
                return json_reply(200, {"exportId": earlier.export_id})
            number = len(self.jobs) + 1
            # Started again, the sandbox counts from 1 and gives ids twice, as a vendor may.
            export_id = "id_" + identifier(draws(self._centre.seed, FILE, number, 99))
            parameters = {name: value for name, value in call.parameters.items() if name != "apiToken"}
            name = parameters.get("name") or f"export-{export_id}"
            job = ExportJob(export_id, number, kind, name, parameters, self._clock.now(), scores=scores)
            self.jobs.append(job)
        path = self._folder / f"{export_id}.{suffix}"
        self._makers.submit(self._make, job, path, make)
        return json_reply(200, {"exportId": export_id})

    def _make(self, job: ExportJob, path: Path, make: Callable[[ExportJob, Path], Damage]) -> None:
        job.status = "in_progress"
        never_ends, errored = self._faults.first_n("never-ends"), self._faults.first_n("errored")
        most = self._faults.number("errored-above") if job.kind == "raw" else 0
        if never_ends or self._closing.wait(self._seconds):
            return
        if errored or (most and job.scores > most):
            job.status = "errored"
            return
        if self._faults.first_n("failed"):
            job.status = "failed"
            return
        try:
            if job.scores and not self._faults.first_n("empty-url"):
                job.damage = make(job, path)
                self._store.offer(path.name, path)
                job.path = path
        except Exception:
            # Nobody reads the exception of the future, so it is printed here.
            traceback.print_exc()
            job.status = "errored"
            return
        job.status = "complete"

    def _poll(self, call: Call) -> Reply:
        export_id = call.path.get("id") or call.parameters["exportId"]
        job = next((job for job in self.jobs if job.export_id == export_id), None)
        if job is None:
            raise Refusal(404, f"no export has the id {export_id!r}")
        if job.status == "complete" and self._faults.first_n("unknown-status", job.export_id):
            return json_reply(200, {"status": "queued", "dataUrl": ""})
        url = ""
        if job.status == "complete" and job.path is not None:
            expired = self._faults.first_n("expired-url", job.export_id)
            url = self._store.presigned_get(job.path.name, seconds=-1.0 if expired else self._url_seconds)
        return json_reply(200, {"status": job.status, "dataUrl": url})


def _window(call: Call) -> tuple[datetime, datetime]:
    start, end = call.parameters["startDate"], call.parameters["endDate"]
    if start >= end:
        raise Refusal(422, "startDate must be before endDate")
    return start, end


def _is_wanted(grade: Grade, clock: datetime, parameters: Mapping[str, Any]) -> bool:
    calibrations = parameters.get("includeCalibrations", "none")
    if grade.grade_type in CALIBRATIONS and calibrations == "none":
        return False
    if grade.grade_type == GRADING and calibrations == "only":
        return False
    if grade.grade_type == GRADER_QA and not parameters.get("includeGraderQA"):
        return False
    version = grade.as_of(clock)
    return version is not None and (not version.deleted or bool(parameters.get("includeDeleted")))
