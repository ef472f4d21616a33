"""What grows as a database grows: one that takes 64 million answers in exports of 2 million.

    python -m tests.benchmarks.growth                     measured at 1, 4, 16 and 64 million answers
    python -m tests.benchmarks.growth --millions 1,4      quicker

At each size: landing per million answers since the size before, 250,000 answers delivered again with other scores,
publishing, one answer over all grades and one over all answers, and the bytes that an answer takes in the file. Only
publishing and the answers may grow with the data, and no faster than it.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from maestro_analytics import analysis
from maestro_analytics.exports import Window
from maestro_analytics.tables.reader import read_export
from maestro_analytics.warehouse import Master
from maestro_analytics.warehouse import open as open_store
from tests.benchmarks.landing import ANSWERS_OF_A_GRADE
from tests.benchmarks.table import row

PART = 2_000_000
WEEK = 250_000
START = datetime(2026, 1, 1, tzinfo=UTC)


def make(path: Path, answers: int, first: int, score: float = 1.0) -> None:
    """In a process of its own, so that the peak of memory is that of landing."""
    first_grade = first // ANSWERS_OF_A_GRADE
    call = f"make_zip(Path({str(path)!r}), {answers}, first_grade={first_grade}, score={score})"
    code = f"from pathlib import Path; from tests.benchmarks.landing import make_zip; {call}"
    subprocess.run([sys.executable, "-c", code], check=True)


def land(master: Master, source: Path) -> float:
    """Read, check and land one export; seconds."""
    export = master.ledger.plan("raw", Window(START, START + timedelta(days=7)), START)
    began = time.perf_counter()
    with read_export(source, kind="raw", staging=master.staging) as delivery:
        master.land(export, delivery)
    return time.perf_counter() - began


def seconds_of(work) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--millions", default="1,4,16,64")
    sizes = [int(size) * 1_000_000 for size in parser.parse_args().millions.split(",")]
    heading = ("answers", "land 1 M", "again", "publish", "agent_scores", "question_scores", "bytes", "peak", "load")
    print(("{:>12}" + "{:>16}" * (len(heading) - 1)).format(*heading), flush=True)
    per_million = []
    with TemporaryDirectory(prefix="growth-benchmark-") as folder, Master.open(Path(folder) / "data") as master:
        source = Path(folder) / "part.zip"
        there = 0
        for size in sizes:
            landing, landed = 0.0, size - there
            while there < size:
                count = min(PART, size - there)
                make(source, count, there)
                landing += land(master, source)
                there += count
            per_million.append(landing / landed * 1_000_000)
            make(source, WEEK, 0, score=2.0)
            again = land(master, source)
            publishing = seconds_of(master.publish)
            with open_store(master.folder / "maestro.duckdb") as store:
                analysis.agent_scores(store)
                agents = seconds_of(lambda store=store: analysis.agent_scores(store))
                questions = seconds_of(lambda store=store: analysis.question_scores(store))
            size_in_bytes = (master.folder / "maestro.duckdb").stat().st_size / size
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
            seconds = (per_million[-1], again, publishing, agents, questions)
            print(
                f"{size:>12,}" + "".join(f"{value:>14.2f} s" for value in seconds) + f"{size_in_bytes:>16.1f}"
                f"{peak:>12,.0f} MiB{os.getloadavg()[0]:>16.1f}",
                flush=True,
            )
    shown = ", ".join(f"{seconds:.2f}" for seconds in per_million)
    reached = "/".join(str(size // 1_000_000) for size in sizes)
    row(f"landing of a million answers, {reached} million there", f"{shown} s", "", "flat")


if __name__ == "__main__":
    main()
