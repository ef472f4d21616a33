"""Contact centres to hold the answers against: one of numpy, whose every number is chosen here, and the sandbox's."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

sys.path.insert(0, str(Path(__file__).parent))
sys.path.append(str(Path(__file__).parents[2]))

import simulated_database

from maestro_analytics.cli import main
from maestro_analytics.sandbox import Sandbox
from maestro_analytics.warehouse import Store
from maestro_analytics.warehouse import open as open_store


@pytest.fixture(scope="session")
def made() -> tuple[dict[str, pl.DataFrame], simulated_database.Truth]:
    """The tables of the numpy centre, and what they were made from."""
    return simulated_database.make()


@pytest.fixture(scope="session")
def data_folder(made: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with the numpy centre in it."""
    folder = tmp_path_factory.mktemp("data")
    simulated_database.write(folder / "maestro.duckdb", made[0])
    return folder


@pytest.fixture(scope="session")
def store(data_folder: Path) -> Iterator[Store]:
    """The numpy centre, open."""
    with open_store(data_folder / "maestro.duckdb") as opened:
        yield opened


@pytest.fixture
def holding(tmp_path: Path) -> Iterator[Callable[..., Store]]:
    """Opens a database that holds just the frames given; people are those of the grades."""
    opened: list[Store] = []

    def make(total_scores: pl.DataFrame, *, teams: dict[str, list[str]] | None = None, **frames: pl.DataFrame) -> Store:
        tables = simulated_database.people_of(total_scores, teams or {}) | {"total_scores": total_scores} | frames
        path = simulated_database.write(tmp_path / f"{len(opened)}.duckdb", tables)
        opened.append(open_store(path))
        return opened[-1]

    yield make
    for one in opened:
        one.close()


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Store, Any]]:
    """A believable centre of 40 agents and five months, and its truth: qualities, biases, the coaching effect."""
    with Sandbox(seed=3, agents=40, days=150, now=datetime(2026, 6, 1, tzinfo=UTC), coaching_effect=5.0) as running:
        truth = running.truth
        path = simulated_database.write(
            tmp_path_factory.mktemp("sandbox") / "maestro.duckdb", simulated_database.from_truth(truth)
        )
        with open_store(path) as opened:
            yield opened, truth


@dataclass
class Done:
    """What a command printed, and how it ended."""

    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Done]:
    """Calls the command line as the shell would, in this process, which has the imports already."""

    def call(*arguments: str, data: Path, **settings: str) -> Done:
        for name, value in {"MAESTRO_DATA": str(data), **settings}.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr("sys.argv", ["maestro-analytics", *arguments])
        handler = signal.getsignal(signal.SIGTERM)
        try:
            main()
            code = 0
        except SystemExit as end:
            code = int(end.code or 0)
        finally:
            signal.signal(signal.SIGTERM, handler)
        said = capsys.readouterr()
        return Done(code, said.out, said.err)

    return call
