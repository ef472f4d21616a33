"""What `lake write` leaves behind: Delta tables that every reader reads, and only those months anew that changed."""

import re
import signal
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from deltalake import DeltaTable

from maestro_analytics.errors import InvalidArgument, LakeBusy, LakeError
from maestro_analytics.lake import open_lake, write_lake
from maestro_analytics.lake.source import tables_of
from maestro_analytics.lake.write import Target


def files_of(lake: Path, table: str) -> set[str]:
    return set(DeltaTable(lake / "acme" / table).file_uris())


def all_files(lake: Path) -> dict[str, set[str]]:
    return {table.name: files_of(lake, table.name) for table in (lake / "acme").iterdir()}


def versions(lake: Path) -> dict[str, int]:
    return {table.name: DeltaTable(table).version() for table in (lake / "acme").iterdir()}


def test_a_grade_lies_in_the_month_of_its_date_graded_in_utc(source, tmp_path):
    """Some grades are made hours around midnight of a first of a month; one has no date at all."""
    write_lake(source, tmp_path, account="acme")

    table = DeltaTable(tmp_path / "acme/total_scores")
    months = (
        pl.scan_delta(table)
        .group_by("month")
        .agg(
            pl.len(),
            dated=pl.col("date_graded").count(),
            fits=(pl.col("date_graded").dt.strftime("%Y-%m") == pl.col("month")).all(),
        )
        .sort("month")
        .collect()
    )
    assert table.metadata().partition_columns == ["month"]
    assert months["month"].to_list() == ["2026-01", "2026-02", "2026-03", "2026-04", "unknown"]
    assert months["fits"].all()
    assert months["len"].sum() == source.connection.sql("select count(*) from total_scores").fetchall()[0][0]
    assert months.row(-1, named=True)["dated"] == 0 < months.row(-1, named=True)["len"]


def test_only_the_months_that_a_refresh_touched_are_replaced(source, tmp_path):
    first = write_lake(source, tmp_path, account="acme")
    before = all_files(tmp_path)
    source.connection.execute(
        "update individual_answers set question_score = 1 "
        "where date_graded >= '2026-02-01' and date_graded < '2026-03-01'"
    )
    source.connection.execute("delete from todos where id = 'd0'")

    written = write_lake(source, tmp_path, account="acme")

    after = all_files(tmp_path)
    changed = {(name, *re.findall("month=([^/]*)", file)) for name in after for file in after[name] - before[name]}
    assert changed == {("individual_answers", "2026-02"), ("todos",), ("publications",)}
    assert (written.parts_written, written.parts_kept) == (2, first.parts_written - 2)
    assert written.rows["todos"] == source.connection.sql("select count(*) from todos").fetchall()[0][0]


def test_a_row_swapped_for_a_copy_of_another_changes_its_month(source, tmp_path):
    """Counts stay, every value occurs as before; only which row has which value is different."""
    write_lake(source, tmp_path, account="acme")
    source.connection.execute(
        "update todos set title = case id when 'd0' then (select title from todos where id = 'd1') "
        "else (select title from todos where id = 'd0') end where id in ('d0', 'd1')"
    )
    assert write_lake(source, tmp_path, account="acme").parts_written == 1


def test_nothing_is_committed_when_nothing_changed(source, tmp_path):
    first = write_lake(source, tmp_path, account="acme")
    before = versions(tmp_path)

    again = write_lake(source, tmp_path, account="acme")

    assert (again.parts_written, again.publication) == (0, first.publication)
    assert versions(tmp_path) == before


def test_a_month_and_a_table_whose_rows_are_all_gone_are_emptied(source, tmp_path):
    write_lake(source, tmp_path, account="acme")
    source.connection.execute("delete from total_scores where date_graded >= '2026-04-01'; delete from csat")
    assert write_lake(source, tmp_path, account="acme").parts_written == 2
    found = pl.scan_delta(tmp_path / "acme/total_scores").select("month").unique().collect()
    assert set(found["month"]) == {"2026-01", "2026-02", "2026-03", "unknown"}
    assert pl.scan_delta(tmp_path / "acme/csat").collect().height == 0


