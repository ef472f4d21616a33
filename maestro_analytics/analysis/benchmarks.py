"""Graders beside benchmarks and calibrations: how far they are from them, and whether that changes with time."""

from __future__ import annotations

from typing import Literal, Unpack

import polars as pl

from maestro_analytics.analysis.agreement import pairing
from maestro_analytics.analysis.answer import HOW_SURE, Answer
from maestro_analytics.analysis.arguments import checked
from maestro_analytics.analysis.filters import Choice, Filters, Store
from maestro_analytics.analysis.statistics import day_effects, process
from maestro_analytics.analysis.statistics.day_effects import day_correlation
from maestro_analytics.analysis.summaries import label, sums_of, widened_by_agents, with_mean
from maestro_analytics.analysis.trends import Every, charted_rows, without_unfinished

CALIBRATION = "calibration"
CALIBRATION_FINAL = "calibration_final"
"""The agreed score of a calibration: it judges those who reviewed the ticket, not the one who entered it."""


@checked
def alignments(store: Store, **filters: Unpack[Filters]) -> Answer:
    """How close is each calibration or benchmark to the grade it is held against, by the vendor's formula?

    One row per grade with a target that is in the data: the vendor's alignment worked out again from the answers,
    beside the figure of the file.

    Columns
        grade_key, grade_type, target_grade_key, target_grade_type, gradable_id, rubric_name
        judged              String   whose grading is judged: that of a calibration review, else the target's
        score_percent, target_score_percent   Float64
        apart               Float64  judged minus the other, percent points
        alignment           Float64  sum of max / sum(max) * (1 - |ours - theirs| / max) over shared questions, percent
        alignment_score     Float64  the same as the file says
        gap                 Float64  ours minus the file's
        na_mismatches       Int64    questions that only one of the two answered: left out (the vendor does not say)

    Source: sql/queries/benchmarks.sql; vendor's help centre, 4364995. Errors: see `Filters`.
    """
    choice = pairing(store, filters)
    frame = judged_by_benchmarks(store, choice).with_columns(gap=pl.col("alignment") - pl.col("alignment_score"))
    columns = (
        *("grade_key", "grade_type", "target_grade_key", "target_grade_type", "gradable_id", "rubric_name"),
        *("judged", "score_percent", "target_score_percent", "apart"),
        *("alignment", "alignment_score", "gap", "na_mismatches"),
    )
    return Answer.of(frame.select(columns), choice, question="How close is each benchmark to its target? Percent.")


def judged_by_benchmarks(store: Store, choice: Choice) -> pl.DataFrame:
    """The benchmarks, with the grader who is `judged` by each and how far `apart` from it the grader is."""
    own = pl.col("grade_type").str.starts_with(CALIBRATION) & (pl.col("grade_type") != CALIBRATION_FINAL)
    difference = pl.col("score_percent") - pl.col("target_score_percent")
    return store.query("benchmarks", **choice.variables).with_columns(
        judged=pl.when(own).then("grader").otherwise("target_grader"),
        apart=pl.when(own).then(difference).otherwise(-difference),
    )


