"""`kill -9` in the course of a real refresh: a rerun finishes it, and asks for nothing twice."""

import json
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from maestro_analytics.sandbox import Sandbox
from tests.refresh.commands import run, start
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
            going.kill()
            going.communicate()
        done = run(tmp_path, "refresh", "--since", SINCE, "--until", UNTIL, "--json", sandbox=sandbox)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["status"] == "complete"
        assert_holds_the_truth(settings_for(sandbox, tmp_path), sandbox)
        asked = Counter(
            (request.path, request.body)
            for request in sandbox.received.requests
            if request.method == "POST" and "groups" not in request.path
        )
        # Four are asked for at a time: one that was on its way when the process died has an id that nobody knows.
        repeated = sum(times - 1 for times in asked.values())
        assert repeated <= (4 if line in ("to get", "asked for") else 0), asked
