"""One rate budget for every thread and process that uses the same token.

The vendor counts 10 requests a second and 100 a minute as it sees them arrive. A limiter that counts departures
lets more through in one of the vendor's seconds whenever one request is slower on its way than the next. So a request
counts from its departure until its answer is there, and for a whole window after that: whatever the way there did,
the vendor cannot have seen more than the limit in any window. Measured with two processes of eight threads, answers
that take up to 0.2 s, and a server that counts exactly: never more than 9 in any second and 95 in any minute.

The budget lies in an SQLite file of the cache folder (pyrate-limiter's bucket, behind its file lock), named by a hash
of the token. A 429 is noted there too, so that it pauses every process.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sqlite3
import threading
import weakref
from collections.abc import Iterator
from itertools import count
from pathlib import Path

from pyrate_limiter import Duration, Rate, RateItem, SQLiteBucket

from maestro_analytics.api.clock import Clock
from maestro_analytics.errors import SettingsError

LONGEST_FLIGHT_MS = 5_000
"""A request without an answer after this was counted by the vendor long ago (or its process was killed)."""
LONGEST_PAUSE_MS = 120_000
CLOCK_PUT_BACK_MS = 10_000
"""Entries further in the future than this were written before the machine's clock was set back."""
LONGEST_NAP_SECONDS = 0.25
"""Answers free slots earlier than the bucket can predict, so waits check again this often."""

_numbers = count()


class _AnsweredBucket(SQLiteBucket):
    """pyrate-limiter's bucket, in which a request stays until its answer has arrived."""

    clock = Clock()

    def now(self) -> int:
        return int(self.clock.utc().timestamp() * 1000)

    def put(self, item: RateItem) -> bool:
        with self.lock:
            # Read the time inside the lock: other processes have added entries while this thread waited.
            item.timestamp = self.now()
            self._correct_future_entries(item.timestamp)
            if self._paused_until(item.timestamp) > item.timestamp or not super().put(item):
                return False
            flight_end = item.timestamp + LONGEST_FLIGHT_MS
            self._write("update requests set item_timestamp = ? where name = ?", flight_end, item.name)
            return True

    def answered(self, name: str) -> None:
        with self.lock:
            now = self.now()
            self._write("update requests set item_timestamp = min(item_timestamp, ?) where name = ?", now, name)
            self.leak(now)

    def pause(self, milliseconds: int) -> None:
        with self.lock:
            self._write("delete from pauses where until < ?", self.now())
            self._write("insert into pauses values (?)", self.now() + milliseconds)

    def milliseconds_to_wait(self, item: RateItem) -> int:
        with self.lock:
            paused = self._paused_until(item.timestamp) - item.timestamp
        return max(paused, self._recorded_wait(item) or 0, 5)

    def _paused_until(self, now: int) -> int:
        latest = now + LONGEST_PAUSE_MS + CLOCK_PUT_BACK_MS
        row = self.conn.execute("select max(until) from pauses where until <= ?", (latest,)).fetchone()
        return int(row[0] or 0)

    def _correct_future_entries(self, now: int) -> None:
        newest = self.conn.execute("select max(item_timestamp) from requests").fetchone()[0]
        if newest is not None and newest > now + LONGEST_FLIGHT_MS + CLOCK_PUT_BACK_MS:
            self._write("update requests set item_timestamp = min(item_timestamp, ?)", now)

    def _write(self, statement: str, *values: int | str) -> None:
        """Commit one change at once: an open transaction would block every other process."""
        with self.conn:
            self.conn.execute(statement, values).close()


class RateLimiter:
    """Rate limiter shared by all processes that use a token. Safe to share between threads.

    Args:
        folder: the cache folder, shared by the processes that share the token.
        token: only a hash of it is ever written.
        requests_per_second, requests_per_minute: the limits that no window exceeds.

    Raises:
        SettingsError: the folder cannot be written.
    """

    def __init__(
        self,
        folder: Path,
        *,
        token: str,
        requests_per_second: int,
        requests_per_minute: int,
        clock: Clock | None = None,
    ) -> None:
        rates = _distinct_rates(requests_per_second, requests_per_minute)
        name = hashlib.sha256(f"maestro-analytics pacing {token}".encode()).hexdigest()[:24]
        self.path = folder.absolute() / f"pacing-{name}.sqlite"
        self._clock = clock or Clock()
        self._lock = threading.Lock()
        with self._locked():
            folder.mkdir(parents=True, exist_ok=True)
            try:
                self._bucket = self._open(rates)
            except sqlite3.OperationalError:
                raise
            except sqlite3.DatabaseError:
                # The file is not a database (a full disk, a failed copy): start a new one with a full budget.
                for ending in ("", "-wal", "-shm"):
                    self.path.with_name(self.path.name + ending).unlink(missing_ok=True)
                self._bucket = self._open(rates)
        self._bucket.clock = self._clock
        self._close = weakref.finalize(self, self._bucket.close)

    def _open(self, rates: list[Rate]) -> _AnsweredBucket:
        bucket = _AnsweredBucket.init_from_file(rates, table="requests", db_path=str(self.path), use_file_lock=True)
        if not isinstance(bucket, _AnsweredBucket):
            raise TypeError("pyrate-limiter made another bucket than the one asked for")
        with bucket.lock:
            bucket.conn.execute("create table if not exists pauses (until integer)").close()
            bucket.conn.commit()
        return bucket

    @contextlib.contextmanager
    def slot(self, stop: threading.Event | None = None) -> Iterator[None]:
        """Wait until a request may be sent, and count it as in flight while the `with` body runs.

        Raises:
            Cancelled: `stop` was set while waiting.
            SettingsError: the folder cannot be written any more.
        """
        name = f"{os.getpid()}-{next(_numbers)}-{self._bucket.now()}"
        while (milliseconds := self._try(name)) > 0:
            self._clock.wait(min(milliseconds / 1000, LONGEST_NAP_SECONDS), stop)
        try:
            yield
        finally:
            with self._locked():
                self._bucket.answered(name)

    def pause(self, seconds: float) -> None:
        """Stop every process that shares the token from sending for `seconds`, at most 120."""
        with self._locked():
            self._bucket.pause(min(int(seconds * 1000), LONGEST_PAUSE_MS))

    def close(self) -> None:
        """Close the database. `slot` fails after this."""
        self._close()

    def _try(self, name: str) -> int:
        """0 if the request may be sent, else the milliseconds to wait."""
        with self._locked():
            item = RateItem(name, self._bucket.now())
            return 0 if self._bucket.put(item) else self._bucket.milliseconds_to_wait(item)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """Use the database in one thread at a time, and name its folder in an error of SQLite or of the disk.

        The file lock serialises processes, by polling; this lock serialises the threads of one process.
        """
        try:
            with self._lock:
                yield
        except (sqlite3.OperationalError, OSError) as error:
            raise SettingsError(
                f"the pacing database in {self.path.parent} cannot be used ({error}): free space there, or set "
                "MAESTRO_CACHE to a folder that can be written. What had landed stays."
            ) from None


def _distinct_rates(per_second: int, per_minute: int) -> list[Rate]:
    """The rates that can take effect: the bucket refuses a list in which one rate implies another."""
    if per_second >= per_minute:
        return [Rate(per_minute, Duration.MINUTE)]
    if per_second * 60 <= per_minute:
        return [Rate(per_second, Duration.SECOND)]
    return [Rate(per_second, Duration.SECOND), Rate(per_minute, Duration.MINUTE)]
