"""The report as one self-contained page: pictures inside, no network, light and dark, desktop, phone and paper."""

from __future__ import annotations

from collections.abc import Iterable

from maestro_analytics.analysis.filters import TIME_AXIS
from maestro_analytics.analysis.report import html, overview
from maestro_analytics.analysis.report.blocks import section
from maestro_analytics.analysis.report.model import Section, whole_period


def page(parts: Iterable[Section], *, title: str = "QA report", as_of: str = "") -> str:
    """The report as HTML.

    Args:
        parts: the sections; each is drawn when it comes (see `in_turn`).
        title: what stands on top.
        as_of: how fresh the data is, in words.
    """
    come: list[Section] = []
    drawn: list[str] = []
    for part in parts:
        come.append(part)
        # The top needs the answers of all other sections: it is drawn last.
        drawn.append("" if part.name == overview.NAME else section(part))
    if come and come[0].name == overview.NAME:
        drawn[0] = overview.drawn(come[0], come[1:])
    lines = [*(_about(come[0]) if come else []), *([as_of] if as_of else [])]
    links = [(f"#{part.name}", part.title) for part in come]
    return html.document(title, lines, "".join(drawn), links=links, script=html.part("search.js"))


def _about(part: Section) -> list[str]:
    """What holds for the whole page, in words."""
    about = whole_period(part)
    days = about.time_axis.replace(TIME_AXIS, "the day it is reported as")
    ranges = (
        f"A grade counts on {days}. Bars, and ranges in brackets, hold the true value in 95 of 100 cases. "
        "n: from how many grades or answers."
    )
    return [line for line in (f"Period: {about.period}", ranges, about.left_out) if line]
