"""The files of exports as columns and rows of Python values: what their text means once the quirks are taken off.

A row is a tuple in the order of `COLUMNS`; null is None, free text is never None.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from maestro_analytics.sandbox.simulation.chance import AUDIT, draws, mix
from maestro_analytics.sandbox.simulation.grades import Grade, Ticket, Version, answers
from maestro_analytics.sandbox.simulation.people import Person
from maestro_analytics.sandbox.simulation.timeline import Centre

LABEL, TEXT, NUMBER, SECONDS, MOMENT, FLAG, IDS = "label", "text", "number", "seconds", "moment", "flag", "ids"
SCORE_OR_WORD = "score or word"

_AGENT_AND_RUBRIC = {
    "gradable_id": LABEL,
    "agent_id": LABEL,
    "agent_name": LABEL,
    "agent_email": LABEL,
    "rubric_id": LABEL,
    "rubric_name": LABEL,
}
_SHARED = {
    "date_graded": MOMENT,
    "grader": LABEL,
    "grade_type": LABEL,
    "ticket_created_at": MOMENT,
    "date_reported_as": MOMENT,
    "source": LABEL,
}
_BENCHMARK = {"alignment_score": NUMBER, "target_answer_id": LABEL, "original_grader": LABEL}

COLUMNS: dict[str, dict[str, str]] = {
    "total_scores": {
        **_AGENT_AND_RUBRIC,
        "rubric_score": NUMBER,
        "max_rubric_score": NUMBER,
        "comment": TEXT,
        "date_graded": MOMENT,
        "grader": LABEL,
        "grade_type": LABEL,
        "ticket_created_at": MOMENT,
        "date_first_started": MOMENT,
        "date_first_graded": MOMENT,
        "date_reported_as": MOMENT,
        "source": LABEL,
        "total_grading_time": SECONDS,
        **_BENCHMARK,
    },
    "section_scores": {
        **_AGENT_AND_RUBRIC,
        **_SHARED,
        **_BENCHMARK,
        "section_id": LABEL,
        "section_name": LABEL,
        "section_score": NUMBER,
        "max_section_score": NUMBER,
        "section_weight": NUMBER,
    },
    "individual_answers": {
        **_AGENT_AND_RUBRIC,
        **_SHARED,
        **_BENCHMARK,
        "section_id": LABEL,
        "section_name": LABEL,
        "question_id": LABEL,
        "question": TEXT,
        "answer_label": LABEL,
        "feedback_answer_label": LABEL,
        "question_score": NUMBER,
        "max_question_score": NUMBER,
        "comment": TEXT,
    },
    "annotations": {
        **_AGENT_AND_RUBRIC,
        "question_id": LABEL,
        "question": TEXT,
        "section_id": LABEL,
        "section_name": LABEL,
        "annotation_id": LABEL,
        "selected_text": TEXT,
        "comment": TEXT,
        **_SHARED,
    },
    "csat": {
        "gradable_id": LABEL,
        "csat_score": SCORE_OR_WORD,
        "csat_comment": TEXT,
        "ticket_created_at": MOMENT,
        "source": LABEL,
    },
    "agent_groups": {
        "group_name": LABEL,
        "group_id": LABEL,
        "agent_name": LABEL,
        "agent_email": LABEL,
        "agent_ids": IDS,
        "available": FLAG,
    },
    "audit_logs": {
        "activity_id": LABEL,
        "time_stamp": MOMENT,
        "user_email": LABEL,
        "item_type": LABEL,
        "action_type": LABEL,
        "description": TEXT,
        "ip_address": LABEL,
    },
}

SAME_IN_A_GRADE = {"section_scores": 15, "individual_answers": 15, "annotations": 6}
"""How many of the first columns are the same in all rows of a grade."""

RAW_FILES = ("total_scores", "section_scores", "individual_answers", "annotations", "csat")
GRADE_FILES = RAW_FILES[:4]


Row = tuple[object, ...]


class GradeRows:
    """The rows of one version of a grade."""

    def __init__(self, centre: Centre, version: Version) -> None:
        self.version = version
        self.content = centre.content(version)
        grade, ticket = version.grade, version.grade.ticket
        self.grader = None if version.grader is None else centre.users[version.grader].email
        target = grade.target
        benchmarked = target.as_of(version.graded) if target is not None else None
        self._first: Row = (
            ticket.gradable_id,
            grade.agent_id,
            grade.person.name,
            grade.person.email,
            grade.rubric.rubric_id,
            grade.rubric.name,
        )
        self._shared: Row = (
            version.graded,
            self.grader,
            grade.grade_type,
            ticket.created,
            grade.changes[0].moment,
            ticket.source,
        )
        self._target: Row = (
            target.answer_id(centre.account) if target is not None else None,
            centre.users[benchmarked.grader].email if benchmarked and benchmarked.grader is not None else None,
        )

    def of(self, table: str) -> Iterator[Row]:
        """The rows that this grade has in a file."""
        if table == "total_scores":
            yield self._total()
        elif table == "section_scores":
            yield from self._sections()
        elif table == "individual_answers":
            yield from self._answers()
        else:
            yield from self._annotations()

    def _total(self) -> Row:
        grade, ticket, scores = self.version.grade, self.version.grade.ticket, self.content.scores
        first_graded = grade.changes[0].moment
        started = None if grade.number % 31 == 7 else first_graded - timedelta(seconds=int(grade.seconds))
        return (
            *self._first,
            scores.total,
            scores.maximum,
            self.content.comment,
            self.version.graded,
            self.grader,
            grade.grade_type,
            ticket.created,
            started,
            first_graded,
            first_graded,
            ticket.source,
            None if grade.number % 43 == 11 else grade.seconds,
            self.content.alignment,
            *self._target,
        )

    def _sections(self) -> Iterator[Row]:
        head = (*self._first, *self._shared, self.content.alignment, *self._target)
        for section, (score, maximum) in zip(
            self.version.grade.rubric.sections, self.content.scores.sections, strict=True
        ):
            yield (*head, section.section_id, section.name, score, maximum, section.weight)

    def _answers(self) -> Iterator[Row]:
        head = (*self._first, *self._shared, self.content.alignment, *self._target)
        for section, question, label, score, comment in answers(self.version, self.content):
            feedback = "Needs practice" if score == 0 and question.maximum else None
            yield (
                *head,
                section.section_id,
                section.name,
                question.question_id,
                question.text,
                label,
                feedback,
                score,
                question.maximum if section.kind == "ordinary" else 0.0,
                comment,
            )

    def _annotations(self) -> Iterator[Row]:
        for note in self.content.annotations:
            yield (
                *self._first,
                note.question.question_id,
                note.question.text,
                note.section.section_id,
                note.section.name,
                note.annotation_id,
                note.selected_text,
                note.comment,
                *self._shared,
            )


def csat_rows(ticket: Ticket, *, replaced: bool) -> Iterator[Row]:
    """The survey of a ticket, if the customer answered; with `replaced` also the one that it replaces."""
    for survey in (ticket.earlier_survey if replaced else None, ticket.survey):
        if survey is not None:
            score = survey.rating if survey.score is None else survey.score
            yield (ticket.gradable_id, score, survey.comment, ticket.created, ticket.source)


def group_rows(
    centre: Centre, people: Iterable[Person], clock: datetime, *, include_unavailable: bool
) -> Iterator[Row]:
    """One row for each team and agent in it."""
    names = {group.group_id: group.name for group in centre.groups}
    for person in people:
        if person.available or include_unavailable:
            for group_id in centre.groups_of(person, clock):
                yield (names[group_id], group_id, person.name, person.email, person.all_ids, person.available)


def audit_rows(centre: Centre, start: datetime, end: datetime, clock: datetime) -> Iterator[Row]:
    """Activity strictly between two moments, as far as it happened. One activity can give several rows."""
    end = min(end, clock + timedelta(microseconds=1))
    words = {"graded": "create", "regraded": "update", "edited": "update", "deleted": "delete"}
    for grade in centre.grades:
        for position, change in enumerate(grade.changes):
            if not start < change.moment < end:
                continue
            activity = f"{mix(centre.seed, AUDIT, grade.number, position):016x}"
            user = None if change.grader is None else centre.users[change.grader].email
            ip = None if change.grader is None else f"198.51.100.{change.grader % 250 + 1}"
            kind = "grade" if grade.grade_type == "grading" else grade.grade_type
            about = f'{change.kind} ticket {grade.ticket.gradable_id} with "{grade.rubric.name}"'
            yield (activity, change.moment, user, kind, words[change.kind], about, ip)
            if position == 0 and grade.number % 3 == 0:
                told = f"notified {grade.person.name}\nby e-mail, {grade.person.email}"
                yield (activity, change.moment, None, "notification", "create", told, None)
    yield from _visits(centre, start, end)


def _visits(centre: Centre, start: datetime, end: datetime) -> Iterator[Row]:
    day = max(0, (start - centre.start).days)
    while (midnight := centre.start + timedelta(days=day)) < end:
        rng = draws(centre.seed, AUDIT, day)
        for user in centre.users:
            came = midnight + timedelta(seconds=int(rng.uniform(7 * 3600, 8 * 3600)))
            left = came + timedelta(seconds=int(rng.uniform(4 * 3600, 9 * 3600)))
            activity = f"{mix(centre.seed, AUDIT, day, user.number + 1_000):016x}"
            for moment, word in ((came, "login"), (left, "logout")):
                if start < moment < end:
                    ip = f"198.51.100.{user.number % 250 + 1}"
                    yield (activity, moment, user.email, "user", word, f"{word} from the web app", ip)
        day += 1


def grades_updated(centre: Centre, start: datetime, end: datetime, clock: datetime) -> Iterator[Grade]:
    """Grades whose last update as of `clock` lies strictly between two moments."""
    for grade in centre.grades:
        if grade.changes[0].moment <= clock:
            updated = grade.last_updated(clock)
            if updated is not None and start < updated < end:
                yield grade
