"""Metrics files as people make them: every value of a CSV is text, every line is accounted for."""

import polars as pl
import pytest

from maestro_analytics.errors import InvalidArgument
from maestro_analytics.push.validate import read_metrics_file


def read(tmp_path, content):
    path = tmp_path / "metrics.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_metrics_file(path)


def test_nothing_of_a_csv_is_inferred(tmp_path):
    frame, ragged = read(tmp_path, "agent_id,metric_id,metric_value\n00123,1e5,1\n12345678901234567890,true,\n")
    assert frame.rows() == [("00123", "1e5", "1"), ("12345678901234567890", "true", None)]
    assert ragged == []


def test_a_byte_order_mark_crlf_blank_lines_and_quoted_commas_are_nothing_special(tmp_path):
    frame, _ = read(tmp_path, b'\xef\xbb\xbf\r\nagent_id, metric_id\r\n"Doe, Ann",m\r\n\r\n')
    assert frame.rows(named=True) == [{"agent_id": "Doe, Ann", "metric_id": "m"}]


def test_a_line_with_too_many_or_too_few_fields_is_reported_and_the_others_are_read(tmp_path):
    frame, ragged = read(tmp_path, "agent_id,metric_id\na,m\nb\nc,m,extra\nd,m\n")
    assert frame["agent_id"].to_list() == ["a", "d"]
    assert [(line["agent_id"], line["reason"]) for line in ragged] == [
        ("b", "line 3: 1 fields, the header has 2"),
        ("c", "line 4: 3 fields, the header has 2"),
    ]


def test_parquet_is_known_by_its_first_bytes_and_keeps_its_types(tmp_path):
    frame = pl.DataFrame({"agent_id": ["007"], "metric_value": [1.5]})
    frame.write_parquet(tmp_path / "metrics.csv")
    assert read_metrics_file(tmp_path / "metrics.csv")[0].equals(frame)


def test_a_file_name_is_no_pattern_for_others(tmp_path):
    frame = pl.DataFrame({"agent_id": ["1"]})
    frame.write_parquet(tmp_path / "metrics*.parquet")
    frame.write_parquet(tmp_path / "metrics of june.parquet")
    assert read_metrics_file(tmp_path / "metrics*.parquet")[0].equals(frame)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"\n\n", "is empty"),
        (b"agent_id,agent_id\na,b\n", "names a column twice"),
        (b"PAR1 and no more", "cannot be read as Parquet"),
        (b"agent_id\n\xff\xfe\n", "neither Parquet nor text in UTF-8"),
        (b'agent_id\n"unfinished\n', "cannot be read as CSV"),
    ],
)
def test_a_file_that_is_neither_is_refused_with_a_reason(tmp_path, content, words):
    with pytest.raises(InvalidArgument, match=words):
        read(tmp_path, content)


def test_a_missing_file_is_said_to_be_missing(tmp_path):
    with pytest.raises(InvalidArgument, match="No such file"):
        read_metrics_file(tmp_path / "absent.csv")
