"""Lists that change while their pages are read, and servers that page in their own way."""

import threading

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from maestro_analytics import errors
from maestro_analytics.api import Transport, endpoints
from maestro_analytics.api.coaching import PASSES, CoachingLists, Pages


@pytest.fixture
def lists(transport):
    return CoachingLists(transport)


class PagedList:
    """A list behind an API that pages. A decision at a time: no network between.

    `changes`: called with the list before each request is answered, the first call for the second request.
    """

    def __init__(self, ids, *, cap=1000, refuse_above=None, first_index=0, changes=(), as_text=False):
        self.ids = list(ids)
        self.ever = set(self.ids)
        self.always = set(self.ids)
        self.requests = []
        self._cap = cap
        self._refuse_above = refuse_above
        self._first_index = first_index
        self._changes = list(changes)
        self._as_text = as_text

    def send(self, endpoint, parameters=None, *, stop=None):
        if self.requests and self._changes:
            self._changes.pop(0)(self.ids)
            self.ever |= set(self.ids)
            self.always &= set(self.ids)
        self.requests.append(parameters)
        if self._refuse_above is not None and parameters["count"] > self._refuse_above:
            raise errors.RequestRefused(status=422, endpoint=endpoint.path, vendor_message="count is too large")
        start = max(parameters["startIndex"] - self._first_index, 0)
        size = min(parameters["count"], self._cap)
        number = str if self._as_text else int
        return {
            "startIndex": number(start + self._first_index),
            "totalResults": number(len(self.ids)),
            "itemsPerPage": number(size),
            "Resources": [{"id": identifier} for identifier in self.ids[start : start + size]],
        }


def read(server, **filters):
    return [record["id"] for record in Pages(server).read_all(endpoints.GET_TODOS, filters)]


@pytest.mark.parametrize(("cap", "first_index"), [(1, 0), (2, 0), (2, 1), (3, 0), (3, 1), (7, 1), (100, 0), (100, 1)])
@pytest.mark.parametrize("size", [0, 1, 2, 6, 7, 8, 25])
def test_every_record_comes_once_whatever_the_pages_are_like(size, cap, first_index):
    ids = [f"r{number}" for number in range(size)]

    assert ids == read(PagedList(ids, cap=cap, first_index=first_index))
    assert ids == read(PagedList(ids, cap=cap, first_index=first_index, as_text=True))


def test_pages_are_as_large_as_the_server_gives_and_the_size_is_remembered():
    """500 first; where that is refused less, and from then on no larger one is tried."""
    server = PagedList(range(450), refuse_above=100)
    pages = Pages(server)

    pages.read_all(endpoints.GET_TODOS, {"agentId": "7"})
    assert [500, 200, 100, 100, 100, 100, 100] == [request["count"] for request in server.requests]
    assert [0, 0, 0, 99, 198, 297, 396] == [request["startIndex"] for request in server.requests]
    assert {"7"} == {request["agentId"] for request in server.requests}

    pages.read_all(endpoints.GET_TODOS, {})
    assert [100] * 5 == [request["count"] for request in server.requests[7:]]


def test_a_list_on_one_page_costs_one_request():
    server = PagedList(range(500))

    read(server)

    assert 1 == len(server.requests)


def test_a_refused_filter_is_reported_with_the_vendors_message():
    with pytest.raises(errors.RequestRefused, match=r"count is too large"):
        read(PagedList(range(5), refuse_above=0))


def test_a_record_added_and_one_removed_between_pages_is_noticed():
    """Between the first page and the second, the first record goes and another comes at the end: the fourth slips
    onto the first page, unseen, and six distinct records of six have come all the same."""

    def change(ids):
        ids.remove("a")
        ids.append("x")

    server = PagedList("abcdef", cap=3, changes=[change])

    assert ["b", "c", "d", "e", "f", "x"] == read(server)


def test_a_record_added_and_two_removed_between_pages_is_noticed():
    def change(ids):
        ids.remove("a")
        ids.remove("e")
        ids.insert(0, "x")

    assert ["x", "b", "c", "d", "f"] == read(PagedList("abcdef", cap=3, changes=[change]))


