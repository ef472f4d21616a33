"""Tickets, comments and attachments, with the reference's own examples."""

import pytest
import requests

NEW = {
    "ticket_id": "unique_ticket_id",
    "type": "custom helpdesk",
    "subject": "New ticket",
    "link": "http://www.mynewticket.com",
    "body": "The text content of this ticket",
    "status": "open",
    "agents": ["this_agent_id"],
    "tags": "login,support,escalated",
    "csat_score": 5,
    "first_seen": "2022-02-02T00:00:00.000Z",
    "last_seen": "2022-03-07T00:00:00.000Z",
    "attributes": {"public_comment_count": 5, "group": "Support", "first_resolution_time_total_minutes": 1023},
}


@pytest.fixture
def talk(open_sandbox):
    return open_sandbox(agents=4, days=10)


def test_a_ticket_is_created_changed_read_and_deleted(talk):
    reply = talk.post("/tickets", **NEW)
    assert (reply.status_code, reply.json()) == (201, NEW)
    changes = {"subject": "Updated subject!", "status": "closed", "last_seen": "2022-03-15T00:00:00.000Z"}
    changed = talk.patch("/tickets/unique_ticket_id", **changes).json()
    assert changed == NEW | changes | {"_id": changed["_id"]}
    read = talk.get("/tickets/unique_ticket_id").json()
    assert read == NEW | changes | {
        "id": changed["_id"],
        "source": "custom",
        "createdAt": "2026-01-05T12:00:00.000Z",
        "updatedAt": "2026-01-05T12:00:00.000Z",
    }
    reply = talk.delete("/tickets/unique_ticket_id")
    assert (reply.status_code, reply.content) == (200, b"")
    assert talk.get("/tickets/unique_ticket_id").status_code == 404
    assert talk.delete("/tickets/unique_ticket_id").status_code == 404
    assert talk.patch("/tickets/unique_ticket_id", status="open").status_code == 404


def test_dates_default_to_the_present_and_emails_become_ids(talk):
    person = talk.sandbox.truth.agents[0]
    needed = {name: NEW[name] for name in ("ticket_id", "type", "subject", "link")}
    ticket = talk.post("/tickets", **needed, agents=[person.email]).json()
    assert ticket["agents"] == [person.agent_ids[0]]
    assert ticket["first_seen"] == ticket["last_seen"] == "2026-01-05T12:00:00.000Z"


def test_a_ticket_id_in_use_is_a_conflict_that_names_it(talk):
    talk.post("/tickets", **NEW)
    synced = talk.sandbox.truth.total_scores[0]["gradable_id"]
    for ticket_id in ("unique_ticket_id", synced):
        reply = talk.post("/tickets", **(NEW | {"ticket_id": ticket_id}))
        assert reply.status_code == 409
        assert ticket_id in reply.json()["message"]


@pytest.mark.parametrize("missing", ["ticket_id", "type", "subject", "agents", "link"])
def test_a_required_parameter_is_required(talk, missing):
    reply = talk.post("/tickets", **{name: value for name, value in NEW.items() if name != missing})
    assert reply.status_code == 422
    assert missing in reply.json()["message"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("agents", "this_agent_id"),
        ("agents", []),
        ("csat_score", "5"),
        ("csat_score", True),
        ("first_seen", "2022-02-02"),
        ("attributes", []),
        ("attributes", {"public_comment_count": "five"}),
        ("attributes", {"group": 5}),
        ("attributes", {"recontact": 1}),
        ("subject", ""),
    ],
)
def test_a_wrong_value_is_refused_by_name(talk, name, value):
    reply = talk.post("/tickets", **(NEW | {name: value}))
    assert reply.status_code == 422
    assert name in reply.json()["message"]


def test_unknown_attributes_are_ignored(talk):
    ticket = talk.post("/tickets", **(NEW | {"attributes": {"recontact": True, "colour": "red"}})).json()
    assert ticket["attributes"] == {"recontact": True}


def test_a_synced_ticket_can_be_read_but_not_changed(talk):
    ticket_id = talk.sandbox.truth.total_scores[0]["gradable_id"]
    shown = talk.get(f"/tickets/{ticket_id}").json()
    assert set(shown) == {"id", "source", "createdAt", "updatedAt", *NEW}
    assert shown["attributes"] == {}
    assert talk.patch(f"/tickets/{ticket_id}", status="open").status_code == 422
    assert talk.patch(f"/tickets/{ticket_id}", attributes={"recontact": True}).status_code == 200
    assert talk.delete(f"/tickets/{ticket_id}").status_code == 422


def test_many_tickets_are_those_that_exist(talk):
    talk.post("/tickets", **NEW)
    synced = talk.sandbox.truth.total_scores[0]["gradable_id"]
    found = talk.get("/tickets", ticket_ids=f"unique_ticket_id,nowhere,{synced}").json()
    assert [ticket["ticket_id"] for ticket in found] == ["unique_ticket_id", synced]
    assert talk.get("/tickets").status_code == 422


