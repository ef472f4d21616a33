"""A folder of pages: an index, a page for each team and one for each agent, linked with relative addresses."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Unpack

import polars as pl

from maestro_analytics.analysis.filters import Filters, Store
from maestro_analytics.analysis.points_lost import points_lost_by_team
from maestro_analytics.analysis.report.html import article, caveat, link, nothing, part, table, text
from maestro_analytics.analysis.report.scorecard_page import LONG_ROWS, card_document, figures, scorecard_page
from maestro_analytics.analysis.report.scorecards import Row, Scorecard, Scorecards, interval, places, scorecards
from maestro_analytics.analysis.scores import team_scores
from maestro_analytics.errors import InvalidArgument
from maestro_analytics.files import write_whole

RECORD = ".maestro-site.json"
"""Names the pages that a run wrote, so that the next one removes those of agents and teams that are gone."""

LOOK_FIRST = 8
LONGEST_NAME = 60


@dataclass(frozen=True)
class Team:
    """A team of the site: its members' ids and its rows of `team_scores` and `points_lost_by_team`."""

    group_id: str
    name: str
    members: list[str]
    scores: list[Row]
    questions: list[Row]


def write_site(
    store: Store,
    folder: Path,
    *,
    min_n: int = 10,
    addresses: Mapping[str, str] | None = None,
    as_of: str = "",
    **filters: Unpack[Filters],
) -> Iterator[Path]:
    """Write the site and yield each page as it is written; the index comes last.

    The data is read once. Every page is written whole or not at all, and links lead to pages that are there: agents are
    written before teams and teams before the index. Pages of an earlier run whose agent or team is gone are removed.

    Raises:
        InvalidArgument: `folder` is a file, or has an index.html that no earlier run wrote.
        UnknownName: see `Filters`.
    """
    if folder.exists() and not folder.is_dir():
        raise InvalidArgument(f"{folder} is a file: name a folder for the site.")
    earlier = _pages_written(folder)
    if (folder / "index.html").exists() and not earlier:
        raise InvalidArgument(f"{folder} has an index.html that is not of this site: name another folder.")
    cards = scorecards(store, min_n=min_n, **filters)
    teams = _teams(store, cards, min_n=min_n, filters=filters)
    found = [cards.of(person_id) for person_id in cards.people["person_id"]]
    own = {f"agents/{page_name(card.name, card.person_id)}" for card in found}
    own |= {f"teams/{page_name(team.name, team.group_id)}" for team in teams} | {"index.html"}
    # Written first, so that a run that is stopped leaves no page that the next one does not know.
    write_whole(folder / RECORD, json.dumps(sorted(own | earlier), indent=0))
    addresses = addresses or {}
    for card in found:
        yield _write(
            folder / "agents" / page_name(card.name, card.person_id),
            scorecard_page(
                cards, card, addresses=addresses, as_of=as_of,
                up='<a href="../index.html">All agents</a>', teams=_team_links(card, "../teams/"),
            ),
        )  # fmt: skip
    by_id = {card.person_id: card for card in found}
    for team in teams:
        yield _write(
            folder / "teams" / page_name(team.name, team.group_id), _team_page(cards, team, by_id, as_of=as_of)
        )
    yield _write(folder / "index.html", _index(cards, teams, found, as_of=as_of))
    for gone in earlier - own:
        (folder / gone).unlink(missing_ok=True)
    write_whole(folder / RECORD, json.dumps(sorted(own), indent=0))


def page_name(name: str, key: str) -> str:
    """A file name that any file system holds: letters of the name, and what tells those of equal names apart.

    The same from run to run, so that an address that somebody kept still leads to the same agent.
    """
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    words = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:LONGEST_NAME].strip("-")
    return "-".join(part for part in (words, sha256(key.encode("utf-8", "replace")).hexdigest()[:10]) if part) + ".html"


def _pages_written(folder: Path) -> set[str]:
    """The pages of an earlier run, by its record; only names that a site has."""
    try:
        names = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return set()
    known = re.compile(r"index\.html|(?:agents|teams)/[a-z0-9-]+\.html")
    return {name for name in names if isinstance(name, str) and known.fullmatch(name)}


def _write(path: Path, page: str) -> Path:
    write_whole(path, page)
    return path


def _teams(store: Store, cards: Scorecards, *, min_n: int, filters: Filters) -> list[Team]:
    scores = team_scores(store, by="rubric", min_n=min_n, **filters)
    questions = points_lost_by_team(store, min_n=min_n, **filters)
    groups = cards.members.group_by("group_id", "group_name").agg("person_id").sort("group_name", "group_id")
    return [
        Team(
            group_id=group_id,
            name=name or group_id,
            members=people,
            scores=scores.filter(pl.col("team_id") == group_id).to_dicts(),
            questions=questions.filter(pl.col("team_id") == group_id).to_dicts(),
        )
        for group_id, name, people in groups.iter_rows()
    ]


def _team_links(card: Scorecard, folder: str) -> str:
    return ", ".join(link(folder + page_name(name, key), name) for key, name in card.teams.items())


