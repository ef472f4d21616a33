"""Metrics computed from the published database, as the frame that a push takes.

A person's metrics go under one id: one that the vendor knows, and always the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl

from maestro_analytics.errors import InvalidArgument
from maestro_analytics.push.entries import KEY, SLOT
from maestro_analytics.push.metrics import PERIODS, Metric
from maestro_analytics.tables.columns import UTC_MOMENT
from maestro_analytics.warehouse import Store

GROUP_IDS = "select distinct unnest(agent_ids) as agent_id from agent_groups"
DECIMALS = 9
"""Values are rounded, because a mean summed in another order differs in its last bits, which is not a change."""
COMPUTED_SCHEMA: dict[str, Any] = {
    "agent_id": pl.String,
    "metric_id": pl.String,
    "metric_value": pl.Float64,
    "timestamp": UTC_MOMENT,
}
GRADE_QUERIES = ("metrics_of_grades", "metrics_grade_periods")
"""The queries whose rows are complete for covered time only. To-dos are read whole, whatever is covered."""


def known_agents(store: Store) -> set[str]:
    """Every id, and every e-mail address in lower case, of the account's agents."""
    ids = store.sql("select agent_id from agent_ids")["agent_id"]
    emails = store.sql("select lower(agent_email) as email from agents where agent_email is not null")["email"]
    return {*ids, *emails}


def ids_of_each_person(store: Store, ledger: pl.DataFrame) -> pl.DataFrame:
    """One row per id of a person, the one to send under first: `person_id`, `agent_id`.

    Of the person's ids, those of the groups export come first, since they are the ones that the vendor's own list of
    people has; among these the one under which the vendor acknowledged something last, so that a person who gets a
    new id does not appear twice; else the first in order of text. A person without any id goes under the e-mail
    address.

    Args:
        ledger: the ledger's rows of agent metrics.
    """
    used = (
        ledger.filter(pl.col("acknowledged_at").is_not_null())
        .group_by("agent_id")
        .agg(last_used=pl.col("acknowledged_at").max())
    )
    in_groups = store.sql(GROUP_IDS).with_columns(in_groups=True)
    ids = (
        store.sql("select person_id, agent_id from agent_ids")
        .join(in_groups, on="agent_id", how="left")
        .join(used, on="agent_id", how="left")
        .sort(
            pl.col("in_groups").fill_null(value=False),
            "last_used",
            pl.col("agent_id"),
            descending=[True, True, False],
            nulls_last=[True, True, True],
        )
        .select("person_id", "agent_id")
    )
    by_email = store.sql("select person_id, agent_email as agent_id from agents where agent_email is not null")
    return pl.concat([ids, by_email.join(ids, on="person_id", how="anti")])


def next_ids(ids: pl.DataFrame, ledger: pl.DataFrame) -> dict[str, str]:
    """Id -> the next id of the same person to try when the vendor refuses it.

    An id under which the vendor ever took something has none: under another one the person would be there twice.

    Args:
        ids: `ids_of_each_person`.
        ledger: the ledger's rows of agent metrics.
    """
    following = ids.with_columns(then=pl.col("agent_id").shift(-1).over("person_id")).drop_nulls("then")
    taken = ledger.filter(pl.col("acknowledged_at").is_not_null()).select("agent_id")
    return dict(following.join(taken, on="agent_id", how="anti").select("agent_id", "then").iter_rows())


@dataclass(frozen=True)
class Span:
    """Which grades count, and by what they are divided.

    Attributes:
        period: `week` (from Monday), `month` or `all`, in UTC.
        since, until: half-open, aware; None for no bound.
    """

    period: str = "all"
    since: datetime | None = None
    until: datetime | None = None

    def __post_init__(self) -> None:
        if self.period not in PERIODS:
            raise InvalidArgument(f"--period {self.period!r}: choose from {', '.join(PERIODS)}")
        if self.since is not None and self.until is not None and self.since >= self.until:
            raise InvalidArgument("--since must be before --until")

    def cut_periods(self) -> list[str]:
        """A sentence for each bound that cuts a week or month in two."""
        bounds = {"--since": self.since, "--until": self.until}
        return [
            f"{option} {bound:%Y-%m-%dT%H:%M:%SZ} lies within a {self.period}: the values of that {self.period} "
            f"count only a part of it, and replace those of the whole {self.period} at the vendor"
            for option, bound in bounds.items()
            if bound is not None and bound != start_of_period(bound, self.period)
        ]


def start_of_period(moment: datetime, period: str) -> datetime:
    """The first moment of the UTC week or month that holds `moment`; the moment itself for `all`."""
    if period == "all":
        return moment
    day = moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return day.replace(day=1) if period == "month" else day - timedelta(days=day.weekday())


def covered_windows(store: Store) -> list[tuple[datetime, datetime]]:
    """Start and end of each period whose grades have all landed, in order; empty if nothing was ever covered.

    `state.coverage` joins periods that touch, so a week that is wholly covered lies in one of them.
    """
    rows = store.sql("select window_start, window_end from state.coverage where kind = 'raw' order by window_start")
    return list(rows.iter_rows())


