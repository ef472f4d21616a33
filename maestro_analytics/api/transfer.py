"""Download and upload files by presigned URL. The API token is never sent to these hosts.

A download is resumed where it broke off and checked against the announced length. The caller renames the file when it
is complete.
"""

from __future__ import annotations

import contextlib
import gzip
import os
import threading
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any
from urllib.parse import urljoin, urlsplit

import requests
import urllib3.exceptions

from maestro_analytics.api.clock import Clock, raise_if_set
from maestro_analytics.api.redaction import host_and_path
from maestro_analytics.api.retry import SILENCE_SECONDS, HostHealth
from maestro_analytics.api.transport import CONNECT_SECONDS, READ_SECONDS, plain_session
from maestro_analytics.errors import DiskFault, DownloadFailed, UploadFailed
from maestro_analytics.files import sha256_of
from maestro_analytics.settings import is_loopback

CHUNK_BYTES = 1 << 18
GZIP_START = b"\x1f\x8b"
LARGEST_INFLATION = 400
"""Bytes that one byte of a gzip file may become; text of grades becomes about 10."""
LEAST_BYTES = 4_096
"""Of a download in each `READ_SECONDS`: one that brings less is broken off and asked for again."""
TRIES = 9
"""In a row that brought nothing: about two minutes, as long as an API that does not answer is waited for."""
FEWEST_TRIES = 3
"""Of each file, also when its host has sent nobody anything for as long."""
LONGEST_WAIT_SECONDS = 30.0
REDIRECTS = 3
EXPIRED_STATUSES = (400, 401, 403, 404, 410)
"""What object stores answer to an expired URL, or to one whose object does not exist (yet)."""

OnBytes = Callable[[int, int | None], None]
"""Called with the bytes so far and the bytes announced (None: unknown)."""


class UrlExpired(Exception):
    """The store refuses this URL: a fresh one is needed."""


@dataclass(frozen=True)
class Downloaded:
    """A complete file on disk.

    Attributes:
        sha256: of its bytes, hexadecimal.
        size: in bytes.
    """

    path: Path
    sha256: str
    size: int


@contextlib.contextmanager
def _writing(path: Path) -> Iterator[None]:
    """Tell a failed file operation of this machine from a socket's, which is an OSError too."""
    try:
        yield
    except OSError as error:
        raise DiskFault(path=path, reason=error.strerror or str(error)) from None


class _Broken(Exception):
    """One attempt that broke off; the bytes received so far are kept for the next attempt."""


def require_https(url: str, *, redirected_from: str = "") -> str:
    """Return the URL if it is https, or on this machine itself.

    Args:
        url: absolute, or relative to `redirected_from`.

    Raises:
        DownloadFailed: it is neither.
    """
    try:
        url = urljoin(redirected_from, url)
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        host, url = "", ""
    if host and (parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host))):
        return url
    raise DownloadFailed(f"{host_and_path(url) if url else 'the download address'} is not an https URL")


