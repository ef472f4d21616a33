"""Coaching: sessions follow low scores and lift what comes after; points and to-dos are about grades, and change."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import TYPE_CHECKING, Any

from maestro_analytics.sandbox.simulation import texts
from maestro_analytics.sandbox.simulation.chance import RECORD, draws, identifier

if TYPE_CHECKING:
    from maestro_analytics.sandbox.simulation.grades import Grade
    from maestro_analytics.sandbox.simulation.people import Person, User

LOW_PERCENT = 78.0
"""An agent whose mean of two weeks is below this may be coached."""
COACHED_SHARE = 0.6
"""Not all who could be are: the others are the controls that an honest estimate needs."""
MOST_SESSIONS = 2


@dataclass(slots=True, eq=False)
class Record:
    """A to-do, coaching point or session through its life: the fields it starts with, and what changes when."""

    record_id: str
    created: datetime
    fields: dict[str, Any]
    changes: list[tuple[datetime, dict[str, Any]]] = field(default_factory=list)
    removed: datetime | None = None
    grade: Grade | None = None

    def as_of(self, clock: datetime) -> dict[str, Any] | None:
        """The record in the reference's shape, moments as datetimes; None when it is not there at `clock`."""
        if self.created > clock or (self.removed is not None and self.removed <= clock):
            return None
        shown = {"id": self.record_id, "createdAt": self.created, "updatedAt": self.created} | self.fields
        for moment, change in sorted(self.changes, key=lambda change: change[0]):
            if moment <= clock:
                shown |= change
                shown["updatedAt"] = moment
        return shown


