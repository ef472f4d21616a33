"""The filters of all answers, checked once, so that a period or a team means the same everywhere."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol, TypedDict, Unpack
from zoneinfo import ZoneInfo, available_timezones

from maestro_analytics.arguments import in_utc
from maestro_analytics.errors import InvalidArgument, UnknownName

if TYPE_CHECKING:
    import polars as pl

TIME_AXIS = "date_reported_as"


class Store(Protocol):
    """The interface that answers need of a database; `maestro_analytics.open()` has it."""

    def query(self, name: str, /, **variables: Any) -> pl.DataFrame:
        """Run sql/queries/<name>.sql with these variables."""


class Filters(TypedDict, total=False):
    """Keyword arguments of every answer; all optional.

    since: grades reported at or after it (`date_reported_as`): an aware datetime, a date, or ISO 8601 text. A date is
        midnight in `week_zone`.
    until: grades reported before it.
    team: a group's name or id.
    agent: a person's name, e-mail address, or any of their ids.
    rubric: a rubric's name or id.
    source: a helpdesk, as the `source` column names it.
    grade_type: `grading` unless said otherwise: calibrations and benchmarks never enter a score. `any` for all.
    week_zone: time zone in which days, weeks (Monday to Sunday) and months begin; UTC unless said otherwise.
    include_uncovered: count grades of time that no export covers, too. Exports select by update, so that of such time
        only what was changed later is there; without it they are left out, and the caveat says how many.
    """

    since: datetime | date | str | None
    until: datetime | date | str | None
    team: str | None
    agent: str | None
    rubric: str | None
    source: str | None
    grade_type: str | None
    week_zone: str | None
    include_uncovered: bool | None


NAMED = ("team", "agent", "rubric", "source", "grade_type")


@dataclass(frozen=True)
class Choice:
    """Filters that were checked against the data: the names exist, the moments are aware.

    Attributes:
        include_uncovered: whether queries count grades of time that no export covers. True where the database has no
            such grades, because queries are faster without that condition.
        left_out: what the answer does with such grades, in words; empty where there are none.
    """

    since: datetime | None
    until: datetime | None
    names: dict[str, str]
    week_zone: str
    include_uncovered: bool = False
    left_out: str = ""

    @classmethod
    def of(cls, store: Store, filters: Filters) -> Choice:
        """Check `filters`.

        Raises:
            UnknownName: a name that the data does not have; the nearest are named.
            InvalidArgument: a moment without a time zone, text that is not a moment, an empty period.
            TypeError: a filter that does not exist.
        """
        unknown = set(filters) - set(Filters.__annotations__)
        if unknown:
            known = ", ".join(Filters.__annotations__)
            raise TypeError(f"no filter is called {', '.join(sorted(unknown))}; there are {known}")
        zone = filters.get("week_zone") or "UTC"
        if zone not in _time_zones():
            raise UnknownName(kind="time zone", name=zone, known=_time_zones())
        since = moment(filters.get("since"), zone=zone, name="since")
        until = moment(filters.get("until"), zone=zone, name="until")
        if since and until and since >= until:
            raise InvalidArgument(
                f"the period is empty: since {since.isoformat()} is not before until {until.isoformat()}"
            )
        names: dict[str, str] = {}
        for kind in NAMED:
            name = filters.get(kind)
            if name is None:
                continue
            if not isinstance(name, str) or not name:
                raise InvalidArgument(f"{kind} must be a name, not {name!r}")
            if (kind, name) != ("grade_type", "any"):
                known_names = store.query("known_names", kind=kind)["name"].to_list()
                if name not in known_names:
                    raise UnknownName(kind=kind.replace("_", " "), name=name, known=known_names)
            names[kind] = name
        wanted = filters.get("include_uncovered")
        if not isinstance(wanted, bool | None):
            raise InvalidArgument(f"include_uncovered must be True or False, not {wanted!r}")
        # Asked for all time, as an answer may read more than its period: the one before it, or a follow-up.
        none = not _uncovered(store, names)
        left_out = "" if none else _left_out(_uncovered(store, names, since=since, until=until), bool(wanted))
        return cls(since, until, names, zone, none or bool(wanted), left_out)

    @property
    def variables(self) -> dict[str, Any]:
        """The variables of the query files."""
        period = {name: value for name, value in (("since", self.since), ("until", self.until)) if value is not None}
        return {**period, **self.names, "include_uncovered": self.include_uncovered}

    def variables_of(self, *names: str) -> dict[str, Any]:
        """The variables among `names`: a query that is not about grades does not know the others."""
        return {name: value for name, value in self.variables.items() if name in names}

    @property
    def period(self) -> str:
        """The period in words."""
        if self.since is None and self.until is None:
            return "all time"
        words = [
            f"{word} {_readable(value)}" for word, value in (("from", self.since), ("before", self.until)) if value
        ]
        return " ".join(words)

    @property
    def words(self) -> str:
        """All of the choice in words."""
        return ", ".join([self.period, *(f"{kind.replace('_', ' ')} {name!r}" for kind, name in self.names.items())])


def _uncovered(store: Store, names: dict[str, str], **period: datetime | None) -> list[dict[str, Any]]:
    """Rows of the query uncovered_grades: one per grade type."""
    variables = {"grade_type": "grading", **names, **period}
    return store.query("uncovered_grades", **variables).to_dicts()


def _left_out(uncovered: list[dict[str, Any]], counted: bool) -> str:
    if not uncovered:
        return ""
    grades = sum(each["grades"] for each in uncovered)
    first = min(each["first_moment"] for each in uncovered)
    last = max(each["last_moment"] for each in uncovered)
    one = grades == 1
    days = f"{first:%Y-%m-%d}" if first.date() == last.date() else f"{first:%Y-%m-%d} to {last:%Y-%m-%d}"
    what = f"{grades:,} grade{'' if one else 's'} of {days}, which no export covers, {'is' if one else 'are'}"
    return f"{what} {'counted' if counted else 'left out'}: of that time only what was changed later is there."


@cache
def _time_zones() -> set[str]:
    """The names of all time zones, kept because looking through the files takes 20 ms."""
    return available_timezones()


def moment(value: datetime | date | str | None, *, zone: str, name: str) -> datetime | None:
    """An aware moment in UTC from what a person would write.

    Raises:
        InvalidArgument: a datetime without a time zone, or text that is not a date or moment.
    """
    if value is None:
        return None
    if isinstance(value, str):
        try:
            value = date.fromisoformat(value) if len(value) == 10 else datetime.fromisoformat(value)
        except ValueError:
            raise InvalidArgument(
                f"{name} must be a date or an ISO 8601 moment such as 2026-01-31, not {value!r}"
            ) from None
    if not isinstance(value, datetime):
        return in_utc(datetime.combine(value, time(), ZoneInfo(zone)), name=name)
    if value.tzinfo is None:
        raise InvalidArgument(f"{name} has no time zone: write datetime(..., tzinfo=UTC), or a date")
    return in_utc(value, name=name)


def _readable(value: datetime) -> str:
    return f"{value:%Y-%m-%d}" if value.time() == time() else f"{value:%Y-%m-%d %H:%M} UTC"


__all__ = ["TIME_AXIS", "Choice", "Filters", "Store", "Unpack", "moment"]
