"""Small pictures of a scorecard as SVG, written by hand: hundreds of pages take seconds, not minutes.

Colours are the custom properties of the page, so that a picture follows light and dark. Every text is 12 px high at the
size it is shown. Each picture is given its words by the page.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from html import escape
from math import ceil, floor, log10
from typing import Any

Row = dict[str, Any]
LETTER = 12
BARS = 36


def peers(values: Sequence[float], own: Row, *, width: int) -> str:
    """How many agents have which score, as bars; the agent's own as a line with its interval above."""
    low = min([*values, own["shrunk_lo"] or own["shrunk"]])
    high = max([*values, own["shrunk_hi"] or own["shrunk"]])
    ticks = _ticks(low, high, 6 if width > 500 else 4)
    low, high = min(low, ticks[0]), max(high, ticks[-1])
    left, right, top, foot = 6, 6, 26, 92
    across = _scale(low, high, left, width - right)
    step = (high - low) / BARS
    counts = [0] * BARS
    for value in values:
        counts[min(int((value - low) / step), BARS - 1)] += 1
    tallest = max(counts)
    bars = "".join(
        f'<rect x="{across(low + at * step) + 0.5:.1f}" y="{foot - (foot - top - 14) * count / tallest:.1f}" '
        f'width="{max((width - left - right) / BARS - 1, 1):.1f}" height="{(foot - top - 14) * count / tallest:.1f}" '
        'fill="var(--grey)" opacity="0.55"/>'
        for at, count in enumerate(counts)
        if count
    )
    x = across(own["shrunk"])
    colour = {"above": "var(--blue)", "below": "var(--low)"}.get(own["stands_out"], "var(--ink)")
    interval = ""
    if own["shrunk_lo"] is not None:
        ends = across(own["shrunk_lo"]), across(own["shrunk_hi"])
        interval = f'<line x1="{ends[0]:.1f}" x2="{ends[1]:.1f}" y1="{top}" y2="{top}" stroke="{colour}" {_THICK}/>'
    anchor = "start" if x < 60 else "end" if x > width - 60 else "middle"
    label = (
        f'<text x="{x:.1f}" y="14" text-anchor="{anchor}" fill="{colour}" font-weight="600" font-size="{LETTER}">'
        f"{own['shrunk']:.1f}</text>"
    )
    line = f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{top}" y2="{foot}" stroke="{colour}" stroke-width="2"/>'
    dot = f'<circle cx="{x:.1f}" cy="{top}" r="5" fill="{colour}"/>'
    axis = _base(left, width - right, foot) + "".join(
        _text(across(tick), foot + 16, f"{tick:g}", "middle" if 0 < at < len(ticks) - 1 else ("end" if at else "start"))
        for at, tick in enumerate(ticks)
    )
    return _svg(bars + line + interval + dot + label + axis, width, foot + 24)


def trend(weeks: Sequence[Row], everyone: Sequence[Row], sessions: Sequence[date], *, width: int) -> str:
    """The weekly mean with its interval, over that of all (dashed); unfinished weeks are hollow, sessions triangles.

    Args:
        weeks, everyone: rows of `score_trend` with `unfinished`; weeks without a score have no dot.
        sessions: days of coaching sessions.
    """
    scored = [row for row in weeks if row["mean"] is not None]
    beside = [row for row in everyone if row["mean"] is not None]
    found = [row["mean"] for row in scored + beside]
    # Long intervals of single weeks may leave the picture, so that the line of means can be read.
    ticks = _ticks(min(found), max(found), 5)
    low, high = min(min(found), ticks[0]), max(max(found), ticks[-1])
    left, right, top, foot = 34, 8, 10, 150
    first = min(row["period"] for row in scored + beside)
    last = max(row["period"] for row in scored + beside)
    across = _scale(first.toordinal(), max(last.toordinal(), first.toordinal() + 7), left + 6, width - right - 6)
    up = _scale(low, high, foot - 6, top)

    def at(day: date) -> float:
        return float(across(day.toordinal()))

    grid = "".join(
        f'<line x1="{left}" x2="{width - right}" y1="{up(tick):.1f}" y2="{up(tick):.1f}" stroke="var(--grid)"/>'
        + _text(left - 6, up(tick) + 4, f"{tick:g}", "end")
        for tick in ticks
    )
    all_line = _line([(at(row["period"]), up(row["mean"])) for row in beside], "var(--grey)", 'stroke-dasharray="5 4"')
    own_line = _line([(at(row["period"]), up(row["mean"])) for row in scored], "var(--blue)", "")
    marks = ""
    for row in scored:
        x, y = at(row["period"]), up(row["mean"])
        if row["lo"] is not None and row["reliable"]:
            ends = [min(max(up(row[end]), top), foot - 6) for end in ("lo", "hi")]
            marks += (
                f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{ends[0]:.1f}" y2="{ends[1]:.1f}" stroke="var(--blue)" {_THIN}/>'
            )
        fill = "var(--card)" if row["unfinished"] else "var(--blue)"
        marks += f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{fill}" stroke="var(--blue)" stroke-width="2"/>'
    coached = "".join(
        f'<path d="M{at(day) - 5:.1f} {foot} l10 0 l-5 -9 z" fill="var(--orange)"/>'
        for day in sessions
        if first <= day <= last + timedelta(days=6)
    )
    months = "".join(_text(at(day), foot + 16, f"{day:%b}", "middle") for day in _months(first, last, width))
    return _svg(grid + all_line + own_line + marks + coached + months, width, foot + 24)


_THICK = 'stroke-width="4" stroke-linecap="round" opacity="0.6"'
_THIN = 'stroke-width="2" opacity="0.45"'


def _svg(inside: str, width: int, height: float) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height:.0f}" style="max-width:{width}px" '
        f'aria-hidden="true" font-family="inherit">{inside}</svg>'
    )


def _text(x: float, y: float, words: str, anchor: str) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="var(--faint)" font-size="{LETTER}">'
        f"{escape(words)}</text>"
    )


def _base(left: float, right: float, y: float) -> str:
    return f'<line x1="{left}" x2="{right}" y1="{y}" y2="{y}" stroke="var(--grid)"/>'


def _line(points: Sequence[tuple[float, float]], colour: str, more: str) -> str:
    if len(points) < 2:
        return ""
    joined = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polyline points="{joined}" fill="none" stroke="{colour}" stroke-width="2" {more}/>'


def _scale(low: float, high: float, start: float, end: float) -> Any:
    return lambda value: start + (value - low) / (high - low) * (end - start)


def _ticks(low: float, high: float, most: int) -> list[float]:
    """Round numbers from at or below `low` to at or above `high`, about `most` of them."""
    rough = max(high - low, 1.0) / most
    unit = 10.0 ** floor(log10(rough))
    step = next(unit * times for times in (1, 2, 5, 10) if unit * times >= rough)
    return [round(step * at, 6) for at in range(floor(low / step), max(ceil(high / step), floor(low / step) + 1) + 1)]


def _months(first: date, last: date, width: int) -> list[date]:
    """The first days of the months between, as many as there is room for."""
    days, day = [], first.replace(day=1)
    while day <= last:
        if day >= first:
            days.append(day)
        day = (day + timedelta(days=32)).replace(day=1)
    every = max(1, ceil(len(days) / (width / 55)))
    return days[::every]
