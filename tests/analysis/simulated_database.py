"""A contact centre made with numpy, written straight into a DuckDB file, with the truth beside it.

Not the sandbox: that one speaks HTTP and is believable; here every number is chosen, and nothing takes long.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import polars as pl

from maestro_analytics.tables.columns import DTYPES
from maestro_analytics.tables.schemas import TABLES_BY_NAME
from maestro_analytics.warehouse.multi_select import add_multi_select_questions
from tests import new_databases

START = datetime(2026, 1, 5, tzinfo=UTC)


ANSWER_ID = pl.format("16906fb5ce9d57646fa38362_{}_{}_{}_GRADER_grading", "gradable_id", "rubric_id", "agent_id")


@dataclass(frozen=True)
class Truth:
    """What the numbers were made from."""

    quality: dict[str, float]
    bias: dict[str, float]
    coaching_effect: float
    coached_on: dict[str, datetime] = field(default_factory=dict)


def write(path: Path, frames: dict[str, pl.DataFrame]) -> Path:
    """A database file with every table and view of the project, filled from `frames`; missing columns are null."""
    new_databases.copy(path)
    with duckdb.connect(path) as connection:
        connection.execute("set TimeZone = 'UTC'; set enable_progress_bar = false")
        for name, frame in frames.items():
            columns = ", ".join(f'"{column}"' for column in frame.columns)
            connection.register("incoming", frame.to_arrow())
            connection.execute(f"insert into {name} ({columns}) select * from incoming")
            connection.unregister("incoming")
        add_multi_select_questions(connection)
    return path


def grade_rows(**columns: object) -> pl.DataFrame:
    """total_scores from the columns that matter, the others filled with what is usual."""
    frame = pl.DataFrame(columns)
    usual: dict[str, pl.Expr] = {
        "rubric_id": pl.lit("AatxWWtXWKcfiN34E"),
        "rubric_name": pl.lit("Support"),
        "agent_name": pl.concat_str(pl.lit("Agent "), pl.col("agent_id")),
        "agent_email": pl.concat_str(pl.col("agent_id"), pl.lit("@example.com")),
        "max_rubric_score": pl.lit(100.0),
        "grade_type": pl.lit("grading"),
        "grader": pl.lit("grader-1"),
        "source": pl.lit("zendesk"),
        "date_reported_as": pl.lit(START),
    }
    for name, value in usual.items():
        if name not in frame.columns:
            frame = frame.with_columns(value.alias(name))
    if "date_graded" not in frame.columns:
        frame = frame.with_columns(date_graded=pl.col("date_reported_as"))
    if "grade_key" not in frame.columns:
        parts = ("source", "gradable_id", "rubric_id", "agent_id", "grade_type")
        ordinary = pl.concat_str([pl.col(part).fill_null("") for part in parts], separator="|")
        keyed = pl.concat_str([ordinary, pl.col("grader").fill_null("")], separator="|")
        frame = frame.with_columns(grade_key=pl.when(pl.col("grade_type") == "grading").then(ordinary).otherwise(keyed))
    return frame


def people_of(grades: pl.DataFrame, teams: dict[str, list[str]]) -> dict[str, pl.DataFrame]:
    """agents, agent_ids and agent_groups for the agents of `grades`; each id is one person."""
    ids = grades.select("agent_id", "agent_name", "agent_email").unique("agent_id").sort("agent_id")
    groups = [
        {
            "group_name": team,
            "group_id": f"group-{number}",
            "agent_ids": [agent],
            "agent_email": f"{agent}@example.com",
            "available": True,
        }
        for number, (team, members) in enumerate(teams.items())
        for agent in members
    ]
    return {
        "agents": ids.rename({"agent_id": "person_id"}).with_columns(available=pl.lit(True)),
        "agent_ids": ids.select("agent_id", person_id="agent_id"),
        "agent_groups": pl.DataFrame(
            groups,
            schema={
                "group_name": pl.String,
                "group_id": pl.String,
                "agent_ids": pl.List(pl.String),
                "agent_email": pl.String,
                "available": pl.Boolean,
            },
        ),
    }


def answers_of(grades: pl.DataFrame, *, seed: int) -> dict[str, pl.DataFrame]:
    """Sections and answers that add up to each grade: three sections of two questions, 100 points in all."""
    rng = np.random.default_rng(seed)
    shared = grades.select(
        "grade_key", "gradable_id", "agent_id", "agent_name", "agent_email", "rubric_id", "rubric_name", "date_graded",
        "grader", "grade_type", "date_reported_as", "source", "rubric_score",
    ).drop_nulls("rubric_score")  # fmt: skip
    maximum = np.array([10.0, 10.0, 20.0, 20.0, 30.0, 10.0])
    hardness = np.array([0.2, 1.0, 1.0, 3.0, 1.0, 0.5])
    weight = maximum * hardness * rng.gamma(2.0, 1.0, (shared.height, 6))
    lost = 100 - shared["rubric_score"].to_numpy()
    share = weight / weight.sum(1, keepdims=True) * lost[:, None]
    for _ in range(6):
        over = np.clip(share - maximum, 0, None).sum(1, keepdims=True)
        share = np.minimum(share, maximum)
        room = maximum - share
        share = share + room / np.maximum(room.sum(1, keepdims=True), 1e-9) * over
    score = maximum - share
    questions = ("Greeting", "Tone", "Understanding", "Right answer", "Process followed", "Closing")
    answers = pl.concat(
        [
            shared.with_columns(
                section_id=pl.lit(f"section-{number // 2}"),
                section_name=pl.lit(("Opening", "Solution", "Wrap-up")[number // 2]),
                question_id=pl.lit(f"question-{number}"),
                question=pl.lit(f"{questions[number]}?"),
                answer_label=pl.Series(np.where(score[:, number] >= maximum[number] - 1e-9, "Yes", "No")),
                question_score=pl.Series(score[:, number]),
                max_question_score=pl.lit(maximum[number]),
                comment=pl.when(pl.Series(score[:, number] < maximum[number] / 2)).then(
                    pl.format("Read {} again", pl.col("gradable_id"))
                ),
            )
            for number in range(6)
        ]
    )
    sections = (
        answers.group_by([*shared.columns, "section_id", "section_name"], maintain_order=True)
        .agg(section_score=pl.sum("question_score"), max_section_score=pl.sum("max_question_score"))
        .drop("rubric_score")
    )
    return {"section_scores": sections, "individual_answers": answers.drop("rubric_score")}


def make(
    *, agents: int = 24, weeks: int = 20, seed: int = 1, coaching_effect: float = 6.0
) -> tuple[dict[str, pl.DataFrame], Truth]:
    """A centre with everything in it: teams, biased graders, calibrations, coaching, to-dos, CSAT, re-grades."""
    rng = np.random.default_rng(seed)
    names = [f"{number:03d}" for number in range(1, agents + 1)]
    quality = {name: float(q) for name, q in zip(names, rng.normal(84, 5, agents), strict=True)}
    graders = {f"grader-{number}": float(b) for number, b in enumerate((-5.0, -1.0, 0.0, 2.0, 4.0), start=1)}
    teams = {"Billing": names[: agents // 2], "Technical": names[agents // 2 :]}
    coached = {name: START + timedelta(days=int(rng.integers(60, 80))) for name in names[::2]}

    number = agents * weeks * 3
    agent = rng.choice(names, number)
    day = rng.integers(0, weeks * 7, number)
    reported = [
        START + timedelta(days=int(d), hours=int(h)) for d, h in zip(day, rng.integers(8, 18, number), strict=True)
    ]
    grader = rng.choice(list(graders), number)
    after = np.array(
        [coached.get(a, datetime.max.replace(tzinfo=UTC)) < r for a, r in zip(agent, reported, strict=True)]
    )
    level = np.array([quality[a] for a in agent]) + coaching_effect * after
    score = np.clip(level + np.array([graders[g] for g in grader]) + rng.normal(0, 9, number), 0, 100).round(2)
    grades = grade_rows(
        gradable_id=[f"T_{ticket:05d}" for ticket in range(number)],
        agent_id=agent,
        grader=grader,
        rubric_score=score,
        date_reported_as=reported,
        rubric_id=np.where(np.arange(number) % 4 == 0, "BbtxWWtXWKcfiN34E", "AatxWWtXWKcfiN34E"),
        rubric_name=np.where(np.arange(number) % 4 == 0, "Chat", "Support"),
        total_grading_time=rng.gamma(4, 120, number),
    ).with_columns(rubric_score=pl.when(pl.int_range(pl.len()) % 40 == 7).then(None).otherwise(pl.col("rubric_score")))
    live = grades.drop_nulls("rubric_score")

    judged = live[:240]
    calibrations = pl.concat(
        [
            judged.drop("grade_key").with_columns(
                grader=pl.lit(name),
                grade_type=pl.lit("calibration"),
                rubric_score=pl.Series(
                    np.clip(judged["rubric_score"].to_numpy() + bias + rng.normal(0, 4, judged.height), 0, 100).round(2)
                ),
                original_grader=pl.col("grader"),
                target_answer_id=ANSWER_ID,
            )
            for name, bias in list(graders.items())[:3]
        ]
    )
    calibrations = grade_rows(**calibrations.to_dict(as_series=True))
    scores = pl.concat([grades, calibrations], how="diagonal")
    frames = {"total_scores": scores, **people_of(grades, teams), **answers_of(scores, seed=seed)}
    frames["csat"] = live[::3].select(
        "gradable_id",
        "source",
        csat_score=(1 + (pl.col("rubric_score") / 25).floor() + pl.lit(rng.integers(0, 2, live[::3].height))).clip(
            1, 5
        ),
    )
    frames["coaching_sessions"] = pl.DataFrame(
        [
            {"id": f"session-{name}", "agent_id": name, "created_at": at, "updated_at": at, "coach_name": "Cora Coach"}
            for name, at in coached.items()
        ]
    )
    low = live.filter(pl.col("rubric_score") < 75)[::3]
    frames["coaching_points"] = low.select(
        id=pl.concat_str(pl.lit("point-"), "gradable_id"),
        agent_id="agent_id",
        rubric_id="rubric_id",
        created_at=pl.col("date_graded") + pl.Series([timedelta(days=float(d)) for d in rng.gamma(2, 4, low.height)]),
        answer_id=ANSWER_ID,
        type=pl.lit("opportunities"),
    )  # fmt: skip
    frames["todos"] = low.select(
        id=pl.concat_str(pl.lit("todo-"), "gradable_id"),
        agent_id="agent_id",
        creator_id=pl.lit("coach-1"),
        created_at="date_graded",
        updated_at=pl.col("date_graded") + timedelta(days=6),
        status=pl.Series(np.where(np.arange(low.height) % 3 == 0, "incomplete", "complete")),
    )
    frames["grade_history"] = live[:30].with_columns(
        rubric_score=(pl.col("rubric_score") - 4).clip(0, 100),
        date_graded=pl.col("date_graded") - timedelta(days=2),
        replaced_at=pl.col("date_graded"),
    )
    for name, frame in frames.items():
        table = TABLES_BY_NAME[name]
        frames[name] = frame.select([column for column in table.columns if column in frame.columns])
    return frames, Truth(quality, graders, coaching_effect, coached)


def from_truth(truth: Any) -> dict[str, pl.DataFrame]:
    """The tables that a correct warehouse holds after a backfill from a sandbox, without the detour through HTTP."""
    frames = {}
    for name, rows in truth.tables().items():
        table = TABLES_BY_NAME[name]
        schema = {column: DTYPES[role] for column, role in table.columns.items() if column not in table.made_here}
        frame = pl.DataFrame(rows, schema=schema)
        if "grade_key" in table.columns:
            frame = grade_rows(**frame.to_dict(as_series=True)).select(list(table.columns))
        frames[name] = frame
    people = [
        {
            "person_id": min(agent.agent_ids),
            "agent_name": agent.name,
            "agent_email": agent.email,
            "ids": agent.agent_ids,
        }
        for agent in truth.agents
    ]
    everyone = pl.DataFrame(people)
    frames["agents"] = everyone.drop("ids")
    frames["agent_ids"] = everyone.select(agent_id="ids", person_id="person_id").explode("agent_id")
    return frames
