"""Numbers of a scorecard as words, and the addresses of its tickets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

Row = dict[str, Any]

STANDS = {
    "above": "Above the average of all agents, by more than chance",
    "below": "Below the average of all agents, by more than chance",
    "": "May be at the average of all agents: the difference may be chance",
}
CHANGED = {
    "up": "Better than in the period before, by more than chance",
    "down": "Worse than in the period before, by more than chance",
    "": "May be chance",
}
AGAINST = {
    "above": "more often than others, by more than chance",
    "below": "less often than others, by more than chance",
    "": "the difference may be chance",
}


def interval(row: Row, name: str, lo: str = "lo", hi: str = "hi", *, sign: str = "") -> str:
    """`84.2 (81.0 to 87.1)`; a dash where there is no value."""
    if row[name] is None:
        return "–"
    ends = f" ({row[lo]:{sign}z.1f} to {row[hi]:{sign}z.1f})" if row[lo] is not None and row[hi] is not None else ""
    return f"{row[name]:{sign}z.1f}{ends}"


def places(row: Row) -> str:
    """`5 to 14 of 24`: the places that are compatible with the data."""
    if row["rank_lo"] is None:
        return "–"
    where = f"{row['rank_lo']}" if row["rank_lo"] == row["rank_hi"] else f"{row['rank_lo']} to {row['rank_hi']}"
    return f"{where} of {row['agents_compared']}"


def stands(row: Row) -> str:
    """Where an agent stands, in words; why it cannot be said where it cannot."""
    return STANDS[row["stands_out"]] if row["reliable"] else f"Cannot be said: {row['reason']}"


def changed(row: Row) -> str:
    """Whether an agent changed, in words; why it cannot be said where it cannot."""
    return CHANGED[row["changed"]] if row["reliable"] else f"Cannot be said: {row['reason']}"


def against_everyone(row: Row) -> str:
    """How often an agent lost points on a question, beside everyone."""
    if row["failure_rate"] is None:
        return f"{row['points_lost']:g} points lost"
    own = f"{row['failure_rate']:.0f} % of {row['n']} answers lost points"
    if row["everyone"] is None:
        return own
    return f"{own}, everyone {row['everyone']:.0f} %: {AGAINST[row['stands_out'] if row['reliable'] else '']}"


def ticket_link(addresses: Mapping[str, str], source: str | None, gradable_id: str) -> str | None:
    """The https address of a ticket in its helpdesk; None where its source has none.

    Args:
        addresses: source in lower case -> address with `{gradable_id}` in it; see `Settings.ticket_urls`.
    """
    address = addresses.get((source or "").casefold())
    return address.replace("{gradable_id}", quote(gradable_id, safe="")) if address else None
