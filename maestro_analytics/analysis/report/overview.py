"""The top of the page: how it stands, how it moves, and what to look at first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import polars as pl

from maestro_analytics.analysis.report import html
from maestro_analytics.analysis.report.blocks import numbers, picture
from maestro_analytics.analysis.report.model import Block, Section
from maestro_analytics.analysis.report.sentences import (
    below_the_average,
    changed,
    counted,
    in_words,
    strictest_and_most_lenient,
)
from maestro_analytics.text import one_line

NAME = "overview"
WISH = 4
"""Grades per agent and week that are wished for, as in `grading_coverage`."""


def drawn(own: Section, others: Sequence[Section]) -> str:
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


HEADINGS = {"score": "Average score", "pass rate": "Grades that pass (80 % or more)"}


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
    """Nobody fell for real: then what is left to act on is who stands out in the whole period."""
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
