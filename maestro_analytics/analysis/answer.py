"""An answer: a polars frame with its question, period and caveat."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import polars as pl

from maestro_analytics.analysis.filters import TIME_AXIS, Choice
from maestro_analytics.analysis.notebook_table import html_table
from maestro_analytics.extras import require


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
