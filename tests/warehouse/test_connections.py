"""The one way from SQL to polars, for what polars cannot read by itself."""

from datetime import timedelta

import duckdb
import polars as pl
import pytest

from maestro_analytics.errors import UnreadableFile
from maestro_analytics.warehouse import open as open_published
from maestro_analytics.warehouse.connection import frame


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


def test_a_published_file_that_is_not_a_database_says_how_to_restore_it(tmp_path):
    (tmp_path / "maestro.duckdb").write_bytes(b"cut off by a full disk" * 1_000)
    with pytest.raises(UnreadableFile, match="publishes it anew"):
        open_published(tmp_path / "maestro.duckdb")
