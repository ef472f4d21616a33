"""Every table of the warehouse, declared once.

A pandera schema is the only place where a column is named: the DuckDB tables, the data dictionary
(`sql/README.md`), the column help of the notebooks and the checks of the reader are made from it.

A column says what its text means with one of a few roles (`Role`), which fix its type:

    role        polars                DuckDB        as text in a file
    LABEL       String                VARCHAR       ids and names, for ever text; `Unknown`, `N/A` and empty are null
    FREE_TEXT   String                VARCHAR       kept to the letter, also when empty
    NUMBER      Float64, finite       DOUBLE        `N/A`, `Unknown` and empty are null
    SECONDS     Float64, finite       DOUBLE        seconds or HH:MM:SS
    MOMENT      Datetime(us, UTC)     TIMESTAMPTZ   `="2018-08-13 12:34:56.789"` or ISO 8601 with Z
    FLAG        Boolean               BOOLEAN       true/false/1/0 in any case
    ID_LIST     List(String)          VARCHAR[]     comma-separated

A column can be part of a row's identity besides: a row that lacks it is quarantined, a file without the
column is refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import pandera.polars as pa
import polars as pl


class Role(StrEnum):
    """What the text of a column means; see the table at the top of this module."""

    LABEL = "label"
    FREE_TEXT = "free text"
    NUMBER = "number"
    SECONDS = "seconds"
    MOMENT = "moment"
    FLAG = "flag"
    ID_LIST = "list of ids"


UTC_MOMENT = pl.Datetime("us", "UTC")

DTYPES: dict[Role, Any] = {
    Role.LABEL: pl.String,
    Role.FREE_TEXT: pl.String,
    Role.NUMBER: pl.Float64,
    Role.SECONDS: pl.Float64,
    Role.MOMENT: UTC_MOMENT,
    Role.FLAG: pl.Boolean,
    Role.ID_LIST: pl.List(pl.String),
}

DUCKDB_TYPES: dict[Role, str] = {
    Role.LABEL: "VARCHAR",
    Role.FREE_TEXT: "VARCHAR",
    Role.NUMBER: "DOUBLE",
    Role.SECONDS: "DOUBLE",
    Role.MOMENT: "TIMESTAMPTZ",
    Role.FLAG: "BOOLEAN",
    Role.ID_LIST: "VARCHAR[]",
}


def column(role: Role, description: str, *, unit: str | None = None, is_identity: bool = False) -> pa.Column:
    """A pandera column of `role`; `unit` is told in the data dictionary."""
    checks = (
        [pa.Check(lambda data: data.lazyframe.select(pl.col(data.key).is_finite()), name="finite")]
        if role in (Role.NUMBER, Role.SECONDS)
        else []
    )
    return pa.Column(
        DTYPES[role],
        checks=checks,
        nullable=not is_identity,
        description=description,
        metadata={"role": role, "unit": unit, "identity": is_identity},
    )


def identity(description: str) -> pa.Column:
    return column(Role.LABEL, description, is_identity=True)


def label(description: str) -> pa.Column:
    return column(Role.LABEL, description)


def free_text(description: str) -> pa.Column:
    return column(Role.FREE_TEXT, description)


def points(description: str) -> pa.Column:
    return column(Role.NUMBER, description, unit="points")


def moment(description: str) -> pa.Column:
    return column(Role.MOMENT, description, unit="UTC")


@dataclass(frozen=True)
class Table:
    """One table: its columns, and how rows of a newer delivery replace those of an older one.

    Attributes:
        name: the name in DuckDB, and of the file it comes from.
        grain: what one row is, in words.
        schema: the pandera schema; its column order is the table's.
        replaced_by: all rows with these values go when a newer delivery names them; empty for a table
            that is replaced as a whole (a snapshot) or derived.
        row_key: columns that no two live rows of a delivery share; None where rows may repeat.
        made_here: columns that no file holds, because we compute them.
    """

    name: str
    grain: str
    schema: pa.DataFrameSchema
    replaced_by: tuple[str, ...] = ()
    row_key: tuple[str, ...] | None = None
    made_here: tuple[str, ...] = ()

    @property
    def columns(self) -> dict[str, Role]:
        """Column name -> role, in the table's order."""
        return {name: col.metadata["role"] for name, col in self.schema.columns.items()}

    @property
    def file_columns(self) -> dict[str, Role]:
        """The columns that are expected in a file."""
        return {name: role for name, role in self.columns.items() if name not in self.made_here}

    @property
    def identity_columns(self) -> tuple[str, ...]:
        """Columns without which a row is quarantined and a file refused."""
        return tuple(name for name in self.file_columns if self.schema.columns[name].metadata["identity"])

    def ddl(self, *, schema: str = "main") -> str:
        """`create table` for DuckDB. No primary key and no index: see "The unit is the grade" in the README."""
        body = ",\n    ".join(f'"{name}" {DUCKDB_TYPES[role]}' for name, role in self.columns.items())
        return f"create table if not exists {schema}.{self.name} (\n    {body}\n)"

    def empty(self) -> pl.DataFrame:
        """A frame of no rows with the table's columns and types."""
        return pl.DataFrame(schema={name: DTYPES[role] for name, role in self.columns.items()})


