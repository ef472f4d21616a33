"""Ask every answer of a large contact centre, and compare its time with that of the SQL it rests on.

    python -m tests.benchmarks.answers [--grades 2000000] [--questions 10] [--folder FOLDER]

Prints ratios, which hold on other machines; seconds do not. The aim: no answer takes more than twice its bare SQL, and
the report less than 10 seconds on 2 million grades with 20 million answers. Each answer is asked twice and the second
counts: the first pays for imports.

Measured on 2 quiet cores, by the clock, in brackets in an earlier sitting on cores a fifth slower: coaching_effect 2.8
times its SQL (2.4), control_chart 2.3 (2.1), generalizability 2.3 (2.0), agent_scores 2.2 (2.0), the others less. The
report's tables take 10.6 s (9.5), 7.0 of them SQL (7.3), its pictures 2.7 s (3.8) beside them, and the command 11.6 s
(12.9).

What paid: cells are sorted once and in place, and spreads of agents are looked at only where they are likely (the own
processor time of agent_scores fell from 1.6 to 1.9 s to 1.0 to 1.1 s); products of matrices on one thread (two wait for
each other where the cores are busy: 5.4 instead of 1.7 times the SQL).

Processor seconds of the queries of the report, before and after multi-select questions had a table and grades that are
compared had numbers, on busy cores (load 8 to 11), where they count higher: question_scores 7.7 and 3.7, benchmarks 3.9
and 2.0, paired_answers 3.6 and 1.7, calibration_scores 2.6 and 1.6, paired_scores 1.8 and 1.0. The command
`report all --format html`, asked in turn at load 5 to 11: 63 and 52 s, then 59 and 51 s.

What paid next, in processor seconds at load 5 to 8: calibrations by grader ask for no questions (calibration_scores 1.5
and 0.1), grading_coverage reads the weeks that score_trend asks for (2.6 and 0.1), coaching_effect the cells that
graders and agents are compared by (a query of 1.7 s less in the report), and texts of pictures are measured with a font
in memory (six pictures 1.0 and 0.36, the page 7.6 and 5.9). The tables, one at a time: 30.5 s, 21.0 of them SQL, and
23.8 s, 15.0 of them SQL. The command, in turn with that of before, at load 5 to 9: 48, 59 and 47 s before; 47, 47, 48,
40 and 40 s after. Tables asked one after the other and three at a time take the same (40 s each).

What paid after that, in processor seconds (user and system) of both versions in turn at load 5 to 10: a query of grades
looks for incomplete exports only where it asks for `is_whole`, for people only where an agent or a team is chosen, and
for a time zone only where it is not UTC. grader_cells 1.35 and 1.0, adjusted_trend 1.15 and 0.55, ticket_repeats 0.95
and 0.6 (DuckDB no longer materializes its grades), score_counts 0.55 and 0.4, agent_scores 0.45 and 0.25,
paired_answers 1.55 and 1.4, paired_scores 0.7 and 0.6; low_grades (1.0), benchmarks (1.8) and question_scores (3.0)
about the same. SQL of the report 13.3 and 11.6. Pictures that are not held against altair's schema while they are
built, nor copied for their size: the page 3.2 and 2.9.

What paid last, in processor seconds of both versions in turn at load 5 to 12, beside the SQL: coaching_effect 1.45 and
0.8, coaching_timeline 0.6 and 0.4 (sums by person and day without copies of two million cells; a matrix times itself;
and where nobody had an auto-fail, or nobody was new, what leaves them out is not matched again: in this centre both, in
another centre perhaps neither, and then 1.2 s are left); three answers about low grades 0.9 and 0.7 (without the
columns that they do not read); `overall` asks for no cells of the newest period (0.13). The command, in turn: 32.9,
29.6 and 29.4 s before, 32.7, 26.9 and 28.6 s after, of which the kernel's 6.0 and 5.1; 2.6 and 2.2 GB of memory.

What is left of 24 s with one answer at a time: SQL 10.4 (question_scores 2.8, benchmarks 1.6, paired_answers 1.3,
grader_cells 1.0, low_grades 0.9), other work on the tables 6.5, the page 4 (vl-convert 1.7, of which 0.5 to start it;
charts and tables about 1 each), imports 1.6. A fifth of all is the kernel's, most of it for memory that is touched for
the first time, about half of that in arrays of numpy. The SQL keeps both cores busy. So 8 s by the clock, 16 s on two
cores, would take a third less work, not a better order of it.

coaching_effect: half of what it takes beside its SQL is the jackknife of its intervals, which matches again without
each group of agents. A ratio of 2 is out of reach without a coarser method.

Not built: a row for each grade in the place of grader_cells, which are nearly as many (1,997,592 of 2 million). It
takes 0.2 instead of 0.8 s, and every answer about graders and agents would be quicker by the rest; but their ratio to
the SQL would be worse, and cells would have to be made in Python.

What did not pay last: queries of one thread each, two or three of them at once on cursors of their own (22 to 29 s for
the report, 24 before; one thread takes a tenth less for most queries, but not the report); DuckDB's
`preserve_insertion_order`, `allocator_background_threads` and `allocator_flush_threshold` (no difference); numpy's
memory kept in one arena of malloc (0.6 of 28, by three variables of the environment); questions, sections, rubrics and
agents of the tally as numbers, each found by a join of its own (2.2 instead of 2.1); cells as numbers of 32 bits (0.78
instead of 0.82); tickets counted first without the person (0.36 instead of 0.5, for a longer query); convolutions of
control_chart by a few agents at a time, or with their spectra kept (0.03 of 0.28); pictures without tooltips and
columns that they do not show (0.1 of 1.6); a page without the garbage collector (0.1 of 3.2).

What did not pay before, in processor seconds: pairs of person and ticket found by their hash first (0.55 instead of
0.59); benchmarks that bring answers together only for multi-select questions (0.2 of 1.6, for a longer query); answers
chosen by ticket or date before they are joined by grade (0.6 instead of 0.45); memory that numpy keeps (0.8 of 20, by a
setting of malloc); tables of the page made column by column (0.1 of 0.3); sums of rubrics by numpy in coaching_effect
(0.1).

What did not pay for question_scores: numbers for questions by a join on their three ids (3.6 instead of 2.9 s for the
tally; again 2.7 to 3.5 instead of 2.45), dates that are compared only where `since` or `until` is set (no difference),
and sums in the place of the tally (2.4 and 2.2 s: the number of groups counts, not what is added up). What did not pay
elsewhere: comparing agents with those left out and not with those chosen, to spare a look-up where no filter is set (a
tenth at most; with a team question_scores took 0.9 instead of 0.6 s); days without `date_trunc` (no difference);
repeats of tickets without joining source and ticket to one text (0.2 of 1.0 s, for a longer query).
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

from maestro_analytics import analysis
from maestro_analytics.analysis import charts as charts
from maestro_analytics.analysis import report
from maestro_analytics.tables.schemas import TABLES
from maestro_analytics.warehouse import Store, sql_files
from maestro_analytics.warehouse import open as open_store
from maestro_analytics.warehouse.state import create_all
from tests.benchmarks.table import row

AGENTS, GRADERS, DAYS = 5000, 150, 365
CENTRE = """
create or replace macro chance(a, b) as (hash(a, b) % 1000000) / 1000000.0;
create temp table made as
select
    n, 't' || n as gradable_id, 'a' || n % $agents as agent_id, 'Agent ' || n % $agents as agent_name,
    'a' || n % $agents || '@example.com' as agent_email,
    'rubric_' || n % 3 || '_12345678' as rubric_id, 'Rubric ' || n % 3 as rubric_name,
    'grader' || (hash(n, 1) % $graders) as grader, 'grading' as grade_type, 'chat' as source,
    timestamptz '2025-01-01T00:00:00Z' + to_seconds((chance(n, 2) * $days * 86400)::bigint) as date_graded,
    round(least(100, 70 + 20 * chance(n % $agents, 3) + 25 * (chance(n, 4) - 0.3) + 6 * chance(hash(n,
        1) % $graders, 5)), 1)
        as rubric_score
