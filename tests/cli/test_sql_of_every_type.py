"""Every type that SQL can return, in every format: the value, no traceback."""

import io
import json
import sys

import duckdb
import polars as pl
import pytest

from maestro_analytics.cli.output import Format, write
from maestro_analytics.warehouse.connection import configure_session
from maestro_analytics.warehouse.results import frame

LEAST = str(1 - 2**127)

# The name in duckdb_types() -> a value of it in SQL, as it is in JSON, and as text in CSV.
EXAMPLES = {
    "ARRAY": ("[1, 2, 3]::integer[3]", [1, 2, 3], "[1, 2, 3]"),
    "BIGINT": ("9223372036854775807::bigint", 9223372036854775807, "9223372036854775807"),
    "BIGNUM": (
        "123456789012345678901234567890123456789012345::bignum",
        *["123456789012345678901234567890123456789012345"] * 2,
    ),
    "BIT": ("'00101'::bit", "00101", "00101"),
    "BLOB": ("'\\xAA\\x00'::blob", "aa00", "aa00"),
    "BOOLEAN": ("true", True, "true"),
    "DATE": ("date '2026-01-05'", "2026-01-05", "2026-01-05"),
    "DECIMAL": ("1.50::decimal(38,10)", 1.5, "1.5000000000"),
    "DOUBLE": ("0.1::double", 0.1, "0.1"),
    "ENUM": ("'b'::enum('a', 'b')", "b", "b"),
    "FLOAT": ("1.5::float", 1.5, "1.5"),
    "GEOMETRY": ("'POINT(1 2)'::geometry", "POINT (1 2)", "POINT (1 2)"),
    "HUGEINT": ("12345678901234567890::hugeint", 12345678901234567890, "12345678901234567890"),
    "INTEGER": ("-1::integer", -1, "-1"),
    "INTERVAL": ("interval '1 day 2 hours'", 93600.0, "93600.0"),
    "LIST": ("['007', null]", ["007", None], '["007", null]'),
    "MAP": ("map {'a': 1}", {"a": 1}, '{"a": 1}'),
    "NULL": ("null", None, None),
    "SMALLINT": ("-1::smallint", -1, "-1"),
    "STRUCT": ("{'a': {'b c': [1, null]}}", {"a": {"b c": [1, None]}}, '{"a": {"b c": [1, null]}}'),
    "TIME": ("time '09:30:00.5'", "09:30:00.500000", "09:30:00.500000000"),
    "TIME WITH TIME ZONE": ("'09:30:00+02'::timetz", "09:30:00+02", "09:30:00+02"),
    "TIMESTAMP": ("timestamp '2026-01-05 09:30:00'", "2026-01-05T09:30:00", "2026-01-05T09:30:00Z"),
    "TIMESTAMP WITH TIME ZONE": (
        "timestamptz '2026-01-05 09:30:00+02'",
        "2026-01-05T07:30:00+00:00",
        "2026-01-05T07:30:00Z",
    ),
    "TIMESTAMPTZ_NS": (
        "'2026-01-05 09:30:00.123456789+00'::timestamptz_ns",
        "2026-01-05T09:30:00.123456789+00:00",
        "2026-01-05T09:30:00.123456789Z",
    ),
    "TIMESTAMP_MS": ("'2026-01-05 09:30'::timestamp_ms", "2026-01-05T09:30:00", "2026-01-05T09:30:00Z"),
    "TIMESTAMP_NS": (
        "'2026-01-05 09:30:00.123456789'::timestamp_ns",
        "2026-01-05T09:30:00.123456789",
        "2026-01-05T09:30:00.123456789Z",
    ),
    "TIMESTAMP_S": ("'2026-01-05 09:30'::timestamp_s", "2026-01-05T09:30:00", "2026-01-05T09:30:00Z"),
    "TIME_NS": ("'09:30:00.123456789'::time_ns", "09:30:00.123456789", "09:30:00.123456789"),
    "TINYINT": ("-1::tinyint", -1, "-1"),
    "TUPLE": ("row(1, 'a')", {"element1": 1, "element2": "a"}, '{"element1": 1, "element2": "a"}'),
    "TYPE": ("get_type(1)", "INTEGER", "INTEGER"),
    "UBIGINT": ("18446744073709551615::ubigint", 18446744073709551615, "18446744073709551615"),
    "UHUGEINT": ("340282366920938463463374607431768211455::uhugeint", *["340282366920938463463374607431768211455"] * 2),
    "UINTEGER": ("1::uinteger", 1, "1"),
    "UNION": ("union_value(n := 1)", "1", "1"),
    "USMALLINT": ("1::usmallint", 1, "1"),
    "UTINYINT": ("1::utinyint", 1, "1"),
    "UUID": ("'889543b6-d68c-4487-b31e-64de949c1db8'::uuid", *["889543b6-d68c-4487-b31e-64de949c1db8"] * 2),
    "VARCHAR": ("'0072999'", "0072999", "0072999"),
    "VARIANT": ("{'a': 1}::variant", "{'a': 1}", "{'a': 1}"),
}

