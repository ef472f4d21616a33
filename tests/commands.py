"""The command line as a real process, with settings that reach a sandbox."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import time
import warnings
from collections.abc import Mapping, Sequence
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self

from maestro_analytics import account
from maestro_analytics.cli import main
from maestro_analytics.exports.lifecycle import PollPace
from maestro_analytics.sandbox import Sandbox
from tests import new_databases

Streams = Sequence[Path | Connection]
"""Standard input, output and error of a command: files, a terminal or the end of a pipe."""

COMMAND = [sys.executable, "-m", "maestro_analytics"]

# A process that has imported what commands import, and forks one for each command: an import takes 0.6 s of processor
# time, more than most commands work, and the suite runs hundreds of them. Nothing in it may have started a thread
# that a command needs. A process has one such list, the one that was set last: what is forked elsewhere is in it, too.
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(
    [
        "tests.commands",
        "tests.warehouse.test_killed",
        "maestro_analytics.pipeline",
        "maestro_analytics.cli.output",
        "maestro_analytics.push.push",
        "maestro_analytics.warehouse.store",
        "maestro_analytics.warehouse.replay",
        "maestro_analytics.analysis.report.sections",
        "rich.table",
        "scipy.linalg",
        "scipy.special",
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


def fork(given: Mapping[str, str], words: Sequence[str], folder: Path, streams: Streams) -> ForkServerProcess:
    """Start a command as a fork of the process that has imported its modules."""
    process = FORKS.Process(target=_become, args=(given, words, folder, streams, new_databases.copied))
    process.start()
    return process


def _become(given: Mapping[str, str], words: Sequence[str], folder: Path, streams: Streams, new: Path | None) -> None:
    """Turn this process into the command, with its streams, environment, folder and arguments."""
    if new is not None:
        new_databases.copy_from(new)
    for number, stream in enumerate(streams):
        opened = os.open(stream, os.O_RDWR | os.O_CREAT) if isinstance(stream, Path) else stream.fileno()
        os.dup2(opened, number)
        os.close(opened) if isinstance(stream, Path) else stream.close()
    sys.stdin, sys.stdout, sys.stderr = (os.fdopen(number, mode, encoding="utf-8") for number, mode in enumerate("rww"))
    os.environ.clear()
    os.environ.update(given)
    time.tzset()
    if given.get("PYTHONWARNINGS") == "error":
        warnings.simplefilter("error")
    # A sandbox's exports are ready at once. Commands poll it as `refresh --sandbox` does, not after two seconds first.
    PollPace.__init__.__defaults__ = (0.1, PollPace.factor, PollPace.longest_seconds)
    account._ROUNDS = 1  # as in conftest.py
    os.chdir(folder)
    sys.argv = ["maestro-analytics", *words]
    main()


class Started:
    """A command that runs, to be stopped in its course. A context manager that waits for its end.

    Attributes:
        stderr: its lines on standard error, as they come.
    """

    def __init__(self, folder: Path, words: Sequence[str], given: Mapping[str, str]) -> None:
        self._folder = TemporaryDirectory()
        self._out = Path(self._folder.name, "out")
        reading, writing = multiprocessing.Pipe(duplex=False)
        self._process = fork(given, words, folder, [Path(os.devnull), self._out, writing])
        writing.close()
        self.stderr = os.fdopen(os.dup(reading.fileno()), encoding="utf-8")
        reading.close()

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        assert self._process.pid is not None
        os.kill(self._process.pid, number)

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """Wait for its end; what it wrote, and the rest of its lines."""
        rest = self.stderr.read()
        self._process.join(timeout)
        return self._out.read_text(encoding="utf-8"), rest

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        if exc[0] is not None:
            self._process.kill()
        self._process.join()
        self.stderr.close()
        self._folder.cleanup()


def start(folder: Path, *words: str, sandbox: Sandbox, **more: str) -> Started:
    """Start a command, to be stopped in its course."""
    return Started(folder, words, environment(folder, sandbox, **more))
