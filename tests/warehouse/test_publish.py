"""Readers get whole states, never wait for a refresh, and never hold one up."""

import re
import subprocess
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from maestro_analytics.errors import EmptyStore, InvalidArgument, UnknownName
from maestro_analytics.warehouse import open
from tests.warehouse.data_folder import SURVEY, TOTAL, DataFolder, whole_grade

READER = """
import sys
from maestro_analytics.warehouse import open
with open(sys.argv[1]) as qa:
    print("open", flush=True)
    for line in sys.stdin:
        if line.strip() == "reload":
            qa.reload()
        scores = qa.sql("select rubric_score from grades").to_series().to_list()
        answers = qa.sql("select distinct comment from individual_answers").to_series().to_list()
        print(scores, answers, flush=True)
"""


class Reader:
    """Another process with the published file open."""

    def __init__(self, database: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", READER, str(database)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout.readline() == "open\n"

    def ask(self, what: str = "look") -> str:
        self.process.stdin.write(what + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()

    def __enter__(self) -> "Reader":
        return self

    def __exit__(self, *exc: object) -> None:
        self.process.stdin.close()
        assert self.process.wait(30) == 0
        self.process.stdout.close()


def version(score: str) -> dict:
    grade = whole_grade()
    return {
        "total_scores": [TOTAL | {"rubric_score": score}],
        "individual_answers": [grade["individual_answers"][0] | {"comment": score}],
    }


def test_a_reader_keeps_its_snapshot_while_refreshes_publish_and_hops_when_asked(data):
    data.land_rows(**version("1"))
    database = data.master.publish()
    with Reader(database) as reader:
        for score in ("2", "3"):
            data.land_rows(**version(score))
            assert reader.ask() == "[1.0] ['1']"
            data.master.publish()
            assert reader.ask() == "[1.0] ['1']"
        assert reader.ask("reload") == "[3.0] ['3']"
        data.land_rows(**version("4"))
        data.master.publish()
        assert reader.ask() == "[3.0] ['3']"


def test_what_has_landed_is_not_seen_before_it_is_published(data):
    data.land_rows(**version("1"))
    with open(data.master.publish()) as qa:
        data.land_rows(**version("2"))
        assert not qa.reload()
        assert qa.sql("select rubric_score from grades").to_series().to_list() == [1.0]


def test_two_stores_of_one_process_can_be_at_different_publications(data):
    """DuckDB keeps one instance of each path in a process: a plain connection would go on showing the old file."""
    data.land_rows(**version("1"))
    path = data.master.publish()
    with open(path) as old:
        data.land_rows(**version("2"))
        data.master.publish()
        with open(path) as new:
            seen = [qa.sql("select rubric_score from grades").item() for qa in (old, new)]
            assert seen == [1.0, 2.0]
            assert old.reload()
            assert old.sql("select rubric_score from grades").item() == 2.0


def test_nothing_is_left_beside_the_published_file(data):
    data.land_rows(**version("1"))
    for _ in range(2):
        data.master.publish()
    assert {path.name for path in data.folder.iterdir()} == {"exports", "master", "maestro.duckdb"}


def test_the_catalog_of_both_files_has_the_same_name(data):
    data.land_rows(**version("1"))
    with open(data.master.publish()) as qa:
        assert qa.sql("select count(*) from maestro.main.total_scores").item() == 1
        assert qa.sql("select current_database()").item() == "maestro"
    assert data.column("select count(*) from maestro.main.total_scores") == [1]


def test_the_ledger_goes_on_while_a_file_is_published(data):
    """Exports in flight write to the ledger from their own threads, whatever the main one does."""
    data.land_rows(**version("1"))
    failures = []

    def keep_books() -> None:
        try:
            for number in range(20):
                record = data.master.ledger.plan("groups", None, datetime(2026, 1, 1, tzinfo=UTC))
                data.master.ledger.asked(record.seq, f"from a thread {number}")
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=keep_books) for _ in range(2)]
    for thread in threads:
        thread.start()
    for _ in range(3):
        data.master.publish()
        data.land_rows(csat=[SURVEY])
    for thread in threads:
        thread.join()

    assert failures == []
    assert data.column("select count(*) from state.exports where export_id like 'from a thread%'") == [40]
    assert len(set(data.column("select seq from state.exports"))) == 44


