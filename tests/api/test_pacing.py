"""One budget for every thread and process that uses the same token."""

import subprocess
import sys
import threading
import time
from collections import deque

import pytest

from maestro_analytics import errors
from maestro_analytics.api.rate_limit import RateLimiter

FASTER = 20
"""A minute of the paced processes and of the strict vendor is three seconds here."""

PROCESS = """
import sys, threading, time
from datetime import UTC, datetime
from pathlib import Path
from maestro_analytics.api import Transport, endpoints
from maestro_analytics.api.clock import Clock
from maestro_analytics.settings import Settings

url, cache, requests_per_thread, faster = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])

class FastClock(Clock):
    def seconds(self):
        return time.monotonic() * faster
    def utc(self):
        return datetime.fromtimestamp(1_700_000_000 + time.monotonic() * faster, UTC)
    def wait(self, seconds, stop=None):
        super().wait(seconds / faster, stop)

settings = Settings(api_token="t" * 12, base_url=url, cache=cache, _env_file=None)
transport = Transport(settings, clock=FastClock())

def work():
    for _ in range(requests_per_thread):
        transport.send(endpoints.GET_TODO, id="t1")

threads = [threading.Thread(target=work) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
transport.close()
print(transport.requests_made)
"""


class StrictVendor:
    """Counts arrivals in sliding windows of exactly a second and a minute, as the vendor does."""

    def __init__(self):
        self.arrivals = []
        self.refused = 0
        self._lock = threading.Lock()
        self._recent = deque(maxlen=100)

    def answer(self, reply):
        with self._lock:
            now = time.monotonic() * FASTER
            in_a_second = sum(moment > now - 1 for moment in self._recent)
            in_a_minute = sum(moment > now - 60 for moment in self._recent)
            if in_a_second >= 10 or in_a_minute >= 100:
                self.refused += 1
                return reply(429)
            self._recent.append(now)
            self.arrivals.append(now)
        return reply(body={"id": "t1"})


def test_two_processes_of_eight_threads_never_see_a_429(host, reply, tmp_path):
    """The vendor allows exactly 10 a second and 100 a minute; the default settings use 9 and 95 of them."""
    vendor = StrictVendor()
    host.on("GET /api/v1/todos/t1", lambda seen: vendor.answer(reply))
    command = [sys.executable, "-c", PROCESS, f"{host.url}/api/v1", str(tmp_path), "7", str(FASTER)]

    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    made = [int(process.communicate()[0]) for process in processes]

    assert [56, 56] == made
    assert 0 == vendor.refused
    assert 112 == len(vendor.arrivals)
    assert 9 >= max(sum(first <= moment < first + 1 for moment in vendor.arrivals) for first in vendor.arrivals)
    assert 95 >= max(sum(first <= moment < first + 60 for moment in vendor.arrivals) for first in vendor.arrivals)


def pacer(folder, clock, token="t" * 12, per_second=2, per_minute=100):
    return RateLimiter(folder, token=token, requests_per_second=per_second, requests_per_minute=per_minute, clock=clock)


def take(pacing, times=1):
    for _ in range(times):
        with pacing.slot():
            pass


def test_a_request_counts_until_a_window_after_its_answer(tmp_path, clock):
    """Two a second. The first is three seconds on its way: it may arrive at the end of them."""
    pacing = pacer(tmp_path, clock)
    with pacing.slot():
        clock.wait(3)
    clock.waited.clear()

    take(pacing, 2)

    assert 1.0 <= sum(clock.waited) <= 1.3
    pacing.close()


def test_requests_of_another_process_count_and_those_of_another_token_do_not(tmp_path, clock):
    ours, theirs, strangers = pacer(tmp_path, clock), pacer(tmp_path, clock), pacer(tmp_path, clock, token="u" * 12)
    take(theirs, 2)

    take(strangers, 2)
    assert [] == clock.waited
    take(ours)
    assert sum(clock.waited) >= 1.0

    for pacing in (ours, theirs, strangers):
        pacing.close()


def test_a_pause_holds_for_every_process(tmp_path, clock):
    ours, theirs = pacer(tmp_path, clock), pacer(tmp_path, clock)
    theirs.pause(30)

    take(ours)

    assert 30 <= sum(clock.waited) <= 30.5
    ours.close()
    theirs.close()


def test_a_killed_process_holds_its_place_for_some_seconds_only(tmp_path, clock):
    killed = pacer(tmp_path, clock)
    turns = [killed.slot(), killed.slot()]
    for turn in turns:
        turn.__enter__()  # and never left
    ours = pacer(tmp_path, clock)

    take(ours)

    assert 5 <= sum(clock.waited) <= 6.5
    for turn in turns:
        turn.__exit__(None, None, None)
    ours.close()
    killed.close()


def test_a_clock_that_was_put_back_does_not_stop_everything(tmp_path, clock):
    pacing = pacer(tmp_path, clock, per_minute=3)
    take(pacing, 3)
    pacing.pause(100)
    clock._seconds -= 86_400
    clock.waited.clear()

    take(pacing, 3)

    assert sum(clock.waited) <= 62
    pacing.close()


@pytest.mark.parametrize(
    ("per_second", "per_minute"), [(9, 95), (10, 10), (100, 95), (1, 60), (1, 1000), (10_000, 10_001)]
)
def test_any_two_limits_make_a_budget(tmp_path, clock, per_second, per_minute):
    pacing = pacer(tmp_path, clock, per_second=per_second, per_minute=per_minute)

    take(pacing, 3)

    longest = 3 * max(1, 60 / per_minute)
    assert sum(clock.waited) <= longest
    pacing.close()


def test_the_token_is_not_in_the_cache_folder(tmp_path, clock):
    pacing = pacer(tmp_path, clock, token="tok-0123456789")
    take(pacing)
    pacing.close()

    files = list(tmp_path.iterdir())
    assert files
    assert not any(b"tok-0123456789" in path.name.encode() + path.read_bytes() for path in files)


def test_an_unusable_cache_folder_is_reported_with_its_setting(tmp_path, clock):
    (tmp_path / "file").write_text("")

    with pytest.raises(errors.SettingsError, match=r"MAESTRO_CACHE"):
        pacer(tmp_path / "file", clock)


def test_a_broken_rate_limit_database_is_created_again(tmp_path, clock):
    pacing = pacer(tmp_path, clock)
    pacing.close()
    pacing.path.write_bytes(b"no database" * 500)

    again = pacer(tmp_path, clock)
    take(again)

    assert again.path.read_bytes().startswith(b"SQLite format 3")
    again.close()
