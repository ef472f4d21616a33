"""The columns of each file, in the files' order, and what the text of each means."""

from __future__ import annotations

LABEL, TEXT, NUMBER, SECONDS, MOMENT, FLAG, IDS = "label", "text", "number", "seconds", "moment", "flag", "ids"
SCORE_OR_WORD = "score or word"

_AGENT_AND_RUBRIC = {
    "gradable_id": LABEL,
    "agent_id": LABEL,
    "agent_name": LABEL,
    "agent_email": LABEL,
    "rubric_id": LABEL,
    "rubric_name": LABEL,
}
_SHARED = {
    "date_graded": MOMENT,
    "grader": LABEL,
    "grade_type": LABEL,
    "ticket_created_at": MOMENT,
    "date_reported_as": MOMENT,
    "source": LABEL,
}
_BENCHMARK = {"alignment_score": NUMBER, "target_answer_id": LABEL, "original_grader": LABEL}

COLUMNS: dict[str, dict[str, str]] = {
    "total_scores": {
        **_AGENT_AND_RUBRIC,
        "rubric_score": NUMBER,
        "max_rubric_score": NUMBER,
        "comment": TEXT,
        "date_graded": MOMENT,
        "grader": LABEL,
        "grade_type": LABEL,
        "ticket_created_at": MOMENT,
        "date_first_started": MOMENT,
        "date_first_graded": MOMENT,
        "date_reported_as": MOMENT,
        "source": LABEL,
        "total_grading_time": SECONDS,
        **_BENCHMARK,
    },
    "section_scores": {
        **_AGENT_AND_RUBRIC,
        **_SHARED,
        **_BENCHMARK,
        "section_id": LABEL,
        "section_name": LABEL,
        "section_score": NUMBER,
        "max_section_score": NUMBER,
        "section_weight": NUMBER,
    },
    "individual_answers": {
        **_AGENT_AND_RUBRIC,
        **_SHARED,
        **_BENCHMARK,
        "section_id": LABEL,
        "section_name": LABEL,
        "question_id": LABEL,
        "question": TEXT,
        "answer_label": LABEL,
        "feedback_answer_label": LABEL,
        "question_score": NUMBER,
        "max_question_score": NUMBER,
        "comment": TEXT,
    },
    "annotations": {
        **_AGENT_AND_RUBRIC,
        "question_id": LABEL,
        "question": TEXT,
        "section_id": LABEL,
        "section_name": LABEL,
        "annotation_id": LABEL,
        "selected_text": TEXT,
        "comment": TEXT,
        **_SHARED,
    },
    "csat": {
        "gradable_id": LABEL,
        "csat_score": SCORE_OR_WORD,
        "csat_comment": TEXT,
        "ticket_created_at": MOMENT,
        "source": LABEL,
    },
    "agent_groups": {
        "group_name": LABEL,
        "group_id": LABEL,
        "agent_name": LABEL,
        "agent_email": LABEL,
        "agent_ids": IDS,
        "available": FLAG,
    },
    "audit_logs": {
        "activity_id": LABEL,
        "time_stamp": MOMENT,
        "user_email": LABEL,
        "item_type": LABEL,
        "action_type": LABEL,
        "description": TEXT,
        "ip_address": LABEL,
    },
}

SAME_IN_A_GRADE = {"section_scores": 15, "individual_answers": 15, "annotations": 6}
"""How many of the first columns are the same in all rows of a grade."""

RAW_FILES = ("total_scores", "section_scores", "individual_answers", "annotations", "csat")
GRADE_FILES = RAW_FILES[:4]
