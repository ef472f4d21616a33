"""Several machines refresh a period of one account each, and readers see one account."""

from dataclasses import replace

import duckdb
import polars as pl
import pytest
from deltalake import DeltaTable

from maestro_analytics.errors import LakeError
from maestro_analytics.lake import Source, open_lake, write_lake
from maestro_analytics.lake.write import Target
from maestro_analytics.warehouse.state import create_all
from tests.lake.conftest import leave_out_tables


@pytest.fixture
def machine():
    """Makes the database of one machine, with its export asked for at a moment; `whole` with every table."""
    connections = []

    def make(name: str, asked_at: str, *, whole: bool = False) -> Source:
        connection = duckdb.connect()
        connections.append(connection)
        connection.execute("set TimeZone = 'UTC'; set enable_progress_bar = false")
        create_all(connection)
        if not whole:
            leave_out_tables(connection)
        connection.execute(
            "insert into state.exports (seq, kind, status, requested_at) values (1, 'raw', 'landed', $1::timestamptz)",
            [asked_at],
        )
        return Source(connection, origin=name, refreshed_at=asked_at)

    yield make
    for connection in connections:
        connection.close()


def add_grade(source: Source, key: str, score: float, day: str, questions: int) -> None:
    run = source.connection.execute
    run(
        "insert into total_scores (grade_key, gradable_id, rubric_id, agent_id, grade_type, rubric_score, "
        "max_rubric_score, date_graded) values ($1, $1, 'r', 'a', 'grading', $2, 10, $3::timestamptz)",
        [key, score, day],
    )
    run(
        "insert into individual_answers (grade_key, question_id, question_score, date_graded) "
        f"select $1, 'q' || i, $2, $3::timestamptz from range({questions}) as questions(i)",
        [key, score, day],
    )
    run("insert into state.grade_versions (grade_key, export_seq) values ($1, 1)", [key])


@pytest.fixture(params=["duckdb", "spark"])
def engine(request):
    return request.getfixturevalue("spark") if request.param == "spark" else None


def test_a_grade_that_two_machines_hold_stands_as_it_was_asked_for_last(machine, tmp_path, engine):
    """Graded in the first machine's period with three questions, again in the second's with one; and one of each."""
    old, new = machine("old", "2026-02-01"), machine("new", "2026-03-01")
    add_grade(old, "twice", 3.0, "2026-01-10", questions=3)
    add_grade(old, "once", 5.0, "2026-01-11", questions=2)
    add_grade(new, "twice", 9.0, "2026-01-10", questions=1)
    add_grade(new, "later", 7.0, "2026-02-20", questions=2)
    write_lake(new, tmp_path, account="acme", share="2026")
    write_lake(old, tmp_path, account="acme", share="2025")

    with open_lake(tmp_path, spark=engine) as lake:
        totals = lake.sql("select grade_key, rubric_score from total_scores order by 1").rows()
        answers = lake.sql(
            "select grade_key, count(*) as n, min(question_score) as s from individual_answers group by 1 order by 1"
        )
        assert totals == [("later", 7.0), ("once", 5.0), ("twice", 9.0)]
        assert answers.rows() == [("later", 2, 7.0), ("once", 2, 5.0), ("twice", 1, 9.0)]
        assert lake.sql("select count(*) from grades").item() == 3


def test_a_grade_deleted_in_a_later_period_is_gone(machine, tmp_path, engine):
    old, new = machine("old", "2026-02-01"), machine("new", "2026-03-01")
    add_grade(old, "deleted", 3.0, "2026-01-10", questions=3)
    add_grade(old, "kept", 5.0, "2026-01-11", questions=2)
    new.connection.execute("insert into state.deletions (grade_key, export_seq) values ('deleted', 1)")
    for source in (old, new):
        write_lake(source, tmp_path, account="acme", share=source.origin)

    with open_lake(tmp_path, spark=engine) as lake:
        assert lake.sql("select distinct grade_key from individual_answers").rows() == [("kept",)]
        assert lake.sql("select grade_key from total_scores").rows() == [("kept",)]


