"""`kill -9` in the course of a real refresh: a rerun finishes it, and asks for nothing twice."""

import json
import signal
from collections import Counter
from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from maestro_analytics.sandbox import Sandbox
from maestro_analytics.warehouse import Master
from tests.commands import run, start
from tests.refresh.conftest import assert_holds_the_truth, settings_for

NOW = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=5)
SINCE, UNTIL = ((NOW - timedelta(days=back)).strftime("%Y-%m-%dT%H:%M:%SZ") for back in (21, 0))
LINES = ("to get", "asked for", "received", "landed raw", "landed audit", "landed list", "published")
"""What the run was saying when it was killed."""


@pytest.mark.parametrize("line", LINES)
def test_a_run_that_was_killed_is_finished_by_the_next(tmp_path, line):
    with Sandbox(seed=5, agents=4, days=20, now=NOW, requests_per_second=None, requests_per_minute=None) as sandbox:
        with start(tmp_path, "refresh", "--since", SINCE, "--until", UNTIL, sandbox=sandbox) as going:
            for said in going.stderr:
                if line in said:
                    break
            going.send_signal(signal.SIGKILL)
            going.communicate()
        with Master.open(tmp_path / "data") as master:
            known = len(master.ledger.records("kind <> 'groups' and export_id is not null"))
        # One that was on its way when the process died has an id that nobody knows.
        on_the_way = sum(asked_for(sandbox).values()) - known
        assert on_the_way <= 4
        done = run(tmp_path, "refresh", "--since", SINCE, "--until", UNTIL, "--json", sandbox=sandbox)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["status"] == "complete"
        assert_holds_the_truth(settings_for(sandbox, tmp_path), sandbox)
        asked = asked_for(sandbox)
        assert sum(times - 1 for times in asked.values()) <= on_the_way, asked


def asked_for(sandbox):
    """How often each raw export and audit log was asked for, by kind and window."""
    return Counter(
        (request.path, request.body)
        for request in sandbox.received.requests
        if request.method == "POST" and "groups" not in request.path
    )


def test_runs_that_are_killed_again_and_again_lose_and_double_nothing(tmp_path):
    """14 runs in one folder, each ended after a random line of progress by one signal or the other."""
    rng = Random(20260320)
    begin = NOW - timedelta(days=15)
    with Sandbox(seed=5, agents=3, days=14, now=begin, requests_per_second=None, requests_per_minute=None) as sandbox:
        since = f"{sandbox.truth.start:%Y-%m-%d}"
        for _ in range(14):
            sandbox.advance(days=1)
            until = f"{sandbox.now:%Y-%m-%dT%H:%M:%SZ}"
            with start(tmp_path, "refresh", "--since", since, "--until", until, sandbox=sandbox) as going:
                last_line = rng.randrange(1, 25)
                for number, _ in enumerate(going.stderr, start=1):
                    if number == last_line:
                        break
                going.send_signal(rng.choice([signal.SIGKILL, signal.SIGTERM]))
                going.communicate()
        done = run(tmp_path, "refresh", "--since", since, "--until", until, "--json", sandbox=sandbox)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["status"] == "complete"
        # That run may have finished a snapshot of the groups which a killed one had asked for, days ago in the sandbox.
        assert run(tmp_path, "refresh", "--only", "groups", "--until", until, sandbox=sandbox).returncode == 0
        assert_holds_the_truth(settings_for(sandbox, tmp_path), sandbox)
        assert sandbox.received.violations == []
