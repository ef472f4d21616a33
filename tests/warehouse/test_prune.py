"""What nothing needs any more goes: kept files, superseded snapshots and refused rows. A replay gives the same."""

import json
import subprocess
from datetime import UTC, datetime, timedelta

import pytest

from maestro_analytics.errors import MaestroError, UnreadableFile
from maestro_analytics.warehouse.ledger import delayed_windows, keep_once
from maestro_analytics.warehouse.prune import prune
from maestro_analytics.warehouse.replay import replay, retry_quarantine
from tests.commands import run
from tests.warehouse.data_folder import (
    ANSWER,
    NOTE,
    SURVEY,
    TOTAL,
    DataFolder,
    csv_text,
    everything,
    raw_zip,
    whole_grade,
    zipped,
)
from tests.warehouse.test_replay import busy_history

LATER = datetime(2027, 1, 1, tzinfo=UTC)
TIMES = ["landed_at", "pruned_at"]


def tables(data: DataFolder) -> dict:
    """All tables but for times of this machine, the names of kept files, and what a replay need not know again."""
    data.master.resolve_people()
    return {
        name: rows
        for name, rows in everything(data, leaving_out=[*TIMES, "file"]).items()
        if name not in ("main.covered_time", "main.multi_select_questions")
    }


def kept(data: DataFolder) -> list[str]:
    return sorted(path.name for path in data.master.exports_folder.iterdir())


def groups(*agents: str, **more: str) -> bytes:
    return csv_text("agent_groups", [{"group_id": "g", "agent_ids": agent} | more for agent in agents]).encode()


def audit(*ids: str) -> bytes:
    row = {"time_stamp": "2026-01-02T00:00:00Z", "description": "d"}
    return csv_text("audit_logs", [row | {"activity_id": each} for each in ids]).encode()


def test_files_whose_rows_a_later_export_brought_go_and_a_replay_gives_the_same_tables(data):
    """A re-grade, a deletion, a column that only a pruned file had, a survey and a repeated audit window."""
    data.land_rows(**whole_grade(), csat=[SURVEY])
    both = [TOTAL | {"rubric_score": "80", "channel": "chat"}, TOTAL | {"gradable_id": "5"}]
    data.land_rows(total_scores=both, csat=[SURVEY])
    data.land_rows(total_scores=[TOTAL | {"gradable_id": "6"}])
    for ids in (["a", "b"], ["a", "b", "c"]):
        data.land(audit(*ids), kind="audit")
    gone = TOTAL | {"gradable_id": "5", "is_deleted": "1"}
    data.land_rows(total_scores=[TOTAL | {"rubric_score": "90"}, gone], annotations=[NOTE], csat=[SURVEY])
    before = tables(data)

    planned = prune(data.master, LATER, dry_run=True)
    assert tables(data) == before
    assert len(kept(data)) == 6
    pruned = prune(data.master, LATER)
    data.master.publish()

    assert pruned == planned
    assert pruned.exports == {"raw": 2, "audit": 1}
    assert kept(data) == ["audit-000005-id_5.csv", "raw-000003-id_3.zip", "raw-000006-id_6.zip"]
    assert tables(data) == before
    assert len(before["main.grade_history"]) == 2
    for _ in range(2):
        assert [outcome.error for outcome in replay(data.master)] == [None] * 3
        assert tables(data) == before
    assert "channel" in data.table("from total_scores").columns


def test_a_busy_history_is_the_same_after_a_prune_and_a_replay(data):
    busy_history(data)
    before = tables(data)
    files = kept(data)
    prune(data.master, LATER)
    data.master.publish()
    list(replay(data.master))

    assert tables(data) == before
    assert len(kept(data)) < len(files)


def test_a_file_without_which_a_replay_would_differ_stays(data):
    """A deletion between two versions: without it they would look like a re-grade."""
    data.land_rows(total_scores=[TOTAL, TOTAL | {"gradable_id": "5"}])
    data.land_rows(total_scores=[TOTAL | {"is_deleted": "1"}])
    data.land_rows(total_scores=[TOTAL | {"rubric_score": "90"}])
    before = tables(data)
    assert prune(data.master, LATER).exports == {}
    assert tables(data) == before
    assert before["main.grade_history"] == []


def test_what_an_interrupted_run_has_received_and_not_landed_stays(data):
    for week in range(2):
        data.land_rows(week=week, total_scores=[TOTAL])
    data.receive(raw_zip(total_scores=[TOTAL | {"rubric_score": "90"}]), week=2)
    assert prune(data.master, LATER).exports == {"raw": 1}
    data.master.publish()
    assert kept(data) == ["raw-000002-id_2.zip", "raw-000003-id_3.zip"]
    (waiting,) = data.master.ledger.unfinished()
    data.land_record(waiting)
    assert data.column("select rubric_score from total_scores") == [90.0]


