"""Which ids are one person."""

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from maestro_analytics.warehouse.agents import people_of
from tests.warehouse.data_folder import TOTAL, csv_text

GROUPS = {"agent_ids": pl.List(pl.String), "agent_email": pl.String, "agent_name": pl.String, "available": pl.Boolean}
GRADES = {"agent_id": pl.String, "agent_email": pl.String, "agent_name": pl.String}


def resolve(groups=(), grades=(), others=()):
    agents, agent_ids = people_of(
        pl.DataFrame(list(groups), GROUPS, orient="row"), pl.DataFrame(list(grades), GRADES, orient="row"), list(others)
    )
    return agents.rows(), dict(agent_ids.rows())


def test_a_row_of_the_groups_is_a_person_with_all_its_ids():
    agents, ids = resolve([(["900", "1000"], "ann@x.com", "Ann", True)])

    assert agents == [("1000", "Ann", "ann@x.com", True)]
    assert ids == {"900": "1000", "1000": "1000"}


def test_rows_that_share_an_id_or_an_address_in_any_case_are_one_person():
    groups = [
        (["1"], "ann@x.com", "Ann", False),
        (["2"], "ANN@X.com", "Ann", True),
        (["2", "3"], None, None, None),
        (["4"], "bob@x.com", "Bob", False),
    ]
    agents, ids = resolve(groups)

    assert ids == {"1": "1", "2": "1", "3": "1", "4": "4"}
    assert agents == [("1", "Ann", "ANN@X.com", True), ("4", "Bob", "bob@x.com", False)]


def test_a_person_without_an_id_is_known_by_address():
    agents, ids = resolve(
        [(None, "Ann@x.com", "Ann", True), ([], "ann@x.com", "Ann", None), (None, "Ann@x.com", "A", None)]
    )

    assert agents == [("Ann@x.com", "Ann", "Ann@x.com", True)]
    assert ids == {}


def test_an_id_of_grades_joins_the_person_with_the_address_of_its_grade():
    agents, ids = resolve([(["5"], "ann@x.com", "Ann", True)], [("77", "Ann@X.com", "Ann C.")])

    assert ids == {"5": "5", "77": "5"}
    assert agents == [("5", "Ann", "ann@x.com", True)]


def test_an_id_of_the_groups_stays_with_its_person_whatever_address_a_grade_has():
    _, ids = resolve(
        [(["5"], "ann@x.com", "Ann", True), (["6"], "bob@x.com", "Bob", True)], [("6", "ann@x.com", "Bob")]
    )

    assert ids == {"5": "5", "6": "6"}


def test_an_id_that_nobody_else_knows_is_a_person_of_its_own():
    agents, ids = resolve([], [("8", None, "Eve"), ("9", "z@x.com", None)], ["10", "8"])

    assert ids == {"8": "8", "9": "9", "10": "10"}
    assert agents == [("10", None, None, None), ("8", "Eve", None, None), ("9", None, "z@x.com", None)]


def test_an_id_that_is_an_address_is_the_person_with_that_address():
    agents, ids = resolve([(["7"], "ann@x.com", "Ann", True)], [], ["ann@x.com"])

    assert ids == {"7": "7", "ann@x.com": "7"}
    assert len(agents) == 1


names = st.sampled_from(["1", "2", "3", "1_2", "a_b", "a@x.com", "é"])
emails = st.sampled_from([None, "a@x.com", "A@x.com", "b@x.com"])


@given(
    st.lists(st.tuples(st.lists(names, max_size=3), emails, st.none(), st.none()), max_size=6),
    st.lists(st.tuples(names, emails, st.none()), max_size=6, unique_by=lambda row: row[0]),
)
def test_whatever_comes_each_id_has_one_person_and_each_person_one_row(groups, grades):
    agents, ids = resolve(groups, grades)

    assert {person for person, *_ in agents} >= set(ids.values())
    assert len({person for person, *_ in agents}) == len(agents)
    for agent_ids, *_ in groups:
        assert len({ids[agent_id] for agent_id in agent_ids}) <= 1
    assert set(ids) == {name for row in groups for name in row[0]} | {row[0] for row in grades}


def test_the_tables_are_made_from_groups_grades_and_coaching(data):
    member = {
        "group_id": "g",
        "agent_ids": "72999,542897",
        "agent_email": "h@x.com",
        "agent_name": "H",
        "available": "true",
    }
    data.land(csv_text("agent_groups", [member]).encode(), kind="groups")
    data.land_rows(total_scores=[TOTAL | {"agent_id": "5_5", "agent_email": "H@x.com"}])
    data.master.land_coaching("todos", [{"id": "t", "agentId": "unheard of"}], taken_at=data.column("select now()")[0])
    data.master.resolve_people()

    assert data.rows("from agent_ids order by all") == [
        ("542897", "542897"),
        ("5_5", "542897"),
        ("72999", "542897"),
        ("unheard of", "unheard of"),
    ]
    assert data.rows("from agents order by all") == [
        ("542897", "H", "h@x.com", True),
        ("unheard of", None, None, None),
    ]


def test_a_word_that_stands_for_no_id_merges_nobody():
    for word in ("undefined", "null", "None", "0", "-", "[]", ""):
        agents, ids = resolve([([word], f"{name}@x.com", name, True) for name in ("ann", "bob")])

        assert [agent[0] for agent in agents] == ["ann@x.com", "bob@x.com"]
        assert ids == {}


def test_people_of_different_names_and_ids_who_share_a_mailbox_stay_apart():
    agents, ids = resolve(
        [(["1"], "team@x.com", "Ann", True), (["2"], "team@x.com", "Bob", True), (["3"], "team@x.com", "ann", True)],
        [("4", "team@x.com", "Bob"), ("5", "data@x.com", "Eve"), ("6", "data@x.com", "Zoe")],
    )

    assert ids == {"1": "1", "2": "2", "3": "1", "4": "2", "5": "5", "6": "6"}
    assert len(agents) == 4


def test_a_member_known_by_address_alone_is_in_the_team(data):
    members = [
        {"group_id": "g", "group_name": "A", "agent_email": "Ann@x.com ", "agent_name": "Ann"},
        {"group_id": "g", "group_name": "A", "agent_email": "bob@x.com", "agent_name": "Bob", "agent_ids": "undefined"},
        {"group_id": "h", "group_name": "B", "agent_email": "bob@x.com", "agent_name": "Bob", "agent_ids": "7"},
    ]
    data.land(csv_text("agent_groups", members).encode(), kind="groups")
    data.master.publish()

    assert data.rows("select group_id, person_id from team_members order by all") == [
        ("g", "7"),
        ("g", "Ann@x.com"),
        ("h", "7"),
    ]
