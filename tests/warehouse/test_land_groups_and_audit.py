"""Agent groups are a snapshot; audit logs are activities, each once."""

from datetime import UTC, datetime

import pytest

from maestro_analytics.errors import UnreadableFile
from maestro_analytics.exports import Window
from tests.warehouse.data_folder import START, csv_text, zipped

MEMBER = {
    "group_name": "Team A",
    "group_id": "g1",
    "agent_name": "Ann",
    "agent_email": "ann@x.com",
    "agent_ids": "1, 2",
    "available": "True",
}
ACTIVITY = {
    "activity_id": "a1",
    "time_stamp": '="2026-01-02 03:04:05.678"',
    "user_email": "jo@example.com",
    "item_type": "rubric",
    "action_type": "edit",
    "description": "Edited, then saved",
    "ip_address": "10.0.0.1",
}


def groups_file(*rows, without=()):
    return csv_text("agent_groups", rows, without=without).encode()


@pytest.mark.parametrize("pack", [lambda text: text, lambda text: zipped({"whatever.csv": text})], ids=["csv", "zip"])
def test_groups_land_from_a_csv_and_from_a_zip(data, pack):
    data.land(pack(groups_file(MEMBER)), kind="groups")

    assert data.rows("from agent_groups") == [("Team A", "g1", "Ann", "ann@x.com", ["1", "2"], True)]


def test_a_snapshot_replaces_the_one_before(data):
    data.land(groups_file(MEMBER, MEMBER | {"group_id": "g2"}), kind="groups")
    data.land(groups_file(MEMBER | {"group_id": "g3", "available": "False"}), kind="groups")

    assert data.rows("select group_id, available from agent_groups") == [("g3", False)]


def test_a_snapshot_without_rows_is_believed_when_the_next_one_is_the_same(data):
    data.land(groups_file(MEMBER), kind="groups")
    doubted = data.land(groups_file(), kind="groups")

    assert data.column("select group_id from agent_groups") == [MEMBER["group_id"]]
    assert "the vendor returned 0 rows where there were 1" in doubted.warnings[0]

    believed = data.land(groups_file(), kind="groups")

    assert believed.warnings == []
    assert believed.is_covered
    assert data.rows("from agent_groups") == []


def test_an_export_of_groups_with_nothing_to_download_is_doubted_too_and_reading_it_again_confirms_nothing(data):
    data.land(groups_file(MEMBER), kind="groups")
    record = data.master.ledger.plan("groups", None, data.column("select now()")[0])
    for _ in range(2):
        assert len(data.master.land(record, None).warnings) == 1
    assert data.column("select count(*) from agent_groups") == [1]


@pytest.mark.parametrize("content", [b"", b"\n\n"], ids=["nothing", "blank"])
def test_a_file_without_even_a_header_is_damage_and_the_groups_stay(data, content):
    data.land(groups_file(MEMBER), kind="groups")
    with pytest.raises(UnreadableFile, match="no header"):
        data.land(content, kind="groups")

    assert data.column("select group_id from agent_groups") == ["g1"]


def test_a_row_needs_an_id_or_an_address(data):
    rows = [MEMBER | {"agent_ids": "", "agent_email": "b@x.com"}, MEMBER | {"agent_email": "N/A"}]
    rows += [MEMBER | {"group_id": str(number)} for number in range(200)]
    landed = data.land(groups_file(*rows, MEMBER | {"agent_ids": " , ", "agent_email": ""}), kind="groups")

    assert landed.rows == {"agent_groups": 202}
    assert data.rows("select line, column_name, reason from state.quarantine") == [
        (204, "agent_ids", "agent_ids: none of agent_ids, agent_email is given")
    ]


@pytest.mark.parametrize("missing", ["agent_ids", "agent_email"])
def test_a_file_may_lack_one_of_the_two(data, missing):
    landed = data.land(groups_file(MEMBER, without=[missing]), kind="groups")

    assert landed.rows == {"agent_groups": 1}
    assert any(missing in warning for warning in landed.warnings)


@pytest.mark.parametrize("missing", [["agent_ids", "agent_email"], ["group_id"]])
def test_a_file_without_identity_is_refused_and_the_groups_stay(data, missing):
    data.land(groups_file(MEMBER), kind="groups")
    landed = data.land(groups_file(MEMBER, without=missing), kind="groups")

    assert len(landed.refused) == 1
    assert data.column("select group_id from agent_groups") == ["g1"]


def test_an_activity_is_known_by_id_moment_and_description(data):
    """activity_id alone is not unique."""
    later = ACTIVITY | {"time_stamp": "2026-01-02T03:04:06Z"}
    data.land(
        csv_text("audit_logs", [ACTIVITY, ACTIVITY, later, ACTIVITY | {"description": ""}]).encode(), kind="audit"
    )
    data.land(csv_text("audit_logs", [later]).encode(), kind="audit", week=1)

    assert data.rows("select activity_id, time_stamp, description from audit_logs order by all") == [
        ("a1", datetime(2026, 1, 2, 3, 4, 5, 678000, UTC), ""),
        ("a1", datetime(2026, 1, 2, 3, 4, 5, 678000, UTC), "Edited, then saved"),
        ("a1", datetime(2026, 1, 2, 3, 4, 6, tzinfo=UTC), "Edited, then saved"),
    ]


def test_an_activity_may_have_a_column_that_is_called_like_one_of_our_queries(data):
    theirs = {"activity_id": "a", "time_stamp": "2026-01-02T00:00:00Z", "turn": "t", "content": "c", "number": "n"}
    for email in "xy":
        data.land(csv_text("audit_logs", [theirs | {"user_email": email, "description": ""}]).encode(), kind="audit")

    assert data.rows("select user_email, turn, content, number from audit_logs") == [("y", "t", "c", "n")]


def test_activities_of_earlier_windows_stay(data):
    data.land(csv_text("audit_logs", [ACTIVITY]).encode(), kind="audit")
    data.land(csv_text("audit_logs", [ACTIVITY | {"activity_id": "a2"}]).encode(), kind="audit", week=1)

    assert data.column("select activity_id from audit_logs order by all") == ["a1", "a2"]
    assert data.master.coverage("audit") == [Window(START, START.replace(day=15))]


def test_an_activity_without_a_moment_is_kept_aside(data):
    rows = [ACTIVITY | {"activity_id": str(number)} for number in range(100)]
    data.land(csv_text("audit_logs", [*rows, ACTIVITY | {"time_stamp": "Unknown"}]).encode(), kind="audit")

    assert data.rows("select column_name, reason from state.quarantine") == [
        ("time_stamp", "time_stamp: is missing, and the row has no identity without it")
    ]


def test_an_export_with_nothing_to_download_covers_its_window(data):
    record = data.master.ledger.plan("audit", Window(START, START.replace(day=8)), START)
    data.master.ledger.empty(record.seq, START)
    landed = data.master.land(record, None)

    assert landed.is_covered
    assert data.master.coverage("audit") == [Window(START, START.replace(day=8))]
    assert data.column("select status from state.exports") == ["empty"]