# Values that polars or Python does not have, and types inside other types.
ODD = {
    "infinite date": ("date 'infinity'", "infinity", "infinity"),
    "infinite moment": ("timestamptz '-infinity'", "-infinity", "-infinity"),
    "infinite plain moment": ("timestamp 'infinity'", "infinity", "infinity"),
    "infinite moment in seconds": ("'-infinity'::timestamp_s", "-infinity", "-infinity"),
    "infinite moment in nanoseconds": ("'infinity'::timestamp_ns", "infinity", "infinity"),
    "date before Christ": ("'0044-03-15 (BC)'::date", "0044-03-15 (BC)", "0044-03-15 (BC)"),
    "date beyond Python's": ("date '290000-01-01'", "290000-01-01", "290000-01-01"),
    "midnight at the end": ("time '24:00:00'", "24:00:00", "24:00:00"),
    "integer of 39 digits": (f"{LEAST}::hugeint", LEAST, LEAST),
    "sum of integers": ("(select sum(range) from range(10))", 45, "45"),
    "decimal of 20 digits": ("12.34567890123456789012::decimal(38,20)", *["12.34567890123456789012"] * 2),
    "interval with months": ("interval '1 month 2 days'", "1 month 2 days", "1 month 2 days"),
    "interval of 200,000 years": ("interval '200000 years'", "200000 years", "200000 years"),
    "not a number": ("'nan'::double", None, "NaN"),
    "list of intervals": ("[interval '1 day']", ["1 day"], '["1 day"]'),
    "list with an infinite date": ("[date 'infinity', null]", ["infinity", None], '["infinity", null]'),
    "structure with a union": ("{'u': union_value(n := 1), 'n': null}", {"u": "1", "n": None}, '{"u": "1", "n": null}'),
    "map with a structure as key": ("map {{'a': 1}: [1]}", {"{'a': 1}": [1]}, '{"{\'a\': 1}": [1]}'),
    "map with an infinite key": ("map {date 'infinity': 1}", {"infinity": 1}, '{"infinity": 1}'),
    "empty list": ("[]", [], "[]"),
    "no list": ("null::integer[]", None, None),
    "a structure without fields": ("{'a': {}}", {"a": "{}"}, '{"a": "{}"}'),
    "nanoseconds in a list": ("['09:30:00.123456789'::time_ns]", ["09:30:00.123456789"], '["09:30:00.123456789"]'),
}  # fmt: skip

ALL = [*EXAMPLES.items(), *ODD.items()]


@pytest.fixture(scope="module")
def connection():
    with configure_session(duckdb.connect()) as opened:
        yield opened


def test_every_type_of_duckdb_has_an_example(connection):
    types = connection.execute("select distinct logical_type from duckdb_types()").fetchall()
    assert {name for (name,) in types} == set(EXAMPLES)


@pytest.mark.parametrize(("value", "in_json", "in_csv"), [each for _, each in ALL], ids=[name for name, _ in ALL])
def test_a_value_is_the_same_in_every_format(value, in_json, in_csv, connection, capsys, monkeypatch, tmp_path):
    answer = frame(connection, f"select {value} as v, 7 as n")

    write(answer, Format.JSON)
    assert json.loads(capsys.readouterr().out) == [{"v": in_json, "n": 7}]
    write(answer, Format.CSV)
    assert pl.read_csv(io.StringIO(capsys.readouterr().out), infer_schema=False).row(0) == (in_csv, "7")
    write(answer, Format.TABLE)
    assert "7" in capsys.readouterr().out
    buffer = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(buffer))
    write(answer, Format.PARQUET)
    (tmp_path / "answer.parquet").write_bytes(buffer.getvalue())
    again = frame(connection, f"from '{tmp_path / 'answer.parquet'}'")
    assert again["n"].to_list() == [7]
    if answer["v"].dtype != pl.Duration:  # Parquet has no durations: polars writes a count of microseconds.
        assert str(again["v"].to_list()) == str(answer["v"].to_list())


def test_columns_of_one_name_are_numbered(connection):
    assert frame(connection, "select 1 as a, interval 1 day as a, 3 as a_1").columns == ["a", "a_1", "a_1_1"]


def test_a_query_runs_once_also_where_its_values_need_another_type(connection):
    connection.execute("create or replace temp sequence numbers")
    answer = frame(connection, "select nextval('numbers') as n, date 'infinity' as day, interval 1 month as span")
    assert answer.rows() == [(1, "infinity", "1 month")]
    assert connection.execute("select currval('numbers')").fetchall() == [(1,)]


def test_no_rows_keep_their_types(connection):
    answer = frame(connection, "select interval 1 day as span, date 'infinity' as day, [1::bit] as bits where false")
    assert answer.schema == {"span": pl.Duration("us"), "day": pl.Date, "bits": pl.List(pl.String)}


def test_no_control_character_inside_a_list_or_a_column_name_reaches_the_terminal(connection, capsys):
    write(frame(connection, """select ['\x1b[31mred'] as ids, 'a' as "b\x1b[2J" """), Format.TABLE)
    assert "\x1b" not in capsys.readouterr().out
