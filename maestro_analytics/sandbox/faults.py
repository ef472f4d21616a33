"""Named faults that can be switched on, and how often each still strikes."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from difflib import get_close_matches

FAULTS: dict[str, tuple[int, str]] = {
    "clock-offset": (10, "the Date header of API answers is N minutes behind this machine's clock"),
    "drip": (20, "API answers come in pieces of 64 bytes with N milliseconds between them"),
    "forbidden-endpoint": (1, "requests for audit-log exports are answered 403"),
    "server-errors": (4, "every Nth API request is answered 500, 502 or 503 with an HTML page, and not carried out"),
    "reset-before": (5, "every Nth API request: the connection is reset before the request is taken"),
    "reset-after": (5, "every Nth API request is carried out, then the connection is reset instead of a reply"),
    "too-many-requests": (4, "every Nth API request is answered 429 with Retry-After: 1"),
    "too-many-requests-bare": (4, "every Nth API request is answered 429 without Retry-After"),
    "token-expires": (10, "after N API requests the token is refused (401)"),
    "slow-download": (50, "files come in pieces of 16 KiB with N milliseconds between them"),
    "truncated-download": (1, "the first N downloads of each file stop half way, though the length says otherwise"),
    "expired-url": (1, "the first N data URLs of each export have expired already"),
    "html-download": (1, "the first N downloads of each file are an HTML error page with status 200"),
    "errored": (1, "the first N exports end errored"),
    "errored-above": (500, "raw exports of more than N scores (grades) end errored"),
    "failed": (1, "the first N exports end with the status word `failed`, which the reference lacks"),
    "unknown-status": (2, "a finished export is `queued`, a word that the reference lacks, for its first N polls"),
    "empty-url": (1, "the first N exports with data end complete with an empty dataUrl"),
    "earlier-id": (1, "N requests for an export are answered with the id of the first export of their kind"),
    "empty-groups": (1, "the first N groups exports have a header and no rows"),
    "late-updates": (15, "raw and audit-log exports show what happened N minutes late"),
    "never-ends": (1, "the first N exports stay in progress for ever"),
    "odd-nulls": (1, "null is `Unknown`, empty or `N/A` in every column, also in dates"),
    "unknown-column": (1, "every file has a column that nobody announced"),
    "missing-column": (1, "every file lacks an ordinary column"),
    "missing-identity": (1, "individual_answers lacks question_id, audit_logs lacks activity_id, groups lack group_id"),
    "bad-rows": (1, "every file has N rows more of each bad kind: score text, time text, no identity"),
    "too-many-bad-rows": (10, "N of 100 rows more in total_scores are bad"),
    "ragged-row": (1, "every file has N rows more with a field too many, and N with fields too few"),
    "steady-files": (1, "exports with the same parameters are written alike: the same data gives the same bytes"),
    "renamed-columns": (1, "total_scores has other names for five of its columns, four of them identities"),
    "lines-before-header": (2, "every file has N lines before its header"),
    "missing-member": (1, "the zip lacks individual_answers"),
    "encrypted-member": (1, "the zip's individual_answers is encrypted"),
    "deflate64-member": (1, "the zip's individual_answers is compressed with Deflate64"),
    "unknown-member": (1, "the zip has two members more that are no known table"),
    "unsafe-member": (1, 'a member of the zip is called "../../escaped/total_scores.csv"'),
    "changing-pages": (2, "N times for each list, a record comes and two go while pages are read"),
    "growing-list": (1, "a record comes with every Nth page after the first of a list"),
    "lost-reply": (1, "the first N metrics batches are carried out, and their reply is lost"),
    "unknown-agent": (1, "metrics for the first N agents are refused: the vendor knows none of their ids"),
}
"""Name -> (default N, what it does). N is given as NAME=N."""


class UnknownFault(ValueError):
    """There is no fault of this name, or its number is invalid."""


def parsed(names: Iterable[str]) -> dict[str, int]:
    """`NAME` or `NAME=N` -> N.

    Raises:
        UnknownFault: with the nearest names.
    """
    chosen = {}
    for given in names:
        name, equals, number = given.partition("=")
        if name not in FAULTS:
            near = get_close_matches(name, FAULTS, n=3, cutoff=0.4) or sorted(FAULTS)
            raise UnknownFault(f"no fault is called {name!r}; try {', '.join(near)}")
        if equals and not (number.isascii() and number.isdigit() and int(number) > 0):
            raise UnknownFault(f"fault {name}: {number!r} is not a whole number above 0")
        chosen[name] = int(number) if equals else FAULTS[name][0]
    return chosen


class Faults:
    """The faults that are switched on. Tests may switch them while the sandbox runs."""

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._on = parsed(names)
        self._counts: dict[tuple[str, str], int] = {}
        self._lock = threading.Lock()

    def switch_on(self, *names: str) -> None:
        """Switch on `NAME` or `NAME=N`; counting starts anew."""
        chosen = parsed(names)
        with self._lock:
            self._on |= chosen
            self._counts = {key: count for key, count in self._counts.items() if key[0] not in chosen}

    def switch_off(self, *names: str) -> None:
        """Switch off these faults, or all if none is named."""
        with self._lock:
            for name in names or list(self._on):
                self._on.pop(name, None)

    def number(self, name: str) -> int:
        """N of a fault that is on, else 0."""
        return self._on.get(name, 0)

    def every_nth(self, name: str) -> int:
        """0 unless this is an Nth call; else how often it has struck, from 1."""
        count = self._count(name, "")
        return count // self._on[name] if count and count % self._on[name] == 0 else 0

    def first_n(self, name: str, of: str = "") -> bool:
        """Whether this is one of the first N calls for `of`."""
        return 0 < self._count(name, of) <= self._on.get(name, 0)

    def after_n(self, name: str) -> bool:
        """Whether there were more than N calls."""
        return self._count(name, "") > self._on.get(name, 0)

    def _count(self, name: str, of: str) -> int:
        with self._lock:
            if name not in self._on:
                return 0
            self._counts[name, of] = self._counts.get((name, of), 0) + 1
            return self._counts[name, of]
