"""What older DuckDB versions read from the published file is what we read from it."""

import json
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from maestro_analytics.warehouse import open
from maestro_analytics.warehouse.sql_files import texts
from tests.warehouse.data_folder import ANSWER, NOTE, SECTION, SURVEY, TOTAL, DataFolder, csv_text

OLD_VERSIONS = ("1.2.2", "1.3.2", "1.4.4", "1.5.6")
TICKETS = 1500
COMPRESSIONS = "select distinct compression from pragma_storage_info('total_scores')"

COPY_EVERYTHING = """
import sys
from pathlib import Path

import duckdb

database, folder, queries = sys.argv[1], Path(sys.argv[2]), sys.argv[3:]
connection = duckdb.connect(database, read_only=True)
connection.execute("set TimeZone = 'UTC'")
relations = connection.execute(
    "select table_schema || '.' || table_name from information_schema.tables where table_catalog = current_database()"
).fetchall()
for (name,) in relations:
    connection.execute(f"copy (select * from {name} order by all) to '{folder / name}.csv'")
refused = {}
for query in map(Path, queries):
    try:
        connection.execute(f"create temp table answer as {query.read_text()}")
        connection.execute("drop table answer")
    except duckdb.Error as error:
        refused[query.stem] = str(error).splitlines()[0]
if refused:
    sys.exit(str(refused))
print(duckdb.__version__, len(relations))
"""


@pytest.fixture(scope="session")
def client_of(installed_beside):
    """The folder of an older DuckDB, installed beside this environment when a test first needs it."""
    return lambda version: installed_beside(f"duckdb-{version}", f"duckdb=={version}")


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    """A published file with enough rows that columns are compressed in every way."""
    data = DataFolder(tmp_path_factory.mktemp("old") / "data")
    tickets = [{"gradable_id": str(ticket), "agent_id": f"a{ticket % 40}"} for ticket in range(TICKETS)]
    comments = [f'Comment {number % 97} of "{number}", größer\nand longer' * (number % 5) for number in range(TICKETS)]
    grades = zip(tickets, comments, strict=True)
    data.land_rows(
        total_scores=[
            TOTAL | ticket | {"rubric_score": str(len(text) % 101), "comment": text} for ticket, text in grades
        ],
        section_scores=[SECTION | ticket for ticket in tickets],
        individual_answers=[
            ANSWER | ticket | {"question_id": f"q{question}", "answer_label": f"Label {question} {index % 11}"}
            for index, ticket in enumerate(tickets)
            for question in range(5)
        ],
        annotations=[NOTE | ticket for ticket in tickets[::3]],
        csat=[SURVEY | {"gradable_id": ticket["gradable_id"]} for ticket in tickets[::2]],
    )
    data.land_rows(week=1, total_scores=[TOTAL | ticket | {"tone": "x"} for ticket in tickets[:500]])
    members = [
        {"group_id": f"g{agent % 7}", "group_name": f"Team {agent % 7}", "agent_ids": f"a{agent},x{agent}"}
        for agent in range(40)
    ]
    data.land(csv_text("agent_groups", members).encode(), kind="groups")
    at = data.column("select now()")[0]
    points = [
        {
            "id": f"p{number}",
            "agentId": f"a{number % 40}",
            "createdAt": "2026-01-05T00:00:00Z",
            "answerId": f"16906fb5ce9d57646fa38362_{number}_{TOTAL['rubric_id']}_a{number % 40}_GRADER_grading",
            "coachingSessionIds": [f"s{number % 9}"],
        }
        for number in range(600)
    ]
    data.master.land_coaching("coaching_points", points, taken_at=at)
    yield data.master.publish()
    data.master.close()