def test_what_each_machine_lists_in_full_comes_from_the_newest(machine, tmp_path, engine):
    """Teams, people and to-dos of the newest; an id that only the older grades use is still someone's."""
    old, new = machine("old", "2026-02-01"), machine("new", "2026-03-01")
    for source, team in ((old, "Old"), (new, "New")):
        source.connection.execute("insert into agent_groups (group_id, group_name) values ('g', $1)", [team])
        source.connection.execute("insert into todos (id, status) values ('d', $1)", [team])
    old.connection.execute("insert into agent_ids values ('1', '1'), ('2', '2'), ('9', '9')")
    old.connection.execute("insert into agents (person_id) values ('1'), ('2'), ('9')")
    new.connection.execute("insert into agent_ids values ('1', '1'), ('2', '1')")
    new.connection.execute("insert into agents (person_id) values ('1')")
    for source in (old, new):
        write_lake(source, tmp_path, account="acme", share=source.origin)

    with open_lake(tmp_path, spark=engine) as lake:
        assert lake.sql("select group_name from agent_groups").rows() == [("New",)]
        assert lake.sql("select status from todos").rows() == [("New",)]
        assert lake.sql("select agent_id, person_id from agent_ids order by 1").rows() == [
            ("1", "1"),
            ("2", "1"),
            ("9", "9"),
        ]
        assert lake.sql("select person_id from agents order by 1").rows() == [("1",), ("9",)]


def test_a_survey_that_two_machines_hold_stands_as_it_was_asked_for_last(machine, tmp_path, engine):
    """The machine that was refreshed last asked for the survey before the other did; one ticket names no helpdesk."""
    old, new = machine("old", "2026-02-01"), machine("new", "2026-03-01")
    old = replace(old, refreshed_at="2026-09-09")
    for source, score in ((old, 1.0), (new, 5.0)):
        source.connection.execute(
            "insert into csat (source, gradable_id, csat_score) values (null, 't', $1), ('chat', 't', $1)", [score]
        )
        source.connection.execute("insert into state.csat_versions values (null, 't', 1), ('chat', 't', 1)")
        write_lake(source, tmp_path, account="acme", share=source.origin)

    with open_lake(tmp_path, spark=engine) as lake:
        assert sorted(lake.sql("select coalesce(source, ''), csat_score from csat").rows()) == [
            ("", 5.0),
            ("chat", 5.0),
        ]


def test_a_column_and_a_table_that_only_one_machine_has(machine, tmp_path, engine):
    """The older machine has an earlier version of the program, which did not write down multi-select questions."""
    old, new = machine("old", "2026-02-01", whole=True), machine("new", "2026-03-01", whole=True)
    add_grade(old, "a", 3.0, "2026-01-10", questions=1)
    new.connection.execute("alter table total_scores add column channel varchar")
    add_grade(new, "b", 3.0, "2026-02-10", questions=1)
    new.connection.execute("update total_scores set channel = 'voice'")
    for source, key, question in ((old, "a", "of old"), (new, "b", "of new")):
        source.connection.execute(
            "insert into individual_answers (grade_key, agent_id, grade_type, rubric_id, question_id, question_score, "
            "max_question_score, date_graded) "
            "select $1, 'a', 'grading', 'r', $2, 1, 1, timestamptz '2026-01-10' from range(2)",
            [key, question],
        )
        source.connection.execute("insert into agent_ids values ('a', 'a')")
    new.connection.execute("insert into multi_select_questions values ('r', 'of new')")
    old.connection.execute("drop table multi_select_questions")
    for source in (old, new):
        write_lake(source, tmp_path, account="acme", share=source.origin)

    with open_lake(tmp_path, spark=engine) as lake:
        assert lake.sql("select grade_key, channel from total_scores order by 1").rows() == [
            ("a", None),
            ("b", "voice"),
        ]
        assert sorted(lake.sql("select rubric_id, question_id from multi_select_questions").rows()) == [
            ("r", "of new"),
            ("r", "of old"),
        ]
    with open_lake(tmp_path) as lake:  # test_engines.py asks the same of both engines
        assert sorted(lake.query("question_scores").select("question_id", "n").rows()) == [("of new", 1), ("of old", 1)]
    published = pl.scan_delta(tmp_path / "acme/multi_select_questions").collect()
    assert published.rows(named=True) == [{"rubric_id": "r", "question_id": "of new", "share": "new"}]
    answers = pl.scan_delta(tmp_path / "acme/individual_answers").collect()
    assert answers["share"].sort().to_list() == ["new"] * 3 + ["old"] * 3


