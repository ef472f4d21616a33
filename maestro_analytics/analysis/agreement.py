"""Whether graders agree with each other."""

from __future__ import annotations

from typing import Literal, Unpack

import numpy as np
import polars as pl

from maestro_analytics.analysis.answer import Answer
from maestro_analytics.analysis.filters import Choice, Filters, Store
from maestro_analytics.analysis.statistics import reliability

UNIT = ["source", "gradable_id", "rubric_id", "person_id"]
FEWEST_TICKETS = 30
ANY_TYPE = "Ordinary grades, calibrations and benchmarks of the same ticket together; of each grader the earliest."
FIRM = "alpha from .80 on is firm, from .667 tentative, below it graders do not measure the same thing (Krippendorff)."


def _pairing(store: Store, filters: Filters) -> Choice:
    """Agreement needs the second opinions, so all grade types count unless one is chosen."""
    if filters.get("grade_type") is None:
        filters = {**filters, "grade_type": "any"}
    return Choice.of(store, filters)


def grader_agreement(
    store: Store, *, confidence: float = 0.95, resamples: int = 500, seed: int = 0, **filters: Unpack[Filters]
) -> Answer:
    """Do graders give the same ticket the same score?

    One row per rubric with a ticket that two graders or more have graded.

    Columns
        rubric_id, rubric_name
        n, n_na             Int64    tickets (with rubric and agent) scored twice or more; judgements without a score
        graders, judgements Int64
        alpha, lo, hi       Float64  Krippendorff's alpha of the percents (interval), bootstrap over tickets
        icc                 Float64  ICC(A,1) on the largest complete block of tickets and graders
        icc_tickets, icc_graders Int64   how large that block is
        mad                 Float64  mean distance of two graders on a ticket, percent points
        within_5, within_10 Float64  share of pairs of graders at most 5 and 10 points apart, percent
        method, reliable, reason     reliable: at least 30 tickets, and alpha is defined

    Source: sql/queries/paired_scores.sql. Errors: see `Filters`.
    """
    choice = _pairing(store, filters)
    frame = store.query("paired_scores", **choice.variables)
    rows = []
    for (rubric_id,), judged in frame.group_by(["rubric_id"], maintain_order=True):
        scored = _numbered(judged.filter(pl.col("score_percent").is_not_null()))
        found = reliability.krippendorff_alpha(
            scored["unit"],
            scored["score_percent"],
            metric="interval",
            tickets=scored["ticket"],
            confidence=confidence,
            resamples=resamples,
            seed=seed,
        )
        apart = _pairs(scored)["apart"].abs()
        block = _complete_block(scored)
        rows.append(
            {
                "rubric_id": rubric_id,
                "rubric_name": judged["rubric_name"].max(),
                "n": found.units,
                "n_na": judged.height - scored.height,
                "graders": scored["grader"].n_unique(),
                "judgements": found.values,
                "alpha": found.value,
                "lo": found.lo,
                "hi": found.hi,
                "icc": reliability.icc_a1(block),
                "icc_tickets": block.shape[0],
                "icc_graders": block.shape[1],
                "mad": apart.mean(),
                "within_5": _percent(apart <= 5),
                "within_10": _percent(apart <= 10),
                "method": "Krippendorff's alpha (interval), bootstrap over tickets",
                **_verdict(found),
            }
        )
    table = pl.DataFrame(rows, schema=AGREEMENT).sort("rubric_name", "rubric_id")
    return Answer.of(
        table, choice, question="Do graders give the same ticket the same score?", caveat=f"{FIRM} {ANY_TYPE}"
    )


AGREEMENT = {
    "rubric_id": pl.String, "rubric_name": pl.String, "n": pl.Int64, "n_na": pl.Int64, "graders": pl.Int64,
    "judgements": pl.Int64, "alpha": pl.Float64, "lo": pl.Float64, "hi": pl.Float64, "icc": pl.Float64,
    "icc_tickets": pl.Int64, "icc_graders": pl.Int64, "mad": pl.Float64, "within_5": pl.Float64,
    "within_10": pl.Float64, "method": pl.String, "reliable": pl.Boolean, "reason": pl.String,
}  # fmt: skip


