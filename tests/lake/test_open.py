"""Opening a lake: which account, what is published meanwhile, and one clear line for each thing that can be wrong."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

import maestro_analytics as ma
from maestro_analytics.errors import InvalidArgument, LakeError, MaestroError, NotALake, UnknownName
from maestro_analytics.lake import open_lake, write_lake
from tests.commands import COMMAND

COUNT = "select count(*) from todos"


@pytest.fixture(params=["duckdb", "spark"])
def engine(request):
    return request.getfixturevalue("spark") if request.param == "spark" else None


def test_the_public_name_opens_a_lake_or_the_folder_of_an_account(source, tmp_path):
    write_lake(source, tmp_path, account="acme")
    for path in (tmp_path, tmp_path / "acme", str(tmp_path)):
        with ma.open_lake(path) as lake:
            assert lake.account == "acme"
            assert lake.sql(COUNT).item() == source.connection.sql(COUNT).fetchall()[0][0]


def test_of_several_accounts_one_must_be_named(source, tmp_path):
    write_lake(source, tmp_path, account="acme")
    write_lake(source, tmp_path, account="globex")
    with pytest.raises(NotALake, match=r"several accounts, \['acme', 'globex'\]; say account="):
        open_lake(tmp_path)
    with open_lake(tmp_path, account="globex") as lake:
        assert lake.account == "globex"
    with pytest.raises(NotALake, match=r"no account 'initech', only \['acme', 'globex'\]"):
        open_lake(tmp_path, account="initech")


def test_a_path_that_is_no_lake_is_one_line(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "a file").write_text("x")
    for place in ("nowhere", "empty", "a file"):
        with pytest.raises(LakeError, match=r"is not a lake: no Delta table|cannot be used") as refusal:
            open_lake(tmp_path / place)
        assert "\n" not in str(refusal.value)
    for name in ("odd [name]", "a%20b", "two\nlines"):
        with pytest.raises(InvalidArgument, match=r"the path of a lake cannot have '(\[|%20|\\n)' in it") as refusal:
            open_lake(tmp_path / name)
        assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("manifest", ["acme/manifest.json", "acme/shares/2025/manifest.json"])
def test_a_lake_of_the_format_before_delta_lake_is_named_with_the_command_that_writes_it_anew(
    source, tmp_path, manifest
):
    file = tmp_path / manifest
    file.parent.mkdir(parents=True)
    file.write_text('{"format": "maestro-analytics lake", "format_version": 1}')
    for path, account in ((tmp_path, None), (tmp_path, "acme"), (tmp_path / "acme", None)):
        with pytest.raises(NotALake) as refusal:
            open_lake(path, account=account)
        assert "is in the format before Delta Lake" in str(refusal.value)
        assert f"`maestro-analytics lake write --to {tmp_path} --account acme` writes it anew" in str(refusal.value)
    write_lake(source, tmp_path, account="acme")
    with open_lake(tmp_path) as lake:
        assert lake.sql(COUNT).item() > 0


def test_a_missing_extra_is_one_line(tmp_path):
    """A path in which deltalake cannot be found, as after a plain `pip install maestro-analytics`."""
    code = (
        "import importlib.util, sys; find = importlib.util.find_spec\n"
        "import maestro_analytics.extras as extras\n"
        "extras.find_spec = lambda name: None if name == 'deltalake' else find(name)\n"
        "from maestro_analytics.cli import main; main()"
    )
    command = [sys.executable, "-c", code, "lake", "sql", "select 1", "--at", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr == (
        "SettingsError: a lake needs deltalake, which is not installed: run `pip install 'maestro-analytics[lake]'`.\n"
    )


def test_a_reader_sees_one_moment_until_it_hops(source, tmp_path, engine):
    write_lake(source, tmp_path, account="acme")
    with open_lake(tmp_path, spark=engine) as lake:
        before = lake.sql(COUNT).item()
        assert lake.reload() is False
        source.connection.execute("delete from todos where id = 'd0'")
        write_lake(source, tmp_path, account="acme")
        assert lake.sql(COUNT).item() == before
        assert pl.scan_delta(tmp_path / "acme/todos").collect().height == before - 1
        assert lake.reload() is True
        assert lake.sql(COUNT).item() == before - 1


def test_a_reader_whose_files_were_vacuumed_is_told_to_reload(source, tmp_path, engine):
    write_lake(source, tmp_path, account="acme")
    with open_lake(tmp_path, spark=engine) as lake:
        source.connection.execute("delete from todos where id = 'd0'")
        write_lake(source, tmp_path, account="acme", kept_hours=0)
        with pytest.raises(LakeError, match=r"published again since it was opened.*\.reload\(\)"):
            lake.sql("select * from todos")
        lake.reload()
        assert "d0" not in lake.sql("select id from todos")["id"]


def test_a_file_that_somebody_removed_is_not_taken_for_a_new_write(source, tmp_path):
    write_lake(source, tmp_path, account="acme")
    with open_lake(tmp_path) as lake:
        shutil.rmtree(tmp_path / "acme" / "todos")
        with pytest.raises(Exception, match="todos") as failure:
            lake.sql("select * from todos")
        assert not isinstance(failure.value, MaestroError)
    with pytest.raises(LakeError, match=r"acme/todos is gone, which had been published 20"):
        open_lake(tmp_path)


OPENED = "import sys; from maestro_analytics.lake import open_lake; open_lake(sys.argv[1])"


def test_a_damaged_log_is_one_line_also_where_rust_prints_backtraces(source, tmp_path):
    write_lake(source, tmp_path, account="acme")
    (tmp_path / "acme/todos/_delta_log/00000000000000000001.json").write_text('{"bad')
    environment = os.environ | {"RUST_BACKTRACE": "1"}
    done = subprocess.run([sys.executable, "-c", OPENED, tmp_path], capture_output=True, text=True, env=environment)
    assert "cannot be used: Kernel error: Json error" in done.stderr.splitlines()[-1]


@pytest.mark.parametrize("content", [None, b"PAR1 and no more"])
def test_a_file_that_is_gone_or_damaged_is_one_line_with_the_way_to_write_its_table_anew(source, tmp_path, content):
    write_lake(source, tmp_path, account="acme")
    folder = tmp_path / "acme/todos"
    (file,) = folder.glob("*.parquet")
    file.unlink() if content is None else file.write_bytes(content)
    with pytest.raises(LakeError, match=r"acme/todos is gone or damaged .* remove that folder") as refusal:
        open_lake(tmp_path)
    assert "\n" not in str(refusal.value)
    shutil.rmtree(folder)
    write_lake(source, tmp_path, account="acme")
    with open_lake(tmp_path) as lake:
        assert lake.sql(COUNT).item() == source.connection.sql(COUNT).fetchall()[0][0]


def test_a_table_of_no_rows_and_a_table_that_an_older_lake_lacks_are_empty(source, tmp_path, engine):
    source.connection.execute("delete from csat")
    write_lake(source, tmp_path, account="acme")
    with open_lake(tmp_path, spark=engine) as lake:
        assert lake.sql("select * from csat").schema == {
            "gradable_id": pl.String,
            "csat_score": pl.Float64,
            "csat_rating": pl.String,
            "csat_comment": pl.String,
            "ticket_created_at": pl.Datetime("us", "UTC"),
            "source": pl.String,
        }
        assert lake.sql("select count(*) from grade_history").item() == 0
        assert lake.sql("select count(csat_score), count(*) > 0 from grades").row(0) == (0, True)


def test_columns_that_a_table_grew_are_null_in_the_months_before(source, tmp_path, engine):
    write_lake(source, tmp_path, account="acme")
    source.connection.execute('alter table total_scores add column "Channel `x`" varchar')
    source.connection.execute("update total_scores set \"Channel `x`\" = 'voice' where date_graded >= '2026-04-01'")
    write_lake(source, tmp_path, account="acme")
    query = 'select grade_key, "Channel `x`" from total_scores order by grade_key'
    with open_lake(tmp_path, spark=engine) as lake:
        assert lake.sql(query).equals(source.connection.sql(query).pl())


def test_a_folder_of_any_name_can_hold_a_lake(source, tmp_path, engine):
    folder = tmp_path / "it's (odd) {x} 100% *new? grün"
    write_lake(source, folder, account="acme")
    with open_lake(folder, spark=engine) as lake:
        assert lake.sql(COUNT).item() == source.connection.sql(COUNT).fetchall()[0][0]


def test_a_path_is_no_pattern_that_a_copy_beside_it_fits(source, tmp_path, engine):
    write_lake(source, tmp_path / "lake*", account="acme")
    shutil.copytree(tmp_path / "lake*", tmp_path / "lake of yesterday")
    with open_lake(tmp_path / "lake*", spark=engine) as lake:
        assert lake.sql(COUNT).item() == source.connection.sql(COUNT).fetchall()[0][0]


def test_parameters_and_variables_reach_every_engine(source, tmp_path, engine):
    """Texts with quotes, backslashes and ${...} are values and nothing else."""
    write_lake(source, tmp_path, account="acme")
    texts = ['it\'s "quoted"', "C:\\new\\table", "two\nlines", "emoji 🙂", "${x} {y} :name ? $1"]
    text = " and ".join(texts)
    with open_lake(tmp_path, spark=engine) as lake:
        assert lake.sql("select ?, ?, '?', ?, ?, ?, ?", [*texts, 2]).row(0) == (*texts[:2], "?", *texts[2:], 2)
        assert lake.sql("select $text as a, $text as b", {"text": text}).row(0) == (text, text)
        assert lake.query("agent_scores", agent=text, team=None).height == 0
        assert lake.query("agent_scores", rubric="Chat").height > 0
        with pytest.raises(UnknownName, match="agent_scores"):
            lake.query("agent_score")
        with pytest.raises(UnknownName, match="threshold"):
            lake.query("agent_scores", treshold=1)


def test_a_query_that_spark_does_not_know_is_one_line(source, tmp_path, spark):
    write_lake(source, tmp_path, account="acme")
    with open_lake(tmp_path, spark=spark) as lake, pytest.raises(InvalidArgument, match="Spark cannot be asked this"):
        lake.sql("select list(id order by id, title) from todos")


def test_the_session_that_was_given_keeps_its_zone_and_its_views(source, tmp_path, spark):
    """The tests' session is in New York time; the lake answers in UTC in a session of its own."""
    write_lake(source, tmp_path, account="acme")
    with open_lake(tmp_path, spark=spark) as lake:
        assert (
            lake.sql("select cast(timestamptz '2026-01-01T02:00:00Z' as date) as day")["day"].dt.to_string().item()
            == "2026-01-01"
        )
    assert spark.conf.get("spark.sql.session.timeZone") == "America/New_York"
    assert spark.catalog.listTables() == []


