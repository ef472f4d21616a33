"""The documented limits, 10 a second and 100 a minute, as real sliding windows."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maestro_analytics.sandbox.routing import SlidingWindows


def test_the_eleventh_request_in_a_second_is_refused_with_the_time_to_wait(open_sandbox):
    now = [50.0]
    talk = open_sandbox(agents=3, days=3, requests_per_second=10, requests_per_minute=100, timer=lambda: now[0])
    statuses = [talk.get("/todos").status_code for _ in range(11)]
    assert statuses == [200] * 10 + [429]
    refused = talk.get("/todos")
    assert refused.headers["Retry-After"] == "1"
    assert "rate limit" in refused.json()["message"]
    now[0] += 0.999
    assert talk.get("/todos").status_code == 429
    now[0] += 0.001
    assert talk.get("/todos").status_code == 200


def test_a_hundred_requests_fit_a_minute(open_sandbox):
    now = [0.0]
    talk = open_sandbox(agents=3, days=3, requests_per_second=10, requests_per_minute=100, timer=lambda: now[0])
    for _ in range(10):
        assert {talk.get("/todos").status_code for _ in range(10)} == {200}
        now[0] += 1
    refused = talk.get("/todos")
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "50")
    now[0] = 60.0
    assert talk.get("/todos").status_code == 200


def test_threads_that_ask_at_once_do_not_slip_through(open_sandbox):
    talk = open_sandbox(agents=3, days=3, requests_per_second=10, requests_per_minute=100, timer=lambda: 7.0)
    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(lambda _: talk.get("/todos").status_code, range(30)))
    assert (statuses.count(200), statuses.count(429)) == (10, 20)


def test_limits_can_be_switched_off_and_refused_tokens_do_not_count(open_sandbox):
    free = open_sandbox(agents=3, days=3)
    assert {free.get("/todos").status_code for _ in range(120)} == {200}
    strict = open_sandbox(agents=3, days=3, requests_per_second=2, requests_per_minute=None, timer=lambda: 0.0)
    strict.session.headers["apitoken"] = "wrong"
    assert {strict.get("/todos").status_code for _ in range(5)} == {401}
    strict.session.headers["apitoken"] = strict.sandbox.token
    assert [strict.get("/todos").status_code for _ in range(3)] == [200, 200, 429]


# In parts of a second that binary numbers hold exactly: the test must round no moment to the other side of a window.
PAUSES = st.lists(st.integers(0, 192).map(lambda parts: parts / 64), min_size=1, max_size=80)


@given(PAUSES, st.integers(1, 6), st.integers(5, 20))
def test_no_window_ever_holds_more_than_its_limit(pauses, per_second, per_minute):
    now = [0.0]
    windows = SlidingWindows(per_second=per_second, per_minute=per_minute, timer=lambda: now[0])
    taken = []
    for pause in pauses:
        now[0] += pause
        wait = windows.take()
        if wait == 0:
            taken.append(now[0])
        else:
            busy = sum(moment > now[0] - 1 for moment in taken), sum(moment > now[0] - 60 for moment in taken)
            assert busy[0] >= per_second or busy[1] >= per_minute
    for moment in taken:
        assert sum(moment - 1 < other <= moment for other in taken) <= per_second
        assert sum(moment - 60 < other <= moment for other in taken) <= per_minute


@pytest.mark.parametrize("limit", [{"per_second": 3, "per_minute": None}, {"per_second": None, "per_minute": 3}])
def test_one_window_alone_can_be_off(limit):
    windows = SlidingWindows(**limit, timer=lambda: 0.0)
    assert [windows.take() > 0 for _ in range(4)] == [False, False, False, True]