def test_a_ticket_id_with_a_slash_and_a_percent_can_be_read(talk):
    talk.post("/tickets", **(NEW | {"ticket_id": "a/b%20c"}))
    assert talk.get("/tickets/a%2Fb%2520c").json()["ticket_id"] == "a/b%20c"


COMMENT = {
    "ticket_id": "unique_ticket_id",
    "channel": "chat",
    "time": "2023-11-03T16:38:53.508Z",
    "body": "Hi, can I get some help?",
    "role": "customer",
    "author_id": "customer_12345",
    "public": True,
}


def test_a_comment_comes_back_with_an_id(talk):
    talk.post("/tickets", **NEW)
    comment = talk.post("/comments", **COMMENT).json()
    assert comment == COMMENT | {"id": comment["id"]}
    assert "_unique_ticket_id_" in comment["id"]
    short = talk.post("/comments", ticket_id="unique_ticket_id", body="Hello").json()
    assert short == {
        "ticket_id": "unique_ticket_id",
        "body": "Hello",
        "public": True,
        "time": "2026-01-05T12:00:00.000Z",
        "id": short["id"],
    }
    assert talk.sandbox.comments == [comment, short]


def test_comments_come_in_batches_of_at_most_500_all_or_none(talk):
    talk.post("/tickets", **NEW)
    results = talk.post("/comments-batch", batch=[COMMENT, COMMENT | {"body": "Two"}]).json()["results"]
    assert [comment["body"] for comment in results] == [COMMENT["body"], "Two"]
    reply = talk.post("/comments-batch", batch=[COMMENT, COMMENT | {"role": "robot"}])
    assert reply.status_code == 422
    assert "batch[1].role" in reply.json()["message"]
    assert talk.post("/comments-batch", batch=[COMMENT] * 501).status_code == 422
    assert talk.sandbox.received.violations == ["501 comments in a batch, 500 are allowed"]
    assert len(talk.sandbox.comments) == 2
    assert talk.post("/comments-batch", batch=[COMMENT | {"ticket_id": "nowhere"}]).status_code == 404


@pytest.mark.parametrize("missing", ["body", "ticket_id"])
def test_a_comment_needs_a_body_and_a_ticket(talk, missing):
    reply = talk.post("/comments", **{name: value for name, value in COMMENT.items() if name != missing})
    assert reply.status_code == 422
    assert missing in reply.json()["message"]


ATTACHMENT = {"ticket_id": "unique_ticket_id", "timestamp": "2022-12-13T05:00:00Z", "content_type": "audio/mp3"}
UPLOAD = {"Content-Type": "audio/mp3", "x-amz-server-side-encryption": "AES256"}


def test_an_attachment_is_put_to_a_presigned_url(talk):
    talk.post("/tickets", **NEW)
    reply = talk.post("/attachments", **ATTACHMENT).json()
    assert set(reply) == {"id", "presigned_url"}
    assert requests.put(reply["presigned_url"], data=b"sound", headers=UPLOAD, timeout=20).status_code == 200
    assert talk.sandbox.received.uploads == {reply["id"]: b"sound"}


@pytest.mark.parametrize(
    "headers",
    [
        UPLOAD | {"Content-Type": "audio/wav"},
        {"Content-Type": "audio/mp3"},
        UPLOAD | {"x-amz-server-side-encryption": "none"},
        UPLOAD | {"Authorization": "Bearer secret"},
    ],
)
def test_an_upload_with_other_headers_is_refused(talk, headers):
    talk.post("/tickets", **NEW)
    url = talk.post("/attachments", **ATTACHMENT).json()["presigned_url"]
    assert requests.put(url, data=b"sound", headers=headers, timeout=20).status_code in (400, 403)
    assert talk.sandbox.received.uploads == {}


def test_an_upload_url_is_good_for_ten_minutes(open_sandbox):
    now = [0.0]
    talk = open_sandbox(agents=3, days=3, timer=lambda: now[0])
    talk.post("/tickets", **NEW)
    url = talk.post("/attachments", **ATTACHMENT, id="my one/2").json()["presigned_url"]
    now[0] = 599.0
    assert requests.put(url, data=b"1", headers=UPLOAD, timeout=20).status_code == 200
    now[0] = 600.0
    assert requests.put(url, data=b"2", headers=UPLOAD, timeout=20).status_code == 403
    assert talk.sandbox.received.uploads == {"my one/2": b"1"}


def test_an_attachment_by_url_has_no_upload_and_ids_are_unique(talk):
    talk.post("/tickets", **NEW)
    by_url = {"ticket_id": "unique_ticket_id", "content_type": "image/png", "url": "https://example.com/your_file.png"}
    assert talk.post("/attachments", **by_url, id="mine").json() == {"id": "mine"}
    assert talk.post("/attachments", **by_url, id="mine").status_code == 409
    assert talk.post("/attachments", **(by_url | {"ticket_id": "nowhere"})).status_code == 404
    assert talk.post("/attachments", ticket_id="unique_ticket_id").status_code == 422
