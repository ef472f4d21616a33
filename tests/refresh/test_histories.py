"""Random histories of runs: windows fail, files are refused, updates show late, and in the end nothing is lost."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random

import pytest

import maestro_analytics as ma
from maestro_analytics.exports.windows import Period, Window, cut, joined, without
from maestro_analytics.pipeline import plan
from maestro_analytics.warehouse import Master
from maestro_analytics.warehouse.kept_files import land_export
from maestro_analytics.warehouse.ledger import Settling, settled
from tests.refresh.conftest import (
    NOW,
    TRUE_TABLES,
    Impatient,
    assert_holds_the_truth,
    bring_up_to_date,
    centre,
    settings_for,
)

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
OVERLAP = timedelta(minutes=60)
RUNS_TO_THE_END = 3


def minute(number: int) -> datetime:
    return BEGIN + timedelta(minutes=number)


def simulated(rng: Random) -> tuple[list[tuple[Window, int]], list[Window], int]:
    """A history of runs: what was read and in which minute, what is covered, and the minute in which it ends.

    Windows are cut, come in any order, are missed, or have a refused file, and runs are killed.
    """
    now = rng.randint(300, 1_500)
    covered: list[Window] = []
    read: list[tuple[Window, int]] = []
    settled = None
    runs = rng.randint(2, 14)
    for number in range(runs + RUNS_TO_THE_END):
        is_good = number >= runs
        until = now - 1 if is_good or rng.random() < 0.9 else max(now - 1 - rng.randint(0, 200), 2)
        since = 0 if is_good or rng.random() < 0.85 else rng.randint(0, until - 1)
        again = not is_good and rng.random() < 0.08
        period = Period({"raw": minute(since)}, minute(until), ("raw",), again, OVERLAP)
        wanted = period.wanted({"raw": covered}, settled={"raw": settled} if settled else {})["raw"]
        windows = cut(wanted or [], timedelta(minutes=rng.choice([10_080, 480, 240, 60])))
        before = period.settled_before(settled, covered) or minute(since)
        failing = 0 if is_good else rng.choice([0, 0, 0.2, 0.5, 1])
        landed: list[Window] = []
        for window in rng.sample(windows, len(windows)):
            if not is_good and rng.random() < 0.03:
                break
            if rng.random() >= failing:
                read.append((window, now))
                landed.append(window)
                covered = joined([*covered, window])
                settled = period.settled_after(before, covered, landed)
            elif rng.random() < 0.4:
                covered = without(covered, [window])
        now += 61 if is_good else rng.choice([60, 60, 60, 15, 5, 1_440, rng.randint(1, 200)])
    return read, covered, now


@pytest.mark.parametrize("seed", range(60))
def test_what_the_vendor_shows_up_to_an_hour_late_is_read_after_any_history(seed):
    read, covered, now = simulated(Random(seed))
    assert without(covered, [window for window, _ in read]) == []
    late = [
        number
        for number in range(now - 200)
        if not any(window.start <= minute(number) < window.end and asked >= number + 58 for window, asked in read)
    ]
    assert late == []


def test_a_refused_window_is_asked_for_from_the_same_moment_and_not_from_an_hour_earlier_each_time():
    covered = [Window(minute(0), minute(600))]
    for _ in range(3):
        period = Period({"raw": minute(0)}, minute(660), ("raw",), overlap=OVERLAP)
        (window,) = period.wanted({"raw": covered}, settled={"raw": minute(540)})["raw"] or []
        assert window == Window(minute(540), minute(660))
        covered = without(covered, [window])


def test_an_export_that_a_killed_run_asked_for_settles_what_was_an_hour_old_then(tmp_path):
    """Otherwise the run after the next would read all that a killed backfill had asked for once more."""
    with Master.open(tmp_path) as master:
        asked = master.ledger.plan("raw", Window(minute(0), minute(600)), minute(600))
        master.ledger.asked(asked.seq, "e1", minute(600))
        master.ledger.empty(asked.seq, minute(601))
        (of_killed_run,) = master.ledger.unfinished()

        period = Period({"raw": minute(0)}, minute(900), ("raw",), overlap=OVERLAP)
        settling = Settling(master.connection, period, {"raw": []})
        land_export(master, of_killed_run)
        settling.landed(master.connection, of_killed_run)

        assert settled(master.query) == {"raw": minute(539)}


@pytest.mark.parametrize("seed", range(4))
def test_runs_against_a_vendor_with_faults_end_with_the_truth_and_do_what_their_plan_says(tmp_path, seed):
    rng = Random(seed)
    faults = ("missing-member", "errored=2", "failed=2", "renamed-columns", "earlier-id=3", "late-updates=40")
    with centre(agents=3, days=10) as sandbox:
        settings = settings_for(sandbox, tmp_path)
        for _ in range(8):
            chosen = rng.sample(faults, rng.choice([0, 1, 1, 2]))
            sandbox.faults.switch_off()
            sandbox.faults.switch_on(*chosen)
            options = {
                "since": NOW - timedelta(days=11) if rng.random() < 0.8 else sandbox.now - timedelta(hours=3),
                "again": rng.random() < 0.15,
                "kinds": ("raw",),
            }
            planned = plan(settings, until=sandbox.now, clock=Impatient(), **options).windows["raw"]
            asked = len(sandbox.exports)
            report = bring_up_to_date(settings, sandbox, **options)
            if not chosen and not report.warnings:
                windows = {
                    tuple(job.parameters[name] for name in ("startDate", "endDate")) for job in sandbox.exports[asked:]
                }
                assert windows == {(w.start - timedelta(seconds=1), w.end) for w in planned}
            sandbox.advance(minutes=rng.choice([15, 60, 60, 180]))
        sandbox.faults.switch_off()
        for _ in range(2):
            report = bring_up_to_date(settings, sandbox, since=NOW - timedelta(days=11), kinds=("raw",), again=False)
            sandbox.advance(minutes=61)
        report = bring_up_to_date(settings, sandbox, since=NOW - timedelta(days=11), kinds=("raw",))
        if any("refused" in warning for warning in report.warnings):
            report = bring_up_to_date(settings, sandbox, since=NOW - timedelta(days=11), kinds=("raw",), again=True)
        assert report.status == "complete", report.errors
        assert_holds_the_truth(settings, sandbox, TRUE_TABLES[:5])
        with ma.open(settings.database) as qa:
            claimed = [Window(*row) for row in qa.sql("select window_start, window_end from state.coverage").rows()]
            landed = qa.sql(
                "select window_start, window_end from state.exports where status in ('landed', 'empty') and "
                "window_start is not null"
            )
        assert without(claimed, [Window(*row) for row in landed.rows()]) == []
