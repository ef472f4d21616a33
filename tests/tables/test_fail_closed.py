"""A file that is not understood is refused or reported as missing; it never counts as a file without rows."""

import io
import sys
import zipfile

import pytest

from maestro_analytics.errors import UnreadableFile
from maestro_analytics.tables import csv_rows, reader
from maestro_analytics.tables.delivery import allowed_refusals
from maestro_analytics.tables.reader import read_export
from maestro_analytics.tables.schemas import RAW_TABLES, TABLES_BY_NAME
from maestro_analytics.tables.staging import read_rows
from tests.tables.conftest import rows_of

GRADE = {
    "gradable_id": "T1",
    "agent_id": "A1",
    "rubric_id": "R1",
    "grade_type": "grading",
    "source": "zendesk",
    "grader": "jo",
    "date_graded": "2026-01-05T10:00:00Z",
}
ROWS = {
    "total_scores": GRADE | {"rubric_score": "80"},
    "section_scores": GRADE | {"section_id": "s1", "section_score": "8"},
    "individual_answers": GRADE | {"question_id": "q1", "answer_label": "Yes"},
    "annotations": GRADE | {"annotation_id": "n1", "selected_text": "x"},
    "csat": {"gradable_id": "T1", "csat_score": "5", "source": "zendesk"},
}


def text(table_name, *rows, delimiter=",", **renamed):
    """A file with the table's columns, and those that the rows have besides."""
    names = list(dict.fromkeys([*TABLES_BY_NAME[table_name].file_columns, *(name for row in rows for name in row)]))
    lines = [[renamed.get(name, name) for name in names], *([row.get(name, "") for name in names] for row in rows)]
    return "".join(delimiter.join(line) + "\n" for line in lines)


def all_five(**changed):
    files = {f"{name}.csv": text(name, row) for name, row in ROWS.items()}
    files |= {f"{name}.csv": content for name, content in changed.items()}
    return {name: content for name, content in files.items() if content is not None}


def test_five_renamed_columns_refuse_the_file_as_its_table(read):
    names = ["rubric_score", "max_rubric_score", "date_first_started", "date_first_graded", "total_grading_time"]
    renamed = text("total_scores", ROWS["total_scores"], **{name: f"new_{name}" for name in names})
    delivery = read(all_five(total_scores=renamed))

    assert [(file.member, file.table_name) for file in delivery.refused] == [("total_scores.csv", "total_scores")]
    assert delivery.missing == ()
    assert "total_scores" not in delivery.tables


@pytest.mark.parametrize("table", RAW_TABLES, ids=lambda table: table.name)
def test_a_table_that_no_file_brought_is_missing(read, table):
    delivery = read(all_five(**{table.name: None}))
    assert (delivery.missing, delivery.refused) == ((table.name,), [])


@pytest.mark.parametrize("content", [b"", b"\n\n", b"\xef\xbb\xbf"])
def test_a_file_of_no_bytes_is_refused_and_not_a_file_without_rows(read, content):
    delivery = read(all_five(total_scores=content))
    assert [(file.member, file.table_name) for file in delivery.refused] == [("total_scores.csv", "total_scores")]


def test_an_unknown_file_beside_all_five_is_reported_and_refuses_nothing(read):
    delivery = read(all_five(criteria_scores="gradable_id,criterion\n1,2\n"))
    assert ([file.member for file in delivery.unknown], delivery.refused) == (["criteria_scores.csv"], [])
    assert delivery.missing == ()


def test_files_that_operating_systems_add_to_a_zip_are_ignored(read):
    delivery = read(all_five() | {"__MACOSX/._csat.csv": b"\0\5\26\7", "x/.DS_Store": b"\0"})
    assert (delivery.refused, delivery.unknown, delivery.missing) == ([], [], ())


