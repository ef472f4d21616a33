"""A second customer of the vendor on the same host."""

import requests


def test_a_second_account_has_its_own_token_people_and_answer_ids(open_sandbox):
    talk = open_sandbox(agents=6, days=20)
    sandbox = talk.sandbox
    other = sandbox.add_account(seed=2, agents=4)
    assert other.token != sandbox.token
    mine, theirs = (
        {known for agent in truth.agents for known in (agent.email, *agent.agent_ids)}
        for truth in (sandbox.truth, other.truth)
    )
    assert mine
    assert not mine & theirs
    prefixes = [
        {row["target_answer_id"].partition("_")[0] for row in truth.total_scores if row["target_answer_id"]}
        for truth in (sandbox.truth, other.truth)
    ]
    assert [len(one) for one in prefixes] == [1, 1]
    assert prefixes[0] != prefixes[1]


def test_each_token_gets_the_data_of_its_account(open_sandbox, reading):
    talk = open_sandbox(agents=6, days=20)
    other = talk.sandbox.add_account(seed=2, agents=4)
    for account, truth in ((talk.sandbox, talk.sandbox.truth), (other, other.truth)):
        talk.session.headers["apitoken"] = account.token
        groups = reading.values_of(reading.rows_of(talk.export("/request-groups-export", includeUnavailable=True)))
        assert reading.in_order(groups) == reading.in_order(truth.agent_groups)
        total = talk.get("/todos").json()["totalResults"]
        assert total == len(truth.todos)
    reply = requests.get(talk.sandbox.base_url + "/todos", headers={"apitoken": "wrong"}, timeout=20)
    assert reply.status_code == 401
