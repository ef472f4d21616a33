"""The vendor adds columns without notice, and old exports lack new ones."""

from datetime import timedelta

import pytest

from maestro_analytics.tables.schemas import TOTAL_SCORES
from maestro_analytics.warehouse.state import create_all
from tests.warehouse.data_folder import ANSWER, START, TOTAL, csv_text, zipped


def columns(data, table):
    return [
        row[0]
        for row in data.rows(
            "select column_name from duckdb_columns() "
            f"where table_name = '{table}' and database_name = current_database()"
        )
    ]


def test_an_unknown_column_is_kept_and_noted(data):
    landed = data.land_rows(total_scores=[TOTAL | {"channel": "chat"}])

    assert data.column("select channel from total_scores") == ["chat"]
    assert data.rows("from state.schema_changes") == [
        ("total_scores", "channel", "channel", 1, "id_1", START + timedelta(days=8))
    ]
    assert any("channel" in warning for warning in landed.warnings)
    assert data.land_rows(week=1, total_scores=[TOTAL | {"channel": "mail"}]).warnings == []


def test_the_history_grows_with_its_table(data):
    data.land_rows(total_scores=[TOTAL | {"channel": "chat"}])
    data.land_rows(total_scores=[TOTAL | {"channel": "mail"}])

    assert data.column("select channel from grade_history") == ["chat"]


def test_a_column_that_does_not_come_any_more_is_null_for_new_rows(data):
    data.land_rows(total_scores=[TOTAL | {"gradable_id": "1", "channel": "chat"}])
    data.land_rows(total_scores=[TOTAL | {"gradable_id": "2"}])

    assert data.rows("select gradable_id, channel from total_scores order by all") == [("1", "chat"), ("2", None)]
    assert data.column("select count(*) from state.schema_changes") == [1]


@pytest.mark.parametrize(
    "name",
    [
        'a "quoted" one',
        "select",
        "it's; drop table total_scores",
        "größe",
        "  padded  ",
        "x" * 300,
        "a,b",
        "line\nbreak",
    ],
)
def test_a_column_may_be_called_anything(data, name):
    data.land_rows(total_scores=[TOTAL | {name: "value"}])

    (kept,) = set(columns(data, "total_scores")) - set(TOTAL_SCORES.columns)
    assert data.rows(f'select "{kept.replace(chr(34), chr(34) * 2)}" from total_scores') == [("value",)]
    assert data.column("select name_in_file from state.schema_changes") == [name]


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("grade_key", "grade_key_2"),
        ("GRADE_KEY", "GRADE_KEY_2"),
        ("replaced_at", "replaced_at_2"),
        ("person_id", "person_id_2"),
        ("csat_score", "csat_score_2"),
        ("Comment", "Comment_2"),
        ("rowid", "rowid_2"),
        ("", "column_22"),
    ],
)
def test_a_column_that_would_be_mixed_up_with_ours_gets_a_number(data, header, expected):
    data.land_rows(total_scores=[TOTAL | {header: "theirs"}])

    assert data.rows(f'select "{expected}", comment from total_scores') == [("theirs", "Fine")]
    data.master.publish()


def test_columns_that_differ_in_case_only_are_both_kept(data):
    text = (
        csv_text("total_scores", [TOTAL | {"tier": "1"}])
        .replace("tier", "tier,Tier,TIER", 1)
        .replace(",1\n", ",1,2,3\n")
    )
    data.land(zipped({"total_scores.csv": text}))

    assert data.rows('select tier, "Tier_2", "TIER_3" from total_scores') == [("1", "2", "3")]


def test_files_of_one_table_may_spell_a_new_column_differently(data):
    one = csv_text("total_scores", [TOTAL | {"gradable_id": "1", "Tier": "gold"}])
    other = csv_text("total_scores", [TOTAL | {"gradable_id": "2", "tier": "lead"}])
    data.land(zipped({"a.csv": one, "b.csv": other}))
    data.land(zipped({"b.csv": other.replace("lead", "tin")}))

    assert data.rows("select gradable_id, tier from total_scores order by all") == [("1", "gold"), ("2", "tin")]


def test_a_missing_ordinary_column_is_null_and_told(data):
    text = csv_text("individual_answers", [ANSWER], without=["feedback_answer_label", "question_score"])
    totals = csv_text("total_scores", [TOTAL])
    landed = data.land(zipped({"answers.csv": text, "total_scores.csv": totals}))

    assert data.rows("select question_score, max_question_score from individual_answers") == [(None, 5.0)]
    assert landed.warnings == [
        "'answers.csv' in raw-000001-id_1.zip (individual_answers) lacks feedback_answer_label, question_score: "
        "null in its rows"
    ]
    assert data.rows("from state.schema_changes") == []


def test_views_show_a_column_that_a_table_grew(data):
    data.land_rows(total_scores=[TOTAL])
    data.master.publish()
    data.land_rows(total_scores=[TOTAL | {"channel": "chat"}])
    data.master.publish()

    assert data.column("select channel from grades") == ["chat"]


def test_a_database_of_an_older_version_gets_the_columns_that_it_lacks(data):
    data.land_rows(total_scores=[TOTAL])
    data.master.connection.execute("alter table total_scores drop column alignment_score")
    create_all(data.master.connection)

    assert data.rows("select alignment_score from total_scores") == [(None,)]


def test_names_are_the_same_only_where_duckdb_takes_them_for_the_same(data):
    data.land_rows(total_scores=[TOTAL | {"größe": "1"}])
    data.land_rows(total_scores=[TOTAL | {"GRÖSSE": "2"}])

    assert data.rows('select "größe", "GRÖSSE" from total_scores') == [(None, "2")]
