"""Earlier versions of a total score, so that re-grades can be studied."""

from datetime import timedelta

from tests.warehouse.desk import KEY, SECTION, START, TOTAL, csv_text, whole_grade, zipped


def history(desk):
    return desk.rows(
        "select grade_key, rubric_score, export_id, replaced_at, replaced_by from grade_history order by replaced_at"
    )


def test_a_version_whose_content_changed_is_kept_with_who_replaced_it_and_when(desk):
    desk.land_rows(total_scores=[TOTAL])
    desk.land_rows(week=1, total_scores=[TOTAL | {"rubric_score": "80"}])
    desk.land_rows(week=2, total_scores=[TOTAL | {"rubric_score": "90"}])

    assert history(desk) == [
        (KEY, 70.0, "id_1", START + timedelta(days=15), "id_2"),
        (KEY, 80.0, "id_2", START + timedelta(days=22), "id_3"),
    ]


def test_a_grade_that_merely_comes_twice_adds_nothing(desk):
    for week in range(3):
        desk.land_rows(week=week, **whole_grade())

    assert history(desk) == []


def test_a_deletion_adds_nothing_and_neither_does_the_way_back(desk):
    desk.land_rows(total_scores=[TOTAL])
    desk.land_rows(total_scores=[TOTAL | {"is_deleted": "true"}])
    desk.land_rows(total_scores=[TOTAL | {"rubric_score": "90"}])

    assert history(desk) == []


def test_a_column_that_a_file_brings_for_the_first_time_is_not_a_regrade(desk):
    desk.land_rows(total_scores=[TOTAL])
    desk.land_rows(week=1, total_scores=[TOTAL | {"channel": "chat"}])
    desk.land_rows(week=2, total_scores=[TOTAL | {"channel": "mail"}])

    assert desk.rows("select channel, export_id from grade_history order by replaced_at") == [
        ("chat", "id_2"),
    ]


def test_a_column_that_a_file_lacks_is_not_a_regrade(desk):
    desk.land_rows(total_scores=[TOTAL | {"channel": "chat"}])
    desk.land_rows(week=1, total_scores=[TOTAL])

    assert history(desk) == []


def test_a_version_whose_successor_was_refused_stays_in_the_table(desk):
    bad = csv_text("total_scores", [TOTAL | {"rubric_score": "good"}])
    desk.land_rows(total_scores=[TOTAL])
    desk.land(zipped({"total_scores.csv": bad, "section_scores.csv": csv_text("section_scores", [SECTION])}))

    assert history(desk) == []
    assert desk.column("select rubric_score from total_scores") == [70.0]
