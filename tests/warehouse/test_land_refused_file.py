"""One file of an export is refused; the others land, and the export does not count as complete."""

from datetime import timedelta

import polars as pl
import pytest

from maestro_analytics.errors import SchemaMismatch, UnreadableFile
from maestro_analytics.exports import Window
from maestro_analytics.pipeline import plan
from maestro_analytics.settings import Settings
from maestro_analytics.warehouse.kept_files import land_export
from maestro_analytics.warehouse.ledger import settle
from maestro_analytics.warehouse.replay import retry_quarantine
from tests.warehouse.data_folder import (
    ANSWER,
    KEY,
    SECTION,
    START,
    SURVEY,
    TOTAL,
    csv_text,
    raw_zip,
    whole_grade,
    zipped,
)

WEEK = START, START.replace(day=8)


def many(count, **changes):
    return [TOTAL | {"gradable_id": str(number)} | changes for number in range(count)]


def zip_with(total_scores: str, **others) -> bytes:
    files = {f"{name}.csv": csv_text(name, rows) for name, rows in others.items()}
    return zipped({"total_scores.csv": total_scores} | files)


def test_without_usable_total_scores_no_grade_lands(data):
    bad = csv_text("total_scores", [*many(94), *many(6, rubric_score="good")])
    landed = data.land(zip_with(bad, section_scores=[SECTION], individual_answers=[], annotations=[], csat=[SURVEY]))

    assert data.rows("from total_scores union all by name from section_scores") == []
    assert data.column("select csat_score from csat") == [4.0]
    (refused,) = landed.refused
    assert isinstance(refused.error, SchemaMismatch)
    assert "6 of 100 rows were refused" in str(refused.error)
    assert not landed.is_covered
    assert data.master.coverage("raw") == []
    assert data.rows("select status, landing from state.exports") == [("partial", 1)]
    assert "6 of 100 rows" in data.column("select error from state.exports")[0]


def test_its_bad_rows_can_be_looked_at(data):
    data.land(zip_with(csv_text("total_scores", [TOTAL | {"rubric_score": "good"}])))

    assert data.rows("select table_name, line, column_name, file_refused from state.quarantine") == [
        ("total_scores", 2, "rubric_score", True)
    ]


@pytest.mark.parametrize(("good", "lands"), [(95, True), (94, False)])
def test_five_bad_rows_of_a_small_file_are_within_the_budget_and_more_are_not(data, good, lands):
    rows = [*many(good), *many(100 - good, rubric_score="good")]
    landed = data.land(raw_zip(total_scores=rows))

    assert landed.is_covered is lands
    assert data.column("select count(*) from total_scores") == [good if lands else 0]


@pytest.mark.parametrize("missing", ["gradable_id", "rubric_id", "agent_id", "grade_type"])
def test_a_file_without_an_identity_column_is_refused_alone(data, missing):
    landed = data.land(zip_with(csv_text("total_scores", [TOTAL], without=[missing]), individual_answers=[ANSWER]))

    assert (landed.refused[0].table_name, missing in str(landed.refused[0].error)) == ("total_scores", True)
    assert data.rows("from total_scores union all by name from individual_answers") == []


TABLES = ("total_scores", "section_scores", "individual_answers", "annotations")


def test_a_grade_stays_as_it_was_when_its_total_scores_are_refused(data):
    data.land_rows(**whole_grade())
    bad = csv_text("total_scores", [TOTAL | {"rubric_score": "good"}])
    data.land(zip_with(bad, section_scores=[SECTION | {"section_score": "1"}]))

    assert data.column("select section_score from section_scores") == [7.0]
    assert [data.column(f"select count(*) from {name}") for name in TABLES] == [[1]] * 4


@pytest.mark.parametrize("absent", ["section_scores", "individual_answers", "annotations", "csat"])
def test_the_rows_of_a_missing_file_stay_and_the_window_is_not_covered(data, absent):
    new = whole_grade(comment="new", date_graded="2026-01-03T00:00:00Z") | {"csat": [SURVEY]}
    data.land_rows(**whole_grade(comment="old"), csat=[SURVEY])
    files = {f"{name}.csv": csv_text(name, rows) for name, rows in new.items() if name != absent}
    landed = data.land(zipped(files), week=1)
    data.master.publish()

    assert [file.table_name for file in landed.refused] == [absent]
    assert data.master.coverage("raw") == [Window(*WEEK)]
    assert [data.column(f"select count(*) from {name}") for name in (*TABLES, "csat")] == [[1]] * 5
    assert data.column("select is_whole from grades") == [absent == "csat"]

    data.land_rows(week=1, **new)

    assert data.column("select is_whole from grades") == [True]
    assert len(data.master.coverage("raw")) == 1
    assert data.master.coverage("raw")[0].end == START.replace(day=15)