@checked
def benchmark_bias(store: Store, *, min_n: int = 10, confidence: float = 0.95, **filters: Unpack[Filters]) -> Answer:
    """Which graders give more, or less, than the benchmark?

    One row per judged grader.

    Columns
        grader
        n, n_na               Int64    benchmarks with both scores, and without one of them
        bias, lo, hi          Float64  mean of grader minus benchmark, percent points, with its interval, which allows
                                       for errors of a grader about one agent that resemble each other
        mad                   Float64  mean distance
        within_5, within_10   Float64  share at most 5 and 10 points away, percent
        alignment, alignment_score   Float64  mean alignment, ours and the file's, percent
        largest_gap           Float64  largest distance between the two alignments of one benchmark
        method, reliable, reason

    Source: sql/queries/benchmarks.sql. Errors: see `Filters`.
    """
    choice = pairing(store, filters)
    apart = pl.col("apart")
    judged = judged_by_benchmarks(store, choice).filter(pl.col("judged").is_not_null())
    table = (
        judged.with_columns(gap=pl.col("alignment") - pl.col("alignment_score"))
        .group_by(grader="judged")
        .agg(
            **sums_of(apart),
            within_5=100 * (apart.abs().round(9) <= 5).mean(),
            within_10=100 * (apart.abs().round(9) <= 10).mean(),
            alignment=pl.col("alignment").mean(),
            alignment_score=pl.col("alignment_score").mean(),
            largest_gap=pl.col("gap").abs().max(),
        )
    )
    table = with_mean(table, min_n=min_n, confidence=confidence, what="benchmarks")
    judged = judged.with_columns(grader="judged")
    table = widened_by_agents(table, judged, ["grader"], confidence=confidence).rename({"mean": "bias"})
    columns = (
        *("grader", "n", "n_na", "bias", "lo", "hi"),
        *("mad", "within_5", "within_10", "alignment", "alignment_score", "largest_gap"),
        *HOW_SURE,
    )
    return Answer.of(
        table.select(columns).sort("bias", "grader", nulls_last=True),
        choice,
        question="Which graders give more, or less, than the benchmark? Percent points.",
    )


@checked
def calibrations(store: Store, **filters: Unpack[Filters]) -> Answer:
    """Which calibrated tickets do graders see most differently?

    One row per ticket (with rubric and agent) that has a calibration, the widest spread first.

    Columns: source, gradable_id, rubric_id, rubric_name, person_id, n (graders with a score), n_na, mean, lowest,
    highest, spread (percent points), strictest, most_lenient, reliable, reason (a single score shows no spread).

    Source: sql/queries/paired_scores.sql. Errors: see `Filters`.
    """
    choice = pairing(store, filters)
    frame = store.query("paired_scores", **choice.variables)
    score = pl.col("score_percent")
    table = (
        frame.group_by("unit")
        .agg(
            pl.col("source", "gradable_id", "rubric_id", "person_id").first(),
            pl.col("rubric_name").max(),
            calibrated=pl.col("grade_type").str.starts_with(CALIBRATION).any(),
            n=score.count().cast(pl.Int64),
            n_na=score.null_count().cast(pl.Int64),
            mean=score.mean(),
            lowest=score.min(),
            highest=score.max(),
            strictest=pl.col("grader").sort_by(score, "grader", nulls_last=True).first(),
            most_lenient=pl.col("grader").sort_by(score, "grader", nulls_last=False).last(),
        )
        .filter("calibrated")
        .with_columns(
            spread=pl.when(pl.col("n") > 1).then(pl.col("highest") - pl.col("lowest")),
            reliable=pl.col("n") > 1,
            reason=pl.when(pl.col("n") > 1).then(pl.lit("")).otherwise(pl.lit("fewer than two scores")),
        )
        .sort("spread", "unit", descending=[True, False], nulls_last=True)
    )
    columns = (
        *("source", "gradable_id", "rubric_id", "rubric_name", "person_id"),
        *("n", "n_na", "mean", "lowest", "highest"),
        *("spread", "strictest", "most_lenient", "reliable", "reason"),
    )
    return Answer.of(
        table.select(columns),
        choice,
        question="Which calibrated tickets do graders see most differently? Percent points.",
        caveat="A spread of one ticket says little about any grader; see grader_agreement and grader_severity.",
    )


SESSIONS = (
    *("group", "rubric_name", "month"),
    *("n", "n_na", "with_final", "bias", "lo", "hi", "mad", "within_5"),
    *HOW_SURE,
)


