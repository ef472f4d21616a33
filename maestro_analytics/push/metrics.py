"""The metrics that can be pushed back, each declared once.

To add one, declare a `Metric` below: a column of a query in `sql/queries` that gives one row per person and period,
or a function of such rows. Both give, for each person and period, the value (null where there is none) and the moment
of the newest record counted.

Light on purpose: `push agent-metrics --help` lists this without loading polars or DuckDB.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from maestro_analytics.errors import InvalidArgument, UnknownName

if TYPE_CHECKING:
    import polars as pl

PERIODS = ("week", "month", "all")


class Rows(Protocol):
    """The rows of a query of `sql/queries`, for the period and range of time that a push is about, or for all time."""

    def __call__(self, query: str, *, all_time: bool = False) -> pl.DataFrame: ...


Compute = Callable[[Rows], "pl.DataFrame"]
"""Gives `person_id`, `period_start` (null over all), `newest` and `metric_value`, one row per person and period."""


@dataclass(frozen=True)
class Metric:
    """One metric of a person: its `metric_id` at the vendor, what it counts, and how it is computed.

    Attributes:
        counts_grades: whether it is computed from grades, which are complete for covered time only.
    """

    name: str
    unit: str
    description: str
    compute: Compute
    counts_grades: bool = True


def column(query: str, name: str, *, newest: str) -> Compute:
    """A computation that takes its value from a column of a query."""

    def compute(rows: Rows) -> pl.DataFrame:
        return rows(query).select("person_id", "period_start", newest=newest, metric_value=name)

    return compute


def shrunk_scores(rows: Rows) -> pl.DataFrame:
    """Mean scores drawn towards the mean of everybody in the same period, by the lab's own shrinkage."""
    import polars as pl

    from maestro_analytics.analysis.statistics.shrinkage import shrink

    def of_period(people: pl.DataFrame) -> pl.DataFrame:
        drawn = shrink(
            people["scored_grades"].to_numpy(),
            people["qa_score"].to_numpy(),
            people["qa_score_sd"].fill_null(0.0).to_numpy(),
        )
        return people.with_columns(metric_value=pl.Series(drawn.mean, dtype=pl.Float64))

    scored = rows("metrics_of_grades").filter(pl.col("scored_grades") > 0).rename({"newest_scored_grade": "newest"})
    # In a fixed order, since a sum of floats depends on it.
    periods = scored.sort("person_id").partition_by("period_start", maintain_order=True)
    nobody = scored.clear().with_columns(metric_value=pl.lit(None, pl.Float64))
    return pl.concat([nobody, *(of_period(people) for people in periods)]).select(
        "person_id", "period_start", "newest", "metric_value"
    )


def median_time_to_coach(rows: Rows) -> pl.DataFrame:
    """Kaplan-Meier medians of the time from a low grade to its first coaching point."""
    import polars as pl

    from maestro_analytics.analysis.statistics.survival import kaplan_meier, medians

    person = ["person_id", "period_start"]
    placed = rows("metrics_grade_periods").select("grade_key", *person, "counts_for")
    low = rows("low_grades", all_time=True).select("grade_key", "days", "coached").join(placed, on="grade_key")
    newest = low.group_by(person).agg(newest=pl.col("counts_for").max())
    found = medians(kaplan_meier(low, "coached", by=person), by=person).select(*person, metric_value="median")
    return newest.join(found, on=person, how="left", nulls_equal=True)


METRICS: tuple[Metric, ...] = (
    Metric(
        "qa_score",
        "percent",
        "mean score_percent of the person's live ordinary grades; grades without a score are left out",
        column("metrics_of_grades", "qa_score", newest="newest_scored_grade"),
    ),
    Metric(
        "qa_score_shrunk",
        "percent",
        "qa_score drawn towards the mean of everybody, the more the fewer grades it rests on",
        shrunk_scores,
    ),
    Metric(
        "qa_pass_rate",
        "share, 0 to 1",
        "share of the scored grades at or above 80 percent",
        column("metrics_of_grades", "qa_pass_rate", newest="newest_scored_grade"),
    ),
    Metric(
        "qa_grades",
        "grades",
        "number of live ordinary grades, those without a score too",
        column("metrics_of_grades", "qa_grades", newest="newest_grade"),
    ),
    Metric(
        "points_lost_share",
        "share, 0 to 1",
        "points lost of all points that the scored grades could reach; below 0 where bonus points outweigh",
        column("metrics_of_grades", "points_lost_share", newest="newest_scored_grade"),
    ),
    Metric(
        "open_todos",
        "to-dos",
        "to-dos set in the period that are not complete",
        column("metrics_of_todos", "open_todos", newest="newest_todo"),
        counts_grades=False,
    ),
    Metric(
        "todo_completion_rate",
        "share, 0 to 1",
        "complete to-dos of all that were set in the period",
        column("metrics_of_todos", "todo_completion_rate", newest="newest_todo"),
        counts_grades=False,
    ),
    Metric(
        "time_to_coach_days",
        "days",
        "median time from a grade below 80 percent to the first coaching point about it (Kaplan-Meier: grades not "
        "coached yet count as waiting); none while fewer than half are coached",
        median_time_to_coach,
    ),
)

METRICS_BY_NAME = {metric.name: metric for metric in METRICS}


def metrics_named(names: Iterable[str]) -> tuple[Metric, ...]:
    """The metrics of these names, each once, in the order asked for.

    Raises:
        UnknownName: no metric is called so.
        InvalidArgument: no name at all.
    """
    wanted = tuple(dict.fromkeys(names))
    if not wanted:
        raise InvalidArgument(f"name at least one metric: {', '.join(METRICS_BY_NAME)}")
    for name in wanted:
        if name not in METRICS_BY_NAME:
            raise UnknownName(kind="metric", name=name, known=METRICS_BY_NAME)
    return tuple(METRICS_BY_NAME[name] for name in wanted)