class PresignedTransfer:
    """Downloads and uploads by presigned URL, in sessions without the token. Safe to share between threads."""

    def __init__(self, *, clock: Clock | None = None) -> None:
        self._clock = clock or Clock()
        self._healths: dict[str, HostHealth] = {}

    def download(
        self, url: str, part: Path, *, stop: threading.Event | None = None, on_bytes: OnBytes | None = None
    ) -> Downloaded:
        """Download `url` into `part` (an existing file is replaced) and sync it to disk.

        Raises:
            UrlExpired: the store refuses the URL.
            DiskFault: `part` cannot be written.
            DownloadFailed: nine tries in a row brought no more of it, its host sent nothing to anybody for two minutes,
                or the URL is not https.
            Cancelled: `stop` was set.
        """
        parts = urlsplit(require_https(url))
        health = self._healths.setdefault(parts.netloc, HostHealth())

        def came(have: int, expected: int | None) -> None:
            health.responded()
            if on_bytes:
                on_bytes(have, expected)

        part.unlink(missing_ok=True)
        with plain_session(parts.hostname or "") as session:
            fetch = _Fetch(session, url, part, stop, came, self._clock)
            best, in_vain, is_silent = 0, 0, False
            while in_vain < TRIES and not is_silent:
                if in_vain:
                    self._clock.wait(_backoff_seconds(in_vain), stop)
                health.request_sent(self._clock.seconds())
                try:
                    fetch.attempt()
                except UrlExpired:
                    health.responded()
                    raise
                except _Broken as broken:
                    why = str(broken)
                else:
                    health.responded()
                    return fetch.finish()
                # A download that breaks off repeatedly still completes, as long as each attempt gets further.
                in_vain = 1 if fetch.have > best else in_vain + 1
                best = max(best, fetch.have)
                # The two minutes are shared by all files of a host, not waited for each file.
                silent_seconds = health.silent_seconds(self._clock.seconds())
                is_silent = in_vain >= FEWEST_TRIES and silent_seconds >= SILENCE_SECONDS
        how_long = f"{in_vain} times" if in_vain >= TRIES else f"and nothing else for {SILENCE_SECONDS:.0f} s"
        raise DownloadFailed(f"{why}, {how_long}. The partial file is discarded. Run it again later.")

    def upload(self, url: str, file: Path, *, content_type: str, on_bytes: OnBytes | None = None) -> None:
        """Send a file to a presigned URL, with the headers that the vendor's reference asks for.

        Raises:
            UploadFailed: the store refused it, or could not be reached in nine tries.
        """
        headers = {"Content-Type": content_type, "x-amz-server-side-encryption": "AES256"}
        size = file.stat().st_size
        shown = host_and_path(url)
        with plain_session(urlsplit(require_https(url)).hostname or "") as session:
            for number in range(1, TRIES + 1):
                with file.open("rb") as source:
                    # requests announces no length for an empty stream, and stores take no upload without one.
                    data = _Counted(source, size, on_bytes) if size else b""
                    try:
                        status = session.put(
                            url,
                            data=data,
                            headers=headers,
                            allow_redirects=False,
                            timeout=(CONNECT_SECONDS, READ_SECONDS),
                        ).status_code
                        why = f"{status} from {shown}"
                    except requests.RequestException as error:
                        status, why = 0, f"no answer from {shown} ({type(error).__name__})"
                if 200 <= status < 300:
                    return
                if 300 <= status < 500 and status not in (408, 429):
                    break
                if number < TRIES:
                    self._clock.wait(_backoff_seconds(number))
        raise UploadFailed(f"{file.name} could not be sent: {why}. Presigned addresses are valid for 10 minutes.")


class _Counted:
    """A file that reports how much of it was read."""

    def __init__(self, source: IO[bytes], size: int, on_bytes: OnBytes | None) -> None:
        self._source = source
        self._size = size
        self._on_bytes = on_bytes

    def __len__(self) -> int:
        return self._size

    def read(self, size: int = -1) -> bytes:
        chunk = self._source.read(size)
        if chunk and self._on_bytes:
            self._on_bytes(self._source.tell(), self._size)
        return chunk

    def __iter__(self) -> Iterator[bytes]:
        while chunk := self.read(CHUNK_BYTES):
            yield chunk


