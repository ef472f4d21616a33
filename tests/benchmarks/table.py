"""The lines of the table that `python -m tests.benchmarks` prints at the end."""

from __future__ import annotations

BEGIN = "| "
HEADING = ("measure", "figure", "beside", "ratio or aim")


def row(measure: str, figure: str, beside: str = "", ratio: str = "") -> None:
    """Print one measure as a line of a Markdown table; `beside` is the peer that was measured in the same run."""
    print(f"{BEGIN}{' | '.join((measure, figure, beside, ratio))} |", flush=True)