def test_a_machine_without_java_says_so(source, tmp_path):
    """A path with everything that PySpark's launcher needs but Java."""
    write_lake(source, tmp_path / "lake", account="acme")
    tools = tmp_path / "tools"
    tools.mkdir()
    for tool in ("bash", "dirname", "env", "basename", "ps", "cat", "tr", "uname", "sed", "grep", "readlink"):
        if found := shutil.which(tool):
            (tools / tool).symlink_to(found)
    environment = {name: value for name, value in os.environ.items() if name != "JAVA_HOME"} | {"PATH": str(tools)}
    done = subprocess.run(
        [*COMMAND, "lake", "sql", "select 1", "--at", str(tmp_path / "lake"), "--spark"],
        capture_output=True,
        text=True,
        env=environment,
    )
    assert done.returncode == 3
    assert "EngineMissing: Spark needs Java 17 or newer" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_machine_without_pyspark_says_so(source, tmp_path):
    write_lake(source, tmp_path / "lake", account="acme")
    hidden = tmp_path / "hidden"
    (hidden / "pyspark").mkdir(parents=True)
    Path(hidden / "pyspark" / "__init__.py").write_text("raise ImportError('not installed')")
    code = f"import sys; sys.path.insert(0, {str(hidden)!r}); from maestro_analytics.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "lake", "sql", "select 1", "--at", str(tmp_path / "lake"), "--spark"],
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith("EngineMissing: PySpark is not installed: pip install")