class _Fetch:
    """One download over several connections."""

    def __init__(
        self,
        session: requests.Session,
        url: str,
        part: Path,
        stop: threading.Event | None,
        on_bytes: OnBytes,
        clock: Clock,
    ) -> None:
        self._clock = clock
        self._session = session
        self._url = url
        self._part = part
        self._stop = stop
        self._on_bytes = on_bytes
        self._announced: Mapping[str, str] = {}
        """Headers of the last answer that began at the first byte."""
        self.have = 0

    def attempt(self) -> None:
        """Fetch the rest of the file, or all of it.

        Raises:
            _Broken: it broke off, or is not what was announced.
            UrlExpired: see `PresignedTransfer.download`.
        """
        response = self._answer()
        with response:
            if response.status_code in EXPIRED_STATUSES:
                raise UrlExpired(f"{response.status_code} from {host_and_path(self._url)}")
            if response.status_code == 416:
                self.have = 0
            if response.status_code not in (200, 206):
                raise _Broken(f"{response.status_code} from {host_and_path(self._url)}")
            if response.status_code == 206 and not self._continues(response):
                self.have = 0
                raise _Broken(f"{host_and_path(self._url)} sent another part of the file than was asked for")
            if response.status_code == 200:
                self.have = 0
                self._announced = response.headers
            # gzip is unpacked at the end, so that a wrong label does no harm and a broken download can go on.
            encoded = response.headers.get("Content-Encoding", "").lower() not in ("", "identity", "gzip", "x-gzip")
            self._write(response, encoded=encoded)

    def finish(self) -> Downloaded:
        """Decode a gzip body, check that it is a file, and hash it.

        Raises:
            UrlExpired: an error page came instead of the file; a fresh URL may help.
        """
        with self._part.open("rb") as file:
            if file.read(2) == GZIP_START:
                self._unpack_gzip()
        with self._part.open("rb") as file:
            start = file.read(256).lstrip(b"\xef\xbb\xbf \r\n\t")
        if start.startswith((b"<", b"{", b"[")):
            raise UrlExpired(f"{host_and_path(self._url)} sent an error page instead of the file")
        return Downloaded(self._part, sha256_of(self._part), self._part.stat().st_size)

    def _unpack_gzip(self) -> None:
        """Replace a gzip file by its content: a store that labels a file as gzip sends it so."""
        unpacked = self._part.with_name(f"{self._part.name}.unpacked")
        limit = LARGEST_INFLATION * self._part.stat().st_size + (1 << 20)
        size = 0
        try:
            with gzip.open(self._part, "rb") as packed, unpacked.open("wb") as file:
                while chunk := packed.read(1 << 20):
                    size += len(chunk)
                    if size > limit:
                        raise UrlExpired(f"{host_and_path(self._url)} sent a gzip file that unpacks to too many bytes")
                    file.write(chunk)
                file.flush()
                os.fsync(file.fileno())
            unpacked.replace(self._part)
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise UrlExpired(f"{host_and_path(self._url)} sent a damaged gzip file ({type(error).__name__})") from None
        except OSError as error:
            raise DiskFault(path=unpacked, reason=error.strerror or str(error)) from None
        finally:
            unpacked.unlink(missing_ok=True)

    def _answer(self) -> requests.Response:
        headers = {"Accept-Encoding": "identity"}
        if self.have:
            headers["Range"] = f"bytes={self.have}-"
            # A weak tag does not promise the same bytes.
            tag = self._announced.get("ETag", "W/")
            if validator := self._announced.get("Last-Modified") if tag.startswith("W/") else tag:
                headers["If-Range"] = validator
        url = self._url
        for _ in range(REDIRECTS + 1):
            failure = ""
            try:
                response = self._session.get(
                    url, headers=headers, stream=True, allow_redirects=False, timeout=(CONNECT_SECONDS, READ_SECONDS)
                )
            except requests.RequestException as error:
                failure = type(error).__name__
            if failure:
                raise _Broken(f"no answer from {host_and_path(url)} ({failure})")
            place = response.headers.get("Location")
            if response.status_code not in (301, 302, 303, 307, 308) or not place:
                return response
            response.close()
            url = require_https(place, redirected_from=url)
        raise _Broken(f"{host_and_path(self._url)} redirects too many times")

    def _continues(self, response: requests.Response) -> bool:
        """Whether a part begins where the file broke off, and is of the same file as far as headers tell."""
        place, _, size = response.headers.get("Content-Range", "").replace(" ", "").partition("/")
        facts = (
            (self._announced.get("Content-Length"), size),
            (self._announced.get("ETag"), response.headers.get("ETag")),
        )
        return place.startswith(f"bytes{self.have}-") and all(
            not before or not now or now == "*" or before == now for before, now in facts
        )

    def _write(self, response: requests.Response, *, encoded: bool) -> None:
        announced = _number(response.headers.get("Content-Length"))
        expected = None if announced is None or encoded else self.have + announced
        failure = ""
        with _writing(self._part), self._part.open("r+b" if self.have else "wb") as file:
            if self.have:
                file.truncate(self.have)
                file.seek(self.have)
            window_start, window_bytes = self._clock.seconds(), self.have
            try:
                # read1 returns what has arrived; stream() would wait for a whole chunk from a server that drips.
                while chunk := response.raw.read1(CHUNK_BYTES, decode_content=encoded):
                    raise_if_set(self._stop)
                    with _writing(self._part):
                        file.write(chunk)
                    self.have += len(chunk)
                    self._on_bytes(self.have, expected)
                    moment = self._clock.seconds()
                    if moment - window_start >= READ_SECONDS:
                        if self.have - window_bytes < LEAST_BYTES:
                            failure = f"fewer than {LEAST_BYTES:,} bytes in {READ_SECONDS:.0f} s"
                            break
                        window_start, window_bytes = moment, self.have
            except (urllib3.exceptions.HTTPError, OSError) as error:
                failure = type(error).__name__
            file.flush()
            os.fsync(file.fileno())
        if failure and (encoded or response.headers.get("Content-Encoding", "identity").lower() != "identity"):
            # An encoded body has other offsets than the file.
            self.have = 0
        if not failure and expected is not None and self.have != expected:
            failure = f"{self.have} bytes of {expected}"
            if self.have > expected:
                self.have = 0
        if failure:
            raise _Broken(f"the download from {host_and_path(self._url)} broke off ({failure})")


def _backoff_seconds(tries: int) -> float:
    return min(2.0 ** (tries - 1), LONGEST_WAIT_SECONDS)


def _number(text: Any) -> int | None:
    try:
        return int(text)
    except (TypeError, ValueError):
        return None
