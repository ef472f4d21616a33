"""The report and the scorecard on a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from shutil import get_terminal_size
from typing import TYPE_CHECKING, TextIO

from maestro_analytics.analysis.report.model import Block, Section, cells, heading_lines, shown_columns
from maestro_analytics.analysis.report.scorecards import (
    against_everyone,
    changed,
    interval,
    places,
    stands,
    ticket_link,
)
from maestro_analytics.text import one_line, shortened, table_lines, wrapped

if TYPE_CHECKING:
    from maestro_analytics.analysis.report.scorecards import Row, Scorecard, Scorecards

PIPED_WIDTH = 140
"""How wide lines may be where no terminal says it."""
LAST_WEEKS = 8


class Page:
    """Lines for a terminal of a width, or for a file."""

    def __init__(self, to: TextIO) -> None:
        from rich.console import Console

        self._console = Console(file=to, highlight=False, markup=False, emoji=False, soft_wrap=True)
        # Not the console's width: that is 80 for every terminal without colours.
        self.width = get_terminal_size().columns if self._console.is_terminal else PIPED_WIDTH

    def title(self, words: str) -> None:
        """A heading, with an empty line above it."""
        self._print("", "")
        self._lines(wrapped(one_line(words), self.width), "bold")

    def note(self, words: str) -> None:
        """A remark in a faint colour, wrapped between words."""
        if words:
            self._lines(wrapped(one_line(words), self.width), "dim")

    def say(self, words: str, *, indent: int = 0) -> None:
        """Text, wrapped between words and indented."""
        lines = wrapped(one_line(words), self.width - indent)
        self._lines((" " * indent + line for line in lines), "")

    def table(self, headings: Sequence[tuple[str, bool]], rows: Sequence[Sequence[str]]) -> None:
        """A table; of each heading whether its cells are numbers."""
        numbers = [number for _, number in headings]
        self._lines(table_lines([words for words, _ in headings], rows, width=self.width, to_the_right=numbers), "")

    def _lines(self, lines: Iterable[str], style: str) -> None:
        for line in lines:
            self._print(line, style)

    def _print(self, line: str, style: str) -> None:
        from rich.text import Text

        self._console.print(Text(line, style=style), soft_wrap=True)


def show(parts: list[Section], *, to: TextIO, rows: int = 15) -> None:
    """Write the tables of `parts`, at most `rows` rows each: of longer ones the first and the last.

    Text of the vendor is shown as it is, never as markup, and without what steers a terminal.
    """
    page = Page(to)
    for line in heading_lines(parts[0]):
        page.note(line)
    for part in parts:
        for block in part.blocks:
            if block.piece.columns and block.piece.on_terminal:
                _show_block(page, block, rows)


def _show_block(page: Page, block: Block, rows: int) -> None:
    page.title(block.piece.title)
    if not block.answer.height:
        page.note(block.answer.about.reason)
        return
    whole = cells(block)
    hidden = len(whole) - rows
    first = rows - rows // 3
    shown = whole if hidden <= 0 else [*whole[:first], *whole[len(whole) - rows // 3 :]]
    kept = shown_columns(block, shown)
    headings = [(block.piece.columns[at].heading, block.piece.columns[at].style != "text") for at in kept]
    cut = [[row[at] for at in kept] for row in shown]
    if hidden > 0:
        cut.insert(first, ["…"] * len(kept))
    page.table(headings, cut)
    if hidden > 0:
        page.note(f"The first {first} and the last {rows // 3} of {len(whole)} rows: --format csv has all.")
    page.note(block.answer.about.own_caveat)


def show_scorecard(cards: Scorecards, card: Scorecard, *, to: TextIO, links: Mapping[str, str]) -> None:
    """Write the scorecard of one agent.

    Args:
        links: addresses of tickets by source; see `Settings.ticket_urls`.
    """

    def ticket(row: Row) -> str:
        return ticket_link(links, row["source"], row["gradable_id"]) or str(row["gradable_id"])

    page = Page(to)
    page.title(card.name)
    page.note(f"Team: {', '.join(card.teams.values()) or 'none'}. Period: {cards.period}.")
    page.note(cards.left_out)
    _show_standing(page, cards, card)
    _show_weeks(page, cards, card)
    for title, rows in (("Questions that cost most", card.costs), ("Strengths", card.strengths)):
        page.title(title)
        _show_questions(page, rows, ticket)
    page.title("Tickets to listen to")
    _show_rows(
        page,
        [("Why", False), ("Ticket", False), ("Score, %", True), ("Day", False), ("Grader", False)],
        [
            (
                row["why"],
                ticket(row),
                f"{row['score_percent']:.1f}",
                cards.day_text(row["date_reported_as"]),
                row["grader"] or "–",
            )
            for row in card.tickets
        ],
        nothing="No scored grade.",
    )
    page.title("Open to-dos")
    _show_rows(
        page,
        [("To-do", False), ("Days open", True), ("Ticket", False)],
        [(row["title"] or "–", f"{row['days']:.0f}", ticket(row) if row["gradable_id"] else "–") for row in card.todos],
        nothing="None is open.",
    )
    page.title("Coaching so far, and what followed")
    numbers = [(name, True) for name in ("28 days before, %", "28 days after, %", "Change")]
    _show_rows(
        page,
        [("Day", False), ("Coach", False), *numbers, ("Note", False)],
        [
            (
                cards.day_text(row["held_at"]),
                row["coach_name"] or "–",
                *(f"{row[name]:.1f}" if row[name] is not None else "–" for name in ("before", "after")),
                interval(row, "change", sign="+"),
                row["reason"],
            )
            for row in card.coaching
        ],
        nothing="No coaching session is recorded.",
    )
    page.note("A low stretch is usually followed by a better one, coached or not." if card.coaching else "")


def _show_standing(page: Page, cards: Scorecards, card: Scorecard) -> None:
    row = card.standing
    if row is None:
        page.say(f"No scored grade ({cards.period}).")
    else:
        score = interval(row, "shrunk", "shrunk_lo", "shrunk_hi")
        page.say(f"Score with an average grader: {score} %. {stands(row)}.")
        page.say(f"Place: {places(row)}. As graded: {interval(row, 'mean')} % in {row['n']} grades.")
    if card.change is not None:
        page.say(f"Change: {interval(card.change, 'change', sign='+')} points. {changed(card.change)}.")


def _show_weeks(page: Page, cards: Scorecards, card: Scorecard) -> None:
    weeks = [week for week in card.trend if week["mean"] is not None][-LAST_WEEKS:]
    if not weeks:
        return
    everyone = {week["period"]: week["mean"] for week in cards.everyone}
    page.title("The last weeks")
    page.table(
        [("Week from", False), ("Grades", True), ("Average, %", True), ("All agents, %", True)],
        [
            (
                f"{week['period']}{' (unfinished)' if week['unfinished'] else ''}",
                str(week["n"]),
                interval(week, "mean"),
                f"{everyone[week['period']]:.1f}",
            )
            for week in weeks
        ],
    )


def _show_rows(page: Page, headings: list[tuple[str, bool]], rows: list[tuple[str, ...]], *, nothing: str) -> None:
    if rows:
        page.table(headings, rows)
    else:
        page.note(nothing)


def _show_questions(page: Page, rows: list[Row], ticket: Callable[[Row], str]) -> None:
    if not rows:
        page.note("No question.")
    for row in rows:
        page.say(f"{row['question']} ({row['rubric_name']})")
        page.say(against_everyone(row), indent=2)
        for note in row.get("comments", []):
            words = shortened(note["comment"], 160)
            page.say(f'"{words}" {note["grader"] or "unknown grader"}, ticket {ticket(note)}', indent=4)
