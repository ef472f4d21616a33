"""Tickets, comments, agents and single records, against the sandbox and its truth."""

import json
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest

from maestro_analytics import errors
from maestro_analytics.api.coaching import CoachingLists
from maestro_analytics.api.models import Comment, Ticket
from maestro_analytics.client import AuthorRole, Client, NewComment
from maestro_analytics.sandbox import Sandbox
from maestro_analytics.settings import Settings

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox(agents=6, days=20, now=NOON, requests_per_second=None, requests_per_minute=None) as made:
        yield made


@pytest.fixture
def vendor(sandbox, tmp_path, clock):
    settings = Settings(
        api_token=sandbox.token,
        base_url=sandbox.base_url,
        cache=tmp_path,
        requests_per_second=10_000,
        requests_per_minute=100_000,
        _env_file=None,
    )
    with Client(settings, clock=clock) as client:
        yield client


@pytest.fixture
def agent_id(sandbox):
    return sandbox.truth.agents[0].agent_ids[0]


def new_ticket(vendor, agent_id, ticket_id, **more):
    return vendor.create_ticket(
        ticket_id=ticket_id,
        type="custom",
        subject="Late parcel",
        agents=[agent_id],
        link="https://crm.example/t",
        **more,
    )


def test_a_ticket_is_created_read_changed_and_deleted(vendor, agent_id):
    made = new_ticket(vendor, agent_id, "n 1/é", tags="late,parcel", csat_score=4, first_seen=NOON - timedelta(days=1))
    assert ("n 1/é", "Late parcel", 4.0, NOON - timedelta(days=1)) == (
        made.ticket_id,
        made.subject,
        made.csat_score,
        made.first_seen,
    )

    changed = vendor.update_ticket("n 1/é", status="closed")
    assert ("closed", "Late parcel") == (changed.status, changed.subject)
    assert "closed" == vendor.ticket("n 1/é").status

    vendor.delete_ticket("n 1/é")
    with pytest.raises(errors.RequestRefused) as caught:
        vendor.ticket("n 1/é")
    assert 404 == caught.value.status


def test_a_ticket_id_in_use_is_a_conflict_that_names_it(vendor, agent_id):
    new_ticket(vendor, agent_id, "twice")

    with pytest.raises(errors.RequestRefused, match=r"'twice' is in use.*choose another") as caught:
        new_ticket(vendor, agent_id, "twice")
    assert 409 == caught.value.status


def test_any_number_of_tickets_is_fetched_in_calls_that_fit_a_url(vendor, sandbox, agent_id):
    for number in range(3):
        new_ticket(vendor, agent_id, f"many-{number}")
    asked = [f"many-{number}" for number in range(450)]

    found = vendor.get_tickets([*asked, "many-0"])

    assert {"many-0", "many-1", "many-2"} == {ticket.ticket_id for ticket in found}
    calls = [request for request in sandbox.received.api("GET", "/tickets") if "many-449" in str(request.query)]
    assert 1 == len(calls)
    lengths = [len(str(request.query)) for request in sandbox.received.api("GET", "/tickets")]
    assert 5 == len(lengths)
    assert max(lengths) < 4_200


def test_no_ids_cost_no_request(vendor):
    assert [] == vendor.get_tickets([])
    assert 0 == vendor.requests_made


def test_comments_in_any_number_are_sent_500_at_a_time(vendor, sandbox, agent_id):
    new_ticket(vendor, agent_id, "talk")
    one = vendor.create_comment(NewComment(ticket_id="talk", body="Hi", role=AuthorRole.CUSTOMER, time=NOON))
    assert ("talk", "Hi", "customer", NOON, True) == (one.ticket_id, one.body, one.role, one.time, one.public)

    created = vendor.create_comments(
        NewComment(ticket_id="talk", body=f"line {number}", role="agent", public=False) for number in range(1101)
    )

    assert [f"line {number}" for number in range(1101)] == [comment.body for comment in created]
    sizes = [len(json.loads(request.body)["batch"]) for request in sandbox.received.api("POST", "/comments-batch")]
    assert [500, 500, 101] == sizes


def test_a_batch_that_fails_says_how_many_comments_there_are(client, host, reply):
    host.on("POST /api/v1/comments-batch", reply(body={"results": [{"id": "c"}] * 500}), reply(reset=True))

    with pytest.raises(errors.OutcomeUnknown) as caught:
        client.create_comments([NewComment(ticket_id="t", body="x")] * 700)

    assert ["The first 500 of 700 comments were created before that."] == caught.value.__notes__


def test_all_comments_are_checked_before_the_first_is_sent(client):
    comments = [NewComment(ticket_id="t", body="x")] * 600 + [NewComment(ticket_id="t", body=" ")]

    with pytest.raises(errors.InvalidArgument, match=r"body must not be empty"):
        client.create_comments(comments)
    assert 0 == client.requests_made


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"ticket_id": ""}, "ticket_id must not be empty"),
        ({"ticket_id": 70212}, "ticket_id must be a text"),
        ({"agents": []}, "at least one"),
        ({"agents": "a1"}, "must be a list"),
        ({"agents": [7]}, "an agent must be a text"),
        ({"csat_score": float("nan")}, "finite"),
        ({"csat_score": True}, "finite"),
        ({"tags": ["a"]}, "tags must be a text"),
        ({"first_seen": datetime(2026, 1, 31, 9)}, r"datetime\(2026, 1, 31, 9, 0, tzinfo=UTC\)"),
        ({"last_seen": "2026-01-01"}, "must be an aware datetime"),
    ],
)
def test_a_ticket_that_the_vendor_would_refuse_is_not_sent(client, change, said):
    ticket = {"ticket_id": "1", "type": "t", "subject": "s", "agents": ["a"], "link": "https://x.example"}

    with pytest.raises(errors.InvalidArgument, match=said):
        client.create_ticket(**(ticket | change))
    assert 0 == client.requests_made


