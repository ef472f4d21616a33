"""A grade that comes back deleted leaves the tables and is noted; only live rows are in them."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.warehouse.data_folder import ANSWER, KEY, NOTE, SECTION, START, SURVEY, TOTAL, whole_grade

GONE = {"is_deleted": "true"}
LIVE = {"is_deleted": "false"}
TABLES = ("total_scores", "section_scores", "individual_answers", "annotations")


def rows_left(data):
    return {name: data.column(f"select count(*) from {name}")[0] for name in TABLES}


def test_a_deleted_grade_leaves_all_four_tables_and_is_noted(data):
    data.land_rows(**whole_grade())
    landed = data.land_rows(week=1, **whole_grade(**GONE))

    assert rows_left(data) == dict.fromkeys(TABLES, 0)
    assert data.rows("from state.deletions") == [
        (
            KEY,
            "zendesk",
            "5310985",
            "AatxWWtXWKcfiN34E",
            "0072999",
            "grading",
            "jo@example.com",
            2,
            "id_2",
            START + timedelta(days=15),
            datetime(2026, 1, 2, 10, 0, 0, 500_000, tzinfo=UTC),
            None,
        )
    ]
    assert data.rows("from state.grade_versions") == []
    assert {name: landed.row_counts[name].deleted for name in TABLES} == dict.fromkeys(TABLES, 1)


def test_a_grade_that_had_never_landed_is_noted_as_deleted_too(data):
    data.land_rows(total_scores=[TOTAL | GONE])

    assert data.column("select grade_key from state.deletions") == [KEY]
    assert data.rows("from total_scores") == []


def test_a_deletion_of_the_total_score_alone_takes_the_rows_of_the_other_files_with_it(data):
    """The other files of the export say nothing of a deletion; their rows are of a deleted grade all the same."""
    landed = data.land_rows(total_scores=[TOTAL | GONE], section_scores=[SECTION], annotations=[NOTE])

    assert rows_left(data) == dict.fromkeys(TABLES, 0)
    assert landed.row_counts["section_scores"].deleted == 1


def test_a_deleted_answer_of_a_live_grade_is_just_not_there(data):
    data.land_rows(
        total_scores=[TOTAL | LIVE],
        individual_answers=[ANSWER | GONE, ANSWER | LIVE | {"question_id": "q2"}],
    )

    assert data.column("select question_id from individual_answers") == ["q2"]
    assert data.rows("from state.deletions") == []


def test_without_a_total_score_a_grade_is_deleted_if_all_its_rows_are(data):
    data.land_rows(**whole_grade())
    data.land_rows(section_scores=[SECTION | GONE], annotations=[NOTE | GONE])

    assert rows_left(data) == dict.fromkeys(TABLES, 0)
    assert data.column("select grade_key from state.deletions") == [KEY]


def test_without_a_total_score_one_live_row_keeps_a_grade(data):
    data.land_rows(section_scores=[SECTION | GONE], annotations=[NOTE | LIVE])

    assert rows_left(data) == {"total_scores": 0, "section_scores": 0, "individual_answers": 0, "annotations": 1}
    assert data.rows("from state.deletions") == []


def test_a_live_row_of_a_grade_wins_over_a_deleted_one_in_the_same_file(data):
    data.land_rows(total_scores=[TOTAL | GONE, TOTAL | LIVE, TOTAL | GONE])

    assert data.column("select rubric_score from total_scores") == [70.0]
    assert data.rows("from state.deletions") == []


def test_a_grade_that_comes_back_live_is_no_longer_noted(data):
    data.land_rows(total_scores=[TOTAL | GONE])
    data.land_rows(total_scores=[TOTAL | LIVE])

    assert data.rows("from state.deletions") == []
    assert data.column("select grade_key from total_scores") == [KEY]


@pytest.mark.parametrize(
    ("said", "is_deleted"),
    [(said, True) for said in ("true", "True", "TRUE", "1")]
    + [(said, False) for said in ("false", "0", "", "N/A", "Unknown")],
)
def test_the_flag_in_every_spelling(data, said, is_deleted):
    data.land_rows(total_scores=[TOTAL | {"is_deleted": said}])

    assert data.column("select count(*) from total_scores") == [0 if is_deleted else 1]


def test_a_flag_that_says_neither_is_a_bad_row(data):
    rows = [TOTAL | {"gradable_id": str(number), "is_deleted": "false"} for number in range(100)]
    landed = data.land_rows(total_scores=[*rows, TOTAL | {"is_deleted": "perhaps"}])

    assert (landed.rows["total_scores"], landed.quarantined) == (100, 1)
    assert data.rows("select column_name, reason from state.quarantine") == [
        ("is_deleted", "is_deleted: 'perhaps' is not true or false")
    ]


def test_a_deletion_is_obeyed_whatever_else_is_wrong_with_its_row(data):
    data.land_rows(**whole_grade())
    landed = data.land_rows(total_scores=[TOTAL | GONE | {"rubric_score": "a lot"}])

    assert landed.quarantined == 0
    assert rows_left(data) == dict.fromkeys(TABLES, 0)


def test_the_flag_is_stored_in_no_table(data):
    data.land_rows(**whole_grade(**LIVE), csat=[SURVEY | LIVE])

    flagged = "select table_name from duckdb_columns() where column_name = 'is_deleted' and schema_name = 'main'"
    assert data.rows(flagged) == [("coaching_sessions",)]  # which have such a column of their own
    assert data.rows("from state.schema_changes") == []


def test_a_survey_belongs_to_the_ticket_and_stays(data):
    data.land_rows(**whole_grade(), csat=[SURVEY | LIVE])
    data.land_rows(**whole_grade(**GONE), csat=[SURVEY | GONE | {"csat_score": "5"}])

    assert data.column("select csat_score from csat") == [5.0]


def test_a_deletion_is_dated_by_its_export_and_not_by_the_clock(data):
    data.land_rows(week=4, total_scores=[TOTAL | GONE])

    assert data.column("select deleted_at from state.deletions") == [datetime(2026, 2, 6, tzinfo=UTC)]


def test_a_file_without_the_flag_is_told_of_where_the_vendor_marked_deleted_grades_before(data):
    assert data.land_rows(total_scores=[TOTAL]).warnings == []
    data.land_rows(week=1, total_scores=[TOTAL | {"is_deleted": "true"}])
    assert data.land_rows(week=2, total_scores=[TOTAL | {"is_deleted": ""}]).warnings == []
    data.land_rows(week=3, total_scores=[TOTAL | {"is_deleted": "true"}])
    (warning,) = data.land_rows(week=4, total_scores=[TOTAL | {"gradable_id": "2"}]).warnings
    assert "total_scores lacks is_deleted" in warning
