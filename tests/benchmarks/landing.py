"""How fast an export lands, beside what a user would pick instead. Prints ratios of one run; nothing is asserted.

    python -m tests.benchmarks.landing                        2 million answers
    python -m tests.benchmarks.landing --answers 200000       quicker
    python -m tests.benchmarks.landing --only ours,floor      some of the ways
    python -m tests.benchmarks.landing --rounds 3             in turn, and the median of each
    python -m tests.benchmarks.landing --redelivery 20000000  grades delivered again onto so many answers; publishing

Measured on 2 quiet cores: 2 million answers in 1.07 to 1.14 times the floor's seconds and 1.11 to 1.17 times its
processor time in three sittings on one machine, and in 1.29 to 1.33 and 1.34 to 1.37 times in six runs of the same code
on a machine with quicker cores, where the floor took 4.7 instead of 6.1 s; 637 to 735 MiB instead of 823 to 902. 16
million answers, one run of each in six sittings: 44 s and the floor 42 s (1.07 times, of processor time 1.21), 46 and
44 s (1.05 and 1.21), and on the first machine 52 and 50 s (1.06 and 1.15), 55 and 58 s (0.95 and 1.07), 63 and 60 s
(1.04 and 1.21), 66 and 81 s (0.82 and 0.95). 936 to 1,047 MiB instead of 1,433 to 1,682.

Processor time of 2 million answers, each step by itself: parsing 2.2 s, texts to values 1.6 s (2.0 s before guarded
moments were cut out without looking for null words first), keys 0.3 s, checks 0.3 s, staged Parquet 1.5 s, the insert
6 s, most of which is DuckDB's compression of texts. What did not pay: naming the compression of each column in the
tables takes a quarter off the insert (7.7 and 5.7 s) and leaves the file as it is, but DuckDB then refuses to copy the
database into a newer file; without some methods of compression the insert takes 2.7 to 4.3 s instead of 4.5 (quicker
cores) and the file up to eight times the space; sorted by grade it takes 7.1 s, for a file of 41 instead of 92 MB;
labels as dictionaries from the CSV reader on (parsing 2.2 and 3.5 s, for 1.3 s less of writing); Arrow files in the
place of Parquet; other sizes of blocks and batches; one thread more or less.

Every way runs in a process of its own, from the same zip to a table of a new DuckDB file, so that its peak memory is
its own. The slow ones get the first rows only; compare their rows a second. Needs the extra `bench`.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.benchmarks.table import row

ANSWERS_OF_A_GRADE = 25
MEMBER = "individual_answers.csv"
NUMBERS = ("alignment_score", "question_score", "max_question_score")
MOMENTS = ("date_graded", "ticket_created_at", "date_reported_as")
FREE_TEXT = ("question", "comment")
NULL_WORDS = ("", "N/A", "Unknown")

AT_MOST_ROWS = {"dictreader": 5_000, "dlt_rows": 10_000, "dlt_arrow": 200_000}
"""How many rows the slow ways get; their times are scaled."""


def make_zip(path: Path, answers: int, *, first_grade: int = 0, score: float = 1.0) -> None:
    """An unsorted raw export of so many answers, some 340 bytes each, and the total scores of their grades."""
    import polars as pl

    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=4) as archive:
        grades = answers // ANSWERS_OF_A_GRADE
        with archive.open("total_scores.csv", "w", force_zip64=True) as member:
            rows = pl.select((pl.int_range(0, grades) + first_grade).alias("grade"))
            _grade_columns(rows).with_columns(
                pl.lit(score).alias("rubric_score"), pl.lit("100").alias("max_rubric_score")
            ).drop("grade").write_csv(member)
        with archive.open(MEMBER, "w", force_zip64=True) as member:
            for part, start in enumerate(range(0, answers, 500_000)):
                count = min(500_000, answers - start)
                numbers = pl.select(pl.int_range(start, start + count).shuffle(seed=part).alias("n")).select(
                    grade=pl.col("n") // ANSWERS_OF_A_GRADE + first_grade, question=pl.col("n") % ANSWERS_OF_A_GRADE
                )
                member.write(_answers(numbers, score).write_csv(include_header=start == 0).encode())


def _grade_columns(rows):
    import polars as pl

    grade = pl.col("grade")
    at = (datetime(2026, 1, 1) + pl.duration(seconds=grade * 7)).dt.to_string('="%Y-%m-%d %H:%M:%S.%3f"')
    return rows.with_columns(
        gradable_id=(grade + 5_000_000).cast(pl.String),
        agent_id=pl.format("{}", grade % 500 + 70_000),
        agent_name=pl.format("Agent Number {}", grade % 500),
        agent_email=pl.format("agent.{}@example.com", grade % 500),
        rubric_id=pl.format("AatxWWtXWKcfiN34{}", grade % 7),
        rubric_name=pl.format("Support rubric {}", grade % 7),
        date_graded=at,
        grader=pl.format("grader{}@example.com", grade % 40),
        grade_type=pl.lit("grading"),
        ticket_created_at=at,
        date_reported_as=at,
        source=pl.lit("zendesk"),
        alignment_score=pl.lit("N/A"),
        target_answer_id=pl.lit(""),
        original_grader=pl.lit("Unknown"),
    )


def _answers(numbers, score: float):
    import polars as pl

    question = pl.col("question")
    told = pl.format('The "agent" was polite, but slow to answer and did not confirm order {}', pl.col("grade"))
    return (
        _grade_columns(numbers)
        .with_columns(
            section_id=pl.format("sec{}", question // 5),
            section_name=pl.format("Section {}", question // 5),
            question_id=pl.format("question{}", question),
            answer_label=pl.when(question % 3 == 0).then(pl.lit("No")).otherwise(pl.lit("Yes")),
            feedback_answer_label=pl.lit(""),
            question_score=pl.lit(score),
            max_question_score=pl.lit("5"),
            comment=pl.when(question % 4 == 0).then(told).otherwise(pl.lit("")),
            question=pl.format("Did the agent do the thing number {} in a proper way?", question),
        )
        .drop("grade")
    )


def first_rows(source: Path, rows: int | None) -> Iterator[dict[str, str]]:
    with zipfile.ZipFile(source) as archive, archive.open(MEMBER) as member:
        for number, row in enumerate(csv.DictReader(io.TextIOWrapper(member, "utf-8", newline=""))):
            if number == rows:
                return
            yield row


def ours(source: Path, folder: Path, rows: int | None) -> int:
    from maestro_analytics.exports import Window
    from maestro_analytics.tables.reader import read_export
    from maestro_analytics.warehouse import Master

    start = datetime(2026, 1, 1, tzinfo=UTC)
    with Master.open(folder / "data") as master:
        export = master.ledger.plan("raw", Window(start, start + timedelta(days=7)), start)
        with read_export(source, kind="raw", staging=master.staging) as delivery:
            return master.land(export, delivery).rows["individual_answers"]


def floor(source: Path, folder: Path, rows: int | None) -> int:
    """DuckDB's own reader and casts in SQL, of the answers alone, into a file of the storage version that we publish.

    It knows no grade, has no quarantine, and one bad cast fails it all.
    """
    import duckdb

    from maestro_analytics.warehouse.connection import STORAGE_VERSION

    with zipfile.ZipFile(source) as archive:
        unpacked = archive.extract(MEMBER, folder)
    with open(unpacked, encoding="utf-8") as file:  # noqa: PTH123
        names = file.readline().strip().split(",")
    config = {"preserve_insertion_order": "false", "storage_compatibility_version": STORAGE_VERSION}
    connection = duckdb.connect(folder / "floor.duckdb", config=config)
    connection.execute("set TimeZone = 'UTC'")
    connection.execute(
        f"create table answers as select {', '.join(_cast(name) for name in names)} from read_csv('{unpacked}', "
        "all_varchar = true, header = true, delim = ',', quote = '\"', escape = '\"')"
    )
    count = connection.execute("select count(*) from answers").fetchall()[0][0]
    connection.close()
    return int(count)


def _cast(name: str) -> str:
    value = f"nullif(nullif(nullif({name}, ''), 'N/A'), 'Unknown')"
    if name in FREE_TEXT:
        return name
    if name in NUMBERS:
        return f"cast({value} as double) as {name}"
    if name in MOMENTS:
        return f"cast(replace(replace({value}, '=\"', ''), '\"', '') as timestamptz) as {name}"
    return f"{value} as {name}"


def pandas(source: Path, folder: Path, rows: int | None) -> int:
    import duckdb
    import pandas as pd

    with zipfile.ZipFile(source) as archive, archive.open(MEMBER) as member:
        frame = pd.read_csv(member, dtype=str, keep_default_na=False)
    for name in frame.columns:
        if name in FREE_TEXT:
            continue
        column = frame[name].where(~frame[name].isin(NULL_WORDS))
        if name in NUMBERS:
            column = pd.to_numeric(column)
        elif name in MOMENTS:
            column = pd.to_datetime(column.str.removeprefix('="').str.removesuffix('"'), utc=True)
        frame[name] = column
    connection = duckdb.connect(folder / "pandas.duckdb")
    connection.execute("create table answers as select * from frame")
    connection.close()
    return len(frame)


def dictreader(source: Path, folder: Path, rows: int | None) -> int:
    """What the public connectors amount to."""
    import duckdb

    connection = duckdb.connect(folder / "rows.duckdb")
    found = [list(row.values()) for row in first_rows(source, rows)]
    names = next(first_rows(source, 1))
    connection.execute(f"create table answers ({', '.join(f'{name} varchar' for name in names)})")
    connection.executemany(f"insert into answers values ({', '.join('?' * len(names))})", found)
    connection.close()
    return len(found)


def _dlt(folder: Path, data: object) -> None:
    import dlt

    os.environ["DLT_DATA_DIR"] = os.environ["DLT_PROJECT_DIR"] = str(folder)
    os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
    pipeline = dlt.pipeline(
        "answers",
        destination=dlt.destinations.duckdb(str(folder / "dlt.duckdb")),
        dataset_name="main_data",
        pipelines_dir=str(folder / "pipelines"),
    )
    pipeline.run(
        data,
        table_name="answers",
        write_disposition="merge",
        primary_key=["source", "gradable_id", "rubric_id", "agent_id", "grade_type", "question_id"],
    )


def dlt_rows(source: Path, folder: Path, rows: int | None) -> int:
    """dlt as its guide shows it: a generator of rows, merged by key."""
    _dlt(folder, first_rows(source, rows))
    return rows or 0


def dlt_arrow(source: Path, folder: Path, rows: int | None) -> int:
    """dlt as an expert would: Arrow tables, merged by key."""
    import pyarrow.csv as arrow_csv

    with zipfile.ZipFile(source) as archive, archive.open(MEMBER) as member:
        table = arrow_csv.read_csv(member, parse_options=arrow_csv.ParseOptions(newlines_in_values=True)).slice(0, rows)
    _dlt(folder, table)
    return int(table.num_rows)


WAYS: dict[str, Callable[[Path, Path, int | None], int]] = {
    "ours": ours,
    "floor": floor,
    "pandas": pandas,
    "dlt_arrow": dlt_arrow,
    "dlt_rows": dlt_rows,
    "dictreader": dictreader,
}


def measure(way: str, source: Path, rows: int | None) -> dict[str, float]:
    """Run one way in this process; imports are not counted."""
    import duckdb  # noqa: F401
    import polars  # noqa: F401
    import pyarrow.csv  # noqa: F401

    import maestro_analytics.tables.reader
    import maestro_analytics.warehouse  # noqa: F401

    with tempfile.TemporaryDirectory(dir=source.parent) as folder:
        processor, started = time.process_time(), time.perf_counter()
        landed = WAYS[way](source, Path(folder), rows)
        seconds = time.perf_counter() - started
        processor = time.process_time() - processor
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20 if sys.platform == "darwin" else 1 << 10)
    return {"seconds": seconds, "processor": processor, "rows": landed, "peak": peak}


def compare(source: Path, answers: int, ways: list[str], rounds: int) -> None:
    found: dict[str, list[dict[str, float]]] = {way: [] for way in ways}
    for _ in range(rounds):
        for way in ways:
            rows = AT_MOST_ROWS.get(way)
            command = [sys.executable, "-m", "tests.benchmarks.landing", "--measure", way, "--source", str(source)]
            printed = subprocess.run(
                [*command, *(["--rows", str(rows)] if rows else [])], check=True, capture_output=True, text=True
            ).stdout
            found[way].append(json.loads(printed.splitlines()[-1]))
    results = {
        way: {what: statistics.median(result[what] for result in of_way) for what in of_way[0]}
        for way, of_way in found.items()
    }
    first = next(iter(results.values()))
    first_speed = first["rows"] / first["seconds"]
    print(f"{answers:,} answers, {source.stat().st_size / 2**20:.0f} MiB zipped, {os.cpu_count()} cores")
    print(f"{'way':<12}{'seconds':>9}{'processor':>11}{'rows/s':>12}{'time, first = 1':>16}{'peak MiB':>10}")
    for way, result in results.items():
        speed = result["rows"] / result["seconds"]
        scaled = f"  measured on {result['rows']:,.0f} rows" if result["rows"] < answers else ""
        print(
            f"{way:<12}{result['seconds']:>9.2f}{result['processor']:>11.2f}{speed:>12,.0f}{first_speed / speed:>16.2f}"
            f"{result['peak']:>10.0f}{scaled}",
            flush=True,
        )
    if {"ours", "floor"} <= set(results):
        ours, floor = results["ours"], results["floor"]
        row(
            f"zip of {answers / 1e6:g} million answers to table",
            f"{ours['seconds']:.2f} s, {ours['processor']:.2f} s of processor time, {ours['peak']:.0f} MiB",
            f"DuckDB read_csv: {floor['seconds']:.2f} s, {floor['processor']:.2f} s, {floor['peak']:.0f} MiB",
            f"{ours['seconds'] / floor['seconds']:.2f}; processor {ours['processor'] / floor['processor']:.2f}",
        )


def redelivery(folder: Path, answers: int) -> None:
    """A tenth of the grades again, onto all of them; beside the bare statements, and publishing beside a plain copy."""
    from maestro_analytics.exports import Window
    from maestro_analytics.tables.reader import read_export
    from maestro_analytics.tables.schemas import GRADE_TABLES
    from maestro_analytics.warehouse import Master

    start = datetime(2026, 1, 1, tzinfo=UTC)
    part = 2_000_000
    with Master.open(folder / "data") as master:

        def land(source: Path) -> tuple[float, float]:
            export = master.ledger.plan("raw", Window(start, start + timedelta(days=7)), start)
            began = time.perf_counter()
            with read_export(source, kind="raw", staging=master.staging) as delivery:
                read = time.perf_counter()
                master.land(export, delivery)
            return read - began, time.perf_counter() - read

        for first in range(0, answers, part):
            source = folder / "part.zip"
            make_zip(source, min(part, answers - first), first_grade=first // ANSWERS_OF_A_GRADE)
            land(source)
        again = answers * 9 // 40
        make_zip(folder / "again.zip", again, first_grade=1000, score=2.0)
        read_seconds, land_seconds = land(folder / "again.zip")
        # The bare statements: what is landed goes out and in again, by key, from Parquet.
        connection = master.connection
        files = {}
        for table in GRADE_TABLES[:3]:
            files[table.name] = str(folder / f"{table.name}.parquet")
            connection.execute(
                f"copy (select * from {table.name} where grade_key in (select grade_key from state.grade_versions "
                f"where export_seq = (select max(seq) from state.exports))) to '{files[table.name]}'"
            )
        began = time.perf_counter()
        connection.execute("begin")
        for name, file in files.items():
            connection.execute(f"delete from {name} where grade_key in (select grade_key from read_parquet('{file}'))")
            connection.execute(f"insert into {name} select * from read_parquet('{file}')")
        connection.execute("commit")
        bare_seconds = time.perf_counter() - began
        ratio = land_seconds / bare_seconds
        print(f"{again:,} answers again onto {answers:,}: read and checked in {read_seconds:.2f} s,")
        print(f"landed in {land_seconds:.2f} s, {ratio:.2f} times the bare delete and insert ({bare_seconds:.2f} s)")
        began = time.perf_counter()
        published = master.publish()
        publish_seconds = time.perf_counter() - began
        began = time.perf_counter()
        subprocess.run(["cp", "--reflink=never", published, folder / "copy"], check=True)
        copy_seconds = time.perf_counter() - began
        subprocess.run(["sync", folder / "copy"], check=True)
        synced_seconds = time.perf_counter() - began
        size = published.stat().st_size / 2**20
        print(f"published {size:.0f} MiB in {publish_seconds:.2f} s: {publish_seconds / copy_seconds:.2f} times `cp`,")
        print(
            f"{publish_seconds / synced_seconds:.2f} times `cp` and `sync` (it sees the copy onto the disk, as we do)"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--answers", type=int, default=2_000_000)
    parser.add_argument("--only", default=",".join(WAYS))
    parser.add_argument("--rounds", type=int, default=1, help="take each way so often, in turn; the median counts")
    parser.add_argument("--redelivery", type=int, metavar="ANSWERS")
    parser.add_argument("--make", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    parser.add_argument("--source", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--rows", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.make:
        make_zip(options.make, options.answers)
        return
    if options.measure:
        print(json.dumps(measure(options.measure, options.source, options.rows)))
        return
    folder = Path(tempfile.mkdtemp())
    try:
        if options.redelivery:
            redelivery(folder, options.redelivery)
            return
        # In a process of its own: a child starts with the peak memory of its parent.
        make = [sys.executable, "-m", "tests.benchmarks.landing", "--make", str(folder / "raw.zip")]
        subprocess.run([*make, "--answers", str(options.answers)], check=True)
        compare(folder / "raw.zip", options.answers, options.only.split(","), options.rounds)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
