"""Tickets and grades: what each looks like at a moment. Answers are computed when asked for, never held."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from maestro_analytics.sandbox.simulation import rubrics, texts
from maestro_analytics.sandbox.simulation.chance import CONTENT, draws, identifier
from maestro_analytics.sandbox.simulation.people import Person, User
from maestro_analytics.sandbox.simulation.rubrics import Marks, Question, Rubric, Scores, Section

GRADING = "grading"
CALIBRATION_REVIEW = "calibration_review"
CALIBRATION_FINAL = "calibration_final"
GRADER_QA = "grader_qa"
CALIBRATIONS = (CALIBRATION_REVIEW, CALIBRATION_FINAL)

GRADED, REGRADED, EDITED, DELETED = "graded", "regraded", "edited", "deleted"


@dataclass(frozen=True, slots=True)
class Survey:
    """A customer's answer: a score, the helpdesk's own word for it, or neither; and a comment."""

    score: float | None
    rating: str | None
    comment: str


@dataclass(slots=True, eq=False)
class Ticket:
    """A ticket of a helpdesk. `source` is None where the file says "Unknown".

    `survey` is None without an answer; `earlier_survey` is one that the files still have, and that it replaces.
    """

    number: int
    gradable_id: str
    source: str | None
    created: datetime | None
    survey: Survey | None = None
    earlier_survey: Survey | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """Something that happened to a grade. `grader` is the user's number; None for a user who is gone."""

    moment: datetime
    kind: str
    grader: int | None


@dataclass(slots=True, eq=False)
class Grade:
    """A grade through its life. `quality` is the agent's true quality in percent at the time it counts for."""

    number: int
    ticket: Ticket
    person: Person
    agent_id: str
    rubric: Rubric
    grade_type: str
    quality: float
    changes: tuple[Change, ...]
    seconds: float
    target: Grade | None = None

    def as_of(self, clock: datetime) -> Version | None:
        """The grade as it stands at `clock`; None when it was not there yet."""
        first = self.changes[0]
        if first.moment > clock:
            return None
        number, graded, grader, updated, edited, deleted = 0, first.moment, first.grader, first.moment, False, False
        for change in self.changes[1:]:
            if change.moment > clock:
                break
            updated = change.moment
            if change.kind == REGRADED:
                number, graded, grader = number + 1, change.moment, change.grader
            elif change.kind == EDITED:
                edited = True
            else:
                deleted = True
        return Version(self, number, grader, graded, updated, edited, deleted)

    def last_updated(self, clock: datetime) -> datetime | None:
        """When the grade was last changed before `clock`: what a raw export selects by."""
        latest = None
        for change in self.changes:
            if change.moment > clock:
                break
            latest = change.moment
        return latest

    def answer_id(self, account: str, agent_id: str | None = None) -> str:
        """How coaching records and benchmarks refer to the grade."""
        return "_".join(
            (
                account,
                self.ticket.gradable_id,
                self.rubric.rubric_id,
                agent_id or self.agent_id,
                "GRADER",
                self.grade_type,
            )
        )


@dataclass(frozen=True, slots=True)
class Version:
    grade: Grade
    number: int
    grader: int | None
    graded: datetime
    updated: datetime
    edited: bool
    deleted: bool


@dataclass(frozen=True, slots=True)
class Annotation:
    annotation_id: str
    section: Section
    question: Question
    selected_text: str
    comment: str


class Content:
    """What a version of a grade says; each part is computed when it is first asked for."""

    def __init__(self, seed: int, users: list[User], version: Version) -> None:
        self._seed = seed
        self._users = users
        self._version = version

    @cached_property
    def marks(self) -> Marks:
        return marks_of(self._seed, self._users, self._version)

    @cached_property
    def scores(self) -> Scores:
        return rubrics.score(self._version.grade.rubric, self.marks)

    @cached_property
    def comment(self) -> str:
        """On the whole grade."""
        rng = draws(self._seed, CONTENT, self._version.grade.number, self._version.number, 1)
        comment = texts.COMMENTS[int(rng.random() * len(texts.COMMENTS))]
        return f"{comment} (edited)" if self._version.edited else comment

    @cached_property
    def answer_comments(self) -> tuple[str, ...]:
        """On each question; most have none."""
        rng = draws(self._seed, CONTENT, self._version.grade.number, self._version.number, 2)
        return tuple(
            texts.COMMENTS[int(rng.random() * len(texts.COMMENTS))] if rng.random() < 0.2 else "" for _ in self.marks
        )

    @cached_property
    def annotations(self) -> tuple[Annotation, ...]:
        """Passages marked; each later version has one less."""
        rng = draws(self._seed, CONTENT, self._version.grade.number)
        questions = self._version.grade.rubric.questions
        found = []
        for _ in range(max(0, int(rng.random() * 4) - self._version.number)):
            section, question = questions[int(rng.random() * len(questions))]
            found.append(
                Annotation(
                    annotation_id=identifier(rng),
                    section=section,
                    question=question,
                    selected_text=texts.PASSAGES[int(rng.random() * len(texts.PASSAGES))],
                    comment=texts.NOTES[int(rng.random() * len(texts.NOTES))],
                )
            )
        return tuple(found)

    @cached_property
    def alignment(self) -> float | None:
        """How close the grade is to its target as that stood at the time, in percent; None without a target."""
        target = self._version.grade.target
        at_the_time = target.as_of(self._version.graded) if target else None
        if target is None or at_the_time is None:
            return None
        return rubrics.alignment(target.rubric, self.marks, marks_of(self._seed, self._users, at_the_time))


def marks_of(seed: int, users: list[User], version: Version) -> Marks:
    """The marks of a version, from a reading that no other grader, kind of grade or version shares."""
    grade = version.grade
    bias = users[version.grader].bias_at(version.graded) if version.grader is not None else 0.0
    kind = (GRADING, CALIBRATION_REVIEW, CALIBRATION_FINAL, GRADER_QA).index(grade.grade_type)
    view = ((version.grader or 0) * 4 + kind) * 8 + version.number + 1
    return rubrics.mark(seed, grade.ticket.number, grade.rubric, quality=grade.quality, bias=bias, view=view)


def answers(version: Version, content: Content) -> Iterator[tuple[Section, Question, str | None, float | None, str]]:
    """Each answer of a version: section, question, label, score, comment. A multi-select gives several."""
    for (section, question), mark, comment in zip(
        version.grade.rubric.questions, content.marks, content.answer_comments, strict=True
    ):
        for label in question.labels(mark):
            yield section, question, label, None if mark is None else question.score(mark), comment