def _team_page(cards: Scorecards, team: Team, by_id: Mapping[str, Scorecard], *, as_of: str) -> str:
    members = [by_id[person] for person in team.members if person in by_id]
    graded = sum(card.standing["n"] for card in members if card.standing)
    told = figures(
        [
            ("Agents", str(len(members)), ""),
            ("Grades", f"{graded:,}", ""),
            ("Below the average", str(_count(members, "below")), "of all agents, by more than chance"),
            ("Above the average", str(_count(members, "above")), "of all agents, by more than chance"),
        ]
    )
    noted = any(row["reason"] for row in team.scores)
    note = [("Note", "text")] if noted else []
    scores = table(
        [("Rubric", "text"), ("Grades", "number"), ("Average, %", "number"), ("Pass rate, %", "number"), *note],
        [
            (
                text(row["rubric_name"] or "–"),
                f"{row['n']:,}",
                interval(row, "mean"),
                interval(row, "pass_rate", "pass_lo", "pass_hi"),
                *([text(row["reason"])] if noted else []),
            )
            for row in team.scores
        ],
        name="Scores by rubric",
        open_rows=LONG_ROWS,
    )
    unlike = sorted((row for row in team.questions if row["stands_out"]), key=lambda row: -abs(row["gap"]))
    questions = table(
        [("Question", "text"), ("Rubric", "text"), ("Answers", "number"), ("Lost points, %", "number"),
         ("More than everyone, points", "number")],
        [
            (
                text(row["question"]),
                text(row["rubric_name"] or "–"),
                f"{row['n']:,}",
                interval(row, "failure_rate"),
                f"{row['gap']:+.1f}",
            )
            for row in unlike[:LOOK_FIRST]
        ],
        name="Questions on which this team differs",
    )  # fmt: skip
    body = (
        article("At a glance", "", told)
        + article("Agents", ORDER, _agents(cards, members, "../agents/", team=False))
        + article(
            "Scores",
            "By rubric, since points of one rubric are not those of another. Pass: 80 % or more.",
            scores if team.scores else nothing(f"No scored grade ({cards.period})"),
        )
        + article(
            "Questions on which this team differs",
            "How often points were lost, where that differs from everyone by more than chance.",
            (questions if unlike else nothing("None by more than chance."))
            + caveat("Teams work on different tickets: a gap may be the tickets', not the team's."),
        )
    )
    return card_document(team.name, cards.lines(as_of), body, up='<a href="../index.html">All teams and agents</a>')


ORDER = "Those below the average of all agents by more than chance first, then from the lowest score."


def _index(cards: Scorecards, teams: list[Team], found: list[Scorecard], *, as_of: str) -> str:
    below = [card for card in _ordered(found) if card.standing and card.standing["stands_out"] == "below"]
    fallen = sorted(
        (card for card in found if card.change and card.change["changed"] == "down"),
        key=lambda card: card.change["change"] if card.change else 0.0,
    )
    body = article(
        "Look at this first",
        "",
        _first("Below the average of all agents, by more than chance", below)
        + _first("Worse than in the period before, by more than chance", fallen)
        + caveat("At most one in twenty of those named is expected to be named by mistake."),
    )
    listed = table(
        [("Team", "text"), ("Agents", "number"), ("Below the average", "number"), ("Above the average", "number")],
        [
            (
                link(f"teams/{page_name(team.name, team.group_id)}", team.name),
                str(len(members)),
                str(_count(members, "below")),
                str(_count(members, "above")),
            )
            for team in teams
            for members in [[card for card in found if team.group_id in card.teams]]
        ],
        name="Teams",
        open_rows=LONG_ROWS,
    )
    box = (
        '<p class="find" hidden><label>Find an agent or team <input type="search"></label> '
        '<span data-found role="status"></span></p>'
    )
    body += article("Teams", "", listed if teams else nothing("The data has no teams."), mark="teams")
    body += article("All agents", ORDER, box + _agents(cards, found, "agents/", team=True), mark="agents")
    return card_document("QA scorecards", cards.lines(as_of), body, script=part("search_agents.js"))


def _first(heading: str, chosen: list[Scorecard]) -> str:
    names = ", ".join(link(f"agents/{page_name(card.name, card.person_id)}", card.name) for card in chosen[:LOOK_FIRST])
    more = f" and {len(chosen) - LOOK_FIRST} more, at the top of the list below" if len(chosen) > LOOK_FIRST else ""
    return f"<h3>{text(heading)}</h3>" + (f"<p>{names}{more}</p>" if names else nothing("Nobody, by more than chance."))


def _ordered(members: list[Scorecard]) -> list[Scorecard]:
    """Those who stand out below first, then from the lowest score; those without one last."""

    def place(card: Scorecard) -> tuple[bool, bool, float, str]:
        row = card.standing
        score = row["shrunk"] if row else None
        return (row is None or row["stands_out"] != "below", score is None, score or 0.0, card.person_id)

    return sorted(members, key=place)


def _agents(cards: Scorecards, members: list[Scorecard], folder: str, *, team: bool) -> str:
    beside = [("Team", "text")] if team else []
    any_changed = any(card.change and card.change["changed"] for card in members)
    rows = []
    for card in _ordered(members):
        row = card.standing
        verdict = f'<span class="{row["stands_out"]}">{row["stands_out"]}</span>' if row and row["stands_out"] else ""
        change = {"down": "fell", "up": "rose", "": ""}[card.change["changed"]] if card.change else ""
        rows.append(
            (
                link(folder + page_name(card.name, card.person_id), card.name),
                *([text(", ".join(card.teams.values()) or "–")] if team else []),
                interval(row, "shrunk", "shrunk_lo", "shrunk_hi") if row else "–",
                places(row) if row else "–",
                verdict,
                *([change] if any_changed else []),
                str(len(card.todos)),
                cards.day_text(card.coaching[0]["held_at"] if card.coaching else None),
            )
        )
    headings = [
        ("Agent", "text"), *beside, ("Score, %", "number"), ("Place", "number"), ("Stands out", "text"),
        *([("Changed", "text")] if any_changed else []), ("Open to-dos", "number"), ("Last coached", "day"),
    ]  # fmt: skip
    if not rows:
        return nothing("Nobody.")
    return table(headings, rows, name="Agents", open_rows=LONG_ROWS, searched=team)


def _count(members: list[Scorecard], standing: str) -> int:
    return sum(card.standing is not None and card.standing["stands_out"] == standing for card in members)
