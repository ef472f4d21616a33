"""An answer: a polars frame with its question, period and caveat, and how it looks in a notebook."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from html import escape
from typing import Any

import polars as pl

from maestro_analytics.analysis.filters import TIME_AXIS, Choice
from maestro_analytics.extras import require
from maestro_analytics.text import without_emoji

Schema = dict[str, type[pl.DataType]]
HOW_SURE: Schema = {"method": pl.String, "reliable": pl.Boolean, "reason": pl.String}
"""The columns that every answer about figures ends with."""


@dataclass(frozen=True)
class About:
    """The question, period, time axis and caveat of an answer.

    Attributes:
        question: what it answers.
        period: the period in words, with all filters.
        time_axis: the column that places a row in time, and the time zone of weeks.
        caveat: what it does not show; begins with `left_out`.
        reason: why it is empty; an empty text when it is not.
        left_out: how many grades of time that no export covers are left out, or counted; an empty text without any.
    """

    question: str
    period: str
    time_axis: str
    caveat: str = ""
    reason: str = ""
    left_out: str = ""

    @property
    def own_caveat(self) -> str:
        """The caveat without `left_out`, for a page that says so once for all its answers."""
        return self.caveat.removeprefix(self.left_out).strip()

    @property
    def lines(self) -> list[str]:
        """The same as lines of text."""
        if not self.question:
            return []
        where = f"{self.period}; time axis {self.time_axis}"
        return [line for line in (self.question, where, self.caveat, self.reason) if line]


class Answer(pl.DataFrame):
    """A polars frame with `about`: question, period, time axis, caveat, and the reason when it is empty.

    Whatever you derive from it (`filter`, `join`, ...) is a plain frame: it is no longer this answer.
    """

    about: About = About("", "", "")

    @classmethod
    def of(
        cls,
        frame: pl.DataFrame,
        choice: Choice,
        *,
        question: str,
        caveat: str = "",
        time_axis: str = TIME_AXIS,
        reason: str | None = None,
    ) -> Answer:
        """`frame` as the answer to `question`; its caveat begins with the grades that `choice` leaves out."""
        answer = cls(frame)
        caveat = " ".join(text for text in (choice.left_out, caveat) if text)
        if reason is None:
            reason = "" if frame.height else f"nothing to count: no rows ({choice.words})"
        axis = f"{time_axis} (days and weeks in {choice.week_zone})"
        answer.about = About(question, choice.words, axis, caveat, reason, choice.left_out)
        return answer

    def to_pandas(self, *arguments: Any, **named: Any) -> Any:
        """The rows as a pandas frame; see `polars.DataFrame.to_pandas`.

        Raises:
            SettingsError: pandas, the extra `pandas`, is not installed.
        """
        require("pandas", for_what="`to_pandas()`")
        return super().to_pandas(*arguments, **named)

    def __str__(self) -> str:
        return "\n".join([super().__str__(), *self.about.lines])

    def __repr__(self) -> str:
        return self.__str__()

    def _repr_html_(self, *, _from_series: bool = False) -> str:
        return html_table(pl.DataFrame(self), self.about.lines)


MOST_ROWS = 50
SHARES_END = 2.0
"""A column whose values lie within plus and minus this has two decimals, another one."""

NAMES = ("name", "agent_name", "agent", "team", "group", "grader", "other", "rubric_name", "section_name", "question")
LAST = ("reliable", "reason")


def html_table(frame: pl.DataFrame, lines: list[str]) -> str:
    """The frame as HTML, with `lines` below it.

    Names stand first and ids last; a column that is empty everywhere, and the method where it is the same everywhere,
    are named below the table instead. The column of reasons is left out when it is empty. Rows that are not reliable
    are faint, with their reason in full. Emoji are replaced by a sign that every font has.
    """
    empty = [name for name in frame.columns if frame.height and name != "reason" and _says_nothing(frame[name])]
    methods = frame["method"].unique().to_list() if "method" in frame.columns and frame.height else []
    silent = ["reason"] if "reason" in frame.columns and (frame["reason"] == "").all() else []
    dropped = {*empty, *silent, *(["method"] if len(methods) == 1 else [])}
    columns = [name for name in ordered(frame.columns) if name not in dropped]
    notes = list(lines)
    if len(methods) == 1:
        notes.append(f"method: {methods[0]}")
    if empty:
        notes.append(f"without any value: {', '.join(empty)}")
    if "reliable" in frame.columns and (doubtful := int((~frame["reliable"]).sum())):
        notes.append(f"{doubtful} of {frame.height} rows are not reliable: their reason says why.")
    shown = frame.select(columns)
    hidden = frame.height - MOST_ROWS
    if hidden > 0:
        notes.append(f"{frame.height:,} rows, of which the first and last {MOST_ROWS // 2} are shown.")
        shown = pl.concat([shown.head(MOST_ROWS // 2), shown.tail(MOST_ROWS // 2)])
    cells = [_texts(shown[name]) for name in columns]
    styles = [_style(name, dtype) for name, dtype in shown.schema.items()]
    faint = [not sure for sure in shown["reliable"]] if "reliable" in columns else [False] * shown.height
    rows = [_row([column[at] for column in cells], styles, faint=faint[at]) for at in range(shown.height)]
    if hidden > 0:
        rows.insert(MOST_ROWS // 2, f'<tr><td colspan="{len(columns)}" style="text-align:center">…</td></tr>')
    head = "".join(
        f'<th scope="col" style="{style}">{escape(name)}</th>' for name, style in zip(columns, styles, strict=True)
    )
    below = "<br>".join(escape(note) for note in notes)
    return (
        f'<div style="overflow-x:auto"><table class="dataframe"><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div><small>{below}</small>"
    )


def ordered(columns: list[str]) -> list[str]:
    """Columns in the order in which a notebook shows them: names, findings, how sure they are, ids."""
    names = [name for name in NAMES if name in columns]
    ids = [name for name in columns if name == "id" or name.endswith(("_id", "_key"))]
    last = [name for name in LAST if name in columns]
    return [*names, *(name for name in columns if name not in (*names, *ids, *last)), *last, *ids]


def _says_nothing(column: pl.Series) -> bool:
    return column.null_count() == len(column) or (column.dtype == pl.String and bool((column == "").all()))


def _style(name: str, dtype: pl.DataType) -> str:
    """The alignment of a column, and of a column of names its least width."""
    side = "right" if dtype.is_numeric() else "left"
    return f"text-align:{side}" + (";min-width:9em" if name in NAMES else "")


def _row(cells: list[str], styles: list[str], *, faint: bool) -> str:
    opacity = ' style="opacity:.65"' if faint else ""
    inside = "".join(
        f'<td style="{style}">{escape(without_emoji(cell))}</td>' for cell, style in zip(cells, styles, strict=True)
    )
    return f"<tr{opacity}>{inside}</tr>"


def _texts(column: pl.Series) -> list[str]:
    decimals = 1
    if column.dtype.is_float():
        known = column.drop_nulls().drop_nans()
        decimals = 2 if known.is_empty() or float(known.abs().max() or 0.0) <= SHARES_END else 1  # type: ignore[arg-type]
    return [_text(value, decimals) for value in column.to_list()]


def _text(value: Any, decimals: int) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:,.{decimals}f}"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M}"
    return str(value)
