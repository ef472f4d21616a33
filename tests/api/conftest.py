"""A vendor that says what a test tells it to, over real HTTP, and a clock that does not wait."""

import json
import socket
import ssl
import struct
import sys
import threading
import time
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

import pytest

from maestro_analytics.api import Transport
from maestro_analytics.api.clock import Clock
from maestro_analytics.client import Client
from maestro_analytics.errors import Cancelled
from maestro_analytics.settings import Settings

TOKEN = "tok-0123456789-secret"


@dataclass
class Reply:
    """An answer. `cut`: only so many bytes of the body come. `reset`: the connection breaks in place of an answer.

    `drip_seconds`: the pause before each byte of the body.
    """

    status: int = 200
    body: object = field(default_factory=dict)
    headers: dict = field(default_factory=dict)
    cut: int | None = None
    reset: bool = False
    without_length: bool = False
    drip_seconds: float = 0.0

    @property
    def content(self):
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


@dataclass
class Seen:
    """A request that came in."""

    method: str
    path: str
    query: dict
    headers: dict
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)


class Host:
    """A server that answers `METHOD /path` with the replies it was given, the last of them for ever."""

    def __init__(self):
        self.seen = []
        self._replies = defaultdict(list)
        self._lock = threading.Lock()
        host = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def log_message(self, *args):
                pass

            def answer(self):
                parts = urlsplit(self.path)
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                path = self.path if self.command == "CONNECT" else parts.path
                seen = Seen(self.command, path, dict(parse_qsl(parts.query)), dict(self.headers), body)
                host.send(self, host.reply_to(seen))

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_CONNECT = answer

        class Server(ThreadingHTTPServer):
            def handle_error(self, request, client_address):
                """Ignore clients that disconnected."""
                if not isinstance(sys.exception(), OSError | ValueError):
                    super().handle_error(request, client_address)

        self._server = Server(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        # A short poll, so that closing takes no time.
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self._thread.start()

    def on(self, route, *replies):
        """Answer `METHOD /path` (`*` at the end stands for anything) with these, each a Reply or seen -> Reply."""
        self._replies[route] = list(replies)

    def reply_to(self, seen):
        with self._lock:
            self.seen.append(seen)
            route = f"{seen.method} {seen.path}"
            fitting = next(
                (name for name in self._replies if name == route or (name[-1] == "*" and route.startswith(name[:-1]))),
                None,
            )
            if fitting is None:
                return Reply(404, {"message": f"nothing at {route}"})
            replies = self._replies[fitting]
            reply = replies.pop(0) if len(replies) > 1 else replies[0]
        return reply(seen) if callable(reply) else reply

    @staticmethod
    def send(handler, reply):
        if reply.reset:
            handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            handler.connection.close()
            handler.close_connection = True
            return
        content = reply.content
        handler.send_response(reply.status)
        for name, value in reply.headers.items():
            handler.send_header(name, value)
        if not reply.without_length and "Content-Length" not in reply.headers:
            handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        for byte in content if reply.drip_seconds else b"":
            time.sleep(reply.drip_seconds)
            handler.wfile.write(bytes([byte]))
        if reply.drip_seconds:
            return
        handler.wfile.write(content if reply.cut is None else content[: reply.cut])
        if reply.cut is not None or reply.without_length:
            handler.close_connection = True

    def use_certificate(self, certificate, key):
        """Speak TLS from now on."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.url = self.url.replace("http://", "https://")

    def close(self):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class HandClock(Clock):
    """A clock whose hands move only when somebody waits, and which notes how long."""

    def __init__(self):
        self.waited = []
        self._seconds = 1_000.0

    def seconds(self):
        return self._seconds

    def utc(self):
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=self._seconds)

    def wait(self, seconds, stop=None):
        if stop is not None and stop.is_set():
            raise Cancelled
        self.waited.append(seconds)
        self._seconds += seconds
        time.sleep(0)


@pytest.fixture
def clock():
    return HandClock()


@pytest.fixture
def host():
    server = Host()
    yield server
    server.close()


@pytest.fixture
def settings(host, tmp_path):
    return Settings(
        api_token=TOKEN,
        base_url=f"{host.url}/api/v1",
        cache=tmp_path / "cache",
        data=tmp_path / "data",
        requests_per_second=10_000,
        requests_per_minute=100_000,
        _env_file=None,
    )


@pytest.fixture
def transport(settings, clock):
    with Transport(settings, clock=clock) as made:
        yield made


@pytest.fixture
def client(settings, clock):
    with Client(settings, clock=clock) as made:
        yield made


@pytest.fixture
def reply():
    return Reply


@pytest.fixture
def token():
    return TOKEN


@pytest.fixture
def unused_port():
    """A port of this machine at which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