def test_a_list_that_keeps_changing_is_an_error():
    def change(ids):
        ids.append(f"x{len(ids)}")

    server = PagedList("abcdef", cap=3, changes=[change] * 1000)

    with pytest.raises(errors.InconsistentPages, match=r"to-dos.*totalResults went from"):
        read(server)
    assert PASSES <= len(server.requests) <= 3 * PASSES


def test_a_total_that_never_matches_is_an_error():
    class Short(PagedList):
        def send(self, endpoint, parameters=None, *, stop=None):
            return super().send(endpoint, parameters) | {"totalResults": 7}

    with pytest.raises(errors.InconsistentPages, match=r"totalResults is 7, and 6 records came"):
        read(Short("abcdef"))


def test_a_server_that_counts_from_0_and_names_the_first_page_1_is_read():
    class PageNumber(PagedList):
        def send(self, endpoint, parameters=None, *, stop=None):
            return super().send(endpoint, parameters) | {"startIndex": 1}

    assert list("abcdef") == read(PageNumber("abcdef", cap=3))


def test_a_list_in_another_order_each_time_is_read_until_two_passes_agree():
    class Shuffled(PagedList):
        """Pages do not fit each other, but each pass of two pages shows every record."""

        def send(self, endpoint, parameters=None, *, stop=None):
            half = len(self.ids) // 2
            if parameters["startIndex"] == 0:
                self.ids = self.ids[half:] + self.ids[:half]
                return super().send(endpoint, parameters)
            answer = super().send(endpoint, parameters)
            return answer | {"Resources": answer["Resources"][::-1]}

    assert set("abcdef") == set(read(Shuffled("abcdef", cap=3)))


def test_a_record_that_comes_twice_is_taken_as_it_was_changed_last():
    class Twice:
        def send(self, endpoint, parameters=None, *, stop=None):
            resources = [
                {"id": "a", "updatedAt": "2026-01-02T00:00:00Z", "status": "complete"},
                {"id": "b"},
                {"id": "a", "updatedAt": "2026-01-01T00:00:00Z", "status": "incomplete"},
            ]
            return {"totalResults": 2, "Resources": resources}

    found = Pages(Twice()).read_all(endpoints.GET_TODOS, {})

    assert ["complete", None] == [record.get("status") for record in found]


@pytest.mark.parametrize("answer", [{}, [], "oops", {"totalResults": 2, "Resources": "x"}, {"Resources": [1]}])
def test_an_answer_that_is_not_a_page_is_not_an_empty_list(lists, host, reply, answer):
    host.on("GET /api/v1/todos", reply(body=answer))

    with pytest.raises(errors.TryAgain, match=r"not a page|no list|without the expected JSON"):
        lists.read_all("todos")


@pytest.mark.parametrize("answer", [{"totalResults": 0}, {"totalResults": 0, "Resources": None}, {"Resources": []}])
def test_an_empty_list_is_read(lists, host, reply, answer):
    host.on("GET /api/v1/todos", reply(body=answer))

    assert [] == lists.read_all("todos")


INSERT = st.tuples(st.just("insert"), st.integers(0, 40))
REMOVE = st.tuples(st.just("remove"), st.integers(0, 40))
CHANGES = st.lists(st.lists(st.one_of(INSERT, REMOVE), max_size=3), max_size=12)


@example(size=3, cap=2, changes=[[("insert", 2), ("remove", 0)]], first_index=1)
@given(size=st.integers(0, 30), cap=st.integers(2, 9), changes=CHANGES, first_index=st.sampled_from([0, 1]))
def test_no_record_that_was_there_all_the_time_is_missed(size, cap, changes, first_index):
    """Whatever comes and goes between two pages: what is returned holds every record that was in the list from the
    first request to the last, none that never was, and none twice."""
    fresh = iter(range(1000, 2000))

    def change(steps):
        def apply(ids):
            for what, place in steps:
                if what == "insert":
                    ids.insert(min(place, len(ids)), next(fresh))
                elif ids:
                    ids.pop(place % len(ids))

        return apply

    server = PagedList(range(size), cap=cap, first_index=first_index, changes=[change(steps) for steps in changes])
    try:
        found = read(server)
    except errors.InconsistentPages:
        assert changes
        return

    assert len(found) == len(set(found))
    assert server.always <= set(found) <= server.ever


