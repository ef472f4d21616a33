"""How long people wait for commands that do little, beside the start of Python with DuckDB and polars.

    python -m tests.benchmarks.commands [--runs 5]

Prints the quickest of some runs, and its ratio to the start of Python with both libraries. The data is that of a fresh
sandbox.

Measured on 2 slow cores: both libraries 0.28 s; `status` and `sql` 0.85 s (3.1 times), a repr 0.53 s, `report agents`
1.6 s. What `sql` has on top are imports: typer 0.13 s, pyarrow 0.11 s, the commands 0.1 s, pydantic-settings 0.05 s.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

MAIN = "from maestro_analytics.cli import main; main()"
COMMANDS = {
    "import duckdb, polars": ("import duckdb, polars", ()),
    "--help": (MAIN, ("--help",)),
    "status": (MAIN, ("status",)),
    'sql "select 1"': (MAIN, ("sql", "select 1")),
    "report agents": (MAIN, ("report", "agents")),
    "ma.open(), repr": ("import maestro_analytics as ma; repr(ma.open())", ()),
    "ma.open(), agent_scores": ("import maestro_analytics as ma; ma.analysis.agent_scores(ma.open())", ()),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    runs: int = parser.parse_args().runs
    with tempfile.TemporaryDirectory(prefix="commands-benchmark-") as folder:
        environment = {**os.environ, "MAESTRO_DATA": folder, "MAESTRO_CACHE": str(Path(folder) / "cache")}

        def run(code: str, *words: str) -> float:
            started = time.perf_counter()
            subprocess.run([sys.executable, "-c", code, *words], env=environment, check=True, capture_output=True)
            return time.perf_counter() - started

        print(f"{'refresh --sandbox':28} {run(MAIN, 'refresh', '--sandbox', '--quiet'):6.2f} s")
        quickest: dict[str, float] = {}
        for name, (code, words) in COMMANDS.items():
            quickest[name] = min(run(code, *words) for _ in range(runs))
            ratio = quickest[name] / next(iter(quickest.values()))
            print(f"{name:28} {quickest[name]:6.2f} s   {ratio:5.2f}")


if __name__ == "__main__":
    main()
