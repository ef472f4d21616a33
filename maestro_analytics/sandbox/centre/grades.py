"""Tickets and grades: what each looks like at a moment. Answers are computed when asked for, never held."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from maestro_analytics.sandbox.centre import rubrics, texts
from maestro_analytics.sandbox.centre.chance import CONTENT, draws, identifier
from maestro_analytics.sandbox.centre.people import Person, User
from maestro_analytics.sandbox.centre.rubrics import Marks, Question, Rubric, Scores, Section

GRADING = "grading"
CALIBRATION = "calibration"
CALIBRATION_REVIEW = "calibration_review"
GRADER_QA = "grader_qa"
CALIBRATIONS = (CALIBRATION, CALIBRATION_REVIEW)

GRADED, REGRADED, EDITED, DELETED = "graded", "regraded", "edited", "deleted"


@dataclass(slots=True, eq=False)
class Ticket:
    """A ticket of a helpdesk. `source` is None where the file says "Unknown". `survey` is None without an answer."""

    number: int
    gradable_id: str
    source: str | None
    created: datetime | None
    survey: tuple[float | None, str] | None = None


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


@dataclass(frozen=True, slots=True)
class Content:
    """What a version of a grade says."""

    marks: Marks
    scores: Scores
    comment: str
    answer_comments: tuple[str, ...]
    annotations: tuple[Annotation, ...]
    alignment: float | None


def marks_of(seed: int, users: list[User], version: Version) -> Marks:
    """The marks alone. Reading number: one for each grader, kind of grade and version."""
    grade = version.grade
    bias = users[version.grader].bias if version.grader is not None else 0.0
    kind = (GRADING, CALIBRATION, CALIBRATION_REVIEW, GRADER_QA).index(grade.grade_type)
    view = ((version.grader or 0) * 4 + kind) * 8 + version.number + 1
    return rubrics.mark(seed, grade.ticket.number, grade.rubric, quality=grade.quality, bias=bias, view=view)


def content_of(seed: int, users: list[User], version: Version) -> Content:
    """The marks, scores, comments and annotations of a version; a later one has fewer annotations."""
    grade = version.grade
    marks = marks_of(seed, users, version)
    rng = draws(seed, CONTENT, grade.number, version.number)
    comment = texts.COMMENTS[int(rng.random() * len(texts.COMMENTS))]
    if version.edited:
        comment = f"{comment} (edited)"
    questions = grade.rubric.questions
    answer_comments = tuple(
        texts.COMMENTS[int(rng.random() * len(texts.COMMENTS))] if rng.random() < 0.2 else "" for _ in questions
    )
    noted = draws(seed, CONTENT, grade.number)
    annotations = []
    for _ in range(max(0, int(noted.random() * 4) - version.number)):
        section, question = questions[int(noted.random() * len(questions))]
        annotations.append(
            Annotation(
                annotation_id=identifier(noted),
                section=section,
                question=question,
                selected_text=texts.PASSAGES[int(noted.random() * len(texts.PASSAGES))],
                comment=texts.NOTES[int(noted.random() * len(texts.NOTES))],
            )
        )
    return Content(
        marks=marks,
        scores=rubrics.score(grade.rubric, marks),
        comment=comment,
        answer_comments=answer_comments,
        annotations=tuple(annotations),
        alignment=_alignment(seed, users, version, marks),
    )


def _alignment(seed: int, users: list[User], version: Version, marks: Marks) -> float | None:
    target = version.grade.target
    at_the_time = target.as_of(version.graded) if target else None
    if target is None or at_the_time is None:
        return None
    return rubrics.alignment(target.rubric, marks, marks_of(seed, users, at_the_time))


def answers(version: Version, content: Content) -> Iterator[tuple[Section, Question, str | None, float | None, str]]:
    """Each answer of a version: section, question, label, score, comment. A multi-select gives several."""
    for (section, question), mark, comment in zip(
        version.grade.rubric.questions, content.marks, content.answer_comments, strict=True
    ):
        for label in question.labels(mark):
            yield section, question, label, None if mark is None else question.score(mark), comment
