"""The one way from SQL to polars, for what polars cannot read by itself."""

import os
import subprocess
import sys
from datetime import time, timedelta

import duckdb
import polars as pl
import pytest

from maestro_analytics.errors import UnreadableFile
from maestro_analytics.warehouse import open as open_published
from maestro_analytics.warehouse.results import frame
from tests.warehouse.data_folder import TOTAL


@pytest.fixture
def connection():
    opened = duckdb.connect()
    yield opened
    opened.close()


def test_the_time_between_two_moments_is_a_duration(connection):
    """DuckDB's difference of two moments is an interval of months, days and time."""
    found = frame(
        connection,
        "select timestamptz '2026-01-03T10:00:00Z' - timestamptz '2026-01-01T09:00:00Z' as waited, 7 as n "
        "union all select null, 8",
    )
    assert found.rows() == [(timedelta(days=2, hours=1), 7), (None, 8)]


def test_no_rows_keep_the_type(connection):
    assert frame(connection, "select interval 1 day as span where false").schema == {"span": pl.Duration("us")}


@pytest.mark.parametrize(
    ("value", "error"), [("'x'::integer", duckdb.ConversionException), ("error('boom')", duckdb.InvalidInputException)]
)
def test_an_error_after_many_rows_is_the_same_as_one_before_the_first(connection, value, error):
    """polars reads the rows while DuckDB computes them, and would raise an error of its own."""
    failing = f"select case when range = 400000 then {value} else range end as n from range(500000)"
    with pytest.raises(duckdb.Error) as plain:
        connection.execute(failing).fetchall()
    with pytest.raises(error) as raised:
        frame(connection, failing)
    assert str(raised.value) == str(plain.value)
    assert frame(connection, "select 1 as n").rows() == [(1,)]


def test_a_time_of_24_hours_is_text_and_other_times_are_times(connection):
    found = frame(connection, "select time '09:30' as start, time '24:00' as stop, null::time as pause")
    assert found.rows() == [(time(9, 30), "24:00:00", None)]
    assert found.schema == {"start": pl.Time, "stop": pl.String, "pause": pl.Time}


IMPORTED = """
import sys, maestro_analytics as ma
large = "polars", "pyarrow", "numpy", "pandas", "pandera", "scipy", "altair", "requests", "pyspark"
def imported(): return [name for name in large if name in sys.modules]
qa = ma.open()
qa.overview().text()
print(qa.sql_as_text("select 1.50 as n, null as o, ['a'] as ids", limit=1), imported())
print(repr(qa), imported())
print(qa.sql("select 1 as n, timestamptz '2026-01-01T00:00:00Z' as at, ['a'] as ids").rows(), imported())
"""


def test_a_repr_the_overview_and_text_import_no_polars_and_a_query_no_pyarrow(data):
    """Each takes a tenth of a second; nothing is printed at the end of the process."""
    data.land_rows(total_scores=[TOTAL])
    data.master.publish()
    environment = {**os.environ, "MAESTRO_DATA": str(data.folder)}
    done = subprocess.run([sys.executable, "-c", IMPORTED], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [
        "(['n', 'o', 'ids'], [('1.50', None, '[a]')], [True, False, False]) []",
        f"<Store {data.folder}/maestro.duckdb> []",
        "[(1, datetime.datetime(2026, 1, 1, 0, 0, tzinfo=zoneinfo.ZoneInfo(key='UTC')), ['a'])] ['polars']",
    ]
    assert done.stderr == ""


def test_a_published_file_that_is_not_a_database_says_how_to_restore_it(tmp_path):
    (tmp_path / "maestro.duckdb").write_bytes(b"cut off by a full disk" * 1_000)
    with pytest.raises(UnreadableFile, match="publishes it anew"):
        open_published(tmp_path / "maestro.duckdb")