def test_lists_are_asked_for_with_every_filter_of_the_reference(lists, host, reply):
    from datetime import UTC, datetime, timedelta, timezone

    host.on("GET /api/v1/coaching-sessions", reply(body={"totalResults": 1, "Resources": [{"id": "s1"}]}))

    lists.read_all(
        "coaching_sessions",
        agent_id="007",
        creator_id="c",
        coach_id="k",
        start_date=datetime(2026, 1, 1, 1, tzinfo=timezone(timedelta(hours=1))),
        end_date=datetime(2026, 2, 1, 12, 30, 15, 250_000, tzinfo=UTC),
    )

    assert {
        "agentId": "007",
        "creatorId": "c",
        "coachId": "k",
        "startDate": "2026-01-01T00:00:00Z",
        "endDate": "2026-02-01T12:30:15.250Z",
        "count": "500",
        "startIndex": "0",
    } == host.seen[0].query


def test_a_stop_ends_the_wait_for_a_page(settings, host, reply):
    """With a clock that really waits: two minutes, which the stop cuts short."""
    stop = threading.Event()

    def busy(seen):
        stop.set()
        return reply(429, headers={"Retry-After": "120"})

    host.on("GET /api/v1/todos", busy)
    with Transport(settings) as waiting, pytest.raises(errors.Cancelled):
        CoachingLists(waiting).read_all("todos", stop=stop)


def test_invalid_filters_are_rejected_before_anything_is_sent(lists, transport):
    from datetime import datetime

    with pytest.raises(errors.InvalidArgument, match=r"tzinfo=UTC"):
        lists.read_all("todos", start_date=datetime(2026, 1, 1))
    with pytest.raises(errors.InvalidArgument, match=r"coach_id"):
        lists.read_all("todos", coach_id="k")
    with pytest.raises(errors.InvalidArgument, match=r"coaching_points"):
        lists.read_all("points")
    assert 0 == transport.requests_made


def test_a_list_that_grows_while_it_is_read_is_pinned_to_the_start_of_the_pass(lists, host, reply):
    """One record is added with each second request; without `endDate` no pass would ever see one total."""
    created = [f"2025-01-01T00:{number // 60:02d}:{number % 60:02d}Z" for number in range(1300)]
    records = [{"id": str(number), "createdAt": moment} for number, moment in enumerate(created)]

    def page(seen):
        if len(host.seen) % 2 == 0:
            records.append({"id": f"new-{len(host.seen)}", "createdAt": "2099-01-01T00:00:00Z"})
        end = seen.query.get("endDate", "9999")
        matching = [record for record in records if record["createdAt"] < end]
        start, count = int(seen.query["startIndex"]), int(seen.query["count"])
        return reply(body={"totalResults": len(matching), "Resources": matching[start : start + count]})

    host.on("GET /api/v1/todos", page)

    assert created == [record["createdAt"] for record in lists.read_all("todos")]
    assert len(host.seen) <= 6


@pytest.mark.parametrize("totals", [{}, {"totalResults": None}, {"totalResults": "many"}], ids=str)
def test_a_server_that_ignores_start_index_and_names_no_total_is_an_error(lists, host, reply, totals):
    host.on("GET /api/v1/todos", reply(body={"Resources": [{"id": letter} for letter in "abcdefghij"], **totals}))

    with pytest.raises(errors.InconsistentPages, match=r"ignores startIndex"):
        lists.read_all("todos")

    assert len(host.seen) <= 12


def test_a_list_without_totals_ends_at_its_last_page(lists, host, reply):
    records = [{"id": str(number)} for number in range(1200)]

    def page(seen):
        start, count = int(seen.query["startIndex"]), int(seen.query["count"])
        return reply(body={"Resources": records[start : start + count]})

    host.on("GET /api/v1/todos", page)

    assert records == lists.read_all("todos")