@pytest.mark.parametrize("table", ["total_scores", "publications"])
@pytest.mark.parametrize("first_time", [True, False], ids=["first", "later"])
def test_machines_write_their_shares_at_the_same_time(machine, tmp_path, monkeypatch, table, first_time):
    """The second publishes all of its share right before the first commits to a table, which has grown a column."""
    first, second = machine("first", "2026-02-01"), machine("second", "2026-03-01")
    if not first_time:
        for source in (first, second):
            write_lake(source, tmp_path, account="acme", share=source.origin)
    for source in (first, second):
        source.connection.execute(f"alter table total_scores add column {source.origin} varchar")
        add_grade(source, source.origin, 3.0, "2026-01-10", questions=2)
    commit = Target.commit

    def overtaken(target, *arguments, **options):
        if target.place.root.endswith(table):
            monkeypatch.setattr(Target, "commit", commit)
            write_lake(second, tmp_path, account="acme", share="second")
        return commit(target, *arguments, **options)

    monkeypatch.setattr(Target, "commit", overtaken)
    write_lake(first, tmp_path, account="acme", share="first")

    with open_lake(tmp_path) as lake:
        assert [share.publication.share for share in lake.shares] == ["first", "second"]
        assert lake.sql("select grade_key, first, second from total_scores order by 1").rows() == [
            ("first", None, None),
            ("second", None, None),
        ]
        assert lake.sql("select count(*) from individual_answers").item() == 4


def test_a_share_is_a_partition_and_each_machine_replaces_only_its_own(machine, tmp_path):
    first, second = machine("first", "2026-02-01"), machine("second", "2026-03-01")
    for source in (first, second):
        add_grade(source, source.origin, 3.0, "2026-01-10", questions=1)
        write_lake(source, tmp_path, account="acme", share=source.origin)
    before = set(DeltaTable(tmp_path / "acme/total_scores").file_uris())
    first.connection.execute("update total_scores set rubric_score = 9")
    write_lake(first, tmp_path, account="acme", share="first")

    table = DeltaTable(tmp_path / "acme/total_scores")
    assert table.metadata().partition_columns == ["share", "month"]
    assert sorted(table.to_pyarrow_table().select(["share", "rubric_score"]).to_pylist(), key=str) == [
        {"share": "first", "rubric_score": 9.0},
        {"share": "second", "rubric_score": 3.0},
    ]
    assert ["share=second" in file for file in before & set(table.file_uris())] == [True]


def test_a_share_of_which_a_later_write_stopped_half_way_is_read_as_it_was_published(machine, tmp_path, monkeypatch):
    first, second = machine("first", "2026-02-01"), machine("second", "2026-03-01")
    for source in (first, second):
        add_grade(source, source.origin, 3.0, "2026-01-10", questions=1)
        write_lake(source, tmp_path, account="acme", share=source.origin)
    first.connection.execute("update total_scores set rubric_score = 9")

    commit = Target.commit

    def stopped(target, *arguments, **options):
        if target.place.root.endswith("publications"):
            raise KeyboardInterrupt
        return commit(target, *arguments, **options)

    monkeypatch.setattr(Target, "commit", stopped)
    with pytest.raises(KeyboardInterrupt):
        write_lake(first, tmp_path, account="acme", share="first")
    monkeypatch.setattr(Target, "commit", commit)
    second.connection.execute("update total_scores set rubric_score = 5")
    write_lake(second, tmp_path, account="acme", share="second", kept_hours=0)

    with open_lake(tmp_path) as lake:
        assert lake.sql("select rubric_score from total_scores order by 1")["rubric_score"].to_list() == [3.0, 5.0]


def test_an_account_is_a_whole_or_in_shares_and_not_both(machine, tmp_path):
    source = machine("one", "2026-02-01")
    write_lake(source, tmp_path, account="whole")
    with pytest.raises(LakeError, match="as a whole already"):
        write_lake(source, tmp_path, account="whole", share="one")
    write_lake(source, tmp_path, account="parted", share="one")
    with pytest.raises(LakeError, match="in shares already"):
        write_lake(source, tmp_path, account="parted")


def test_a_grade_in_the_covered_time_of_two_machines_is_one_grade(machine, tmp_path, engine):
    old, new = machine("old", "2026-02-01"), machine("new", "2026-03-01")
    add_grade(new, "shared", 9.0, "2026-01-20", questions=1)
    for source, start, end in ((old, "2026-01-01", "2026-02-01"), (new, "2026-01-15", "2026-03-01")):
        source.connection.execute("insert into covered_time values ($1::timestamptz, $2::timestamptz)", [start, end])
        write_lake(source, tmp_path, account="acme", share=source.origin)

    with open_lake(str(tmp_path), account="acme", spark=engine) as lake:
        assert lake.sql("select grade_key, is_covered from grades").rows() == [("shared", True)]
        assert lake.sql("select count(*) as periods from covered_time")["periods"].to_list() == [1]
