"""A piece of the report, and what people are shown of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import polars as pl

from maestro_analytics.analysis.answer import About, Answer
from maestro_analytics.analysis.filters import Choice, Filters, Store


@dataclass(frozen=True)
class Column:
    """A column for people: where its text comes from.

    Attributes:
        heading: what stands above it.
        fields: one column of the answer, or three: value, lo, hi.
        style: "text", "count", "number" (one decimal), "signed", "share" (two decimals), "date", "interval", or "range"
            (lo and hi alone).
    """

    heading: str
    fields: tuple[str, ...]
    style: Literal[
        "text", "count", "number", "signed", "share", "date", "range", "interval", "signed interval", "share interval"
    ]


def as_answered(frame: pl.DataFrame) -> pl.DataFrame:
    """The rows as the answer has them."""
    return frame


@dataclass(frozen=True)
class Words:
    """What people are told of an answer, in words that need no knowledge of statistics.

    Attributes:
        measured: what is measured; stands below the heading.
        reading: how to read the picture or the table.
        action: what to do with it.
        limits: what it does not show.
        method: the method's name, for those who look for it; a footnote.
        with_caveat: whether the footnote ends with the caveat of the answer; not where these words say the same.
    """

    measured: str
    reading: str = ""
    action: str = ""
    limits: str = ""
    method: str = ""
    with_caveat: bool = True


@dataclass(frozen=True)
class Piece:
    """What the report asks, and how it shows the answer.

    Attributes:
        ask: the function that answers.
        title: its heading; no other piece has the same.
        columns: what people are shown of the answer; empty where it is shown as a chart only.
        draw: the name of its chart in `charts`, which are imported when one is drawn; None for a table alone.
        words: what people are told of it.
        says: the answer in a sentence or two, for those who cannot see the picture as well.
        shown: the rows that people are shown, in the order in which they read them; files hold the answer as it is.
        options: keywords of `ask`.
        named: its name in files and links, where it is not that of `ask`.
        doubts: whether `ask` is told from how many values on (`min_n`) a row is reliable.
        filters: which filters `ask` knows; None for all.
        on_terminal: whether a terminal shows its table; some tables are there to go with a picture.
        most_grades: with more grades than this it is left out, because it would take too long; None for no limit.
    """

    ask: Callable[..., Answer]
    title: str
    columns: tuple[Column, ...]
    draw: str | None
    words: Words
    says: Callable[[pl.DataFrame], str] | None = None
    shown: Callable[[pl.DataFrame], pl.DataFrame] = as_answered
    options: dict[str, Any] = field(default_factory=dict)
    named: str = ""
    doubts: bool = False
    filters: tuple[str, ...] | None = None
    on_terminal: bool = True
    most_grades: int | None = None

    @property
    def name(self) -> str:
        return self.named or self.ask.__name__

    def asked(self, store: Store, min_n: int, filters: Filters) -> Block:
        """The answer of `store`, to be shown."""
        if self.most_grades is not None:
            choice = Choice.of(store, filters)
            grades = store.query("agent_scores", **choice.variables, threshold=80.0)["n"].sum()
            if grades > self.most_grades:
                reason = (
                    f"Left out: with {grades:,} grades it takes too long. It is worked out for up to "
                    f"{self.most_grades:,}: choose a shorter period, or one team."
                )
                return Block(self, Answer.of(pl.DataFrame(), choice, question=self.title, reason=reason))
        known = {name: value for name, value in filters.items() if self.filters is None or name in self.filters}
        doubts = {"min_n": min_n} if self.doubts else {}
        return Block(self, self.ask(store, **self.options, **doubts, **known))


@dataclass(frozen=True)
class Block:
    """One answer of the report: the whole of it, which csv and json hold, and how people are shown it."""

    piece: Piece
    answer: Answer

    @property
    def name(self) -> str:
        return self.piece.name

    @cached_property
    def frame(self) -> pl.DataFrame:
        """The rows that people are shown, in the order in which they read them."""
        whole = pl.DataFrame(self.answer)
        return self.piece.shown(whole) if whole.height else whole

    @cached_property
    def says(self) -> str:
        """The answer in a sentence or two; an empty text where there is nothing to say."""
        if self.piece.says is None or not self.answer.height:
            return ""
        return self.piece.says(pl.DataFrame(self.answer))


@dataclass(frozen=True)
class Section:
    """One part of the report."""

    name: str
    title: str
    blocks: tuple[Block, ...]


def cells(block: Block, *, rows: int | None = None) -> list[list[str]]:
    """The text of each row that people are shown; the first `rows` of them."""
    chosen = block.frame if rows is None else block.frame.head(rows)
    return [[_cell(column, row) for column in block.piece.columns] for row in chosen.iter_rows(named=True)]


def _cell(column: Column, row: dict[str, Any]) -> str:
    values = [row[name] for name in column.fields]
    if values[0] is None:
        return "–"
    match column.style:
        case "text":
            return " ".join(str(values[0]).split())
        case "count":
            return " to ".join(f"{value:,}" for value in values)
        case "number":
            return f"{values[0]:z,.1f}"
        case "signed":
            return f"{values[0]:+z.1f}"
        case "share":
            return f"{values[0]:z.2f}"
        case "range":
            return " to ".join(f"{value:z.1f}" if value is not None else "?" for value in values)
        case "date":
            return f"{values[0]:%Y-%m-%d}"
    form = {"interval": "z.1f", "signed interval": "+z.1f", "share interval": "z.2f"}[column.style]
    ends = [f"{value:{form}}" if value is not None else "?" for value in values[1:]]
    return f"{values[0]:{form}}" + (f" ({ends[0]} to {ends[1]})" if ends != ["?", "?"] else "")


def shown_columns(block: Block, rows: list[list[str]]) -> list[int]:
    """Which columns to show: notes only where there is one."""
    return [
        at for at, column in enumerate(block.piece.columns) if column.heading != "Note" or any(row[at] for row in rows)
    ]


def whole_period(part: Section) -> About:
    """What an answer about the whole period says of it: the overview's first one is about the newest period alone."""
    return part.blocks[-1 if part.name == "overview" else 0].answer.about


def heading_lines(part: Section) -> list[str]:
    """What holds for the whole report, from any section: the period, the time axis, and the grades left out."""
    about = whole_period(part)
    lines = [f"Period: {about.period}", f"Time axis: {about.time_axis}", "Intervals are 95 %.", about.left_out]
    return [line for line in lines if line]