@checked
def calibration_sessions(
    store: Store,
    *,
    by: Literal["grader", "question"] = "grader",
    min_n: int = 10,
    confidence: float = 0.95,
    **filters: Unpack[Filters],
) -> Answer:
    """Do graders come closer to the agreed score from calibration to calibration?

    One row per grader (or rubric and question) and month with a calibration review. A review is held against the agreed
    score of its ticket (`calibration_final`), and without one against the mean of the other reviews of the ticket.

    Columns
        group              String   the grader, or the question
        rubric_name        String   of the question; null by grader
        month              Date     first day of the month of the review (`date_reported_as`)
        n, n_na            Int64    reviews (answers) that are compared, and those that cannot be
        with_final         Int64    of `n`, compared with a final
        bias, lo, hi       Float64  mean of the review minus the agreed score, percent points, with its interval, which
                                    allows for errors about one agent that resemble each other
        mad                Float64  mean distance, percent points
        within_5           Float64  share at most 5 points away, percent
        method, reliable, reason

    Source: sql/queries/calibration_scores.sql. Errors: see `Filters`.
    """
    choice = pairing(store, filters)
    scores = store.query(
        "calibration_scores", **choice.variables, week_zone=choice.week_zone, with_questions=by != "grader"
    )
    scores = scores.with_columns(apart=pl.col("score_percent") - pl.coalesce("final_percent", "others_percent"))
    if by == "grader":
        scores = scores.with_columns(group="grader", rubric_name=pl.lit(None, pl.String))
    else:
        scores = scores.filter(pl.col("question_id").is_not_null()).with_columns(
            group=label("question_id", "question", within=["rubric_id"]), rubric_name=label("rubric_id", "rubric_name")
        )
    apart = pl.col("apart")
    table = (
        scores.filter(pl.col("group").is_not_null())
        .group_by("group", "rubric_name", "month")
        .agg(
            **sums_of(apart),
            with_final=(apart.is_not_null() & pl.col("final_percent").is_not_null()).sum().cast(pl.Int64),
            within_5=100 * (apart.abs().round(9) <= 5).mean(),
        )
    )
    table = with_mean(table, min_n=min_n, confidence=confidence, what="reviews")
    keys = ["group", "rubric_name", "month"]
    table = widened_by_agents(table, scores, keys, confidence=confidence).rename({"mean": "bias"})
    return Answer.of(
        table.select(SESSIONS).sort("group", "rubric_name", "month", nulls_last=True),
        choice,
        question="Do graders come closer to the agreed score from month to month? Percent points.",
        caveat="A final is agreed by people who saw the reviews: it is a reference, not the truth.",
    )


@checked
def grader_drift(
    store: Store, *, every: Every = "week", weight: float = 0.2, confidence: float = 0.95, **filters: Unpack[Filters]
) -> Answer:
    """Does a grader become stricter or more lenient with time, against benchmarks?

    One row per judged grader and period with a benchmark that both scored: an EWMA chart of the bias (grader minus
    benchmark), which sees a slow drift that no single week shows. `charts.control` draws it.

    Columns
        group                String   the grader
        period               Date     first day of the week or month of the benchmark (`date_reported_as`)
        n, n_na              Int64    benchmarks with both scores, and without one of them
        bias                 Float64  mean of grader minus benchmark in the period, percent points
        value                Float64  the exponentially weighted mean up to the period (`weight` for the newest)
        centre, lo, hi       Float64  the grader's mean of all time, and the limits of usual noise around it
        signal               String   "outside the limits" or ""
        slope, slope_lo, slope_hi   Float64  percent points per 30 days over the whole period, with its interval
        points               Int64    periods of the grader
        finished             Boolean  false for the newest period, unless `until` says that it has ended
        method, reliable, reason      reliable: at least 12 periods

    Source: sql/queries/benchmarks.sql. Errors: see `Filters`.
    """
    choice = pairing(store, filters)
    local = pl.col("date_reported_as").dt.convert_time_zone(choice.week_zone)
    apart = pl.col("apart")
    judged = (
        judged_by_benchmarks(store, choice)
        .filter(pl.col("judged").is_not_null() & pl.col("date_reported_as").is_not_null())
        .with_columns(
            group="judged",
            period=local.dt.truncate({"week": "1w", "month": "1mo"}[every]).dt.date(),
            month=pl.col("date_reported_as").dt.epoch("s") / (30 * 86400),
        )
    )
    table = (
        judged.group_by("group", "period")
        .agg(n=apart.count().cast(pl.Int64), n_na=apart.null_count().cast(pl.Int64), bias=apart.mean())
        .filter(pl.col("n") > 0)
        .sort("group", "period")
    )
    periods = _periods(judged)
    chart = process.ewma(table["bias"], periods["weight"], _spread(judged), weight=weight, series=table["group"])
    charted = charted_rows(table, chart, scale=1.0, method=f"EWMA, weight {weight:g}").join(
        _slopes(periods, every=every, confidence=confidence), on="group", how="left", maintain_order="left"
    )
    # Of one or two periods, or of differences that are all equal, no limits can be told.
    told = (pl.col("points") > 2) & (pl.col("hi") > pl.col("lo"))
    charted = charted.with_columns(lo=pl.when(told).then("lo"), hi=pl.when(told).then("hi"))
    columns = (
        *("group", "period"),
        *("n", "n_na", "bias", "value", "centre", "lo", "hi"),
        *("signal", "slope", "slope_lo", "slope_hi", "points", "finished"),
        *HOW_SURE,
    )
    return Answer.of(
        without_unfinished(charted.with_columns(bias=table["bias"]), choice, every=every).select(columns),
        choice,
        question="Does a grader become stricter or more lenient with time? Percent points against benchmarks.",
        caveat="If the benchmarks themselves drift, every grader appears to drift the other way. Limits hold for one "
        "grader at a time: within half a year, about one in twenty graders who do not change has a signal.",
    )


