"""Two readers of the same bytes: the fast one, and the one that knows lines. They must agree."""

import io
from contextlib import closing

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from maestro_analytics.tables import csv_rows
from maestro_analytics.tables.archive import Member
from maestro_analytics.tables.csv_rows import (
    NEVER_CLOSED,
    NeedsSlowReading,
    RowCount,
    ends_inside_quotes,
    fast_batches,
    read_records,
)
from maestro_analytics.tables.headers import Header
from tests.tables.conftest import rows_of

HEADER = Header(("a", "b", "c"), 6, 1)


def member(body: bytes) -> Member:
    content = b"a,b,c\n" + body
    return Member("x.csv", len(content), lambda: io.BytesIO(content))


def slow(body: bytes):
    with closing(read_records(member(body).open(), width=3, skip_lines=1)) as found:
        return list(found)


def fast(body: bytes):
    count = RowCount()
    rows = []
    for batch in fast_batches(member(body), HEADER, HEADER.names, count):
        rows += zip(*(column.to_pylist() for column in batch.text.columns), strict=True)
    return rows, count.ragged


fields = st.text(alphabet=st.sampled_from(['"', ",", "\n", "\r", "a", "=", " ", "é", "\U0001f600", "'"]), max_size=6)
pieces = st.lists(st.sampled_from(['"', ",", "\n", "\r\n", "\r", "a", '""', "=", ",,", "é", " "]), max_size=30)


@given(pieces.map("".join))
@example('"a\n')
@example('a,b,"c\nd\n')
@example('x,="y",5"\n')
@example('"ab"cd,1,2\n')
@example("\n\n")
@example(" \n")
@example(',,"')
@example(',,"x""')
def test_what_the_fast_reader_accepts_the_slow_reader_reads_alike(text):
    """Any bytes at all: either the fast reader says that it cannot tell, or both find the same rows."""
    body = text.encode()
    try:
        rows, ragged = fast(body)
    except NeedsSlowReading:
        return
    found = slow(body)
    assert [tuple(record.fields) for record in found if record.fault is None] == rows
    assert len([record for record in found if record.fault is not None]) == ragged


@given(st.lists(st.lists(fields, min_size=3, max_size=3), max_size=6), st.sampled_from(["\n", "\r\n"]))
def test_quoted_rows_come_back_as_they_were_written(rows, line_end):
    text = "".join(",".join('"' + field.replace('"', '""') + '"' for field in row) + line_end for row in rows)
    found = slow(text.encode())

    assert [record.fields for record in found] == rows
    assert [record.fault for record in found] == [None] * len(rows)
    lines = text.splitlines(keepends=True) if not any(c in text for c in "\r") else None
    if lines is not None:
        assert [text.split("\n")[record.line - 2][:1] for record in found] == ['"'] * len(rows)


@given(pieces.map("".join))
def test_nothing_is_lost_between_the_records(text):
    """Raw texts, put together, are the file but for line ends."""
    raw = "".join(record.raw for record in slow(text.encode()))
    assert raw.replace("\r", "").replace("\n", "") == text.replace("\r", "").replace("\n", "")


def test_lines_are_counted_over_values_of_several_lines():
    found = slow(b'1,"two\nlines",3\r\n\n4,5\n6,7,8\n')
    assert [(record.line, record.fault is None, record.raw) for record in found] == [
        (2, True, '1,"two\nlines",3'),
        (5, False, "4,5"),
        (6, True, "6,7,8"),
    ]


@pytest.mark.parametrize("tail", [b"", b"\n"])
def test_a_quote_that_is_never_closed_costs_its_own_line_alone(tail):
    found = slow(b'1,2,3\n4,"5,6\n7,8,9\n10,11,12' + tail)
    assert [(record.line, record.fields if record.fault is None else record.fault) for record in found] == [
        (2, ["1", "2", "3"]),
        (3, NEVER_CLOSED),
        (4, ["7", "8", "9"]),
        (5, ["10", "11", "12"]),
    ]


def test_a_quote_that_closes_in_a_later_row_costs_its_own_line_alone():
    found = slow(b'1,"2,3\n4,5,6\n7,8,9\n"x",11,12\n13,14,15\n')
    assert [record.raw for record in found if record.fault is None] == ["4,5,6", "7,8,9", '"x",11,12', "13,14,15"]
    assert [record.raw for record in found if record.fault is not None] == ['1,"2,3']


def test_a_row_of_the_wrong_width_with_a_long_comment_is_one_row():
    found = slow(b'1,"a comment\nof three lines\nand more",3,4\n5,6,7\n')
    assert [(record.line, record.fault is None) for record in found] == [(2, False), (5, True)]


def test_a_record_beyond_all_bounds_is_not_read_into_memory(monkeypatch):
    monkeypatch.setattr(csv_rows, "RECORD_BOUND", 1000)
    found = slow(b'1,"2,3\n' + b"4,5,6\n" * 1000)
    assert [record.fault is None for record in found] == [False] + [True] * 1000


def test_bytes_that_are_not_utf8_cost_their_own_row_alone():
    found = slow(b"1,\xff\xfe,3\n4,\xc3\xa9,6\n")
    assert [(record.raw, record.fault) for record in found] == [
        ("1,\\xff\\xfe,3", "bytes that are not UTF-8"),
        ("4,é,6", None),
    ]


@pytest.mark.parametrize(
    ("text", "open_"),
    [('"', True), ('""', False), ('a"b', False), ('a,"b', True), ('"a""', True), ('"a"b"c', False), ('"a"\n,"', True)],
)
def test_whether_a_quote_is_open(text, open_):
    assert ends_inside_quotes(text) is open_


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), block=st.integers(64, 300))
def test_free_text_is_kept_to_the_letter_wherever_a_block_ends(read, monkeypatch, data, block):
    """pyarrow loses the LF of a CR LF that lies across two blocks; every position of the boundary is tried."""
    monkeypatch.setattr(csv_rows, "BLOCK_BYTES", block)
    line_ends = st.sampled_from(["\r\n", "\n", "\r", "\r\r\n", "x", "y" * 7])
    end = data.draw(st.sampled_from(["\n", "\r\n"]))
    comments = data.draw(st.lists(st.lists(line_ends, max_size=9).map("".join), min_size=1, max_size=60))
    rows = [f'{number},"{comment}",' for number, comment in enumerate(comments)]
    delivery = read(end.join(["gradable_id,csat_comment,csat_score", *rows, ""]))
    staged = rows_of(delivery, "csat").select("gradable_id", "csat_comment").rows()
    assert staged == [(str(number), comment) for number, comment in enumerate(comments)]


def test_a_carriage_return_at_the_end_of_a_block_of_the_real_size_keeps_its_line_feed(read):
    """Header, 1,023 rows of 1,024 bytes, then a comment whose CR is the last byte of the first block of 1 MiB."""
    header = "gradable_id,csat_score,csat_comment\n"
    rows = [f"{number:04d},1," + "x" * (1024 - 8) + "\n" for number in range(1023)]
    start = 'last,1,"'
    pad = (1 << 20) - 1 - sum(map(len, rows)) - len(start)
    comment = "y" * pad + "\r\n" + "regards"
    delivery = read(header + "".join(rows) + f'{start}{comment}"\n')
    assert rows_of(delivery, "csat")["csat_comment"][-1] == comment