def test_a_column_that_a_table_grew_joins_the_schema_and_replaces_only_months_with_a_value_in_it(source, tmp_path):
    write_lake(source, tmp_path, account="acme")
    source.connection.execute(
        "alter table total_scores add column channel varchar; alter table csat add column x varchar; "
        "alter table section_scores add column y varchar"
    )
    source.connection.execute(
        "update total_scores set channel = 'voice' where date_graded >= '2026-04-01' and date_graded < '2026-05-01'"
    )

    assert write_lake(source, tmp_path, account="acme").parts_written == 2

    query = "select grade_key, channel from total_scores order by grade_key"
    expected = source.connection.sql(query).pl()
    found = pl.scan_delta(tmp_path / "acme/total_scores").select("grade_key", "channel").sort("grade_key").collect()
    assert found.equals(expected)
    assert pl.scan_delta(tmp_path / "acme/csat").collect()["x"].unique().to_list() == [None]
    assert pl.scan_delta(tmp_path / "acme/section_scores").collect()["y"].unique().to_list() == [None]


def test_a_column_of_another_type_makes_its_table_anew(source, tmp_path):
    write_lake(source, tmp_path, account="acme")
    source.connection.execute("alter table todos alter column title type double using 1.5")
    write_lake(source, tmp_path, account="acme")
    assert set(pl.scan_delta(tmp_path / "acme/todos").collect()["title"]) == {1.5}


def test_moments_of_the_first_and_of_the_last_year_are_written_and_read(source, tmp_path):
    source.connection.execute(
        "update total_scores set date_graded = case hash(grade_key) % 3 when 0 then timestamptz '0001-01-01T00:00:00Z' "
        "when 1 then timestamptz '9999-12-31T23:59:59.999999Z' else timestamptz 'infinity' end"
    )
    write_lake(source, tmp_path, account="acme")

    found = pl.scan_delta(tmp_path / "acme/total_scores").select("month").unique().collect()
    assert set(found["month"]) == {"0001-01", "9999-12", "unknown"}
    query = "select epoch_us(date_graded) as moment, count(*) as n from total_scores group by all order by all"
    with open_lake(tmp_path) as lake:
        assert lake.sql(query).equals(source.connection.sql(query).pl())


def test_the_log_knows_the_least_and_greatest_value_of_each_file_and_how_many_are_missing(source, tmp_path):
    """Readers skip files by them: none may promise less than the file holds."""
    source.connection.execute(
        "update total_scores set date_reported_as = date_graded + to_years(8000), total_grading_time = 'inf' "
        "where date_graded >= '2026-04-01'; update total_scores set comment = null; insert into csat default values"
    )
    write_lake(source, tmp_path, account="acme")
    expected = source.connection.sql(
        "select strftime(date_graded, '%Y-%m') as month, count(*) as rows, min(gradable_id) as least_ticket, "
        "max(gradable_id) as greatest_ticket, min(date_graded) as first, max(date_graded) as last, "
        "min(rubric_score) as least_score, max(rubric_score) as greatest_score, "
        "count(*) - count(rubric_score) as no_score, count(*) as no_comment, "
        "case when month < '2026-04' then max(total_grading_time) end as longest, "
        "case when month < '2026-04' then max(date_reported_as) end as reported "
        "from total_scores where date_graded is not null group by month order by month"
    ).pl()
    actions = DeltaTable(tmp_path / "acme/total_scores").get_add_actions(flatten=True)
    found = pl.DataFrame(actions).filter(pl.col("partition.month") != "unknown").sort("partition.month")
    names = ("partition.month", "num_records", "min.gradable_id", "max.gradable_id", "min.date_graded")
    names += ("max.date_graded", "min.rubric_score", "max.rubric_score", "null_count.rubric_score")
    names += ("null_count.comment", "max.total_grading_time", "max.date_reported_as")
    assert found.select(names).rows() == expected.rows()
    assert (
        pl.DataFrame(DeltaTable(tmp_path / "acme/csat").get_add_actions(flatten=True))["null_count.source"].item() > 0
    )


