"""The tables of the coaching records, which come as JSON through list pages and not as files."""

from __future__ import annotations

import pandera.polars as pa

from maestro_analytics.tables.columns import Role, Table, column, free_text, identity, label, moment

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

COACHING_TABLES = (COACHING_POINTS, COACHING_SESSIONS, TODOS)
