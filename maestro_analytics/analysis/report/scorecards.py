"""The scorecard of an agent: all that is known for a talk with the agent, and its numbers as words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Unpack
from urllib.parse import quote
from zoneinfo import ZoneInfo

import polars as pl

from maestro_analytics.analysis.agent_ranking import agent_ranking
from maestro_analytics.analysis.answer import Answer
from maestro_analytics.analysis.changes import changes
from maestro_analytics.analysis.coaching_records import coaching_history, open_todos
from maestro_analytics.analysis.filters import Choice, Filters, Store
from maestro_analytics.analysis.grades import answer_comments, tickets_to_review
from maestro_analytics.analysis.points_lost import points_lost_by_agent
from maestro_analytics.analysis.report.sections import AT_A_TIME, QueriedOnce
from maestro_analytics.analysis.trends import score_trend
from maestro_analytics.errors import InvalidArgument, UnknownName

Row = dict[str, Any]

COSTLY, STRONG = 5, 5
"""How many questions of each kind a scorecard has."""
STRONG_GAP = 3.0
"""A strength is a question on which points are lost less often than by everyone, by at least so many percent points."""


@dataclass(frozen=True)
class Scorecard:
    """What is known of one agent, beside all others.

    Attributes:
        person_id, name: the agent.
        teams: name of each of the agent's teams, by id.
        standing: the agent's row of `agent_ranking`; None without a scored grade.
        change: the agent's row of `changes`; None where there are not two periods to compare.
        trend: the agent's rows of `score_trend`, in order of time; `unfinished` where the week has not ended.
        costs: rows of `points_lost_by_agent`, the costliest first, each with its `comments` (rows of
            `answer_comments`).
        strengths: rows of `points_lost_by_agent` of questions on which the agent loses points less often than everyone:
            first those where that is more than chance.
        tickets: rows of `tickets_to_review`.
        todos: rows of `open_todos`.
        coaching: rows of `coaching_history`, the newest first.
    """

    person_id: str
    name: str
    teams: dict[str, str]
    standing: Row | None
    change: Row | None
    trend: list[Row]
    costs: list[Row]
    strengths: list[Row]
    tickets: list[Row]
    todos: list[Row]
    coaching: list[Row]


@dataclass(frozen=True)
class Scorecards:
    """The answers that scorecards are made of, each asked once for all agents whom the filters choose.

    Attributes:
        answers: name of the function -> its answer, for all agents.
        everyone: the rows of `score_trend` over all agents.
        people: one row per person.
        members: one row per team and person in it.
        week_zone: the time zone of days and weeks.
        left_out: how many grades of time that no export covers are left out or counted, in words; empty without any.
    """

    answers: dict[str, Answer]
    everyone: list[Row]
    people: pl.DataFrame
    members: pl.DataFrame
    week_zone: str
    left_out: str = ""
    _by_person: dict[str, dict[str, list[Row]]] = field(default_factory=dict, repr=False)

    @property
    def period(self) -> str:
        """The period and all filters, in words."""
        return self.answers["agent_ranking"].about.period

    def peers(self, card: Scorecard) -> pl.DataFrame:
        """The rows of `agent_ranking` with whom the agent is compared, the agent's own among them."""
        if card.standing is None or card.standing["component"] is None:
            return self.answers["agent_ranking"].clear()
        return self.answers["agent_ranking"].filter(
            (pl.col("component") == card.standing["component"]) & pl.col("shrunk").is_not_null()
        )

    def lines(self, as_of: str) -> list[str]:
        """What holds for every page: the period, how fresh the data is, and what is left out."""
        return [f"Period: {self.period}", *filter(None, (as_of, self.left_out))]

    def local_day(self, moment: datetime) -> date:
        """The day of a moment in the time zone of days and weeks."""
        return moment.astimezone(ZoneInfo(self.week_zone)).date()

    def day_text(self, moment: datetime | None) -> str:
        """The same as text; a dash where there is no moment."""
        return "–" if moment is None else f"{self.local_day(moment)}"

    def of(self, person_id: str) -> Scorecard:
        """The scorecard of a person.

        Raises:
            InvalidArgument: the person is not among those whom the filters choose.
        """
        if person_id not in self._by_person["people"]:
            raise InvalidArgument(f"the agent {person_id!r} is not among those chosen ({self.period}).")
        rows = {name: found.get(person_id, []) for name, found in self._by_person.items()}
        questions = rows["points_lost_by_agent"]
        comments: dict[tuple[str, str], list[Row]] = {}
        for comment in rows["answer_comments"]:
            comments.setdefault((comment["rubric_id"], comment["question_id"]), []).append(comment)
        costs = [
            row | {"comments": comments.get((row["rubric_id"], row["question_id"]), [])}
            for row in questions
            if row["points_lost"]
        ]
        better = [row for row in questions if row["reliable"] and row["gap"] is not None and row["gap"] <= -STRONG_GAP]
        return Scorecard(
            person_id=person_id,
            name=rows["people"][0]["agent_name"] or person_id,
            teams={row["group_id"]: row["group_name"] or row["group_id"] for row in rows["members"]},
            standing=next(iter(rows["agent_ranking"]), None),
            change=next(iter(rows["changes"]), None),
            trend=rows["score_trend"],
            costs=costs[:COSTLY],
            strengths=sorted(better, key=lambda row: (row["stands_out"] != "below", row["gap"]))[:STRONG],
            tickets=rows["tickets_to_review"],
            todos=rows["open_todos"],
            coaching=rows["coaching_history"],
        )


