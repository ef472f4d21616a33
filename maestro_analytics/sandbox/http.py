"""An HTTP server with threads: requests and replies as values, and connections that can be reset."""

from __future__ import annotations

import json
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

LOOPBACK = "127.0.0.1"
_DRIP = 64


@dataclass(frozen=True)
class Request:
    """A request as it came in: header names in lower case, the path decoded, the last value of each query name."""

    method: str
    path: str
    raw_path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Reply:
    """An answer. `pieces` streams `length` bytes instead of `body`; `reset` drops the connection without an answer."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    pieces: Iterator[bytes] | None = None
    length: int = 0
    reset: bool = False


def json_reply(status: int, value: Any, headers: Mapping[str, str] | None = None) -> Reply:
    return Reply(status, json.dumps(value).encode() + b"\n", {"Content-Type": "application/json"} | dict(headers or {}))


def dripping(reply: Reply, seconds: float) -> Reply:
    """The same reply in small pieces with `seconds` between them; the reply itself where that is 0."""
    if not seconds or reply.reset or reply.pieces is not None:
        return reply

    def pieces() -> Iterator[bytes]:
        for position in range(0, len(reply.body), _DRIP):
            time.sleep(seconds)
            yield reply.body[position : position + _DRIP]

    return replace(reply, pieces=pieces(), length=len(reply.body))


class Origin:
    """A server at its own port that answers each request with `answer`.

    Raises:
        OSError: the port is in use.
    """

    def __init__(self, answer: Callable[[Request], Reply], *, port: int = 0) -> None:
        self._server = _Server((LOOPBACK, port), answer)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self._server.server_address[1]}"

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """Stop, drop what is open, and wait for every thread."""
        if self._thread.is_alive():
            self._server.shutdown()
        self._server.drop_connections()
        self._server.server_close()
        if self._thread.is_alive():
            self._thread.join()


class _Server(ThreadingHTTPServer):
    request_queue_size = 64

    def __init__(self, address: tuple[str, int], answer: Callable[[Request], Reply]) -> None:
        self.answer = answer
        self._connections: set[socket.socket] = set()
        self._talking: list[threading.Thread] = []
        self._lock = threading.Lock()
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        # The standard server looks up the host's name, which can take seconds where DNS is slow.
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()

    def process_request(self, request: Any, client_address: Any) -> None:
        """A thread for each connection. They are daemons, so that a sandbox nobody closed lets its program end."""
        thread = threading.Thread(target=self.process_request_thread, args=(request, client_address), daemon=True)
        with self._lock:
            self._connections.add(request)
            self._talking = [known for known in self._talking if known.is_alive()] + [thread]
            thread.start()

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._connections.discard(request)
        super().shutdown_request(request)

    def drop_connections(self) -> None:
        with self._lock:
            for connection in self._connections:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    continue
            threads = list(self._talking)
        for thread in threads:
            thread.join()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore clients that disconnect; print any other error."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "maestro-sandbox"
    sys_version = ""
    disable_nagle_algorithm = True
    server: _Server

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: a request line can hold a presigned query."""

    def _serve(self) -> None:
        parts = urlsplit(self.path)
        length = self.headers.get("Content-Length", "0")
        if self.headers.get("Transfer-Encoding") or not length.isdigit():
            self._send(json_reply(411, {"message": "Content-Length is required"}))
            self.close_connection = True
            return
        self._send(
            self.server.answer(
                Request(
                    method=self.command,
                    path=unquote(parts.path),
                    raw_path=parts.path,
                    query=dict(parse_qsl(parts.query, keep_blank_values=True)),
                    headers={name.lower(): value for name, value in self.headers.items()},
                    body=self.rfile.read(int(length)) if int(length) else b"",
                )
            )
        )

    do_GET = do_POST = do_PATCH = do_DELETE = do_PUT = do_HEAD = _serve

    def _send(self, reply: Reply) -> None:
        if reply.reset:
            # Lingering for 0 seconds makes closing send RST instead of FIN.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
            self.connection.close()
            return
        length = reply.length if reply.pieces is not None else len(reply.body)
        self.send_response_only(reply.status)
        self.send_header("Server", self.server_version)
        if "Date" not in reply.headers:
            self.send_header("Date", self.date_time_string())
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(length))
        self.end_headers()
        if self.command == "HEAD":
            return
        if reply.pieces is None:
            self.wfile.write(reply.body)
            return
        sent = 0
        for piece in reply.pieces:
            self.wfile.write(piece)
            sent += len(piece)
        self.close_connection = self.close_connection or sent < length
