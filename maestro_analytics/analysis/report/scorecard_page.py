"""The scorecard of an agent as a page, and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import date, datetime
from statistics import median
from typing import Any

from maestro_analytics.analysis.report import drawings
from maestro_analytics.analysis.report.html import (
    NARROW,
    WIDE,
    article,
    caveat,
    document,
    figure,
    folded,
    link,
    nothing,
    part,
    quoted,
    table,
    text,
)
from maestro_analytics.analysis.report.scorecards import (
    Row,
    Scorecard,
    Scorecards,
    against_everyone,
    changed,
    interval,
    places,
    stands,
    ticket_link,
)

SCHEMA_VERSION = 1
LONG_ROWS = 50
"""A table with more rows scrolls in a box of its own."""

WHY = {"lowest": "The lowest grades", "typical": "Typical grades"}


def scorecard_page(
    cards: Scorecards,
    card: Scorecard,
    *,
    addresses: Mapping[str, str] | None = None,
    as_of: str = "",
    up: str = "",
    teams: str | None = None,
) -> str:
    """The page of one agent.

    Args:
        addresses: of tickets, by source; see `Settings.ticket_urls`.
        as_of: how fresh the data is, in words.
        up: HTML of links to the pages above; teams: HTML of the agent's teams, where they are links.
    """
    belongs = ", ".join(card.teams.values())
    lines = [f"Team: {belongs}"] if belongs and teams is None else []
    lines += cards.lines(as_of)
    body = (
        _at_a_glance(cards, card, teams)
        + _among_peers(cards, card)
        + _week_by_week(cards, card)
        + _costs(cards, card, addresses or {})
        + _strengths(card)
        + _tickets(cards, card, addresses or {})
        + _todos(cards, card, addresses or {})
        + _coaching(cards, card)
    )
    return card_document(card.name, lines, body, up=up)


def card_document(title: str, lines: Iterable[str], body: str, *, up: str = "", script: str = "") -> str:
    """A page with the style that scorecards and the pages of a site share; see `html.document`."""
    return document(title, lines, body, up=up, more_style=part("card.css"), script=script)


def scorecard_json(cards: Scorecards, card: Scorecard, *, addresses: Mapping[str, str] | None = None) -> str:
    """The scorecard as one JSON object, every column of the answers; tickets have their `url`."""
    whole = asdict(card)
    for row in (*whole["tickets"], *whole["todos"], *(note for cost in whole["costs"] for note in cost["comments"])):
        row["url"] = ticket_link(addresses or {}, row["source"], row["gradable_id"]) if row["gradable_id"] else None
    whole["agents_compared"] = cards.peers(card).height
    about = {name: asdict(answer.about) for name, answer in cards.answers.items()}
    found = {"schema_version": SCHEMA_VERSION, "agent": card.name, **whole, "about": about}
    return json.dumps(found, ensure_ascii=False, default=_plain) + "\n"


def _plain(value: Any) -> str:
    return value.isoformat() if isinstance(value, date | datetime) else str(value)


def figures(pairs: list[tuple[str, str, str]]) -> str:
    """Numbers with what they are: label, value and a note, the value and note as HTML."""
    items = "".join(
        f"<div><dt>{text(label)}</dt><dd>{value}{f'<small>{note}</small>' if note else ''}</dd></div>"
        for label, value, note in pairs
    )
    return f'<dl class="figures">{items}</dl>'


def _at_a_glance(cards: Scorecards, card: Scorecard, teams: str | None) -> str:
    pairs = [("Teams", teams, "")] if teams else []
    row = card.standing
    if row is None:
        pairs.append(("Score", "–", text(f"No scored grade ({cards.period})")))
    else:
        pairs += [
            ("Score with an average grader, %", interval(row, "shrunk", "shrunk_lo", "shrunk_hi"), text(stands(row))),
            ("Place", text(places(row)), "any of these is possible" if row["rank_lo"] != row["rank_hi"] else ""),
            ("As graded, %", interval(row, "mean"), text(f"{row['n']} grades")),
        ]
    if card.change is not None:
        pairs.append(
            (
                "Change since the period before, points",
                interval(card.change, "change", sign="+"),
                text(changed(card.change)),
            )
        )
    waiting = [row["days"] for row in card.todos]
    oldest = f"the oldest for {max(waiting):.0f} days" if waiting else ""
    pairs.append(("Open to-dos", str(len(card.todos)), oldest))
    last = f"last on {cards.local_day(card.coaching[0]['held_at'])}" if card.coaching else ""
    pairs.append(("Coaching sessions", str(len(card.coaching)), last))
    return article("At a glance", "", figures(pairs), mark="glance")


def _among_peers(cards: Scorecards, card: Scorecard) -> str:
    row = card.standing
    if row is None or row["shrunk"] is None:
        return ""
    scores = cards.peers(card)["shrunk"].to_list()
    if len(scores) < 2:
        return article("Among all agents", "", nothing(f"Not compared: {row['reason']}"), mark="peers")
    own = interval(row, "shrunk", "shrunk_lo", "shrunk_hi")
    words = (
        f"{card.name}: {own} percent. The {len(scores)} agents lie between {min(scores):.1f} and {max(scores):.1f}, "
        f"the middle one at {median(scores):.1f}. {stands(row)}."
    )
    pictures = [drawings.peers(scores, row, width=width) for width in (WIDE, NARROW)]
    reading = (
        "Each bar counts agents with about that score. The upright line is this agent; the level line at its top is "
        "the range in which the score lies with 95 % certainty. Strict graders and hard rubrics are allowed for."
    )
    body = figure(*pictures, says=words) + f'<p class="caveat">{text(words)}</p>'
    return article(f"Among all {len(scores)} agents", reading, body, mark="peers")


def _week_by_week(cards: Scorecards, card: Scorecard) -> str:
    scored = [row for row in card.trend if row["mean"] is not None]
    if not scored:
        return article("Week by week", "", nothing(f"No scored grade ({cards.period})"), mark="weeks")
    sessions = [cards.local_day(row["held_at"]) for row in card.coaching]
    pictures = [drawings.trend(scored, cards.everyone, sessions, width=width) for width in (WIDE, NARROW)]
    means = [row["mean"] for row in scored]
    last = scored[-1]
    words = (
        f"{len(scored)} weeks from {scored[0]['period']} to {last['period']}; averages between {min(means):.1f} and "
        f"{max(means):.1f} percent, the last {last['mean']:.1f}{' (unfinished)' if last['unfinished'] else ''}."
    )
    reading = (
        "Dots: this agent's average of each week, with its range where there are enough grades; a hollow dot is a week "
        "that may not have ended. Dashed: all agents. Triangles: coaching sessions. A few grades a week go up and "
        "down by chance: look for several weeks on one side."
    )
    numbers = table(
        [("Week from", "day"), ("Grades", "number"), ("Average, %", "number"), ("All agents, %", "number")],
        [
            (
                f"{row['period']}{' (unfinished)' if row['unfinished'] else ''}",
                str(row["n"]),
                interval(row, "mean"),
                beside.get(row["period"], "–"),
            )
            for beside in [{row["period"]: f"{row['mean']:.1f}" for row in cards.everyone if row["mean"] is not None}]
            for row in reversed(scored)
        ],
        name="Weeks",
        open_rows=LONG_ROWS,
    )
    below = folded(numbers, f"The numbers ({len(scored)} weeks)")
    return article("Week by week", reading, figure(*pictures, says=words) + caveat(words) + below, mark="weeks")


def _question(row: Row) -> str:
    kind = {"above": "below", "below": "above"}.get(row["stands_out"], "") if row["reliable"] else ""
    said = f'<span class="{kind}">{text(against_everyone(row))}</span>' if kind else text(against_everyone(row))
    return f"<strong>{text(row['question'])}</strong> <small>{text(row['rubric_name'])}</small><br>{said}"


def _costs(cards: Scorecards, card: Scorecard, addresses: Mapping[str, str]) -> str:
    items = ""
    for row in card.costs:
        notes = "".join(
            f"<blockquote>{quoted(note['comment'])}<footer>{text(note['grader'] or 'unknown grader')}, "
            f"{cards.day_text(note['date_reported_as'])}, ticket {_ticket(note, addresses)}</footer></blockquote>"
            for note in row["comments"]
        )
        lost = f"{row['points_lost']:g} points lost"
        share = f", {row['share']:.0f} % of all that this rubric cost" if row["share"] is not None else ""
        items += f"<li>{_question(row)}; {lost}{share}{notes}</li>"
    body = f'<ol class="plain">{items}</ol>' if items else nothing("No points were lost.")
    about = cards.answers["points_lost_by_agent"].about
    reading = "The questions that took most points from this agent, with what graders wrote there last."
    return article("Questions that cost most", reading, body + caveat(about.own_caveat), mark="costs")


def _strengths(card: Scorecard) -> str:
    items = "".join(f"<li>{_question(row)}</li>" for row in card.strengths)
    body = f'<ul class="plain">{items}</ul>' if items else nothing("On no question do enough answers say so.")
    return article(
        "Strengths", "Questions on which this agent lost points less often than everyone.", body, mark="strong"
    )


def _tickets(cards: Scorecards, card: Scorecard, addresses: Mapping[str, str]) -> str:
    headings = [
        ("Ticket", "text"), ("Score, %", "number"), ("Day", "day"), ("Rubric", "text"), ("Grader", "text"),
        ("Comment", "text"),
    ]  # fmt: skip
    parts = ""
    for why, heading in WHY.items():
        rows = [
            (
                _ticket(row, addresses),
                f"{row['score_percent']:.1f}",
                cards.day_text(row["date_reported_as"]),
                text(row["rubric_name"] or "–"),
                text(row["grader"] or "–"),
                quoted(row["comment"] or "", 300),
            )
            for row in card.tickets
            if row["why"] == why
        ]
        if rows:
            parts += f"<h3>{heading}</h3>{table(headings, rows, name=heading, open_rows=LONG_ROWS)}"
    about = cards.answers["tickets_to_review"].about
    reading = (
        "The lowest show what went wrong once; the typical ones, nearest to the agent's usual score, what is done "
        "daily."
    )
    body = (parts or nothing(f"No scored grade ({cards.period})")) + caveat(about.own_caveat)
    return article("Tickets to listen to", reading, body, mark="tickets")


def _todos(cards: Scorecards, card: Scorecard, addresses: Mapping[str, str]) -> str:
    rows = [
        (
            text(row["title"] or "–"),
            quoted(row["description"] or "", 300),
            cards.day_text(row["created_at"]),
            f"{row['days']:.0f}",
            _ticket(row, addresses) if row["gradable_id"] else "–",
        )
        for row in card.todos
    ]
    headings = [
        ("To-do", "text"), ("What", "text"), ("Since", "day"), ("Days open", "number"), ("Ticket", "text"),
    ]  # fmt: skip
    body = table(headings, rows, name="Open to-dos", open_rows=LONG_ROWS) if rows else nothing("None is open.")
    return article("Open to-dos", "The oldest first, whenever they were set.", body, mark="todos")


def _coaching(cards: Scorecards, card: Scorecard) -> str:
    noted = any(row["reason"] for row in card.coaching)
    rows = [
        (
            cards.day_text(row["held_at"]),
            text(row["name"] or "–"),
            text(row["coach_name"] or "–"),
            str(row["coaching_points"]),
            _mean(row, "before", "n_before"),
            _mean(row, "after", "n"),
            interval(row, "change", sign="+"),
            *([text(row["reason"])] if noted else []),
        )
        for row in card.coaching
    ]
    headings = [
        ("Day", "day"), ("Session", "text"), ("Coach", "text"), ("Points talked about", "number"),
        ("28 days before, %", "number"), ("28 days after, %", "number"), ("Change, points", "number"),
        *([("Note", "text")] if noted else []),
    ]  # fmt: skip
    if not rows:
        return article("Coaching so far", "", nothing("No coaching session is recorded."), mark="coaching")
    words = (
        "A low stretch is usually followed by a better one, coached or not: a rise here does not show that the session "
        "helped, nor a fall that it did not."
    )
    reading = "Each session, the newest first, with the scores of the four weeks before it and after it."
    body = table(headings, rows, name="Coaching sessions", open_rows=LONG_ROWS) + caveat(words)
    return article("Coaching so far, and what followed", reading, body, mark="coaching")


def _mean(row: Row, name: str, n: str) -> str:
    return f"{row[name]:.1f} ({row[n]} grades)" if row[name] is not None else "– (0 grades)"


def _ticket(row: Row, addresses: Mapping[str, str]) -> str:
    return link(ticket_link(addresses, row["source"], row["gradable_id"]), row["gradable_id"])
