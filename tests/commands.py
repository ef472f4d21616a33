"""The command line as a real process, with settings that reach a sandbox."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import time
import warnings
from collections.abc import Mapping, Sequence
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from maestro_analytics.cli import main
from maestro_analytics.sandbox import Sandbox

COMMAND = [sys.executable, "-m", "maestro_analytics"]

# A process that has imported what commands import, and forks one for each command: an import takes 0.6 s of processor
# time, more than most commands work, and the suite runs hundreds of them. Nothing in it may have started a thread
# that a command needs.
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(
    [
        "tests.commands",
        "maestro_analytics.pipeline",
        "maestro_analytics.cli.output",
        "maestro_analytics.push.push",
        "maestro_analytics.warehouse.status",
        "maestro_analytics.warehouse.replay",
        "maestro_analytics.analysis.report.sections",
    ]
)


def environment(folder: Path, sandbox: Sandbox | None = None, **more: str) -> dict[str, str]:
    """The environment of a command that works below `folder`; warnings are errors in it."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MAESTRO_")}
    given = {
        "MAESTRO_DATA": str(folder / "data"),
        "MAESTRO_CACHE": str(folder / "cache"),
        "MAESTRO_REQUESTS_PER_SECOND": "1000",
        "MAESTRO_REQUESTS_PER_MINUTE": "60000",
        "PYTHONWARNINGS": "error",
    }
    if sandbox is not None:
        given |= {"MAESTRO_BASE_URL": sandbox.base_url, "MAESTRO_API_TOKEN": sandbox.token}
    return kept | given | more


def run(folder: Path, *words: str, sandbox: Sandbox | None = None, **more: str) -> subprocess.CompletedProcess[str]:
    """Run a command below `folder` to its end."""
    done = run_in(environment(folder, sandbox, **more), *words, folder=folder)
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())


def run_in(given: Mapping[str, str], *words: str, folder: Path | None = None) -> subprocess.CompletedProcess[bytes]:
    """Run a command to its end with the environment `given`."""
    with TemporaryDirectory() as streams:
        out, err = Path(streams, "out"), Path(streams, "err")
        process = fork(given, words, folder or Path.cwd(), [Path(os.devnull), out, err])
        process.join()
        assert process.exitcode is not None
        return subprocess.CompletedProcess(words, process.exitcode, out.read_bytes(), err.read_bytes())


def fork(given: Mapping[str, str], words: Sequence[str], folder: Path, streams: Sequence[Path]) -> ForkServerProcess:
    """Start a command as a fork of the process that has imported its modules; `streams` are files or a terminal."""
    process = FORKS.Process(target=_become, args=(given, words, folder, streams))
    process.start()
    return process


def _become(given: Mapping[str, str], words: Sequence[str], folder: Path, streams: Sequence[Path]) -> None:
    """Turn this process into the command, with its streams, environment, folder and arguments."""
    for number, path in enumerate(streams):
        os.dup2(os.open(path, os.O_RDWR | os.O_CREAT), number)
    sys.stdin, sys.stdout, sys.stderr = (os.fdopen(number, mode, encoding="utf-8") for number, mode in enumerate("rww"))
    os.environ.clear()
    os.environ.update(given)
    time.tzset()
    if given.get("PYTHONWARNINGS") == "error":
        warnings.simplefilter("error")
    os.chdir(folder)
    sys.argv = ["maestro-analytics", *words]
    main()


def start(folder: Path, *words: str, sandbox: Sandbox, **more: str) -> subprocess.Popen[Any]:
    """Start a command in a new interpreter, to be stopped in its course."""
    return subprocess.Popen(
        [*COMMAND, *words],
        env=environment(folder, sandbox, **more),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=folder,
    )
