"""The object store: another origin, with presigned URLs that expire. It must never see the API's token."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote, urlencode

from maestro_analytics.sandbox.faults import Faults
from maestro_analytics.sandbox.http import Reply, Request
from maestro_analytics.sandbox.received import Inbox

_PIECE = 1 << 16
_SLOW_PIECE = 1 << 14


@dataclass
class _Upload:
    content_type: str
    attachment_id: str


class ObjectStore:
    """Files to fetch and attachments to put, both by presigned URL.

    It ignores headers that it does not know, as a real one does; a token among them is noted as a violation. It refuses
    `Authorization` beside a presigned query, because that is two ways of signing at once.
    """

    def __init__(self, *, timer: Callable[[], float], faults: Faults, inbox: Inbox) -> None:
        self.url = ""
        self._secret = secrets.token_bytes(32)
        self._timer = timer
        self._faults = faults
        self._inbox = inbox
        self._files: dict[str, Path] = {}
        self._uploads: dict[str, _Upload] = {}
        self._issued: dict[str, tuple[float, float]] = {}
        self._lock = threading.Lock()
        self._expired_before = float("-inf")

    def offer(self, key: str, path: Path) -> None:
        self._files[f"/exports/{key}"] = path

    def presigned_get(self, key: str, *, seconds: float) -> str:
        """A URL from which the file can be fetched for so long."""
        return self._presigned("GET", f"/exports/{key}", seconds)

    def presigned_put(self, attachment_id: str, content_type: str, *, seconds: float) -> str:
        """A URL to which the attachment can be put for so long."""
        path = f"/attachments/{quote(attachment_id, safe='')}"
        self._uploads[f"/attachments/{attachment_id}"] = _Upload(content_type, attachment_id)
        return self._presigned("PUT", path, seconds, signed_path=f"/attachments/{attachment_id}")

    def expire_urls(self) -> None:
        """Let every URL given out so far be expired."""
        self._expired_before = self._timer()

    def answer(self, request: Request) -> tuple[Reply, bool]:
        """The reply, and whether bytes were given or taken."""
        for name in ("apitoken", "authorization"):
            if name in request.headers:
                self._inbox.note_violation(f"{name} header sent to the object store: {request.method} {request.path}")
        if "authorization" in request.headers:
            return _error(400, "InvalidArgument", "Only one auth mechanism allowed"), False
        refusal = self._refuse_signature(request)
        if refusal is not None:
            return refusal, False
        if request.method == "PUT":
            return self._take(request)
        return self._give(request)

    def _presigned(self, method: str, path: str, seconds: float, signed_path: str | None = None) -> str:
        """A URL whose query has the form of S3's, signature version 4."""
        now = datetime.now(UTC)
        query = {
            "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
            "X-Amz-Credential": f"SANDBOXACCESSKEY/{now:%Y%m%d}/us-east-1/s3/aws4_request",
            "X-Amz-Date": f"{now:%Y%m%dT%H%M%SZ}",
            "X-Amz-Expires": f"{max(seconds, 0):.0f}",
            "X-Amz-SignedHeaders": "host",
        }
        with self._lock:
            # The number lets two URLs of one second differ.
            query["X-Amz-Security-Token"] = f"{len(self._issued):08d}"
            signature = self._signature(method, signed_path or path, query)
            self._issued[signature] = (self._timer(), self._timer() + seconds)
        return f"{self.url}{path}?{urlencode(query | {'X-Amz-Signature': signature})}"

    def _signature(self, method: str, path: str, query: Mapping[str, str]) -> str:
        signed = "\n".join((method, path, *(f"{name}={query[name]}" for name in sorted(query))))
        return hmac.new(self._secret, signed.encode(), hashlib.sha256).hexdigest()

    def _refuse_signature(self, request: Request) -> Reply | None:
        query = dict(request.query)
        given = query.pop("X-Amz-Signature", "")
        since, until = self._issued.get(given, (0.0, 0.0))
        if given not in self._issued or given != self._signature(request.method, request.path, query):
            return _error(403, "SignatureDoesNotMatch", "The request signature we calculated does not match")
        if self._timer() >= until or since <= self._expired_before:
            return _error(403, "AccessDenied", "Request has expired")
        return None

    def _take(self, request: Request) -> tuple[Reply, bool]:
        upload = self._uploads.get(request.path)
        if upload is None:
            return _error(404, "NoSuchKey", "The specified key does not exist."), False
        if request.headers.get("content-type") != upload.content_type:
            return _error(403, "SignatureDoesNotMatch", f"Content-Type must be {upload.content_type}"), False
        if request.headers.get("x-amz-server-side-encryption") != "AES256":
            return _error(403, "AccessDenied", "x-amz-server-side-encryption must be AES256"), False
        self._inbox.uploads[upload.attachment_id] = request.body
        return Reply(200, headers={"ETag": f'"{hashlib.md5(request.body, usedforsecurity=False).hexdigest()}"'}), True

    def _give(self, request: Request) -> tuple[Reply, bool]:
        path = self._files.get(request.path)
        if path is None:
            return _error(404, "NoSuchKey", "The specified key does not exist."), False
        if self._faults.first_n("html-download", request.path):
            page = b"<!DOCTYPE html><html><body><h1>Service temporarily unavailable</h1></body></html>"
            return Reply(200, page, {"Content-Type": "text/html; charset=utf-8"}), True
        size = path.stat().st_size
        tag = f'"{hashlib.sha256(f"{request.path}{size}".encode()).hexdigest()[:32]}"'
        headers = {"ETag": tag, "Accept-Ranges": "bytes", "Content-Type": "binary/octet-stream"}
        if request.headers.get("if-match", tag) not in (tag, "*"):
            return _error(412, "PreconditionFailed", "At least one of the preconditions did not hold"), False
        status, start, stop = 200, 0, size
        wanted = request.headers.get("range")
        if wanted is not None and request.headers.get("if-range", tag) == tag:
            span = _range(wanted, size)
            if span is None:
                return _error(
                    416, "InvalidRange", "The range is not satisfiable", {"Content-Range": f"bytes */{size}"}
                ), False
            status, (start, stop) = 206, span
            headers["Content-Range"] = f"bytes {start}-{stop - 1}/{size}"
        end = start + (stop - start) // 2 if self._faults.first_n("truncated-download", request.path) else stop
        return Reply(status, headers=headers, pieces=self._pieces(path, start, end), length=stop - start), True

    def _pieces(self, path: Path, start: int, end: int) -> Iterator[bytes]:
        slow = self._faults.number("slow-download")
        with path.open("rb") as file:
            file.seek(start)
            while start < end and (piece := file.read(min(end - start, _SLOW_PIECE if slow else _PIECE))):
                start += len(piece)
                yield piece
                if slow:
                    time.sleep(slow / 1000)


def _range(wanted: str, size: int) -> tuple[int, int] | None:
    """`bytes=a-b`, `bytes=a-` or `bytes=-n` as start and stop; None when nothing of it exists."""
    found = re.fullmatch(r"bytes=(\d*)-(\d*)", wanted)
    if found is None or found.group(0) == "bytes=-":
        return 0, size
    first, last = found.groups()
    if not first:
        return (max(0, size - int(last)), size) if int(last) and size else None
    start, stop = int(first), min(size, int(last) + 1) if last else size
    return (start, stop) if start < stop else None


def _error(status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> Reply:
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code><Message>{message}</Message></Error>'
    return Reply(status, body.encode(), {"Content-Type": "application/xml"} | dict(headers or {}))
