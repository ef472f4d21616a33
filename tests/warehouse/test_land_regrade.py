"""A grade that comes back replaces all of its earlier version."""

from datetime import UTC, datetime

from tests.warehouse.data_folder import ANSWER, KEY, NOTE, SECTION, TOTAL, raw_zip, whole_grade


def test_a_grade_lands_in_all_four_tables_with_its_key(data):
    landed = data.land_rows(**whole_grade())

    assert landed.rows == {"total_scores": 1, "section_scores": 1, "individual_answers": 1, "annotations": 1, "csat": 0}
    assert data.rows("select * from total_scores") == [
        (
            KEY,
            "5310985",
            "0072999",
            "Harrison Charles",
            "harrison@example.com",
            "AatxWWtXWKcfiN34E",
            "Support",
            70.0,
            100.0,
            "Fine",
            datetime(2026, 1, 2, 10, 0, 0, 500000, UTC),
            "jo@example.com",
            "grading",
            datetime(2026, 1, 1, 9, tzinfo=UTC),
            None,
            None,
            datetime(2026, 1, 2, 10, tzinfo=UTC),
            "zendesk",
            300.0,
            None,
            None,
            None,
        )
    ]
    for table in ("section_scores", "individual_answers", "annotations"):
        assert data.column(f"select grade_key from {table}") == [KEY]


def test_a_regrade_without_annotations_removes_the_earlier_ones(data):
    """The second export has the grade but no annotation row for it; the old annotations must go with it."""
    data.land_rows(total_scores=[TOTAL], annotations=[NOTE])
    data.land_rows(total_scores=[TOTAL | {"rubric_score": "90"}])

    assert data.column("select rubric_score from total_scores") == [90.0]
    assert data.rows("from annotations") == []


def test_a_grade_that_only_one_other_file_names_is_replaced_everywhere_and_the_run_says_so(data):
    """No total score came, but an answer did: the earlier total score is of the earlier version, and goes."""
    assert data.land_rows(**whole_grade()).warnings == []
    (warning,) = data.land_rows(individual_answers=[ANSWER | {"answer_label": "No"}]).warnings
    assert "grades with rows in other files but none in total_scores: 1." in warning

    assert data.column("select answer_label from individual_answers") == ["No"]
    assert [data.rows(f"from {name}") for name in ("total_scores", "section_scores", "annotations")] == [[], [], []]


def test_grades_of_one_ticket_by_others_stay_apart(data):
    """What the public connectors merge: two agents, two rubrics, two sources, a calibration by each of two graders."""
    others = [
        TOTAL,
        TOTAL | {"agent_id": "72999"},
        TOTAL | {"rubric_id": "QqJEN5t8LXZRQZd4a"},
        TOTAL | {"source": "salesforce"},
        TOTAL | {"source": ""},
        TOTAL | {"grade_type": "calibration", "grader": "jo@example.com"},
        TOTAL | {"grade_type": "calibration", "grader": "sam@example.com"},
    ]
    landed = data.land_rows(total_scores=others)

    assert landed.rows["total_scores"] == 7
    assert len(set(data.column("select grade_key from total_scores"))) == 7


def test_an_ordinary_grade_is_one_whoever_graded_it(data):
    data.land_rows(total_scores=[TOTAL])
    data.land_rows(total_scores=[TOTAL | {"grader": "sam@example.com"}])

    assert data.column("select grader from total_scores") == ["sam@example.com"]


def test_the_other_grades_stay(data):
    data.land_rows(total_scores=[TOTAL, TOTAL | {"gradable_id": "2"}], section_scores=[SECTION | {"gradable_id": "2"}])
    data.land_rows(total_scores=[TOTAL | {"rubric_score": "90"}])

    assert data.rows("select gradable_id, rubric_score from total_scores order by all") == [
        ("2", 70.0),
        ("5310985", 90.0),
    ]
    assert data.column("select gradable_id from section_scores") == ["2"]


def test_answers_of_a_multi_select_question_land_each_and_a_row_delivered_twice_lands_once(data):
    landed = data.land_rows(individual_answers=[ANSWER, ANSWER, ANSWER | {"answer_label": "No"}])
    counts = landed.row_counts["individual_answers"]
    assert (counts.read, counts.landed, counts.repeated) == (3, 2, 1)


def test_the_same_file_landed_twice_changes_nothing(data):
    export = data.receive(raw_zip(**whole_grade(), csat=[]))
    data.land_record(export)
    before = {name: data.rows(f"from {name}") for name in ("total_scores", "annotations", "state.grade_versions")}
    data.land_record(export)

    assert {name: data.rows(f"from {name}") for name in before} == before
    assert data.rows("from grade_history") == []


def test_a_grade_twice_in_one_file_lands_once_and_the_newer_wins(data):
    newer = TOTAL | {"date_graded": '="2026-01-03 10:00:00"', "rubric_score": "80"}
    landed = data.land_rows(total_scores=[newer, TOTAL, newer])

    account = landed.row_counts["total_scores"]
    assert (account.read, account.landed, account.repeated, account.quarantined) == (3, 1, 1, 1)
    assert data.column("select rubric_score from total_scores") == [80.0]
    assert data.rows("select line, reason from state.quarantine") == [
        (3, "another row with the same grade_key and other values is newer")
    ]


def test_of_two_versions_of_the_same_moment_the_last_in_the_file_wins(data):
    data.land_rows(total_scores=[TOTAL, TOTAL | {"rubric_score": "80"}])

    assert data.column("select rubric_score from total_scores") == [80.0]


def test_ids_keep_their_zeros_and_their_length(data):
    long = "00000000000000000001234567890123456789"
    data.land_rows(total_scores=[TOTAL | {"gradable_id": long, "agent_id": "007"}])

    assert data.rows("select gradable_id, agent_id from total_scores") == [(long, "007")]
