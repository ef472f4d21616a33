"""The command line as a real process, with settings that reach a sandbox."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from maestro_analytics.sandbox import Sandbox

COMMAND = [sys.executable, "-m", "maestro_analytics"]


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
    """Run a command to its end."""
    return subprocess.run(
        [*COMMAND, *words],
        env=environment(folder, sandbox, **more),
        capture_output=True,
        text=True,
        cwd=folder,
        check=False,
    )


def start(folder: Path, *words: str, sandbox: Sandbox, **more: str) -> subprocess.Popen[Any]:
    """Start a command, to be stopped in its course."""
    return subprocess.Popen(
        [*COMMAND, *words],
        env=environment(folder, sandbox, **more),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=folder,
    )
