"""What a raw export holds: grades by their last update, as they stood when it was asked for."""

from datetime import timedelta

import pytest

KEY = ("source", "gradable_id", "rubric_id", "agent_id", "grade_type")


def keys(rows):
    return [tuple(row[name] for name in KEY) for row in rows]


@pytest.mark.parametrize(
    ("options", "kinds"),
    [
        ({}, {"grading"}),
        ({"includeCalibrations": "none"}, {"grading"}),
        ({"includeCalibrations": "all"}, {"grading", "calibration_review", "calibration_final"}),
        ({"includeCalibrations": "only"}, {"calibration_review", "calibration_final"}),
        ({"includeGraderQA": True}, {"grading", "grader_qa"}),
    ],
)
def test_kinds_of_grades_come_when_asked_for(calm, options, kinds):
    tables = calm.raw(**options)
    for table in ("total_scores", "section_scores", "individual_answers", "annotations"):
        assert {row["grade_type"] for row in tables[table]} == kinds


def test_the_full_export_is_a_zip_of_five_files(calm):
    assert set(calm.raw()) == {"total_scores", "section_scores", "individual_answers", "annotations", "csat"}


@pytest.mark.parametrize("table", ["total_scores", "section_scores", "individual_answers", "annotations", "csat"])
def test_a_single_file_is_one_plain_csv(calm, reading, table):
    content = calm.export(singleFileExport=table)
    assert not content.startswith(b"PK")
    assert reading.in_order(reading.values_of(reading.rows_of(content))) == reading.in_order(
        reading.values_of(calm.raw()[table])
    )


def test_a_deleted_grade_comes_only_when_asked_for_and_then_with_a_flag(calm, reading):
    deleted = {tuple(row[name] for name in KEY) for row in calm.sandbox.truth.deletions}
    without = reading.values_of(calm.raw(includeCalibrations="all")["total_scores"])
    assert len(deleted) > 3
    assert not deleted & set(keys(without))
    assert "is_deleted" not in without[0]
    tables = calm.raw(**reading.everything)
    for table in ("total_scores", "section_scores", "individual_answers"):
        rows = reading.values_of(tables[table])
        assert set(keys(row for row in rows if row["is_deleted"])) == deleted
    assert {row["is_deleted"] for row in tables["individual_answers"]} == {"true", "false", "1", "0"}


def test_both_ends_of_the_window_are_outside(calm, reading):
    updates = sorted(
        row["date_graded"]
        for row in reading.values_of(calm.raw()["total_scores"])
        if row["date_graded"].microsecond == 0
    )
    start, end = updates[5], updates[-5]
    within = reading.values_of(calm.raw(start, end)["total_scores"])
    graded = {row["date_graded"] for row in within}
    assert start not in graded
    assert end not in graded
    beyond = timedelta(seconds=1)
    wider = {row["date_graded"] for row in reading.values_of(calm.raw(start - beyond, end + beyond)["total_scores"])}
    assert {start, end} <= wider


def test_a_regraded_ticket_leaves_its_earlier_window_and_comes_back_changed(open_sandbox, reading):
    talk = open_sandbox(agents=24, days=20)
    before = talk.sandbox.now
    tables = talk.raw()
    first = reading.values_of(tables["total_scores"])
    notes = keys(reading.values_of(tables["annotations"]))
    answers = reading.values_of(tables["individual_answers"])
    talk.sandbox.advance(days=21)
    earlier = keys(reading.values_of(talk.raw(end=before)["total_scores"]))
    later = talk.raw(start=before - timedelta(seconds=1))
    again = reading.values_of(later["total_scores"])
    returned = {
        tuple(row[name] for name in KEY): row
        for row in again
        if tuple(row[name] for name in KEY) in keys(first) and row["date_graded"] > before
    }
    assert len(returned) > 5
    assert not set(returned) & set(earlier)
    later_notes = keys(reading.values_of(later["annotations"]))
    assert all(later_notes.count(key) <= notes.count(key) for key in returned)
    assert sum(map(later_notes.count, returned)) < sum(map(notes.count, returned))
    was = {tuple(row[name] for name in KEY): row for row in first}
    assert any(row["rubric_score"] != was[key]["rubric_score"] for key, row in returned.items())
    labels = lambda rows: {  # noqa: E731
        (*(row[name] for name in KEY), row["question_id"], row["answer_label"]) for row in rows
    }
    old = {answer for answer in labels(answers) if answer[:5] in returned}
    new = {answer for answer in labels(reading.values_of(later["individual_answers"])) if answer[:5] in returned}
    assert old - new
    for key, row in returned.items():
        assert row["date_reported_as"] == was[key]["date_reported_as"]
        assert row["date_first_graded"] == was[key]["date_first_graded"]


def test_an_export_is_a_snapshot_of_the_moment_it_was_asked_for(open_sandbox, reading):
    talk = open_sandbox(export_seconds=0.1)
    export_id = talk.ask(end=talk.sandbox.now + timedelta(days=60), **reading.everything)
    then = talk.sandbox.truth.total_scores
    talk.sandbox.advance(days=30)
    url = talk.wait(export_id)["dataUrl"]
    rows = reading.values_of(
        reading.unzipped(talk.session.get(url, headers={"apitoken": None}).content)["total_scores"]
    )
    live = [
        {name: value for name, value in row.items() if name != "is_deleted"} for row in rows if not row["is_deleted"]
    ]
    assert reading.in_order(live) == reading.in_order(then)
    assert then != talk.sandbox.truth.total_scores


def test_windows_that_touch_give_every_grade_once(calm, reading):
    whole = reading.values_of(calm.raw(**reading.everything)["total_scores"])
    start, end = calm.sandbox.truth.start, calm.sandbox.now + timedelta(seconds=1)
    parts = []
    while start < end:
        stop = min(start + timedelta(days=7), end)
        parts += reading.values_of(calm.raw(start - timedelta(seconds=1), stop, **reading.everything)["total_scores"])
        start = stop
    strip = lambda rows: {tuple((k, v) for k, v in row.items() if k != "is_deleted") for row in rows}  # noqa: E731
    assert strip(parts) == strip(whole)
