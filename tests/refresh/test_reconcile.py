"""`reconcile`: what the database has, lacks or has differently from the vendor is found and corrected."""

from datetime import timedelta

import pytest

import maestro_analytics as ma
from maestro_analytics.reconcile import reconcile
from maestro_analytics.warehouse import Master
from maestro_analytics.warehouse.replay import replay
from tests.refresh.conftest import (
    NOW,
    QUICK,
    Impatient,
    assert_holds_the_truth,
)

SINCE = NOW - timedelta(days=12)
GRADES = ("total_scores", "section_scores", "individual_answers", "annotations")


@pytest.fixture
def spoilt(refreshed):
    """A complete database with one grade that the vendor does not have, one deleted and one changed."""
    sandbox, settings = refreshed
    with Master.open(settings.data) as master:
        execute = master.connection.execute
        keys = [row[0] for row in execute("select grade_key from total_scores order by date_graded").fetchall()]
        gone, changed, twin = keys[-3:]
        for table in (*GRADES, "grade_versions"):
            where = f"state.{table}" if table == "grade_versions" else f"main.{table}"
            execute(f"delete from {where} where grade_key = ?", [gone])
        execute("update total_scores set rubric_score = -1 where grade_key = ?", [changed])
        execute(
            "insert into total_scores by name select * replace ('ghost' as grade_key, 'G-1' as gradable_id) "
            "from total_scores where grade_key = ?",
            [twin],
        )
        execute("insert into state.grade_versions (grade_key, export_seq) select 'ghost', 1")
    return settings, sandbox, {"ghosts": ["ghost"], "missing": [gone], "stale": [changed]}


def compare(settings, **options):
    """`reconcile` of the last days; what was graded before is not asked for."""
    return reconcile(settings, since=SINCE, pace=QUICK, clock=Impatient(), **options)


def test_ghosts_missing_and_stale_grades_are_listed_and_corrected(spoilt):
    settings, sandbox, expected = spoilt
    report = compare(settings)
    assert {name: [row["grade_key"] for row in report.as_json()[name]] for name in expected} == expected
    assert report.as_json()["counts"] == {"ghosts": 1, "missing": 1, "stale": 1}
    with ma.open(settings.database) as qa:
        assert qa.sql("select grade_key from total_scores where grade_key = 'ghost'").height == 1

    again = compare(settings, remove=True)
    assert again.as_json()["counts"] == {"ghosts": 1, "missing": 0, "stale": 0}
    assert_holds_the_truth(settings, sandbox, GRADES)
    with ma.open(settings.database) as qa:
        assert qa.sql("select grade_key, reason from state.deletions where reason is not null").rows() == [
            ("ghost", "reconcile: the vendor no longer has it")
        ]
    assert compare(settings).as_json()["counts"] == {"ghosts": 0, "missing": 0, "stale": 0}


def test_a_removed_ghost_stays_away_after_a_replay(spoilt):
    settings, sandbox, _ = spoilt
    compare(settings, remove=True)
    with Master.open(settings.data) as master:
        assert all(result.error is None for result in replay(master))
        master.publish()
    assert_holds_the_truth(settings, sandbox, GRADES)


def test_no_ghost_is_told_of_time_that_could_not_be_fetched(spoilt):
    settings, sandbox, _ = spoilt
    sandbox.faults.switch_on("errored=100000")
    report = compare(settings)
    assert report.ghosts.height == 0
    assert report.errors
