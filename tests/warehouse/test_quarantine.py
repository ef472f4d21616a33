"""A refused row keeps its raw text, line, column and reason, and can be read again."""

from maestro_analytics.tables.columns import Role
from maestro_analytics.warehouse.replay import retry_quarantine
from tests.warehouse.data_folder import ANSWER, KEY, START, TOTAL, csv_text, raw_zip, zipped


def many(count):
    return [TOTAL | {"gradable_id": f"ticket {number}"} for number in range(count)]


def test_a_refused_row_is_kept_to_the_letter(data):
    bad = TOTAL | {"rubric_score": "N.A.", "comment": 'He said "no",\nthen left', "total_grading_time": "5 min"}
    data.land_rows(total_scores=[*many(100), bad])

    (row,) = data.table("from state.quarantine").rows(named=True)
    assert row == {
        "table_name": "total_scores",
        "file": "exports/raw-000001-id_1.zip",
        "member": "total_scores.csv",
        "line": 102,
        "column_name": "rubric_score",
        "reason": "rubric_score: 'N.A.' is not a number; "
        "total_grading_time: '5 min' is not a number of seconds or HH:MM:SS",
        "raw": csv_text("total_scores", [bad]).split("\n", 1)[1].removesuffix("\n"),
        "grade_key": KEY,
        "kind": "raw",
        "export_seq": 1,
        "export_id": "id_1",
        "quarantined_at": START.replace(day=9),
        "file_refused": False,
    }


def test_a_row_with_too_many_or_too_few_fields_is_kept_aside_and_the_rest_land(data):
    text = csv_text("total_scores", many(300)).split("\n")
    text.insert(3, "too,few")
    text.insert(7, "much" + "," * 40)
    landed = data.land(zipped({"total.csv": "\n".join(text)}))

    assert (landed.rows["total_scores"], landed.quarantined) == (300, 2)
    assert data.rows("select line, column_name, reason, raw from state.quarantine order by line") == [
        (4, None, "2 fields where the header has 21", "too,few"),
        (8, None, "41 fields where the header has 21", "much" + "," * 40),
    ]


def test_reading_a_file_again_replaces_what_it_had_in_quarantine(data):
    export = data.receive(raw_zip(total_scores=[*many(100), TOTAL | {"rubric_score": "?"}]))
    for _ in range(3):
        data.land_record(export)

    assert data.column("select count(*) from state.quarantine") == [1]


def test_a_grade_whose_new_row_is_refused_keeps_the_earlier_one_and_is_not_whole(data):
    data.land_rows(total_scores=[TOTAL])
    data.land_rows(total_scores=[*many(100), TOTAL | {"rubric_score": "?"}])
    data.master.publish()

    assert data.rows("select rubric_score, is_whole from grades where gradable_id = '5310985'") == [(70.0, False)]
    assert data.column("select count(*) from grades where is_whole") == [100]


def test_retry_after_a_fix_lands_what_can_be_read_now(data, monkeypatch):
    """The fix here: a reader that takes the score for the text that it is."""
    from maestro_analytics.tables import validation

    data.land_rows(total_scores=[*many(100), TOTAL | {"rubric_score": "75 %"}], individual_answers=[ANSWER])
    understood = validation.typed

    def typed(text, roles):
        column = text.schema.get_field_index("rubric_score")
        if column >= 0 and roles.get("rubric_score") is Role.NUMBER:
            import pyarrow.compute as pc

            text = text.set_column(column, "rubric_score", pc.replace_substring(text.column(column), " %", ""))
        return understood(text, roles)

    monkeypatch.setattr(validation, "typed", typed)
    (outcome,) = list(retry_quarantine(data.master))

    assert outcome.landed.rows["total_scores"] == 101
    assert data.column("select rubric_score from total_scores where gradable_id = '5310985'") == [75.0]
    assert data.rows("from state.quarantine") == []


def test_retry_reads_only_what_had_trouble_and_leaves_newer_grades_alone(data):
    data.land_rows(total_scores=[*many(100), TOTAL | {"rubric_score": "?"}])
    data.land_rows(week=1, total_scores=[TOTAL | {"gradable_id": "ticket 7", "rubric_score": "99"}])

    assert [outcome.export.seq for outcome in retry_quarantine(data.master)] == [1]
    assert data.column("select rubric_score from total_scores where gradable_id = 'ticket 7'") == [99.0]
    assert data.column("select count(*) from state.quarantine") == [1]


def test_retry_of_a_refused_file_covers_its_window_when_it_lands(data, monkeypatch):
    data.land(raw_zip(total_scores=[TOTAL | {"rubric_score": "?"}]))
    assert data.master.coverage("raw") == []

    (outcome,) = list(retry_quarantine(data.master, budget=1.0))

    assert outcome.landed.is_covered
    assert len(data.master.coverage("raw")) == 1
    assert data.column("select status from state.exports") == ["landed"]
