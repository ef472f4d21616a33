"""Records of lists as rows."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maestro_analytics.tables.coaching import COACHING_TABLES, TODOS
from maestro_analytics.tables.json_records import read_records, snake_case


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