def read_with(python_path: Path | None, database: Path, folder: Path) -> dict[str, bytes]:
    """Every table and view of the file as CSV, copied by a DuckDB in a process of its own."""
    folder.mkdir()
    queries = [str(path) for path in sorted((Path(__file__).parents[2] / "sql" / "queries").glob("*.sql"))]
    environment = {"PYTHONPATH": str(python_path)} if python_path else {}
    done = subprocess.run(
        [sys.executable, "-c", COPY_EVERYTHING, str(database), str(folder), *queries],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    version, relations = done.stdout.split()
    assert version == (python_path.name.removeprefix("duckdb-") if python_path else duckdb.__version__)
    found = {path.stem: path.read_bytes() for path in folder.iterdir()}
    assert len(found) == int(relations)
    return found


@pytest.fixture(scope="module")
def ours(database, tmp_path_factory):
    """What this DuckDB reads from `database`."""
    return read_with(None, database, tmp_path_factory.mktemp("read") / "ours")


@pytest.mark.parametrize("version", OLD_VERSIONS)
def test_an_older_client_sees_the_same_tables_and_views_and_runs_every_query(
    version, client_of, database, ours, tmp_path
):
    theirs = read_with(client_of(version), database, tmp_path / "theirs")

    assert theirs == ours
    assert ours["main.ordinary_grades"].count(b"\n") >= TICKETS + 1
    assert ours["main.grade_coaching_points"].count(b"\n") == 601


def test_the_command_line_client_sees_the_same_rows_and_the_comments(installed_beside, database, tmp_path):
    """It comes from PyPI as `duckdb-cli`; it is the program that people type `duckdb` for."""
    folder = installed_beside("duckdb-cli-1.5.6", "duckdb-cli==1.5.6")
    client = folder / "duckdb_cli" / "duckdb"

    def asked(query: str) -> list[dict[str, object]]:
        command = [str(client), "-readonly", "-json", "-cmd", "set TimeZone = 'UTC'", str(database), query]
        # What it is told in the home folder of the user must not matter.
        given = {"HOME": str(tmp_path)}
        done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, env=given)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    with duckdb.connect(database, read_only=True) as ours:
        compressed = {name for (name,) in ours.execute(COMPRESSIONS).fetchall()}
        assert compressed >= {"ALP", "Constant", "Dictionary", "FSST", "Roaring"}
        ours.execute("set TimeZone = 'UTC'")
        for name in ("ordinary_grades", "individual_answers", "grade_coaching_points", "team_members"):
            query = (
                f"select count(*) as n, md5(string_agg(t::varchar, '|' order by t::varchar)) as texts from {name} as t"
            )
            ((n, texts_of_all),) = ours.execute(query).fetchall()
            assert asked(query) == [{"n": n, "texts": texts_of_all}], name
    (comment,) = asked(
        "select comment from duckdb_columns() where table_name = 'grades' and column_name = 'score_percent'"
    )
    assert str(comment["comment"]).startswith("100 * rubric_score / max_rubric_score")


def test_a_stock_client_shows_a_comment_on_every_table_view_and_column(database):
    with duckdb.connect(database, read_only=True) as connection:
        kinds = ("duckdb_tables", "duckdb_views", "duckdb_columns")
        silent = [
            connection.execute(
                f"select * from {kind}() where not internal and database_name = 'maestro' "
                "and coalesce(comment, '') = ''"
            ).fetchall()
            for kind in kinds
        ]
        assert silent == [[], [], []]
        described = dict(
            connection.execute(
                "select table_name || '.' || column_name, comment from duckdb_columns() where not internal"
            ).fetchall()
        )
    assert described["grades.score_percent"].startswith("100 * rubric_score / max_rubric_score")
    assert described["grades.comment"] == "The grader's comment on the whole grade"
    assert described["total_scores.rubric_score"].endswith("(points)")
    assert described["exports.seq"].startswith("The order in which exports were asked for")
    assert described["total_scores.tone"].startswith("A column of the vendor's file")
    with open(database) as qa:
        views = dict(qa.sql("select view_name, comment from duckdb_views() where not internal").rows())
    assert set(views) >= set(texts("views"))
    assert views["ordinary_grades"].startswith("One row per live ordinary grade")


def test_a_master_of_a_newer_storage_is_rewritten_when_it_is_published(tmp_path, client_of):
    data = DataFolder(tmp_path / "data")
    data.land_rows(total_scores=[TOTAL])
    data.master.close()
    path = data.folder / "master" / "maestro.duckdb"
    newer = path.with_name("newer.duckdb")
    with duckdb.connect(newer) as connection:
        connection.execute(f"attach '{path}' as old (read_only)")
        connection.execute("copy from database old to newer")
        connection.execute("detach old")
    newer.replace(path)

    again = DataFolder(data.folder)
    before = again.rows("from total_scores")
    published = again.master.publish()
    assert again.rows("from total_scores") == before
    again.master.close()
    ours = read_with(None, published, tmp_path / "ours")
    assert read_with(client_of("1.2.2"), published, tmp_path / "theirs") == ours