def question_agreement(
    store: Store,
    *,
    metric: Literal["ordinal", "nominal"] = "ordinal",
    confidence: float = 0.95,
    resamples: int = 500,
    seed: int = 0,
    **filters: Unpack[Filters],
) -> Answer:
    """On which questions do graders disagree?

    One row per rubric and question, the least agreed first. `metric="ordinal"` compares points, `"nominal"` the answers
    chosen.

    Columns
        rubric_id, rubric_name, question_id, question
        n, n_na           Int64    tickets on which two graders or more answered; answers that were N/A
        na_mismatches     Int64    tickets on which some graders answered and others chose N/A
        agreement         Float64  share of pairs of graders with the same answer, percent: read it beside alpha
        alpha, lo, hi     Float64  Krippendorff's alpha, bootstrap over tickets
        kappa             Float64  Cohen's kappa of all pairs, both ways round; quadratic weights when ordinal
        ac1               Float64  Gwet's AC1, which rare failures do not upset
        method, reliable, reason

    Source: sql/queries/paired_answers.sql. Errors: see `Filters`.
    """
    choice = _pairing(store, filters)
    frame = store.query("paired_answers", **choice.variables)
    rows = []
    for (rubric_id, question_id), judged in frame.group_by(["rubric_id", "question_id"], maintain_order=True):
        answered = _numbered(judged.filter(pl.col("question_score").is_not_null()))
        values = answered["question_score" if metric == "ordinal" else "answer_label"]
        codes = values.rank("dense").cast(pl.Float64) if metric == "nominal" else values
        found = reliability.krippendorff_alpha(
            answered["unit"],
            codes,
            metric=metric,
            tickets=answered["ticket"],
            confidence=confidence,
            resamples=resamples,
            seed=seed,
        )
        table = _pair_table(answered.with_columns(code=values.rank("dense").cast(pl.Int64) - 1))
        rows.append(
            {
                "rubric_id": rubric_id,
                "rubric_name": judged["rubric_name"].max(),
                "question_id": question_id,
                "question": judged["question"].max(),
                "n": found.units,
                "n_na": judged.height - answered.height,
                "na_mismatches": _mismatches(judged),
                "agreement": 100 * reliability.raw_agreement(table) if table.sum() else None,
                "alpha": found.value,
                "lo": found.lo,
                "hi": found.hi,
                "kappa": reliability.kappa(table, weights="quadratic" if metric == "ordinal" else None),
                "ac1": reliability.gwet_ac1(table),
                "method": f"Krippendorff's alpha ({metric}), bootstrap over tickets",
                **_verdict(found),
            }
        )
    table_of_all = pl.DataFrame(rows, schema=QUESTIONS).sort("alpha", "rubric_name", "question_id", nulls_last=True)
    return Answer.of(
        table_of_all,
        choice,
        question="On which questions do graders disagree?",
        caveat=f"{FIRM} With rare failures 90 % agreement can be chance: read agreement, alpha and AC1 together.",
    )


QUESTIONS = {
    "rubric_id": pl.String, "rubric_name": pl.String, "question_id": pl.String, "question": pl.String, "n": pl.Int64,
    "n_na": pl.Int64, "na_mismatches": pl.Int64, "agreement": pl.Float64, "alpha": pl.Float64, "lo": pl.Float64,
    "hi": pl.Float64, "kappa": pl.Float64, "ac1": pl.Float64, "method": pl.String, "reliable": pl.Boolean,
    "reason": pl.String,
}  # fmt: skip


