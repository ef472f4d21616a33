"""The ledger of exports, and the right to write to a folder."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

from maestro_analytics.errors import AnotherRefresh, MaestroError, SettingsError
from maestro_analytics.exports import ExportRecord, Window
from maestro_analytics.warehouse import Master
from tests.warehouse.data_folder import START, TOTAL, raw_zip

WEEK = Window(START, START + timedelta(days=7))
HOLDER = """
import sys
from pathlib import Path
from maestro_analytics.warehouse import Master
with Master.open(Path(sys.argv[1]), command="refresh --since 2026-01-01"):
    print("held", flush=True)
    sys.stdin.readline()
"""


def test_an_export_is_remembered_from_before_its_request_to_its_file(data):
    ledger = data.master.ledger
    planned = ledger.plan("raw", WEEK, START)
    assert ledger.unfinished() == [ExportRecord(seq=1, kind="raw", window=WEEK, status="planned", requested_at=START)]

    ledger.asked(planned.seq, "id_1")
    file = data.folder / "exports" / "raw-1.zip"
    ledger.received(planned.seq, file=file, sha256="abc", bytes=3, completed_at=START)
    assert ledger.unfinished() == [
        ExportRecord(1, "raw", WEEK, "id_1", "received", file, "abc", 3, requested_at=START),
    ]


def test_what_ended_or_landed_is_not_unfinished(data):
    ledger = data.master.ledger
    for status in ("errored", "timed_out", "failed"):
        ledger.failed(ledger.plan("raw", WEEK, START).seq, status=status, error="why")
    empty = ledger.plan("raw", WEEK, START)
    ledger.empty(empty.seq, START)
    data.master.land(empty, None)
    data.land(raw_zip(total_scores=[TOTAL]))

    assert ledger.unfinished() == []
    assert data.column("select status from state.exports order by seq") == [
        "errored",
        "timed_out",
        "failed",
        "empty",
        "landed",
    ]


def test_the_ledger_outlives_its_process(tmp_path):
    with Master.open(tmp_path) as master:
        seq = master.ledger.plan("groups", None, START).seq
        master.ledger.asked(seq, "id_9")
    with Master.open(tmp_path) as master:
        (found,) = master.ledger.unfinished()
        assert (found.export_id, found.status, found.window) == ("id_9", "requested", None)
        assert master.ledger.plan("raw", WEEK, START).seq == seq + 1


def test_a_data_folder_can_be_moved(tmp_path):
    from tests.warehouse.data_folder import DataFolder

    data = DataFolder(tmp_path / "here")
    data.receive(raw_zip(total_scores=[TOTAL]))
    data.master.close()
    (tmp_path / "here").rename(tmp_path / "there")
    with Master.open(tmp_path / "there") as master:
        (found,) = master.ledger.unfinished()
        assert found.file.exists()


def test_an_export_that_the_ledger_does_not_have_cannot_change(data):
    with pytest.raises(LookupError, match="no export 7"):
        data.master.ledger.asked(7, "x")


def test_windows_that_touch_are_one_stretch_of_coverage(data):
    for week in (2, 0, 1, 4):
        data.land_rows(week=week, total_scores=[TOTAL])

    week = timedelta(days=7)
    assert data.master.coverage("raw") == [Window(START, START + 3 * week), Window(START + 4 * week, START + 5 * week)]
    assert data.master.coverage("audit") == []
    assert data.column("select count(*) from state.coverage") == [2]


def test_a_folder_in_use_names_who_uses_it(tmp_path):
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(AnotherRefresh, match="refresh --since 2026-01-01") as refused:
            Master.open(tmp_path)
        assert refused.value.pid == holder.pid
        holder.kill()
    Master.open(tmp_path).close()


def test_a_folder_is_written_by_one_master_of_a_process(data):
    with pytest.raises(AnotherRefresh):
        Master.open(data.folder)


def test_publishing_keeps_the_right_to_write(data):
    data.land_rows(total_scores=[TOTAL])
    data.master.publish()
    with pytest.raises(AnotherRefresh):
        Master.open(data.folder)


def test_two_accounts_are_never_mixed(tmp_path):
    from tests.warehouse.data_folder import DataFolder

    data = DataFolder(tmp_path)
    data.land_rows(total_scores=[TOTAL])
    data.master.close()
    with pytest.raises(SettingsError, match=r"app\.example\.com"):
        Master.open(tmp_path, host="other.example.com")
    Master.open(tmp_path, host="app.example.com").close()


def test_a_master_that_is_not_a_database_says_what_to_do(tmp_path):
    (tmp_path / "master").mkdir()
    (tmp_path / "master" / "maestro.duckdb").write_bytes(b"not a database" * 1000)
    with pytest.raises(MaestroError, match="maestro-analytics replay"):
        Master.open(tmp_path)
    (tmp_path / "master" / "maestro.duckdb").unlink()
    Master.open(tmp_path).close()


def test_a_closed_master_says_so(tmp_path):
    master = Master.open(tmp_path)
    master.close()
    master.close()
    with pytest.raises(MaestroError, match="closed"):
        master.coverage("raw")


def test_runs_are_entered_and_ended(data):
    now = datetime(2026, 3, 1, tzinfo=UTC)
    run = data.master.start_refresh(since=START, until=now, kinds=["raw", "groups"], at=now)
    data.master.finish_refresh(run, status="partial", requests=12, quarantined=3, error="why", at=now)

    assert data.rows("select refresh_id, kinds, status, requests, quarantined, error from state.refreshes") == [
        (1, ["raw", "groups"], "partial", 12, 3, "why")
    ]
    assert data.master.first_since() == {}


def test_the_start_of_each_kind_is_remembered_and_can_be_forgotten(data):
    later = datetime(2026, 2, 1, tzinfo=UTC)
    data.master.remember_starts({"raw": later})
    data.master.remember_starts({"raw": START, "audit": later})
    data.master.remember_starts({"raw": later})
    assert data.master.first_since() == {"raw": START, "audit": later}
    data.master.remember_starts({"raw": later}, forget=True)
    assert data.master.first_since() == {"raw": later, "audit": later}