@pytest.mark.parametrize(("flag", "method"), [(1, None), (None, 9)], ids=["encrypted", "Deflate64"])
def test_an_encrypted_or_strangely_packed_member_is_refused(read, tmp_path, flag, method):
    read(all_five())
    content = bytearray((tmp_path / "export").read_bytes())
    with zipfile.ZipFile(io.BytesIO(bytes(content))) as archive:
        local = archive.getinfo("individual_answers.csv").header_offset
    central = content.index(b"individual_answers.csv", content.index(b"PK\x01\x02")) - 46
    if flag:
        content[local + 6] |= flag
        content[central + 8] |= flag
    if method:
        content[local + 8] = content[central + 10] = method
    delivery = read(bytes(content))

    assert [file.table_name for file in delivery.refused] == ["individual_answers"]
    assert list(delivery.tables) == ["total_scores", "section_scores", "annotations", "csat"]


@pytest.mark.parametrize("before", ["sep=,\r\n", "Total scores, January\r\n", "# generated at 2026-01-08\r\n\r\n"])
def test_lines_before_the_header_are_skipped(read, before):
    delivery = read(all_five(total_scores=before + text("total_scores", ROWS["total_scores"])))
    assert rows_of(delivery, "total_scores")["rubric_score"].to_list() == [80.0]
    assert delivery.refused == []


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_file_that_a_spreadsheet_saved_again_is_read(read, encoding, delimiter):
    again = ROWS["total_scores"] | {"comment": "Ünï", "date_graded": "2026-01-05 10:00:00"}
    content = text("total_scores", again, delimiter=delimiter).encode(encoding)
    delivery = read(content)
    (row,) = rows_of(delivery, "total_scores").select("gradable_id", "rubric_score", "comment", "date_graded").rows()
    assert row[:3] == ("T1", 80.0, "Ünï")
    assert row[3].isoformat() == "2026-01-05T10:00:00+00:00"


@pytest.mark.parametrize("rounded", ["5.31E+06", "5,31E+06", "1E+15"])
def test_ids_that_a_spreadsheet_rounded_are_refused_with_the_reason(read, rounded):
    rows = [GRADE | {"gradable_id": f'"{rounded}"', "rubric_score": "1"}, ROWS["total_scores"]]
    (refusal,) = read(text("total_scores", *rows)).refusals
    assert refusal.column_name == "gradable_id"
    assert "an id that a spreadsheet rounded" in refusal.reason


@pytest.mark.parametrize(("rows", "allowed"), [(1, 0.5), (2, 1), (8, 4), (60, 5), (500, 5), (600, 6), (100_000, 1000)])
def test_one_percent_of_the_rows_may_be_refused_but_at_least_five_and_at_most_half(rows, allowed):
    assert allowed_refusals(rows) == allowed


def test_a_word_in_a_csat_score_is_its_rating(read):
    words = ["good", "Offered", "4", "", "N/A"]
    delivery = read(text("csat", *({"gradable_id": str(n), "csat_score": word} for n, word in enumerate(words))))
    (file,) = delivery.tables["csat"].files
    rows = read_rows(file).select("csat_score", "csat_rating").rows()
    assert rows == [(None, "good"), (None, "Offered"), (4.0, None), (None, None), (None, None)]
    assert delivery.refusals == []


def test_rows_that_a_zip_holds_twice_land_once_in_every_table(read):
    files = all_five()
    delivery = read({f"{folder}/{name}": content for folder in ("a", "a copy") for name, content in files.items()})
    assert {
        name: (staged.rows_read, staged.rows_live, staged.rows_repeated) for name, staged in delivery.tables.items()
    } == (dict.fromkeys(ROWS, (2, 1, 1)))


def test_answers_of_a_multi_select_question_that_differ_all_land(read):
    rows = [GRADE | {"question_id": "q1", "answer_label": "Yes", "question_score": str(n)} for n in range(3)]
    assert rows_of(read(text("individual_answers", *rows)), "individual_answers").height == 3


