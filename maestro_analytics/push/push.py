"""Push metrics: from a frame to the vendor, and the report of it.

    frame -> checked entries -> difference to the ledger -> batches -> vendor
                                     ^------- ledger <-------/

Agents and metrics are read from the published file, and the ledger is a file of its own. At the end of a push
`ledger.show_in_published` opens the master to copy the ledger into `state.pushes`; a refresh waits meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl

from maestro_analytics import account, warehouse
from maestro_analytics.api import Transport, endpoints
from maestro_analytics.api.agents import send_batch
from maestro_analytics.errors import EmptyStore, InvalidArgument, MaestroError, SettingsError, TryAgain
from maestro_analytics.files import make_private_folder
from maestro_analytics.push.compute import (
    Span,
    compute_metrics,
    ids_of_each_person,
    known_agents,
    next_ids,
    no_longer_computed,
    uncovered_warnings,
)
from maestro_analytics.push.diff import Plan, plan_push, plan_repeats, withdraw
from maestro_analytics.push.entries import KEY, Kind, api_moment, entries_of
from maestro_analytics.push.ledger import PushLedger, read_ledger, refuse_another_account, show_in_published
from maestro_analytics.push.metrics import metrics_named
from maestro_analytics.push.replies import Refusals
from maestro_analytics.push.send import Sending
from maestro_analytics.push.validate import Checked, check_entries, read_metrics_file
from maestro_analytics.settings import Settings
from maestro_analytics.warehouse.lock import FolderLock


@dataclass
class PushReport:
    """What one push did; with `dry_run`, what it would do.

    Attributes:
        kind: `agent` or `ticket`.
        planned: entries that say something new, or whose outcome was not known.
        sent: planned entries that the vendor acknowledged.
        unchanged: entries that the vendor had already acknowledged as they are; not sent.
        repeated: entries sent again behind a change of an older moment, so that the newest stands.
        resent: sendings repeated because a reply was lost. The same entry replaces itself at the vendor.
        requests: with `dry_run`, the requests needed; else the tries made, those after an error too.
        rejected, unknown: `agent_id`, `metric_id`, `timestamp` and `reason` (and the ticket) of each entry that was
            refused, here or by the vendor, and of each whose outcome is still not known: the next push sends it again.
        changes: with `dry_run`, each planned entry with its `metric_value` and the `acknowledged_value` it replaces.
        warnings: sentences about the push as a whole.
        stopped_by: why the push ended before everything was settled; None if it did not.
    """

    kind: str
    dry_run: bool = False
    planned: int = 0
    sent: int = 0
    unchanged: int = 0
    repeated: int = 0
    resent: int = 0
    requests: int = 0
    rejected: list[dict[str, str | None]] = field(default_factory=list)
    unknown: list[dict[str, str | None]] = field(default_factory=list)
    changes: list[dict[str, Any]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    stopped_by: MaestroError | None = None

    @property
    def is_complete(self) -> bool:
        """Whether every entry given stands at the vendor now (or would, for a dry run)."""
        return not (self.rejected or self.unknown or self.stopped_by)

    def as_json(self) -> dict[str, Any]:
        """The object of `push --json`."""
        told: dict[str, Any] = {
            "kind": self.kind,
            "dry_run": self.dry_run,
            "planned": self.planned,
            "sent": self.sent,
            "unchanged": self.unchanged,
            "repeated": self.repeated,
            "resent": self.resent,
            "requests": self.requests,
            "rejected": [_without_empty_ticket(facts) for facts in self.rejected],
            "unknown": [_without_empty_ticket(facts) for facts in self.unknown],
            "warnings": self.warnings,
            "stopped_by": None if self.stopped_by is None else f"{type(self.stopped_by).__name__}: {self.stopped_by}",
        }
        return told | ({"changes": self.changes} if self.dry_run else {})

    def lines(self) -> list[str]:
        """The report for people."""
        if self.dry_run:
            heading = (
                f"would send {self.planned} {self.kind} metrics in {_count(self.requests, 'request')}, "
                f"{self.unchanged} unchanged"
            )
        else:
            heading = f"{self.sent} of {self.planned} {self.kind} metrics sent, {self.unchanged} unchanged"
        lines = [heading]
        if self.repeated:
            lines.append(f"{self.repeated} sent again unchanged, behind a change of an older moment")
        if self.resent:
            lines.append(f"{self.resent} sent again after a lost reply; the same entry replaces itself")
        for change in self.changes:
            before = change["acknowledged_value"]
            lines.append(f"  {_name(change)}: {'nothing' if before is None else before} -> {change['metric_value']}")
        for title, entries in (("rejected", self.rejected), ("unknown, sent again next time", self.unknown)):
            lines += [f"{len(entries)} {title}"] if entries else []
            lines += [f"  {_name(entry)}: {entry['reason']}" for entry in entries]
        return lines


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _name(entry: dict[str, Any]) -> str:
    parts = [entry.get(name) for name in ("ticket_id", "agent_id", "metric_id", "timestamp")]
    return " ".join(str(part) for part in parts if part)


def _without_empty_ticket(facts: dict[str, str | None]) -> dict[str, str | None]:
    return {name: value for name, value in facts.items() if value is not None or name not in ("ticket_id", "source_id")}


def push_agent_metrics(transport: Transport, frame: pl.DataFrame) -> PushReport:
    """Send a frame of agent metrics with the API's field names: what changed since it was last acknowledged.

    Args:
        frame: `agent_id` (an id or e-mail address), `metric_id`, `metric_value`, `timestamp` (aware, or ISO 8601 text).

    Returns:
        The report; rows that cannot be sent, and entries that the vendor refused, are in `rejected` with a reason.

    Raises:
        InvalidArgument: a column is missing, misspelt, or of a type that cannot be meant.
        AnotherRefresh: another push is running on this data folder.
        SettingsError: the data folder belongs to another account, or the token was refused.
        TryAgain, Unreachable: the vendor could not be told everything; push again and it goes on.
    """
    return _push_and_raise(transport, frame, Kind.AGENT)


def push_ticket_metrics(transport: Transport, frame: pl.DataFrame) -> PushReport:
    """Send a frame of ticket metrics with the API's field names; otherwise as `push_agent_metrics`.

    Args:
        frame: `ticket_id`, `source_id`, `agent_id`, `metric_id`, `metric_value`, `timestamp`; `ticket_event_id` and
            `metric_deleted` if wanted. A deletion needs a `metric_value` too.
    """
    return _push_and_raise(transport, frame, Kind.TICKET)


def _push_and_raise(transport: Transport, frame: pl.DataFrame, kind: Kind) -> PushReport:
    checked = check_entries(frame, kind=kind, known_agents=_agents_of(transport.settings))
    report = push_checked(checked, kind=kind, settings=transport.settings, connect=lambda: transport)
    if report.stopped_by is not None:
        raise report.stopped_by
    return report


def push_computed(
    names: Sequence[str],
    span: Span,
    *,
    settings: Settings,
    connect: Callable[[], Transport],
    dry_run: bool = False,
    include_uncovered: bool = False,
) -> PushReport:
    """Compute metrics from the published database, and send what changed.

    Args:
        include_uncovered: count grades of time that is not covered, and send weeks and months that are only partly
            covered. By default they are left out with a warning.

    Raises:
        UnknownName, EmptyStore, AnotherRefresh, SettingsError.
    """
    metrics = metrics_named(names)
    with _published(settings) as store:
        ledger = read_ledger(settings.data, Kind.AGENT, host=settings.host)
        ids = ids_of_each_person(store, ledger)
        agents = known_agents(store)
        frame = compute_metrics(store, metrics, span, ids=ids, include_uncovered=include_uncovered)
        checked = check_entries(frame, kind=Kind.AGENT, known_agents=agents)
        computed = checked.entries
        if not include_uncovered and span.period != "all":
            # A value that was left out is not withdrawn: it was sent when its period was covered or asked for.
            every = compute_metrics(store, metrics, span, ids=ids, include_uncovered=True)
            computed = check_entries(every, kind=Kind.AGENT, known_agents=agents).entries
        checked.warnings += span.cut_periods()
        if not include_uncovered:
            checked.warnings += uncovered_warnings(store, metrics, span)
    return push_checked(
        checked,
        kind=Kind.AGENT,
        settings=settings,
        connect=connect,
        dry_run=dry_run,
        gone=lambda ledger: no_longer_computed(computed, ledger, metrics, span),
        next_id=next_ids(ids, ledger),
    )


def push_file(
    path: Path, kind: str, *, settings: Settings, connect: Callable[[], Transport], dry_run: bool = False
) -> PushReport:
    """Send what changed of a user's own CSV or Parquet file.

    Args:
        kind: `agent` or `ticket`.

    Raises:
        InvalidArgument, AnotherRefresh, SettingsError.
    """
    if kind not in tuple(Kind):
        raise InvalidArgument(f"--kind {kind!r}: choose from {', '.join(Kind)}")
    frame, ragged = read_metrics_file(path)
    checked = check_entries(frame, kind=Kind(kind), known_agents=_agents_of(settings))
    checked.refused[:0] = ragged
    return push_checked(checked, kind=Kind(kind), settings=settings, connect=connect, dry_run=dry_run)


def push_checked(
    checked: Checked,
    *,
    kind: Kind,
    settings: Settings,
    connect: Callable[[], Transport],
    dry_run: bool = False,
    gone: Callable[[pl.DataFrame], pl.DataFrame] | None = None,
    next_id: Mapping[str, str] | None = None,
) -> PushReport:
    """Send what of the checked entries changed, and what an earlier push left unknown.

    Args:
        connect: makes the transport, and is not called when nothing is to be sent.
        dry_run: say what would be sent; nothing is sent and nothing written.
        gone: the keys of the ledger's rows that nothing stands behind any more.
        next_id: the same person's next id, to try when the vendor takes nothing under one; none for entries whose id
            was chosen by the user.
    """
    report = PushReport(kind.value, dry_run, rejected=list(checked.refused), warnings=list(checked.warnings))
    if dry_run:
        rows = read_ledger(settings.data, kind, host=settings.host)
        withdrawn = _tell_gone(report, rows, gone)
        plan = plan_push(checked.entries, withdraw(rows, withdrawn))
        _tell_plan(report, plan)
        report.repeated = plan.repeats.height
        report.requests = plan.batches
        report.changes = plan.told()
        return report
    with _turn_to_push(settings.data, kind):
        with PushLedger.open(settings.data, host=settings.host) as ledger:
            ledger.refused_here(kind, checked.refused_entries)
            rows = ledger.rows(kind)
            withdrawn = _tell_gone(report, rows, gone)
            ledger.withdrawn(kind, withdrawn)
            plan = plan_push(checked.entries, withdraw(rows, withdrawn))
            _tell_plan(report, plan)
            sends = bool(plan.sendings)
            if sends:
                transport = connect()
                report.warnings += _check_account(settings, transport)
                _send(plan, ledger, kind, transport, report, next_id or {}, Refusals.in_ledger(rows))
        if sends or checked.refused_entries:
            report.warnings += show_in_published(settings)
    return report


def _check_account(settings: Settings, transport: Transport) -> list[str]:
    """Check that the token belongs to the account whose data the folder holds; returns warnings.

    Raises:
        SettingsError: it belongs to another account, or the account is under another host.
    """
    if not settings.database.exists():
        return []
    with warehouse.open(settings.database) as store:
        known = store.sql("select * from state.account").row(0, named=True)
        if known.get("token_hash") is None:
            return []  # no refresh by this version has landed, so there is no token to compare with
        warning = account.check(store.sql, transport, settings)
    return [warning] if warning else []


def _send(
    plan: Plan,
    ledger: PushLedger,
    kind: Kind,
    transport: Transport,
    report: PushReport,
    next_id: Mapping[str, str],
    refusals: Refusals,
) -> None:
    endpoint = endpoints.CREATE_AGENT_METRICS if kind is Kind.AGENT else endpoints.CREATE_TICKET_METRICS
    send = partial(send_batch, transport, endpoint)
    made_before = transport.requests_made
    news, again = Sending(send, ledger, kind, refusals=refusals), Sending(send, ledger, kind)
    try:
        news.send(plan.sendings)
        news.try_other_ids(plan.sendings, next_id)
        # Seldom any: a newer value was refused, so the one before it must stand behind the older ones again.
        again.send(entries_of(plan_repeats(ledger.rows(kind))))
    except (SettingsError, TryAgain) as error:
        report.stopped_by = error
    changed = {entry.key for entry in entries_of(plan.changes)}
    report.requests = transport.requests_made - made_before
    taken = {news.given_as.get(key, key) for key in news.acknowledged}
    report.sent = len(changed & taken)
    report.repeated = len(taken - changed) + len(again.acknowledged)
    report.resent = news.resent + again.resent
    # A repetition that is refused too says nothing new about its entry.
    rejected = again.rejected | news.rejected_under_every_id()
    unknown = news.unknown | again.unknown
    report.rejected += [entry.facts(reason) for entry, reason in rejected.values()]
    report.unknown += [entry.facts(reason) for entry, reason in unknown.values()]


@contextmanager
def _turn_to_push(data_folder: Path, kind: Kind) -> Iterator[None]:
    """One push at a time for each data folder. The turn ends with the process, however that ends."""
    inner = make_private_folder(make_private_folder(data_folder) / "pushing")
    lock = FolderLock(data_folder, inner)
    lock.acquire()
    try:
        lock.name_holder(f"push of {kind} metrics")
        yield
    finally:
        lock.release()


def _tell_gone(
    report: PushReport, rows: pl.DataFrame, gone: Callable[[pl.DataFrame], pl.DataFrame] | None
) -> pl.DataFrame:
    keys = gone(rows) if gone is not None else rows.clear().select(KEY)
    if keys.height:
        first = keys.row(0, named=True)
        report.warnings.append(
            f"{keys.height} values that the vendor was told are not computed any more (such as {first['metric_id']} of "
            f"{first['agent_id']} at {api_moment(first['timestamp'])}): their grades are gone or count for another "
            "day, or they were of another --period. The API has no way to take an agent metric back."
        )
    return keys


def _tell_plan(report: PushReport, plan: Plan) -> None:
    report.planned = plan.changes.height
    report.unchanged = plan.unchanged


def _agents_of(settings: Settings) -> set[str] | None:
    """The account's agents as the published database knows them; None without one."""
    try:
        with _published(settings) as store:
            return known_agents(store)
    except EmptyStore:
        return None


@contextmanager
def _published(settings: Settings) -> Iterator[warehouse.Store]:
    """The published database, if it is of the account that the push would go to."""
    with warehouse.open(settings.database) as store:
        for host in store.sql("select host from state.account where host is not null")["host"]:
            refuse_another_account(settings.data, known_host=host, host=settings.host)
        yield store
