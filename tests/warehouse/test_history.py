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


def test_a_column_that_a_file_brings_for_the_first_time_is_a_change(desk):
    desk.land_rows(total_scores=[TOTAL])
    desk.land_rows(week=1, total_scores=[TOTAL | {"channel": "chat"}])
    desk.land_rows(week=2, total_scores=[TOTAL | {"channel": "mail"}])

    assert desk.rows("select channel, export_id from grade_history order by replaced_at") == [
        (None, "id_1"),
        ("chat", "id_2"),
    ]


def refused_total(**others):
    bad = csv_text("total_scores", [TOTAL | {"rubric_score": "good"}])
    return zipped({"total_scores.csv": bad} | {f"{name}.csv": csv_text(name, rows) for name, rows in others.items()})


def test_a_version_that_leaves_because_the_new_one_was_refused_is_kept(desk):
    desk.land_rows(total_scores=[TOTAL])
    desk.land(refused_total(section_scores=[SECTION]))

    assert [row[:3] for row in history(desk)] == [(KEY, 70.0, "id_1")]


def test_and_taken_out_again_if_it_turns_out_that_nothing_had_changed(desk):
    desk.land_rows(total_scores=[TOTAL])
    desk.land(refused_total(section_scores=[SECTION]))
    desk.land_rows(total_scores=[TOTAL], section_scores=[SECTION])

    assert history(desk) == []
    assert desk.column("select rubric_score from total_scores") == [70.0]
