"""`status --max-age` fails where the data is old or has gaps, so that a monitor needs no other rule."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.warehouse.desk import TOTAL

NOW = datetime.now(UTC).replace(microsecond=0)


def status(desk, *options: str) -> tuple[int, dict]:
    done = subprocess.run(
        [str(Path(sys.executable).with_name("maestro-analytics")), "status", "--json", *options],
        env=os.environ | {"MAESTRO_DATA": str(desk.folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, json.loads(done.stdout)


def prepare(
    desk, *, refreshed: timedelta, covered: timedelta, gap: bool = False, begun: timedelta | None = None
) -> None:
    desk.land_rows(total_scores=[TOTAL])
    connection = desk.master.connection
    connection.execute("delete from state.coverage")
    windows = [(NOW - timedelta(days=9), NOW - covered)]
    if gap:
        windows.insert(0, (NOW - timedelta(days=19), NOW - timedelta(days=10)))
    for start, end in windows:
        connection.execute("insert into state.coverage values ('raw', ?, ?)", [start, end])
    run = desk.master.start_refresh(since=None, until=NOW, kinds=["raw"], at=NOW - refreshed)
    desk.master.finish_refresh(run, status="complete", requests=1, quarantined=0, error=None, at=NOW - refreshed)
    later = desk.master.start_refresh(since=None, until=NOW, kinds=["raw"], at=NOW)
    if begun is not None:
        desk.master.remember_starts({"raw": NOW - begun})
    desk.master.finish_refresh(later, status="partial", requests=1, quarantined=0, error="x", at=NOW)
    desk.master.publish()
    desk.master.close()


@pytest.mark.parametrize(
    ("state", "stale"),
    [
        ({"refreshed": timedelta(hours=2), "covered": timedelta(hours=2)}, []),
        ({"refreshed": timedelta(hours=4), "covered": timedelta(hours=2)}, ["the last complete refresh ended"]),
        ({"refreshed": timedelta(hours=2), "covered": timedelta(hours=4)}, ["raw is covered up to"]),
        ({"refreshed": timedelta(hours=2), "covered": timedelta(hours=2), "gap": True}, ["raw lacks"]),
        (
            {"refreshed": timedelta(hours=2), "covered": timedelta(hours=2), "begun": timedelta(days=12)},
            ["raw lacks"],
        ),
        ({"refreshed": timedelta(hours=2), "covered": timedelta(hours=2), "begun": timedelta(days=9)}, []),
    ],
)
def test_old_data_and_gaps_end_with_6(desk, state, stale):
    prepare(desk, **state)
    code, report = status(desk, "--max-age", "3")

    assert code == report["exit_code"] == (6 if stale else 0)
    assert [text[: len(start)] for text, start in zip(report["stale"], stale, strict=True)] == stale
    assert status(desk)[0] == 0


def test_a_folder_without_any_complete_refresh_is_stale(desk):
    desk.land_rows(total_scores=[TOTAL])
    desk.master.publish()
    desk.master.close()
    code, report = status(desk, "--max-age", "1000000")
    assert (code, report["stale"]) == (6, ["no refresh has been complete yet; run `maestro-analytics refresh`"])
