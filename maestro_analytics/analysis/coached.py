"""The data of a coaching effect: scores by person and day, and the days of sessions."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

import polars as pl

from maestro_analytics.analysis.filters import Choice, Store
from maestro_analytics.analysis.statistics.arrays import Codes, Flags
from maestro_analytics.analysis.statistics.trials import MOST_CONTROLS, Panel, Trials, trials


@dataclass(frozen=True)
class Window:
    """Days before and after a session that are looked at."""

    before: int
    after: int


@dataclass(frozen=True)
class Coached:
    """Scores by person and day, and the sessions, as numbers: of whole grades, or of one question.

    Attributes:
        panel: the scores.
        zeros: the grades of 0 percent alone (auto-fails, as far as the files say); None for questions.
        person, day, wanted: one entry per session: who, when, and whether the period and filters choose it.
    """

    panel: Panel
    zeros: Panel | None
    person: Codes
    day: Codes
    wanted: Flags

    @property
    def without_zeros(self) -> Coached:
        """The same without grades of 0 percent."""
        if self.zeros is None:
            return self
        counts, sums = self.panel.counts - self.zeros.counts, self.panel.sums - self.zeros.sums
        return replace(self, panel=Panel(counts, sums, self.panel.team))

    def earlier(self, days: int) -> Coached:
        """The same with all sessions so many days earlier: a placebo."""
        kept = self.day >= days
        return replace(self, person=self.person[kept], day=self.day[kept] - days, wanted=self.wanted[kept])

    def trials(
        self, window: Window, *, min_n: int, seed: int, question: int = 0, most_controls: int = MOST_CONTROLS
    ) -> tuple[Trials, int]:
        """The sessions beside those who were not coached; and how many sessions had to be left out."""
        return trials(
            self.panel,
            self.person,
            self.day,
            self.wanted,
            before=window.before,
            after=window.after,
            min_n=min_n,
            seed=seed,
            question=question,
            most_controls=most_controls,
        )


def coached_grades(store: Store, choice: Choice, window: Window, *, margin: int = 0) -> list[Coached]:
    """One entry, about whole grades; none without a session that is chosen, or without grades."""
    # Small queries first: in a report they would wait for the long one of another answer.
    sessions = _sessions(store, "coaching_sessions", choice)
    scores = store.query("adjusted_trend", **_around(choice, window, margin), every="day", week_zone=choice.week_zone)
    scores = scores.select("person_id", "n", "total", "zeros", "zeros_total", day="period").filter(pl.col("n") > 0)
    return _gathered(store, scores, sessions)


def coached_questions(store: Store, choice: Choice, window: Window) -> list[Coached]:
    """One entry for each question that was coached in a session that is chosen, as if all had the mean of all."""
    scores = store.query("daily_question_scores", **_around(choice, window), week_zone=choice.week_zone)
    sums = scores.group_by("question_id").agg(pl.col("n", "total").sum())
    moved = sums.select("question_id", moved=pl.col("total").sum() / pl.col("n").sum() - pl.col("total") / pl.col("n"))
    scores = scores.join(moved, on="question_id").with_columns(total=pl.col("total") + pl.col("n") * pl.col("moved"))
    return _gathered(store, scores, _sessions(store, "coached_questions", choice), by="question_id")


def _around(choice: Choice, window: Window, margin: int = 0) -> dict[str, Any]:
    """Filters of the scores: those of the sessions but for the agent, with room before and after the period."""
    variables = choice.variables_of("team", "rubric", "source", "grade_type", "include_uncovered")
    if choice.since:
        variables["since"] = choice.since - timedelta(days=max(2 * window.before, margin) + 1)
    if choice.until:
        variables["until"] = choice.until + timedelta(days=max(window.after, margin) + 2)
    return variables


def _sessions(store: Store, query: str, choice: Choice) -> pl.DataFrame:
    """All sessions, those of other periods and agents too, and which of them are `wanted`."""
    everything = store.query(query, week_zone=choice.week_zone)
    chosen = store.query(query, **choice.variables_of("since", "until", "team", "agent"), week_zone=choice.week_zone)[
        "coaching_session_id"
    ]
    return everything.with_columns(wanted=pl.col("coaching_session_id").is_in(chosen.unique().implode()))


def _gathered(store: Store, scores: pl.DataFrame, sessions: pl.DataFrame, *, by: str | None = None) -> list[Coached]:
    members = store.query("team_members").group_by("person_id").agg(pl.col("group_id").min())
    names = scores["person_id"].unique().drop_nulls().sort()
    people = names.to_frame().with_row_index("person")
    people = people.join(members, on="person_id", how="left", maintain_order="left").with_columns(
        pl.col("person").cast(pl.Int64), team=pl.col("group_id").fill_null("").rank("dense").cast(pl.Int64) - 1
    )
    # As numbers in order of the ids: a join would copy a million texts.
    number = pl.col("person_id").cast(pl.Enum(names)).to_physical().cast(pl.Int64)
    scores = scores.filter(pl.col("person_id").is_not_null()).with_columns(person=number)
    sessions = sessions.join(people, on="person_id")
    first, last = scores["day"].min(), scores["day"].max()
    if not isinstance(first, date) or not isinstance(last, date):
        return []
    parts = {(): scores} if by is None else scores.partition_by(by, as_dict=True)
    found = []
    for key in sorted(parts):
        mine = sessions if by is None else sessions.filter(pl.col(by) == key[0])
        if not mine["wanted"].any():
            continue
        panels = [
            Panel.of(
                parts[key]["person"].to_numpy(),
                _days_since(first, parts[key]["day"]),
                parts[key][n].to_numpy().astype(float),
                parts[key][total].to_numpy().astype(float),
                persons=people.height,
                days=(last - first).days + 1,
                team=people["team"].to_numpy(),
            )
            for n, total in (("n", "total"), ("zeros", "zeros_total"))
            if n in parts[key].columns
        ]
        found.append(
            Coached(
                panels[0],
                panels[1] if len(panels) > 1 else None,
                mine["person"].to_numpy(),
                _days_since(first, mine["day"]),
                mine["wanted"].to_numpy(),
            )
        )
    return found


def _days_since(first: date, days: pl.Series) -> Codes:
    return (days - first).dt.total_days().to_numpy()
