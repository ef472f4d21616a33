"""The Python and console blocks of every README run, against a database of the sandbox and a running sandbox.

A block marked `python` runs with the blocks above it in the same file, in one process. Of a block marked `console`, the
lines that start with `$ ` run in bash. `make` is not called again; its targets are checked by name.
Blocks marked `sh`, `sql` or without a mark are not run here: `sh` is for what needs an account, a cluster or a bucket.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from maestro_analytics.sandbox import Sandbox
from tests.commands import run_in

ROOT = Path(__file__).parents[1]
READMES = [ROOT / "README.md", *sorted((ROOT / "maestro_analytics").rglob("README.md"))]
# tests/sandbox/test_readme_session.py runs the console session of the sandbox's README and compares what it prints.
WITH_CONSOLE = [readme for readme in READMES if readme.parent.name != "sandbox"]
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(readme, language):
    return [body for mark, body in FENCE.findall(readme.read_text(encoding="utf-8")) if mark == language]


@pytest.fixture(scope="module")
def account():
    """A running sandbox, so that a README's client has an account to talk to."""
    with Sandbox(agents=6, days=60, requests_per_second=None, requests_per_minute=None) as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def environment(account, tmp_path_factory):
    """The settings of that account, with a data folder that a refresh has filled."""
    folder = tmp_path_factory.mktemp("readme")
    given = {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "HOME": str(folder),
        "MAESTRO_API_TOKEN": account.token,
        "MAESTRO_BASE_URL": account.base_url,
        "MAESTRO_DATA": str(folder / "data"),
        "MAESTRO_CACHE": str(folder / "cache"),
        "MAESTRO_REQUESTS_PER_SECOND": "1000",
        "MAESTRO_REQUESTS_PER_MINUTE": "60000",
    }
    assert run_in(given, "refresh", "--quiet", folder=folder).returncode == 0
    return given


@pytest.mark.parametrize("readme", READMES, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_python_blocks_run(readme, environment, tmp_path):
    script = "\n".join(blocks(readme, "python"))
    (tmp_path / "call.mp3").write_bytes(b"ID3")
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("readme", WITH_CONSOLE, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_console_blocks_run(readme, environment, tmp_path):
    commands = [
        command.split("  #")[0].rstrip()
        for body in blocks(readme, "console")
        for command in re.findall(r"^\$ (.*(?:\\\n.*)*)$", body, re.MULTILINE)
    ]
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    for command in commands:
        if command.startswith("make "):
            assert set(command.split()[1:]) <= targets, command
    script = "\n".join(command for command in commands if not command.startswith("make "))
    done = subprocess.run(
        ["bash", "-e", "-c", script], env=environment, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("readme", READMES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_to_files_that_exist(readme):
    links = re.findall(r"\]\(([^)#:]+)\)", readme.read_text(encoding="utf-8"))
    assert [link for link in links if not (readme.parent / link).exists()] == []


def test_the_front_page_stays_within_200_lines():
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 200