def test_files_received_later_stay(data):
    for week in range(3):
        data.land_rows(week=week, total_scores=[TOTAL])
    received = data.column("select completed_at from state.exports order by seq")
    assert prune(data.master, received[1]).exports == {"raw": 1}
    data.master.publish()
    assert kept(data) == ["raw-000002-id_2.zip", "raw-000003-id_3.zip"]


def test_nothing_goes_while_a_replay_would_give_other_tables(data):
    data.land_rows(total_scores=[TOTAL])
    data.land_rows(total_scores=[TOTAL])
    data.master.connection.execute("update total_scores set rubric_name = 'as an earlier version read it'")
    pruned = prune(data.master, LATER)
    assert (pruned.exports, pruned.needed_for_replay) == ({}, 1)
    data.master.connection.execute("delete from state.coverage")
    data.master.connection.execute("update total_scores set rubric_name = 'Support'")
    with pytest.raises(MaestroError, match=r"other rows of state.coverage .*replay. first"):
        prune(data.master, LATER)
    data.master.publish()
    assert len(kept(data)) == 2
    assert not list((data.folder / "master").glob("*.new*"))


def test_a_groups_file_goes_when_a_later_one_has_landed_and_its_bad_row_with_it(data):
    """8,760 hourly runs with one bad row must not keep 8,760 files and as many refused rows."""
    bad = csv_text("agent_groups", [{"group_id": "g", "agent_ids": "1"}, {"group_id": "", "agent_ids": "2"}]).encode()
    for _ in range(3):
        data.land(bad, kind="groups")
        data.master.publish()
    assert kept(data) == ["groups-000003-id_3.csv"]
    assert data.column("select export_seq from state.quarantine") == [3]

    data.land(groups("1", "2"), kind="groups")
    data.master.publish()
    assert kept(data) == ["groups-000004-id_4.csv"]
    assert data.rows("from state.quarantine") == []
    before = tables(data)
    list(replay(data.master))
    assert tables(data) == before


def test_a_doubted_groups_file_and_the_one_before_it_both_stay(data):
    data.land(groups("1", "2", "3", nickname="n"), kind="groups")
    data.land(groups("1"), kind="groups")
    data.master.publish()
    assert kept(data) == ["groups-000001-id_1.csv", "groups-000002-id_2.csv"]
    before = tables(data)
    list(replay(data.master))
    assert tables(data) == before

    data.land(groups("1"), kind="groups")
    data.master.publish()
    assert kept(data) == ["groups-000003-id_3.csv"]
    assert data.column("select agent_ids from agent_groups") == [["1"]]
    before = tables(data)
    list(replay(data.master))
    assert tables(data) == before


def test_a_refused_groups_file_stays_until_a_later_one_has_landed(data):
    data.land(groups("1", "2"), kind="groups")
    data.land(csv_text("agent_groups", [{"agent_ids": str(n)} for n in range(12)]).encode(), kind="groups")
    data.master.publish()
    assert len(kept(data)) == 2
    assert data.column("select count(*) from state.quarantine") == [12]

    data.land(groups("1", "2"), kind="groups")
    data.master.publish()
    assert len(kept(data)) == 1
    assert data.rows("from state.quarantine") == []


def test_a_refused_row_that_comes_again_is_kept_once_and_goes_when_its_grade_lands(data):
    bad = TOTAL | {"rubric_score": "?"}
    others = [TOTAL | {"gradable_id": f"m{number}"} for number in range(20)]
    for week in range(3):
        data.land_rows(week=week, total_scores=[*others, bad])
    assert data.column("select export_seq from state.quarantine") == [3]
    list(retry_quarantine(data.master))
    assert data.column("select export_seq from state.quarantine") == [3]

    data.land_rows(week=3, total_scores=[TOTAL])
    assert data.rows("from state.quarantine") == []
    data.land_record(data.master.ledger.records("seq = 3")[0])
    assert data.rows("from state.quarantine") == []


def test_a_refused_row_without_an_identity_goes_when_its_window_is_covered_again(data):
    others = [TOTAL | {"gradable_id": f"m{number}"} for number in range(20)]
    data.land_rows(total_scores=[*others, TOTAL | {"gradable_id": ""}])
    assert data.column("select grade_key from state.quarantine") == [None]
    data.land_rows(week=1, total_scores=others)
    assert data.column("select export_seq from state.quarantine") == [1]
    data.land_rows(total_scores=others)
    assert data.rows("from state.quarantine") == []
    before = tables(data)
    list(replay(data.master))
    assert tables(data) == before


