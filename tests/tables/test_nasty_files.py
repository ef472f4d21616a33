"""Every quirk of export files, and every one that broke the public connectors. One small file each."""

import zipfile
from datetime import UTC, datetime

import pytest

from maestro_analytics.errors import SchemaMismatch, UnreadableFile
from maestro_analytics.tables import csv_rows
from maestro_analytics.tables.reader import read_export
from maestro_analytics.tables.schemas import CSAT, INDIVIDUAL_ANSWERS, SECTION_SCORES, TOTAL_SCORES
from tests.tables.conftest import rows_of

HEADER = "gradable_id,csat_score,csat_comment,ticket_created_at,source"
GOOD = '1,5,ok,"=""2018-08-13 12:34:56.789""",zendesk'
AT = datetime(2018, 8, 13, 12, 34, 56, 789000, UTC)
ROW = ("1", 5.0, "ok", AT, "zendesk")


def csat(delivery):
    return rows_of(delivery, "csat").rows()


@pytest.mark.parametrize(
    "text",
    [
        f"{HEADER}\n{GOOD}\n",
        f"{HEADER}\n{GOOD}",
        f"\ufeff{HEADER}\n{GOOD}\n",
        f"{HEADER}\r\n{GOOD}\r\n",
        f"\n{HEADER}\n{GOOD}\n",
        f"\ufeff\r\n\r\n{HEADER}\r\n\r\n{GOOD}\r\n\r\n",
        f"{HEADER.upper().replace('_', ' ')}\n{GOOD}\n",
        '"gradable_id","csat_score","csat_comment","ticket_created_at","source"\n' + GOOD,
        f'{HEADER}\n1,5,ok,="2018-08-13 12:34:56.789",zendesk\n',
        f"{HEADER}\n1,5,ok,2018-08-13T12:34:56.789Z,zendesk\n",
        'source,ticket_created_at,csat_comment,gradable_id,csat_score\nzendesk,2018-08-13T12:34:56.789Z,ok,"1",5.0\n',
    ],
    ids=[
        "plain",
        "no-last-newline",
        "bom",
        "crlf",
        "blank-first",
        "all-of-it",
        "spaces",
        "quoted",
        "bare",
        "iso",
        "order",
    ],
)
@pytest.mark.parametrize("pack", [lambda text: text, lambda text: {"x.csv": text}], ids=["csv", "zip"])
def test_the_same_row_however_it_is_written(read, text, pack):
    delivery = read(pack(text))
    assert rows_of(delivery, "csat").select(list(CSAT.file_columns)).rows() == [ROW]
    assert delivery.refusals == []


@pytest.mark.parametrize(
    "comment",
    [
        "commas, and more",
        'a "quote" in it',
        "two\nlines",
        "two\r\nlines",
        "\U0001f600 émoji",
        "'=1+1",
        "'-x",
        " padded ",
        "N/A",
        "",
        "nul\x00byte",
        "From: a@b.c\n\nDear all,\n> quoted\n" * 200,
    ],
)
def test_free_text_comes_through_to_the_letter(read, comment):
    quoted = '"' + comment.replace('"', '""') + '"'
    (row,) = csat(read(f"{HEADER}\n1,5,{quoted},,zendesk\n"))
    assert row == ("1", 5.0, comment, None, "zendesk")


def test_a_comment_longer_than_a_block_of_the_fast_reader(read):
    long = "a whole e-mail, " * 150_000
    delivery = read(f'{HEADER}\n{GOOD}\n2,1,"{long}",,zendesk\n3,,,,\n')
    assert [(row[0], len(row[2])) for row in csat(delivery)] == [("1", 2), ("2", len(long)), ("3", 0)]
    assert delivery.refusals == []


def test_scores_are_floats_whatever_the_name_says(read):
    delivery = read(f"{HEADER}\n1,3.5,,,\n2,,,,\n3,N/A,,,\n4,Unknown,,,\n")
    assert [row[1] for row in csat(delivery)] == [3.5, None, None, None]