def _spread(judged: pl.DataFrame) -> float:
    """How much a single difference varies within graders."""
    apart = pl.col("apart")
    known = judged.filter(apart.is_not_null())
    freedom = known.height - known["group"].n_unique()
    squares = known.select(((apart - apart.mean().over("group")) ** 2).sum()).item()
    return float(squares / freedom) ** 0.5 if freedom > 0 else 0.0


def _periods(judged: pl.DataFrame) -> pl.DataFrame:
    """One row per grader and period, in order of time: number `n`, its `weight`, mean moment `x` and difference `y`.

    Differences of one period resemble each other, so a period weighs less than its number: by how much periods differ
    around each grader's line, over all graders.
    """
    known = judged.filter(pl.col("apart").is_not_null())
    x = pl.col("month") - pl.col("month").mean()
    slope = pl.when((x**2).sum() > 0).then((x * pl.col("apart")).sum() / (x**2).sum()).otherwise(0.0)
    known = known.with_columns(around=(pl.col("apart") - slope * x).over("group"))
    around = pl.col("around")
    periods = (
        known.group_by("group", "period")
        .agg(
            n=pl.len().cast(pl.Float64),
            total=around.sum(),
            squares=(around**2).sum(),
            x=pl.col("month").mean(),
            y=pl.col("apart").mean(),
        )
        .sort("group", "period")
    )
    if not periods.height:
        return periods.with_columns(weight="n")
    group = (periods["group"].rank("dense").cast(pl.Int64) - 1).to_numpy()
    sums = [periods[name].to_numpy() for name in ("n", "total", "squares")]
    alike = day_correlation(sums[0], sums[1], sums[2], group, level=1.0)
    return periods.with_columns(weight=pl.col("n") / (1 + alike * (pl.col("n") - 1)))


def _slopes(periods: pl.DataFrame, *, every: Every, confidence: float) -> pl.DataFrame:
    """The line through each grader's period means, in points per 30 days; a mood that lasts for weeks is not drift."""
    from scipy import special

    day = pl.col("period").dt.epoch("d").cast(pl.Int64)
    month = pl.col("period").dt.year().cast(pl.Int64) * 12 + pl.col("period").dt.month()
    placed = periods.with_columns(place={"week": day // 7, "month": month}[every])
    series = {
        name: day_effects.Series(*(part[column].to_numpy() for column in ("place", "x", "y", "weight")))
        for (name,), part in placed.partition_by("group", as_dict=True, maintain_order=True).items()
        if part.height > 2 and part["x"].n_unique() > 2
    }
    slope, error, freedom = day_effects.slopes(list(series.values()))
    reach = special.stdtrit(freedom, 0.5 + confidence / 2) * error
    return pl.DataFrame(
        {"group": list(series), "slope": slope, "slope_lo": slope - reach, "slope_hi": slope + reach},
        schema={"group": pl.String, "slope": pl.Float64, "slope_lo": pl.Float64, "slope_hi": pl.Float64},
    )
