"""A vendor of our own, written from the reference, that remembers metrics under both of its readings."""

import json
import os
import socket
import threading
from collections import deque
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count

import polars as pl
import pytest

from maestro_analytics.api import Transport
from maestro_analytics.api.clock import Clock
from maestro_analytics.settings import Settings
from maestro_analytics.warehouse import Master

AGENT_PATH, TICKET_PATH = "/api/v1/agent-metrics-batch", "/api/v1/ticket-metrics-batch"


numbers = count(1)


def at(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def grade(agent, score, reported="2026-03-04T10:00", **more):
    """A row of total_scores."""
    number = next(numbers)
    row = {
        "grade_key": f"grade-{number}",
        "gradable_id": f"ticket-{number}",
        "rubric_id": "AatxWWtXWKcfiN34E",
        "agent_id": agent,
        "grade_type": "grading",
        "source": "front",
        "rubric_score": score,
        "max_rubric_score": 100.0,
        "date_graded": at("2026-03-10T00:00"),
        "date_reported_as": at(reported) if reported else None,
    }
    return row | more


class ClockThatJumps(Clock):
    """Waiting moves its hands and takes no time."""

    def __init__(self):
        self.moved = 0.0

    def seconds(self):
        return super().seconds() + self.moved

    def utc(self):
        return super().utc() + timedelta(seconds=self.moved)

    def wait(self, seconds, stop=None):
        self.moved += seconds


class Vendor:
    """The two metrics endpoints.

    Attributes:
        one: what is kept where a metric has one value: (agent, metric) or (ticket, source, agent, metric) -> value.
        series: what is kept where every timestamp has one.
        batches: the entries of every request that was looked at, refused ones too.
        faults: one word for each of the next requests: "ok", "lost" (carried out, no reply), "reset" (not carried
            out, no reply), a status in digits, or a callable that makes the reply of the entries.
        unknown_agents: a batch that names one of them is refused.
        words: makes the message of a refusal from the bad entries.
        results: makes the results of a reply from the entries.
        after_reply: called when a reply has been written.
    """

    def __init__(self):
        self.one, self.series, self.batches = {}, {}, []
        self.faults = deque()
        self.unknown_agents = set()
        self.is_bad = lambda entry: entry["agent_id"] in self.unknown_agents
        self.words = lambda bad: "some agent_id is not associated with an agent"
        self.results = lambda entries: [
            {name: entry[name] for name in ("ticket_id", "agent_id", "metric_id") if name in entry} for entry in entries
        ]
        self.after_reply = lambda: None
        self.tokens = set()

    @property
    def requests(self):
        return len(self.batches)

    def keep(self, entries):
        for entry in entries:
            slot = tuple(entry[name] for name in ("ticket_id", "source_id", "agent_id", "metric_id") if name in entry)
            key = (*slot, entry["timestamp"], *([entry["ticket_event_id"]] if "ticket_event_id" in entry else []))
            if entry.get("metric_deleted"):
                self.one.pop(slot, None)
                self.series.pop(key, None)
            else:
                self.one[slot] = self.series[key] = entry["metric_value"]

    def answer(self, entries):
        fault = self.faults.popleft() if self.faults else "ok"
        self.batches.append(entries)
        if callable(fault):
            return fault(entries)
        if fault == "reset":
            return None
        if fault.isdigit():
            return int(fault), {"message": f"told to answer {fault}"}
        bad = [entry for entry in entries if self.is_bad(entry)]
        if len(entries) > 500 or bad:
            return 422, {"message": self.words(bad)}
        self.keep(entries)
        return None if fault == "lost" else (201, {"results": self.results(entries)})


def serve(vendor):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            vendor.tokens.add(self.headers["apitoken"])
            assert self.path in (AGENT_PATH, TICKET_PATH)
            answer = vendor.answer(body["batch"])
            if answer is None:
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            status, told = answer
            content = json.dumps(told).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
            vendor.after_reply()

        def log_message(self, *args):
            """Silence."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    return server, thread


def command_environment(settings):
    """The environment in which a command meets the account and folder of `settings`, at the default pace."""
    return {name: value for name, value in os.environ.items() if not name.startswith("MAESTRO_")} | {
        "MAESTRO_API_TOKEN": settings.token,
        "MAESTRO_BASE_URL": settings.base_url,
        "MAESTRO_DATA": str(settings.data),
        "MAESTRO_CACHE": str(settings.cache),
    }


@pytest.fixture
def vendor():
    vendor = Vendor()
    server, thread = serve(vendor)
    vendor.base_url = f"http://127.0.0.1:{server.server_port}/api/v1"
    yield vendor
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def settings(vendor, tmp_path):
    return Settings(
        _env_file=None,
        api_token="a-token-for-tests",
        base_url=vendor.base_url,
        data=tmp_path / "data",
        cache=tmp_path / "cache",
        requests_per_second=10_000,
        requests_per_minute=600_000,
    )


@pytest.fixture
def publish(settings):
    """Publishes a database with these rows: table -> rows; a missing column is null. `covered`: pairs of moments."""

    def publish(covered=(), **tables):
        with Master.open(settings.data, host=settings.host, command="a test") as master:
            for name, rows in tables.items():
                master.connection.execute(f"delete from {name}")
                master.connection.register("given", pl.DataFrame(rows, infer_schema_length=None))
                master.connection.execute(f"insert into {name} by name from given")
                master.connection.unregister("given")
            for start, end in covered:
                master.connection.execute("insert into state.coverage values ('raw', ?, ?)", [at(start), at(end)])
            master.connection.execute("update state.account set host = ?", [settings.host])
            master.publish()

    return publish


@pytest.fixture
def transport(settings):
    with Transport(settings, clock=ClockThatJumps()) as transport:
        yield transport
