"""The truth behind the sandbox: the tables of a correct warehouse, and the effects that statistics should find."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from maestro_analytics.sandbox.agents import Directory
from maestro_analytics.sandbox.rows import COLUMNS, GRADE_FILES, GradeRows, Row, audit_rows, csat_rows, group_rows
from maestro_analytics.sandbox.simulation import rubrics
from maestro_analytics.sandbox.simulation.coaching import Record
from maestro_analytics.sandbox.simulation.grades import Version
from maestro_analytics.sandbox.simulation.people import Person
from maestro_analytics.sandbox.simulation.timeline import Centre

RowDict = dict[str, Any]

IDENTITY = ("source", "gradable_id", "rubric_id", "agent_id", "grade_type", "grader")
"""The columns that together name a grade."""

_POINT_FIELDS = (
    *("id", "createdAt", "updatedAt", "agentId", "creatorId", "criteriaId", "rubricId", "answerId", "type"),
    *("classification", "coachNotes", "coachingSessionIds", "textContent"),
)
_SESSION_FIELDS = (
    *(
        "id",
        "name",
        "createdAt",
        "updatedAt",
        "agentId",
        "agentName",
        "coachId",
        "coachName",
        "creatorId",
        "agentNotes",
    ),
    *("coachNotes", "coachPrivateNotes", "sessionContents", "coachingTemplateId", "meetingFormat"),
    *("agentConfirmed", "coachConfirmed", "meetingDate", "agentConfirmedDate", "coachConfirmedDate"),
)
_TODO_FIELDS = (
    *("id", "title", "createdAt", "updatedAt", "agentId", "creatorId", "status", "type", "answerId"),
    *("coachingSessionIds", "description"),
)


@dataclass(frozen=True)
class AgentTruth:
    """One person. `quality_percent` is before any coaching; each session adds the coaching effect from then on.

    Of the habits that are switched on: the sessions that an auto-fail led to (`session_moments` has them too), the
    grader of nine in ten grades, the first day with grades and the first without (None is open), and how many times the
    usual number of grades there is.
    """

    name: str
    email: str
    agent_ids: list[str]
    available: bool
    groups: list[str]
    quality_percent: float
    session_moments: list[datetime]
    sessions_after_auto_fails: list[datetime] = field(default_factory=list)
    usual_grader: str | None = None
    joined: datetime | None = None
    left: datetime | None = None
    times_usual_number: float = 1.0


@dataclass(frozen=True)
class GraderTruth:
    """One grader, named as in the files. `bias_points`: what this one gives beyond a fair one, in percent points."""

    grader: str
    bias_points: float


class Truth:
    """The truth at the sandbox's clock.

    The tables hold what is right after a complete backfill with calibrations, grader QA, deleted answers and
    unavailable agents included: rows as dicts of Python values under the warehouse's column names, in no order, without
    columns that a warehouse makes itself. Null is None; free text is never None but for coaching records that lack it.
    """

    def __init__(self, *, centre: Centre, directory: Directory, moment: Callable[[], datetime]) -> None:
        self._centre = centre
        self._directory = directory
        self._moment = moment

    def at(self, moment: datetime) -> Truth:
        """The truth at an earlier moment, without what tests changed through the API."""
        return Truth(centre=self._centre, directory=self._directory, moment=lambda: moment)

    # Tables

    @property
    def total_scores(self) -> list[RowDict]:
        return list(self.rows("total_scores"))

    @property
    def section_scores(self) -> list[RowDict]:
        return list(self.rows("section_scores"))

    @property
    def individual_answers(self) -> list[RowDict]:
        return list(self.rows("individual_answers"))

    @property
    def annotations(self) -> list[RowDict]:
        return list(self.rows("annotations"))

    @property
    def csat(self) -> list[RowDict]:
        """One row for each ticket with a survey that was ever graded, also when its grades are deleted."""
        return list(self.rows("csat"))

    @property
    def agent_groups(self) -> list[RowDict]:
        return list(self.rows("agent_groups"))

    @property
    def audit_logs(self) -> list[RowDict]:
        return list(self.rows("audit_logs"))

    @property
    def coaching_points(self) -> list[RowDict]:
        return _snake_rows(self._centre.coaching.points, self._moment(), _POINT_FIELDS)

    @property
    def coaching_sessions(self) -> list[RowDict]:
        return _snake_rows(self._centre.coaching.sessions, self._moment(), _SESSION_FIELDS)

    @property
    def todos(self) -> list[RowDict]:
        return _snake_rows(self._centre.coaching.todos, self._moment(), _TODO_FIELDS)

    @property
    def deletions(self) -> list[RowDict]:
        """One row for each deleted grade: its identity, and when it was deleted."""
        return [
            self._identity(version) | {"deleted_at": version.updated} for version in self._versions() if version.deleted
        ]

    def rows(self, table: str) -> Iterator[RowDict]:
        """A table of a file, row by row, without holding it."""
        now = self._moment()
        names = tuple(COLUMNS[table])
        if table in GRADE_FILES:
            for version in self._versions():
                if not version.deleted:
                    for row in GradeRows(self._centre, version).of(table):
                        yield dict(zip(names, row, strict=True))
            return
        if table == "csat":
            tickets = dict.fromkeys(version.grade.ticket for version in self._versions())
            for ticket in tickets:
                for gradable_id, score, *others in csat_rows(ticket, replaced=False):
                    rating = score if isinstance(score, str) else None
                    row = (gradable_id, None if rating else score, *others)
                    yield dict(zip(names, row, strict=True)) | {"csat_rating": rating}
            return
        if table == "agent_groups":
            found: Iterator[Row] = group_rows(self._centre, self._directory.people(), now, include_unavailable=True)
        else:
            found = audit_rows(self._centre, self.start, now + timedelta(days=1), now)
        for row in found:
            yield dict(zip(names, row, strict=True))

    def tables(self) -> dict[str, list[RowDict]]:
        """Every table by its name."""
        return {name: list(self.rows(name)) for name in COLUMNS} | {
            "coaching_points": self.coaching_points,
            "coaching_sessions": self.coaching_sessions,
            "todos": self.todos,
        }

    @property
    def grade_coaching_points(self) -> list[RowDict]:
        """One row for each live grade and coaching point about it: the grade's identity and `coaching_point_id`."""
        return self._links(self._centre.coaching.points, "coaching_point_id")

    @property
    def grade_todos(self) -> list[RowDict]:
        """One row for each live grade and to-do about it: the grade's identity and `todo_id`."""
        return self._links(self._centre.coaching.todos, "todo_id")

    # Effects

    @property
    def start(self) -> datetime:
        """The first moment of the history."""
        return self._centre.start

    @property
    def agents(self) -> list[AgentTruth]:
        now = self._moment()
        return [
            AgentTruth(
                name=person.name,
                email=person.email,
                agent_ids=person.all_ids,
                available=person.available,
                groups=self._centre.groups_of(person, now),
                quality_percent=person.quality,
                session_moments=sorted(moment for moment in person.sessions if moment <= now),
                **self._habits_of(person, now),
            )
            for person in self._directory.people()
        ]

    def _habits_of(self, person: Person, now: datetime) -> dict[str, Any]:
        habits, stay = self._centre.habits, self._centre.habits.stay(person)
        usual = habits.usual_grader(person)
        joined, left = (None if day is None else self.start + timedelta(days=day) for day in (stay.first, stay.last))
        return {
            "sessions_after_auto_fails": sorted(
                moment
                for number, moment in self._centre.coaching.after_auto_fails
                if number == person.number and moment <= now
            ),
            "usual_grader": None if usual is None else self._centre.users[usual].email,
            "joined": joined,
            "left": left,
            "times_usual_number": habits.pace(person),
        }

    @property
    def graders(self) -> list[GraderTruth]:
        return [GraderTruth(user.email, user.bias) for user in self._centre.users]

    def mood_points(self, grader: str, moment: datetime) -> float:
        """What a grader (named as in the files) gives beyond the usual on the day of `moment`, in percent points."""
        number = next(user.number for user in self._centre.users if user.email == grader)
        return self._centre.habits.mood(number, moment)

    def trend_points(self, moment: datetime) -> float:
        """By how much everybody's true quality has risen since the start, in percent points."""
        return self._centre.habits.trend(moment)

    @property
    def coaching_effect_points(self) -> float:
        """What a session adds to the agent's true quality from its moment on, for good, in percent points."""
        return self._centre.coaching.effect

    @property
    def auto_fail_rate(self) -> dict[str, float]:
        """Rubric id -> the share of grades that an auto-fail makes 0, whoever is graded."""
        return {
            rubric.rubric_id: rubric.auto_fail_rate if _has(rubric, "auto_fail") else 0.0
            for rubric in self._centre.rubrics
        }

    @property
    def bonus_rate(self) -> dict[str, float]:
        """Rubric id -> the share of grades with the bonus, whoever is graded."""
        return {
            rubric.rubric_id: rubrics.BONUS_RATE if _has(rubric, "bonus") else 0.0 for rubric in self._centre.rubrics
        }

    @property
    def quality_percents(self) -> dict[tuple[Any, ...], float]:
        """Identity of a grade (`IDENTITY`, in order) -> the agent's true quality then, without the grader's bias."""
        return {tuple(self._identity(version).values()): version.grade.quality for version in self._versions()}

    def _versions(self) -> Iterator[Version]:
        now = self._moment()
        for grade in self._centre.grades:
            version = grade.as_of(now)
            if version is not None:
                yield version

    def _identity(self, version: Version) -> RowDict:
        grade = version.grade
        grader = None if version.grader is None else self._centre.users[version.grader].email
        values = (grade.ticket.source, grade.ticket.gradable_id, grade.rubric.rubric_id, grade.agent_id)
        return dict(zip(IDENTITY, (*values, grade.grade_type, grader), strict=True))

    def _links(self, records: list[Record], name: str) -> list[RowDict]:
        now = self._moment()
        about: dict[tuple[Any, ...], list[str]] = {}
        for record in records:
            grade = record.grade
            if grade is not None and record.as_of(now) is not None:
                key = (grade.ticket, grade.rubric, grade.person, grade.grade_type)
                about.setdefault(key, []).append(record.record_id)
        return [
            self._identity(version) | {name: record_id}
            for version in self._versions()
            if not version.deleted
            for record_id in about.get(
                (version.grade.ticket, version.grade.rubric, version.grade.person, version.grade.grade_type), ()
            )
        ]


def _has(rubric: rubrics.Rubric, kind: str) -> bool:
    return any(section.kind == kind for section in rubric.sections)


def _snake_rows(records: list[Record], now: datetime, names: tuple[str, ...]) -> list[RowDict]:
    return [
        {_snake(name): _milliseconds(shown.get(name)) for name in names}
        for record in records
        if (shown := record.as_of(now)) is not None
    ]


def _snake(name: str) -> str:
    return re.sub(r"([A-Z])", lambda capital: "_" + capital[1].lower(), name)


def _milliseconds(value: Any) -> Any:
    """What the vendor's JSON keeps of a moment."""
    return value.replace(microsecond=value.microsecond // 1000 * 1000) if isinstance(value, datetime) else value
