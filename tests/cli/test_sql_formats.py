"""`sql` prints whatever DuckDB can say, in every format, and no text of the vendor steers the terminal."""

import io
import json
import sys
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import polars as pl
import pytest

from maestro_analytics.cli.query import Format, write
from maestro_analytics.errors import DiskFault

FRAME = pl.DataFrame(
    {
        "moment": [datetime(2026, 1, 31, 9, 30, tzinfo=UTC)],
        "day": [date(2026, 1, 31)],
        "span": [timedelta(hours=26)],
        "ids": [["007", "8"]],
        "pair": [{"a": 1, "b": None}],
        "bytes": [b"\xaa"],
        "exact": [Decimal("1.50")],
        "none": [float("nan")],
        "text": ['a \x1b[31mred\x1b[0m, "quoted"\nname'],
    }
)


def test_json_holds_every_value(capsys):
    write(FRAME, Format.JSON)
    assert json.loads(capsys.readouterr().out) == [
        {
            "moment": "2026-01-31T09:30:00+00:00",
            "day": "2026-01-31",
            "span": 93600.0,
            "ids": ["007", "8"],
            "pair": {"a": 1, "b": None},
            "bytes": "aa",
            "exact": 1.5,
            "none": None,
            "text": FRAME["text"].item(),
        }
    ]


def test_csv_holds_lists_and_structures_as_json_and_the_text_to_the_letter(capsys):
    write(FRAME, Format.CSV)
    read = pl.read_csv(io.StringIO(capsys.readouterr().out), infer_schema=False)
    assert read.row(0, named=True) == {
        "moment": "2026-01-31T09:30:00Z",
        "day": "2026-01-31",
        "span": "93600.0",
        "ids": '["007", "8"]',
        "pair": '{"a": 1, "b": null}',
        "bytes": "aa",
        "exact": "1.50",
        "none": "NaN",
        "text": FRAME["text"].item(),
    }


def test_a_table_shows_no_control_character(capsys):
    write(FRAME.select("text"), Format.TABLE)
    shown = capsys.readouterr().out
    assert "\x1b" not in shown
    assert "red" in shown


def test_a_table_has_the_first_rows_and_says_so_and_one_line_a_row_where_no_terminal_wraps_it(capsys):
    write(pl.DataFrame({"number": range(201), "text": ["a  b\n" + "c" * 60] * 201}), Format.TABLE)
    printed = capsys.readouterr()
    lines = printed.out.splitlines()
    assert lines[:4] == ["number  text", "──────  " + "─" * 60, f"     0  a b {'c' * 55}…", f"     1  a b {'c' * 55}…"]
    assert (len(lines), printed.err) == (202, "the first 200 rows; --format csv writes all\n")


def test_a_plan_is_printed_in_its_lines_and_none_is_cut(capsys):
    plan = "┌─────┐\n│ x\x1b[31m │\n" + "─" * 100 + "\n"
    write(pl.DataFrame({"explain_key": ["physical_plan"], "explain_value": [plan]}), Format.TABLE)
    assert capsys.readouterr().out == plan.replace("\x1b", "\ufffd")


def test_parquet_is_the_frame_itself(capfdbinary, monkeypatch):
    buffer = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(buffer))
    write(FRAME.drop("exact"), Format.PARQUET)
    assert pl.read_parquet(io.BytesIO(buffer.getvalue())).equals(FRAME.drop("exact"), null_equal=True)


@pytest.mark.parametrize("form", [Format.TABLE, Format.CSV, Format.JSON])
def test_a_query_without_rows_is_not_an_error(capsys, form):
    write(FRAME.clear(), form)
    assert capsys.readouterr().out


@pytest.mark.skipif(sys.platform == "win32", reason="needs RLIMIT_FSIZE")
def test_a_full_disk_is_told_with_the_file_of_which_the_earlier_one_stays(tmp_path):
    import resource

    file = tmp_path / "grades.csv"
    file.write_text("earlier")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))
    try:
        with pytest.raises(DiskFault, match=r"grades.csv cannot be written: File too large"):
            write(pl.DataFrame({"number": range(10_000)}), Format.CSV, output=file)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("grades.csv", "earlier")]