def test_versions_of_before_stay_for_readers_until_they_are_vacuumed(source, tmp_path):
    write_lake(source, tmp_path, account="acme")
    first = files_of(tmp_path, "todos")
    source.connection.execute("delete from todos where id = 'd0'")
    write_lake(source, tmp_path, account="acme")
    assert DeltaTable(tmp_path / "acme/todos", version=1).to_pyarrow_table().num_rows > 0

    source.connection.execute("delete from todos where id = 'd1'")
    write_lake(source, tmp_path, account="acme", kept_hours=0)
    left = {str(path) for path in (tmp_path / "acme/todos").glob("*.parquet")}
    assert left == files_of(tmp_path, "todos")
    assert not left & first


def test_a_write_that_changes_nothing_vacuums_what_an_earlier_one_replaced(source, tmp_path):
    """Somebody who was erased from a table that does not change again is in none of its files a day later."""
    write_lake(source, tmp_path, account="acme")
    source.connection.execute("delete from agents where person_id = (select min(person_id) from agents)")
    write_lake(source, tmp_path, account="acme")
    version = DeltaTable(tmp_path / "acme/todos").version()
    for _ in range(2):
        write_lake(source, tmp_path, account="acme", kept_hours=0)
        left = {str(path) for path in (tmp_path / "acme/agents").glob("*.parquet")}
        assert left == files_of(tmp_path, "agents")
    with open_lake(tmp_path) as lake:
        assert lake.sql("from agents order by all").equals(source.connection.sql("from agents order by all").pl())
    assert DeltaTable(tmp_path / "acme/todos").version() == version


def test_a_type_that_delta_lake_does_not_have_is_refused(source, tmp_path):
    source.connection.execute("create table counters (n ubigint)")
    with pytest.raises(LakeError, match=r'counters."n" is UBIGINT'):
        write_lake(source, tmp_path, account="acme")


def test_a_column_of_the_name_of_a_partition_is_refused(source, tmp_path):
    source.connection.execute('alter table total_scores add column "Month" varchar')
    with pytest.raises(LakeError, match="total_scores has a column 'month', by which a lake is partitioned"):
        write_lake(source, tmp_path, account="acme")


def test_the_tables_of_another_account_are_not_overwritten(source, tmp_path):
    """Two accounts of one vendor host would otherwise share a folder."""
    write_lake(source, tmp_path, account="acme")
    other = replace(source, origin="elsewhere")
    with pytest.raises(
        LakeError, match=r"holds the tables of another account or data folder \(written 20.*--take-over"
    ):
        write_lake(other, tmp_path, account="acme")
    assert write_lake(other, tmp_path, account="acme", take_over=True).parts_written == 0
    assert write_lake(other, tmp_path, account="globex").parts_written > 0


@pytest.mark.parametrize("name", ["", "..", "a/b", ".hidden", "per cent %"])
def test_a_name_that_is_no_folder_of_the_lake_is_refused(source, tmp_path, name):
    with pytest.raises(InvalidArgument, match="cannot name a folder"):
        write_lake(source, tmp_path, account=name)
    assert list(tmp_path.iterdir()) == []


def write_during(monkeypatch, table: str, meanwhile):
    """Let another writer do its work right before the commit to a table."""
    commit = Target.commit

    def overtaken(target, *arguments, **options):
        if target.place.root.endswith(f"/{table}") and not done:
            done.append(True)
            meanwhile()
        return commit(target, *arguments, **options)

    done: list[bool] = []
    monkeypatch.setattr(Target, "commit", overtaken)