@pytest.mark.parametrize(
    "call",
    [
        lambda client: client.update_ticket("1"),
        lambda client: client.get_tickets("one,two"),
        lambda client: client.get_tickets(["a,b"]),
        lambda client: client.create_comment(NewComment(ticket_id="t", body="x", role="manager")),
        lambda client: client.create_agent(name="A", email="nobody", available=True),
        lambda client: client.create_agent(name="A", email="a@b.example", available="yes"),
        lambda client: client.add_agent_id(email="a@b.example", agent_id=7),
        lambda client: client.set_agent_availability(email="a@b.example", available=1),
    ],
)
def test_invalid_arguments_are_rejected_before_anything_is_sent(client, call):
    with pytest.raises(errors.InvalidArgument):
        call(client)
    assert 0 == client.requests_made


def test_an_agent_is_created_given_an_id_and_made_unavailable(vendor, sandbox):
    made = vendor.create_agent(name="Allison Agent", email="allison@example.com", available=True, agent_id="allison")
    vendor.add_agent_id(email="allison@example.com", agent_id="0070")
    vendor.set_agent_availability(email="allison@example.com", available=False)

    assert ("Allison Agent", "allison@example.com", True, "allison") == (
        made.name,
        made.email,
        made.available,
        made.agent_id,
    )
    assert made.id
    with pytest.raises(errors.RequestRefused, match=r"allison@example.com") as caught:
        vendor.create_agent(name="Another", email="allison@example.com", available=True)
    assert 409 == caught.value.status


def test_single_coaching_records_come_by_their_id(vendor):
    lists = CoachingLists(vendor.transport)
    for name in ("todos", "coaching_points", "coaching_sessions"):
        first = lists.read_all(name)[0]
        assert first == lists.record(name, first["id"])
    with pytest.raises(errors.RequestRefused, match=r"Check the identifier"):
        lists.record("todos", "unknown")


def test_lists_are_whole_and_filtered_by_the_vendor(vendor, sandbox):
    truth = sandbox.truth.todos
    agent = truth[0]["agent_id"]

    assert {todo["id"] for todo in truth} == {todo["id"] for todo in CoachingLists(vendor.transport).read_all("todos")}
    theirs = {todo["id"] for todo in truth if todo["agent_id"] == agent}
    assert theirs == {todo["id"] for todo in CoachingLists(vendor.transport).read_all("todos", agent_id=agent)}


def test_unknown_fields_are_kept_and_values_of_another_type_are_none():
    ticket = Ticket.from_json(
        {"ticket_id": 7, "csat_score": "10", "agents": None, "first_seen": "soon", "last_seen": 5, "priority": "high"}
    )

    assert ("7", 10.0, (), None, None, {"priority": "high"}) == (
        ticket.ticket_id,
        ticket.csat_score,
        ticket.agents,
        ticket.first_seen,
        ticket.last_seen,
        ticket.model_extra,
    )
    assert Comment.from_json("no object") == Comment.from_json({})
    moment = Ticket.from_json({"createdAt": "2023-06-28T16:03:21.089"}).created_at
    assert datetime(2023, 6, 28, 16, 3, 21, 89_000, UTC) == moment


def get_ticket(client):
    return client.ticket("t")


def get_tickets(client):
    return client.get_tickets(["t"])


def create_ticket(client):
    return new_ticket(client, "a1", "t")


def create_comment(client):
    return client.create_comment(NewComment(ticket_id="t", body="x"))


def create_comments(client):
    return client.create_comments([NewComment(ticket_id="t", body="x")])


@pytest.mark.parametrize(
    ("call", "body", "error"),
    [
        (get_ticket, [{"ticket_id": "t"}], errors.TryAgain),
        pytest.param(get_ticket, b"[" * 100_000, errors.TryAgain, id="nested too deeply"),
        (get_tickets, {"error": "too many ids"}, errors.TryAgain),
        (get_tickets, 3, errors.TryAgain),
        (lambda client: client.todo("d1"), [], errors.TryAgain),
        (create_ticket, [{"ticket_id": "t"}], errors.OutcomeUnknown),
        (create_comment, "created", errors.OutcomeUnknown),
        (create_comments, [{"id": "c"}], errors.OutcomeUnknown),
        (create_comments, {"created": 1}, errors.OutcomeUnknown),
    ],
)
def test_an_answer_of_another_shape_is_an_error_and_no_empty_record(client, host, reply, call, body, error):
    host.on("GET /api/v1/*", reply(body=body))
    host.on("POST /api/v1/*", reply(body=body))

    with pytest.raises(error) as caught:
        call(client)

    assert error is type(caught.value)


def test_a_field_of_another_type_is_left_out_and_the_rest_of_the_ticket_stays(client, host, reply):
    ticket = {"ticket_id": 7, "agents": ["a1", None, {"id": 2}, 3], "first_seen": "0001-01-01T00:00:00+14:00"}
    host.on("GET /api/v1/tickets/7", reply(body=ticket))

    found = client.ticket("7")

    assert ("7", ("a1", "3"), None) == (found.ticket_id, found.agents, found.first_seen)


def test_ids_in_other_scripts_fit_a_url_too(client, host, reply):
    host.on("GET /api/v1/tickets", reply(body=[]))

    client.get_tickets([f"{'チケット' * 10}{number}" for number in range(30)])

    assert 3 == len(host.seen)
    assert max(len(quote(seen.query["ticket_ids"])) for seen in host.seen) <= 4_000
