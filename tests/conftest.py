"""Where each test runs when pytest-xdist spreads the suite over several processes, and what they share."""

from __future__ import annotations

import gc
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock
from hypothesis import settings

from maestro_analytics import account
from tests.new_databases import copy_from, make

# A test may take as long as the machine needs; the time of a first call holds imports.
settings.register_profile("suite", deadline=None)
settings.load_profile("suite")

# What collecting the tests makes is there to stay: to look for garbage in it took a third of the time.
gc.disable()

# The hash of a token takes 30 ms of processor time on purpose, and each refresh needs one.
account._ROUNDS = 1

# As `make` does: uv takes a fraction of the time, and pip takes over where it is not there or reaches no index.
UV = [str(Path(sys.executable).with_name("uv")), "pip", "install", "--python", sys.executable]
PIP = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "--no-compile"]

BuiltOnce = Callable[[str, Callable[[Path], None]], Path]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep each file in one process, and all tests that use Spark in one, so that what they share is made once.

    Spark comes first: it is the longest group, and started last it would leave the other processes idle.
    """
    for item in items:
        name = "spark" if _uses_spark(item) else f"{item.path.parent.name}/{item.path.stem}"
        item.add_marker(pytest.mark.xdist_group(name))
    items.sort(key=lambda item: not _uses_spark(item))


def _uses_spark(item: pytest.Item) -> bool:
    """Whether a test uses the Spark session: as a fixture, or as the engine of the fixture `engine`."""
    parameters = item.callspec.params if hasattr(item, "callspec") else {}
    return "spark" in getattr(item, "fixturenames", ()) or parameters.get("engine") == "spark"


@pytest.hookimpl(trylast=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    """Stop when pytest-xdist does not group tests: the suite would pass, but make each shared thing many times."""
    if hasattr(session.config, "workerinput") and not all("@" in item.nodeid for item in session.items):
        raise pytest.UsageError("pytest-xdist did not put tests into groups: check the versions of pytest and xdist")


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop() -> None:
    """From here on, garbage is looked for again."""
    gc.enable()


@pytest.fixture(scope="session")
def built_once(tmp_path_factory: pytest.TempPathFactory) -> BuiltOnce:
    """A function that fills a folder of a name once in a run of the suite, and gives its path to every process.

    Copy the folder before changing anything in it.
    """
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base

    def build(name: str, fill: Callable[[Path], None]) -> Path:
        folder = shared / f"built-once-{name}"
        with FileLock(f"{folder}.lock"):
            if not folder.exists():
                part = folder.with_name(f"{folder.name}.part")
                shutil.rmtree(part, ignore_errors=True)
                part.mkdir()
                fill(part)
                part.rename(folder)
        return folder

    return build


@pytest.fixture(scope="session", autouse=True)
def new_databases(built_once: BuiltOnce) -> None:
    """Start every new database from a copy; see `tests/new_databases.py`."""
    copy_from(built_once("new-database", make))


@pytest.fixture(scope="session")
def installed_beside() -> Callable[..., Path]:
    """A function that installs packages into a folder of their own beside this environment, when first needed."""

    def install(name: str, *requirements: str) -> Path:
        folder = Path(sys.prefix) / name
        with FileLock(folder.with_suffix(".lock")):
            if not folder.is_dir():
                part = folder.with_suffix(".part")
                shutil.rmtree(part, ignore_errors=True)
                given = ["--quiet", "--no-deps", "--target", str(part), *requirements]
                if not any(shutil.which(how[0]) and _succeeds(*how, *given) for how in (UV, PIP)):
                    pytest.skip(f"{' and '.join(requirements)} cannot be installed here")
                part.rename(folder)
        return folder

    return install


def _succeeds(*command: str) -> bool:
    return not subprocess.run(command, check=False).returncode
