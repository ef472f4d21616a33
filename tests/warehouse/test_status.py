"""`status --max-age` fails where the data is old or has gaps, so that a monitor needs no other rule."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from tests.commands import run
from tests.warehouse.data_folder import TOTAL

NOW = datetime.now(UTC).replace(microsecond=0)


def status(data, *options: str) -> tuple[int, dict]:
    done = run(data.folder, "status", "--json", *options, MAESTRO_DATA=str(data.folder))
    return done.returncode, json.loads(done.stdout)


def prepare(
    data,
    *,
    refreshed: timedelta,
    covered: timedelta,
    gap: bool = False,
    begun: timedelta | None = None,
    begun_with: str = "raw",
    kind: str = "raw",
) -> None:
    data.land_rows(total_scores=[TOTAL])
    connection = data.master.connection
    connection.execute("delete from state.coverage")
    windows = [(NOW - timedelta(days=9), NOW - covered)]
    if gap:
        windows.insert(0, (NOW - timedelta(days=19), NOW - timedelta(days=10)))
    for start, end in windows:
        connection.execute("insert into state.coverage values (?, ?, ?)", [kind, start, end])
    run = data.master.start_refresh(since=None, until=NOW, kinds=["raw"], at=NOW - refreshed)
    data.master.finish_refresh(run, status="complete", requests=1, quarantined=0, error=None, at=NOW - refreshed)
    later = data.master.start_refresh(since=None, until=NOW, kinds=["raw", begun_with], at=NOW)
    if begun is not None:
        data.master.remember_starts({begun_with: NOW - begun})
    data.master.finish_refresh(later, status="partial", requests=1, quarantined=0, error="x", at=NOW)
    data.master.publish()
    data.master.close()


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
        (
            {"refreshed": timedelta(), "covered": timedelta(), "begun": timedelta(days=9), "kind": "audit"},
            ["raw lacks"],
        ),
        # no run with the audit log was ever complete: the token may not read it
        ({"refreshed": timedelta(), "covered": timedelta(), "begun": timedelta(days=9), "begun_with": "audit"}, []),
    ],
)
def test_old_data_and_gaps_end_with_6(data, state, stale):
    prepare(data, **state)
    code, report = status(data, "--max-age", "3")

    assert code == report["exit_code"] == (6 if stale else 0)
    assert [text[: len(start)] for text, start in zip(report["stale"], stale, strict=True)] == stale
    assert status(data)[0] == 0


def test_a_folder_without_any_complete_refresh_is_stale(data):
    data.land_rows(total_scores=[TOTAL])
    data.master.publish()
    data.master.close()
    code, report = status(data, "--max-age", "1000000")
    assert (code, report["stale"]) == (6, ["no refresh has been complete yet; run `maestro-analytics refresh`"])
