"""Scorecards, and how marks become scores in both of the vendor's arithmetics."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from random import Random

from maestro_analytics.sandbox.simulation.chance import MARKS, RUBRICS, draws, identifier

Marks = list[int | None]
"""For each question of a rubric the steps that were reached, None where the question did not apply."""

AUTO_FAIL_RATE = 0.006
BONUS_RATE = 0.15
SECTION_NOT_APPLICABLE_RATE = 0.03
ALL_NOT_APPLICABLE_RATE = 0.003
OWN_VIEW_RATE = 0.25
"""How often a grader sees a step otherwise than the ticket shows it: what keeps graders from agreeing."""


@dataclass(frozen=True)
class Question:
    """`maximum` points in `steps` equal steps. A multi-select question has an option for each step."""

    question_id: str
    text: str
    maximum: float
    steps: int = 1
    options: tuple[str, ...] = ()
    not_applicable_rate: float = 0.04

    def labels(self, mark: int | None) -> list[str | None]:
        """The answers that stand in the file: one, or one for each option chosen."""
        if mark is None:
            return [None]
        if self.options:
            return list(self.options[:mark]) or ["None of these"]
        if self.steps == 1:
            return ["Yes" if mark else "No"]
        return [("Not met", "Partly met", "Met", "Exceeded")[min(mark, 3)] if self.steps <= 3 else str(mark)]

    def score(self, mark: int) -> float:
        return self.maximum * mark / self.steps


@dataclass(frozen=True)
class Section:
    """A section is `ordinary`, a `bonus` (points beyond the maximum) or an `auto_fail` (a "No" makes the grade 0)."""

    section_id: str
    name: str
    questions: tuple[Question, ...]
    weight: float | None = None
    kind: str = "ordinary"


@dataclass(frozen=True)
class Rubric:
    """Scored by total points, or by weighted sections (then `weighted`, and a score is in percent of 100).

    Attributes:
        auto_fail_rate: share of grades that an auto-fail makes 0, where the rubric has such a section.
        full_share: share of tickets on which every step is reached, whoever is graded; the others make up for it.
    """

    number: int
    rubric_id: str
    name: str
    sections: tuple[Section, ...]
    weighted: bool = False
    auto_fail_rate: float = AUTO_FAIL_RATE
    full_share: float = 0.0

    @cached_property
    def questions(self) -> list[tuple[Section, Question]]:
        return [(section, question) for section in self.sections for question in section.questions]


@dataclass(frozen=True)
class Scores:
    """Score and maximum of a grade and of each of its sections; a score is None when nothing applied."""

    total: float | None
    maximum: float
    sections: tuple[tuple[float | None, float], ...]

    @property
    def percent(self) -> float | None:
        return None if self.total is None or not self.maximum else 100 * self.total / self.maximum


def mark(seed: int, ticket: int, rubric: Rubric, *, quality: float, bias: float, view: int) -> Marks:
    """What a grader finds on a ticket.

    Every step is reached with probability (quality + bias) / 100, so the expected score is linear in both. The
    ticket's own draws are shared by all who grade it; `view` numbers a grader's reading of it, of which a quarter is
    the grader's own.
    """
    seen = draws(seed, MARKS, ticket, rubric.number)
    own = draws(seed, MARKS, ticket, rubric.number, view + 1)
    reached = min(0.995, max(0.005, (quality + bias) / 100))
    nothing_applies = seen.random() < ALL_NOT_APPLICABLE_RATE
    if rubric.full_share:
        is_full = seen.random() < rubric.full_share
        reached = 1.0 if is_full else max((reached - rubric.full_share) / (1 - rubric.full_share), 0.005)
    marks: Marks = []
    for section in rubric.sections:
        section_applies = not nothing_applies and seen.random() >= (
            SECTION_NOT_APPLICABLE_RATE if section.kind == "ordinary" else 0.0
        )
        for question in section.questions:
            marks.append(
                _mark_question(
                    section, question, seen, own, reached if section_applies else None, rubric.auto_fail_rate
                )
            )
    return marks


def _mark_question(
    section: Section, question: Question, seen: Random, own: Random, reached: float | None, auto_fail_rate: float
) -> int | None:
    steps = [seen.random() for _ in range(question.steps)]
    applies = seen.random() >= question.not_applicable_rate and own.random() >= 0.003
    if section.kind == "auto_fail":
        return None if reached is None else int(steps[0] >= auto_fail_rate / len(section.questions))
    if section.kind == "bonus":
        return None if reached is None else int(steps[0] < BONUS_RATE)
    if reached is None or not applies:
        return None
    return sum((own.random() if own.random() < OWN_VIEW_RATE else step) < reached for step in steps)


def score(rubric: Rubric, marks: Sequence[int | None]) -> Scores:
    """Add up: N/A shrinks the maximum, a bonus adds beyond it, an auto-fail makes the grade 0 but not the sections."""
    sections: list[tuple[float | None, float]] = []
    total = maximum = weight = bonus = 0.0
    failed = False
    position = 0
    for section in rubric.sections:
        own = marks[position : position + len(section.questions)]
        position += len(own)
        answered = [
            (question, reached) for question, reached in zip(section.questions, own, strict=True) if reached is not None
        ]
        reached_points = sum((question.score(reached) for question, reached in answered), 0.0)
        if section.kind == "auto_fail":
            failed = failed or any(not reached for _, reached in answered)
            sections.append((0.0 if answered else None, 0.0))
            continue
        if section.kind == "bonus":
            bonus += reached_points
            sections.append((reached_points if answered else None, 0.0))
            continue
        possible = sum((question.maximum for question, _ in answered), 0.0)
        sections.append((reached_points if answered else None, possible))
        if rubric.weighted and possible:
            total += (section.weight or 0.0) * reached_points / possible
            weight += section.weight or 0.0
        elif possible:
            total += reached_points
            maximum += possible
    if rubric.weighted:
        total, maximum = (round(100 * total / weight, 2), 100.0) if weight else (0.0, 0.0)
    if not maximum:
        return Scores(None, 0.0, tuple(sections))
    return Scores(0.0 if failed else total + bonus, maximum, tuple(sections))


def alignment(rubric: Rubric, marks: Sequence[int | None], target: Sequence[int | None]) -> float | None:
    """The vendor's alignment in percent: each question weighs its share of the points that both graders answered."""
    pairs = [
        (question, ours, theirs)
        for (section, question), ours, theirs in zip(rubric.questions, marks, target, strict=True)
        if section.kind == "ordinary" and ours is not None and theirs is not None
    ]
    possible = sum(question.maximum for question, _, _ in pairs)
    if not possible:
        return None
    missed = sum(abs(question.score(ours) - question.score(theirs)) for question, ours, theirs in pairs)
    return round(100 * (1 - missed / possible), 2)


