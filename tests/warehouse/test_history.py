"""Earlier versions of a total score, so that re-grades can be studied."""

from datetime import timedelta

from tests.warehouse.data_folder import KEY, SECTION, START, TOTAL, csv_text, whole_grade, zipped


def history(data):
    return data.rows(
        "select grade_key, rubric_score, export_id, replaced_at, replaced_by from grade_history order by replaced_at"
    )


def test_a_version_whose_content_changed_is_kept_with_who_replaced_it_and_when(data):
    data.land_rows(total_scores=[TOTAL])
    data.land_rows(week=1, total_scores=[TOTAL | {"rubric_score": "80"}])
    data.land_rows(week=2, total_scores=[TOTAL | {"rubric_score": "90"}])

    assert history(data) == [
        (KEY, 70.0, "id_1", START + timedelta(days=15), "id_2"),
        (KEY, 80.0, "id_2", START + timedelta(days=22), "id_3"),
    ]


def test_a_grade_that_merely_comes_twice_adds_nothing(data):
    for week in range(3):
        data.land_rows(week=week, **whole_grade())

    assert history(data) == []


def test_a_deletion_adds_nothing_and_neither_does_the_way_back(data):
    data.land_rows(total_scores=[TOTAL])
    data.land_rows(total_scores=[TOTAL | {"is_deleted": "true"}])
    data.land_rows(total_scores=[TOTAL | {"rubric_score": "90"}])

    assert history(data) == []


def test_a_column_that_a_file_brings_for_the_first_time_is_not_a_regrade(data):
    data.land_rows(total_scores=[TOTAL])
    data.land_rows(week=1, total_scores=[TOTAL | {"channel": "chat"}])
    data.land_rows(week=2, total_scores=[TOTAL | {"channel": "mail"}])

    assert data.rows("select channel, export_id from grade_history order by replaced_at") == [
        ("chat", "id_2"),
    ]


def test_a_column_that_a_file_lacks_is_not_a_regrade(data):
    data.land_rows(total_scores=[TOTAL | {"channel": "chat"}])
    data.land_rows(week=1, total_scores=[TOTAL])

    assert history(data) == []


def test_a_version_whose_successor_was_refused_stays_in_the_table(data):
    bad = csv_text("total_scores", [TOTAL | {"rubric_score": "good"}])
    data.land_rows(total_scores=[TOTAL])
    data.land(zipped({"total_scores.csv": bad, "section_scores.csv": csv_text("section_scores", [SECTION])}))

    assert history(data) == []
    assert data.column("select rubric_score from total_scores") == [70.0]