@pytest.mark.parametrize(("column", "lands"), [("question_id", 2), ("topic", 1)])
def test_an_annotation_about_two_questions_lands_for_each_and_otherwise_once(read, column, lands):
    """Where a file has no question_id, an annotation of a grade is known by its annotation_id alone."""
    rows = [GRADE | {"annotation_id": "n1", "comment": str(n), "question_id": f"q{n}"} for n in range(2)]
    delivery = read(text("annotations", *rows, question_id=column))
    assert rows_of(delivery, "annotations").height == lands
    assert len(delivery.tables["annotations"].refusals) == 2 - lands


@pytest.mark.parametrize("newer_first", [True, False])
def test_of_two_graders_ordinary_grades_the_newer_lands_whole_and_the_other_is_refused_whole(read, newer_first):
    newer = {"grader": "zoe", "date_graded": "2026-01-06T10:00:00Z"}
    files = {}
    for name, row in ROWS.items():
        rows = [row] if name == "csat" else [row | newer, row] if newer_first else [row, row | newer]
        files[f"{name}.csv"] = text(name, *rows)
    delivery = read(files)

    for name in ("total_scores", "section_scores", "individual_answers", "annotations"):
        staged = delivery.tables[name]
        assert rows_of(delivery, name)["grader"].to_list() == ["zoe"], name
        assert (staged.rows_read, staged.rows_live, len(staged.refusals)) == (2, 1, 1), name
        assert "jo" in staged.refusals[0].raw


def test_answers_of_a_grader_whose_total_score_is_refused_do_not_land_under_another_graders_grade(read):
    bad = ROWS["total_scores"] | {"grader": "zoe", "rubric_score": "eighty"}
    delivery = read(
        {
            "t.csv": text("total_scores", bad, ROWS["total_scores"]),
            "a.csv": text(
                "individual_answers", ROWS["individual_answers"], ROWS["individual_answers"] | {"grader": "zoe"}
            ),
        }
    )
    assert rows_of(delivery, "individual_answers")["grader"].to_list() == ["jo"]


@pytest.mark.parametrize("spelling", ["is_deleted", "isDeleted", "Is Deleted", "IS-DELETED", "deleted"])
def test_the_deletion_flag_however_it_is_spelled(read, spelling):
    delivery = read(text("total_scores", ROWS["total_scores"] | {spelling: "true"}))
    assert (delivery.tables["total_scores"].rows_flagged, delivery.tables["total_scores"].rows_live) == (1, 0)


def test_a_grade_deleted_in_one_file_is_deleted_in_a_file_without_the_flag(read):
    delivery = read(
        {
            "t.csv": text("total_scores", ROWS["total_scores"]),
            "s.csv": text("section_scores", ROWS["section_scores"] | {"is_deleted": "true"}),
        }
    )
    assert {name: (staged.rows_live, staged.rows_flagged) for name, staged in delivery.tables.items()} == {
        "total_scores": (0, 1),
        "section_scores": (0, 1),
    }


def test_lists_of_ids_and_words_for_no_id(read):
    words = ["undefined", "null", "None", "0", "-", "[]", "", "A1", "A1, b c,A1", '["A1", "0","b c"]', "['A1']", "[A1]"]
    rows = [{"group_id": "g", "agent_email": f"{n}@x", "agent_ids": word} for n, word in enumerate(words)]
    groups = read(text("agent_groups", *rows, delimiter=";"), kind="groups")
    assert rows_of(groups, "agent_groups")["agent_ids"].to_list() == [
        *[None] * 7,
        ["A1"],
        ["A1", "b c"],
        ["A1", "b c"],
        ["A1"],
        ["[A1]"],
    ]