def make_rubrics(seed: int, *, auto_fail_rate: float | None = None) -> list[Rubric]:
    """Three scorecards: total points with a bonus and an auto-fail, weighted sections, and a short compliance check."""
    rng = draws(seed, RUBRICS)

    def section(name: str, *questions: Question, weight: float | None = None, kind: str = "ordinary") -> Section:
        return Section(identifier(rng), name, questions, weight, kind)

    def ask(text: str, maximum: float, steps: int = 1, *options: str) -> Question:
        return Question(identifier(rng), text, float(maximum), steps, options)

    support = Rubric(
        0,
        identifier(rng),
        "Support quality, all channels",
        (
            section(
                "Opening",
                ask("Did the agent greet the customer by name?", 5),
                ask('Did the agent say "how can I help?", or words like it', 5),
                ask("Was the account verified?", 10),
            ),
            section(
                "Solution",
                ask("Was the problem understood,\nand said back to the customer?", 10, 2),
                ask("Was the answer right?", 15, 2),
                ask("Which steps were taken?", 9, 3, "Checked the history", "Tried it out", "Asked a colleague"),
                ask("Were next steps agreed?", 10),
            ),
            section(
                "Language",
                ask("Spelling & grammar", 7, 2),
                ask("Tone – warm, clear, brief", 8, 4),
                ask("Empathy 🙂", 10, 2),
                ask("No jargon; no blame", 11),
            ),
            section("Extra mile", ask("Did the agent delight the customer?", 5), kind="bonus"),
            section("Auto-fail", ask("Was personal data kept safe?", 0), kind="auto_fail"),
        ),
    )
    chat = Rubric(
        1,
        identifier(rng),
        'Chat "weighted" 2026',
        (
            section("Greeting", ask("Answered within 30 s", 2), ask("Greeting, polite", 3), weight=20.0),
            section(
                "Problem solving",
                ask("Asked the right questions", 4, 2),
                ask("Solved at first contact", 6),
                ask("What was offered?", 4, 2, "An article", "A call back"),
                ask("Escalated when needed", 6),
                weight=50.0,
            ),
            section("Closing", ask("Anything else?", 3), ask("Tags set", 3), ask("Summary written", 4, 2), weight=30.0),
        ),
        weighted=True,
    )
    compliance = Rubric(
        2,
        identifier(rng),
        "Compliance check",
        (
            section(
                "Disclosures", ask("Recording disclosed", 7, 2), ask("Terms named, in full", 7, 2), ask("Consent", 6)
            ),
            section("Records", ask("Notes complete", 5, 2), ask("Category set", 5)),
            section(
                "Fatal errors",
                ask("No card number in the notes", 0),
                ask("No promise that cannot be kept", 0),
                kind="auto_fail",
            ),
        ),
    )
    if auto_fail_rate is not None:
        support, compliance = (replace(rubric, auto_fail_rate=auto_fail_rate) for rubric in (support, compliance))
    return [support, chat, compliance]


def in_fives(seed: int, rubric: Rubric, *, full_share: float) -> Rubric:
    """A rubric of 20 questions of 5 points in place of another one: scores in steps of 5, many of them 100."""
    rng = draws(seed, RUBRICS, 1)
    sections = tuple(
        Section(
            identifier(rng),
            name,
            tuple(Question(identifier(rng), f"{name}, point {number}", 5.0, 1, (), 0.0) for number in range(1, 6)),
        )
        for name in ("Opening", "Solution", "Language", "Closing")
    )
    failing = tuple(section for section in rubric.sections if section.kind == "auto_fail")
    return replace(rubric, name="Support quality, in fives", sections=(*sections, *failing), full_share=full_share)
