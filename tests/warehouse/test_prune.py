"""What nothing needs any more goes: kept files, superseded snapshots and refused rows. A replay gives the same."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from maestro_analytics.errors import MaestroError, UnreadableFile
from maestro_analytics.warehouse.prune import prune
from maestro_analytics.warehouse.refused import delayed_windows, keep_once
from maestro_analytics.warehouse.replay import replay, retry_quarantine
from tests.warehouse.desk import (
    ANSWER,
    NOTE,
    SURVEY,
    TOTAL,
    Desk,
    csv_text,
    everything,
    raw_zip,
    whole_grade,
    zipped,
)
from tests.warehouse.test_replay import busy_history

LATER = datetime(2027, 1, 1, tzinfo=UTC)
TIMES = ["landed_at", "published_at", "pruned_at"]


def tables(desk: Desk) -> dict:
    """All tables but for times of this machine, the names of kept files, and what publishing derives."""
    desk.master.resolve_people()
    return {
        name: rows
        for name, rows in everything(desk, leaving_out=[*TIMES, "file"]).items()
        if name != "main.covered_time"
    }


def kept(desk: Desk) -> list[str]:
    return sorted(path.name for path in desk.master.exports_folder.iterdir())


def groups(*agents: str, **more: str) -> bytes:
    return csv_text("agent_groups", [{"group_id": "g", "agent_ids": agent} | more for agent in agents]).encode()


def audit(*ids: str) -> bytes:
    row = {"time_stamp": "2026-01-02T00:00:00Z", "description": "d"}
    return csv_text("audit_logs", [row | {"activity_id": each} for each in ids]).encode()


def test_files_whose_rows_a_later_export_brought_go_and_a_replay_gives_the_same_tables(desk):
    """A re-grade, a deletion, a column that only a pruned file had, a survey and a repeated audit window."""
    desk.land_rows(**whole_grade(), csat=[SURVEY])
    both = [TOTAL | {"rubric_score": "80", "channel": "chat"}, TOTAL | {"gradable_id": "5"}]
    desk.land_rows(total_scores=both, csat=[SURVEY])
    desk.land_rows(total_scores=[TOTAL | {"gradable_id": "6"}])
    for ids in (["a", "b"], ["a", "b", "c"]):
        desk.land(audit(*ids), kind="audit")
    gone = TOTAL | {"gradable_id": "5", "is_deleted": "1"}
    desk.land_rows(total_scores=[TOTAL | {"rubric_score": "90"}, gone], annotations=[NOTE], csat=[SURVEY])
    before = tables(desk)

    planned = prune(desk.master, LATER, dry_run=True)
    assert tables(desk) == before
    assert len(kept(desk)) == 6
    pruned = prune(desk.master, LATER)
    desk.master.publish()

    assert pruned == planned
    assert pruned.exports == {"raw": 2, "audit": 1}
    assert kept(desk) == ["audit-000005-id_5.csv", "raw-000003-id_3.zip", "raw-000006-id_6.zip"]
    assert tables(desk) == before
    assert len(before["main.grade_history"]) == 2
    for _ in range(2):
        assert [outcome.error for outcome in replay(desk.master)] == [None] * 3
        assert tables(desk) == before
    assert "channel" in desk.table("from total_scores").columns


def test_a_busy_history_is_the_same_after_a_prune_and_a_replay(desk):
    busy_history(desk)
    before = tables(desk)
    files = kept(desk)
    prune(desk.master, LATER)
    desk.master.publish()
    list(replay(desk.master))

    assert tables(desk) == before
    assert len(kept(desk)) < len(files)


def test_a_file_without_which_a_replay_would_differ_stays(desk):
    """A deletion between two versions: without it they would look like a re-grade."""
    desk.land_rows(total_scores=[TOTAL, TOTAL | {"gradable_id": "5"}])
    desk.land_rows(total_scores=[TOTAL | {"is_deleted": "1"}])
    desk.land_rows(total_scores=[TOTAL | {"rubric_score": "90"}])
    before = tables(desk)
    assert prune(desk.master, LATER).exports == {}
    assert tables(desk) == before
    assert before["main.grade_history"] == []


def test_what_an_interrupted_run_has_received_and_not_landed_stays(desk):
    for week in range(2):
        desk.land_rows(week=week, total_scores=[TOTAL])
    desk.receive(raw_zip(total_scores=[TOTAL | {"rubric_score": "90"}]), week=2)
    assert prune(desk.master, LATER).exports == {"raw": 1}
    desk.master.publish()
    assert kept(desk) == ["raw-000002-id_2.zip", "raw-000003-id_3.zip"]
    (waiting,) = desk.master.ledger.unfinished()
    desk.land_record(waiting)
    assert desk.column("select rubric_score from total_scores") == [90.0]


def test_files_received_later_stay(desk):
    for week in range(3):
        desk.land_rows(week=week, total_scores=[TOTAL])
    received = desk.column("select completed_at from state.exports order by seq")
    assert prune(desk.master, received[1]).exports == {"raw": 1}
    desk.master.publish()
    assert kept(desk) == ["raw-000002-id_2.zip", "raw-000003-id_3.zip"]


def test_nothing_goes_while_a_replay_would_give_other_tables(desk):
    desk.land_rows(total_scores=[TOTAL])
    desk.land_rows(total_scores=[TOTAL])
    desk.master.connection.execute("update total_scores set rubric_name = 'as an earlier version read it'")
    pruned = prune(desk.master, LATER)
    assert (pruned.exports, pruned.needed_for_replay) == ({}, 1)
    desk.master.connection.execute("delete from state.coverage")
    desk.master.connection.execute("update total_scores set rubric_name = 'Support'")
    with pytest.raises(MaestroError, match=r"other rows of state.coverage .*replay. first"):
        prune(desk.master, LATER)
    desk.master.publish()
    assert len(kept(desk)) == 2
    assert not list((desk.folder / "master").glob("*.new*"))


def test_a_groups_file_goes_when_a_later_one_has_landed_and_its_bad_row_with_it(desk):
    """8,760 hourly runs with one bad row must not keep 8,760 files and as many refused rows."""
    bad = csv_text("agent_groups", [{"group_id": "g", "agent_ids": "1"}, {"group_id": "", "agent_ids": "2"}]).encode()
    for _ in range(3):
        desk.land(bad, kind="groups")
        desk.master.publish()
    assert kept(desk) == ["groups-000003-id_3.csv"]
    assert desk.column("select export_seq from state.quarantine") == [3]

    desk.land(groups("1", "2"), kind="groups")
    desk.master.publish()
    assert kept(desk) == ["groups-000004-id_4.csv"]
    assert desk.rows("from state.quarantine") == []
    before = tables(desk)
    list(replay(desk.master))
    assert tables(desk) == before


def test_a_doubted_groups_file_and_the_one_before_it_both_stay(desk):
    desk.land(groups("1", "2", "3", nickname="n"), kind="groups")
    desk.land(groups("1"), kind="groups")
    desk.master.publish()
    assert kept(desk) == ["groups-000001-id_1.csv", "groups-000002-id_2.csv"]
    before = tables(desk)
    list(replay(desk.master))
    assert tables(desk) == before

    desk.land(groups("1"), kind="groups")
    desk.master.publish()
    assert kept(desk) == ["groups-000003-id_3.csv"]
    assert desk.column("select agent_ids from agent_groups") == [["1"]]
    before = tables(desk)
    list(replay(desk.master))
    assert tables(desk) == before


def test_a_refused_groups_file_stays_until_a_later_one_has_landed(desk):
    desk.land(groups("1", "2"), kind="groups")
    desk.land(csv_text("agent_groups", [{"agent_ids": str(n)} for n in range(12)]).encode(), kind="groups")
    desk.master.publish()
    assert len(kept(desk)) == 2
    assert desk.column("select count(*) from state.quarantine") == [12]

    desk.land(groups("1", "2"), kind="groups")
    desk.master.publish()
    assert len(kept(desk)) == 1
    assert desk.rows("from state.quarantine") == []


def test_a_refused_row_that_comes_again_is_kept_once_and_goes_when_its_grade_lands(desk):
    bad = TOTAL | {"rubric_score": "?"}
    others = [TOTAL | {"gradable_id": f"m{number}"} for number in range(20)]
    for week in range(3):
        desk.land_rows(week=week, total_scores=[*others, bad])
    assert desk.column("select export_seq from state.quarantine") == [3]
    list(retry_quarantine(desk.master))
    assert desk.column("select export_seq from state.quarantine") == [3]

    desk.land_rows(week=3, total_scores=[TOTAL])
    assert desk.rows("from state.quarantine") == []
    desk.land_record(desk.master.ledger.records("seq = 3")[0])
    assert desk.rows("from state.quarantine") == []


def test_a_refused_row_without_an_identity_goes_when_its_window_is_covered_again(desk):
    others = [TOTAL | {"gradable_id": f"m{number}"} for number in range(20)]
    desk.land_rows(total_scores=[*others, TOTAL | {"gradable_id": ""}])
    assert desk.column("select grade_key from state.quarantine") == [None]
    desk.land_rows(week=1, total_scores=others)
    assert desk.column("select export_seq from state.quarantine") == [1]
    desk.land_rows(total_scores=others)
    assert desk.rows("from state.quarantine") == []
    before = tables(desk)
    list(replay(desk.master))
    assert tables(desk) == before


def test_a_refused_file_goes_once_its_window_is_covered(desk):
    answers = [ANSWER | {"question_score": "?"}] * 30
    desk.land_rows(total_scores=[TOTAL], individual_answers=answers)
    for _ in range(2):
        unreadable = desk.receive(zipped({"a.csv": "nothing that anyone knows\n"}), week=1)
        desk.master.refuse(unreadable, UnreadableFile("not known", path=unreadable.file))
    assert prune(desk.master, LATER).exports == {}
    desk.land_rows(**whole_grade())
    desk.land_rows(week=1)
    assert prune(desk.master, LATER).exports == {"raw": 4}
    before = tables(desk)
    list(replay(desk.master))
    assert tables(desk) == before


def test_the_same_bytes_are_kept_once_also_where_they_landed(desk):
    content = raw_zip(**whole_grade())
    for week in range(3):
        record = desk.receive(content, week=week)
        desk.master.connection.execute("update state.exports set sha256 = 'same' where seq = ?", [record.seq])
        (record,) = desk.master.ledger.records("seq = ?", [record.seq])
        desk.land_record(record)
        keep_once(desk.master.connection, record, desk.folder)
    assert kept(desk) == ["raw-000003-id_3.zip"]
    before = tables(desk)
    assert prune(desk.master, LATER).exports == {}
    desk.master.publish()
    assert kept(desk) == ["raw-000003-id_3.zip"]
    list(replay(desk.master))
    assert tables(desk) == before
    assert len(desk.master.coverage("raw")) == 1


def test_of_a_window_that_is_refused_each_hour_one_file_is_kept_and_it_is_asked_for_less_often(desk):
    """Each file has other bytes, as a zip has that is packed anew."""
    start, asked = datetime(2026, 2, 1, tzinfo=UTC), []
    connection = desk.master.connection
    desk.land_rows(**whole_grade(), csat=[SURVEY])
    before = tables(desk)
    for hour in range(24):
        now = start + timedelta(hours=hour)
        if any(kind == "raw" for kind, _, _ in delayed_windows(connection, now)):
            continue
        asked.append(hour)
        bad = [TOTAL | {"rubric_score": f"{hour} of eighty"}] * 8
        record = desk.receive(raw_zip(total_scores=bad), week=1)
        connection.execute(
            "update state.exports set requested_at = ?, sha256 = ? where seq = ?", [now, f"bytes of {hour}", record.seq]
        )
        (record,) = desk.master.ledger.records("seq = ?", [record.seq])
        keep_once(connection, desk.land_record(record).export, desk.folder)
    assert asked == [0, 1, 2, 4, 8, 16]
    assert len(kept(desk)) == 2
    assert desk.column("select count(*) from state.quarantine where file_refused") == [8]
    list(replay(desk.master))
    assert tables(desk)["main.total_scores"] == before["main.total_scores"]


def command(desk: Desk, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(Path(sys.executable).with_name("maestro-analytics")), *options, "--json"],
        env=os.environ | {"MAESTRO_DATA": str(desk.folder)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_command_tells_what_goes_and_the_published_file_and_a_replay_are_the_same(desk):
    for week in range(2):
        desk.land_rows(week=week, **whole_grade(), csat=[SURVEY])
    desk.master.publish()
    before = tables(desk)
    desk.master.close()

    planned = json.loads(command(desk, "prune", "--before", "2027-01-01", "--dry-run").stdout)
    done = command(desk, "prune", "--before", "2027-01-01")
    assert done.returncode == 0, done.stderr
    assert (planned["status"], json.loads(done.stdout)["status"]) == ("planned", "complete")
    own = dict.fromkeys(("status", "started_at", "finished_at"))
    assert json.loads(done.stdout) | own == planned | own
    assert (planned["files"], planned["kinds"], planned["kept_files"]) == (1, {"raw": 1}, 1)
    assert command(desk, "replay").returncode == 0

    again = Desk(desk.folder)
    assert kept(again) == ["raw-000002-id_2.zip"]
    assert tables(again) == before
    again.master.close()
    assert command(desk, "prune", "--before", "soon").returncode == 2


@pytest.mark.parametrize("step", ["before the files", "after the files"])
def test_a_prune_that_is_killed_is_finished_by_the_next_publication(desk, step):
    for week in range(2):
        desk.land_rows(week=week, total_scores=[TOTAL])
    prune(desk.master, LATER)
    if step == "after the files":
        next(desk.folder.glob("exports/*000001*")).unlink()
    desk.master.close()

    again = Desk(desk.folder)
    assert [outcome.error for outcome in replay(again.master)] == [None]
    again.master.publish()
    assert kept(again) == ["raw-000002-id_2.zip"]
    assert again.column("select file from state.exports order by seq") == [None, "exports/raw-000002-id_2.zip"]
    again.master.close()