def test_a_refused_file_goes_once_its_window_is_covered(data):
    answers = [ANSWER | {"question_score": "?"}] * 30
    data.land_rows(total_scores=[TOTAL], individual_answers=answers)
    for _ in range(2):
        unreadable = data.receive(zipped({"a.csv": "nothing that anyone knows\n"}), week=1)
        data.master.refuse(unreadable, UnreadableFile("not known", path=unreadable.file))
    assert prune(data.master, LATER).exports == {}
    data.land_rows(**whole_grade())
    data.land_rows(week=1)
    assert prune(data.master, LATER).exports == {"raw": 4}
    before = tables(data)
    list(replay(data.master))
    assert tables(data) == before


def test_the_same_bytes_are_kept_once_also_where_they_landed(data):
    content = raw_zip(**whole_grade())
    for week in range(3):
        record = data.receive(content, week=week)
        data.master.connection.execute("update state.exports set sha256 = 'same' where seq = ?", [record.seq])
        (record,) = data.master.ledger.records("seq = ?", [record.seq])
        data.land_record(record)
        keep_once(data.master.connection, record, data.folder)
    assert kept(data) == ["raw-000003-id_3.zip"]
    before = tables(data)
    assert prune(data.master, LATER).exports == {}
    data.master.publish()
    assert kept(data) == ["raw-000003-id_3.zip"]
    list(replay(data.master))
    assert tables(data) == before
    assert len(data.master.coverage("raw")) == 1


def test_of_a_window_that_is_refused_each_hour_one_file_is_kept_and_it_is_asked_for_less_often(data):
    """Each file has other bytes, as a zip has that is packed anew."""
    start, asked = datetime(2026, 2, 1, tzinfo=UTC), []
    connection = data.master.connection
    data.land_rows(**whole_grade(), csat=[SURVEY])
    before = tables(data)
    for hour in range(24):
        now = start + timedelta(hours=hour)
        if any(kind == "raw" for kind, _, _ in delayed_windows(connection, now)):
            continue
        asked.append(hour)
        bad = [TOTAL | {"rubric_score": f"{hour} of eighty"}] * 8
        record = data.receive(raw_zip(total_scores=bad), week=1)
        connection.execute(
            "update state.exports set requested_at = ?, sha256 = ? where seq = ?", [now, f"bytes of {hour}", record.seq]
        )
        (record,) = data.master.ledger.records("seq = ?", [record.seq])
        keep_once(connection, data.land_record(record).export, data.folder)
    assert asked == [0, 1, 2, 4, 8, 16]
    assert len(kept(data)) == 2
    assert data.column("select count(*) from state.quarantine where file_refused") == [8]
    list(replay(data.master))
    assert tables(data)["main.total_scores"] == before["main.total_scores"]


def command(data: DataFolder, *options: str) -> subprocess.CompletedProcess[str]:
    return run(data.folder, *options, "--json", MAESTRO_DATA=str(data.folder))


def test_the_command_tells_what_goes_and_the_published_file_and_a_replay_are_the_same(data):
    for week in range(2):
        data.land_rows(week=week, **whole_grade(), csat=[SURVEY])
    data.master.publish()
    before = tables(data)
    data.master.close()

    planned = json.loads(command(data, "prune", "--before", "2027-01-01", "--dry-run").stdout)
    done = command(data, "prune", "--before", "2027-01-01")
    assert done.returncode == 0, done.stderr
    assert (planned["status"], json.loads(done.stdout)["status"]) == ("planned", "complete")
    own = dict.fromkeys(("status", "started_at", "finished_at"))
    assert json.loads(done.stdout) | own == planned | own
    assert (planned["files"], planned["kinds"], planned["kept_files"]) == (1, {"raw": 1}, 1)
    assert command(data, "replay").returncode == 0

    again = DataFolder(data.folder)
    assert kept(again) == ["raw-000002-id_2.zip"]
    assert tables(again) == before
    again.master.close()
    assert command(data, "prune", "--before", "soon").returncode == 2


@pytest.mark.parametrize("step", ["before the files", "after the files"])
def test_a_prune_that_is_killed_is_finished_by_the_next_publication(data, step):
    for week in range(2):
        data.land_rows(week=week, total_scores=[TOTAL])
    prune(data.master, LATER)
    if step == "after the files":
        next(data.folder.glob("exports/*000001*")).unlink()
    data.master.close()

    again = DataFolder(data.folder)
    assert [outcome.error for outcome in replay(again.master)] == [None]
    again.master.publish()
    assert kept(again) == ["raw-000002-id_2.zip"]
    assert again.column("select file from state.exports order by seq") == [None, "exports/raw-000002-id_2.zip"]
    again.master.close()
