"""Grades summed over equal grader, person, rubric and month: what graders and agents are compared from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from maestro_analytics.analysis.filters import Choice, Store
from maestro_analytics.analysis.statistics import day_effects, mixed
from maestro_analytics.analysis.statistics.arrays import Codes, Flags, Floats, Numbers, crossed, renumbered, summed
from maestro_analytics.analysis.statistics.mixed_equations import Cells
from maestro_analytics.analysis.statistics.severity import (
    ClusteredErrors,
    GraderEffects,
    clustered_errors,
    grader_effects,
)
from maestro_analytics.analysis.summaries import nullable

EFFECTS: dict[str, type[pl.DataType]] = {
    **dict.fromkeys(mixed.COLUMNS, pl.Float64),
    "component": pl.Int64,
    "agents_compared": pl.Int64,
    "person_id": pl.String,
}
MOST_OF_ONE = 0.6


def person_ids(store: Store) -> pl.DataFrame:
    """The person_id of each number that stands for a person in the cells."""
    return store.query("person_numbers").with_columns(pl.col("person").cast(pl.Int64))


def with_names(store: Store, frame: pl.DataFrame) -> pl.DataFrame:
    """A frame with the names of graders in the place of the numbers that stand for them in the cells."""
    names = store.query("grader_numbers").select(number=pl.col("number").cast(pl.Int64), name="grader")
    return (
        frame.join(names, left_on="grader", right_on="number", how="left", maintain_order="left")
        .with_columns(grader="name")
        .drop("name")
    )


def day_design(store: Store, cells: Sums) -> pl.DataFrame:
    """By how much the variance of each person's mean grows because grades of one grader and day are alike."""
    if not len(cells.n):
        return pl.DataFrame(schema={"person_id": pl.String, "design": pl.Float64})
    alike = days_correlation(cells.of_grades, cells.person, cells.grader)
    size, alike_size = np.bincount(cells.person, cells.n), np.bincount(cells.person, cells.n**2)
    graded = np.flatnonzero(size)
    design = pl.DataFrame({"person": graded, "design": 1 + alike * (alike_size[graded] / size[graded] - 1)})
    return design.join(person_ids(store), on="person", how="left").drop("person")


