"""Readers that are not ours read the Delta tables as they lie: polars, deltalake and an older DuckDB."""

import subprocess
import sys

import polars as pl
import pytest
from deltalake import DeltaTable
from polars.testing import assert_frame_equal

from maestro_analytics.lake import write_lake
from tests.lake.conftest import copy_of

READ_WITH_DELTA_SCAN = """
import sys
import duckdb
import duckdb_ext

folder, target, *names = sys.argv[1:]
connection = duckdb.connect()
connection.execute(f"set extension_directory = '{duckdb_ext.__path__[0]}/extensions'")
connection.execute("set autoinstall_known_extensions = false; set TimeZone = 'UTC'; load delta")
for name in names:
    connection.execute(f"copy (from delta_scan('{folder}/{name}')) to '{target}/{name}.parquet'")
print(duckdb.__version__)
"""


@pytest.fixture(scope="module")
def source(small_centre):
    """The small contact centre with every table."""
    copy = copy_of(small_centre)
    yield copy
    copy.connection.close()


@pytest.fixture(scope="module")
def lake(source, tmp_path_factory):
    """Written twice, so that a version of before and files without the newest column lie there too."""
    folder = tmp_path_factory.mktemp("lake")
    write_lake(source, folder, account="acme")
    source.connection.execute("alter table total_scores add column channel varchar; delete from todos where id = 'd0'")
    source.connection.execute("update total_scores set channel = 'voice' where date_graded >= '2026-04-01'")
    write_lake(source, folder, account="acme")
    return folder / "acme"


def same_rows(source, name: str, found: pl.DataFrame) -> None:
    expected = source.connection.sql(f"from {name}").pl()
    found = found.select(expected.columns)
    order = [column for column, kind in expected.schema.items() if not kind.is_nested()]
    assert_frame_equal(found.sort(order), expected.sort(order))


def test_polars_and_deltalake_read_every_table(source, lake):
    names = [table.name for table in lake.iterdir() if table.name != "publications"]
    assert len(names) == 16
    for name in names:
        same_rows(source, name, pl.scan_delta(lake / name).collect())
        same_rows(source, name, pl.DataFrame(DeltaTable(lake / name).to_pyarrow_table()))


def test_duckdb_with_its_own_delta_extension_reads_every_table(source, lake, installed_beside, tmp_path):
    folder = installed_beside("duckdb-delta-1.4.4", "duckdb==1.4.4", "duckdb-ext-delta==1.4.4.20260205")
    names = [table.name for table in lake.iterdir() if table.name != "publications"]
    code = f"import sys; sys.path.insert(0, {str(folder)!r})\n{READ_WITH_DELTA_SCAN}"
    done = subprocess.run(
        [sys.executable, "-c", code, str(lake), str(tmp_path), *names], capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr, done.returncode) == ("1.4.4\n", "", 0)
    for name in names:
        same_rows(source, name, pl.read_parquet(tmp_path / f"{name}.parquet"))
