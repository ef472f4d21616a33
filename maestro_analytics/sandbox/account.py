"""One customer of the vendor: a contact centre, and the API that answers for it under its token."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from maestro_analytics.sandbox.agents import Directory
from maestro_analytics.sandbox.clock import Clock
from maestro_analytics.sandbox.coaching import CoachingLists
from maestro_analytics.sandbox.comments import Comments
from maestro_analytics.sandbox.exports import Exports
from maestro_analytics.sandbox.faults import Faults
from maestro_analytics.sandbox.limits import SlidingWindows
from maestro_analytics.sandbox.metrics import Metrics
from maestro_analytics.sandbox.received import Inbox
from maestro_analytics.sandbox.routing import Api
from maestro_analytics.sandbox.simulation.chance import PEOPLE, mix
from maestro_analytics.sandbox.simulation.timeline import Centre
from maestro_analytics.sandbox.store import ObjectStore
from maestro_analytics.sandbox.tickets import Tickets
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