def test_compacting_gives_room_back_and_loses_nothing(data):
    for score in range(3):
        data.land_rows(
            total_scores=[TOTAL | {"gradable_id": str(n), "rubric_score": str(score)} for n in range(20_000)]
        )
    before = data.rows("from total_scores order by all"), data.rows("from state.exports order by all")
    bytes_before, bytes_after = data.master.compact()

    assert bytes_after < bytes_before
    assert (data.rows("from total_scores order by all"), data.rows("from state.exports order by all")) == before
    data.land_rows(total_scores=[TOTAL])
    data.master.publish()


def test_there_is_nothing_to_open_before_the_first_publication(tmp_path):
    with pytest.raises(EmptyStore, match="nothing has been refreshed yet"):
        open(tmp_path / "maestro.duckdb")


def test_a_store_cannot_write(data):
    data.land_rows(**version("1"))
    with open(data.master.publish()) as qa, pytest.raises(Exception, match="read-only"):
        qa.sql("insert into agents values ('x', 'x', 'x', true)")


def test_values_are_bound_and_moments_come_in_utc(data):
    data.land_rows(**version("1"))
    with open(data.master.publish()) as qa:
        found = qa.sql("select date_reported_as as at from grades where gradable_id = ?", ["5310985"])
        assert str(found["at"].dtype) == "Datetime(time_unit='us', time_zone='UTC')"
        assert found["at"].to_list() == [datetime(2026, 1, 2, 10, tzinfo=UTC)]
        assert qa.sql("from grades where gradable_id = $ticket", {"ticket": "'; drop"}).height == 0


def test_a_failing_query_leaves_the_store_usable(data):
    data.land_rows(**version("1"))
    with open(data.master.publish()) as qa:
        with pytest.raises(Exception, match="nowhere"):
            qa.sql("select * from nowhere")
        with pytest.raises(Exception, match="Invalid Input"):
            qa.sql("select error('Invalid Input') from range(3000)")
        assert qa.sql("select 1 as one").item() == 1


def test_threads_may_share_a_store(data):
    data.land_rows(**version("1"))
    results = []
    with open(data.master.publish()) as qa:

        def ask(number: int) -> None:
            results.extend(
                qa.sql(f"select {number} as n from range(50)")["n"].to_list() == [number] * 50 for _ in range(20)
            )

        threads = [threading.Thread(target=ask, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert results == [True] * 80


def test_a_store_tells_how_fresh_and_complete_it_is(data):
    data.land_rows(**version("1"))
    data.land_rows(week=2, **version("1"))
    with open(data.master.publish()) as qa:
        shown = qa.overview().text()
        assert "covered raw: 2026-01-01 00:00 to 2026-01-08 00:00 UTC" in shown
        assert "missing raw: 2026-01-08 00:00 to 2026-01-15 00:00 UTC" in shown
        assert re.search(r"total_scores +1\n", shown)
        assert "<td>total_scores</td>" in qa._repr_html_().replace(' style="text-align:left"', "")
        assert qa.refreshed_at is not None
    assert "closed" in repr(qa)
    with pytest.raises(InvalidArgument, match="closed"):
        qa.sql("select 1")


def test_a_query_runs_with_its_variables_for_that_once(data):
    data.land_rows(total_scores=[TOTAL, TOTAL | {"gradable_id": "2", "source": "front"}])
    with open(data.master.publish()) as qa:
        assert qa.query("known_names", kind="source").rows() == [("source", "front"), ("source", "zendesk")]
        assert qa.query("known_names", kind="team").rows() == []
        every_kind = qa.query("known_names")
        assert set(every_kind["kind"]) == {"agent", "grade_type", "rubric", "source"}
        assert qa.query("known_names", kind=None).equals(every_kind)


def test_an_unknown_query_or_variable_is_named_with_what_there_is(data):
    data.land_rows(**version("1"))
    with open(data.master.publish()) as qa:
        with pytest.raises(UnknownName, match="known_names"):
            qa.query("known_name")
        with pytest.raises(UnknownName, match="kind"):
            qa.query("known_names", kinds="x")


def test_a_master_that_was_lost_is_what_was_published(tmp_path):
    first = DataFolder(tmp_path / "data")
    first.land_rows(**version("1"))
    first.master.publish()
    first.master.close()
    (tmp_path / "data" / "master" / "maestro.duckdb").unlink()

    second = DataFolder(tmp_path / "data")
    assert second.column("select rubric_score from total_scores") == [1.0]
    assert second.column("select status from state.exports") == ["landed"]
    second.master.close()
