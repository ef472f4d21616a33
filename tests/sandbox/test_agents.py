"""Agents are created, given more ids, and made available or not."""

import pytest

ALLISON = {
    "name": "Allison Agent",
    "available": True,
    "email": "brand_new_agent@maestroqa.com",
    "agentId": "allisonagent",
}


@pytest.fixture
def talk(open_sandbox):
    return open_sandbox(agents=12, days=3)


def test_an_agent_is_created_into_a_group(talk, reading):
    group = next(row for row in talk.sandbox.truth.agent_groups)
    new = ALLISON | {"agentGroupId": group["group_id"]}
    agent = talk.post("/agents", **new).json()
    assert agent == new | {"_id": agent["_id"]}
    rows = reading.rows_of(talk.export("/request-groups-export"))
    assert {
        "group_name": group["group_name"],
        "group_id": group["group_id"],
        "agent_name": "Allison Agent",
        "agent_email": ALLISON["email"],
        "agent_ids": "allisonagent",
        "available": "True",
    } in rows


def test_an_id_is_made_when_none_is_given(talk):
    agent = talk.post("/agents", **{name: value for name, value in ALLISON.items() if name != "agentId"}).json()
    assert len(agent["agentId"]) == 17
    assert "agentGroupId" not in agent


def test_an_email_or_id_in_use_is_a_conflict_that_names_it(talk):
    person = talk.sandbox.truth.agents[1]
    reply = talk.post("/agents", **(ALLISON | {"email": person.email}))
    assert reply.status_code == 409
    assert person.email in reply.json()["message"]
    reply = talk.post("/agents", **(ALLISON | {"agentId": person.agent_ids[0]}))
    assert reply.status_code == 409
    assert person.agent_ids[0] in reply.json()["message"]
    reply = talk.post("/agents/add-id-to-agent", email=talk.sandbox.truth.agents[0].email, agentId=person.agent_ids[0])
    assert reply.status_code == 409


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"name": None}, "name"),
        ({"available": "yes"}, "available"),
        ({"email": "no address"}, "email"),
        ({"agentGroupId": "no such group"}, "agentGroupId"),
    ],
)
def test_a_wrong_parameter_is_refused_by_name(talk, change, named):
    reply = talk.post("/agents", **(ALLISON | change))
    assert reply.status_code == 422
    assert named in reply.json()["message"]


def test_another_id_and_another_availability_show_in_the_groups(talk, reading):
    person = next(agent for agent in talk.sandbox.truth.agents if agent.available and agent.groups)
    reply = talk.post("/agents/add-id-to-agent", email=person.email, agentId="one_more")
    assert reply.status_code == 200
    assert reply.json()["agentId"] == "one_more"
    reply = talk.post("/update-agent-availability", email=person.email, available=False)
    assert reply.json()["available"] is False
    rows = reading.values_of(reading.rows_of(talk.export("/request-groups-export", includeUnavailable=True)))
    mine = [row for row in rows if row["agent_email"] == person.email]
    assert {tuple(row["agent_ids"]) for row in mine} == {(*person.agent_ids, "one_more")}
    assert {row["available"] for row in mine} == {False}
    assert person.email not in {row["agent_email"] for row in reading.rows_of(talk.export("/request-groups-export"))}
    assert reading.in_order(rows) == reading.in_order(talk.sandbox.truth.agent_groups)


def test_availability_has_an_older_and_a_newer_path(talk):
    for path, available in (("/update-agent-availability", False), ("/agents/update-agent-availability", True)):
        email = talk.sandbox.truth.agents[0].email
        assert talk.post(path, email=email, available=available).status_code == 200
        assert talk.sandbox.truth.agents[0].available is available


def test_an_agent_that_does_not_exist_is_not_found(talk):
    assert talk.post("/agents/add-id-to-agent", email="nobody@example.com", agentId="x").status_code == 404
    assert talk.post("/update-agent-availability", email="nobody@example.com", available=True).status_code == 404
