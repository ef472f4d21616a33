"""Records of lists as rows."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maestro_analytics.tables.json_records import read_records, snake_case
from maestro_analytics.tables.schemas import COACHING_SESSIONS, COACHING_TABLES, TODOS


@pytest.mark.parametrize(
    ("key", "name"),
    [("coachingSessionIds", "coaching_session_ids"), ("id", "id"), ("QAScore", "qa_score"), ("agentID", "agent_id")],
)
def test_names_become_snake_case(key, name):
    assert snake_case(key) == name


json_values = (
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.lists(st.text(max_size=3), max_size=3)
)
keys = st.sampled_from(["title", "createdAt", "coachingSessionIds", "agentConfirmed", "odd key", "x", "select"])


@pytest.mark.parametrize("table", COACHING_TABLES, ids=lambda table: table.name)
@given(records=st.lists(st.dictionaries(keys, json_values).map(lambda record: record | {"id": "1"}), max_size=5))
def test_any_record_is_a_row_or_a_refusal(table, records):
    rows, refusals = read_records(records, table)

    assert rows.height + len(refusals) <= len(records)
    assert rows.height == (1 if len(refusals) < len(records) else 0)
    assert set(table.columns) <= set(rows.columns)


def test_numbers_and_nested_values_in_text_columns_are_their_json():
    rows, refusals = read_records([{"id": 7, "title": {"de": "Überschrift"}, "agentId": 72999}], TODOS)

    assert rows.select("id", "title", "agent_id").rows() == [("7", '{"de": "Überschrift"}', "72999")]
    assert refusals == []


def test_a_record_without_an_id_is_refused():
    rows, refusals = read_records([{"id": None}, {"id": ""}, {}], TODOS)

    assert rows.height == 0
    assert [refusal.column_name for refusal in refusals] == ["id", "id", "id"]


@pytest.mark.parametrize(
    ("extra", "columns"),
    [
        ({"": "x"}, {"unnamed": "x"}),
        ({" ": "x", "\x00": "y"}, {"unnamed": "x", "unnamed_2": "y"}),
        ({"ID": "other"}, {"id_2": "other"}),
        ({"agent_id": "B9"}, {"agent_id_2": "B9"}),
        ({"newField": "1", "new_field": "2"}, {"new_field": "1", "new_field_2": "2"}),
        ({"Ä": "1", "ä": "2"}, {"ä": "1", "ä_2": "2"}),
        ({"a\x00b": "x"}, {"ab": "x"}),
        ({"note": "a\ud800b\x00"}, {"note": "a\\ud800b\x00"}),
    ],
)
@pytest.mark.parametrize("is_first", [True, False])
def test_each_key_of_a_record_has_a_column_of_its_own(extra, columns, is_first):
    """Two keys that differ in case only were one column, and the value of the first was lost."""
    base = {"id": "t1", "agentId": "A1", "createdAt": "2026-01-05T10:00:00Z"}
    rows, refusals = read_records([extra | base if is_first else base | extra], TODOS)

    found = rows.row(0, named=True)
    assert (found["id"], found["agent_id"], refusals) == ("t1", "A1", [])
    assert {name: value for name, value in found.items() if name not in TODOS.columns} == columns


def test_a_session_has_the_dates_of_its_meeting_and_confirmations():
    record = {
        "id": "s1",
        "meetingDate": "2026-01-05T10:00:00.000Z",
        "agentConfirmedDate": "2026-01-06T10:00:00Z",
        "coachConfirmedDate": None,
        "sharedWithAgent": True,
        "isDeleted": False,
    }
    rows, refusals = read_records([record, {"id": "s2"}], COACHING_SESSIONS)

    names = ("meeting_date", "agent_confirmed_date", "coach_confirmed_date", "shared_with_agent", "is_deleted")
    first = (datetime(2026, 1, 5, 10, tzinfo=UTC), datetime(2026, 1, 6, 10, tzinfo=UTC), None, True, False)
    assert rows.select(names).rows() == [first, (None,) * 5]
    assert refusals == []
