"""A year of hourly runs: how many files and bytes are kept, and how many minutes a replay takes. Nothing is asserted.

    python -m tests.benchmarks.year                     a year of hourly runs, 5,000 agents
    python -m tests.benchmarks.year --every 6           a run each 6 hours: the same data in a sixth of the time
    python -m tests.benchmarks.year --days 14           quicker
    python -m tests.benchmarks.year --replay-only       the kept files and the ledger are made, and only replayed
    python -m tests.benchmarks.year --reconcile         each month requested again in weeks, then pruned

Each run lands a raw export of the time since the last run and an hour before it (that hour comes again), an audit log
and the agent groups, in which one row is always bad. A night has fewer grades than a day, and of 50 grades one is
changed on the day after. The database is published once a day, to save time. After a quarter, a half and all of the
days, everything is replayed.

Measured with --every 6 on 2 cores that others kept busy, each file landed by itself (load 9 to 11, in the last replay
4; the last column is of before small files landed together):

    91 days     729 files    6.9 MiB   database 29.3 MiB   1 refused row   replay  3.8 minutes
    182 days  1,457 files   13.5 MiB   database 44.8 MiB   1 refused row   replay 10.9 minutes
    365 days  2,921 files   26.8 MiB   database 72.3 MiB   1 refused row   replay  8.1 minutes

Files and bytes grow with the data and nothing else: two files a run, and one of the agent groups.

A replay reads and lands small files of a kind together. Measured with --replay-only, on the same cores:

                                       processor time a file   by the clock   load
    6 days, each by itself   289 files        145 ms              239 ms       10
    6 days                   289 files         11 ms               18 ms       10
    30 days                1,441 files         12 ms               61 ms       12
    365 days              17,521 files         14 ms               28 ms       10   8.2 minutes, database 70.0 MiB
    365 days              17,521 files          9 ms                8 ms        1   2.4 minutes, peak 718 MiB
"""

from __future__ import annotations

import argparse
import csv
import io
import os
import resource
import time
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl

from maestro_analytics.exports import ExportRecord, Window
from maestro_analytics.exports.ledger import file_ending, file_stem
from maestro_analytics.files import replace_durably, sha256_of
from maestro_analytics.pipeline import land_export
from maestro_analytics.tables.schemas import TABLES_BY_NAME
from maestro_analytics.warehouse import Master
from maestro_analytics.warehouse.ledger import keep_once
from maestro_analytics.warehouse.prune import prune
from maestro_analytics.warehouse.replay import replay
from tests.benchmarks.table import row

START = datetime(2025, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
GRADES_BY_DAY = 30
GRADES_BY_NIGHT = 3
ANSWERS = 12
RAW_TABLES = ("total_scores", "section_scores", "individual_answers", "annotations", "csat")


def grades_of(hour: int) -> Iterator[tuple[int, int, int]]:
    """The updates of an hour: the hour in which the ticket was graded, the grade's number in it, and its score."""
    for number in range(_graded(hour)):
        yield hour, number, 70 + number % 30
    for number in range(0, _graded(hour - 24), 50):
        yield hour - 24, number, 100


def _graded(hour: int) -> int:
    return 0 if hour < 0 else GRADES_BY_DAY if 8 <= hour % 24 < 20 else GRADES_BY_NIGHT


def text_of(table: str, rows: list[dict[str, str]]) -> str:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(TABLES_BY_NAME[table].file_columns), restval="", extrasaction="ignore")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def raw_export(hours: range) -> bytes:
    rows: dict[str, list[dict[str, str]]] = {name: [] for name in RAW_TABLES}
    newest = {(graded, number): (hour, score) for hour in hours for graded, number, score in grades_of(hour)}
    for (graded, number), (hour, score) in newest.items():
        at = f'="{START + hour * HOUR:%Y-%m-%d %H:%M:%S}"'
        grade = {
            "gradable_id": f"{graded}{number:05}",
            "agent_id": f"{(graded * 31 + number) % 5000}",
            "agent_name": f"Agent {(graded * 31 + number) % 5000}",
            "rubric_id": "r",
            "rubric_name": "Support",
            "date_graded": at,
            "date_reported_as": at,
            "grader": f"grader{number % 40}@example.com",
            "grade_type": "grading",
            "source": "zendesk",
            "section_id": "s",
            "section_name": "Greeting",
            "comment": f"What the grader wrote about ticket {graded}-{number}, in a sentence or two of text.",
        }
        rows["total_scores"].append(grade | {"rubric_score": f"{score}", "max_rubric_score": "100"})
        rows["section_scores"].append(grade | {"section_score": "5", "max_section_score": "10"})
        for question in range(ANSWERS):
            answer = {"question_id": f"q{question}", "question": f"Question {question}?", "answer_label": "Yes"}
            rows["individual_answers"].append(grade | answer | {"question_score": "1", "max_question_score": "1"})
        if number % 5 == 0:
            rows["csat"].append({"gradable_id": grade["gradable_id"], "source": "zendesk", "csat_score": "4"})
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as zipped:
        for name in RAW_TABLES:
            zipped.writestr(f"{name}.csv", text_of(name, rows[name]))
    return packed.getvalue()


