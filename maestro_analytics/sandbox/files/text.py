"""Write values as text as real exports do: guarded dates, null words, needless quotes, BOM, CRLF."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from random import Random
from typing import cast

from maestro_analytics.sandbox.files.columns import FLAG, IDS, LABEL, MOMENT, NUMBER, SCORE_OR_WORD, SECONDS, TEXT

_NULLS = ("Unknown", "", "N/A")
"""Every word that was ever seen for null. By default a date has the first alone, a score the others."""


@dataclass(frozen=True)
class Style:
    """How a whole file is written."""

    byte_order_mark: bool
    line_end: str
    blank_first_line: bool

    @classmethod
    def drawn(cls, rng: Random) -> Style:
        return cls(rng.random() < 0.4, "\r\n" if rng.random() < 0.5 else "\n", rng.random() < 0.3)

    def opening(self, columns: Iterable[str], lines_before: Iterable[str] = ()) -> str:
        return (
            ("\ufeff" if self.byte_order_mark else "")
            + "".join(line + self.line_end for line in lines_before)
            + (self.line_end if self.blank_first_line else "")
            + ",".join(columns)
            + self.line_end
        )


def quoted(text: str) -> str:
    """A CSV field of any text."""
    if '"' in text or "," in text or "\n" in text or "\r" in text:
        return '"' + text.replace('"', '""') + '"'
    return text


def _label(value: object, form: int) -> str:
    return _NULLS[form % 2] if value is None else quoted(str(value))


def _text(value: object, form: int) -> str:
    text = str(value)
    return f'"{text}"' if form % 3 == 1 and '"' not in text else quoted(text)


def number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)


def _number(value: object, form: int) -> str:
    if value is None:
        return _NULLS[1 + form % 2]
    return number(cast(float, value))


def _score_or_word(value: object, form: int) -> str:
    return quoted(value) if isinstance(value, str) else _number(value, form)


def _seconds(value: object, form: int) -> str:
    if value is None:
        return _NULLS[1 + form % 2]
    seconds = cast(float, value)
    if form % 2 and seconds == int(seconds):
        return f"{int(seconds) // 3600:02d}:{int(seconds) // 60 % 60:02d}:{int(seconds) % 60:02d}"
    return number(seconds)


def _moment(value: object, form: int) -> str:
    if value is None:
        return _NULLS[0]
    moment = cast(datetime, value)
    text = moment.isoformat(sep="T", timespec="milliseconds" if moment.microsecond else "seconds")[:-6]
    if form % 3 == 0:
        return '"=""' + text.replace("T", " ") + '"""'
    return '="' + text.replace("T", " ") + '"' if form % 3 == 1 else text + "Z"


def _flag(value: object, form: int) -> str:
    return "True" if value else "False"


def _ids(value: object, form: int) -> str:
    return quoted((", " if form % 3 == 1 else ",").join(cast(list[str], value)))


RENDER: dict[str, Callable[[object, int], str]] = {
    LABEL: _label,
    TEXT: _text,
    NUMBER: _number,
    SCORE_OR_WORD: _score_or_word,
    SECONDS: _seconds,
    MOMENT: _moment,
    FLAG: _flag,
    IDS: _ids,
}


def with_any_null(render: Callable[[object, int], str]) -> Callable[[object, int], str]:
    """Render null as any of the words that were ever seen for it."""
    return lambda value, form: _NULLS[form % 3] if value is None else render(value, form)


def deleted_flag(deleted: bool, form: int) -> str:
    """`is_deleted` in one of the ways it has been seen."""
    return (("false", "0"), ("true", "1"))[deleted][form % 2]