def scorecards(store: Store, *, min_n: int = 10, **filters: Unpack[Filters]) -> Scorecards:
    """All scorecards: `.of(person_id)` is one. `agent` is no filter here, since each agent is shown among all others.

    To-dos and coaching are those of all time. Errors: see `Filters`.
    """
    choice = Choice.of(store, filters)
    once = QueriedOnce(store)
    people_alone: Filters = {"team": filters.get("team")}
    people_and_rubric: Filters = {"team": filters.get("team"), "rubric": filters.get("rubric")}
    asked: dict[str, Callable[[], Answer]] = {
        "agent_ranking": lambda: agent_ranking(once, min_n=min_n, **filters),
        "changes": lambda: changes(once, min_n=min_n, **filters),
        "score_trend": lambda: score_trend(once, by="agent", **filters),
        "everyone": lambda: score_trend(once, by="all", **filters),
        "points_lost_by_agent": lambda: points_lost_by_agent(once, min_n=min_n, **filters),
        "answer_comments": lambda: answer_comments(once, **filters),
        "tickets_to_review": lambda: tickets_to_review(once, **filters),
        "open_todos": lambda: open_todos(once, **people_alone),
        "coaching_history": lambda: coaching_history(once, **people_and_rubric),
    }
    with ThreadPoolExecutor(AT_A_TIME) as workers:
        coming = {name: workers.submit(ask) for name, ask in asked.items()}
        answers = {name: answer.result() for name, answer in coming.items()}
    trend = answers["score_trend"]
    answers["score_trend"] = Answer(trend.with_columns(unfinished=~pl.col("finished")))
    answers["score_trend"].about = trend.about
    people = store.query("people", **choice.variables_of("team", "agent"))
    members = store.query("team_members", **choice.variables_of("team"))
    keys = {"score_trend": "group_id", "changes": "id"}
    by_person = {
        name: _rows_by(frame, keys.get(name, "person_id"))
        for name, frame in {**answers, "people": people, "members": members}.items()
        if name != "everyone"
    }
    everyone = answers.pop("everyone").to_dicts()
    return Scorecards(answers, everyone, people, members, choice.week_zone, choice.left_out, by_person)


def person_called(store: Store, name: str) -> str:
    """The id of the person whom a name, an e-mail address or any id means.

    Raises:
        UnknownName: nobody is called so; the nearest are named.
        InvalidArgument: several are; their ids are named.
    """
    found = store.query("people", agent=name)["person_id"].to_list() if name else []
    if not found:
        raise UnknownName(kind="agent", name=name, known=_names(store.query("people")))
    if len(found) > 1:
        raise InvalidArgument(f"{len(found)} agents are called {name!r}. Name one by its id: {', '.join(found)}.")
    return str(found[0])


def _names(people: pl.DataFrame) -> list[str]:
    return [name for column in ("agent_name", "agent_email") for name in people[column].drop_nulls()]


def _rows_by(frame: pl.DataFrame, key: str) -> dict[str, list[Row]]:
    return {
        str(names[0]): part.to_dicts()
        for names, part in pl.DataFrame(frame).partition_by(key, as_dict=True, maintain_order=True).items()
        if names[0] is not None
    }


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
