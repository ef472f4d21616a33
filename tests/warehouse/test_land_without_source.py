"""A file without the column `source`, and one with it: the same grade is there once."""

import pytest

from maestro_analytics.warehouse.replay import replay
from tests.warehouse.data_folder import (
    ANSWER,
    KEY,
    NOTE,
    SECTION,
    SURVEY,
    TOTAL,
    DataFolder,
    csv_text,
    everything,
    whole_grade,
    zipped,
)

ROWS = whole_grade() | {"csat": [SURVEY]}
TABLES = ("total_scores", "section_scores", "individual_answers", "annotations", "csat")


def export(rows=None, *, lacking=TABLES):
    rows = ROWS if rows is None else rows
    return zipped(
        {
            f"{name}.csv": csv_text(name, rows.get(name, []), without=["source"] if name in lacking else [])
            for name in TABLES
        }
    )


def of_one_grade(data):
    """What the tables hold, but for which export it came from."""
    return {
        name: data.rows(f"from {name}") for name in (*TABLES, "grade_history", "state.deletions", "incomplete_grades")
    } | {"versions": data.column("select grade_key from state.grade_versions")}


@pytest.fixture
def expected(tmp_path):
    other = DataFolder(tmp_path / "other")
    other.land(export(lacking=()))
    found = of_one_grade(other)
    other.master.close()
    return found


@pytest.mark.parametrize("order", [(TABLES, ()), ((), TABLES), (TABLES, (), TABLES), ((), TABLES, ())], ids=str)
def test_a_grade_with_and_without_its_source_is_there_once(data, expected, order):
    for week, lacking in enumerate(order):
        data.land(export(lacking=lacking), week=week)
    assert of_one_grade(data) == expected
    assert expected["versions"] == [KEY]
    before = everything(data, leaving_out=["landed_at"])
    list(replay(data.master))
    data.master.connection.execute("delete from agents; delete from agent_ids")
    assert everything(data, leaving_out=["landed_at"]) == before


@pytest.mark.parametrize("lacking", [("annotations",), ("total_scores",), ("individual_answers", "csat")], ids=str)
def test_a_file_of_an_export_that_lacks_the_column_belongs_to_the_grades_of_the_others(data, expected, lacking):
    data.land(export(lacking=lacking))
    assert of_one_grade(data) == expected


def test_a_regrade_and_a_deletion_find_the_grade_whichever_of_the_two_has_the_source(data):
    data.land(export())
    newer = {name: [row | {"date_graded": '="2026-01-03 10:00:00"'} for row in rows] for name, rows in ROWS.items()}
    newer["total_scores"] = [TOTAL | {"rubric_score": "90", "date_graded": '="2026-01-03 10:00:00"'}]
    data.land(export(newer, lacking=()), week=1)
    assert data.rows("select grade_key, rubric_score from total_scores") == [(KEY, 90.0)]
    assert data.rows("select grade_key, source, rubric_score from grade_history") == [(KEY, "zendesk", 70.0)]

    gone = {"total_scores": [TOTAL | {"date_graded": '="2026-01-04 10:00:00"', "is_deleted": "1"}]}
    data.land(export(gone), week=2)
    assert data.rows("from total_scores") == data.rows("from individual_answers") == []
    assert data.rows("select grade_key, source from state.deletions") == [(KEY, "zendesk")]


def test_a_ticket_of_no_helpdesk_stays_apart_from_that_of_a_helpdesk_with_its_number(data):
    """Files that have the column say of such a ticket that it has no source."""
    unsourced = {"source": "Unknown"}
    data.land_rows(total_scores=[TOTAL, TOTAL | unsourced | {"gradable_id": "9"}], csat=[SURVEY, SURVEY | unsourced])
    data.land_rows(total_scores=[TOTAL | {"gradable_id": "9"}, TOTAL | unsourced], week=1)

    assert data.rows("select gradable_id, source from total_scores order by all") == [
        ("5310985", "zendesk"),
        ("5310985", None),
        ("9", "zendesk"),
        ("9", None),
    ]
    assert data.rows("select source from csat order by all") == [("zendesk",), (None,)]


def test_a_ticket_number_of_two_helpdesks_is_given_to_neither(data):
    front = {name: [row | {"source": "front"} for row in rows] for name, rows in ROWS.items()}
    data.land(export(lacking=()))
    data.land(export(front, lacking=()), week=1)
    data.land(export(), week=2)
    assert data.column("select source from total_scores order by source nulls last") == ["front", "zendesk", None]


def test_two_that_an_earlier_version_kept_become_one(data, expected):
    data.land(export(lacking=()))
    for name in ("total_scores", "section_scores", "individual_answers", "annotations"):
        data.master.connection.execute(
            f"insert into {name} by name select * replace (null as source, replace(grade_key, 'zendesk|', '\\N|') as "
            f"grade_key) from {name}"
        )
    data.master.connection.execute(
        "insert into state.grade_versions by name "
        "select * replace (replace(grade_key, 'zendesk|', '\\N|') as grade_key, 0 as export_seq) "
        "from state.grade_versions"
    )
    data.land(export(lacking=()), week=1)
    assert of_one_grade(data) == expected


def test_a_refused_row_without_the_source_belongs_to_its_grade(data):
    data.land(export(lacking=()))
    many = [TOTAL | {"gradable_id": f"m{number}"} for number in range(20)]
    bad = {
        "total_scores": [*many, TOTAL | {"rubric_score": "?"}],
        "individual_answers": [ANSWER],
        "annotations": [NOTE],
    }
    data.land(export(bad | {"section_scores": [SECTION]}), week=1)
    assert data.column("select grade_key from state.quarantine") == [KEY]
    assert data.rows("select rubric_score from total_scores where gradable_id = '5310985'") == [(70.0,)]