def test_a_covered_window_is_asked_for_again_where_a_newer_export_replaces_grades_and_lacks_a_file(data):
    new = whole_grade(comment="new", date_graded="2026-01-03T00:00:00Z")
    lacking = zipped({f"{name}.csv": csv_text(name, rows) for name, rows in new.items() if name != "section_scores"})
    data.land_rows(**whole_grade())
    data.land(zip_with(csv_text("total_scores", [TOTAL | {"rubric_score": "good"}])))
    assert data.master.coverage("raw") == [Window(*WEEK)], "nothing landed, so what there is stays complete"

    data.land(lacking)
    assert data.master.coverage("raw") == []

    data.land_rows(**new)
    assert data.master.coverage("raw") == [Window(*WEEK)]


def test_a_plan_begins_where_a_refused_window_began(data):
    """Not an hour before, as after other covered time: each refusal would ask for an hour more."""
    data.land_rows(**whole_grade())
    data.land_rows(week=1, **whole_grade())
    settle(data.master.connection, "raw", START + timedelta(days=14, hours=-1))
    data.land(zipped({"total_scores.csv": csv_text("total_scores", [TOTAL])}), week=1)
    data.master.publish()

    settings = Settings(data=data.folder, _env_file=None)
    planned = plan(settings, since=START, until=START + timedelta(days=14), kinds=("raw",))
    assert planned.windows["raw"] == [Window(START + timedelta(days=7), START + timedelta(days=14))]


def test_missing_annotations_and_surveys_are_complete_where_there_were_none(data):
    files = whole_grade() | {"annotations": [], "csat": []}
    landed = data.land(zipped({f"{name}.csv": csv_text(name, rows) for name, rows in files.items() if rows}))
    data.master.publish()

    assert landed.refused == []
    assert landed.is_covered
    assert data.rows("select is_whole, is_covered from grades") == [(True, True)]


def test_a_deleted_grade_leaves_the_table_of_a_missing_file_too(data):
    data.land_rows(**whole_grade())
    data.land(zip_with(csv_text("total_scores", [TOTAL | {"is_deleted": "true"}])))

    assert [data.column(f"select count(*) from {name}") for name in TABLES] == [[0]] * 4
    assert data.rows("from incomplete_grades") == []


def test_an_unknown_file_in_place_of_a_missing_table_is_refused(data):
    odd = {
        "criteria_scores.csv": "gradable_id,criterion,criterion_score\n1,2,3\n",
        "total.csv": csv_text("total_scores", [TOTAL]),
    }
    odd |= {f"{name}.csv": csv_text(name, []) for name in ("section_scores", "individual_answers")}
    landed = data.land(zipped(odd))

    assert [each.member for each in landed.refused] == ["criteria_scores.csv"]
    assert "closest" in str(landed.refused[0].error)
    assert not landed.is_covered
    assert data.column("select grade_key from total_scores") == [KEY]


def test_a_file_that_is_no_export_is_refused_as_a_whole(data):
    export = data.receive(b"<html>Sorry</html>")
    with pytest.raises(UnreadableFile) as refused:
        data.land_record(export)
    landed = data.master.refuse(export, refused.value)

    assert not landed.is_covered
    assert export.file.exists()
    assert data.rows("select status, landing from state.exports") == [("unreadable", None)]
    assert data.master.coverage("raw") == []


class Panic(pl.exceptions.PanicException):
    """What polars raises for a bug of its own."""


@pytest.mark.parametrize("error", [KeyError("x"), IndexError("x"), RuntimeError("x"), Panic("x")], ids=repr)
@pytest.mark.parametrize("place", ["read_export", "master"])
def test_an_export_that_leads_to_any_error_is_refused_and_kept_and_stops_nothing_else(data, monkeypatch, error, place):
    def fail(*_, **__):
        raise error

    export = data.receive(raw_zip(total_scores=[TOTAL]))
    with monkeypatch.context() as patched:
        if place == "master":
            patched.setattr("maestro_analytics.warehouse.landing.replace_grades", fail)
        else:
            patched.setattr("maestro_analytics.warehouse.kept_files.read_export", fail)
        landed = land_export(data.master, export)

    assert "could not be read" in str(landed.unreadable)
    assert export.file.exists()
    assert data.column("select status from state.exports") == ["unreadable"]
    assert land_export(data.master, data.receive(raw_zip(total_scores=[TOTAL | {"gradable_id": "2"}]))).is_covered
    list(retry_quarantine(data.master))
    assert data.column("select count(*) from total_scores") == [2]


def test_a_rerun_that_brings_the_file_makes_it_good(data):
    data.land(zip_with(csv_text("total_scores", [TOTAL | {"rubric_score": "good"}]), section_scores=[SECTION]))
    data.land_rows(**whole_grade())

    assert data.column("select rubric_score from total_scores") == [70.0]
    assert data.master.coverage("raw") == [Window(*WEEK)]


def test_every_row_is_accounted_for(data):
    rows = [
        *many(300),
        TOTAL | {"gradable_id": "5"},
        TOTAL | {"gradable_id": "d", "is_deleted": "true"},
        TOTAL | {"rubric_score": "good"},
    ]
    data.land_rows(seq=9, total_scores=[TOTAL | {"gradable_id": "7"}])
    landed = data.land_rows(seq=3, total_scores=rows)

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
