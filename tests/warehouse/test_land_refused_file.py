"""One file of an export is refused; the others land, and the export does not count as complete."""

import pytest

from maestro_analytics.errors import SchemaMismatch, UnreadableFile
from maestro_analytics.exports import Window
from tests.warehouse.desk import ANSWER, KEY, SECTION, START, TOTAL, csv_text, raw_zip, whole_grade, zipped

WEEK = START, START.replace(day=8)


def many(count, **changes):
    return [TOTAL | {"gradable_id": str(number)} | changes for number in range(count)]


def zip_with(total_scores: str, **others) -> bytes:
    files = {f"{name}.csv": csv_text(name, rows) for name, rows in others.items()}
    return zipped({"total_scores.csv": total_scores} | files)


def test_a_file_over_the_budget_lands_nothing_and_the_others_land(desk):
    bad = csv_text("total_scores", [*many(94), *many(6, rubric_score="good")])
    landed = desk.land(zip_with(bad, section_scores=[SECTION]))

    assert desk.rows("from total_scores") == []
    assert desk.column("select grade_key from section_scores") == [KEY]
    (refused,) = landed.refused
    assert isinstance(refused.error, SchemaMismatch)
    assert "6 of 100 rows were refused" in str(refused.error)
    assert not landed.is_covered
    assert desk.master.coverage("raw") == []
    assert desk.rows("select status, landing from state.exports") == [("partial", 1)]
    assert "6 of 100 rows" in desk.column("select error from state.exports")[0]


def test_its_bad_rows_can_be_looked_at(desk):
    desk.land(zip_with(csv_text("total_scores", [TOTAL | {"rubric_score": "good"}])))

    assert desk.rows("select table_name, line, column_name, file_refused from state.quarantine") == [
        ("total_scores", 2, "rubric_score", True)
    ]


@pytest.mark.parametrize(("good", "lands"), [(95, True), (94, False)])
def test_five_bad_rows_of_a_small_file_are_within_the_budget_and_more_are_not(desk, good, lands):
    rows = [*many(good), *many(100 - good, rubric_score="good")]
    landed = desk.land(raw_zip(total_scores=rows))

    assert landed.is_covered is lands
    assert desk.column("select count(*) from total_scores") == [good if lands else 0]


@pytest.mark.parametrize("missing", ["gradable_id", "rubric_id", "agent_id", "grade_type"])
def test_a_file_without_an_identity_column_is_refused_alone(desk, missing):
    landed = desk.land(zip_with(csv_text("total_scores", [TOTAL], without=[missing]), individual_answers=[ANSWER]))

    assert [(each.table_name, missing in str(each.error)) for each in landed.refused] == [("total_scores", True)]
    assert desk.column("select grade_key from individual_answers") == [KEY]
    assert desk.rows("from total_scores") == []


def test_an_earlier_total_score_does_not_outlive_its_grade_when_the_new_one_is_refused(desk):
    desk.land_rows(**whole_grade())
    desk.land(zip_with(csv_text("total_scores", [TOTAL | {"rubric_score": "good"}]), section_scores=[SECTION]))

    assert desk.rows("from total_scores") == []
    assert desk.column("select section_score from section_scores") == [7.0]


def test_an_unknown_file_in_place_of_a_missing_table_is_refused(desk):
    odd = {
        "criteria_scores.csv": "gradable_id,criterion,criterion_score\n1,2,3\n",
        "total.csv": csv_text("total_scores", [TOTAL]),
    }
    landed = desk.land(zipped(odd))

    assert [each.member for each in landed.refused] == ["criteria_scores.csv"]
    assert "closest" in str(landed.refused[0].error)
    assert not landed.is_covered
    assert desk.column("select grade_key from total_scores") == [KEY]


def test_a_file_that_is_no_export_is_refused_as_a_whole(desk):
    export = desk.receive(b"<html>Sorry</html>")
    with pytest.raises(UnreadableFile) as refused:
        desk.land_record(export)
    landed = desk.master.refuse(export, refused.value)

    assert not landed.is_covered
    assert export.file.exists()
    assert desk.rows("select status, landing from state.exports") == [("unreadable", None)]
    assert desk.master.coverage("raw") == []


def test_a_rerun_that_brings_the_file_makes_it_good(desk):
    desk.land(zip_with(csv_text("total_scores", [TOTAL | {"rubric_score": "good"}]), section_scores=[SECTION]))
    desk.land_rows(**whole_grade())

    assert desk.column("select rubric_score from total_scores") == [70.0]
    assert desk.master.coverage("raw") == [Window(*WEEK)]


def test_every_row_is_accounted_for(desk):
    rows = [
        *many(300),
        TOTAL | {"gradable_id": "5"},
        TOTAL | {"gradable_id": "d", "is_deleted": "true"},
        TOTAL | {"rubric_score": "good"},
    ]
    desk.land_rows(seq=9, total_scores=[TOTAL | {"gradable_id": "7"}])
    landed = desk.land_rows(seq=3, total_scores=rows)

    account = landed.row_counts["total_scores"]
    assert (
        account.read,
        account.landed,
        account.quarantined,
        account.deleted,
        account.repeated,
        account.superseded,
    ) == (
        303,
        299,
        1,
        1,
        1,
        1,
    )
