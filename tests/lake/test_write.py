"""What `lake write` leaves behind: files that every reader reads, and only those months again that changed."""

import hashlib
import json
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from maestro_analytics.errors import InvalidArgument, LakeBusy, LakeError
from maestro_analytics.lake.manifest import read_manifest
from maestro_analytics.lake.storage import storage_of
from maestro_analytics.lake.write import write_lake


def manifest_of(lake: Path, account: str = "acme"):
    return read_manifest(storage_of(lake / account))


def files_below(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_every_row_of_every_table_is_in_the_files_that_the_manifest_names(source, tmp_path):
    written = write_lake(source, tmp_path, account="acme")

    manifest = manifest_of(tmp_path)
    for name, table in manifest.tables.items():
        expected = source.connection.execute(f"select count(*) from {name}").fetchall()[0][0]
        files = [tmp_path / "acme" / file.key for part in table.parts for file in part.files]
        assert sum(pq.read_metadata(file).num_rows for file in files) == table.rows == expected == written.rows[name]
    assert len(manifest.tables) == 15
    assert files_below(tmp_path / "acme") == manifest.keys | {"manifest.json"}
    assert manifest.refresh == {"started_at": "2026-05-01"}


def test_the_manifest_tells_the_size_and_the_hash_of_each_file(source, tmp_path):
    write_lake(source, tmp_path, account="acme")

    for table in manifest_of(tmp_path).tables.values():
        for part in table.parts:
            for file in part.files:
                content = (tmp_path / "acme" / file.key).read_bytes()
                assert (file.bytes, file.sha256) == (len(content), hashlib.sha256(content).hexdigest())


def test_a_grade_lies_in_the_month_of_its_date_graded_in_utc(source, tmp_path):
    """Some grades are made hours around midnight of a first of a month; one has no date at all."""
    write_lake(source, tmp_path, account="acme")

    found = duckdb.connect()
    rows = found.execute(
        "select month, count(*), count(date_graded), "
        "bool_and(coalesce(strftime(timezone('UTC', date_graded), '%Y-%m') = month, true)) "
        f"from read_parquet('{tmp_path}/acme/tables/total_scores/**/*.parquet', hive_partitioning = true, "
        "hive_types = {'month': varchar}) group by month order by month"
    ).fetchall()
    found.close()

    assert [month for month, *_ in rows] == ["2026-01", "2026-02", "2026-03", "2026-04", "unknown"]
    assert all(fits for *_, fits in rows)
    assert [(count, dated) for month, count, dated, _ in rows if month == "unknown"] == [(rows[-1][1], 0)]


def test_pandas_and_arrow_read_utc_moments_lists_and_no_unsigned_number(source, tmp_path):
    write_lake(source, tmp_path, account="acme")

    frame = pd.read_parquet(tmp_path / "acme/tables/total_scores")
    assert str(frame["date_graded"].dtype) == "datetime64[us, UTC]"
    assert (frame["month"] == "unknown").sum() == frame["date_graded"].isna().sum() > 0
    assert (
        str(ds.dataset(tmp_path / "acme/tables/agent_groups").schema.field("agent_ids").type) == "list<element: string>"
    )
    stored = {
        column.physical_type + (f" {column.logical_type}" if column.logical_type.type != "NONE" else "")
        for file in (tmp_path / "acme").rglob("*.parquet")
        for column in (pq.ParquetFile(file).schema.column(index) for index in range(pq.read_metadata(file).num_columns))
    }
    assert stored == {
        "BOOLEAN",
        "BYTE_ARRAY String",
        "DOUBLE",
        "INT64 Timestamp(isAdjustedToUTC=true, timeUnit=microseconds, is_from_converted_type=false, "
        "force_set_converted_type=false)",
    }


def test_only_the_months_that_a_refresh_touched_are_written_again(source, tmp_path):
    write_lake(source, tmp_path, account="acme")
    before = manifest_of(tmp_path)
    source.connection.execute(
        "update individual_answers set question_score = 1 "
        "where date_graded >= '2026-02-01' and date_graded < '2026-03-01'"
    )
    source.connection.execute("delete from todos where id = 'd0'")

    written = write_lake(source, tmp_path, account="acme")

    after = manifest_of(tmp_path)
    changed = {
        (name, part.month)
        for name, table in after.tables.items()
        for part in table.parts
        if part not in before.tables[name].parts
    }
    assert changed == {("individual_answers", "2026-02"), ("todos", None)}
    assert (written.parts_written, written.files_written, written.generation) == (2, 2, 2)
    assert written.rows["todos"] == before.tables["todos"].rows - 1


def test_a_row_swapped_for_a_copy_of_another_changes_its_month(source, tmp_path):
    """Counts stay, every value occurs as before; only which row has which value is different."""
    write_lake(source, tmp_path, account="acme")
    source.connection.execute(
        "update todos set title = case id when 'd0' then (select title from todos where id = 'd1') "
        "else (select title from todos where id = 'd0') end where id in ('d0', 'd1')"
    )
    assert write_lake(source, tmp_path, account="acme").parts_written == 1


def test_nothing_is_published_when_nothing_changed(source, tmp_path):
    write_lake(source, tmp_path, account="acme")
    manifest = (tmp_path / "acme/manifest.json").read_bytes()

    again = write_lake(source, tmp_path, account="acme")

    assert (again.parts_written, again.generation) == (0, 1)
    assert (tmp_path / "acme/manifest.json").read_bytes() == manifest


def test_a_column_that_a_table_grew_leaves_the_months_without_a_value_in_it(source, tmp_path):
    write_lake(source, tmp_path, account="acme")
    source.connection.execute("alter table total_scores add column channel varchar")
    source.connection.execute(
        "update total_scores set channel = 'voice' where date_graded >= '2026-04-01' and date_graded < '2026-05-01'"
    )

    written = write_lake(source, tmp_path, account="acme")

    table = manifest_of(tmp_path).tables["total_scores"]
    assert written.parts_written == 1
    assert {part.month for part in table.parts if part.width == len(table.columns)} == {"2026-04"}
    assert list(table.columns)[-1] == "channel"


def test_a_month_that_is_empty_now_leaves_the_lake(source, tmp_path):
    write_lake(source, tmp_path, account="acme")
    source.connection.execute("delete from annotations where date_graded < '2026-02-01'; delete from csat")

    write_lake(source, tmp_path, account="acme")

    tables = manifest_of(tmp_path).tables
    assert "2026-01" not in {part.month for part in tables["annotations"].parts}
    assert (tables["csat"].rows, tables["csat"].parts) == (0, ())


def test_the_files_of_the_manifest_before_stay_until_the_next_one_for_readers_at_work(source, tmp_path):
    write_lake(source, tmp_path, account="acme")
    first = manifest_of(tmp_path)
    for month in ("2026-01", "2026-02"):
        source.connection.execute(
            f"delete from csat where gradable_id = (select min(gradable_id) from csat) -- {month}"
        )
        write_lake(source, tmp_path, account="acme")
        if month == "2026-01":
            assert first.keys <= files_below(tmp_path / "acme")
            second = manifest_of(tmp_path)

    third = manifest_of(tmp_path)
    assert files_below(tmp_path / "acme") == second.keys | third.keys | {"manifest.json"}
    assert not first.keys <= second.keys | third.keys


def test_a_large_month_is_split_into_files_of_a_sensible_size(source, tmp_path):
    source.connection.execute("create table wide (date_graded timestamptz, note varchar)")
    source.connection.execute(
        "insert into wide select timestamptz '2026-03-05T00:00:00Z', sha256(i::varchar) from range(400000) as r(i)"
    )
    write_lake(source, tmp_path, account="acme", file_bytes=4_000_000)

    [part] = manifest_of(tmp_path).tables["wide"].parts
    assert len(part.files) > 2
    assert sum(file.rows for file in part.files) == part.rows == 400_000


def test_a_write_that_is_stopped_halfway_leaves_the_published_tables_as_they_were(source, tmp_path):
    """The second table's type is one that not every reader knows: the write fails after it made files of the first."""
    write_lake(source, tmp_path, account="acme")
    before = (tmp_path / "acme/manifest.json").read_bytes()
    source.connection.execute("delete from agent_groups where group_id = 'g0'")
    source.connection.execute("create view broken as select 1; create table zz_last (date_graded varchar)")

    with pytest.raises(duckdb.Error):
        write_lake(source, tmp_path, account="acme")

    assert (tmp_path / "acme/manifest.json").read_bytes() == before
    left = files_below(tmp_path / "acme") - manifest_of(tmp_path).keys - {"manifest.json"}
    assert left, "the new agent_groups had been made already"
    source.connection.execute("drop table zz_last; drop view broken")
    write_lake(source, tmp_path, account="acme")
    assert not left & files_below(tmp_path / "acme")


def test_a_type_that_not_every_reader_knows_is_refused(source, tmp_path):
    source.connection.execute("create table counters (n ubigint)")
    with pytest.raises(LakeError, match=r'counters."n" is UBIGINT'):
        write_lake(source, tmp_path, account="acme")


def test_the_tables_of_another_data_folder_are_not_overwritten(source, tmp_path):
    """Two accounts of one vendor host would otherwise share a folder."""
    write_lake(source, tmp_path, account="acme")
    other = replace(source, origin="elsewhere")
    with pytest.raises(LakeError, match="--take-over"):
        write_lake(other, tmp_path, account="acme")
    assert write_lake(other, tmp_path, account="acme", take_over=True).generation == 2
    assert write_lake(other, tmp_path, account="globex").generation == 1


@pytest.mark.parametrize("name", ["", "..", "a/b", ".hidden", "per cent %"])
def test_a_name_that_is_no_folder_of_the_lake_is_refused(source, tmp_path, name):
    with pytest.raises(InvalidArgument, match="cannot name a folder"):
        write_lake(source, tmp_path, account=name)
    assert list(tmp_path.iterdir()) == []


def test_a_second_writer_is_refused_while_the_first_is_at_work(source, tmp_path):
    claims = tmp_path / "acme" / "writing"
    claims.mkdir(parents=True)
    owner = {"machine": "another-machine", "pid": 4711, "since": "2026-05-01T00:00:00+00:00"}
    (claims / "aa.json").write_text(json.dumps(owner))
    clock = lambda: pd.Timestamp("2026-05-01T01:00:00Z").to_pydatetime()  # noqa: E731

    with pytest.raises(LakeBusy, match=r"process 4711 on another-machine .* is writing"):
        write_lake(source, tmp_path, account="acme", now=clock)

    assert files_below(tmp_path / "acme") == {"writing/aa.json"}


KILLED_AFTER = """
import os, signal, sys
import duckdb
from maestro_analytics.lake import Source, write_lake
from maestro_analytics.lake.storage import LocalFolder

made, add = [], LocalFolder.add

def killed_when_enough_was_made(self, file, key):
    add(self, file, key)
    made.append(key)
    if sum(one.endswith(".parquet") for one in made) == int(sys.argv[3]):
        os.kill(os.getpid(), signal.SIGKILL)

LocalFolder.add = killed_when_enough_was_made
write_lake(Source(duckdb.connect(sys.argv[1]), origin="here", refresh={}), sys.argv[2], account="acme")
"""


def test_a_writer_that_is_killed_leaves_what_was_published_and_the_next_one_cleans_up(source, tmp_path):
    write_lake(source, tmp_path / "lake", account="acme")
    published = (tmp_path / "lake/acme/manifest.json").read_bytes()
    database = tmp_path / "changed.duckdb"
    source.connection.execute("update individual_answers set question_score = 0; delete from agents")
    source.connection.execute("update section_scores set section_score = 0")
    source.connection.execute(f"attach '{database}' as changed; copy from database memory to changed; detach changed")

    killed = subprocess.run([sys.executable, "-c", KILLED_AFTER, str(database), str(tmp_path / "lake"), "9"])

    assert killed.returncode == -signal.SIGKILL
    assert (tmp_path / "lake/acme/manifest.json").read_bytes() == published
    first = manifest_of(tmp_path / "lake")
    left = files_below(tmp_path / "lake/acme") - first.keys - {"manifest.json"}
    assert sum(name.endswith(".parquet") for name in left) == 9
    assert any(name.startswith("writing/") for name in left)
    write_lake(source, tmp_path / "lake", account="acme")
    assert files_below(tmp_path / "lake/acme") == first.keys | manifest_of(tmp_path / "lake").keys | {"manifest.json"}
