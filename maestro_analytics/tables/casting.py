"""Cast text to typed values: of CSV files, JSON records and pushed metrics. A column's role says what its text means.

A text that its role cannot read never becomes null silently: `typed` returns, beside the values, which rows had one.
Source: export-files.md, "Values".

Reading moments with polars took two fifths of the whole reading time (0.42 s of processor time for 1.5 million, against
0.06 s for pyarrow's strict ISO 8601 cast), so a column whose texts all have the usual form goes through pyarrow, and
only one that has others is matched text by text.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, cast

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from maestro_analytics.tables.columns import UTC_MOMENT, Role

NULL_WORDS = ("", "N/A", "Unknown")

_QUOTED_LIST = r"""^\s*\[\s*(".*"|'.*')\s*\]\s*$"""
_LIST_MARK = r"""^\s*\[\s*["']|["']\s*,\s*["']|["']\s*\]\s*$"""
NO_ID = ("undefined", "null", "none", "nan", "n/a", "unknown", "0", "-", "[]", "")
"""Words, in lower case, that stand for no id in a list of ids; taken as ids they would make one person of many."""

WHAT_IT_IS_NOT = {
    Role.NUMBER: "a number",
    Role.SECONDS: "a number of seconds or HH:MM:SS",
    Role.MOMENT: "a moment",
    Role.FLAG: "true or false",
    Role.ID_LIST: "a list of ids",
}
CAN_FAIL = (Role.NUMBER, Role.SECONDS, Role.MOMENT, Role.FLAG)
"""Roles that cannot read every text."""

CALENDAR = (-62_135_596_800_000_000, 253_402_300_799_999_999)
"""The first and the last microsecond of the years 1 to 9999, since 1970."""

_DAY = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
_CLOCK = r"[0-9]{2}:[0-5][0-9]:[0-5][0-9](?:\.[0-9]{1,9})?"
_GUARDED_MOMENT = f'^="(?P<day>{_DAY})[ T](?P<clock>{_CLOCK})"$'
_ISO_MOMENT = (
    f"^(?P<day>{_DAY})[ T](?P<clock>{_CLOCK})(?:Z|(?P<sign>[+-])(?P<hours>[0-9]{{2}}):?(?P<minutes>[0-9]{{2}}))?$"
)
_SHORTEST_MOMENT = len("2018-08-13 12:34:56")
_DURATION = r"^(?P<hours>[0-9]+):(?P<minutes>[0-5][0-9]):(?P<seconds>[0-5][0-9](?:\.[0-9]+)?)$"


@dataclass(frozen=True)
class Typed:
    """Typed columns of some rows.

    Attributes:
        frame: the columns asked for, with the types of their roles; a text that could not be read is null.
        unreadable: column -> which rows had a text there that its role cannot read. Only columns with such rows.
    """

    frame: pl.DataFrame
    unreadable: dict[str, pl.Series]


def typed(text: pa.Table, roles: Mapping[str, Role]) -> Typed:
    """The columns `roles` of `text` (a table of non-null strings) as typed values."""
    moments = [name for name, role in roles.items() if role is Role.MOMENT]
    others = {name: role for name, role in roles.items() if role is not Role.MOMENT}
    frame = cast(pl.DataFrame, pl.from_arrow(text.select(list(others))))
    readers = {
        Role.LABEL: label,
        Role.NUMBER: lambda column: number(label(column)),
        Role.FLAG: flag,
        Role.ID_LIST: id_list,
    }
    values = frame.with_columns(
        read(pl.col(names)).name.keep()
        for role, read in readers.items()
        if (names := [name for name in others if roles[name] is role])
    ).with_columns(
        [moment(text.column(name)).alias(name) for name in moments]
        + [seconds(frame.get_column(name)) for name, role in others.items() if role is Role.SECONDS]
    )
    unreadable = {}
    for name, role in roles.items():
        if role in CAN_FAIL and (missing := values.get_column(name).is_null()).any():
            failed = missing & ~cast(pl.Series, pl.from_arrow(text.column(name))).is_in(NULL_WORDS)
            if failed.any():
                unreadable[name] = failed
    return Typed(values.select(list(roles)), unreadable)


def label(column: pl.Expr) -> pl.Expr:
    """The text, and null for the null words."""
    return pl.when((column != "") & (column != "N/A") & (column != "Unknown")).then(column)


def number(column: pl.Expr) -> pl.Expr:
    """The number that a text is; null for any other text."""
    return column.cast(pl.Float64, strict=False)


def flag(column: pl.Expr) -> pl.Expr:
    """true/false/1/0 in any case; null for any other text."""
    lower = column.str.to_lowercase()
    return pl.when(lower.is_in(["true", "1"])).then(True).when(lower.is_in(["false", "0"])).then(False)


def id_list(column: pl.Expr) -> pl.Expr:
    """Comma-separated ids, each once and in the order of the text, without the words of `NO_ID`; null for no id.

    A list of quoted ids in brackets, as in JSON, is read too.
    """
    is_quoted = column.str.contains(_QUOTED_LIST)
    ids = (
        pl.when(is_quoted)
        .then(column.str.replace_all(_LIST_MARK, ","))
        .otherwise(column)
        .str.split(",")
        .list.eval(pl.element().str.strip_chars())
        .list.eval(pl.element().filter(~pl.element().str.to_lowercase().is_in(NO_ID)))
        .list.unique(maintain_order=True)
    )
    return pl.when(ids.list.len() > 0).then(ids)


def seconds(text: pl.Series) -> pl.Series:
    """Seconds, or HH:MM:SS; null for any other text."""
    plain = text.cast(pl.Float64, strict=False)
    if plain.null_count() == 0 or not text.str.contains(":", literal=True).any():
        return plain
    clock = text.str.extract_groups(_DURATION).struct
    hours, minutes, rest = (clock.field(part).cast(pl.Float64) for part in ("hours", "minutes", "seconds"))
    return plain.fill_null(hours * 3600 + minutes * 60 + rest)


def arrow_texts(texts: Iterable[str | None]) -> pa.Array:
    """Texts as an arrow array. `pyarrow.array` would import pandas where it is installed, 20 MiB and half a second."""
    return pl.Series(texts, dtype=pl.String).to_arrow().cast(pa.string())


def moment(text: Any) -> pl.Series:
    """UTC moments with microseconds; null for any other text. `text` is a pyarrow array of strings.

    Finer fractions than microseconds are cut off. A moment with an offset is converted.
    """
    usual = _usual_moment(text)
    if usual is not None:
        return usual
    series = cast(pl.Series, pl.from_arrow(text))
    guarded, iso = (series.str.extract_groups(form).struct for form in (_GUARDED_MOMENT, _ISO_MOMENT))
    texts = [parts.field("day") + " " + parts.field("clock") for parts in (guarded, iso)]
    local = texts[0].fill_null(texts[1]).str.to_datetime("%Y-%m-%d %H:%M:%S%.f", time_unit="us", strict=False)
    offset = pl.DataFrame({name: iso.field(name) for name in ("sign", "hours", "minutes")} | {"local": local}).select(
        pl.duration(hours=pl.col("hours").cast(pl.Int64), minutes=pl.col("minutes").cast(pl.Int64))
        * pl.when(pl.col("sign") == "-").then(-1).otherwise(1)
    )
    return _in_calendar((local - offset.to_series().fill_null(timedelta())).dt.replace_time_zone("UTC"))


def _in_calendar(moments: pl.Series) -> pl.Series:
    """Null for a moment outside of the years 1 to 9999, which Python and most readers of the tables cannot hold."""
    inside = moments.cast(pl.Int64).is_between(*CALENDAR)
    return moments if inside.all() else pl.select(pl.when(inside).then(moments)).to_series().rename(moments.name)


def _usual_moment(text: Any) -> pl.Series | None:
    """The moments of a column whose texts are all guarded for spreadsheets or end with Z, or None."""
    guarded = pc.and_(pc.starts_with(text, '="'), pc.ends_with(text, '"'))
    if len(text) and pc.all(guarded).as_py():  # The usual case, in half of the time of the others.
        bare = pc.binary_slice(text.cast(pa.binary()), 2, -1)
    else:
        words = pc.is_in(text, arrow_texts(NULL_WORDS))
        if pc.all(words).as_py():
            return pl.repeat(None, len(text), dtype=UTC_MOMENT, eager=True)
        if not pc.all(pc.or_(pc.or_(guarded, words), pc.ends_with(text, "Z"))).as_py():
            return None
        given = pc.if_else(words, pa.nulls(1)[0], text).cast(pa.binary())
        bare = pc.if_else(guarded, pc.binary_slice(given, 2, -1), pc.binary_slice(given, 0, -1))
    if pc.min(pc.binary_length(bare)).as_py() < _SHORTEST_MOMENT:
        return None
    try:
        moments = bare.cast(pa.string()).cast(pa.timestamp("us"))
    except pa.ArrowInvalid:
        return None
    return _in_calendar(cast(pl.Series, pl.from_arrow(moments)).dt.replace_time_zone("UTC"))
