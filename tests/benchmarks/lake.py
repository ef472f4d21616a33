"""Write answers into a lake month by month, then ask the same questions of DuckDB and of Spark.

    python -m tests.benchmarks.lake [--answers 20000000] [--months 24] [--folder FOLDER] [--no-spark]

Prints ratios, which hold on other machines; seconds do not. Needs the extra `spark` and Java for the last column.
The tables of questions with several answers, of sections and of covered time have no rows here, and Spark leaves them
out of its plans: with rows in them it takes longer. The figures are in the README of `maestro_analytics/lake`.

What paid on Spark, in processor time of the JVM at 4 million answers on busy cores:
- steps that are used more than once are kept: question_scores took 48 s by the clock before, 14 s after;
- only the columns that a step needs, and no filters that are not set: question_scores 46 and 33 s, agent_scores 8.8 and
  5.9 s, score_trend 6.1 and 4.9 s (load 10, the least of three answers);
- tables and steps without rows are left out of plans, and groups are looked up in one map: question_scores, second and
  third answer, 28 and 26 s before, 19 and 13 s after (load 5 to 8); agent_scores shows no gain.

What did not: four partitions after exchanges, no adaptive execution, the parallel collector; Java's first compiler
alone takes a quarter to two fifths less for small answers and a seventh more for question_scores. In a session that
has answered agent_scores and score_trend for minutes, they take 0.71 and 0.72 s (load 5 to 10, the least of six),
since Java has compiled Spark's planner by then; in half a minute each, 1.60 and 0.66 s (load 5). After minutes, in
processor time (0.84 and 1.18 s): steps over few rows computed up to three times instead of kept, 0.73 and 1.04 s, but
a tenth more for the queries of tests/lake; two partitions where few rows are read, 0.84 and 1.26 s; names after `with`
in one query rather than a view for each step, 0.88 and 1.13 s. Translating a query takes 13 ms, asking DuckDB for its
columns 17 ms.

Where a write of 4 million answers alone spends processor time: 3.1 s, with deltalake's writer 5.7 s (the least of ten
and of three, load 5; by the clock 2.4 and 3.0 s at load 2). Of those 3.1: looking for changes 0.6 (1.1 before, half of
it for a calendar of time zones), reading 0.6, Parquet 1.2 and more for the rest. A month that changed, without looking
for it: 0.3 s, before 0.5 s. What paid: one file a month from a query of that month, so that nothing divides rows (1.7
s of 4.8); no columns without a value (nine of 25 here: a third of reading, a sixth of writing); no statistics of texts
other than numbers of tickets (a quarter of writing); one batch is read while the one before it is written. 20 million
answers take 10.8 and 13.0 s by the clock (load 2 and 1) and 16 s of processor time (load 6): 8 s on two cores of which
none ever waits.

What did not: DuckDB's `copy` of each month, 4.1 s with any codec; polars, 4.7 s; ZSTD's level 3 takes as long as its
level 1 for files 8 % smaller, Snappy and LZ4 a tenth less for files 60 to 90 % larger; two files a month, by a thread
each, 3.3 s, and by the clock 2.5 and 2.6 s instead of 2.4 and 2.7 s (load 1 to 2).
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

from maestro_analytics.lake import Source, open_lake, write_lake
from maestro_analytics.warehouse import sql_files
from maestro_analytics.warehouse.state import create_all
from tests.benchmarks.table import row

QUESTIONS_OF_A_GRADE = 25
ONE_MONTH = """
create or replace temp table made as
select
    'chat|t' || (first + n) || '|AatxWWtXWKcfiN34E|a' || n % 5000 || '|grading' as grade_key,
    't' || (first + n) as gradable_id, 'a' || n % 5000 as agent_id,
    'AatxWWtXWKcfiN34E' as rubric_id, 'Chat' as rubric_name,
    'grader' || n % 80 as grader, 'grading' as grade_type, 'chat' as source,
    starts + to_microseconds(n * 2400000000000 // grades) as date_graded,
    100.0 as max_rubric_score, (hash(first + n) % 101)::double as rubric_score
from (select $first::bigint as first, $starts::timestamptz as starts, $grades::bigint as grades),
    range($grades) as r(n);
insert into total_scores by name select *, date_graded as date_reported_as from made;
insert into individual_answers by name
select
    made.* exclude (rubric_score, max_rubric_score), date_graded as date_reported_as,
    's' || q // 5 as section_id, 'q' || q as question_id, 'Was the customer helped, question ' || q || '?' as question,
    (hash(grade_key, q) % 5)::double as question_score, 4.0 as max_question_score,
    case when hash(grade_key, q) % 11 = 0 then 'A comment of ' || grader || ' on ' || gradable_id end as comment
from made, range($questions) as questions(q);
"""
QUESTIONS = {
    "question_scores (all answers, by question)": lambda ask: ask.query("question_scores"),
    "agent_scores (all grades, by person)": lambda ask: ask.query("agent_scores"),
    "score_trend (all grades, by week)": lambda ask: ask.query("score_trend"),
    "one month of answers": lambda ask: ask.sql(
        "select question_id, avg(question_score) from individual_answers "
        "where date_graded >= timestamptz '2024-02-01T00:00:00Z' and date_graded < timestamptz '2024-03-01T00:00:00Z' "
        "group by question_id"
    ),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--answers", type=int, default=20_000_000)
    parser.add_argument("--months", type=int, default=24)
    parser.add_argument("--folder", type=Path, help="Keep what is made here, instead of in a folder that goes again.")
    parser.add_argument("--no-spark", action="store_true", help="only write")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="lake-benchmark-") as temporary:
        folder = given.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        connection = duckdb.connect(folder / "benchmark.duckdb")
        connection.execute(
            "set TimeZone = 'UTC'; set enable_progress_bar = false; set preserve_insertion_order = false"
        )
        create_all(connection)
        write_month_by_month(connection, folder / "lake", given.answers, given.months)
        if not given.no_spark:
            ask_both(connection, folder / "lake")
        connection.close()


def write_month_by_month(connection: duckdb.DuckDBPyConnection, lake: Path, answers: int, months: int) -> None:
    """Add a month and write, again and again: what a month costs must not grow with the months before it."""
    grades = answers // QUESTIONS_OF_A_GRADE // months
    connection.execute("insert into agent_ids select 'a' || i, 'a' || i from range(5000) as r(i)")
    connection.execute("insert into agents (person_id) select 'a' || i from range(5000) as r(i)")
    writing, finding = [], []
    for month in range(months):
        values = {
            "first": month * grades,
            "starts": datetime(2024 + month // 12, month % 12 + 1, 1, tzinfo=UTC),
            "grades": grades,
            "questions": QUESTIONS_OF_A_GRADE,
        }
        for statement in ONE_MONTH.strip().rstrip(";").split(";"):
            connection.execute(statement, {name: value for name, value in values.items() if f"${name}" in statement})
        source = Source(connection, origin="benchmark", refreshed_at=f"{month:03d}")
        took, written = timed(lambda source=source: write_lake(source, lake, account="benchmark"))
        assert written.parts_written == (2 if month else 4), written
        found, unchanged = timed(lambda source=source: write_lake(source, lake, account="benchmark"))
        assert unchanged.parts_written == 0
        writing.append(took - found)
        finding.append(found / (month + 1))
    size = sum(file.stat().st_size for file in lake.rglob("*.parquet"))
    rows = grades * QUESTIONS_OF_A_GRADE * months
    print(f"{rows:,} answers in {months} months, {size / 1e6:,.0f} MB of Parquet, {size / rows:.1f} bytes an answer")
    for what, seconds in (("writing a month that changed", writing), ("looking at a month for changes", finding)):
        early, late = sum(seconds[1:5]) / 4, sum(seconds[-4:]) / 4
        print(f"{what}: {late:.3f} s with {months} months, {early:.3f} s with the first, ratio {late / early:.2f}")
    took, _ = timed(lambda: write_lake(source, lake.with_name("at-once"), account="benchmark"))
    print(f"all at once: {took:.1f} s, {rows / took / 1000:,.0f} thousand answers a second")
    row(
        f"lake write, {rows / 1e6:.0f} million answers at once; a month that changed",
        f"{took:.1f} s; {sum(writing[-4:]) / 4:.2f} s",
    )


def ask_both(connection: duckdb.DuckDBPyConnection, lake: Path) -> None:
    """The same questions to the database, to DuckDB over the Parquet, and to a Spark of this machine."""
    for name in sql_files.in_dependency_order(sql_files.texts("views")):
        connection.execute(f"create or replace view {name} as {sql_files.texts('views')[name]}")
    with open_lake(lake) as parquet, open_lake(lake, spark=True) as spark:
        print(f"{'question':45} {'database':>9} {'lake':>9} {'spark':>9}  lake/database  spark/lake")
        for name, question in QUESTIONS.items():
            for answering in (parquet, spark):
                question(answering)  # the first answer pays for classes, plans and the file cache
            database, _ = timed(lambda question=question: question(Database(connection)))
            on_duckdb, left = timed(lambda question=question: question(parquet))
            on_spark, right = timed(lambda question=question: question(spark))
            least = [least_of(lambda question=question, each=each: question(each)) for each in (parquet, spark)]
            assert left.height == right.height
            print(
                f"{name:45} {database:8.2f}s {on_duckdb:8.2f}s {on_spark:8.2f}s  "
                f"{on_duckdb / database:13.1f}  {on_spark / on_duckdb:10.1f}",
                flush=True,
            )
            for which, its_spark, its_duckdb in (("second answer", on_spark, on_duckdb), ("least", least[1], least[0])):
                row(
                    f"Spark: {name}, {which}",
                    f"{its_spark:.2f} s",
                    f"DuckDB: {its_duckdb:.2f} s",
                    f"{its_spark / its_duckdb:.1f} (12)",
                )


class Database:
    """The database itself, asked as a lake is."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection

    def sql(self, query: str) -> Any:
        return self._connection.sql(query).pl()

    def query(self, name: str) -> Any:
        return self.sql(sql_files.query(name))


def least_of(work: Callable[[], Any]) -> float:
    """The least time of the answers of half a minute, in which Java compiles what the first ones ran."""
    ends = time.perf_counter() + 30
    times = [timed(work)[0]]
    while time.perf_counter() < ends:
        times.append(timed(work)[0])
    return min(times)


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    started = time.perf_counter()
    result = work()
    return time.perf_counter() - started, result


if __name__ == "__main__":
    main()