@pytest.mark.parametrize(
    ("row", "column", "reason"),
    [
        ("1,nan,,,", "csat_score", "csat_score: NaN is not a finite number"),
        ("1,-inf,,,", "csat_score", "csat_score: -inf is not a finite number"),
        ("1,5,,2018-08-13,", "ticket_created_at", "ticket_created_at: '2018-08-13' is not a moment"),
        (",5,,,", "gradable_id", "gradable_id: is missing, and the row has no identity without it"),
        ("Unknown,5,,,", "gradable_id", "gradable_id: is missing, and the row has no identity without it"),
        ("1,5", None, "2 fields where the header has 5"),
        ("1,5,,,,", None, "6 fields where the header has 5"),
        ('1,"5,,,', None, "a quote is opened and never closed"),
        (
            "N/A,inf,,y,",
            "gradable_id",
            "gradable_id: is missing, and the row has no identity without it; csat_score: inf is not a finite number; "
            "ticket_created_at: 'y' is not a moment",
        ),
    ],
)
def test_a_bad_row_is_kept_aside_with_its_line_and_reason_and_the_others_land(read, row, column, reason):
    delivery = read({"csat.csv": f"{HEADER}\n7,1,,,\n{row}\n8,2,,,\n"})
    (refusal,) = delivery.refusals

    assert (refusal.table_name, refusal.member, refusal.line, refusal.raw) == ("csat", "csat.csv", 3, row)
    assert (refusal.column_name, refusal.reason) == (column, reason)
    assert [row[0] for row in csat(delivery)] == ["7", "8"]
    assert delivery.tables["csat"].rows_read == 3


def test_bytes_that_are_not_utf8_cost_their_row(read):
    delivery = read(f"{HEADER}\n1,5,".encode() + b"caf\xe9" + f",,\n{GOOD}\n".encode())
    assert [row[0] for row in csat(delivery)] == ["1"]
    assert [(refusal.line, refusal.reason) for refusal in delivery.refusals] == [(2, "bytes that are not UTF-8")]


def test_a_quoted_text_in_a_reason_is_cut_and_the_raw_row_is_not(read):
    (refusal,) = read(f"{HEADER}\n1,5,,{'x' * 500},\n").refusals
    assert len(refusal.reason) < 120
    assert "x" * 500 in refusal.raw


@pytest.mark.parametrize("content", [b"", b"\n\n", b"\xef\xbb\xbf"])
def test_a_file_without_a_header_is_not_an_export(read, content):
    """Only an empty `dataUrl` says that there is nothing: bytes that say nothing must not cover a window."""
    with pytest.raises(UnreadableFile, match="has no header, so it is not an export"):
        read(content)


@pytest.mark.parametrize("content", [HEADER.encode(), f"{HEADER}\n".encode(), f"\n{HEADER}\r\n".encode()])
def test_a_file_without_rows_is_no_error(read, content):
    delivery = read(content)
    assert delivery.refused == []
    assert all(staged.rows_read == 0 for staged in delivery.tables.values())


def test_an_empty_zip_is_no_error(read):
    assert read(b"PK\x05\x06" + b"\0" * 18).tables == {}


def test_one_plain_csv_in_place_of_a_zip(read):
    """What `singleFileExport` serves."""
    names = list(TOTAL_SCORES.file_columns)
    row = [
        {"gradable_id": "1", "agent_id": "2", "rubric_id": "3", "grade_type": "grading"}.get(name, "") for name in names
    ]
    delivery = read(f"{','.join(names)}\n{','.join(row)}\n")
    assert rows_of(delivery, "total_scores")["gradable_id"].to_list() == ["1"]


def test_folders_and_paths_that_lead_out_of_the_zip_name_nothing_on_this_disk(read, tmp_path):
    delivery = read(
        {"../../escaped.csv": f"{HEADER}\n{GOOD}\n", "deep/down/notes.txt": "hello", "/root.csv": f"{HEADER}\n2,1,,,\n"}
    )
    assert [row[0] for row in csat(delivery)] == ["1", "2"]
    assert [file.member for file in delivery.refused] == ["deep/down/notes.txt"]
    assert {path.name for path in tmp_path.iterdir()} == {"export", "staging"}


def test_two_files_of_one_table_are_both_read(read):
    delivery = read({"a.csv": f"{HEADER}\n{GOOD}\n", "b.csv": f"{HEADER}\n2,inf,,,\n3,1,,,\n"})
    assert [row[0] for row in csat(delivery)] == ["1", "3"]
    assert [(refusal.member, refusal.line) for refusal in delivery.refusals] == [("b.csv", 2)]


def test_rows_that_contradict_each_other_over_two_files_are_found_in_the_right_one(read):
    delivery = read({"a.csv": f"{HEADER}\n9,1,,,\n1,1,,,\n", "b.csv": f"{HEADER}\n2,2,,,\n1,2,,,\n"})
    assert sorted(row[:2] for row in csat(delivery)) == [("1", 2.0), ("2", 2.0), ("9", 1.0)]
    assert [(refusal.member, refusal.line) for refusal in delivery.refusals] == [("a.csv", 3)]


@pytest.mark.parametrize(
    "content", [b"<html>no</html>", b"\x00\x01\x02", b'{"message": "Forbidden"}', b"a,b,c\n1,2,3\n"]
)
def test_a_file_that_is_not_an_export_is_unreadable(read, content):
    with pytest.raises(UnreadableFile, match="matches no known table"):
        read(content)


