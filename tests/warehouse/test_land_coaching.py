"""Coaching lists are complete each time: the table is what the list is."""

from datetime import UTC, datetime

import pytest

from maestro_analytics.errors import SchemaMismatch
from maestro_analytics.warehouse.landing.lists import KeptList
from maestro_analytics.warehouse.replay import replay

TAKEN = datetime(2026, 2, 1, 12, 0, 0, 250000, UTC)
TODO = {
    "id": "t1",
    "title": "",
    "createdAt": "2023-06-28T16:03:21.089Z",
    "updatedAt": "2023-06-28T16:03:30.804Z",
    "agentId": "72999",
    "creatorId": "HkeY",
    "status": "incomplete",
    "type": "Unknown",
    "coachingSessionIds": ["s1", "s2"],
    "description": "",
}


def test_records_land_in_snake_case_and_to_the_letter(data):
    """JSON has a null of its own: `Unknown` and an empty text are what they say."""
    data.master.land_coaching("todos", [TODO, {"id": "t2", "coachingSessionIds": []}], taken_at=TAKEN)

    assert data.rows("from todos order by id") == [
        (
            "t1",
            "",
            datetime(2023, 6, 28, 16, 3, 21, 89000, UTC),
            datetime(2023, 6, 28, 16, 3, 30, 804000, UTC),
            "72999",
            "HkeY",
            "incomplete",
            "Unknown",
            None,
            ["s1", "s2"],
            "",
        ),
        ("t2", None, None, None, None, None, None, None, None, [], None),
    ]


def test_a_record_that_is_gone_from_the_list_leaves_the_table(data):
    data.master.land_coaching("todos", [TODO, TODO | {"id": "t2"}], taken_at=TAKEN)
    data.master.land_coaching("todos", [TODO | {"status": "complete"}], taken_at=TAKEN)

    assert data.rows("select id, status from todos") == [("t1", "complete")]


def test_an_empty_list_empties_the_table_when_the_next_run_sees_the_same(data):
    data.master.land_coaching("todos", [TODO], taken_at=TAKEN)
    kept = data.folder / "exports" / "coaching-todos.ndjson.gz"
    bytes_before = kept.read_bytes()
    doubted = data.master.land_coaching("todos", [], taken_at=TAKEN)

    assert data.column("select id from todos") == [TODO["id"]]
    assert kept.read_bytes() == bytes_before
    assert "returned 0 rows where there were 1" in doubted.warnings[0]

    believed = data.master.land_coaching("todos", [], taken_at=TAKEN)

    assert data.rows("from todos") == []
    assert believed.warnings == []
    assert data.rows('select table_name, "rows" from state.snapshots') == [("todos", 0)]
    assert data.rows("from state.doubted_snapshots") == []


def test_a_list_that_lost_half_or_less_is_believed_at_once(data):
    data.master.land_coaching("todos", [TODO | {"id": str(number)} for number in range(4)], taken_at=TAKEN)
    landed = data.master.land_coaching("todos", [TODO, TODO | {"id": "1"}], taken_at=TAKEN)

    assert landed.warnings == []
    assert data.column("select count(*) from todos") == [2]


def test_a_list_that_is_doubted_waits_through_a_replay(data):
    data.master.land_coaching("todos", [TODO], taken_at=TAKEN)
    data.master.land_coaching("todos", [], taken_at=TAKEN)
    list(replay(data.master))

    assert data.column("select id from todos") == [TODO["id"]]
    data.master.land_coaching("todos", [], taken_at=TAKEN)
    assert data.rows("from todos") == []


def test_a_record_twice_is_one_and_the_one_changed_last_counts(data):
    newer = TODO | {"updatedAt": "2024-01-01T00:00:00Z", "title": "newer"}
    landed = data.master.land_coaching("todos", [newer, TODO, newer], taken_at=TAKEN)

    assert data.column("select title from todos") == ["newer"]
    assert landed.row_counts["todos"].repeated == 2


def test_an_unknown_key_grows_a_column_and_values_that_are_no_text_stay_json(data):
    data.master.land_coaching("todos", [TODO | {"dueDate": "soon", "labels": ["a"]}], taken_at=TAKEN)
    data.master.land_coaching("todos", [TODO], taken_at=TAKEN)
    data.master.land_coaching("todos", [TODO | {"labels": {"a": 1}}], taken_at=TAKEN)

    assert data.rows("select due_date, labels from todos") == [(None, '{"a": 1}')]
    assert data.column("select column_name from state.schema_changes order by all") == ["due_date", "labels"]


def test_a_bad_record_is_kept_aside_within_the_budget(data):
    records = [TODO | {"id": str(number)} for number in range(99)]
    landed = data.master.land_coaching("todos", [*records, TODO | {"createdAt": "last week"}], taken_at=TAKEN)

    assert (landed.rows, landed.quarantined) == ({"todos": 99}, 1)
    assert data.rows("select table_name, file, line, column_name, reason from state.quarantine") == [
        ("todos", "exports/coaching-todos.ndjson.gz", 100, "created_at", "created_at: 'last week' is not a moment")
    ]


def test_bad_records_do_not_pile_up_over_refreshes(data):
    records = [TODO | {"id": str(number)} for number in range(99)]
    for _ in range(3):
        data.master.land_coaching("todos", [*records, TODO | {"createdAt": "last week"}], taken_at=TAKEN)

    assert data.column("select count(*) from state.quarantine") == [1]


def test_over_the_budget_the_table_stays_as_it_was(data):
    data.master.land_coaching("todos", [TODO], taken_at=TAKEN)
    with pytest.raises(SchemaMismatch, match="1 of 1 records of todos"):
        data.master.land_coaching("todos", [{"title": "no id"}], taken_at=TAKEN)

    assert data.column("select id from todos") == ["t1"]


def test_the_newest_list_is_kept_compressed(data):
    odd = TODO | {"description": "línea\u2028 two\n\U0001f600"}
    data.master.land_coaching("todos", [TODO], taken_at=TAKEN)
    data.master.land_coaching("todos", [odd], taken_at=TAKEN)

    kept = data.folder / "exports" / "coaching-todos.ndjson.gz"
    assert list(KeptList(kept)) == [odd]
    assert KeptList(kept).taken_at == TAKEN.replace(microsecond=0)
    assert [path.name for path in kept.parent.iterdir()] == [kept.name]


def test_a_list_of_long_texts_lands_also_where_the_memory_for_lists_is_too_small(data, monkeypatch):
    monkeypatch.setattr("maestro_analytics.warehouse.connection.LEAST_MEMORY", 4 << 20)
    monkeypatch.setattr("maestro_analytics.warehouse.landing.MEMORY_PER_BYTE", 0)
    notes = [f"{number} " * 50_000 for number in range(60)]
    records = [{"id": str(number), "coachNotes": note} for number, note in enumerate(notes)]
    data.master.land_coaching("coaching_points", records, taken_at=TAKEN)
    assert data.column("select coach_notes from coaching_points order by id::int") == notes
