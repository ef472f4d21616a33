"""How long people wait for commands that do little, beside the start of Python with DuckDB and polars.

    python -m tests.benchmarks.commands [--runs 5]

Prints the quickest of some runs, its processor time (user and system, which says more on a busy machine), and the ratio
of that to the start of Python with both libraries. The data is that of a fresh sandbox.

Measured on 2 slow cores that others used too (load 5 to 7): the least processor time of twelve runs, in turns with
the version before (in brackets), and its ratio to both libraries, which took 0.28 s:

    --version 0.18 s, 0.6                        status 0.39 s, 1.4 (0.80 s, 2.9)
    ma.open(), repr 0.32 s, 1.1 (0.54 s, 1.9)    sql 0.51 s, 1.8 (0.76 s, 2.7)
    report agents 1.33 s, 4.8 (1.51 s, 5.4)

What went: pyarrow with numpy (0.10 s) from every result, because polars reads the stream that DuckDB offers (1 million
answers of 25 columns: as fast, and 828 instead of 871 MiB; materialized first, 1,407 MiB); polars (0.13 s) where no
frame is needed, such as the table that `sql` prints (0.51 and 0.37 s, in turns); pydantic-settings (0.08 s). What `sql`
still has on top of DuckDB: typer with pydantic and our own modules 0.14 s, opening the file 0.07 s. Not worth its code:
less frequent garbage collection while modules are imported (3 to 5 %), no search for plugins of pydantic (0.015 s).
Once open, a repr takes no time and the HTML of a notebook 0.07 s.

`make demo` of a fresh clone, with packages in the cache: 33 s of processor time (42 s), of which installing 5 s (9 s).
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from maestro_analytics.sandbox import Sandbox
from tests.benchmarks.table import row

MAIN = "from maestro_analytics.cli import main; main()"
COMMANDS = {
    "import duckdb, polars": ("import duckdb, polars", ()),
    "--version": (MAIN, ("--version",)),
    "--help": (MAIN, ("--help",)),
    "status": (MAIN, ("status",)),
    'sql "select 1"': (MAIN, ("sql", "select 1")),
    "report agents": (MAIN, ("report", "agents")),
    "ma.open(), repr": ("import maestro_analytics as ma; repr(ma.open())", ()),
    "ma.open(), agent_scores": ("import maestro_analytics as ma; ma.analysis.agent_scores(ma.open())", ()),
}
IN_TABLE = ("status", 'sql "select 1"', "ma.open(), repr", "ma.open(), agent_scores")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    runs: int = parser.parse_args().runs
    with tempfile.TemporaryDirectory(prefix="commands-benchmark-") as folder:
        environment = {**os.environ, "MAESTRO_DATA": folder, "MAESTRO_CACHE": str(Path(folder) / "cache")}

        def run(code: str, *words: str) -> tuple[float, float]:
            """Seconds by the clock, and of processor time."""
            started, used = time.perf_counter(), processor_seconds()
            subprocess.run([sys.executable, "-c", code, *words], env=environment, check=True, capture_output=True)
            return time.perf_counter() - started, processor_seconds() - used

        print(f"{'':28} {'clock':>8} {'processor':>10} {'ratio':>6}")
        seconds, used = run(MAIN, "refresh", "--sandbox", "--quiet")
        print(f"{'refresh --sandbox':28} {seconds:6.2f} s {used:8.2f} s")
        least: dict[str, float] = {}
        environment["MAESTRO_DATA"] = str(Path(folder) / "sandbox")
        for name, (code, words) in COMMANDS.items():
            seconds, least[name] = map(min, zip(*(run(code, *words) for _ in range(runs)), strict=True))
            ratio = least[name] / next(iter(least.values()))
            print(f"{name:28} {seconds:6.2f} s {least[name]:8.2f} s {ratio:6.2f}", flush=True)
            if name in IN_TABLE:
                row(name, f"{seconds:.2f} s", "", f"{ratio:.2f} times the imports of duckdb and polars; 0.4 s")
        site(run, environment)


def site(run: Callable[..., tuple[float, float]], environment: dict[str, str]) -> None:
    """`report site` for a contact centre of 300 agents."""
    with Sandbox(agents=300, days=60, requests_per_second=None, requests_per_minute=None) as sandbox:
        environment |= {
            "MAESTRO_DATA": str(Path(environment["MAESTRO_CACHE"]) / "of-300-agents"),
            "MAESTRO_BASE_URL": sandbox.base_url,
            "MAESTRO_API_TOKEN": sandbox.token,
            "MAESTRO_REQUESTS_PER_SECOND": "1000",
            "MAESTRO_REQUESTS_PER_MINUTE": "60000",
        }
        run(MAIN, "refresh", "--since", f"{sandbox.truth.start:%Y-%m-%d}", "--quiet")
        folder = Path(environment["MAESTRO_CACHE"]) / "site"
        seconds, used = run(MAIN, "report", "site", "--output", str(folder))
    pages = sum(1 for _ in folder.rglob("*.html"))
    print(f"{'report site, 300 agents':28} {seconds:6.2f} s {used:8.2f} s        {pages} pages", flush=True)
    row("report site, 300 agents", f"{seconds:.1f} s", f"{pages} pages", "60 s")


def processor_seconds() -> float:
    """User and system time of all processes that were started and have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