@pytest.mark.parametrize("size", [9 << 20, 5 << 20])
def test_a_comment_of_many_megabytes_is_read(read, size):
    one_line = "x" * size
    many_lines = "a line of a long mail\n" * (size // 22)
    rows = [
        ROWS["total_scores"] | {"gradable_id": str(n), "comment": f'"{c}"'}
        for n, c in enumerate([one_line, many_lines])
    ]
    delivery = read(text("total_scores", *rows))
    assert rows_of(delivery, "total_scores")["comment"].to_list() == [one_line, many_lines]
    assert delivery.refusals == []


def test_a_header_of_100_kb_is_read(read):
    wide = ROWS["total_scores"] | {f"custom_field_with_a_long_name_{n}": str(n) for n in range(3000)}
    assert (
        rows_of(read(text("total_scores", wide)), "total_scores")["custom_field_with_a_long_name_2999"].item() == "2999"
    )


@pytest.mark.parametrize(
    ("moment", "reads"),
    [
        ("0001-01-01T00:00:00Z", True),
        ("9999-12-31T23:59:59Z", True),
        ("9999-12-31T23:59:59-05:00", False),
        ("0001-01-01T00:00:00+05:00", False),
        ("0000-01-01T00:00:00Z", False),
    ],
)
def test_moments_of_the_years_1_to_9999_are_read_and_others_are_refused(read, moment, reads):
    rows = [ROWS["total_scores"] | {"gradable_id": str(n), "ticket_created_at": moment} for n in range(3)]
    delivery = read(text("total_scores", *rows))
    assert len(delivery.refusals) == (0 if reads else 3)


def test_ragged_rows_are_bounded_like_other_bad_rows(read, monkeypatch):
    monkeypatch.setattr(reader, "MOST_PROBLEMS", 100)
    monkeypatch.setattr(csv_rows, "ROWS_IN_A_SLOW_BATCH", 10)
    monkeypatch.setattr(reader, "fast_batches", reader.slow_batches)
    lines = text("total_scores", *[ROWS["total_scores"] | {"gradable_id": str(n)} for n in range(500)]).splitlines()
    ragged = "\n".join([lines[0], *(part for line in lines[1:] for part in (line, "1,2"))])
    (refused,) = read(ragged).refused
    assert 100 < refused.rows_refused < 200


@pytest.mark.skipif(sys.platform == "win32", reason="`*` and `?` are not allowed in names there")
@pytest.mark.parametrize("folder", ["QA [prod]", "source=all/agent_id=x", "a*b", "wh?t"])
def test_a_data_folder_may_have_the_characters_of_patterns_and_partitions(tmp_path, folder):
    path = tmp_path / folder / "x.csv"
    path.parent.mkdir(parents=True)
    path.write_text(text("total_scores", ROWS["total_scores"], ROWS["total_scores"]))
    with read_export(path, kind="raw", staging=path.parent / "staging") as delivery:
        assert delivery.tables["total_scores"].rows_live == 1
        (file,) = delivery.tables["total_scores"].files
        assert read_rows(file).select("source", "agent_id").rows() == [("zendesk", "A1")]


@pytest.mark.parametrize("name", ["", "..", "a\0b.csv", "x" * 3000])
def test_a_member_is_known_by_its_columns_whatever_its_name_is(tmp_path, name):
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        info = zipfile.ZipInfo("placeholder")
        info.filename = name
        archive.writestr(info, text("total_scores", ROWS["total_scores"]))
    with read_export(tmp_path / "x.zip", kind="raw", staging=tmp_path / "staging") as delivery:
        assert list(delivery.tables) == ["total_scores"]


def test_a_member_whose_name_is_not_utf8_refuses_the_file(read, tmp_path):
    read({"total_scores.csv": text("total_scores", ROWS["total_scores"])})
    content = (tmp_path / "export").read_bytes()
    odd = bytearray(content.replace(b"total_scores.csv", b"\xff\xfetal_scores.csv"))
    odd[6 + 1] |= 0x08
    odd[odd.index(b"PK\x01\x02") + 9] |= 0x08
    with pytest.raises(UnreadableFile):
        read(bytes(odd))