def groups_export(hour: int) -> bytes:
    """5,000 agents, of whom one changes team each hour, and a row without a group."""
    rows = [
        {
            "group_id": f"team{(agent + (hour if agent == hour % 5000 else 0)) % 100}",
            "group_name": f"Team {agent % 100}",
            "agent_ids": f"{agent}",
            "agent_name": f"Agent {agent}",
            "agent_email": f"agent.{agent}@example.com",
            "available": "true",
        }
        for agent in range(5000)
    ]
    return text_of("agent_groups", [*rows, {"agent_ids": "5001"}]).encode()


def audit_export(hours: range) -> bytes:
    rows = [
        {
            "activity_id": f"{hour}-{number}",
            "time_stamp": f"{START + hour * HOUR:%Y-%m-%dT%H:%M:%SZ}",
            "description": "Graded a ticket",
        }
        for hour in hours
        for number in range(_graded(hour))
    ]
    return text_of("audit_logs", rows).encode()


def land(master: Master, kind: str, content: bytes, window: Window | None, at: datetime) -> None:
    """Receive an export at `at` and land it, as a refresh does."""
    export: ExportRecord = master.ledger.plan(kind, window, at)
    master.ledger.asked(export.seq, f"id_{export.seq}", at)
    part = master.exports_folder / "received.part"
    part.write_bytes(content)
    file = master.exports_folder / (file_stem(master.ledger.records("seq = ?", [export.seq])[0]) + file_ending(part))
    replace_durably(part, file)
    sha256 = sha256_of(file)
    master.ledger.received(export.seq, file=file, sha256=sha256, bytes=len(content), completed_at=at)
    (export,) = master.ledger.records("seq = ?", [export.seq])
    land_export(master, export)
    keep_once(master.connection, export, master.folder)


def keep_year(master: Master, hours: int, every: int) -> None:
    """What a year of runs leaves in the kept files and the ledger; nothing lands. The groups are there once."""
    exports = []

    def keep(kind: str, content: bytes, window: Window | None, at: datetime) -> None:
        seq = len(exports) + 1
        file = master.exports_folder / f"{kind}-{seq:06}-id_{seq}{'.zip' if content.startswith(b'PK') else '.csv'}"
        file.write_bytes(content)
        exports.append(
            {
                "seq": seq,
                "landing": seq,
                "kind": kind,
                "window_start": window.start if window else None,
                "window_end": window.end if window else None,
                "export_id": f"id_{seq}",
                "status": "landed",
                "file": f"exports/{file.name}",
                "bytes": len(content),
                "requested_at": at,
                "asked_at": at,
                "completed_at": at,
                "landed_at": at,
            }
        )

    for end in range(every, hours + 1, every):
        at = START + end * HOUR + timedelta(minutes=2)
        lately = range(max(end - every - 1, 0), end)
        window = Window(START + lately.start * HOUR, at - timedelta(minutes=2))
        keep("raw", raw_export(lately), window, at)
        keep("audit", audit_export(lately), window, at)
    keep("groups", groups_export(hours), None, at)
    master.connection.register("year", pl.DataFrame(exports, infer_schema_length=None))
    master.connection.execute("insert into state.exports by name select * from year")
    master.connection.unregister("year")


