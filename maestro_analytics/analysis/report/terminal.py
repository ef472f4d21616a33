"""The report on a terminal."""

from __future__ import annotations

from typing import TextIO

from maestro_analytics.analysis.report.model import Section, cells, heading_lines, with_something_to_say

PIPED_WIDTH = 140


def show(parts: list[Section], *, to: TextIO, rows: int = 15) -> None:
    """Write the tables of `parts`, at most `rows` rows each. Text of the vendor is shown as it is, never as markup."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(file=to, highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        console = Console(file=to, highlight=False, markup=False, emoji=False, width=PIPED_WIDTH)
    for line in heading_lines(parts[0]):
        console.print(Text(line, style="dim"))
    for part in parts:
        for block in part.blocks:
            if not block.piece.columns:
                continue
            console.print()
            console.print(Text(block.piece.title, style="bold"))
            if not block.answer.height:
                console.print(Text(block.answer.about.reason, style="dim"))
                continue
            shown = cells(block, rows=rows)
            kept = with_something_to_say(block, shown)
            table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
            for column in (block.piece.columns[at] for at in kept):
                table.add_column(
                    Text(column.heading),
                    justify="left" if column.style == "text" else "right",
                    no_wrap=column.style != "text",
                    overflow="ellipsis" if column.style != "text" else "fold",
                )
            for row in shown:
                table.add_row(*(Text(row[at]) for at in kept))
            console.print(table)
            hidden = block.answer.height - rows
            notes = [f"{hidden} more rows: --format csv has all."] if hidden > 0 else []
            for note in (*notes, block.answer.about.caveat):
                if note:
                    console.print(Text(note, style="dim"))
