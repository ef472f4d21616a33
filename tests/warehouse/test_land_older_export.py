"""Exports come in any order; what was asked for later stays."""

from tests.warehouse.data_folder import ANSWER, KEY, NOTE, SURVEY, TOTAL, csv_text, whole_grade


def test_an_export_asked_for_earlier_never_overwrites_one_asked_for_later(data):
    data.land_rows(seq=8, total_scores=[TOTAL | {"rubric_score": "90"}])
    landed = data.land_rows(seq=5, **whole_grade())

    assert data.column("select rubric_score from total_scores") == [90.0]
    assert data.rows("from individual_answers") == []
    assert {name: account.superseded for name, account in landed.row_counts.items()} == {
        "total_scores": 1,
        "section_scores": 1,
        "individual_answers": 1,
        "annotations": 1,
        "csat": 0,
    }


def test_it_lands_the_grades_that_no_later_export_had(data):
    data.land_rows(seq=8, total_scores=[TOTAL])
    data.land_rows(seq=5, total_scores=[TOTAL | {"rubric_score": "1"}, TOTAL | {"gradable_id": "2"}])

    assert data.rows("select gradable_id, rubric_score from total_scores order by all") == [
        ("2", 70.0),
        ("5310985", 70.0),
    ]


def test_it_resurrects_nothing(data):
    data.land_rows(seq=8, total_scores=[TOTAL | {"is_deleted": "true"}])
    data.land_rows(seq=5, **whole_grade())

    assert data.rows("from total_scores union all by name from annotations") == []
    assert data.column("select export_seq from state.deletions") == [8]


def test_it_deletes_nothing(data):
    data.land_rows(seq=8, **whole_grade())
    data.land_rows(seq=5, **whole_grade(is_deleted="true"))

    assert data.column("select grade_key from total_scores") == [KEY]
    assert data.rows("from state.deletions") == []


def test_it_adds_nothing_to_the_history(data):
    data.land_rows(seq=8, total_scores=[TOTAL])
    data.land_rows(seq=5, total_scores=[TOTAL | {"rubric_score": "1"}])

    assert data.rows("from grade_history") == []


def test_a_survey_of_a_later_export_stays(data):
    data.land_rows(seq=8, csat=[SURVEY | {"csat_score": "5"}, SURVEY | {"source": "", "csat_score": "3"}])
    landed = data.land_rows(seq=5, csat=[SURVEY, SURVEY | {"source": ""}, SURVEY | {"gradable_id": "2"}])

    assert data.rows("select source, gradable_id, csat_score from csat order by all") == [
        ("zendesk", "2", 4.0),
        ("zendesk", "5310985", 5.0),
        (None, "5310985", 3.0),
    ]
    assert landed.row_counts["csat"].superseded == 2


def test_groups_of_an_older_snapshot_change_nothing(data):
    newer = csv_text("agent_groups", [{"group_id": "g", "agent_ids": "2"}]).encode()
    older = csv_text("agent_groups", [{"group_id": "g", "agent_ids": "1"}]).encode()
    data.land(newer, kind="groups", seq=8)
    landed = data.land(older, kind="groups", seq=5)

    assert data.column("select agent_ids from agent_groups") == [["2"]]
    assert landed.row_counts["agent_groups"].superseded == 1


def test_of_two_readings_of_one_activity_the_one_asked_for_later_stays(data):
    activity = {"activity_id": "a", "time_stamp": "2026-01-02T00:00:00Z", "description": "x", "user_email": "old"}
    other = activity | {"activity_id": "b"}
    data.land(csv_text("audit_logs", [activity | {"user_email": "new"}]).encode(), kind="audit", seq=8)
    landed = data.land(csv_text("audit_logs", [activity, other]).encode(), kind="audit", seq=5)

    assert data.rows("select activity_id, user_email from audit_logs order by all") == [("a", "new"), ("b", "old")]
    assert landed.row_counts["audit_logs"].superseded == 1


def test_the_same_export_read_again_replaces_itself(data):
    """A retry after a fix in the reader: the file may say other things now, and it is the same version."""
    data.land_rows(seq=2, total_scores=[TOTAL], individual_answers=[ANSWER], annotations=[NOTE])
    data.master.connection.execute("update total_scores set comment = 'misread'")
    (again,) = data.master.ledger.records("seq = 2")
    data.land_record(again)

    assert data.column("select comment from total_scores") == ["Fine"]
    assert data.rows("from grade_history") == []


EARLY, LATE = {"date_graded": "2026-01-02T00:00:00Z"}, {"date_graded": "2026-01-09T00:00:00Z"}


def test_an_old_week_asked_for_again_deletes_no_newer_grade(data):
    """A grade of the first week was deleted, and made again in the second week under the same key."""
    deleted = [TOTAL | EARLY | {"is_deleted": "true"}]
    data.land_rows(seq=1, total_scores=deleted)
    data.land_rows(seq=2, **whole_grade(**LATE))
    data.land_rows(seq=3, total_scores=deleted)

    assert data.column("select grade_key from total_scores") == [KEY]
    assert data.rows("from state.deletions") == []


def test_a_newer_grade_lands_after_the_deletion_of_an_older_one_that_was_asked_for_later(data):
    data.land_rows(seq=3, total_scores=[TOTAL | EARLY | {"is_deleted": "true"}])
    data.land_rows(seq=2, **whole_grade(**LATE))

    assert data.column("select grade_key from total_scores") == [KEY]
    assert data.rows("from state.deletions") == []


def test_of_two_live_versions_the_newer_stands_in_whichever_order_their_exports_were_asked_for(data):
    data.land_rows(seq=1, total_scores=[TOTAL | LATE | {"rubric_score": "90"}])
    landed = data.land_rows(seq=2, total_scores=[TOTAL | EARLY])

    assert data.column("select rubric_score from total_scores") == [90.0]
    assert landed.row_counts["total_scores"].superseded == 1


def test_a_deletion_asked_for_later_counts_where_the_dates_are_equal_or_unknown(data):
    for number, date in enumerate(({}, {"date_graded": "Unknown"})):
        data.land_rows(**whole_grade(**date, gradable_id=str(number)))
        data.land_rows(total_scores=[TOTAL | date | {"gradable_id": str(number), "is_deleted": "true"}])

    assert data.rows("from total_scores") == []
