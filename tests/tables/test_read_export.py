"""`ma.read_export`: an export file as checked frames, without a database and without a token."""

import zipfile
import zlib
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import maestro_analytics as ma
from maestro_analytics.errors import InvalidArgument, TooManyBadRows, UnreadableFile
from maestro_analytics.tables import archive
from tests.warehouse.data_folder import ANSWER, KEY, TOTAL, csv_text, raw_zip, whole_grade

GROUPS = 'group_name,group_id,agent_name,agent_email,agent_ids,available\nEmail,g1,Jo,jo@example.com,"1,2",True\n'
AUDIT = (
    "activity_id,time_stamp,user_email,item_type,action_type,description,ip_address\n"
    "a1,2026-01-02T10:00:00Z,jo@example.com,rubric,edit,Changed,10.0.0.1\n"
)


def written(folder: Path, name: str, content: bytes | str) -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_a_zip_gives_a_typed_frame_for_each_table(tmp_path):
    frames = ma.read_export(written(tmp_path, "export.zip", raw_zip(**whole_grade())))

    assert list(frames) == ["total_scores", "section_scores", "individual_answers", "annotations", "csat"]
    assert frames["total_scores"].select("grade_key", "rubric_score").rows() == [(KEY, 70.0)]
    assert frames["individual_answers"]["question_score"].to_list() == [3.5]
    assert frames["csat"].height == 0
    assert frames.kind == "raw"
    assert (frames.refused.height, frames.missing, frames.warnings) == (0, (), [])


def test_a_machine_without_isal_reads_the_same(tmp_path, monkeypatch):
    assert archive.inflate.__name__ == "isal.isal_zlib"
    path = written(tmp_path, "export.zip", raw_zip(**whole_grade()))
    expected = ma.read_export(path)

    monkeypatch.setattr(archive, "inflate", zlib)
    found = ma.read_export(path)

    assert list(found) == list(expected)
    for name, frame in expected.items():
        assert_frame_equal(found[name], frame)


@pytest.mark.parametrize(
    ("text", "kind", "table"),
    [
        (csv_text("total_scores", [TOTAL]), "raw", "total_scores"),
        (GROUPS, "groups", "agent_groups"),
        (AUDIT, "audit", "audit_logs"),
    ],
)
def test_a_plain_csv_is_recognised_by_its_columns(tmp_path, text, kind, table):
    frames = ma.read_export(str(written(tmp_path, "Export (3).csv", text)))

    assert frames.kind == kind
    assert {name: frame.height for name, frame in frames.items()} == {table: 1}


def test_refused_rows_are_on_the_frames_with_their_line_reason_and_raw_text(tmp_path):
    rows = [TOTAL | {"gradable_id": str(number)} for number in range(20)]
    rows[3] = rows[3] | {"rubric_score": "seventy"}

    frames = ma.read_export(written(tmp_path, "scores.csv", csv_text("total_scores", rows)))

    assert frames["total_scores"].height == 19
    (refused,) = frames.refused.to_dicts()
    assert (refused["table_name"], refused["line"], refused["column_name"]) == ("total_scores", 5, "rubric_score")
    assert "'seventy' is not a number" in refused["reason"]
    assert "seventy" in refused["raw"]


def test_a_refused_file_of_a_zip_is_reported_and_the_others_are_read(tmp_path):
    content = {"total_scores.csv": csv_text("total_scores", [TOTAL]), "individual_answers.csv": "a,b\n1,2\n"}
    path = tmp_path / "export.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in content.items():
            archive.writestr(name, text)

    frames = ma.read_export(path)

    assert list(frames) == ["total_scores"]
    assert frames.refused.select("table_name", "member", "line").rows() == [
        ("individual_answers", "individual_answers.csv", None)
    ]
    assert frames.missing == ("section_scores", "annotations", "csat")


def test_a_file_of_bad_rows_alone_raises_with_the_rows_on_the_error(tmp_path):
    path = written(tmp_path, "scores.csv", csv_text("total_scores", [TOTAL | {"gradable_id": "5.31E+06"}] * 9))

    with pytest.raises(TooManyBadRows, match="a spreadsheet rounded") as caught:
        ma.read_export(path)
    assert isinstance(caught.value.failures, pl.DataFrame)
    assert caught.value.failures.height == 9


def test_a_column_that_the_table_does_not_know_is_kept(tmp_path):
    path = written(tmp_path, "answers.csv", csv_text("individual_answers", [ANSWER | {"Queue": "VIP"}]))

    assert ma.read_export(path)["individual_answers"]["Queue"].to_list() == ["VIP"]


def test_what_is_not_an_export_is_named(tmp_path):
    with pytest.raises(UnreadableFile, match=r"notes\.txt is not an export"):
        ma.read_export(written(tmp_path, "notes.txt", "buy milk\n"))
    with pytest.raises(UnreadableFile, match="cannot be opened as one"):
        ma.read_export(written(tmp_path, "cut.zip", raw_zip(**whole_grade())[:200]))
    with pytest.raises(InvalidArgument, match="is not a file"):
        ma.read_export(tmp_path / "absent.zip")
    with pytest.raises(InvalidArgument, match="choose from raw, groups, audit"):
        ma.read_export(written(tmp_path, "scores.csv", "a,b\n"), kind="grades")


def test_reading_leaves_nothing_behind(tmp_path):
    path = written(tmp_path, "export.zip", raw_zip(**whole_grade()))
    ma.read_export(path)

    assert list(tmp_path.iterdir()) == [path]