@dataclass
class _Rows:
    """The queries of one push, each run once.

    Attributes:
        include_uncovered: count grades of time that is not covered, and weeks and months that are not wholly covered.
    """

    store: Store
    span: Span
    include_uncovered: bool = False
    _results: dict[str, pl.DataFrame] = field(default_factory=dict)

    def __call__(self, query: str, *, all_time: bool = False) -> pl.DataFrame:
        if query not in self._results:
            self._results[query] = self._run(query, all_time=all_time)
        return self._results[query]

    def _run(self, query: str, *, all_time: bool) -> pl.DataFrame:
        if all_time:
            return self.store.query(query, include_uncovered=True)
        bounds = {"period": self.span.period, "since": self.span.since, "until": self.span.until}
        if query not in GRADE_QUERIES:
            return self.store.query(query, **bounds)
        rows = self.store.query(query, **bounds, include_uncovered=self.include_uncovered)
        covered = [] if self.include_uncovered else covered_windows(self.store)
        if not covered or self.span.period == "all":
            return rows
        start = pl.col("period_start").cast(UTC_MOMENT)
        end = start.dt.offset_by("1w" if self.span.period == "week" else "1mo")
        return rows.filter(pl.any_horizontal((start >= first) & (end <= last) for first, last in covered))


def uncovered_warnings(store: Store, metrics: Sequence[Metric], span: Span) -> list[str]:
    """A sentence about the grades that a push leaves out because their time is not wholly covered."""
    if not any(metric.counts_grades for metric in metrics):
        return []
    every = _Rows(store, span, include_uncovered=True)("metrics_grade_periods").height
    left_out = every - _Rows(store, span)("metrics_grade_periods").height
    if not left_out:
        return []
    time = "time that is not covered" if span.period == "all" else f"a {span.period} that is not wholly covered"
    return [
        f"{left_out} of {every} grades were left out because they count for {time}: exports select by update, so only "
        "some of its grades are here. Refresh that time first, or use --include-uncovered."
    ]


def compute_metrics(
    store: Store,
    metrics: Sequence[Metric],
    span: Span,
    *,
    ids: pl.DataFrame,
    include_uncovered: bool = False,
) -> pl.DataFrame:
    """The values of some metrics as a frame with the API's field names.

    One row per person, metric and period; a person without a value has none. `timestamp` is the first moment of the
    week or month; over all, midnight UTC of the day of the newest record counted for that person.

    Args:
        ids: the ids of each person, the one to send under first (`ids_of_each_person`).
        include_uncovered: count grades of time that is not covered, and weeks and months that are not wholly covered.
    """
    rows = _Rows(store, span, include_uncovered)
    people = ids.unique("person_id", keep="first", maintain_order=True)
    frames = [pl.DataFrame(schema=COMPUTED_SCHEMA)]
    for metric in metrics:
        values = metric.compute(rows).join(people, on="person_id", how="left")
        frames.append(
            values.filter(pl.col("metric_value").is_not_null()).select(
                # The views give a person to every id, so this is for a grade of no person that we know.
                agent_id=pl.coalesce("agent_id", "person_id"),
                metric_id=pl.lit(metric.name),
                metric_value=pl.col("metric_value").cast(pl.Float64).round(DECIMALS),
                timestamp=pl.coalesce(pl.col("period_start").cast(UTC_MOMENT), pl.col("newest").dt.truncate("1d")).cast(
                    UTC_MOMENT
                ),
            )
        )
    return pl.concat(frames).sort("timestamp", "agent_id", "metric_id")


def no_longer_computed(
    entries: pl.DataFrame, ledger: pl.DataFrame, metrics: Sequence[Metric], span: Span
) -> pl.DataFrame:
    """Keys that were sent earlier and that a new computation of the same span no longer has, for the report.

    Their grades were deleted, or count for another day now. Over all, only what is newer than the value of today: an
    older one is what the value was on that day.
    """
    since = None if span.since is None else start_of_period(span.since, span.period)
    asked_for = pl.col("metric_id").is_in([metric.name for metric in metrics])
    if since is not None:
        asked_for &= pl.col("timestamp") >= since
    if span.until is not None:
        asked_for &= pl.col("timestamp") < span.until
    at_vendor = pl.col("acknowledged_hash").is_not_null() | pl.col("may_have_arrived").is_not_null()
    gone = ledger.filter(asked_for & at_vendor & ~pl.col("withdrawn")).join(entries, on=KEY, how="anti")
    if span.period == "all":
        newest = entries.group_by(SLOT).agg(newest=pl.col("timestamp").max())
        gone = gone.join(newest, on=SLOT, how="left").filter(
            pl.col("newest").is_null() | (pl.col("timestamp") > pl.col("newest"))
        )
    return gone.select(KEY)
