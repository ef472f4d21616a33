"""The questions that can have several answers: the table `multi_select_questions`.

A multi-select question has a row of individual_answers for each answer chosen, and whoever counts answers has to bring
those together. A group for every grade and question of the table finds such questions, and takes 10 s of processor
time on 20 million answers. So each landing adds those of the rows that it brings, in its transaction, and nothing ever
removes one: a question stays a multi-select question when the last grade for which two answers were chosen is deleted.
A query that brings together the answers of a question that has one for each grade is right as well.

Most landings bring no such question. Whether two rows share grade and question is known when the files are read; only
then does the statement run, which takes 0.4 s of processor time and 130 MiB for 2 million rows.
"""

from __future__ import annotations

import duckdb

DEFINITION = """
select distinct rubric_id, question_id
from (
    select rubric_id, question_id
    from individual_answers
    group by grade_key, rubric_id, question_id
    having count(*) > 1
) as repeated
"""
"""The questions with several answers to a live grade, for a database that lacks the table."""

_ADD = """
insert into multi_select_questions
with answers as (
    select grade_key, rubric_id, question_id from {rows}
),
suspects as (
    select hash(grade_key, question_id) as pair from answers group by pair having count(*) > 1
),
repeated as (
    select rubric_id, question_id
    from answers
    where hash(grade_key, question_id) in (select pair from suspects)
    group by grade_key, rubric_id, question_id
    having count(*) > 1
)
select distinct rubric_id, question_id
from repeated
anti join multi_select_questions using (rubric_id, question_id)
"""
"""Numbers are grouped in a third of the time of texts, and few repeat."""


def add_multi_select_questions(connection: duckdb.DuckDBPyConnection, rows: str = "main.individual_answers") -> None:
    """Add the questions that have several of these answers to one grade.

    Args:
        rows: a table expression; of each grade all rows or none.
    """
    connection.execute(_ADD.format(rows=rows))
