"""Coaching lists that are too long to be read whole in each run are read in slices by creation date."""

import json
import threading
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

import pytest

from maestro_analytics import coaching, errors
from maestro_analytics.api import Transport
from maestro_analytics.api.clock import Clock
from maestro_analytics.settings import Settings
from maestro_analytics.warehouse import Master
from maestro_analytics.warehouse.replay import replay

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)


class SetClock(Clock):
    def __init__(self):
        self.now = NOW

    def utc(self):
        return self.now

    def wait(self, seconds, stop=None):
        pass


class Vendor:
    """Coaching points behind an API that gives ten on a page and leaves out records created at the limits."""

    def __init__(self, clock):
        self.points = {}
        self.requests = []
        self.fails_after = None
        vendor = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def log_message(self, *args):
                pass

            def date_time_string(self, timestamp=None):
                return format_datetime(clock.now, usegmt=True)

            def do_GET(self):
                query = dict(parse_qsl(urlsplit(self.path).query))
                vendor.requests.append(query)
                failed = vendor.fails_after is not None and len(vendor.requests) > vendor.fails_after
                body = json.dumps({"message": "no"} if failed else vendor.page(query)).encode()
                self.send_response(422 if failed else 200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/api/v1"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def add(self, created, **more):
        identity = f"p{len(self.points)}"
        self.points[identity] = {"id": identity, "createdAt": created.isoformat(), **more}
        return identity

    def page(self, query):
        since, until = query.get("startDate", "0"), query.get("endDate", "9")
        found = [
            point
            for point in self.points.values()
            if (since == "0" or datetime.fromisoformat(point["createdAt"]) > datetime.fromisoformat(since))
            and (until == "9" or datetime.fromisoformat(point["createdAt"]) < datetime.fromisoformat(until))
        ]
        start = int(query["startIndex"])
        return {"totalResults": len(found), "Resources": found[start : start + min(int(query["count"]), 10)]}

    def close(self):
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def clock():
    return SetClock()


@pytest.fixture
def vendor(clock):
    made = Vendor(clock)
    for day in range(400):
        made.add(NOW.replace(hour=0) - timedelta(days=399 - day), coachNotes="first")
    yield made
    made.close()


@pytest.fixture
def read(vendor, clock, tmp_path, monkeypatch):
    """Run one reading; returns its requests and the table: id -> coach_notes."""
    monkeypatch.setattr(coaching, "SLICE_RECORDS", 100)
    settings = Settings(
        api_token="t" * 12,
        base_url=vendor.url,
        cache=tmp_path / "cache",
        requests_per_second=10_000,
        requests_per_minute=100_000,
        _env_file=None,
    )

    def run(**options):
        vendor.requests.clear()
        with Transport(settings, clock=clock) as transport, Master.open(tmp_path / "data") as master:
            try:
                landed = coaching.land_list(master, transport, "coaching_points", **options)
            except errors.RequestRefused:
                landed = None
            run.warnings = landed.warnings if landed else None
            rows = master.connection.execute("select id, coach_notes from coaching_points").fetchall()
        return vendor.requests.copy(), dict(rows)

    run.folder = tmp_path / "data"
    return run


def notes_of(vendor):
    return {identity: point["coachNotes"] for identity, point in vendor.points.items()}


def test_a_long_list_is_read_completely_first_and_then_its_last_35_days_in_each_run(vendor, read, clock):
    requests, table = read()
    assert notes_of(vendor) == table
    assert 45 <= len(requests) <= 55

    clock.now += timedelta(hours=1)
    vendor.points["p390"]["coachNotes"] = "recent"
    vendor.points["p10"]["coachNotes"] = "old"
    vendor.add(clock.now - timedelta(minutes=1), coachNotes="new")
    requests, table = read()

    assert notes_of(vendor) | {"p10": "first"} == table
    assert len(requests) <= 5


def test_every_slice_is_read_again_within_a_day(vendor, read, clock):
    read()
    vendor.points["p10"]["coachNotes"] = "old"
    del vendor.points["p20"]

    for _ in range(23):
        clock.now += timedelta(hours=1)
        requests, table = read()

    assert notes_of(vendor) == table
    assert len(requests) > 40
    clock.now += timedelta(hours=1)
    assert len(read()[0]) <= 5


def test_again_reads_every_slice(vendor, read, clock):
    read()
    vendor.points["p10"]["coachNotes"] = "old"

    assert notes_of(vendor) == read(again=True)[1]


def test_records_gone_from_a_slice_that_was_read_again_leave_the_table_and_the_kept_list(vendor, read, clock):
    read()
    del vendor.points["p395"]
    clock.now += timedelta(hours=1)

    assert notes_of(vendor) == read()[1]
    with Master.open(read.folder) as master:
        list(replay(master))
        rows = master.connection.execute("select id, coach_notes from coaching_points").fetchall()
    assert notes_of(vendor) == dict(rows)
    clock.now += timedelta(hours=1)
    assert len(read()[0]) <= 5


def test_days_become_old_without_a_gap_also_after_months_without_a_run(vendor, read, clock):
    read()
    for _ in range(5):
        clock.now += timedelta(days=20)
        vendor.add(clock.now.replace(hour=0), coachNotes="at midnight")
        vendor.add(clock.now - timedelta(days=19), coachNotes="early")
        assert notes_of(vendor) == read()[1]
    clock.now += timedelta(days=100)
    vendor.add(clock.now - timedelta(days=60), coachNotes="in the gap")
    assert notes_of(vendor) == read()[1]


def test_slices_read_before_a_failure_land_and_the_rest_is_read_by_the_next_run(vendor, read, clock):
    read()
    clock.now += timedelta(days=1)
    vendor.points["p399"]["coachNotes"] = "recent"
    vendor.points["p300"]["coachNotes"] = "last slice"
    vendor.fails_after = 20
    assert notes_of(vendor) | {"p300": "first"} == read()[1]

    vendor.fails_after = None
    clock.now += timedelta(hours=1)
    requests, table = read()
    assert notes_of(vendor) == table
    assert len(requests) < 40


def test_a_slice_that_comes_back_empty_is_not_believed_the_first_time(vendor, read, clock):
    _, before = read()
    for number in range(364, 400):
        del vendor.points[f"p{number}"]

    clock.now += timedelta(hours=1)
    assert before == read()[1]
    assert "the vendor returned 0 rows where there were" in read.warnings[0]
    clock.now += timedelta(hours=1)
    assert notes_of(vendor) == read()[1]


def test_a_list_that_takes_25_requests_is_read_whole_each_time(vendor, read, clock):
    for number in range(226, 400):
        del vendor.points[f"p{number}"]

    for _ in range(2):
        requests, table = read()
        assert notes_of(vendor) == table
        assert 25 == len(requests)
        assert all("startDate" not in request for request in requests)
