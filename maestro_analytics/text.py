"""Values of frames as JSON and as text, what the vendor's users typed made harmless, and tables that fit a terminal."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import date, time, timedelta
from decimal import Decimal
from math import isfinite
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import polars as pl

_STEERING = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters, which steer a terminal; those that turn the direction of writing; halves of a character."""
SIGN = "◆"
EMOJI = (
    r"(?:[\x{1F000}-\x{1FAFF}\x{2600}-\x{27BF}\x{2B00}-\x{2BFF}\x{231A}-\x{23FF}]"
    r"[\x{FE00}-\x{FE0F}\x{200D}\x{20E3}\x{E0020}-\x{E007F}]*)+"
)
"""One or several emoji in a row, with what changes their colour or joins them, as polars and Rust write it."""
_EMOJI = re.compile(re.sub(r"\\x\{([0-9A-F]+)\}", lambda found: chr(int(found[1], 16)), EMOJI))
GAP = "  "
KEPT = "\u00a0"
"""Stands for a space at which no line ends."""


def json_value(value: Any) -> Any:
    """A value as JSON has it: moments in ISO 8601, bytes in hexadecimal, durations in seconds, NaN as null.

    A decimal number that a double does not hold to the last digit is text.
    """
    if isinstance(value, dict):
        return {str(json_value(name)): json_value(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [json_value(inner) for inner in value]
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, Decimal):
        if value == value.to_integral_value():
            return int(value)
        return float(value) if Decimal(repr(float(value))) == value else str(value)
    if isinstance(value, float) and not isfinite(value):
        return None
    return value


def rows_of(frame: pl.DataFrame) -> list[dict[str, Any]]:
    """The rows of a frame as JSON values; see `json_value`."""
    import polars as pl

    # Python's moments end at the microsecond.
    fine = [name for name, dtype in frame.schema.items() if dtype == pl.Time or _is_in_nanoseconds(dtype)]
    fine = [name for name in fine if (frame[name].to_physical() % 1_000 != 0).any()]
    return [json_value(row) for row in frame.with_columns(pl.col(fine).dt.to_string("iso:strict")).to_dicts()]


def _is_in_nanoseconds(dtype: pl.DataType) -> bool:
    import polars as pl

    return isinstance(dtype, pl.Datetime) and dtype.time_unit == "ns"


def text_of(value: Any) -> str:
    """A value as text: lists and structures as JSON, moments in ISO 8601, bytes in hexadecimal, spans in seconds."""
    if isinstance(value, float):
        return str(value)
    plain = json_value(value)
    return plain if isinstance(plain, str) else json.dumps(plain, ensure_ascii=False)


def clean(text: object) -> str:
    """The text with its line breaks; what steers a terminal or hides text is replaced."""
    return harmless(str(text).replace("\r\n", "\n").replace("\r", "\n")).strip()


def harmless(text: str) -> str:
    """The text as it is, but for what steers a terminal or turns the direction of writing."""
    return _STEERING.sub("\ufffd", text)


def without_emoji(text: str) -> str:
    """The text with a plain sign in the place of emoji, for which pictures and many printers have no letters."""
    return text if text.isascii() else _EMOJI.sub(SIGN, text)


def one_line(text: object) -> str:
    """The same in one line."""
    return " ".join(clean(text).split())


def shortened(text: object, most: int) -> str:
    """The same in one line of at most `most` letters."""
    line = one_line(text)
    return line if len(line) <= most else f"{line[: most - 1].rstrip()}…"


def table_lines(
    headings: Sequence[str], rows: Sequence[Sequence[str]], *, width: int, to_the_right: Sequence[bool]
) -> list[str]:
    """A table in lines of at most `width` cells of a terminal: every column is there, and no word is broken.

    Cells wrap between words, and numbers before a range in brackets while there is room for it. Where even the longest
    words of all columns do not fit beside each other, each row becomes a list of `heading  value`. A single word that
    is longer than `width` is the one thing that stays longer.

    Args:
        to_the_right: of each column, whether its cells are aligned to the right (numbers); they wrap only where the
            table would not fit otherwise.
    """
    texts = [[one_line(cell) for cell in row] for row in rows]
    room = width - len(GAP) * (len(headings) - 1)
    natural = [max(cells_of(cell) for cell in column) for column in zip(headings, *texts, strict=True)]
    for unbroken in (r".+", r"\([^()]*\)", None):
        shown = [
            [
                _kept_whole(cell, unbroken) if right and unbroken else cell
                for cell, right in zip(row, to_the_right, strict=True)
            ]
            for row in texts
        ]
        least = [_longest_word(column) for column in zip(headings, *shown, strict=True)]
        if sum(least) <= room:
            break
    else:
        return _records(headings, texts, width=width)
    widths = _spread(least, natural, room)
    lines = _row(headings, widths, to_the_right)
    lines.append(GAP.join("─" * wide for wide in widths))
    for row in shown:
        lines += _row(row, widths, to_the_right)
    return [line.replace(KEPT, " ") for line in lines]


def wrapped(text: str, width: int, *, indent: str = "") -> list[str]:
    """Lines of at most `width` cells, broken between words; all but the first begin with `indent`."""
    lines: list[str] = []
    line = ""
    for word in _words(text):
        longer = f"{line} {word}" if line else word
        if line and cells_of(longer) > width:
            lines.append(line)
            longer = indent + word
        line = longer
    return [*lines, line]


def _words(text: str) -> list[str]:
    return [word for word in text.split(" ") if word]


def _longest_word(texts: Sequence[str]) -> int:
    return max((cells_of(word) for text in texts for word in _words(text)), default=0)


def _kept_whole(text: str, parts: str) -> str:
    """The text in which no line ends within those parts that the regular expression finds."""
    return re.sub(parts, lambda found: found[0].replace(" ", KEPT), text)


def _records(headings: Sequence[str], rows: Sequence[Sequence[str]], *, width: int) -> list[str]:
    beside = max(cells_of(heading) for heading in headings) + len(GAP)
    lines: list[str] = []
    for number, row in enumerate(rows):
        lines += [""] if number else []
        for heading, cell in zip(headings, row, strict=True):
            if cell:
                value = wrapped(cell, max(width - beside, 20))
                lines.append(_padded(heading, beside) + value[0])
                lines += [" " * beside + line for line in value[1:]]
    return lines


def _spread(least: Sequence[int], natural: Sequence[int], room: int) -> list[int]:
    """Widths from `least` towards `natural`, as far as there is room; the fullest column gets the next cell."""
    widths = list(least)
    for _ in range(room - sum(widths)):
        wants = [whole / wide if wide else 0.0 for whole, wide in zip(natural, widths, strict=True)]
        if max(wants) <= 1:
            break
        widths[wants.index(max(wants))] += 1
    return widths


def _row(cells: Sequence[str], widths: Sequence[int], to_the_right: Sequence[bool]) -> list[str]:
    columns = [wrapped(cell, wide) for cell, wide in zip(cells, widths, strict=True)]
    lines = []
    for at in range(max(len(column) for column in columns)):
        parts = [
            _padded(column[at] if at < len(column) else "", wide, right=right)
            for column, wide, right in zip(columns, widths, to_the_right, strict=True)
        ]
        lines.append(GAP.join(parts).rstrip())
    return lines


def _padded(text: str, width: int, *, right: bool = False) -> str:
    space = " " * (width - cells_of(text))
    return space + text if right else text + space


def cells_of(text: str) -> int:
    """Columns of a terminal that the text takes: two for an emoji or a Chinese letter."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)
