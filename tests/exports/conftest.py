"""A sandbox to ask for exports, and a clock that waits 200 times as fast."""

import contextlib
import time
from datetime import UTC, datetime, timedelta

import pytest

from maestro_analytics.api import Transport
from maestro_analytics.api.clock import Clock
from maestro_analytics.exports import FileLedger, Window, run_exports
from maestro_analytics.sandbox import Sandbox
from maestro_analytics.settings import Settings

NOW = datetime(2026, 3, 1, tzinfo=UTC)
DAYS = 28


class FastClock(Clock):
    """Waiting takes a two hundredth of its time: two seconds take ten milliseconds.

    All else takes its own time, so that a busy machine does not reach the deadline of a request.
    """

    def __init__(self, faster=200):
        self.faster = faster
        self._skipped = 0.0
        self._start = self.seconds()

    def seconds(self):
        return time.monotonic() + self._skipped

    def utc(self):
        return NOW + timedelta(seconds=self.seconds() - self._start)

    def wait(self, seconds, stop=None):
        end = self.seconds() + seconds
        super().wait(seconds / self.faster, stop)
        # Threads that wait at the same time skip the same time.
        self._skipped = max(self._skipped, end - time.monotonic())


@pytest.fixture
def clock():
    return FastClock()


@pytest.fixture
def make_sandbox():
    """Sandboxes that are closed at the end; without limits unless a test wants them."""
    with contextlib.ExitStack() as stack:

        def make(*faults, **options):
            chosen = {"agents": 4, "days": DAYS, "now": NOW, "requests_per_second": None, "requests_per_minute": None}
            return stack.enter_context(Sandbox(faults=faults, **(chosen | options)))

        yield make


@pytest.fixture
def settings_for(tmp_path):
    def make(sandbox, **options):
        chosen = {"requests_per_second": 10_000, "requests_per_minute": 100_000, "cache": tmp_path / "cache"}
        return Settings(api_token=sandbox.token, base_url=sandbox.base_url, _env_file=None, **(chosen | options))

    return make


@pytest.fixture
def transport_for(settings_for, clock):
    with contextlib.ExitStack() as stack:

        def make(sandbox, **options):
            return stack.enter_context(Transport(settings_for(sandbox, **options), clock=clock))

        yield make


@pytest.fixture
def month():
    """The days that the sandbox's contact centre has lived."""
    return Window(NOW - timedelta(days=DAYS), NOW)


@pytest.fixture
def ledger(tmp_path):
    return FileLedger(tmp_path / "ledger.jsonl")


@pytest.fixture
def run(tmp_path, ledger):
    """Runs exports to their end, with the folder and the ledger of the test."""

    def run(transport, wanted, *, folder=None, book=None, **options):
        with run_exports(transport, wanted, book or ledger, folder or tmp_path / "exports", **options) as results:
            return list(results)

    return run
