"""Every SQL file states its grain on its first line, and runs on an empty and on a seeded database."""

import re
import shutil

import duckdb
import pytest

from maestro_analytics.warehouse import open
from maestro_analytics.warehouse.data_dictionary import data_dictionary
from maestro_analytics.warehouse.sql_files import grain, sql_folder, texts, variables, views_named_in
from tests.warehouse.data_folder import ANSWER, NOTE, SECTION, SURVEY, TOTAL, DataFolder, csv_text

FILES = [(folder, name) for folder in ("views", "queries") for name in texts(folder)]
KEYS_OF_VIEWS = {
    "chosen_grades": ["grade_key"],
    "filtered_answers": ["grade_key", "question_id", "answer_label"],
    "filtered_grades": ["grade_key"],
    "filtered_grades_of_any_type": ["grade_key"],
    "local_grades": ["grade_key"],
    "filtered_people": ["person_id"],
    "filtered_sections": ["grade_key", "section_id"],
    "filtered_sessions": ["coaching_session_id"],
    "paired_grades": ["unit", "grader"],
    "reconciled_scores": ["grade_key"],
    "ordinary_grades": ["grade_key"],
    "grades": ["grade_key"],
    "scored_grades": ["grade_key"],
    "recomputed_scores": ["grade_key"],
    "grade_coaching_points": ["grade_key", "coaching_point_id"],
    "grade_todos": ["grade_key", "todo_id"],
    "session_coaching_points": ["coaching_session_id", "coaching_point_id"],
    "team_members": ["group_id", "person_id"],
    "uncovered_moments": ["moment"],
    "grade_answer_names": ["grade_key", "gradable_rubric_agent"],
}
READS_LIKE_A_GRAIN = re.compile(r"One row per .+\.|One row .+")


@pytest.fixture(scope="module")
def stores(tmp_path_factory):
    """An empty database, and one with a little of everything."""
    opened = {}
    folders = []
    for name in ("empty", "seeded"):
        data = DataFolder(tmp_path_factory.mktemp(name))
        folders.append(data)
        if name == "seeded":
            seed(data)
        opened[name] = open(data.master.publish())
    yield opened
    for store in opened.values():
        store.close()
    for data in folders:
        data.master.close()


def seed(data):
    grades = [
        TOTAL | {"gradable_id": str(ticket), "grader": grader, "grade_type": kind, "rubric_score": str(60 + ticket)}
        for ticket in range(12)
        for grader, kind in (("jo", "grading"), ("jo", "calibration"), ("sam", "calibration"))
    ]
    data.land_rows(
        total_scores=grades,
        section_scores=[SECTION | {"gradable_id": row["gradable_id"]} for row in grades[::3]],
        individual_answers=[ANSWER | {"gradable_id": row["gradable_id"]} for row in grades[::3]],
        annotations=[NOTE | {"gradable_id": row["gradable_id"]} for row in grades[::3]],
        csat=[SURVEY | {"gradable_id": row["gradable_id"]} for row in grades[::3]],
    )
    members = [{"group_id": f"g{number}", "group_name": "A", "agent_ids": "0072999,5"} for number in range(2)]
    data.land(csv_text("agent_groups", members).encode(), kind="groups")
    answer = "16906fb5ce9d57646fa38362_3_AatxWWtXWKcfiN34E_5_GRADER_grading"
    at = data.column("select now()")[0]
    moment = "2026-01-05T00:00:00Z"
    record = {"agentId": "5", "createdAt": moment, "answerId": answer, "coachingSessionIds": ["s"]}
    data.master.land_coaching("coaching_points", [record | {"id": "p"}], taken_at=at)
    data.master.land_coaching("todos", [record | {"id": "t", "status": "incomplete"}], taken_at=at)
    data.master.land_coaching("coaching_sessions", [{"id": "s", "agentId": "5", "createdAt": moment}], taken_at=at)


@pytest.mark.parametrize(("folder", "name"), FILES)
def test_a_file_states_its_grain_and_documents_its_variables(folder, name):
    text = texts(folder)[name]
    assert READS_LIKE_A_GRAIN.match(grain(text))
    described_by = [text, texts("views")["filtered_grades_of_any_type"], texts("views")["chosen_grades"]]
    described_by += [texts("views")[view] for view in views_named_in(text)]
    comments = [line for each in described_by for line in each.splitlines() if line.startswith("--")]
    for variable in variables(text):
        assert any(re.match(rf"--\s+{variable}\s{{2,}}", line) for line in comments), variable


@pytest.mark.parametrize("database", ["empty", "seeded"])
@pytest.mark.parametrize(("folder", "name"), FILES)
def test_a_file_runs_as_it_is(stores, database, folder, name):
    rows = stores[database].sql(texts(folder)[name])
    assert rows.width > 0
    assert database == "seeded" or rows.height == 0


@pytest.mark.parametrize("view", sorted(texts("views")))
def test_the_grain_of_a_view_holds(stores, view):
    rows = stores["seeded"].sql(f"select * from {view}")
    key = KEYS_OF_VIEWS[view]

    assert rows.height > 0 or view == "uncovered_moments"
    assert rows.select(key).is_unique().all()
    assert rows.select(key).null_count().sum_horizontal().item() == 0


def test_the_data_dictionary_is_current():
    """Made anew with `python -m maestro_analytics.warehouse.data_dictionary`."""
    assert (sql_folder() / "README.md").read_text(encoding="utf-8") == data_dictionary()


def test_a_file_that_an_older_version_published_is_asked_with_the_views_of_this_one(stores, tmp_path):
    """An upgrade comes before the next refresh: the queries must not wait for it, and the file is not touched."""
    path = tmp_path / "maestro.duckdb"
    shutil.copy(stores["seeded"].path, path)
    with duckdb.connect(str(path)) as older:
        older.execute("drop view recomputed_scores; drop view grades; drop view scored_grades; drop table csat")
    before = path.read_bytes()
    with open(path) as store:
        assert stores["seeded"].query("agent_scores").equals(store.query("agent_scores"))
        assert store.sql("from recomputed_scores").height == stores["seeded"].sql("from recomputed_scores").height
        with pytest.raises(duckdb.CatalogException, match="grades"):
            store.sql("from grades")
    assert before == path.read_bytes()


def test_a_file_published_before_covered_time_was_known_is_asked_as_if_all_were_covered(stores, tmp_path):
    path = tmp_path / "maestro.duckdb"
    shutil.copy(stores["seeded"].path, path)
    with duckdb.connect(str(path)) as older:
        for (view,) in older.execute("select view_name from duckdb_views() where not internal").fetchall():
            older.execute(f"drop view {view}")
        older.execute("drop table covered_time; drop table incomplete_grades")
        older.execute("create view scored_grades as select * from total_scores")
    with open(path) as store:
        for query in ("agent_scores", "section_scores", "question_scores"):
            assert store.query(query).height == stores["seeded"].query(query).height > 0
