"""A sandbox, settings that reach it, and the comparison of whole tables with the truth."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import maestro_analytics as ma
from maestro_analytics.api.clock import Clock
from maestro_analytics.exports import PollPace
from maestro_analytics.pipeline import RefreshReport, run
from maestro_analytics.sandbox import Sandbox
from maestro_analytics.settings import Settings
from maestro_analytics.tables.schemas import TABLES_BY_NAME

NOW = datetime(2026, 3, 20, 9, 30, tzinfo=UTC)
TRUE_TABLES = (
    "total_scores",
    "section_scores",
    "individual_answers",
    "annotations",
    "csat",
    "agent_groups",
    "audit_logs",
    "coaching_points",
    "coaching_sessions",
    "todos",
)
QUICK = PollPace(first_seconds=1.0, longest_seconds=5.0)


def centre(**options: Any) -> Sandbox:
    """A small contact centre without limits on the number of requests."""
    given = {"seed": 7, "agents": 5, "days": 40, "now": NOW, "requests_per_second": None, "requests_per_minute": None}
    return Sandbox(**given | options)


def settings_for(sandbox: Sandbox, folder: Path, **options: Any) -> Settings:
    given: dict[str, Any] = {
        "base_url": sandbox.base_url,
        "api_token": sandbox.token,
        "data": folder / "data",
        "cache": folder / "cache",
        "requests_per_second": 1_000,
        "requests_per_minute": 60_000,
    }
    return Settings(_env_file=None, **given | options)


class Impatient(Clock):
    """Waits a hundredth of what it is asked to: the sandbox's faults count calls, not seconds."""

    def wait(self, seconds: float, stop: Event | None = None) -> None:
        super().wait(seconds / 100, stop)


def bring_up_to_date(settings: Settings, sandbox: Sandbox, **options: Any) -> RefreshReport:
    """`refresh` up to the sandbox's moment, to the second, so that the truth of that moment is what has to be there."""
    given = {"until": sandbox.now, "pace": QUICK, "clock": Impatient()}
    return run(settings, **given | options)


def comparable(rows: pl.DataFrame | Iterable[dict[str, Any]], table: str, *, more: Iterable[str] = ()) -> pl.DataFrame:
    """A table without what we make ourselves, in an order of its own."""
    declared = TABLES_BY_NAME[table]
    made_here = set(declared.made_here) - set(declared.words_to.values())
    columns = [name for name in declared.columns if name not in made_here] + list(more)
    types = declared.empty().schema
    schema = {name: types.get(name, pl.String) for name in columns}
    frame = rows.select(columns) if isinstance(rows, pl.DataFrame) else pl.DataFrame(list(rows), schema=schema)
    flat = frame.with_columns(pl.col(name).list.join(",") for name, kind in schema.items() if isinstance(kind, pl.List))
    return flat.sort(columns, nulls_last=True)


def assert_holds_the_truth(settings: Settings, sandbox: Sandbox, tables: Iterable[str] = TRUE_TABLES) -> None:
    """The published file is, table by table and row by row, what the sandbox knows to be so."""
    with ma.open(settings.database) as qa:
        for table in tables:
            found = comparable(qa.sql(f"from {table}"), table)
            expected = comparable(getattr(sandbox.truth, table), table)
            assert found.height == expected.height, table
            assert_frame_equal(found, expected)


@pytest.fixture
def refreshed(built_once: Callable[..., Path], tmp_path: Path) -> Iterator[tuple[Sandbox, Settings]]:
    """The small contact centre, and a data folder of its own that holds a complete backfill of it."""
    with centre() as sandbox:

        def backfill(folder: Path) -> None:
            report = bring_up_to_date(settings_for(sandbox, folder), sandbox, since=NOW - timedelta(days=41))
            assert report.status == "complete", report.errors

        shutil.copytree(built_once("small-centre", backfill) / "data", tmp_path / "data")
        yield sandbox, settings_for(sandbox, tmp_path)
