"""What the text of each kind of column means."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maestro_analytics.tables.casting import NULL_WORDS, moment, typed
from maestro_analytics.tables.columns import Role

MOMENT = datetime(2018, 8, 13, 12, 34, 56, tzinfo=UTC)


def values(role, *texts):
    """(values, which were unreadable)."""
    read = typed(pa.table({"x": pa.array(texts, pa.string())}), {"x": role})
    failed = read.unreadable.get("x", pl.Series([False] * len(texts)))
    return read.frame["x"].to_list(), failed.to_list()


def moments(*texts):
    return moment(pa.chunked_array([pa.array(texts, pa.string())])).to_list()


@pytest.mark.parametrize(
    ("text", "microseconds"),
    [
        ('="2018-08-13 12:34:56"', 0),
        ('="2018-08-13 12:34:56.789"', 789000),
        ('="2018-08-13 12:34:56.7"', 700000),
        ('="2018-08-13 12:34:56.123456789"', 123456),
        ("2018-08-13T12:34:56Z", 0),
        ("2018-08-13T12:34:56.789Z", 789000),
        ("2018-08-13T14:34:56+02:00", 0),
        ("2018-08-13T10:04:56-0230", 0),
    ],
)
def test_a_moment_is_utc_in_every_form(text, microseconds):
    expected = MOMENT + timedelta(microseconds=microseconds)
    assert moments(text) == [expected]
    assert moments(text, "Unknown", '="2018-08-13 12:34:56"', "2018-08-13T12:34:56.000Z")[0] == expected


@pytest.mark.parametrize(
    "text",
    [
        "2018-08-13",
        '="2018-08-13"',
        '="2018-08-13 12:34"',
        '="2018-08-13 12:34:56',
        '"2018-08-13 12:34:56"',
        '="2018-02-30 00:00:00"',
        '="2018-08-13 24:00:00"',
        '="2018-08-13 12:60:00"',
        '="2018- 8-13 12:34:56"',
        '="2018-08-13 12:34:56Z"',
        "13.08.2018 12:34:56",
        "1534163696",
        "yesterday",
        "n/a",
        " ",
    ],
)
def test_any_other_text_is_reported_as_unreadable(text):
    assert values(Role.MOMENT, text, "2018-08-13T12:34:56Z") == ([None, MOMENT], [True, False])
    assert values(Role.MOMENT, text) == ([None], [True])


utc_moments = st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1)).map(lambda naive: naive.replace(tzinfo=UTC))
spellings = st.sampled_from(
    [
        lambda at: f'="{at:%Y-%m-%d %H:%M:%S}.{at.microsecond:06d}"',
        lambda at: f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond:06d}Z",
        lambda at: f'="{at:%Y-%m-%d %H:%M:%S}.{at.microsecond:06d}000"',
    ]
)


@given(st.lists(st.tuples(utc_moments, spellings), min_size=1, max_size=20), st.lists(st.sampled_from(NULL_WORDS)))
def test_moments_come_back_as_they_were_written(written, nulls):
    texts = [spell(at) for at, spell in written] + nulls
    assert moments(*texts) == [at for at, _ in written] + [None] * len(nulls)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_come_back_as_they_were_written(number):
    assert values(Role.NUMBER, repr(number)) == ([number], [False])


@pytest.mark.parametrize(
    ("role", "text", "value"),
    [
        (Role.NUMBER, "87.5", 87.5),
        (Role.NUMBER, "100", 100.0),
        (Role.NUMBER, "-3.5", -3.5),
        (Role.NUMBER, "0", 0.0),
        (Role.SECONDS, "300", 300.0),
        (Role.SECONDS, "0.5", 0.5),
        (Role.SECONDS, "01:02:03", 3723.0),
        (Role.SECONDS, "100:00:01.5", 360001.5),
        (Role.FLAG, "True", True),
        (Role.FLAG, "FALSE", False),
        (Role.FLAG, "1", True),
        (Role.FLAG, "0", False),
        (Role.ID_LIST, "72999, 0542897,72999,", ["72999", "0542897"]),
        (Role.LABEL, "0870", "0870"),
        (Role.LABEL, " padded ", " padded "),
        (Role.LABEL, "unknown", "unknown"),
        (Role.FREE_TEXT, "'=1+1", "'=1+1"),
        (Role.FREE_TEXT, "", ""),
        (Role.FREE_TEXT, "N/A", "N/A"),
        (Role.FREE_TEXT, "Unknown", "Unknown"),
    ],
)
def test_a_text_means_what_its_role_says(role, text, value):
    assert values(role, text, text) == ([value, value], [False, False])


@pytest.mark.parametrize("word", NULL_WORDS)
@pytest.mark.parametrize("role", [role for role in Role if role is not Role.FREE_TEXT])
def test_the_null_words_are_null_and_no_failure(role, word):
    assert values(role, word, word) == ([None, None], [False, False])


@pytest.mark.parametrize(
    ("role", "text"),
    [
        (Role.NUMBER, "n/a"),
        (Role.NUMBER, "null"),
        (Role.NUMBER, "75 %"),
        (Role.NUMBER, "1,5"),
        (Role.NUMBER, "1_000"),
        (Role.NUMBER, "0x10"),
        (Role.NUMBER, " "),
        (Role.SECONDS, "5 min"),
        (Role.SECONDS, "1:2:3"),
        (Role.SECONDS, "00:61:00"),
        (Role.FLAG, "yes"),
        (Role.FLAG, "2"),
    ],
)
def test_any_other_text_is_a_failure(role, text):
    assert values(role, text, "1") == ([None, values(role, "1")[0][0]], [True, False])
