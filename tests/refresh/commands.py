"""The command line as a real process, with settings that reach a sandbox.

A process of Python needs two seconds for its imports, longer than most commands run. So one process makes the imports,
and each command is a fork of it: a process of its own, with its own environment, folder, signals and exit code.
"""

from __future__ import annotations

import atexit
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from maestro_analytics.sandbox import Sandbox

FORKS = """
import gc, json, os, socket, sys
import maestro_analytics.cli.refresh, maestro_analytics.exports.progress, maestro_analytics.pipeline

gc.freeze()
requests = socket.socket(fileno=int(sys.argv[1]))
while True:
    message, files, _, _ = socket.recv_fds(requests, 1 << 20, 2)
    if not message:
        os._exit(0)
    asked = json.loads(message)
    if "wait" in asked:
        requests.send(json.dumps(os.waitstatus_to_exitcode(os.waitpid(asked["wait"], 0)[1])).encode())
    elif (process := os.fork()):
        for file in files:
            os.close(file)
        requests.send(json.dumps(process).encode())
    else:
        break

requests.close()
os.dup2(files[0], 1)
os.dup2(files[1], 2)
sys.stdout = os.fdopen(1, "w", closefd=False)
sys.stderr = os.fdopen(2, "w", buffering=1, errors="backslashreplace", closefd=False)
os.chdir(asked["folder"])
os.environ.clear()
os.environ.update(asked["environment"])
sys.argv = ["maestro-analytics", *asked["words"]]
maestro_analytics.cli.main()
"""


@cache
def _server() -> socket.socket:
    """The process that forks, started at the first command of this test process."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    environment = dict(os.environ) | {"PYTHONWARNINGS": "error", "POLARS_ALLOW_FORKING_THREAD": "1"}
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-c", FORKS, str(theirs.fileno())], pass_fds=[theirs.fileno()], env=environment
        )

    def end() -> None:
        ours.close()
        process.wait()

    atexit.register(end)
    return ours


class Process:
    """A running command; a context manager."""

    def __init__(self, folder: Path, words: tuple[str, ...], environment: dict[str, str]) -> None:
        reading, writing = os.pipe()
        self.stderr: IO[str] = os.fdopen(reading, encoding="utf-8")
        self._stdout = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115 - closed at the exit
        asked = {"folder": str(folder), "words": words, "environment": environment}
        socket.send_fds(_server(), [json.dumps(asked).encode()], [self._stdout.fileno(), writing])
        self.pid = int(_server().recv(1 << 10))
        os.close(writing)
        self.returncode: int | None = None

    def send_signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def communicate(self) -> tuple[str, str]:
        """Wait for the end; standard output, and what was not read yet of standard error."""
        stderr = self.stderr.read()
        _server().send(json.dumps({"wait": self.pid}).encode())
        self.returncode = int(_server().recv(1 << 10))
        self._stdout.seek(0)
        return self._stdout.read(), stderr

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.returncode is None:
            self.kill()
            self.communicate()
        self.stderr.close()
        self._stdout.close()


def environment(folder: Path, sandbox: Sandbox | None = None, **more: str) -> dict[str, str]:
    """The environment of a command that works below `folder`; warnings are errors in it."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MAESTRO_")}
    given = {
        "MAESTRO_DATA": str(folder / "data"),
        "MAESTRO_CACHE": str(folder / "cache"),
        "MAESTRO_REQUESTS_PER_SECOND": "1000",
        "MAESTRO_REQUESTS_PER_MINUTE": "60000",
    }
    if sandbox is not None:
        given |= {"MAESTRO_BASE_URL": sandbox.base_url, "MAESTRO_API_TOKEN": sandbox.token}
    return kept | given | more


def start(folder: Path, *words: str, sandbox: Sandbox | None = None, **more: Any) -> Process:
    """Start a command, to be stopped in its course."""
    return Process(folder, words, environment(folder, sandbox, **more))


def run(folder: Path, *words: str, sandbox: Sandbox | None = None, **more: Any) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    with start(folder, *words, sandbox=sandbox, **more) as process:
        stdout, stderr = process.communicate()
        return subprocess.CompletedProcess(words, process.returncode or 0, stdout, stderr)