def ticket_design(store: Store, choice: Choice, cells: Sums) -> pl.DataFrame:
    """By how much the variance of each person's mean grows because grades of one ticket are alike.

    A ticket that is graded under two rubrics says less than two tickets. One row per person who has such tickets: the
    number `person`, `person_id` and `ticket_design`; the correlation is that of all persons together.
    """
    repeats = store.query("ticket_repeats", **choice.variables)
    sums = repeats.select(pl.col("pairs", "repeated_grades", "squares", "products").sum().cast(pl.Float64))
    pairs, repeated, squares, products = sums.row(0)
    alike = min(max(products / pairs / (squares / repeated), 0.0), 1.0) if squares else 0.0
    size = np.bincount(cells.person, cells.n)
    graded = np.flatnonzero(size)
    return (
        person_ids(store)
        .join(repeats, on="person_id")
        .join(pl.DataFrame({"person": graded, "n": size[graded]}), on="person")
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
    """The cells of the query `grader_cells`, by day; numbers stand for graders, persons and rubrics, 0 for none."""
    cells = store.query("grader_cells", **choice.variables, week_zone=choice.week_zone)
    return cells.with_columns(pl.col("grader", "person", "rubric", "month").cast(pl.Int64))


def with_scores(cells: pl.DataFrame) -> pl.DataFrame:
    """The cells that have a score."""
    return only(cells, pl.col("n") > 0)


def only(cells: pl.DataFrame, chosen: pl.Expr) -> pl.DataFrame:
    """The chosen cells; the frame itself where that is all of them, as a copy takes longer than to see that."""
    return cells if cells.select(chosen.all()).item() else cells.filter(chosen)


def days_correlation(sums: tuple[Floats, Floats, Floats], person: Numbers, grader: Numbers) -> float:
    """How alike the grades are that a grader gives an agent on one day, beyond what grader and agent explain.

    Args:
        sums: number, total and squares of the grades of each cell, of which each is of one day.
    """
    people, graders = renumbered(np.asarray(person)), np.asarray(grader)
    return day_effects.day_correlation(*sums, people * (int(graders.max()) + 1) + graders)


@dataclass(frozen=True)
class Sums:
    """The cells that have a score, as arrays in order of rubric, person, grader and day; `day` as in `day_numbers`."""

    person: Codes
    grader: Codes
    rubric: Codes
    month: Codes
    day: Codes
    n: Floats
    total: Floats
    squares: Floats

    @property
    def of_grades(self) -> tuple[Floats, Floats, Floats]:
        """Number of grades, sum of their scores and of the squares."""
        return self.n, self.total, self.squares

    @cached_property
    def codes(self) -> tuple[Codes, Codes, Codes, Codes]:
        """Person, grader, rubric and month, each numbered from 0 without a gap."""
        return renumbered(self.person), renumbered(self.grader), renumbered(self.rubric), renumbered(self.month)

    def part(self, chosen: slice) -> Sums:
        """Some of the cells."""
        codes = (self.person[chosen], self.grader[chosen], self.rubric[chosen], self.month[chosen], self.day[chosen])
        return Sums(*codes, self.n[chosen], self.total[chosen], self.squares[chosen])


def ordered(cells: pl.DataFrame) -> Sums:
    """The cells that have a score, sorted: sums differ in their last digits by the order in which they are added."""
    cells = with_scores(cells)
    rubric, person, grader = (_array(cells[name], np.int64) for name in ("rubric", "person", "grader"))
    day = day_numbers(cells["day"])
    first = int(day.min()) if len(day) else 0
    day -= first
    order = _sorted((rubric, person, grader, day))
    day += first
    month = _array(cells["month"], np.int64)[order]
    n, total, squares = (_array(cells[name], np.float64)[order] for name in ("n", "total", "squares"))
    return Sums(person, grader, rubric, month, day, n, total, squares)


def day_numbers(days: pl.Series) -> Codes:
    """Days as numbers: 1 is 1 January 1970; 0 where there is no date."""
    numbers = _array(days.to_physical().fill_null(-1), np.int64)
    numbers += 1
    return numbers


def _array(column: pl.Series, kind: type[np.generic]) -> npt.NDArray[Any]:
    """The values of a column without nulls, as an array of numpy.

    Its memory comes in large pages, that of an array from polars in small ones: to touch each for the first time takes
    longer than the copy.
    """
    return np.concatenate([chunk.to_numpy() for chunk in column.get_chunks()], dtype=kind)


def _sorted(codes: Sequence[Codes]) -> Codes:
    """Sorts rows by the first of their codes, the second and so on, in place; returns the order.

    All codes of a row and its place are packed into one number, where it holds them: sorting numbers takes a quarter of
    the time of sorting places by a number.
    """
    place = np.arange(len(codes[0]))
    parts = (*codes, place)
    bits = [int(part.max(initial=0)).bit_length() for part in parts]
    if sum(bits) > 62:
        place = np.lexsort(codes[::-1])
        for code in codes:
            code[:] = code[place]
        return place
    number = np.zeros(len(place), dtype=np.int64)
    for part, width in zip(parts, bits, strict=True):
        number <<= width
        number |= part
    number.sort()
    for part, width in zip(reversed(parts), reversed(bits), strict=True):
        np.bitwise_and(number, (1 << width) - 1, out=part)
        number >>= width
    return place


def compare_agents(
    store: Store,
    choice: Choice,
    cells: Sums,
    *,
    people: pl.DataFrame | None = None,
    confidence: float,
    draws: int = 0,
    seed: int = 0,
    simultaneous: bool = False,
) -> Compared:
    """Fit the mixed model of `statistics.mixed`.

    Args:
        cells: the grades that `choice` chooses, or some of them.
        people: see `person_ids`, where they are known already.
    """
    if not len(cells.n):
        return Compared(pl.DataFrame(schema=EFFECTS), np.nan, np.nan, np.nan)
    persons = np.flatnonzero(np.bincount(cells.person))
    agent, grader, rubric, month = cells.codes
    alike = days_correlation(cells.of_grades, agent, grader)
    effective = day_effects.day_weighted(*cells.of_grades, alike)
    if rubric.any():
        repeats = ticket_design(store, choice, cells)
        design = np.ones(int(cells.person.max()) + 1)
        design[repeats["person"].to_numpy()] = repeats["ticket_design"].to_numpy()
        effective = _divided(effective, design[cells.person])
    size = agent, len(persons), grader, int(grader.max()) + 1
    if _mostly_of_one(crossed(*size, cells.n)).any():
        effective = _divided(effective, _likings(effective, agent, grader, rubric, month))
    effects = mixed.agent_effects(
        Cells(*effective, agent=agent, grader=grader, other=[rubric, month]),
        confidence=confidence,
        draws=draws,
        seed=seed,
        simultaneous=simultaneous,
    )
    found = pl.DataFrame(
        {
            "person": persons,
            **{name: nullable(values) for name, values in effects.agents.items()},
            "component": effects.component,
            "agents_compared": effects.linked,
        }
    )
    people = person_ids(store) if people is None else people
    agents = found.join(people, on="person", how="left").drop("person")
    # Said beside a ranking only, which is what draws are for.
    with_one = int(_mostly_of_one(crossed(*size, effective[0])).sum()) if draws else 0
    return Compared(agents, effects.between_sd, effects.grader_sd, effects.within_sd, with_one)


def _divided(sums: tuple[Floats, Floats, Floats], by: Floats) -> tuple[Floats, Floats, Floats]:
    return sums[0] / by, sums[1] / by, sums[2] / by


def _likings(sums: tuple[Floats, Floats, Floats], agent: Codes, grader: Codes, rubric: Codes, month: Codes) -> Floats:
    """By how much each cell counts for less because grades of one grader and agent are alike."""
    n, total, squares = sums
    unit = renumbered(rubric * (int(month.max()) + 1) + month)
    units = int(unit.max()) + 1
    usual = (summed(unit, total, units) / summed(unit, n, units))[unit]
    graders = int(grader.max()) + 1
    pair = agent * graders + grader
    found, of_pair = np.flatnonzero(np.bincount(pair)), renumbered(pair)
    count = summed(of_pair, n, len(found))
    cells = Cells(
        count,
        summed(of_pair, total - n * usual, len(found)),
        summed(of_pair, squares - 2 * usual * total + n * usual**2, len(found)),
        found // graders,
        found % graders,
    )
    return 1 + mixed.liking_correlation(cells) * np.maximum(count[of_pair] - 1, 0)


def _mostly_of_one(of_graders: Floats) -> Flags:
    """Which rows have most (`MOST_OF_ONE`) of their grades from one of several graders; a column for each grader."""
    if of_graders.shape[1] < 2:
        return np.zeros(len(of_graders), dtype=bool)
    return np.asarray(of_graders.max(1) >= MOST_OF_ONE * of_graders.sum(1))


def mostly_of_one_grader(store: Store, choice: Choice, members: pl.DataFrame, by: str) -> pl.Series:
    """The values of `by` (a person, a team) whose grades come mostly from one of several graders.

    Args:
        members: one row per person and value of `by`.
    """
    cells = with_scores(scored_cells(store, choice))
    if not cells.height:
        return members[by].clear()
    person, grader = cells["person"].to_numpy(), renumbered(cells["grader"].to_numpy())
    n = cells["n"].to_numpy().astype(float)
    of_persons = crossed(person, int(person.max()) + 1, grader, int(grader.max()) + 1, n)
    numbers = members.join(person_ids(store), on="person_id").filter(pl.col("person") < len(of_persons))
    values = numbers[by].unique().sort()
    of_values = np.zeros((len(values), of_persons.shape[1]))
    np.add.at(of_values, numbers[by].rank("dense").to_numpy().astype(int) - 1, of_persons[numbers["person"].to_numpy()])
    return values.filter(pl.Series(_mostly_of_one(of_values) & (of_values.sum(1) > 0)))


def adjusted_means(store: Store, choice: Choice, cells: Sums, *, by_rubric: bool, confidence: float) -> pl.DataFrame:
    """`adjusted` with its interval for each person, or each person and rubric (every rubric is fitted on its own)."""
    adjusted = [pl.when(pl.col("agents_compared") > 1).then(name).alias(name) for name in mixed.ADJUSTED]
    if not by_rubric:
        return compare_agents(store, choice, cells, confidence=confidence).agents.select("person_id", *adjusted)
    schema = {"rubric": pl.Int64, "person_id": pl.String, **dict.fromkeys(mixed.ADJUSTED, pl.Float64)}
    parts = [pl.DataFrame(schema=schema)]
    people = person_ids(store)
    for rubric in np.flatnonzero(np.bincount(cells.rubric)):
        part = slice(*np.searchsorted(cells.rubric, (rubric, rubric + 1)))
        found = compare_agents(store, choice, cells.part(part), people=people, confidence=confidence).agents
        parts.append(found.select(pl.lit(int(rubric), pl.Int64).alias("rubric"), "person_id", *adjusted))
    numbers = store.query("rubric_numbers").with_columns(pl.col("rubric").cast(pl.Int64))
    return pl.concat(parts).join(numbers, on="rubric", how="left").drop("rubric")


def fitted_graders(scored: pl.DataFrame) -> tuple[Cells, GraderEffects, ClusteredErrors]:
    """Cells with a score, by codes, and the effects of their graders with errors that allow for halo and moods."""
    person, grader, rubric, month = (
        renumbered(scored[name].to_numpy()) for name in ("person", "grader", "rubric", "month")
    )
    cells = Cells(*cell_sums(scored), person, grader, [rubric, month])
    effects = grader_effects(cells.n, cells.total, cells.squares, agent=person, grader=grader, other=cells.other)
    return cells, effects, clustered_errors(effects, day=day_numbers(scored["day"]))


def cell_sums(cells: pl.DataFrame) -> tuple[Floats, Floats, Floats]:
    n, total, squares = (cells[name].to_numpy().astype(float, copy=False) for name in ("n", "total", "squares"))
    return n, total, squares