class Coaching:
    """All coaching records, and the quality of people as coaching changes it."""

    def __init__(self, seed: int, account: str, users: list[User], effect: float) -> None:
        self.todos: list[Record] = []
        self.points: list[Record] = []
        self.sessions: list[Record] = []
        self.effect = effect
        self.after_auto_fails: set[tuple[int, datetime]] = set()
        self._seed = seed
        self._account = account
        self._users = users
        self._seen: dict[int, deque[tuple[datetime, float]]] = {}
        self._open_points: dict[int, list[Record]] = {}

    def quality(self, person: Person, moment: datetime) -> float:
        """True quality in percent: each session before `moment` has added the effect, for good."""
        return person.quality + self.effect * sum(session <= moment for session in person.sessions)

    def see_grade(self, grade: Grade, percent: float | None, graded: datetime) -> None:
        """Remember what was observed, and write a coaching point about some low (and a few high) grades."""
        if percent is None:
            return
        self._seen.setdefault(grade.person.number, deque(maxlen=60)).append((graded, percent))
        rng = draws(self._seed, RECORD, grade.number)
        if rng.random() < (0.35 if percent < 70 else 0.02):
            self._write_point(grade, graded + timedelta(seconds=int(rng.uniform(600, 6 * 86_400))), rng)
        elif rng.random() < 0.08:
            self._write_todo(grade.person, graded + timedelta(hours=5), rng, grade=grade)

    def note_calibration(self, calibration: Grade, rng: Random) -> None:
        """A point whose answer id names a calibration."""
        self._write_point(calibration, calibration.changes[0].moment + timedelta(hours=3), rng)

    def plan_week(self, people: list[Person], monday: datetime, rng: Random) -> None:
        """Coach some of those whose observed mean of the last two weeks is low, and who were not coached of late."""
        for person in people:
            chosen, hours = rng.random() < COACHED_SHARE, rng.uniform(9, 5 * 24)
            recent = [
                percent
                for graded, percent in self._seen.get(person.number, ())
                if monday - timedelta(days=14) <= graded < monday
            ]
            too_soon = len(person.sessions) >= MOST_SESSIONS or (
                bool(person.sessions) and monday - person.sessions[-1] < timedelta(days=35)
            )
            if len(recent) < 3 or too_soon or not chosen or sum(recent) / len(recent) >= LOW_PERCENT:
                continue
            moment = monday + timedelta(seconds=int(hours * 3600), milliseconds=int(rng.random() * 1000))
            self._hold_session(person, monday, moment, rng)

    def coach_auto_fail(self, grade: Grade, graded: datetime, share: float) -> None:
        """Coach a `share` of those whose grade an auto-fail made 0, within two days, unless coached of late."""
        person = grade.person
        rng = draws(self._seed, RECORD, grade.number, 7)
        chosen, hours = rng.random() < share, rng.uniform(10, 40)
        if not chosen or any(abs(graded - session) < timedelta(days=35) for session in person.sessions):
            return
        moment = graded + timedelta(seconds=int(hours * 3600))
        self.after_auto_fails.add((person.number, moment))
        self._hold_session(person, graded, moment, rng)

    def _hold_session(self, person: Person, begin: datetime, moment: datetime, rng: Random) -> None:
        """A session that takes place at `moment`. Many records are made earlier, after `begin`; some have no dates."""
        person.sessions.append(moment)
        dates = draws(self._seed, RECORD, person.number, len(person.sessions), 6)
        is_dated = dates.random() < 0.75
        planned = moment - timedelta(hours=round(dates.uniform(1, 60), 2))
        created = max(planned, begin + timedelta(hours=8)) if is_dated and dates.random() < 0.6 else moment

        def confirmed(who: str, hours: int) -> tuple[datetime, dict[str, Any]]:
            at = moment + timedelta(hours=hours)
            return at, {f"{who}Confirmed": True} | ({f"{who}ConfirmedDate": at} if dates.random() < 0.85 else {})

        coach = self._users[int(rng.random() * len(self._users))]
        session_id = identifier(rng)
        first_name = person.name.split()[0]
        session = Record(
            session_id,
            created,
            {
                "name": f"1:1 with {first_name}",
                "agentId": rng.choice(person.all_ids),
                "agentName": person.name,
                "coachId": coach.user_id,
                "coachName": coach.name,
                "creatorId": coach.user_id,
                "agentNotes": rng.choice(("", "I'll try.", "Agent's notes")),
                "coachNotes": rng.choice(texts.NOTES),
                "coachPrivateNotes": rng.choice(("", "Private (not shared with agent) notes")),
                "sessionContents": rng.choice((texts.OVERVIEW, "")),
                "coachingTemplateId": self._account + rng.choice(("", "_2", "_3")),
                "meetingFormat": "inPerson",
                "agentConfirmed": False,
                "coachConfirmed": False,
            }
            | ({"meetingDate": moment} if is_dated else {}),
        )
        if rng.random() < 0.8:
            session.changes.append(confirmed("coach", rng.randint(1, 90)))
        if rng.random() < 0.6:
            session.changes.append(confirmed("agent", rng.randint(2, 200)))
        self.sessions.append(session)
        for point in self._open_points.pop(person.number, [])[-3:]:
            if point.created < moment:
                point.changes.append((moment + timedelta(minutes=2), {"coachingSessionIds": [session_id]}))
        self._write_general_point(person, coach, moment, session_id, rng)
        for _ in range(rng.randint(1, 2)):
            self._write_todo(person, moment + timedelta(minutes=rng.randint(1, 40)), rng, session_id=session_id)

    def _write_point(self, grade: Grade, created: datetime, rng: Random) -> None:
        person = grade.person
        creator = self._users[int(rng.random() * len(self._users))]
        section, question = rng.choice(grade.rubric.questions)
        record = Record(
            identifier(rng),
            created,
            {
                "agentId": rng.choice(person.all_ids),
                "creatorId": creator.user_id,
                "criteriaId": question.question_id if rng.random() < 0.6 else None,
                "rubricId": grade.rubric.rubric_id,
                "answerId": grade.answer_id(self._account, rng.choice(person.all_ids)),
                "type": "opportunities" if rng.random() < 0.85 else "strengths",
                "classification": "qa",
                "coachNotes": rng.choice(texts.NOTES),
                "coachingSessionIds": [],
                "textContent": rng.choice(("", *texts.PASSAGES)),
            },
            grade=grade,
        )
        if rng.random() < 0.2:
            record.changes.append(
                (created + timedelta(days=rng.randint(1, 9)), {"coachNotes": f"About {section.name}"})
            )
        self.points.append(record)
        self._open_points.setdefault(person.number, []).append(record)

    def _write_general_point(
        self, person: Person, creator: User, moment: datetime, session_id: str, rng: Random
    ) -> None:
        """A point about no grade: such a record lacks the grade's keys altogether."""
        self.points.append(
            Record(
                identifier(rng),
                moment + timedelta(minutes=1),
                {
                    "agentId": rng.choice(person.all_ids),
                    "creatorId": creator.user_id,
                    "type": rng.choice(("strengths", "n/a")),
                    "classification": "general",
                    "coachNotes": rng.choice((None, *texts.NOTES)),
                    "coachingSessionIds": rng.choice(([session_id], [])),
                    "textContent": "",
                },
            )
        )

    def _write_todo(
        self,
        person: Person,
        created: datetime,
        rng: Random,
        *,
        grade: Grade | None = None,
        session_id: str | None = None,
    ) -> None:
        about: dict[str, Any] = (
            {"type": "guru", "answerId": grade.answer_id(self._account, rng.choice(person.all_ids))}
            if grade is not None
            else {"type": "general", "coachingSessionIds": [session_id] if session_id and rng.random() < 0.8 else []}
        )
        record = Record(
            identifier(rng),
            created,
            {
                "title": rng.choice(texts.TODO_TITLES),
                "agentId": rng.choice(person.all_ids),
                "creatorId": self._users[int(rng.random() * len(self._users))].user_id,
                "status": "incomplete",
                **about,
                "description": rng.choice(texts.TODO_TEXTS),
            },
            grade=grade,
        )
        fate = rng.random()
        if fate < 0.7:
            record.changes.append((created + timedelta(hours=rng.randint(2, 400)), {"status": "complete"}))
        elif fate < 0.76:
            record.removed = created + timedelta(hours=rng.randint(20, 300))
        self.todos.append(record)
