"""The truth agrees with what the files and lists hold, table by table, row by row."""

import pytest

RAW = ["total_scores", "section_scores", "individual_answers", "annotations"]


@pytest.fixture(scope="module")
def delivered(calm, reading):
    tables = {name: reading.values_of(rows) for name, rows in calm.raw(**reading.everything).items()}
    return {
        name: [
            {key: value for key, value in row.items() if key != "is_deleted"}
            for row in rows
            if not row.get("is_deleted")
        ]
        for name, rows in tables.items()
    }


def test_some_surveys_are_words_and_a_few_tickets_have_two(open_sandbox, reading):
    talk = open_sandbox(agents=24, days=60)
    truth = talk.sandbox.truth.csat
    rows = reading.values_of(talk.raw(**reading.everything)["csat"])
    assert {row["csat_rating"] for row in truth} == {None, "good", "bad", "Offered"}
    assert all(row["csat_score"] is None for row in truth if row["csat_rating"])
    replaced = [row for row in rows if row not in truth]
    assert len(rows) == len(truth) + len(replaced)
    assert 0 < len(replaced) < 0.01 * len(rows)
    kept = {(row["source"], row["gradable_id"]): row for row in truth}
    for row in replaced:
        assert row["csat_rating"] == "Offered"
        assert kept[row["source"], row["gradable_id"]]["csat_score"] is not None


@pytest.mark.parametrize("table", RAW)
def test_raw_files_hold_the_truth(calm, delivered, reading, table):
    truth = calm.sandbox.truth.tables()[table]
    assert len(truth) > 100
    assert reading.in_order(delivered[table]) == reading.in_order(truth)


def test_groups_and_audit_logs_hold_the_truth(calm, reading):
    groups = reading.values_of(reading.rows_of(calm.export("/request-groups-export", includeUnavailable=True)))
    assert reading.in_order(groups) == reading.in_order(calm.sandbox.truth.agent_groups)
    log = reading.values_of(reading.rows_of(calm.export("/request-audit-log-export")))
    assert reading.in_order(log) == reading.in_order(calm.sandbox.truth.audit_logs)


def test_every_value_has_one_type_of_its_column(calm):
    for table, rows in calm.sandbox.truth.tables().items():
        for name in rows[0]:
            kinds = {type(row[name]) for row in rows} - {type(None)}
            assert len(kinds) <= 1, f"{table}.{name}: {kinds}"


def test_identities_are_unique_and_simpler_keys_are_not(calm):
    grades = calm.sandbox.truth.total_scores
    ordinary = ("source", "gradable_id", "rubric_id", "agent_id", "grade_type")

    def distinct(rows, names):
        return len({tuple(row[name] for name in names) for row in rows})

    plain = [row for row in grades if row["grade_type"] == "grading"]
    assert distinct(plain, ordinary) == len(plain)
    assert distinct(grades, (*ordinary, "grader")) == len(grades)
    for lacking in ("rubric_id", "agent_id"):
        assert distinct(plain, [name for name in ordinary if name != lacking]) < len(plain), lacking
    assert distinct(grades, ordinary) < len(grades)
    log = calm.sandbox.truth.audit_logs
    assert distinct(log, ["activity_id"]) < len(log)
    assert distinct(log, ["activity_id", "time_stamp", "description"]) == len(log)
    assert distinct(calm.sandbox.truth.csat, ["gradable_id"]) < len(calm.sandbox.truth.csat)


def test_ids_are_of_every_awkward_kind(calm):
    grades = calm.sandbox.truth.total_scores
    tickets = {row["gradable_id"] for row in grades}
    agents = {row["agent_id"] for row in grades}
    for ids in (tickets, agents):
        assert any("_" in one for one in ids)
        assert any(one.startswith("0") for one in ids)
        assert any(one.isdigit() and len(one) == 20 for one in ids)
    assert None in {row["source"] for row in grades}
    assert None in {row["grader"] for row in grades}
    assert any(len(person.agent_ids) == 3 for person in calm.sandbox.truth.agents)
    assert any(not person.groups and len(person.agent_ids) == 1 for person in calm.sandbox.truth.agents)


def test_multi_select_questions_give_several_rows(calm):
    rows = {}
    for row in calm.sandbox.truth.individual_answers:
        identity = (
            row["source"],
            row["gradable_id"],
            row["agent_id"],
            row["rubric_id"],
            row["grade_type"],
            row["grader"],
        )
        rows.setdefault((identity, row["question_id"]), []).append(row)
    several = [same for same in rows.values() if len(same) > 1]
    assert len(several) > 20
    for same in several:
        assert len({row["answer_label"] for row in same}) == len(same)
        assert len({row["question_score"] for row in same}) == 1


def test_links_name_grades_by_any_id_of_the_person(calm):
    truth = calm.sandbox.truth
    by_point = {}
    for link in truth.grade_coaching_points:
        by_point.setdefault(link["coaching_point_id"], []).append(link)
    points = {point["id"]: point for point in truth.coaching_points}
    people = {agent_id: person.email for person in truth.agents for agent_id in person.agent_ids}
    other_ids = 0
    for point_id, links in by_point.items():
        answer_id = points[point_id]["answer_id"]
        for link in links:
            assert f"_{link['gradable_id']}_{link['rubric_id']}_" in answer_id
            assert answer_id.endswith(f"_GRADER_{link['grade_type']}")
            assert people[points[point_id]["agent_id"]] == people[link["agent_id"]]
            other_ids += f"_{link['agent_id']}_GRADER_" not in answer_id
        assert len(links) == 1 or links[0]["grade_type"] == "calibration_review"
    assert other_ids > 3
    assert any(len(links) > 1 for links in by_point.values())
    without = [point for point in truth.coaching_points if point["id"] not in by_point]
    assert any(point["answer_id"] is None for point in without)
    assert {link["todo_id"] for link in truth.grade_todos} <= {todo["id"] for todo in truth.todos}


def test_the_truth_at_an_earlier_moment_is_what_it_was(open_sandbox, reading):
    talk = open_sandbox(agents=6, days=30)
    then, before = talk.sandbox.now, talk.sandbox.truth.tables()
    talk.sandbox.advance(days=14)
    assert talk.sandbox.truth.at(then).tables() == before
    assert talk.sandbox.truth.tables() != before


def test_the_same_seed_gives_the_same_centre_and_another_seed_another(open_sandbox):
    first, same, other = (open_sandbox(seed=seed, agents=5, days=10).sandbox for seed in (7, 7, 8))
    assert first.truth.tables() == same.truth.tables()
    assert first.token == same.token
    assert first.truth.tables() != other.truth.tables()


def test_moving_the_clock_in_steps_or_at_once_is_the_same(open_sandbox):
    steps, once = (open_sandbox(agents=5, days=10).sandbox for _ in range(2))
    for _ in range(10):
        steps.advance(days=1, hours=4, minutes=30)
    once.advance(days=10, hours=45)
    assert steps.now == once.now
    assert steps.truth.tables() == once.truth.tables()