GRADE_KEY = {"grade_key": identity("Which grade: source, gradable, rubric, agent, type (and grader); made here")}

AGENT_AND_RUBRIC = {
    "gradable_id": identity("The ticket that was graded, as the helpdesk names it"),
    "agent_id": identity("The agent's id in the helpdesk that the ticket came from; one person can have several"),
    "agent_name": label("The agent's name"),
    "agent_email": label("The agent's e-mail address"),
    "rubric_id": identity("The rubric graded with, 17 characters"),
    "rubric_name": label("The rubric's name"),
}
BENCHMARK_LINK = {
    "alignment_score": column(
        Role.NUMBER, "How close this calibration or benchmark is to its target, by the vendor's formula", unit="percent"
    ),
    "target_answer_id": label("The answer id of the grade that this one is held against"),
    "original_grader": label("Who graded the target"),
}
SHARED_GRADE_COLUMNS = AGENT_AND_RUBRIC | {
    "date_graded": moment("When this version of the grade was made"),
    "grader": label("Who graded"),
    "grade_type": identity("`grading` for an ordinary grade, else a calibration or a grader-QA benchmark"),
    "ticket_created_at": moment("When the ticket was created"),
    "date_reported_as": moment("The moment a grade counts for in reports: the time axis of every analysis"),
    "source": label("The helpdesk the ticket came from"),
}

TOTAL_SCORES = Table(
    "total_scores",
    "one row per live grade",
    pa.DataFrameSchema(
        GRADE_KEY
        | AGENT_AND_RUBRIC
        | {
            "rubric_score": points("Points reached; may exceed the maximum (bonus sections), 0 after an auto-fail"),
            "max_rubric_score": points("Points that could be reached; N/A sections shrink it"),
            "comment": free_text("The grader's comment on the whole grade"),
            "date_graded": moment("When this version of the grade was made"),
            "grader": label("Who graded"),
            "grade_type": identity("`grading` for an ordinary grade, else a calibration or a grader-QA benchmark"),
            "ticket_created_at": moment("When the ticket was created"),
            "date_first_started": moment("When grading was first started"),
            "date_first_graded": moment("When the first version of the grade was made"),
            "date_reported_as": moment("The moment a grade counts for in reports: the time axis of every analysis"),
            "source": label("The helpdesk the ticket came from"),
            "total_grading_time": column(Role.SECONDS, "Time spent grading", unit="seconds"),
        }
        | BENCHMARK_LINK,
        name="total_scores",
    ),
    replaced_by=("grade_key",),
    row_key=("grade_key",),
    made_here=("grade_key",),
)

SECTION_SCORES = Table(
    "section_scores",
    "one row per live grade and section",
    pa.DataFrameSchema(
        GRADE_KEY
        | SHARED_GRADE_COLUMNS
        | BENCHMARK_LINK
        | {
            "section_id": identity("The section of the rubric"),
            "section_name": label("The section's name"),
            "section_score": points("Points reached in the section; null when it was not applicable"),
            "max_section_score": points("Points that could be reached in the section"),
            "section_weight": column(
                Role.NUMBER, "Weight of the section where the rubric weighs sections, else null", unit="percent"
            ),
        },
        name="section_scores",
    ),
    replaced_by=("grade_key",),
    row_key=("grade_key", "section_id"),
    made_here=("grade_key",),
)