@pytest.mark.parametrize("table", ["agent_groups", "total_scores", "publications"])
@pytest.mark.parametrize("first_time", [True, False], ids=["first", "later"])
def test_of_two_writers_at_once_one_publishes_and_the_other_is_told(source, tmp_path, monkeypatch, table, first_time):
    """The other writer has other rows; what is published is all its own, and the next write mends what was left."""
    if not first_time:
        write_lake(source, tmp_path / "lake", account="acme")
    database = tmp_path / "other.duckdb"
    source.connection.execute("update total_scores set rubric_score = 1; update agent_groups set group_name = 'other'")
    source.connection.execute(f"attach '{database}' as other; copy from database memory to other; use other")
    other = replace(source, connection=source.connection.cursor())
    other.connection.execute("use other; set TimeZone = 'UTC'")
    source.connection.execute(
        "use memory; update total_scores set rubric_score = 2; update agent_groups set group_name = 'mine'"
    )
    write_during(monkeypatch, table, lambda: write_lake(other, tmp_path / "lake", account="acme"))

    with pytest.raises(LakeBusy, match=rf"another writer has written to .*/{table} meanwhile"):
        write_lake(source, tmp_path / "lake", account="acme")

    with open_lake(tmp_path / "lake") as lake:
        assert lake.sql("select distinct rubric_score, group_name from total_scores, agent_groups").rows() == [
            (1.0, "other")
        ]
        write_lake(source, tmp_path / "lake", account="acme")
        lake.reload()
        assert lake.sql("select distinct rubric_score, group_name from total_scores, agent_groups").rows() == [
            (2.0, "mine")
        ]
    for name in ("total_scores", "agent_groups"):
        rows = pl.scan_delta(tmp_path / "lake/acme" / name).collect().height
        assert rows == source.connection.sql(f"select count(*) from {name}").fetchall()[0][0]


KILLED_AT = """
import os, signal, sys
import duckdb
from maestro_analytics.lake import Source, write_lake
from maestro_analytics.lake.write import Target

commit = Target.commit

def killed(self, *arguments, **options):
    if self.place.root.endswith("/" + sys.argv[3]):
        os.kill(os.getpid(), signal.SIGKILL)
    return commit(self, *arguments, **options)

Target.commit = killed
write_lake(Source(duckdb.connect(sys.argv[1]), origin="here"), sys.argv[2], account="acme")
"""


def test_a_writer_that_is_killed_leaves_what_was_published_and_the_next_one_goes_on(source, tmp_path):
    """Killed after it committed some of its tables: `open_lake` sees none of them, the next write replaces them."""
    write_lake(source, tmp_path / "lake", account="acme")
    with open_lake(tmp_path / "lake") as lake:
        expected = lake.sql("select * from agents order by all")
    database = tmp_path / "changed.duckdb"
    source.connection.execute(f"attach '{database}' as changed; copy from database memory to changed; use changed")
    source.connection.execute("delete from agents; update section_scores set section_score = 0; use memory")
    source.connection.execute("detach changed")

    killed = subprocess.run([sys.executable, "-c", KILLED_AT, str(database), str(tmp_path / "lake"), "section_scores"])

    assert killed.returncode == -signal.SIGKILL
    assert pl.scan_delta(tmp_path / "lake/acme/agents").collect().height == 0
    with open_lake(tmp_path / "lake") as lake:
        assert lake.sql("select * from agents order by all").equals(expected)
    write_lake(source, tmp_path / "lake", account="acme")
    assert pl.scan_delta(tmp_path / "lake/acme/agents").collect().height == expected.height


def test_the_publication_says_which_versions_belong_together(source, tmp_path):
    moment = datetime(2026, 5, 1, 12, tzinfo=UTC)
    write_lake(source, tmp_path, account="acme", now=lambda: moment)
    found = pl.scan_delta(tmp_path / "acme/publications").collect()
    assert set(found["table_name"]) == set(tables_of(source.connection))
    assert found["written_at"].unique().to_list() == [moment]
    assert found["refreshed_at"].unique().to_list() == ["2026-05-01"]
    for name, version, rows in found.group_by("table_name").agg(pl.first("version"), pl.sum("rows")).iter_rows():
        assert DeltaTable(tmp_path / "acme" / name, version=version).to_pyarrow_table().num_rows == rows
