"""The sandbox as a context manager: two servers, a clock, and accounts with a contact centre each."""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from email.utils import formatdate
from pathlib import Path
from typing import Any, Self

from maestro_analytics.sandbox.agents import Directory
from maestro_analytics.sandbox.clock import Clock
from maestro_analytics.sandbox.coaching import CoachingLists
from maestro_analytics.sandbox.exports import ExportJob, Exports
from maestro_analytics.sandbox.faults import Faults
from maestro_analytics.sandbox.http import Origin, Reply, Request, dripping
from maestro_analytics.sandbox.metrics import Metrics
from maestro_analytics.sandbox.received import Inbox, Received
from maestro_analytics.sandbox.routing import ROOT, Api, SlidingWindows
from maestro_analytics.sandbox.simulation.chance import PEOPLE, mix
from maestro_analytics.sandbox.simulation.habits import chosen as habits_named
from maestro_analytics.sandbox.simulation.timeline import Centre
from maestro_analytics.sandbox.store import ObjectStore
from maestro_analytics.sandbox.tickets import Comments, Tickets
from maestro_analytics.sandbox.truth import Truth


@dataclass(frozen=True)
class Shared:
    """What all accounts of a sandbox have in common. See `Sandbox` for the numbers."""

    clock: Clock
    store: ObjectStore
    faults: Faults
    inbox: Inbox
    folder: Path
    export_seconds: float
    url_seconds: float
    largest_page: int


class Account:
    """An account.

    Attributes:
        token: of its API; made from the seed when not given.
        truth: what a correct warehouse of this account holds.
        exports, comments: what was asked for and written.
    """

    def __init__(self, centre: Centre, shared: Shared, *, limits: SlidingWindows, token: str | None) -> None:
        self.token = token or f"sandbox-{mix(centre.seed, PEOPLE, 1_000):016x}"
        self.centre = centre
        directory = Directory(centre)
        self.truth = Truth(centre=centre, directory=directory, moment=shared.clock.now)
        self.exports = Exports(
            centre=centre,
            directory=directory,
            clock=shared.clock,
            store=shared.store,
            faults=shared.faults,
            folder=shared.folder,
            seconds=shared.export_seconds,
            url_seconds=shared.url_seconds,
        )
        tickets = Tickets(centre=centre, directory=directory, clock=shared.clock)
        self.comments = Comments(
            centre=centre, tickets=tickets, store=shared.store, clock=shared.clock, inbox=shared.inbox
        )
        lists = CoachingLists(centre=centre, clock=shared.clock, faults=shared.faults, largest_page=shared.largest_page)
        metrics = Metrics(
            directory=directory, tickets=tickets, faults=shared.faults, inbox=shared.inbox, seed=centre.seed
        )
        self.api = Api(
            [
                *self.exports.routes(),
                *tickets.routes(),
                *self.comments.routes(),
                *directory.routes(),
                *lists.routes(),
                *metrics.routes(),
            ],
            token=self.token,
            limits=limits,
            faults=shared.faults,
            inbox=shared.inbox,
        )

    def close(self) -> None:
        """Stop making exports."""
        self.exports.close()


