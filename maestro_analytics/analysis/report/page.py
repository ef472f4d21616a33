"""The report as one self-contained page: pictures inside, no network, light and dark, desktop, phone and paper."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import polars as pl

from maestro_analytics.analysis.filters import TIME_AXIS
from maestro_analytics.analysis.report import html
from maestro_analytics.analysis.report.model import Block, Column, Section, cells, shown_columns, whole_period
from maestro_analytics.analysis.report.sentences import (
    below_the_average,
    changed,
    counted,
    in_words,
    strictest_and_most_lenient,
)
from maestro_analytics.text import one_line

OVERVIEW = "overview"
HEADINGS = {"score": "Average score", "pass rate": "Grades that pass (80 % or more)"}
WISH = 4
"""Grades per agent and week that are wished for, as in `grading_coverage`."""


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
        drawn.append("" if part.name == OVERVIEW else section(part))
    if come and come[0].name == OVERVIEW:
        drawn[0] = _overview(come[0], come[1:])
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


def _overview(own: Section, others: Sequence[Section]) -> str:
    """The section as HTML, from its own answers and those of all others."""
    blocks = {block.name: block for part in (own, *others) for block in part.blocks}
    now, trend = blocks["overall"], blocks["score_trend"]
    tiles = [*_measures(now), *_grading(blocks.get("grading_coverage"))]
    about = _periods(now) if now.answer.height else now.answer.about.reason
    trend_shown = picture(trend) + numbers(trend) if trend.answer.height else ""
    caveats = f"{now.answer.about.own_caveat} {trend.answer.about.own_caveat}"
    first = [line for line in (_changed(blocks), _costliest(blocks), _grader(blocks)) if line]
    return (
        f'<section id="{own.name}"><h2>{html.text(own.title)}</h2>\n<article id="overall">'
        f'<p class="measured">{html.text(about)}</p>'
        f'<div class="tiles">{"".join(tiles)}</div>'
        + (f'<h3 class="part">Look at this first</h3><ol class="first">{"".join(first)}</ol>' if first else "")
        + f'<h3 class="part" id="score_trend">{html.text(trend.piece.title)}</h3>'
        f'<p class="measured">{html.text(trend.says)}</p>{trend_shown}'
        f'<p class="footnote">{html.text(caveats)}</p></article></section>\n'
    )


def _periods(now: Block) -> str:
    row = now.answer.row(0, named=True)
    return (
        f"{in_words(row['starts'])} to {in_words(row['ends'])}, against the period before it: "
        f"{in_words(row['starts_before'])} to {in_words(row['ends_before'])}. In brackets: where the change may lie "
        "(95 %)."
    )


def _measures(now: Block) -> list[str]:
    tiles = []
    for row in now.answer.iter_rows(named=True):
        between = f" ({row['lo']:+z.1f} to {row['hi']:+z.1f})" if row["lo"] is not None else ""
        verdict = {"up": "better, more than chance", "down": "worse, more than chance", "": "may be chance"}
        tiles.append(
            _tile(
                HEADINGS[row["measure"]],
                f"{row['after']:.1f} %",
                f'<span class="{row["changed"] or "same"}">{row["change"]:+z.1f} points</span>{between}: '
                f"{html.text(row['reason'] or verdict[row['changed']])}. Before: {row['before']:.1f} %.",
            )
        )
    return tiles


def _grading(coverage: Block | None) -> list[str]:
    if coverage is None or not coverage.answer.height:
        return []
    frame = pl.DataFrame(coverage.answer)
    average = float(frame["per_week"].mean() or 0.0)  # type: ignore[arg-type]
    seldom, never = frame.filter(pl.col("share_met") < 50).height, frame.filter(pl.col("weeks_graded") == 0).height
    words = (
        f"Wished: {WISH}. Fewer in most weeks: {seldom:,} of {counted(frame.height, 'agent')}; never graded: {never:,}."
    )
    return [_tile("Grades per agent and week", f"{average:.1f}", _linked("grading_coverage", words))]


def _tile(heading: str, value: str, inner: str) -> str:
    """A tile; `inner` is HTML."""
    return f'<div class="tile"><h3>{html.text(heading)}</h3><p class="value">{html.text(value)}</p><p>{inner}</p></div>'


def _linked(address: str, words: str) -> str:
    return f'<a href="#{address}">{html.text(words)}</a>'


def _row(blocks: dict[str, Block], name: str) -> pl.DataFrame | None:
    block = blocks.get(name)
    return None if block is None or not block.answer.height else pl.DataFrame(block.answer)


def _line(address: str, words: str) -> str:
    return f"<li>{_linked(address, words)}</li>"


def _interval(row: dict[str, Any]) -> str:
    return f"{row['change']:+z.1f} points ({row['lo']:+z.1f} to {row['hi']:+z.1f})"


def _changed(blocks: dict[str, Block]) -> str:
    frame = _row(blocks, "changes_by_agent")
    if frame is None:
        return _left_out(blocks, "changes_by_agent", "Who changed")
    settled = frame.filter(pl.col("changed") != "")
    fell = settled.filter(pl.col("changed") == "down").sort("change", "id")
    if not fell.height:
        return _standing(blocks, "changes_by_agent", "agent", "agent_ranking", below_the_average)
    row = fell.row(0, named=True)
    others = f" {counted(settled.height - 1, 'other')} changed for real." if settled.height > 1 else ""
    return _line("changes_by_agent", f"{one_line(row['name'])} fell for real: {_interval(row)}.{others}")


def _standing(
    blocks: dict[str, Block], name: str, what: str, standing: str, says: Callable[[pl.DataFrame], str]
) -> str:
    """Where nobody changed by more than chance: who stands out in the whole period."""
    words = changed(pl.DataFrame(blocks[name].answer), what=what)
    frame = _row(blocks, standing)
    whole = says(frame) if frame is not None else ""
    return _line(standing, f"{words} In the whole period: {whole}") if whole else _line(name, words)


def _costliest(blocks: dict[str, Block]) -> str:
    frame = _row(blocks, "points_lost")
    if frame is None:
        return ""
    # Points of two rubrics do not weigh the same: the rubric that is used most has the word.
    used = frame.group_by("rubric_id").agg(pl.col("n").max()).sort("n", "rubric_id", descending=[True, False])
    lost = frame.filter((pl.col("rubric_id") == used["rubric_id"][0]) & (pl.col("points_lost") > 0))
    if not lost.height:
        return ""
    row = lost.sort("points_lost", "question_id", descending=[True, False]).row(0, named=True)
    return _line(
        "points_lost",
        f"“{one_line(row['question'])}” costs most: {row['share']:.0f} % of all points lost in "
        f"{one_line(row['rubric_name'])}.",
    )


def _grader(blocks: dict[str, Block]) -> str:
    frame = _row(blocks, "changes_by_grader")
    if frame is None:
        return _left_out(blocks, "changes_by_grader", "Which grader moved")
    settled = frame.filter(pl.col("changed") != "").sort(pl.col("change").abs(), "id", descending=[True, False])
    if not settled.height:
        return _standing(blocks, "changes_by_grader", "grader", "grader_severity", strictest_and_most_lenient)
    row = settled.row(0, named=True)
    became = "stricter" if row["change"] < 0 else "more lenient"
    others = f" {counted(settled.height - 1, 'other grader')} moved, too." if settled.height > 1 else ""
    return _line("changes_by_grader", f"{one_line(row['name'])} became {became}: {_interval(row)}.{others}")


def _left_out(blocks: dict[str, Block], name: str, what: str) -> str:
    block = blocks.get(name)
    return _line(name, f"{what}: {block.answer.about.reason}") if block is not None else ""


def section(part: Section) -> str:
    """A section with its heading and all its answers, as HTML."""
    blocks = "".join(article(block) for block in part.blocks)
    return f'<section id="{part.name}"><h2>{html.text(part.title)}</h2>\n{blocks}</section>\n'


def article(block: Block) -> str:
    """One answer as HTML: what it says, its picture, its table, and how to read it."""
    words, about = block.piece.words, block.answer.about
    pieces = [f"<h3>{html.text(block.piece.title)}</h3>", _paragraph("measured", words.measured)]
    if not block.answer.height:
        pieces.append(_paragraph("nothing", about.reason))
        return f'<article id="{block.name}">{"".join(pieces)}</article>\n'
    pieces.append(_paragraph("says", block.says))
    if block.piece.draw is not None:
        pieces.append(picture(block))
    if block.piece.columns:
        pieces.append(numbers(block))
    guide = [
        f"<p><b>{heading}</b> {html.text(text)}</p>"
        for heading, text in (
            ("How to read it:", words.reading),
            ("What to do:", words.action),
            ("What it does not show:", words.limits),
        )
        if text
    ]
    pieces.append(f'<div class="guide">{"".join(guide)}</div>' if guide else "")
    method = f"Method: {words.method}" if words.method else ""
    caveat = about.own_caveat if words.with_caveat else ""
    pieces.append(_paragraph("footnote", " ".join(text for text in (method, caveat) if text)))
    return f'<article id="{block.name}">{"".join(pieces)}</article>\n'


def picture(block: Block) -> str:
    """The chart of an answer as HTML."""
    from maestro_analytics.analysis import charts

    draw = getattr(charts, block.piece.draw or "")
    return html.chart(
        lambda width: draw(block.answer, width=width), says=block.says or block.piece.title, mark=block.name
    )


def numbers(block: Block) -> str:
    """The table of an answer as HTML, folded where there is a picture or it is long."""
    rows = cells(block, rows=html.MOST_ROWS)
    kept = shown_columns(block, rows)
    heads = [(column.heading, _kind(column)) for column in (block.piece.columns[at] for at in kept)]
    chosen = [[html.text(row[at]) for at in kept] for row in rows]
    name, total = block.piece.title, block.frame.height
    table = html.table(heads, chosen, name=name, total=total)
    if block.piece.draw is None and len(rows) <= html.OPEN_ROWS:
        return table
    return html.folded(table, f"{name.removesuffix('?')}: all as a table ({counted(total, 'row')})")


def _kind(column: Column) -> str:
    if column.heading == "Note":
        return "note"
    return "text" if column.style == "text" else "number"


def _paragraph(kind: str, words: str) -> str:
    return f'<p class="{kind}">{html.text(words)}</p>' if words else ""
