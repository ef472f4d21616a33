"""Two writers of one folder: one is refused with a line that names the other, and nothing is lost."""

import json
import os
import socket
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

from maestro_analytics.errors import LakeBusy
from maestro_analytics.lake.claim import Claim
from maestro_analytics.lake.storage import storage_of

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


def put_claim(folder, *, machine=None, pid=None, since=NOW):
    owner = {"machine": machine or socket.gethostname(), "pid": pid or os.getpid(), "since": since.isoformat()}
    (folder / "writing").mkdir(exist_ok=True)
    (folder / "writing" / "other.json").write_text(json.dumps(owner))


def test_a_claim_is_gone_when_its_writer_is_done(tmp_path):
    with Claim(storage_of(tmp_path)) as claim:
        claim.confirm()
        assert storage_of(tmp_path).keys("writing") == [claim.key]
    assert storage_of(tmp_path).keys("writing") == []


def test_a_second_writer_in_the_same_process_is_refused_and_the_first_goes_on(tmp_path):
    with Claim(storage_of(tmp_path)) as first:
        with pytest.raises(LakeBusy, match=f"process {os.getpid()} on"), Claim(storage_of(tmp_path)):
            pass
        first.confirm()


def test_a_claim_of_a_dead_process_of_this_machine_is_put_aside(tmp_path):
    dead = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    put_claim(tmp_path, pid=int(dead.stdout))
    with Claim(storage_of(tmp_path), now=lambda: NOW) as claim:
        assert storage_of(tmp_path).keys("writing") == [claim.key]


def test_a_claim_of_another_machine_stands_for_a_day(tmp_path):
    put_claim(tmp_path, machine="another-machine", since=NOW - timedelta(hours=23))
    with pytest.raises(LakeBusy, match="another-machine"), Claim(storage_of(tmp_path), now=lambda: NOW):
        pass
    with Claim(storage_of(tmp_path), now=lambda: NOW + timedelta(hours=2)) as claim:
        assert storage_of(tmp_path).keys("writing") == [claim.key]


def test_of_two_writers_that_claim_in_the_same_moment_no_two_go_on(tmp_path):
    """The other's claim arrives between this one's first look and its own claim: the second look sees it."""
    storage = storage_of(tmp_path)

    class MeanwhileClaimed(type(storage)):
        def put(self, key, content):
            put_claim(tmp_path, machine="another-machine")
            super().put(key, content)

    with pytest.raises(LakeBusy, match="another-machine"), Claim(MeanwhileClaimed(tmp_path), now=lambda: NOW):
        pass
    assert storage.keys("writing") == ["writing/other.json"]


def test_a_writer_that_was_taken_for_dead_does_not_publish(tmp_path):
    with Claim(storage_of(tmp_path)) as claim:
        storage_of(tmp_path).remove(claim.key)
        with pytest.raises(LakeBusy, match="took this one for dead"):
            claim.confirm()