from range($grades) as r(n);
insert into made
select
    n, gradable_id, agent_id, agent_name, agent_email, rubric_id, rubric_name, 'grader' || (hash(n, 6) % $graders),
    'calibration', source, date_graded + interval 2 days, greatest(0, least(100, rubric_score + 12 * (chance(n,
        7) - 0.5)))
from made where n % 50 = 0;
create temp table keyed as
select
    made.* exclude (n), date_graded as date_reported_as, 100.0 as max_rubric_score, 300 + 600 * chance(n, 8)
        as total_grading_time,
    'chat|' || gradable_id || '|' || rubric_id || '|' || agent_id || '|' || grade_type
        || case when grade_type = 'grading' then '' else '|' || grader end as grade_key,
    case when grade_type <> 'grading' then 'account_' || gradable_id || '_' || rubric_id || '_' || agent_id ||
        '_GRADER_grading'
        end as target_answer_id
from made;
insert into total_scores by name select * from keyed;
insert into section_scores by name
select
    keyed.* exclude (rubric_score, max_rubric_score, total_grading_time), rubric_id || s as section_id,
        'Section ' || s as section_name,
    rubric_score / 5 as section_score, 20.0 as max_section_score
from keyed, range(5) as sections(s);
insert into individual_answers by name
select
    keyed.* exclude (rubric_score, max_rubric_score, total_grading_time), rubric_id || q % 5 as section_id,
    rubric_id || '_question_' || q as question_id, 'Was the customer helped, question ' || q || '?' as question,
    case when chance(grade_key, q) < rubric_score / 100 then 'Yes' else 'No' end as answer_label,
    case when chance(grade_key, q) < rubric_score / 100 then 10.0 else 0.0 end as question_score, 10.0
        as max_question_score