def test_a_zip_that_is_cut_off_is_unreadable(read):
    with pytest.raises(UnreadableFile, match="cannot be opened"):
        read(b"PK\x03\x04" + b"\0" * 100)


def test_a_damaged_member_is_refused_and_the_others_are_read(read, tmp_path):
    path = tmp_path / "export"
    read({"a.csv": f"{HEADER}\n{GOOD}\n" * 200, "b.csv": ",".join(SECTION_SCORES.file_columns) + "\n"})
    content = bytearray(path.read_bytes())
    middle = content.index(b"a.csv") + 60
    content[middle : middle + 4] = b"\xff\xff\xff\xff"
    delivery = read(bytes(content))

    assert list(delivery.tables) == ["section_scores"]
    assert ["damaged" in str(file.error) for file in (*delivery.refused, *delivery.unknown)] == [True]


def test_a_zip_bomb_is_not_unpacked(read, tmp_path):
    path = tmp_path / "export"
    read({"a.csv": f"{HEADER}\n{GOOD}\n"})
    content = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        size = archive.infolist()[0].file_size.to_bytes(4, "little")
    with pytest.raises(UnreadableFile, match="claims to unpack"):
        read(content.replace(size, (3_000_000_000).to_bytes(4, "little")))


def test_an_encrypted_member_is_told(read, tmp_path):
    path = tmp_path / "export"
    read({"a.csv": f"{HEADER}\n{GOOD}\n"})
    content = bytearray(path.read_bytes())
    content[content.rindex(b"PK\x01\x02") + 8] |= 1
    with pytest.raises(UnreadableFile, match="encrypted"):
        read(bytes(content))


def test_a_file_that_lacks_an_identity_column_is_refused(read):
    names = [name for name in INDIVIDUAL_ANSWERS.file_columns if name != "question_id"]
    delivery = read({"a.csv": ",".join(names) + "\n", "b.csv": f"{HEADER}\n{GOOD}\n"})
    (refused,) = delivery.refused
    assert isinstance(refused.error, SchemaMismatch)
    assert "lacks question_id" in str(refused.error)
    assert csat(delivery) == [ROW]


def test_the_budget_is_of_the_file_and_not_of_the_export(read):
    bad = f"{HEADER}\n" + "x,inf,,,\n" * 6 + "".join(f"{number},1,,,\n" for number in range(94))
    other = ",".join(SECTION_SCORES.file_columns) + "\n" + ("," * 19 + "\n") * 0
    delivery = read({"csat.csv": bad, "sections.csv": other}, budget=0.01)

    assert list(delivery.tables) == ["section_scores"]
    (refused,) = delivery.refused
    assert refused.rows_refused == 6
    assert refused.error.failures["line"].to_list() == [2, 3, 4, 5, 6, 7]
    assert not list(delivery.staging.iterdir())


def test_memory_and_batches_do_not_show_in_the_rows(read, monkeypatch):
    """Many batches, an unsorted file, a bad row in each batch: order, numbers and lines hold across them."""

    monkeypatch.setattr(csv_rows, "ROWS_IN_A_BATCH", 100)
    monkeypatch.setattr(csv_rows, "BLOCK_BYTES", 1 << 12)
    body = "".join(f'{number},{"inf" if number % 97 == 0 else number},"c\n{number}",,z\n' for number in range(5000))
    delivery = read(f"{HEADER}\n{body}")

    assert len(delivery.tables["csat"].files) > 10
    assert [row[0] for row in csat(delivery)] == [str(number) for number in range(5000) if number % 97]
    assert [(refusal.line, refusal.raw) for refusal in delivery.refusals] == [
        (2 + 2 * number, f'{number},inf,"c\n{number}",,z') for number in range(0, 5000, 97)
    ]


def test_the_same_file_is_read_alike_by_both_readers(read, monkeypatch):
    body = "".join(f'{number},{number % 5},"c, ""{number}""",="2018-08-13 12:34:56",z\n' for number in range(500))
    text = f"{HEADER}\n{body}1,2\n"
    fast = read(text)
    fast_rows, fast_refusals = csat(fast), fast.refusals
    from maestro_analytics.tables import reader

    monkeypatch.setattr(reader, "fast_batches", reader.slow_batches)
    slow = read(text)
    assert (csat(slow), slow.refusals) == (fast_rows, fast_refusals)


def test_reading_an_export_again_needs_no_clean_up(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text(f"{HEADER}\n{GOOD}\n")
    for _ in range(2):
        with read_export(path, kind="raw", staging=tmp_path / "staging") as delivery:
            assert csat(delivery) == [ROW]
        assert not (tmp_path / "staging").exists()