INDIVIDUAL_ANSWERS = Table(
    "individual_answers",
    "one row per live grade and question; several where a multi-select question has several answers",
    pa.DataFrameSchema(
        GRADE_KEY
        | SHARED_GRADE_COLUMNS
        | BENCHMARK_LINK
        | {
            "section_id": label("The section of the rubric"),
            "section_name": label("The section's name"),
            "question_id": identity("The question"),
            "question": free_text("The question's wording at the time"),
            "answer_label": label("The answer chosen"),
            "feedback_answer_label": label("The feedback option chosen below the answer"),
            "question_score": points("Points reached on the question; null when it was not applicable"),
            "max_question_score": points("Points that could be reached on the question"),
            "comment": free_text("The grader's comment on the question"),
        },
        name="individual_answers",
    ),
    replaced_by=("grade_key",),
    made_here=("grade_key",),
)

ANNOTATIONS = Table(
    "annotations",
    "one row per live grade and annotation",
    pa.DataFrameSchema(
        GRADE_KEY
        | AGENT_AND_RUBRIC
        | {
            "question_id": label("The question annotated"),
            "question": free_text("The question's wording at the time"),
            "section_id": label("The section of the rubric"),
            "section_name": label("The section's name"),
            "annotation_id": identity("The annotation"),
            "selected_text": free_text("The passage of the conversation that was marked"),
            "comment": free_text("What the grader wrote about it"),
            "date_graded": moment("When this version of the grade was made"),
            "grader": label("Who graded"),
            "grade_type": identity("`grading` for an ordinary grade, else a calibration or a grader-QA benchmark"),
            "ticket_created_at": moment("When the ticket was created"),
            "date_reported_as": moment("The moment a grade counts for in reports"),
            "source": label("The helpdesk the ticket came from"),
        },
        name="annotations",
    ),
    replaced_by=("grade_key",),
    row_key=("grade_key", "annotation_id"),
    made_here=("grade_key",),
)

CSAT = Table(
    "csat",
    "one row per ticket (source, gradable_id) with a survey",
    pa.DataFrameSchema(
        {
            "gradable_id": identity("The ticket, as the helpdesk names it"),
            "csat_score": column(Role.NUMBER, "The customer's satisfaction", unit="the survey's own scale"),
            "csat_comment": free_text("What the customer wrote"),
            "ticket_created_at": moment("When the ticket was created"),
            "source": label("The helpdesk the ticket came from"),
        },
        name="csat",
    ),
    replaced_by=("source", "gradable_id"),
    row_key=("source", "gradable_id"),
)

AGENT_GROUPS = Table(
    "agent_groups",
    "one row per group and agent in it",
    pa.DataFrameSchema(
        {
            "group_name": label("The group's name: a team"),
            "group_id": identity("The group"),
            "agent_name": label("The agent's name"),
            "agent_email": label("The agent's e-mail address"),
            "agent_ids": column(Role.ID_LIST, "All ids of this person, one for each helpdesk"),
            "available": column(Role.FLAG, "Whether the agent is marked available"),
        },
        name="agent_groups",
    ),
)

AUDIT_LOGS = Table(
    "audit_logs",
    "one row per activity, moment and description",
    pa.DataFrameSchema(
        {
            "activity_id": identity("The activity; not unique alone"),
            "time_stamp": column(Role.MOMENT, "When it happened", unit="UTC", is_identity=True),
            "user_email": label("Who did it"),
            "item_type": label("What kind of thing it was done to"),
            "action_type": label("What was done"),
            "description": column(Role.FREE_TEXT, "What was done, in words", is_identity=True),
            "ip_address": label("From where"),
        },
        name="audit_logs",
    ),
    replaced_by=("activity_id", "time_stamp", "description"),
    row_key=("activity_id", "time_stamp", "description"),
)

CREATED_AND_UPDATED = {
    "created_at": moment("When the record was created"),
    "updated_at": moment("When the record was last changed"),
}

COACHING_POINTS = Table(
    "coaching_points",
    "one row per coaching point",
    pa.DataFrameSchema(
        {"id": identity("The coaching point")}
        | CREATED_AND_UPDATED
        | {
            "agent_id": label("One of the coached person's ids"),
            "creator_id": label("The user who wrote it"),
            "criteria_id": label("The criterion of the rubric it is about"),
            "rubric_id": label("The rubric of the grade it is about"),
            "answer_id": label("The grade it is about; see the view grade_coaching_points"),
            "type": label("`opportunities`, `strengths` or `n/a`"),
            "classification": label("`qa` or `general`"),
            "coach_notes": free_text("What the coach wrote"),
            "coaching_session_ids": column(Role.ID_LIST, "The sessions in which it was talked about"),
            "text_content": free_text("Text of the conversation it is about"),
        },
        name="coaching_points",
    ),
    row_key=("id",),
)

