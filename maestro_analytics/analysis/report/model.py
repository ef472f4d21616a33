"""A piece of the report, and what people are shown of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import polars as pl

from maestro_analytics.analysis.answer import Answer
from maestro_analytics.analysis.filters import Filters, Store


@dataclass(frozen=True)
class Column:
    """A column for people: where its text comes from.

    Attributes:
        heading: what stands above it.
        fields: one column of the answer, or three: value, lo, hi.
        style: "text", "count", "number" (one decimal), "signed", "share" (two decimals) or "interval".
    """

    heading: str
    fields: tuple[str, ...]
    style: Literal["text", "count", "number", "signed", "share", "interval", "signed interval", "share interval"]


@dataclass(frozen=True)
class Piece:
    """What the report asks, and how it shows the answer.

    Attributes:
        ask: the function that answers; its name is also that of the CSV file.
        columns: what people are shown of the answer; empty where it is shown as a chart only.
        draw: the name of its chart in `charts`, which are imported when one is drawn; None for a table alone.
        reading: how to read it.
        options: keywords of `ask`.
        doubts: whether `ask` is told from how many values on (`min_n`) a row is reliable.
        filters: which filters `ask` knows; None for all.
    """

    ask: Callable[..., Answer]
    title: str
    columns: tuple[Column, ...]
    draw: str | None
    reading: str
    options: dict[str, Any] = field(default_factory=dict)
    doubts: bool = False
    filters: tuple[str, ...] | None = None

    @property
    def name(self) -> str:
        return self.ask.__name__

    def asked(self, store: Store, min_n: int, filters: Filters) -> Block:
        """The answer of `store`, to be shown."""
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


@dataclass(frozen=True)
class Section:
    """One part of the report."""

    name: str
    title: str
    blocks: tuple[Block, ...]


def cells(block: Block, *, rows: int | None = None) -> list[list[str]]:
    """The text of each row that people are shown."""
    frame = pl.DataFrame(block.answer)
    chosen = frame if rows is None else frame.head(rows)
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
            return f"{values[0]:,.1f}"
        case "signed":
            return f"{values[0]:+.1f}"
        case "share":
            return f"{values[0]:.2f}"
    form = {"interval": ".1f", "signed interval": "+.1f", "share interval": ".2f"}[column.style]
    ends = [f"{value:{form}}" if value is not None else "?" for value in values[1:]]
    return f"{values[0]:{form}}" + (f" ({ends[0]} to {ends[1]})" if ends != ["?", "?"] else "")


def with_something_to_say(block: Block, rows: list[list[str]]) -> list[int]:
    """Which columns to show: notes only where there is one."""
    return [
        at for at, column in enumerate(block.piece.columns) if column.heading != "Note" or any(row[at] for row in rows)
    ]


def heading_lines(part: Section) -> list[str]:
    """What holds for the whole report, from any section: the period and the time axis."""
    about = part.blocks[0].answer.about
    return [f"Period: {about.period}", f"Time axis: {about.time_axis}", "Intervals are 95 %."]
