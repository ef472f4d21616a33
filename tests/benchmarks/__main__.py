"""Every benchmark in one sitting, each in a process of its own, and what they measured as one table at the end.

    python -m tests.benchmarks             all of them: half an hour on two cores that nothing else uses
    python -m tests.benchmarks commands    one of them

How long a fresh clone takes to its result is measured outside: `time make demo`, `time make test`.
"""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime

from tests.benchmarks.table import BEGIN, HEADING, row

SITTING = (
    ("commands",),
    ("landing", "--only", "ours,floor", "--rounds", "3"),
    ("landing", "--only", "ours,floor", "--answers", "16000000"),
    ("answers",),
    ("lake", "--no-spark"),
    ("lake", "--answers", "4000000", "--months", "8"),
    ("year", "--replay-only"),
    ("coaching",),
    ("growth",),
)


def main(wanted: list[str]) -> None:
    rows = []
    for module, *options in SITTING:
        if wanted and module not in wanted:
            continue
        began = f"{datetime.now(UTC):%H:%M:%S}, load {os.getloadavg()[0]:.1f}"
        print(f"== {' '.join((module, *options))} ({began})", flush=True)
        command = [sys.executable, "-m", f"tests.benchmarks.{module}", *options]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
            for line in running.stdout or ():
                print(line, end="", flush=True)
                if line.startswith(BEGIN):
                    rows.append(line)
        if running.returncode:
            sys.exit(f"{' '.join(command)} ended with {running.returncode}")
    print("\n== Together")
    row(*HEADING)
    row(*("---",) * len(HEADING))
    print("".join(rows), end="")


if __name__ == "__main__":
    main(sys.argv[1:])
