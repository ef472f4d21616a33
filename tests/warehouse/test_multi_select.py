"""The table multi_select_questions knows every question of which a live grade has several answers."""

import random
import shutil
from datetime import UTC, datetime

import duckdb

import maestro_analytics as ma
from maestro_analytics.warehouse.erase import erase, ticket
from maestro_analytics.warehouse.multi_select import DEFINITION
from maestro_analytics.warehouse.reconcile import remove_ghosts
from maestro_analytics.warehouse.replay import replay, retry_quarantine
from tests.warehouse.data_folder import ANSWER, TOTAL, DataFolder

QUESTIONS = ("q1", "q2", "q3", "q4")
PLAIN_SCORES = """
with answers as (
    select grade_key, rubric_id, question_id, max(question_score) as score
    from individual_answers group by grade_key, rubric_id, question_id
)
select rubric_id, question_id, count(score), sum(score) from answers group by all order by all
"""
SCORES = """
select rubric_id, question_id, sum(n)::bigint, sum(max_points - points_lost) from asked group by all order by all
"""


def known(data: DataFolder) -> set[tuple[object, ...]]:
    rows = data.rows("from multi_select_questions")
    assert len(rows) == len(set(rows))
    return set(rows)


def random_export(chance: random.Random) -> dict[str, list[dict[str, str]]]:
    """Some of six grades, a few of them deleted; of each question no answer, one or several, some rows twice."""
    totals, answers = [], []
    for ticket_id in chance.sample(range(6), chance.randint(1, 3)):
        grade = {"gradable_id": f"7700{ticket_id}", "rubric_id": f"AatxWWtXWKcfiN34{ticket_id % 2}"}
        is_deleted = {"is_deleted": "true" if chance.random() < 0.2 else "false"}
        totals.append(TOTAL | grade | is_deleted)
        for question in QUESTIONS:
            several = chance.random() < 0.15
            labels = chance.choices(("Yes", "No"), k=1) if not several else ["Yes", "No"][: chance.randint(1, 2)] * 2
            answers += [
                ANSWER | grade | is_deleted | {"question_id": question, "answer_label": label} for label in labels
            ]
    if chance.random() < 0.3:
        totals.append(TOTAL | {"gradable_id": "9", "rubric_score": "bad", "is_deleted": "false"})
    chance.shuffle(answers)
    return {"total_scores": totals, "individual_answers": answers}


def test_it_holds_every_question_that_has_or_had_several_answers_whatever_happens_to_the_grades(data):
    chance = random.Random(0)
    seen: set[tuple[object, ...]] = set()
    for week in range(4):
        data.land_rows(week=week, **random_export(chance))
        seen |= set(data.rows(DEFINITION))
        assert known(data) == seen
    assert seen
    data.master.connection.execute("drop table multi_select_questions")
    data.master.close()
    data = DataFolder(data.folder)
    assert known(data) == set(data.rows(DEFINITION))
    list(retry_quarantine(data.master))
    ghosts = data.table("select * from total_scores order by grade_key limit 1")
    remove_ghosts(data.master.connection, ghosts, seq=4, at=datetime(2026, 3, 1, tzinfo=UTC))
    erase(data.master, ticket(data.master.connection, "zendesk:77003"))
    assert set(data.rows(DEFINITION)) <= known(data) <= seen
    list(replay(data.master))
    assert set(data.rows(DEFINITION)) <= known(data) <= seen
    published = data.master.publish()
    plain = data.rows(PLAIN_SCORES)
    data.master.close()
    with ma.open(published) as qa:
        asked = qa.query("question_scores")  # noqa: F841
        assert duckdb.sql(SCORES).fetchall() == plain


def test_a_file_published_before_the_table_was_known_is_asked_with_the_questions_of_its_answers(data, tmp_path):
    data.land_rows(total_scores=[TOTAL], individual_answers=[ANSWER, ANSWER | {"answer_label": "Also"}])
    older = tmp_path / "older.duckdb"
    shutil.copy(data.master.publish(), older)
    with duckdb.connect(str(older)) as connection:
        connection.execute("drop table multi_select_questions")
    with ma.open(older) as qa:
        assert qa.query("question_scores")["n"].to_list() == [1]
        assert qa.sql("from multi_select_questions").rows() == [(TOTAL["rubric_id"], "q1")]