def grader_pairs(store: Store, *, min_n: int = 10, **filters: Unpack[Filters]) -> Answer:
    """Which two graders disagree, and in which direction?

    One row per ordered pair of graders who scored the same tickets.

    Columns: grader, other, n (tickets both scored), n_na (tickets one of them left without a score), bias (mean of
    grader minus other, percent points), mad (mean distance), lo, hi (interval of the bias), method, reliable, reason.

    Source: sql/queries/paired_scores.sql. Errors: see `Filters`.
    """
    from maestro_analytics.analysis.summaries import with_mean

    choice = _pairing(store, filters)
    pairs = _pairs(_numbered(store.query("paired_scores", **choice.variables)))
    both = pl.concat([pairs, pairs.select("unit", grader="other", other="grader", apart=-pl.col("apart"))])
    apart = pl.col("apart")
    table = both.group_by("grader", "other").agg(
        n=apart.count().cast(pl.Int64),
        n_na=apart.null_count().cast(pl.Int64),
        total=apart.sum(),
        squares=(apart**2).sum(),
        cubes=(apart**3).sum(),
        mad=apart.abs().mean(),
    )
    table = with_mean(table, min_n=min_n, confidence=0.95, what="tickets").rename({"mean": "bias"})
    columns = ("grader", "other", "n", "n_na", "bias", "lo", "hi", "mad", "method", "reliable", "reason")
    return Answer.of(
        table.select(columns).sort("grader", "other"),
        choice,
        question="Which two graders disagree, and in which direction? Percent points.",
        caveat=ANY_TYPE,
    )


def _numbered(judged: pl.DataFrame) -> pl.DataFrame:
    """Units and tickets as numbers: what one judgement has in common with the next."""
    return judged.with_columns(
        unit=pl.struct(UNIT).rank("dense").cast(pl.Int64), ticket=pl.struct(UNIT[:2]).rank("dense").cast(pl.Int64)
    )


def _pairs(scored: pl.DataFrame) -> pl.DataFrame:
    """Each pair of graders of a unit once: unit, grader, other, apart (grader minus other)."""
    ours = scored.select("unit", "grader", score="score_percent")
    theirs = ours.rename({"grader": "other", "score": "other_score"})
    return (
        ours.join(theirs, on="unit")
        .filter(pl.col("grader") < pl.col("other"))
        .select("unit", "grader", "other", apart=pl.col("score") - pl.col("other_score"))
    )


def _pair_table(answered: pl.DataFrame) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """How often one grader answered row and another column, each pair both ways round."""
    kinds = int(answered["code"].n_unique())
    ours = answered.select("unit", "grader", "code")
    pairs = ours.join(ours, on="unit", suffix="_other").filter(pl.col("grader") != pl.col("grader_other"))
    table = np.zeros((kinds, kinds))
    np.add.at(table, (pairs["code"].to_numpy(), pairs["code_other"].to_numpy()), 1)
    return table


def _complete_block(scored: pl.DataFrame) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """The largest block of tickets and graders without a gap, taking graders by how much they judged."""
    busiest = scored.group_by("grader").len().sort(["len", "grader"], descending=[True, False])["grader"].to_list()
    wide = scored.pivot("grader", index="unit", values="score_percent", aggregate_function="mean")
    best = np.empty((0, 0))
    for number in range(2, len(busiest) + 1):
        block = wide.select(busiest[:number]).drop_nulls().to_numpy()
        if block.shape[0] < 2:
            break
        if block.size >= best.size:
            best = block
    return best


def _mismatches(judged: pl.DataFrame) -> int:
    missing = pl.col("question_score").is_null()
    found = judged.group_by(UNIT).agg(some=missing.any(), all=missing.all())
    return found.filter(pl.col("some") & ~pl.col("all")).height


def _percent(hits: pl.Series) -> float | None:
    share = hits.mean()
    return 100 * float(share) if isinstance(share, float) else None


def _verdict(found: reliability.Alpha) -> dict[str, bool | str]:
    reason = found.reason
    if not reason and found.units < FEWEST_TICKETS:
        reason = f"{found.units} tickets: fewer than {FEWEST_TICKETS}"
    if not reason and found.lo is None:
        reason = "no interval: too few tickets differ"
    return {"reliable": not reason, "reason": reason}