COACHING_SESSIONS = Table(
    "coaching_sessions",
    "one row per coaching session",
    pa.DataFrameSchema(
        {"id": identity("The session"), "name": label("The session's name")}
        | CREATED_AND_UPDATED
        | {
            "agent_id": label("One of the coached person's ids"),
            "agent_name": label("The coached person"),
            "coach_id": label("The user who coaches"),
            "coach_name": label("Who coaches"),
            "creator_id": label("The user who created the session"),
            "agent_notes": free_text("The agent's notes"),
            "coach_notes": free_text("The coach's notes"),
            "coach_private_notes": free_text("The coach's notes that the agent does not see"),
            "session_contents": free_text("The contents of the session's overview"),
            "coaching_template_id": label("The template it was made from"),
            "meeting_format": label("`inPerson` and the like"),
            "agent_confirmed": column(Role.FLAG, "Whether the agent confirmed it"),
            "coach_confirmed": column(Role.FLAG, "Whether the coach confirmed it"),
        },
        name="coaching_sessions",
    ),
    row_key=("id",),
)

TODOS = Table(
    "todos",
    "one row per to-do",
    pa.DataFrameSchema(
        {"id": identity("The to-do"), "title": label("Its title")}
        | CREATED_AND_UPDATED
        | {
            "agent_id": label("One of the ids of the person who is to do it"),
            "creator_id": label("The user who set it"),
            "status": label("`incomplete`, `complete`"),
            "type": label("`general`, `guru`, ..."),
            "answer_id": label("The grade it is about; see the view grade_todos"),
            "coaching_session_ids": column(Role.ID_LIST, "The sessions it belongs to"),
            "description": free_text("What is to be done"),
        },
        name="todos",
    ),
    row_key=("id",),
)

AGENTS = Table(
    "agents",
    "one row per person, also of those who are in no group",
    pa.DataFrameSchema(
        {
            "person_id": identity("The person: the first of all their ids in order of text, or their e-mail address"),
            "agent_name": label("The person's name"),
            "agent_email": label("The person's e-mail address"),
            "available": column(Role.FLAG, "Whether any group marks the person available; null when in no group"),
        },
        name="agents",
    ),
    row_key=("person_id",),
    made_here=("person_id",),
)

AGENT_IDS = Table(
    "agent_ids",
    "one row per agent id that the groups, the grades or the coaching records use",
    pa.DataFrameSchema(
        {"agent_id": identity("An id of a person"), "person_id": identity("The person; see agents")},
        name="agent_ids",
    ),
    row_key=("agent_id",),
    made_here=("person_id",),
)

GRADE_HISTORY = Table(
    "grade_history",
    "one row per earlier version of a grade's total score whose content changed",
    pa.DataFrameSchema(
        dict(TOTAL_SCORES.schema.columns)
        | {
            "export_id": label("The export that brought this version"),
            "replaced_at": moment("When the newer version landed"),
            "replaced_by": label("The export that brought the newer version"),
        },
        name="grade_history",
    ),
    made_here=("grade_key", "export_id", "replaced_at", "replaced_by"),
)

GRADE_TABLES = (TOTAL_SCORES, SECTION_SCORES, INDIVIDUAL_ANSWERS, ANNOTATIONS)
RAW_TABLES = (*GRADE_TABLES, CSAT)
COACHING_TABLES = (COACHING_POINTS, COACHING_SESSIONS, TODOS)
TABLES = (*RAW_TABLES, AGENT_GROUPS, AUDIT_LOGS, *COACHING_TABLES, AGENTS, AGENT_IDS, GRADE_HISTORY)
TABLES_BY_NAME = {table.name: table for table in TABLES}

KINDS: dict[str, tuple[Table, ...]] = {
    "raw": RAW_TABLES,
    "groups": (AGENT_GROUPS,),
    "audit": (AUDIT_LOGS,),
    "coaching": COACHING_TABLES,
}
"""What `refresh --only` can name, and the tables that each kind delivers."""

DELETED_FLAG = "is_deleted"
"""A column of raw exports that is read and obeyed, and stored in no table."""
