"""The contact centre in time: each day brings grades, some weeks bring coaching, and later changes to both."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from random import Random

from maestro_analytics.sandbox.simulation import rubrics, texts
from maestro_analytics.sandbox.simulation.chance import DAY, HABIT, PEOPLE, TICKET, draws
from maestro_analytics.sandbox.simulation.coaching import Coaching
from maestro_analytics.sandbox.simulation.grades import (
    CALIBRATION_FINAL,
    CALIBRATION_REVIEW,
    DELETED,
    EDITED,
    GRADED,
    GRADER_QA,
    GRADING,
    REGRADED,
    Change,
    Content,
    Grade,
    Survey,
    Ticket,
    Version,
    marks_of,
)
from maestro_analytics.sandbox.simulation.habits import (
    AUTO_FAIL_RATE,
    AUTO_FAILS,
    FULL_SHARE,
    MOODS,
    PILE,
    SESSION_SHARE,
    TEAM_SHARE,
    Habits,
)
from maestro_analytics.sandbox.simulation.people import Person, make_groups, make_people, make_users
from maestro_analytics.sandbox.simulation.rubrics import Rubric

REGRADE_RATE, EDIT_RATE, DELETE_RATE, BENCHMARK_RATE = 0.06, 0.01, 0.02, 0.06
SECOND_AGENT_RATE, SECOND_RUBRIC_RATE, SURVEY_RATE, WORD_RATE = 0.05, 0.04, 0.45, 0.06
SURVEYS_TWICE = 397
"""One ticket of so many has two surveys: fewer than the share of bad rows that a reader may refuse."""


class Centre:
    """Everything that happened until a moment, and what of it will change later.

    Days are lived one after the other with `live_until`; whoever asks for the state at a moment leaves out what is
    later. The same seed gives the same history relative to `start`.
    """

    def __init__(
        self,
        *,
        seed: int,
        agents: int,
        start: datetime,
        grades_per_agent_week: float,
        coaching_effect: float,
        customer: int = 0,
        habits: Iterable[str] = (),
    ) -> None:
        self.seed = seed
        self.start = start
        self.account = f"{draws(seed, PEOPLE, 9).getrandbits(96):024x}"
        self.groups = make_groups(seed, agents)
        self.people = make_people(seed, agents, self.groups, customer)
        self.users = make_users(seed, agents, customer)
        self.habits = Habits(habits, seed=seed, start=start, groups=self.groups, graders=len(self.users))
        if MOODS in self.habits:
            for user in self.users:
                user.mood = self.habits.mood
        self.rubrics = rubrics.make_rubrics(seed, auto_fail_rate=AUTO_FAIL_RATE if AUTO_FAILS in self.habits else None)
        if PILE in self.habits:
            self.rubrics[0] = rubrics.in_fives(seed, self.rubrics[0], full_share=FULL_SHARE)
        self.grades: list[Grade] = []
        self.tickets: dict[tuple[str | None, str], Ticket] = {}
        self.moves: list[tuple[datetime, Person, list[str]]] = []
        self.grades_per_agent_week = grades_per_agent_week
        self.coaching_effect = coaching_effect
        self.coaching = Coaching(seed, self.account, self.users, coaching_effect)
        self._days_lived = 0
        self._last_zendesk: Ticket | None = None
        self._last_zendesk_person: Person | None = None

    def live_until(self, clock: datetime) -> None:
        """Simulate every day up to and including that of `clock`."""
        while self.start + timedelta(days=self._days_lived) <= clock:
            self._live_day(self._days_lived)
            self._days_lived += 1

    def content(self, version: Version) -> Content:
        return Content(self.seed, self.users, version)

    def groups_of(self, person: Person, clock: datetime) -> list[str]:
        """The teams of a person at a moment: people move."""
        current = person.groups
        for moment, mover, groups in self.moves:
            if mover is person and moment <= clock:
                current = groups
        return current

    def _live_day(self, day: int) -> None:
        rng = draws(self.seed, DAY, day)
        midnight = self.start + timedelta(days=day)
        if day % 7 == 0 and day:
            self.coaching.plan_week(self.people, midnight, draws(self.seed, DAY, day, 1))
        if day % 17 == 11:
            self._move_someone(midnight, rng)
        for person in self.people:
            if not self.habits.stay(person).includes(day):
                continue
            per_day = self.grades_per_agent_week / 7 * self.habits.pace(person)
            for _ in range(int(per_day) + (rng.random() < per_day % 1)):
                self._grade_a_ticket(person, midnight, rng)
        if day % 7 in (2, 4):
            self._calibrate(midnight, rng)

    def _move_someone(self, midnight: datetime, rng: Random) -> None:
        movers = [person for person in self.people if len(person.groups) == 1]
        if movers:
            person = rng.choice(movers)
            self.moves.append((_at(midnight, rng), person, [rng.choice(self.groups).group_id]))

    def _grade_a_ticket(self, person: Person, midnight: datetime, rng: Random) -> None:
        graded = _at(midnight, rng)
        ticket = self._new_ticket(person, graded, rng)
        rubric = self.rubrics[(0, 0, 0, 0, 0, 1, 1, 1, 2, 2)[int(rng.random() * 10)]]
        grade = self._grade(ticket, person, rubric, graded, rng)
        if rng.random() < SECOND_AGENT_RATE and len(self.people) > 1:
            other = self.people[(person.number + 1 + int(rng.random() * (len(self.people) - 1))) % len(self.people)]
            if not self._has_twin(ticket) and self.habits.stay(other).includes((graded - self.start).days):
                self._grade(ticket, other, rubric, graded + timedelta(minutes=7), rng)
            if ticket is self._last_zendesk:
                self._last_zendesk = None
        if rng.random() < SECOND_RUBRIC_RATE:
            self._grade(ticket, person, self.rubrics[(rubric.number + 1) % 3], graded + timedelta(minutes=11), rng)
        ticket.survey = self._survey(grade)
        if ticket.survey and ticket.survey.score is not None and ticket.number % SURVEYS_TWICE == 60:
            ticket.earlier_survey = Survey(None, "Offered", "")

    def _has_twin(self, ticket: Ticket) -> bool:
        return ticket.source == "livechat" and ("zendesk", ticket.gradable_id) in self.tickets

    def _new_ticket(self, person: Person, graded: datetime, rng: Random) -> Ticket:
        number = len(self.tickets)
        sources = list(person.ids)
        source: str | None = sources[int(rng.random() * len(sources))]
        created = None if rng.random() < 0.01 else graded - timedelta(seconds=int(rng.uniform(4_000, 400_000)))
        gradable_id = {
            "zendesk": f"{5_310_000 + number}",
            "salesforce": f"00{500_000_000 + number}",
            "livechat": f"{10**19 + 7_919 * number}",
            "custom_crm": f"case_{graded:%y}_{number:06d}",
        }[source or ""]
        twin = self._last_zendesk
        if (
            source == "livechat"
            and twin
            and twin.created
            and self._last_zendesk_person is not person
            and rng.random() < 0.3
        ):
            # Two helpdesks may number two tickets alike. No person is on both, so no answer id is ambiguous.
            gradable_id, self._last_zendesk = twin.gradable_id, None
        if source == "custom_crm" and rng.random() < 0.05:
            source = None
        ticket = Ticket(number, gradable_id, source, created)
        if source == "zendesk":
            self._last_zendesk, self._last_zendesk_person = ticket, person
        self.tickets[source, gradable_id] = ticket
        return ticket

    def _survey(self, grade: Grade) -> Survey | None:
        """A customer's answer, from 1 to 5, the higher the better the conversation was; most do not answer.

        Of some there is only a word of the helpdesk, of a few only a comment.
        """
        rng = draws(self.seed, TICKET, grade.ticket.number)
        if rng.random() >= SURVEY_RATE:
            return None
        comment = texts.CSAT_COMMENTS[int(rng.random() * len(texts.CSAT_COMMENTS))]
        if rng.random() < 0.02:
            return Survey(None, None, comment)
        marks = rubrics.mark(self.seed, grade.ticket.number, grade.rubric, quality=grade.quality, bias=0.0, view=0)
        percent = rubrics.score(grade.rubric, marks).percent
        felt = 1 + 4 * ((80.0 if percent is None else percent) / 100) + rng.gauss(0, 0.9)
        word = draws(self.seed, TICKET, grade.ticket.number, 5)
        if word.random() < WORD_RATE:
            rating = "Offered" if word.random() < 0.2 else "good" if felt >= 4.2 else "bad"
            return Survey(None, rating, comment)
        return Survey(float(min(5, max(1, round(felt)))), None, comment)

    def _grade(self, ticket: Ticket, person: Person, rubric: Rubric, graded: datetime, rng: Random) -> Grade:
        """An ordinary grade with its later fate, its benchmark, and the coaching that it leads to."""
        # Graders have a team they grade most, and grade others too: that is what makes them comparable.
        grader: int | None = (person.number + int(rng.random() * (2 if rng.random() < 0.6 else len(self.users)))) % len(
            self.users
        )
        usual = self.habits.usual_grader(person)
        if usual is not None and draws(self.seed, HABIT, 4, len(self.grades)).random() < TEAM_SHARE:
            grader = usual
        if rng.random() < 0.01:
            grader = None
        changes = [Change(graded, GRADED, grader)]
        fate = rng.random()
        if fate < REGRADE_RATE:
            by = grader if rng.random() < 0.7 else int(rng.random() * len(self.users))
            changes.append(Change(_later(graded, rng, 20), REGRADED, by))
            if rng.random() < 0.1:
                changes.append(Change(_later(changes[-1].moment, rng, 20), DELETED, by))
        elif fate < REGRADE_RATE + EDIT_RATE:
            changes.append(Change(_later(graded, rng, 10), EDITED, grader))
        elif fate < REGRADE_RATE + EDIT_RATE + DELETE_RATE:
            changes.append(Change(_later(graded, rng, 15), DELETED, grader))
        grade = self._add(ticket, person, rubric, GRADING, graded, changes, rng)
        if len(changes) == 1 and grader is not None and rng.random() < BENCHMARK_RATE:
            checked = [Change(_later(graded, rng, 6), GRADED, 0 if grader else 1)]
            self._add(ticket, person, rubric, GRADER_QA, graded, checked, rng, target=grade)
        first = grade.as_of(graded)
        if first is not None:
            percent = rubrics.score(rubric, marks_of(self.seed, self.users, first)).percent
            self.coaching.see_grade(grade, percent, graded)
            if AUTO_FAILS in self.habits and percent == 0:
                self.coaching.coach_auto_fail(grade, graded, SESSION_SHARE)
        return grade

    def _calibrate(self, midnight: datetime, rng: Random) -> None:
        """Several graders review the same ticket and are held against the agreed final grade, which the lead makes."""
        if not self.grades:
            return
        graded = _at(midnight, rng)
        person = self.people[int(rng.random() * len(self.people))]
        if not self.habits.stay(person).includes((graded - self.start).days):
            return
        ticket = self._new_ticket(person, graded, rng)
        rubric = self.rubrics[int(rng.random() * 3)]
        final = self._add(ticket, person, rubric, CALIBRATION_FINAL, graded, [Change(graded, GRADED, 0)], rng)
        panel = rng.sample(range(1, len(self.users)), min(len(self.users) - 1, 3 + int(rng.random() * 2)))
        for minutes, grader in enumerate(panel, start=1):
            changes = [Change(graded + timedelta(minutes=minutes * 9), GRADED, grader)]
            review = self._add(ticket, person, rubric, CALIBRATION_REVIEW, graded, changes, rng, target=final)
            if minutes == 1 and rng.random() < 0.5:
                self.coaching.note_calibration(review, rng)

    def _add(
        self,
        ticket: Ticket,
        person: Person,
        rubric: Rubric,
        grade_type: str,
        reported: datetime,
        changes: list[Change],
        rng: Random,
        target: Grade | None = None,
    ) -> Grade:
        seconds = float(int(rng.uniform(40, 5_000))) if rng.random() < 0.8 else round(rng.uniform(40, 900), 1)
        grade = Grade(
            number=len(self.grades),
            ticket=ticket,
            person=person,
            agent_id=person.id_for(ticket.source),
            rubric=rubric,
            grade_type=grade_type,
            quality=self.coaching.quality(person, reported) + self.habits.trend(reported),
            changes=tuple(changes),
            seconds=seconds,
            target=target,
        )
        self.grades.append(grade)
        return grade


def _at(midnight: datetime, rng: Random) -> datetime:
    """A moment of the working day; half of them on a whole second."""
    moment = midnight.replace(tzinfo=UTC) + timedelta(seconds=int(rng.uniform(8 * 3600, 18 * 3600)))
    return moment if rng.random() < 0.5 else moment + timedelta(milliseconds=1 + int(rng.random() * 999))


def _later(moment: datetime, rng: Random, days: int) -> datetime:
    return moment + timedelta(seconds=int(rng.uniform(3_600, days * 86_400)))
