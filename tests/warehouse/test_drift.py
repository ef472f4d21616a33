"""The vendor adds columns without notice, and old exports lack new ones."""

from datetime import timedelta

import pytest

from maestro_analytics.tables.schemas import TOTAL_SCORES
from maestro_analytics.warehouse.state import create_all
from tests.warehouse.desk import ANSWER, START, TOTAL, csv_text, zipped


def columns(desk, table):
    return [
        row[0]
        for row in desk.rows(
            "select column_name from duckdb_columns() "
            f"where table_name = '{table}' and database_name = current_database()"
        )
    ]


def test_an_unknown_column_is_kept_and_noted(desk):
    landed = desk.land_rows(total_scores=[TOTAL | {"channel": "chat"}])

    assert desk.column("select channel from total_scores") == ["chat"]
    assert desk.rows("from state.schema_changes") == [
        ("total_scores", "channel", "channel", 1, "id_1", START + timedelta(days=8))
    ]
    assert any("channel" in warning for warning in landed.warnings)


def test_the_history_grows_with_its_table(desk):
    desk.land_rows(total_scores=[TOTAL | {"channel": "chat"}])
    desk.land_rows(total_scores=[TOTAL | {"channel": "mail"}])

    assert desk.column("select channel from grade_history") == ["chat"]


def test_a_column_that_does_not_come_any_more_is_null_for_new_rows(desk):
    desk.land_rows(total_scores=[TOTAL | {"gradable_id": "1", "channel": "chat"}])
    desk.land_rows(total_scores=[TOTAL | {"gradable_id": "2"}])

    assert desk.rows("select gradable_id, channel from total_scores order by all") == [("1", "chat"), ("2", None)]
    assert desk.column("select count(*) from state.schema_changes") == [1]


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
def test_a_column_may_be_called_anything(desk, name):
    desk.land_rows(total_scores=[TOTAL | {name: "value"}])

    (kept,) = set(columns(desk, "total_scores")) - set(TOTAL_SCORES.columns)
    assert desk.rows(f'select "{kept.replace(chr(34), chr(34) * 2)}" from total_scores') == [("value",)]
    assert desk.column("select name_in_file from state.schema_changes") == [name]


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("grade_key", "grade_key_2"),
        ("GRADE_KEY", "GRADE_KEY_2"),
        ("replaced_at", "replaced_at_2"),
        ("person_id", "person_id_2"),
        ("csat_score", "csat_score_2"),
        ("Comment", "Comment_2"),
        ("", "column_22"),
    ],
)
def test_a_column_that_would_be_mixed_up_with_ours_gets_a_number(desk, header, expected):
    desk.land_rows(total_scores=[TOTAL | {header: "theirs"}])

    assert desk.rows(f'select "{expected}", comment from total_scores') == [("theirs", "Fine")]
    desk.master.publish()


def test_columns_that_differ_in_case_only_are_both_kept(desk):
    text = (
        csv_text("total_scores", [TOTAL | {"tier": "1"}])
        .replace("tier", "tier,Tier,TIER", 1)
        .replace(",1\n", ",1,2,3\n")
    )
    desk.land(zipped({"total_scores.csv": text}))

    assert desk.rows('select tier, "Tier_2", "TIER_3" from total_scores') == [("1", "2", "3")]


def test_files_of_one_table_may_spell_a_new_column_differently(desk):
    one = csv_text("total_scores", [TOTAL | {"gradable_id": "1", "Tier": "gold"}])
    other = csv_text("total_scores", [TOTAL | {"gradable_id": "2", "tier": "lead"}])
    desk.land(zipped({"a.csv": one, "b.csv": other}))
    desk.land(zipped({"b.csv": other.replace("lead", "tin")}))

    assert desk.rows("select gradable_id, tier from total_scores order by all") == [("1", "gold"), ("2", "tin")]


def test_a_missing_ordinary_column_is_null_and_told(desk):
    text = csv_text("individual_answers", [ANSWER], without=["feedback_answer_label", "question_score"])
    totals = csv_text("total_scores", [TOTAL])
    landed = desk.land(zipped({"answers.csv": text, "total_scores.csv": totals}))

    assert desk.rows("select question_score, max_question_score from individual_answers") == [(None, 5.0)]
    assert landed.warnings == [
        "'answers.csv' in raw-000001-id_1.zip (individual_answers) lacks feedback_answer_label, question_score: "
        "null in its rows"
    ]
    assert desk.rows("from state.schema_changes") == []


def test_views_show_a_column_that_a_table_grew(desk):
    desk.land_rows(total_scores=[TOTAL])
    desk.master.publish()
    desk.land_rows(total_scores=[TOTAL | {"channel": "chat"}])
    desk.master.publish()

    assert desk.column("select channel from grades") == ["chat"]


def test_a_database_of_an_older_version_gets_the_columns_that_it_lacks(desk):
    desk.land_rows(total_scores=[TOTAL])
    desk.master.connection.execute("alter table total_scores drop column alignment_score")
    create_all(desk.master.connection)

    assert desk.rows("select alignment_score from total_scores") == [(None,)]


def test_names_are_the_same_only_where_duckdb_takes_them_for_the_same(desk):
    desk.land_rows(total_scores=[TOTAL | {"größe": "1"}])
    desk.land_rows(total_scores=[TOTAL | {"GRÖSSE": "2"}])

    assert desk.rows('select "größe", "GRÖSSE" from total_scores') == [(None, "2")]
