"""Metrics batches: taken as a whole or refused as a whole, and what the vendor then holds."""

import pytest

MOMENT = "2017-12-13T05:00:00Z"


@pytest.fixture
def talk(open_sandbox):
    return open_sandbox(agents=8, days=10)


def agent_metric(talk, position=0, **changes):
    agent_id = talk.sandbox.truth.agents[position].agent_ids[0]
    return {"agent_id": agent_id, "metric_id": "hours_worked", "metric_value": 28800, "timestamp": MOMENT} | changes


def ticket_metric(talk, position=0, **changes):
    grade = [row for row in talk.sandbox.truth.total_scores if row["source"]][position]
    return {
        "ticket_id": grade["gradable_id"],
        "source_id": grade["source"],
        "agent_id": grade["agent_id"],
        "metric_id": "response_time",
        "metric_value": 32,
        "timestamp": MOMENT,
    } | changes


def test_agent_metrics_are_created(talk):
    batch = [agent_metric(talk, position) for position in range(6)]
    reply = talk.post("/agent-metrics-batch", batch=batch)
    assert reply.status_code == 201
    results = reply.json()["results"]
    expected = [{"agent_id": entry["agent_id"], "metric_id": "hours_worked"} for entry in batch]
    assert sorted(results, key=repr) == sorted(expected, key=repr)
    assert results != expected, "results in the order of the batch would reward matching by position"
    held = talk.sandbox.received.agent_metrics
    assert {key: metric.metric_value for key, metric in held.items()} == {
        (entry["agent_id"], "hours_worked"): 28800.0 for entry in batch
    }


def test_the_vendor_holds_the_newest_value_and_the_series(talk):
    agent_id = agent_metric(talk)["agent_id"]
    later = "2017-12-20T05:00:00Z"
    for changes in ({"metric_value": 1}, {"metric_value": 2.5, "timestamp": later}, {"metric_value": 3}):
        assert talk.post("/agent-metrics-batch", batch=[agent_metric(talk, **changes)]).status_code == 201
    received = talk.sandbox.received
    assert received.agent_metrics[agent_id, "hours_worked"].metric_value == 3
    assert {key[2]: metric.metric_value for key, metric in received.agent_metric_series.items()} == {
        MOMENT: 3,
        later: 2.5,
    }


def test_an_email_names_the_same_person_as_an_id(talk):
    person = talk.sandbox.truth.agents[0]
    batch = [agent_metric(talk, agent_id=name) for name in (person.email, *person.agent_ids)]
    assert talk.post("/agent-metrics-batch", batch=batch).status_code == 201
    assert len({metric.person for metric in talk.sandbox.received.agent_metrics.values()}) == 1


def test_ticket_metrics_are_created_and_deleted(talk):
    entry = ticket_metric(talk, ticket_event_id=None)
    reply = talk.post("/ticket-metrics-batch", batch=[entry])
    assert reply.status_code == 201
    assert reply.json() == {"results": [{"ticket_id": entry["ticket_id"], "metric_id": "response_time"}]}
    key = (entry["ticket_id"], entry["source_id"], entry["agent_id"], "response_time")
    assert talk.sandbox.received.ticket_metrics[key].metric_value == 32
    assert talk.post("/ticket-metrics-batch", batch=[entry | {"metric_deleted": True}]).status_code == 201
    assert talk.sandbox.received.ticket_metrics == {}


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"agent_id": "nobody"}, "batch[1].agent_id"),
        ({"metric_value": "32"}, "batch[1].metric_value"),
        ({"metric_value": None}, "batch[1].metric_value"),
        ({"timestamp": "2017-12-13"}, "batch[1].timestamp"),
        ({"timestamp": "2017-12-13T05:00:00"}, "batch[1].timestamp"),
        ({"metric_id": ""}, "batch[1].metric_id"),
    ],
)
def test_one_bad_entry_refuses_the_batch_by_name(talk, changes, named):
    reply = talk.post("/agent-metrics-batch", batch=[agent_metric(talk), agent_metric(talk, **changes)])
    assert reply.status_code == 422
    assert named in reply.json()["message"]
    assert talk.sandbox.received.agent_metrics == {}
    good, bad = ticket_metric(talk), ticket_metric(talk, **changes)
    reply = talk.post("/ticket-metrics-batch", batch=[good, bad])
    assert reply.status_code == 422
    assert named in reply.json()["message"]
    assert talk.sandbox.received.ticket_metrics == {}


@pytest.mark.parametrize("missing", ["ticket_id", "source_id", "agent_id", "metric_id", "metric_value", "timestamp"])
def test_a_required_field_is_required(talk, missing):
    entry = {name: value for name, value in ticket_metric(talk).items() if name != missing}
    reply = talk.post("/ticket-metrics-batch", batch=[entry])
    assert reply.status_code == 422
    assert f"batch[0].{missing} is required" in reply.json()["message"]


def test_a_ticket_belongs_to_its_source(talk):
    entry = ticket_metric(talk, source_id="another helpdesk")
    reply = talk.post("/ticket-metrics-batch", batch=[entry])
    assert reply.status_code == 422
    assert "batch[0].ticket_id" in reply.json()["message"]


def test_500_fit_a_batch_and_501_are_a_violation(talk):
    batch = [agent_metric(talk, metric_id=f"m{number}") for number in range(501)]
    assert talk.post("/agent-metrics-batch", batch=batch).status_code == 422
    assert talk.sandbox.received.agent_metrics == {}
    assert talk.sandbox.received.violations == ["501 agent metrics in a batch, 500 are allowed"]
    assert talk.post("/agent-metrics-batch", batch=batch[:500]).status_code == 201
    assert len(talk.sandbox.received.agent_metrics) == 500


@pytest.mark.parametrize("body", [{}, {"batch": []}, {"batch": {}}, {"batch": ["x"]}])
def test_a_batch_must_be_a_list_of_entries(talk, body):
    reply = talk.post("/agent-metrics-batch", **body)
    assert reply.status_code == 422
    assert "batch" in reply.json()["message"]


def test_the_misspelt_names_of_the_references_example_are_refused(talk):
    misspelt = {"aegnt_id": "agent1234", "metric_id": "hours", "metric_value": 1, "timestamp": MOMENT}
    reply = talk.post("/agent-metrics-batch", batch=[misspelt])
    assert reply.status_code == 422
    assert "batch[0].agent_id is required" in reply.json()["message"]
    assert talk.sandbox.received.violations == ["unknown parameter 'aegnt_id' in a batch of agent metrics"]