def kept(master: Master) -> tuple[int, int]:
    files = [file for file in master.exports_folder.iterdir() if file.is_file()]
    return len(files), sum(file.stat().st_size for file in files)


def tell(what: str, master: Master, seconds: float) -> None:
    files, size = kept(master)
    database = master.path.stat().st_size
    refused = master.query("select count(*) from state.quarantine").item()
    print(
        f"{what:<34}{files:>8,} files {size / 2**20:>9,.1f} MiB  database {database / 2**20:>8,.1f} MiB  "
        f"{refused:>4} refused rows  {seconds / 60:>6.1f} minutes",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--every", type=int, default=1, metavar="HOURS", help="time between runs")
    parser.add_argument("--replay-only", action="store_true", help="make the kept files without landing them; replay")
    parser.add_argument("--reconcile", action="store_true", help="land each week again, as `reconcile` does, and prune")
    options = parser.parse_args()
    hours = options.days * 24
    with TemporaryDirectory() as folder, Master.open(Path(folder)) as master:
        if options.replay_only:
            started = time.monotonic()
            keep_year(master, hours, options.every)
            tell(f"{options.days} days kept, one each {options.every} h", master, time.monotonic() - started)
            _replay(master)
            return
        seconds = 0.0
        for end in range(options.every, hours + 1, options.every):
            started = time.monotonic()
            at = START + end * HOUR + timedelta(minutes=2)
            lately = range(max(end - options.every - 1, 0), end)
            window = Window(START + lately.start * HOUR, at - timedelta(minutes=2))
            land(master, "raw", raw_export(lately), window, at)
            land(master, "audit", audit_export(lately), window, at)
            land(master, "groups", groups_export(end), None, at)
            if end % 24 == 0:
                master.publish()
            seconds += time.monotonic() - started
            if end in (hours // 4 // 24 * 24, hours // 2 // 24 * 24, hours):
                tell(f"{end // 24} days, a run each {options.every} h", master, seconds)
                _replay(master)
        if options.reconcile:
            started = time.monotonic()
            at = START + (hours + 1) * HOUR
            for week in range(0, hours, 168):
                window = Window(START + week * HOUR, START + min(week + 168, hours) * HOUR)
                land(master, "raw", raw_export(range(week, min(week + 168, hours))), window, at)
                land(master, "audit", audit_export(range(week, min(week + 168, hours))), window, at)
            tell("all requested again by week", master, time.monotonic() - started)
            started = time.monotonic()
            pruned = prune(master, at)
            master.publish()
            tell(f"pruned {sum(pruned.exports.values()):,} files", master, time.monotonic() - started)
            _replay(master)


def _replay(master: Master) -> None:
    started, used = time.monotonic(), time.process_time()
    files = sum(1 for _ in replay(master))
    seconds, used = time.monotonic() - started, time.process_time() - used
    tell("replay", master, seconds)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
    print(
        f"  {1000 * seconds / files:.1f} ms a file by the clock, {1000 * used / files:.1f} ms of processor time, peak "
        f"{peak:,.0f} MiB, load {os.getloadavg()[0]:.1f}",
        flush=True,
    )
    row(
        f"replay of {files:,} kept files",
        f"{seconds / 60:.1f} minutes, {used / 60:.1f} minutes of processor time, {peak:,.0f} MiB",
        "",
        "5 minutes",
    )


if __name__ == "__main__":
    main()
