"""To-dos, coaching points and sessions: one, many, filtered, in pages; and how they change."""

import re
from datetime import datetime, timedelta

import pytest

LISTS = {"todos": "todos", "coaching-points": "coaching_points", "coaching-sessions": "coaching_sessions"}
SESSION = {
    *(
        "id",
        "name",
        "createdAt",
        "updatedAt",
        "agentId",
        "agentName",
        "coachId",
        "coachName",
        "creatorId",
        "agentNotes",
    ),
    *("coachNotes", "coachPrivateNotes", "sessionContents", "coachingTemplateId", "meetingFormat"),
    *("agentConfirmed", "coachConfirmed"),
}
GENERAL_POINT = {
    *("id", "createdAt", "updatedAt", "agentId", "creatorId", "type", "classification", "coachNotes"),
    *("coachingSessionIds", "textContent"),
}
QA_POINT = GENERAL_POINT | {"criteriaId", "rubricId", "answerId"}
TODO = {"id", "title", "createdAt", "updatedAt", "agentId", "creatorId", "status", "type", "description"}
SHAPES = {
    "todos": {frozenset(TODO | {"coachingSessionIds"}), frozenset(TODO | {"answerId"})},
    "coaching-points": {frozenset(GENERAL_POINT), frozenset(QA_POINT)},
    "coaching-sessions": {frozenset(SESSION)},
}
DATES_OF_A_SESSION = {"meetingDate", "agentConfirmedDate", "coachConfirmedDate"}
"""They are not in the reference, and not in every session."""


def every(talk, name, **filters):
    records = []
    while True:
        page = talk.get(f"/{name}", startIndex=len(records), count=20, **filters).json()
        records += page["Resources"]
        if not page["Resources"]:
            return records


def snake(record):
    def value(one):
        return (
            datetime.fromisoformat(one) if isinstance(one, str) and re.fullmatch(r"\d{4}-\d\d-\d\dT.*Z", one) else one
        )

    return {re.sub("([A-Z])", r"_\1", name).lower(): value(one) for name, one in record.items()}


@pytest.mark.parametrize("name", LISTS)
def test_records_have_the_references_shapes(calm, name):
    records = every(calm, name)
    assert {frozenset(record.keys() - DATES_OF_A_SESSION) for record in records} == SHAPES[name]
    for record in records:
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", record["createdAt"])


def test_some_sessions_have_dates_of_the_meeting_and_of_confirmations(calm):
    sessions = every(calm, "coaching-sessions")
    for name in DATES_OF_A_SESSION:
        assert {name in session for session in sessions} == {True, False}
    for session in sessions:
        assert session["createdAt"] <= session.get("meetingDate", session["createdAt"])
        for who in ("agent", "coach"):
            assert session[f"{who}Confirmed"] or f"{who}ConfirmedDate" not in session
    assert any(session["createdAt"] < session.get("meetingDate", "") for session in sessions)


@pytest.mark.parametrize("name", LISTS)
def test_all_pages_together_are_the_truth(calm, reading, name):
    truth = getattr(calm.sandbox.truth, LISTS[name])
    blank = dict.fromkeys(truth[0])
    assert reading.in_order(blank | snake(record) for record in every(calm, name)) == reading.in_order(truth)


@pytest.mark.parametrize("name", LISTS)
def test_a_page_tells_where_it_is_and_how_many_there_are(calm, name):
    total = len(getattr(calm.sandbox.truth, LISTS[name]))
    page = calm.get(f"/{name}", count=2, startIndex=1).json()
    assert list(page) == ["startIndex", "totalResults", "itemsPerPage", "Resources"]
    assert (page["startIndex"], page["totalResults"], page["itemsPerPage"]) == (1, total, 2)
    assert page["Resources"] == calm.get(f"/{name}", count=3).json()["Resources"][1:]
    beyond = calm.get(f"/{name}", startIndex=total).json()
    assert (beyond["totalResults"], beyond["Resources"]) == (total, [])


def test_a_page_is_never_larger_than_the_largest(calm):
    page = calm.get("/todos", count=500).json()
    assert page["itemsPerPage"] == 20
    assert len(page["Resources"]) == 20 < page["totalResults"]


@pytest.mark.parametrize("name", LISTS)
def test_one_record_is_what_the_list_has(calm, name):
    record = calm.get(f"/{name}", count=1).json()["Resources"][0]
    assert calm.get(f"/{name}/{record['id']}").json() == record
    assert calm.get(f"/{name}/CGsTFnNi5P8riTHmC").status_code == 404


@pytest.mark.parametrize(
    ("name", "field"),
    [(name, field) for name in LISTS for field in ("agentId", "creatorId")] + [("coaching-sessions", "coachId")],
)
def test_a_filter_gives_those_that_have_it(calm, name, field):
    records = every(calm, name)
    wanted = records[0][field]
    assert every(calm, name, **{field: wanted}) == [record for record in records if record[field] == wanted]
    assert every(calm, name, **{field: "nobody"}) == []


@pytest.mark.parametrize("name", LISTS)
def test_dates_filter_by_creation_both_ends_outside(calm, name):
    records = every(calm, name)
    created = sorted(record["createdAt"] for record in records)
    found = every(calm, name, startDate=created[1], endDate=created[-2])
    assert found == [record for record in records if created[1] < record["createdAt"] < created[-2]]
    assert len(found) >= 1


@pytest.mark.parametrize(
    ("name", "value"),
    [("count", "0"), ("count", "ten"), ("startIndex", "-1"), ("startDate", "yesterday"), ("endDate", "2023-06-01")],
)
def test_a_wrong_parameter_is_refused_by_name(calm, name, value):
    reply = calm.get("/coaching-points", **{name: value})
    assert reply.status_code == 422
    assert name in reply.json()["message"]


def test_records_come_in_no_order_of_date_or_name(calm):
    created = [record["createdAt"] for record in every(calm, "todos")]
    assert created not in (sorted(created), sorted(created, reverse=True))


def test_records_change_after_creation_and_some_go(open_sandbox):
    talk = open_sandbox(agents=24, days=60)
    before = {name: {record["id"]: record for record in every(talk, name)} for name in LISTS}
    talk.sandbox.advance(days=21)
    after = {name: {record["id"]: record for record in every(talk, name)} for name in LISTS}
    for name in LISTS:
        both = before[name].keys() & after[name].keys()
        changed = [key for key in both if before[name][key] != after[name][key]]
        assert changed
        assert all(before[name][key]["updatedAt"] < after[name][key]["updatedAt"] for key in changed)
        assert all(before[name][key]["createdAt"] == after[name][key]["createdAt"] for key in both)
        assert after[name].keys() - before[name].keys()
    assert before["todos"].keys() - after["todos"].keys()
    statuses = [
        (before["todos"][key]["status"], after["todos"][key]["status"]) for key in both & before["todos"].keys()
    ]
    assert set(statuses) <= {("incomplete", "complete"), ("incomplete", "incomplete"), ("complete", "complete")}
    assert talk.sandbox.now - talk.sandbox.truth.start == timedelta(days=81, hours=12)
