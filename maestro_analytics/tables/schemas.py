"""Every table of the warehouse, declared once.

A pandera schema is the only place where a column is named: the DuckDB tables, the data dictionary
(`sql/README.md`), the column help of the notebooks and the checks of the reader are made from it.
"""

from __future__ import annotations

import pandera.polars as pa

from maestro_analytics.kinds import EXPORT_KINDS, TABLES_OF
from maestro_analytics.tables.columns import DTYPES as DTYPES
from maestro_analytics.tables.columns import DUCKDB_TYPES as DUCKDB_TYPES
from maestro_analytics.tables.columns import UTC_MOMENT as UTC_MOMENT
from maestro_analytics.tables.columns import Role, Table, column, free_text, identity, label, moment, points

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
GRADED = {
    "date_graded": moment("When this version of the grade was made"),
    "grader": label("Who graded"),
    "grade_type": identity(
        "`grading`, or a calibration (`calibration_review`, its agreed reference `calibration_final`) or a benchmark"
    ),
    "ticket_created_at": moment("When the ticket was created"),
}
REPORTED = {
    "date_reported_as": moment("The moment a grade counts for in reports: the time axis of every analysis"),
    "source": label("The helpdesk the ticket came from"),
}
SHARED_GRADE_COLUMNS = AGENT_AND_RUBRIC | GRADED | REPORTED
HISTORY_COLUMNS = {
    "export_id": label("The export that brought this version"),
    "replaced_at": moment("When the newer version landed"),
    "replaced_by": label("The export that brought the newer version"),
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
        }
        | GRADED
        | {
            "date_first_started": moment("When grading was first started"),
            "date_first_graded": moment("When the first version of the grade was made"),
        }
        | REPORTED
        | {
            "total_grading_time": column(Role.SECONDS, "Time spent grading", unit="seconds"),
        }
        | BENCHMARK_LINK,
        name="total_scores",
    ),
    replaced_by=("grade_key",),
    row_key=("grade_key",),
    newest_by="date_graded",
    made_here=("grade_key",),
    reserved=(*HISTORY_COLUMNS, "person_id", "score_percent", "csat_score", "is_whole", "is_covered"),
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
    newest_by="date_graded",
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
    repeats_by=("grade_key", "question_id", "answer_label"),
    several_by=("grade_key", "question_id"),
    made_here=("grade_key",),
)

ANNOTATIONS = Table(
    "annotations",
    "one row per live grade and annotation, and question where one is about several",
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
        }
        | GRADED
        | REPORTED,
        name="annotations",
    ),
    replaced_by=("grade_key",),
    row_key=("grade_key", "annotation_id", "question_id"),
    newest_by="date_graded",
    made_here=("grade_key",),
)

CSAT = Table(
    "csat",
    "one row per ticket (source, gradable_id) with a survey",
    pa.DataFrameSchema(
        {
            "gradable_id": identity("The ticket, as the helpdesk names it"),
            "csat_score": column(Role.NUMBER, "The customer's satisfaction", unit="the survey's own scale"),
            "csat_rating": label("The file's word where the score is not a number: `good`, `bad`, `Offered`"),
            "csat_comment": free_text("What the customer wrote"),
            "ticket_created_at": moment("When the ticket was created"),
            "source": label("The helpdesk the ticket came from"),
        },
        name="csat",
    ),
    replaced_by=("source", "gradable_id"),
    row_key=("source", "gradable_id"),
    made_here=("csat_rating",),
    filled_first=("csat_score", "csat_rating"),
    words_to={"csat_score": "csat_rating"},
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
    one_of=("agent_ids", "agent_email"),
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
            "type": label("`opportunities`, `strengths`, `n/a`; also `opportunity`, `strength`"),
            "classification": label("`qa`, `general`, `csat`, `productivity`"),
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
            "meeting_date": moment("When it was held; null where the vendor gives no date"),
            "agent_confirmed": column(Role.FLAG, "Whether the agent confirmed it"),
            "agent_confirmed_date": moment("When the agent confirmed it"),
            "coach_confirmed": column(Role.FLAG, "Whether the coach confirmed it"),
            "coach_confirmed_date": moment("When the coach confirmed it"),
            "shared_with_agent": column(Role.FLAG, "Whether the agent sees it"),
            "is_deleted": column(Role.FLAG, "Whether it was deleted; such a session counts nowhere"),
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
        dict(TOTAL_SCORES.schema.columns) | HISTORY_COLUMNS,
        name="grade_history",
    ),
    made_here=("grade_key", *HISTORY_COLUMNS),
)

INCOMPLETE_GRADES = Table(
    "incomplete_grades",
    "one row per live grade and table whose rows are of an earlier export than its total score, or missing",
    pa.DataFrameSchema(
        {
            "grade_key": identity("The grade"),
            "table_name": identity("The table that lacks rows"),
        },
        name="incomplete_grades",
    ),
    row_key=("grade_key", "table_name"),
    made_here=("grade_key", "table_name"),
)

COVERED_TIME = Table(
    "covered_time",
    "one row per period of which all raw exports have landed; a copy of state.coverage",
    pa.DataFrameSchema(
        {"window_start": moment("The first moment covered"), "window_end": moment("The first moment not covered")},
        name="covered_time",
    ),
    made_here=("window_start", "window_end"),
)

MULTI_SELECT_QUESTIONS = Table(
    "multi_select_questions",
    "one row per question of which a grade has, or had before, several rows of individual_answers",
    pa.DataFrameSchema(
        {"rubric_id": identity("The rubric"), "question_id": identity("The question")},
        name="multi_select_questions",
    ),
    row_key=("rubric_id", "question_id"),
    made_here=("rubric_id", "question_id"),
)

GRADE_TABLES = (TOTAL_SCORES, SECTION_SCORES, INDIVIDUAL_ANSWERS, ANNOTATIONS)
RAW_TABLES = (*GRADE_TABLES, CSAT)
EXPORT_TABLES = tuple(
    table
    for table in list(globals().values())
    if isinstance(table, Table) and any(table.name in kind.tables for kind in EXPORT_KINDS.values())
)

COACHING_TABLES = (COACHING_POINTS, COACHING_SESSIONS, TODOS)

DERIVED_TABLES = (AGENTS, AGENT_IDS, GRADE_HISTORY, INCOMPLETE_GRADES, COVERED_TIME, MULTI_SELECT_QUESTIONS)
TABLES = (*EXPORT_TABLES, *COACHING_TABLES, *DERIVED_TABLES)
TABLES_BY_NAME = {table.name: table for table in TABLES}

KINDS = {kind: tuple(TABLES_BY_NAME[name] for name in names) for kind, names in TABLES_OF.items()}
"""What `refresh --only` can name -> the tables that each kind fills."""

DELETED_FLAG = "is_deleted"
"""A column of raw exports that says which grades were deleted; it is not stored."""

DELETED_FLAG_SPELLINGS = ("isdeleted", "deleted")
"""Spellings of that column, in lower case without spaces, hyphens and underscores."""
