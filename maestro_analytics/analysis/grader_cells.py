"""Grades summed over equal grader, person, rubric and month: what graders and agents are compared from."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import polars as pl

from maestro_analytics.analysis.filters import Choice, Store
from maestro_analytics.analysis.statistics import day_clusters, mixed
from maestro_analytics.analysis.statistics.codes import Codes, renumbered
from maestro_analytics.analysis.statistics.intervals import Floats
from maestro_analytics.analysis.summaries import nullable

EFFECTS: dict[str, type[pl.DataType]] = {
    "shrunk": pl.Float64,
    "shrunk_lo": pl.Float64,
    "shrunk_hi": pl.Float64,
    "error": pl.Float64,
    "adjusted": pl.Float64,
    "adjusted_lo": pl.Float64,
    "adjusted_hi": pl.Float64,
    "above": pl.Float64,
    "kept": pl.Float64,
    "rank_lo": pl.Float64,
    "rank_hi": pl.Float64,
    "ahead_of_next": pl.Float64,
    "component": pl.Int64,
    "agents_compared": pl.Int64,
    "person_id": pl.String,
}

MOST_OF_ONE = 0.6


def person_ids(store: Store) -> pl.DataFrame:
    """The person_id of each number that stands for a person in the cells."""
    return store.query("person_numbers").with_columns(pl.col("person").cast(pl.Int64))


def day_design(store: Store, cells: pl.DataFrame) -> pl.DataFrame:
    """Of each person by how much the variance of the mean grows because grades of one grader and day are alike."""
    cells = cells.filter(pl.col("n") > 0)
    alike = days_correlation(cells)
    share = (pl.col("n") ** 2).sum() / pl.col("n").sum()
    return (
        cells.group_by("person")
        .agg(design=1 + alike * (share - 1))
        .join(person_ids(store), on="person", how="left")
        .drop("person")
    )


def ticket_design(store: Store, choice: Choice, cells: pl.DataFrame) -> pl.DataFrame:
    """Of each person by how much the variance of the mean grows because grades of one ticket are alike.

    A ticket that is graded under two rubrics says less than two tickets. One row per person who has such tickets: the
    number `person`, `person_id` and `ticket_design`; the correlation is that of all persons together.
    """
    repeats = store.query("ticket_repeats", **choice.variables)
    sums = repeats.select(pl.col("pairs", "repeated_grades", "squares", "products").sum().cast(pl.Float64))
    pairs, repeated, squares, products = sums.row(0)
    alike = min(max(products / pairs / (squares / repeated), 0.0), 1.0) if squares else 0.0
    graded = cells.group_by("person").agg(pl.col("n").sum())
    return (
        person_ids(store)
        .join(repeats, on="person_id")
        .join(graded, on="person")
        .filter(pl.col("n") > 0)
        .select("person", "person_id", ticket_design=1 + alike * pl.col("pairs") / pl.col("n"))
    )


@dataclass(frozen=True)
class Compared:
    """Agents compared under an average grader: one row per person, and the spreads of the largest component.

    Attributes:
        with_one_grader: agents who have most of their grades (`MOST_OF_ONE`) from one of several graders: what that
            grader makes of them cannot be told from how good they are.
    """

    agents: pl.DataFrame
    between_sd: float
    grader_sd: float
    within_sd: float
    with_one_grader: int = 0

    @property
    def largest(self) -> int:
        """Agents of the largest component."""
        return int(self.agents["agents_compared"].max() or 0)  # type: ignore[arg-type]


def scored_cells(store: Store, choice: Choice) -> pl.DataFrame:
    """The cells of the query `grader_cells`, by day, with a code for each month."""
    cells = store.query("grader_cells", **choice.variables, week_zone=choice.week_zone)
    return cells.with_columns(month=month_codes(cells["day"]))


def month_codes(day: pl.Series) -> pl.Series:
    """Months as numbers: since year 0, and 0 where a grade has no date."""
    return (day.dt.year().cast(pl.Int64) * 12 + day.dt.month().cast(pl.Int64)).fill_null(0)


def days_correlation(cells: pl.DataFrame) -> float:
    """How alike the grades are that a grader gives an agent on one day, beyond what grader and agent explain."""
    if not cells.height:
        return 0.0
    graders = grader_codes(cells)
    group = renumbered(cells["person"].to_numpy()) * (int(graders.max()) + 1) + graders
    return day_clusters.day_correlation(*cell_sums(cells), renumbered(group))


def compare_agents(
    store: Store,
    choice: Choice,
    *,
    cells: pl.DataFrame | None = None,
    confidence: float,
    draws: int = 0,
    seed: int = 0,
    simultaneous: bool = False,
) -> Compared:
    """Fit the mixed model of `statistics.mixed` to the grades that `choice` chooses."""
    cells = (scored_cells(store, choice) if cells is None else cells).filter(pl.col("n") > 0)
    if not cells.height:
        return Compared(pl.DataFrame(schema=EFFECTS), np.nan, np.nan, np.nan)
    effective = day_clusters.day_weighted(*cell_sums(cells), days_correlation(cells))
    if cells["rubric"].n_unique() > 1:
        repeats = ticket_design(store, choice, cells)
        design = cells.select("person").join(repeats, on="person", how="left", maintain_order="left")
        divisor = design["ticket_design"].fill_null(1.0).to_numpy()
        effective = (effective[0] / divisor, effective[1] / divisor, effective[2] / divisor)
    weighted = cells.select(
        "person",
        "rubric",
        "month",
        grader=pl.Series(grader_codes(cells)),
        n=pl.Series(effective[0]),
        total=pl.Series(effective[1]),
        squares=pl.Series(effective[2]),
    )
    # Sorted: sums differ in their last digits from run to run, and must be added in one order.
    keys = ["person", "grader", "rubric", "month"]
    weighted = _regrouped(weighted, keys)
    people, agent = np.unique(weighted["person"].to_numpy(), return_inverse=True)
    effects = mixed.agent_effects(
        mixed.Cells(
            *cell_sums(weighted),
            agent=agent.astype(np.int64),
            grader=renumbered(weighted["grader"].to_numpy()),
            other=[renumbered(weighted[name].to_numpy()) for name in ("rubric", "month")],
        ),
        confidence=confidence,
        draws=draws,
        seed=seed,
        simultaneous=simultaneous,
    )
    found = pl.DataFrame(
        {
            "person": people,
            "shrunk": nullable(effects.shrunk),
            "shrunk_lo": nullable(effects.lo),
            "shrunk_hi": nullable(effects.hi),
            "error": nullable(effects.error),
            "adjusted": nullable(effects.adjusted),
            "adjusted_lo": nullable(effects.adjusted_lo),
            "adjusted_hi": nullable(effects.adjusted_hi),
            "above": nullable(effects.above),
            "kept": nullable(effects.kept),
            "rank_lo": nullable(effects.rank_lo),
            "rank_hi": nullable(effects.rank_hi),
            "ahead_of_next": nullable(effects.ahead),
            "component": effects.component,
            "agents_compared": effects.linked,
        }
    )
    agents = found.join(person_ids(store), on="person", how="left").drop("person")
    # Said beside a ranking only, which is what draws are for.
    with_one = _with_one_grader(weighted) if draws else 0
    return Compared(agents, effects.between_sd, effects.grader_sd, effects.within_sd, with_one)


def _with_one_grader(cells: pl.DataFrame) -> int:
    if cells["grader"].n_unique() < 2:
        return 0
    of_graders = cells.group_by("person", "grader").agg(pl.col("n").sum())
    shares = of_graders.group_by("person").agg(share=pl.col("n").max() / pl.col("n").sum())
    return shares.filter(pl.col("share") >= MOST_OF_ONE).height


def _regrouped(cells: pl.DataFrame, keys: list[str]) -> pl.DataFrame:
    """Sums of the cells of equal keys, in order of the keys: grouped by one number, which is quicker than by four."""
    sizes = [int(cells[key].max()) + 1 for key in keys]  # type: ignore[arg-type]
    if math.prod(sizes) >= 2**62:
        return cells.group_by(keys).agg(pl.col("n", "total", "squares").sum()).sort(keys)
    number = pl.lit(0, pl.Int64)
    for key, size in zip(keys, sizes, strict=True):
        number = number * size + pl.col(key)
    found = cells.group_by(number=number).agg(pl.col("n", "total", "squares").sum()).sort("number")
    for key, size in zip(reversed(keys), reversed(sizes), strict=True):
        found = found.with_columns((pl.col("number") % size).alias(key), number=pl.col("number") // size)
    return found


def adjusted_means(
    store: Store, choice: Choice, cells: pl.DataFrame, *, by_rubric: bool, confidence: float
) -> pl.DataFrame:
    """`adjusted` with its interval for each person, or each person and rubric (every rubric is fitted on its own)."""
    columns = ("adjusted", "adjusted_lo", "adjusted_hi")
    connected = pl.col("agents_compared") > 1
    if not by_rubric:
        found = compare_agents(store, choice, cells=cells, confidence=confidence).agents
        return found.select("person_id", *(pl.when(connected).then(name).alias(name) for name in columns))
    parts = [pl.DataFrame(schema={"rubric": pl.Int64} | {name: EFFECTS[name] for name in ("person_id", *columns)})]
    for (rubric,), part in cells.filter(pl.col("n") > 0).partition_by("rubric", as_dict=True).items():
        found = compare_agents(store, choice, cells=part, confidence=confidence).agents
        parts.append(
            found.select(
                pl.lit(rubric, pl.Int64).alias("rubric"),
                "person_id",
                *(pl.when(connected).then(name).alias(name) for name in columns),
            )
        )
    numbers = store.query("rubric_numbers").with_columns(pl.col("rubric").cast(pl.Int64))
    return pl.concat(parts).join(numbers, on="rubric", how="left").drop("rubric")


def cell_sums(cells: pl.DataFrame) -> tuple[Floats, Floats, Floats]:
    n, total, squares = (cells[name].to_numpy().astype(float) for name in ("n", "total", "squares"))
    return n, total, squares


def grader_codes(cells: pl.DataFrame) -> Codes:
    """Graders as numbers in order of their names; grades without a grader have one of their own."""
    if cells["grader"].dtype.is_integer():
        return cells["grader"].to_numpy()
    names = cells["grader"].unique().drop_nulls().sort()
    codes = cells["grader"].cast(pl.Enum(names)).to_physical().cast(pl.Int64)
    return codes.fill_null(len(names)).to_numpy()
