"""Simulated centres as stores that the public answers can be asked of."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb
import numpy as np
import polars as pl

from maestro_analytics.tables.schemas import TABLES
from maestro_analytics.warehouse.multi_select import add_multi_select_questions
from maestro_analytics.warehouse.results import frame
from maestro_analytics.warehouse.sql_files import create_views, query_with_variables
from maestro_analytics.warehouse.state import create_all
from tests.simulations.centres import Centre
from tests.simulations.coaching import CoachedCentre

START = datetime(2026, 1, 5, tzinfo=UTC)


class MemoryStore:
    """A database in memory with all tables, views and queries; `fill` replaces its rows."""

    def __init__(self) -> None:
        self._connection = duckdb.connect()
        self._connection.execute("set TimeZone = 'UTC'; set enable_progress_bar = false; set threads = 1")
        for table in TABLES:
            self._connection.execute(table.ddl())
        create_all(self._connection)
        create_views(self._connection)
        self._filled: set[str] = set()

    def fill(self, **frames: pl.DataFrame) -> MemoryStore:
        """Hold these rows and no others; returns itself."""
        for name in self._filled - set(frames):
            self._connection.execute(f"delete from {name}")
        for name, rows in frames.items():
            self._connection.execute(f"delete from {name}")
            self._connection.register("incoming", rows.to_arrow())
            columns = ", ".join(rows.columns)
            self._connection.execute(f"insert into {name} ({columns}) select * from incoming")
            self._connection.unregister("incoming")
        if "individual_answers" in frames:
            add_multi_select_questions(self._connection)
        self._filled = set(frames)
        return self

    def query(self, name: str, /, **variables: Any) -> pl.DataFrame:
        """The rows of a query file, as `Store.query`."""
        text, wanted = query_with_variables(name, variables)
        for given, value in wanted.items():
            self._connection.execute(f"set variable {given} = $value", {"value": value})
        try:
            return frame(self._connection, text)
        finally:
            for given in wanted:
                self._connection.execute(f"reset variable {given}")


class PreparedStore:
    """A store whose queries return the given rows, whatever the variables: for what is quicker made than stored."""

    def __init__(self, answers: Mapping[str, pl.DataFrame]) -> None:
        self._answers = answers

    def query(self, name: str, /, **variables: Any) -> pl.DataFrame:
        """The rows of that query; nothing is uncovered."""
        return pl.DataFrame() if name == "uncovered_grades" else self._answers[name]


def names(letter: str, codes: np.ndarray) -> np.ndarray:
    """Ids that sort as their codes do."""
    return np.char.add(letter, np.char.zfill(codes.astype(int).astype(str), 4))


def number_of(ids: pl.Series) -> np.ndarray:
    """The number in ids such as a0012."""
    return ids.str.extract(r"(\d+)").cast(pl.Int64).to_numpy()


def tables(centre: Centre, *, teams: int = 0) -> dict[str, pl.DataFrame]:
    """The tables of a centre; agent i is a%04d, in team i modulo `teams`."""
    number = len(centre.score)
    agent = names("a", centre.agent)
    moments = np.datetime64(START.replace(tzinfo=None), "us") + centre.day.astype("timedelta64[D]")
    scores = pl.DataFrame(
        {
            "grade_key": names("k", np.arange(number)),
            "gradable_id": names("t", centre.ticket),
            "agent_id": agent,
            "agent_name": agent,
            "agent_email": agent,
            "rubric_id": names("r", centre.rubric),
            "rubric_name": names("r", centre.rubric),
            "grader": names("g", centre.grader),
            "rubric_score": centre.score,
            "day": moments,
        }
    ).with_columns(
        pl.col("day").dt.replace_time_zone("UTC").alias("date_reported_as"),
        pl.col("day").dt.replace_time_zone("UTC").alias("date_graded"),
        max_rubric_score=pl.lit(100.0),
        grade_type=pl.lit("grading"),
        source=pl.lit("chat"),
    )
    people = names("a", np.arange(len(centre.quality)))
    found = {
        "total_scores": scores.drop("day"),
        "agents": pl.DataFrame({"person_id": people, "agent_name": people}),
        "agent_ids": pl.DataFrame({"person_id": people, "agent_id": people}),
    }
    if teams:
        team = names("team", np.arange(len(people)) % teams)
        found["agent_groups"] = pl.DataFrame({"group_name": team, "group_id": team}).with_columns(
            agent_ids=pl.Series([[person] for person in people]), available=pl.lit(True)
        )
    return found


def coached_store(centre: CoachedCentre) -> PreparedStore:
    """What `coaching_effect` asks for, of a simulated centre."""
    counts, sums, zeros = (
        np.diff(values, axis=1) for values in (centre.panel.counts, centre.panel.sums, centre.zeros.counts)
    )
    person, day = np.nonzero(counts)
    first = START.date()
    cells = pl.DataFrame(
        {
            "person": person + 1,
            "n": counts[person, day].astype(np.int64),
            "total": sums[person, day],
            "zeros": zeros[person, day],
            "day": pl.Series([first + timedelta(days=int(each)) for each in day]),
        }
    ).with_columns(grader=1, rubric=1, month=1)
    sessions = pl.DataFrame(
        {
            "coaching_session_id": names("s", np.arange(len(centre.day))),
            "person_id": names("a", centre.person),
            "day": pl.Series([first + timedelta(days=int(each)) for each in centre.day], dtype=pl.Date),
        }
    )
    people = names("a", np.arange(len(centre.panel.counts)))
    team = names("team", centre.panel.team)
    members = pl.DataFrame({"person_id": people, "group_id": team, "group_name": team})
    numbers = pl.DataFrame({"person_id": people, "person": np.arange(1, len(people) + 1)})
    return PreparedStore(
        {"grader_cells": cells, "person_numbers": numbers, "coaching_sessions": sessions, "team_members": members}
    )
