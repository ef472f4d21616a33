"""Excel workbooks hold typed cells and no formulas; CSV for spreadsheets has a byte order mark and no formulas."""

import csv
import io
import zipfile
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from xml.etree.ElementTree import fromstring as parsed

import polars as pl
import pytest

from maestro_analytics.cli import spreadsheet
from maestro_analytics.cli.spreadsheet import MOST_CHARACTERS, workbook
from maestro_analytics.errors import InvalidArgument
from tests.cli.conftest import FORMULA

MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


def sheets_of(content):
    """Sheet name -> its rows of (type, text) cells, read from the XML as any reader has it."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        names = [each.get("name") for each in parsed(archive.read("xl/workbook.xml")).iter(f"{MAIN}sheet")]
        found = {}
        for number, name in enumerate(names, 1):
            root = parsed(archive.read(f"xl/worksheets/sheet{number}.xml"))
            assert not list(root.iter(f"{MAIN}f")), f"{name} holds a formula"
            assert not list(root.iter(f"{MAIN}hyperlink")), f"{name} holds a link"
            found[name] = [cells_of(row) for row in root.iter(f"{MAIN}row")]
    return found


def cells_of(row):
    """The cells of a row; None for an empty one, which the file leaves out."""
    cells = {cell.get("r").rstrip("0123456789"): cell_of(cell) for cell in row}
    letters = [chr(code) for code in range(ord("A"), ord("Z") + 1)]
    return [cells.get(letter) for letter in letters[: letters.index(max(cells)) + 1]]


def cell_of(cell):
    text = "".join(each.text or "" for each in cell.iter() if each.tag in (f"{MAIN}t", f"{MAIN}v"))
    return {"inlineStr": "text", "b": "boolean", None: "number"}[cell.get("t")], text


def test_a_workbook_holds_texts_as_texts_and_numbers_as_numbers():
    frame = pl.DataFrame(
        {
            "id": ["0072999"],
            "link": ["https://example.com"],
            "formula": [FORMULA],
            "marked up": ["<r><t>x</t></r>"],
            "n": [7],
            "share": [0.25],
            "long": [12345678901234567],
            "exact": [Decimal("1.50")],
            "ok": [True],
            "moment": [datetime(2026, 1, 31, 12, tzinfo=UTC)],
            "day": [date(2026, 1, 31)],
            "ancient": [date(1850, 1, 1)],
            "span": [timedelta(hours=26)],
            "ids": [["007", None]],
            "none": pl.Series([None], dtype=pl.String),
            "odd": [float("nan")],
            "cut": ["ä" * 40_000],
        }
    )
    rows = sheets_of(workbook({"result": frame}, for_what="`sql`"))["result"]
    assert rows[0] == [("text", name) for name in frame.columns]
    assert dict(zip(frame.columns, rows[1], strict=True)) == {
        "id": ("text", "0072999"),
        "link": ("text", "https://example.com"),
        "formula": ("text", FORMULA),
        "marked up": ("text", "<r><t>x</t></r> "),
        "n": ("number", "7"),
        "share": ("number", "0.25"),
        "long": ("text", "12345678901234567"),
        "exact": ("number", "1.5"),
        "ok": ("boolean", "1"),
        "moment": ("number", "46053.5"),
        "day": ("number", "46053"),
        "ancient": ("text", "1850-01-01"),
        "span": ("number", "93600"),
        "ids": ("text", '["007", null]'),
        "none": None,
        "odd": ("text", "nan"),
        "cut": ("text", "ä" * MOST_CHARACTERS),
    }


def test_sheets_get_names_that_excel_allows():
    frames = dict.fromkeys(["a/b", "A?B", "x" * 40, ""], pl.DataFrame({"n": [1]}))
    assert list(sheets_of(workbook(frames, notes=[("a", "b")], for_what="`sql`"))) == [
        "About",
        "a b",
        "A B 2",
        "x" * 31,
        "sheet",
    ]


def test_more_rows_than_a_sheet_has_are_refused_in_one_line(monkeypatch):
    monkeypatch.setattr(spreadsheet, "MOST_ROWS", 2)
    with pytest.raises(InvalidArgument, match="result has 3 rows, and a sheet of Excel has 2: use csv or parquet"):
        workbook({"result": pl.DataFrame({"n": [1, 2, 3]})}, for_what="`sql`")


def test_sql_writes_a_workbook(run, tmp_path):
    done = run(
        "sql",
        "select gradable_id, agent_name, rubric_score, date_reported_as from total_scores order by all",
        "--output",
        "grades.xlsx",
        cwd=tmp_path,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"wrote grades.xlsx\n")
    rows = sheets_of((tmp_path / "grades.xlsx").read_bytes())["result"]
    assert len(rows) == 121
    assert rows[1] == [("text", "000"), ("text", "Ann"), ("number", "60"), ("number", "46023.41666666666")]
    piped = run("sql", "select '=1' as a", "--format", "xlsx")
    assert sheets_of(piped.stdout)["result"] == [[("text", "a")], [("text", "=1")]]


def test_a_report_is_a_workbook_with_a_sheet_for_each_table(run, tmp_path):
    done = run("report", "agents", "--output", "report.xlsx", cwd=tmp_path)
    assert (done.returncode, done.stderr[-18:]) == (0, b"wrote report.xlsx\n"), done.stderr
    sheets = sheets_of((tmp_path / "report.xlsx").read_bytes())
    assert list(sheets) == ["About", "agent_ranking", "team_scores", "control_chart"]
    assert ("text", "agent_ranking") in [row[0] for row in sheets["About"]]
    heading = [text for _, text in sheets["agent_ranking"][0]]
    assert {"agent_name", "n", "mean", "lo", "hi", "reliable", "reason"} <= set(heading)
    assert ("text", "=1+1") in [row[heading.index("agent_name")] for row in sheets["agent_ranking"]]


def test_csv_for_spreadsheets_has_a_byte_order_mark_and_no_cell_that_starts_a_formula(run, tmp_path):
    query = "select agent_name, comment, rubric_score - 100 as below, 'x' as \"=name\" "
    query += "from total_scores order by gradable_id"
    plain = run("sql", query, "--format", "csv").stdout
    guarded = run("sql", query, "--format", "csv", "--spreadsheet").stdout

    assert guarded.startswith(b"\xef\xbb\xbf")
    read, wanted = (list(csv.reader(io.StringIO(text.decode("utf-8-sig")))) for text in (guarded, plain))
    assert read[0] == ["agent_name", "comment", "below", "'=name"]
    assert read[1] == ["Ann", f"'{FORMULA}", "-40.0", "x"]
    assert [[cell.removeprefix("'") for cell in row] for row in read] == wanted
    assert "'=1+1" in {row[0] for row in read}
    assert "'@Bob" in {row[0] for row in read}
    folder = run("report", "agents", "--format", "csv", "--spreadsheet", "--output", "out", cwd=tmp_path)
    assert folder.returncode == 0, folder.stderr
    text = (tmp_path / "out" / "agent_ranking.csv").read_text(encoding="utf-8")
    assert text.startswith("\ufeff")
    assert "'=1+1" in text


def test_wrong_combinations_are_one_line(run, tmp_path):
    for words, message in (
        (("sql", "select 1", "--spreadsheet"), "--spreadsheet is for --format csv"),
        (("sql", "select 1", "--output", "out.docx"), "say which --format it has: table, csv, json, parquet, xlsx"),
        (("sql", "select 1", "--format", "csv", "--output", str(tmp_path)), "is a folder"),
        (("report", "--format", "json", "--spreadsheet"), "--spreadsheet is for --format csv"),
    ):
        done = run(*words)
        assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (2, b"", 1), done.stderr
        assert message in done.stderr.decode()