from keyed, range($questions) as questions(q);
insert into csat by name
select gradable_id, source, 1 + floor(rubric_score / 25 + chance(gradable_id, 9)) as csat_score
from keyed where grade_type = 'grading' and hash(gradable_id) % 10 = 0;
insert into agents by name select distinct agent_id as person_id, agent_name, agent_email from keyed;
insert into agent_ids by name select person_id as agent_id, person_id from agents;
insert into agent_groups by name
select 'Team ' || hash(person_id) % 60 as group_name, 'g' || hash(person_id) % 60 as group_id, [person_id]
    as agent_ids, true as available
from agents;
insert into coaching_sessions by name
select 's' || person_id as id, person_id as agent_id,
    timestamptz '2025-03-01T00:00:00Z' + to_seconds((chance(person_id, 10) * 250 * 86400)::bigint) as created_at
from agents;
insert into coaching_points by name
select 'p' || gradable_id as id, agent_id, rubric_id, date_graded + to_hours((1 + hash(gradable_id) % 400)::int)
    as created_at,
    'account_' || gradable_id || '_' || rubric_id || '_' || agent_id || '_GRADER_grading' as answer_id
from keyed where grade_type = 'grading' and rubric_score < 75 and hash(gradable_id) % 4 = 0;
insert into todos by name
select 'd' || gradable_id as id, agent_id, 'coach' || hash(agent_id) % 40 as creator_id, date_graded as created_at,
    date_graded + interval 5 days as updated_at,
        case when hash(gradable_id) % 3 = 0 then 'incomplete' else 'complete' end as status
from keyed where grade_type = 'grading' and hash(gradable_id) % 40 = 0;
"""
ANSWERS = [name for name in analysis.__all__ if name[0].islower() and name not in ("charts", "report")]


class Watched:
    """A store that knows how long its queries took."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.seconds = 0.0

    def query(self, name: str, /, **variables: Any) -> pl.DataFrame:
        started = time.perf_counter()
        frame = self.store.query(name, **variables)
        self.seconds += time.perf_counter() - started
        return frame


def make(path: Path, *, grades: int, questions: int) -> None:
    connection = duckdb.connect(str(path))
    try:
        connection.execute(
            "set TimeZone = 'UTC'; set enable_progress_bar = false; set preserve_insertion_order = false"
        )
        for table in TABLES:
            connection.execute(table.ddl())
        create_all(connection)
        given = {"agents": AGENTS, "graders": GRADERS, "days": DAYS, "grades": grades, "questions": questions}
        for statement in CENTRE.split(";\n"):
            text = statement
            for name, value in given.items():
                text = text.replace(f"${name}", str(value))
            if text.strip():
                connection.execute(text)
        sql_files.create_views(connection)
    finally:
        connection.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--grades", type=int, default=2_000_000)
    parser.add_argument("--questions", type=int, default=10)
    parser.add_argument("--folder", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        path = (given.folder or Path(scratch)) / "maestro.duckdb"
        if not path.exists():
            make(path, grades=given.grades, questions=given.questions)
        with open_store(path) as store:
            analysis.rubric_scores(store)
            print(f"{'answer':24} {'all':>8} {'SQL':>8} {'ratio':>6}")
            for name in ANSWERS:
                getattr(analysis, name)(store)
                watched = Watched(store)
                started = time.perf_counter()
                rows = getattr(analysis, name)(watched).height
                seconds = time.perf_counter() - started
                print(
                    f"{name:24} {seconds:7.2f}s {watched.seconds:7.2f}s {seconds / watched.seconds:6.2f}   {rows} rows"
                )
            watched = Watched(store)
            started = time.perf_counter()
            parts = report.sections(watched)
            seconds = time.perf_counter() - started
            print(f"{'report, all tables':24} {seconds:7.2f}s {watched.seconds:7.2f}s {seconds / watched.seconds:6.2f}")
            started = time.perf_counter()
            page = report.page(parts)
            print(f"{'its pictures alone':24} {time.perf_counter() - started:7.2f}s {'':16}  {len(page) // 1000} kB")
        words = ("report", "all", "--format", "html", "--output", str(Path(scratch) / "report.html"))
        started = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "maestro_analytics", *words],
            env={**os.environ, "MAESTRO_DATA": str(path.parent)},
            stderr=subprocess.DEVNULL,
            check=True,
        )
        took = time.perf_counter() - started
        print(f"{'the command':24} {took:7.2f}s")
        size = f"{given.grades / 1e6:.0f} million grades, {given.grades * given.questions / 1e6:.0f} million answers"
        row(
            f"report all --format html, {size}",
            f"{took:.1f} s",
            f"tables {seconds:.1f} s, SQL {watched.seconds:.1f} s",
            "8 s",
        )


if __name__ == "__main__":
    main()