class Sandbox:
    """The vendor's API over real HTTP, with a believable contact centre behind it.

        with Sandbox(seed=1, agents=12, days=60) as sb:
            sb.base_url, sb.token      # what a client needs
            sb.advance(days=7)         # re-grades, deletions, completed to-dos happen
            sb.truth.total_scores      # what a correct warehouse holds now
            sb.received.requests       # what came in

    Args:
        seed: the same seed gives the same centre, relative to its first day.
        agents: people, with one to three ids each.
        days: whole days of history before `now`.
        now: the clock's moment at the start, aware; None is the present. The clock stands still unless moved.
        running: let the clock run along with real time from `now`.
        grades_per_agent_week: ordinary grades; a grade has 9 to 13 answers or so.
        coaching_effect: what a session adds to an agent's true quality, in percent points (0 to 10).
        habits: names from `HABITS`, or "all": what makes a centre harder to read, with its truth; none by default.
        faults: names from `FAULTS`, as NAME or NAME=N.
        requests_per_second, requests_per_minute: the limits; None switches one off.
        export_seconds: real time that an export takes at least.
        url_seconds: how long a data URL is good for.
        largest_page: the most records that a page of a coaching list holds.
        port, token: of the API; a free port and a token made from the seed when not given.
        timer: a monotonic clock in seconds, for limits and the age of URLs.

    Raises:
        UnknownFault, UnknownHabit: a fault or habit that does not exist.
        OSError: the port is in use.
    """

    def __init__(
        self,
        *,
        seed: int = 1,
        agents: int = 12,
        days: int = 60,
        now: datetime | None = None,
        running: bool = False,
        grades_per_agent_week: float = 5.0,
        coaching_effect: float = 5.0,
        habits: Iterable[str] = (),
        faults: Iterable[str] = (),
        requests_per_second: int | None = 10,
        requests_per_minute: int | None = 100,
        export_seconds: float = 0.0,
        url_seconds: float = 300.0,
        largest_page: int = 100,
        port: int = 0,
        token: str | None = None,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        if agents < 1 or days < 1 or not 0 <= coaching_effect <= 10:
            raise ValueError("agents and days must be at least 1, coaching_effect 0 to 10")
        named = habits_named(habits)
        self.faults = Faults(faults)
        self.received = Inbox()
        self._timer = timer
        self._clock = Clock(now, running=running)
        self._folder = tempfile.TemporaryDirectory(prefix="maestro-sandbox-")
        self._shared = Shared(
            clock=self._clock,
            store=ObjectStore(timer=timer, faults=self.faults, inbox=self.received),
            faults=self.faults,
            inbox=self.received,
            folder=Path(self._folder.name),
            export_seconds=export_seconds,
            url_seconds=url_seconds,
            largest_page=largest_page,
        )
        self._history = timedelta(days=days)
        self._size: dict[str, Any] = {
            "grades_per_agent_week": grades_per_agent_week,
            "coaching_effect": coaching_effect,
            "habits": named,
        }
        self._limits: dict[str, Any] = {
            "per_second": requests_per_second,
            "per_minute": requests_per_minute,
            "timer": timer,
        }
        self._living = threading.Lock()
        self._accounts: list[Account] = []
        self._account = self.add_account(seed=seed, agents=agents, token=token)
        try:
            self._api_origin = Origin(self._answer_api, port=port)
        except BaseException:
            self._account.close()
            self._folder.cleanup()
            raise
        self._store_origin = Origin(self._answer_store)
        self._shared.store.url = self._store_origin.url

    def add_account(self, *, seed: int, agents: int = 12, token: str | None = None) -> Account:
        """Another customer of the vendor on the same host, with a token, people and answer ids of its own.

        Its `token` and `truth` are on it. Requests belong to it when their `apitoken` header is its token.
        """
        start = self._clock.now().replace(hour=0, minute=0, second=0, microsecond=0) - self._history
        customer = len(self._accounts)
        centre = Centre(seed=seed, agents=agents, start=start, customer=customer, **self._size)
        account = Account(centre, self._shared, limits=SlidingWindows(**self._limits), token=token)
        self._accounts.append(account)
        self._live()
        return account

    def __enter__(self) -> Self:
        return self.start()

    def start(self) -> Self:
        """Start both servers without a `with` block; call `close` at the end."""
        self._api_origin.start()
        self._store_origin.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop both servers and remove the files."""
        for account in self._accounts:
            account.close()
        self._api_origin.close()
        self._store_origin.close()
        self._folder.cleanup()

    @property
    def token(self) -> str:
        """The first account's token."""
        return self._account.token

    @property
    def truth(self) -> Truth:
        """What is true of the first account."""
        return self._account.truth

    @property
    def base_url(self) -> str:
        """The API's root, with /api/v1."""
        return self._api_origin.url + ROOT

    @property
    def store_url(self) -> str:
        """The object store's origin."""
        return self._store_origin.url

    @property
    def now(self) -> datetime:
        """The sandbox's moment, aware, UTC."""
        return self._clock.now()

    @property
    def exports(self) -> list[ExportJob]:
        """Every export asked for, with its status, its scores, and the bad rows that a fault put in."""
        return list(self._account.exports.jobs)

    @property
    def comments(self) -> list[dict[str, object]]:
        """Comments created through the API."""
        return list(self._account.comments.comments)

    def advance(self, *, days: float = 0, hours: float = 0, minutes: float = 0, seconds: float = 0) -> datetime:
        """Move the clock forward, and simulate grades, re-grades, deletions, coaching and to-dos until then."""
        now = self._clock.advance(timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds))
        self._live()
        return now

    def expire_urls(self) -> None:
        """Let every data URL and upload URL given out so far be expired."""
        self._shared.store.expire_urls()

    def _live(self) -> None:
        with self._living:
            for account in self._accounts:
                account.centre.live_until(self._clock.now())

    def _answer_api(self, request: Request) -> Reply:
        self._live()
        seconds = self._timer()
        token = request.headers.get("apitoken")
        account = next((known for known in self._accounts if known.token == token), self._account)
        reply, carried_out = account.api.answer(request)
        late = self.faults.number("clock-offset") * 60
        if late:
            reply = replace(reply, headers={**reply.headers, "Date": formatdate(time.time() - late, usegmt=True)})
        reply = dripping(reply, self.faults.number("drip") / 1000)
        self._note("api", request, request.path.removeprefix(ROOT), seconds, reply, carried_out)
        return reply

    def _answer_store(self, request: Request) -> Reply:
        seconds = self._timer()
        reply, carried_out = self._shared.store.answer(request)
        self._note("store", request, request.path, seconds, reply, carried_out)
        return reply

    def _note(self, origin: str, request: Request, path: str, seconds: float, reply: Reply, carried_out: bool) -> None:
        self.received.note(
            Received(
                moment=self._clock.now(),
                seconds=seconds,
                origin=origin,
                method=request.method,
                path=path,
                query=request.query,
                headers=request.headers,
                body=request.body,
                status=None if reply.reset else reply.status,
                carried_out=carried_out,
            )
        )
