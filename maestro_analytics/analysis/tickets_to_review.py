"""Which tickets to listen to before a talk with an agent, and what graders wrote about them."""

from __future__ import annotations

from typing import Unpack

from maestro_analytics.analysis.answer import Answer
from maestro_analytics.analysis.filters import Choice, Filters, Store


def tickets_to_review(store: Store, *, show: int = 3, **filters: Unpack[Filters]) -> Answer:
    """Which tickets of each agent are worth listening to?

    One row per person and ticket: the `show` lowest grades, and the `show` whose score is nearest to the person's
    median, the newest of equal ones. The lowest show what went wrong once; the typical ones, what happens every day.

    Columns
        person_id, agent_name
        why                     String    "lowest" or "typical"
        place                   Int64     from 1, of its kind
        grade_key, source, gradable_id, rubric_id, rubric_name, grader
        date_reported_as        Datetime  UTC
        score_percent           Float64   percent
        comment                 String    the grader's comment on the whole grade

    Source: sql/queries/tickets_to_review.sql. Errors: see `Filters`.
    """
    choice = Choice.of(store, filters)
    return Answer.of(
        store.query("tickets_to_review", **choice.variables, rows=float(show)),
        choice,
        question="Which tickets of each agent are worth listening to?",
        caveat="The lowest grades are chosen for being low: they say nothing of how often that happens.",
    )


def answer_comments(store: Store, *, show: int = 3, **filters: Unpack[Filters]) -> Answer:
    """What did graders write where an agent lost points?

    One row per person, question and comment on an answer below its maximum, the `show` newest of each. The rows of a
    multi-select question are one answer.

    Columns
        person_id, agent_name, rubric_id, rubric_name, question_id, question
        place                   Int64     from 1, the newest first
        grade_key, source, gradable_id, grader
        date_reported_as        Datetime  UTC
        answer_label, comment   String    the answer chosen, and the grader's comment on it

    Source: sql/queries/answer_comments.sql. Errors: see `Filters`.
    """
    choice = Choice.of(store, filters)
    return Answer.of(
        store.query("answer_comments", **choice.variables, rows=float(show)),
        choice,
        question="What did graders write where an agent lost points?",
    )
