"""Whether graders agree with each other."""

from __future__ import annotations

from typing import Literal, Unpack

import numpy as np
import polars as pl

from maestro_analytics.analysis.answer import HOW_SURE, Answer, Schema
from maestro_analytics.analysis.arguments import checked
from maestro_analytics.analysis.filters import Choice, Filters, Store
from maestro_analytics.analysis.statistics import reliability
from maestro_analytics.analysis.statistics.arrays import Floats
from maestro_analytics.analysis.summaries import sums_of, widened_by_agents, with_mean

FEWEST_TICKETS = 30
PILED, FEWEST_EFFECTIVE = 0.25, 40.0
"""Where 40 % of scores are 100 and 3 % are 0, those few decide alpha, and a hundred tickets may have none. The tickets
then count by their share in the variance: number / kurtosis."""
WIDEST_ALPHA = 1.0
ANY_TYPE = (
    "Ordinary grades, calibration reviews and benchmarks of the same ticket together; of each grader the earliest. The "
    "final of a calibration is its reference and is left out."
)
FIRM = "alpha from .80 on is firm, from .667 tentative, below it graders do not measure the same thing (Krippendorff)."


def pairing(store: Store, filters: Filters) -> Choice:
    """The choice for agreement: all grade types count unless one is chosen, since second opinions are needed."""
    if filters.get("grade_type") is None:
        filters = {**filters, "grade_type": "any"}
    return Choice.of(store, filters)


@checked
def grader_agreement(
    store: Store, *, confidence: float = 0.95, resamples: int = 500, seed: int = 0, **filters: Unpack[Filters]
) -> Answer:
    """Do graders give the same ticket the same score?

    One row per rubric with a ticket that two graders or more have graded.

    Columns
        rubric_id, rubric_name
        n, n_na             Int64    tickets (with rubric and agent) scored twice or more; judgements without a score
        graders, judgements Int64
        alpha, lo, hi       Float64  Krippendorff's alpha of the percents (interval), jackknife over tickets
        icc                 Float64  ICC(A,1) on the largest complete block of tickets and graders
        icc_tickets, icc_graders Int64   how large that block is
        mad                 Float64  mean distance of two graders on a ticket, percent points
        within_5, within_10 Float64  share of pairs of graders at most 5 and 10 points apart, percent
        method, reliable, reason     reliable: at least 30 tickets, alpha is defined, and where a quarter of the
                                     scores are equal, rare low scores do not decide it

    Source: sql/queries/paired_scores.sql. Errors: see `Filters`.
    """
    choice = pairing(store, filters)
    frame = store.query("paired_scores", **choice.variables)
    rows = []
    for (rubric_id,), judged in frame.group_by(["rubric_id"], maintain_order=True):
        scored = judged.filter(pl.col("score_percent").is_not_null())
        found = reliability.krippendorff_alpha(
            scored["unit"],
            scored["score_percent"],
            metric="interval",
            tickets=scored["ticket"],
            confidence=confidence,
            resamples=resamples,
            seed=seed,
        )
        apart = _pairs(scored)["apart"].abs().round(9)
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
                "method": "Krippendorff's alpha (interval), jackknife over tickets",
                **_verdict(found, effective=_effective(scored["score_percent"], found.units)),
            }
        )
    table = pl.DataFrame(rows, schema=AGREEMENT).sort("rubric_name", "rubric_id")
    return Answer.of(
        table, choice, question="Do graders give the same ticket the same score?", caveat=f"{FIRM} {ANY_TYPE}"
    )


AGREEMENT: Schema = {
    **dict.fromkeys(("rubric_id", "rubric_name"), pl.String),
    **dict.fromkeys(("n", "n_na", "graders", "judgements"), pl.Int64),
    **dict.fromkeys(("alpha", "lo", "hi", "icc"), pl.Float64),
    **dict.fromkeys(("icc_tickets", "icc_graders"), pl.Int64),
    **dict.fromkeys(("mad", "within_5", "within_10"), pl.Float64),
    **HOW_SURE,
}


@checked
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
        alpha, lo, hi     Float64  Krippendorff's alpha, jackknife over tickets
        kappa             Float64  kappa of all pairs, both ways round (with equal margins: Scott's pi); quadratic
                                   weights when ordinal
        ac1               Float64  Gwet's AC1, which rare failures do not upset
        method, reliable, reason

    Source: sql/queries/paired_answers.sql. Errors: see `Filters`.
    """
    choice = pairing(store, filters)
    frame = store.query("paired_answers", **choice.variables)
    rows = []
    for (rubric_id, question_id), judged in frame.group_by(["rubric_id", "question_id"], maintain_order=True):
        answered = judged.filter(pl.col("question_score").is_not_null())
        values = answered["question_score"] if metric == "ordinal" else answered["answer_label"].fill_null("")
        codes = values.rank("dense").cast(pl.Int64) - 1
        unit = answered["unit"].to_numpy()
        found = reliability.krippendorff_alpha(
            unit,
            values if metric == "ordinal" else codes,
            metric=metric,
            tickets=answered["ticket"],
            confidence=confidence,
            resamples=resamples,
            seed=seed,
        )
        kinds = codes.n_unique()
        table = reliability.pair_table(reliability.judgements(unit, codes.to_numpy(), kinds=kinds))
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
                "method": f"Krippendorff's alpha ({metric}), jackknife over tickets",
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


QUESTIONS: Schema = {
    **dict.fromkeys(("rubric_id", "rubric_name", "question_id", "question"), pl.String),
    **dict.fromkeys(("n", "n_na", "na_mismatches"), pl.Int64),
    **dict.fromkeys(("agreement", "alpha", "lo", "hi", "kappa", "ac1"), pl.Float64),
    **HOW_SURE,
}


@checked
def grader_pairs(store: Store, *, min_n: int = 10, **filters: Unpack[Filters]) -> Answer:
    """Which two graders disagree, and in which direction?

    One row per ordered pair of graders who scored the same tickets.

    Columns: grader, other, n (tickets both scored), n_na (tickets one of them left without a score), bias (mean of
    grader minus other, percent points), mad (mean distance), lo, hi (interval of the bias, clustered by agent), method,
    reliable, reason.

    Source: sql/queries/paired_scores.sql. Errors: see `Filters`.
    """
    choice = pairing(store, filters)
    pairs = _pairs(store.query("paired_scores", **choice.variables))
    table = pairs.group_by("grader", "other").agg(**sums_of(pl.col("apart")))
    table = with_mean(table, min_n=min_n, confidence=0.95, what="tickets")
    table = widened_by_agents(table, pairs, ["grader", "other"], confidence=0.95).rename({"mean": "bias"})
    turned = {name: -pl.col(other) for name, other in (("bias", "bias"), ("lo", "hi"), ("hi", "lo"))}
    mirrored = table.with_columns(grader="other", other="grader", **turned)
    table = pl.concat([table, mirrored])
    columns = ("grader", "other", "n", "n_na", "bias", "lo", "hi", "mad", "method", "reliable", "reason")
    return Answer.of(
        table.select(columns).sort("grader", "other"),
        choice,
        question="Which two graders disagree, and in which direction? Percent points.",
        caveat=ANY_TYPE,
    )


def _pairs(scored: pl.DataFrame) -> pl.DataFrame:
    """Each pair of graders of a unit once: unit, person_id, grader, other, apart (grader minus other)."""
    ours = scored.select("unit", "person_id", "grader", score="score_percent")
    theirs = ours.select("unit", other="grader", other_score="score")
    return (
        ours.join(theirs, on="unit")
        .filter(pl.col("grader") < pl.col("other"))
        .select("unit", "person_id", "grader", "other", apart=pl.col("score") - pl.col("other_score"))
    )


def _complete_block(scored: pl.DataFrame) -> Floats:
    """The largest block of tickets and graders without a gap, taking graders by how much they judged."""
    busiest = scored.group_by("grader").len().sort(["len", "grader"], descending=[True, False])
    placed = scored.join(busiest.select("grader").with_row_index("place"), on="grader")
    wide = np.full((int(scored["unit"].max() or 0) + 1, busiest.height), np.nan)  # type: ignore[arg-type]
    wide[placed["unit"], placed["place"]] = placed["score_percent"]
    complete = np.logical_and.accumulate(~np.isnan(wide), axis=1)
    tickets, graders = complete.sum(0), np.arange(1, busiest.height + 1)
    size = np.where((tickets > 1) & (graders > 1), tickets * graders, 0)
    if not size.any():
        return np.empty((0, 0))
    most = int(graders[size == size.max()][-1])
    return np.asarray(wide[complete[:, most - 1], :most], dtype=float)


def _mismatches(judged: pl.DataFrame) -> int:
    unit = judged["unit"].to_numpy()
    missing, all_of_it = np.bincount(unit, judged["question_score"].is_null().to_numpy()), np.bincount(unit)
    return int(((missing > 0) & (missing < all_of_it)).sum())


def _percent(hits: pl.Series) -> float | None:
    share = hits.mean()
    return 100 * float(share) if isinstance(share, float) else None


def _effective(scores: pl.Series, tickets: int) -> float:
    """How many tickets decide alpha: all of them, or fewer where scores pile up at one value."""
    if not scores.len() or float(scores.value_counts()["count"].max()) < PILED * scores.len():  # type: ignore[arg-type]
        return float("inf")
    kurtosis = scores.kurtosis(fisher=False)
    return tickets / kurtosis if kurtosis and np.isfinite(kurtosis) else 0.0


def _verdict(found: reliability.Alpha, *, effective: float = float("inf")) -> dict[str, bool | str]:
    reason = found.reason
    if not reason and effective < FEWEST_EFFECTIVE:
        reason = f"{found.units} tickets, but rare scores far from the usual one decide alpha: too few of those"
    if not reason and found.units < FEWEST_TICKETS:
        reason = f"{found.units} tickets: fewer than {FEWEST_TICKETS}"
    if not reason and (found.lo is None or found.hi is None):
        reason = "no interval: too few tickets differ"
    if not reason and found.lo is not None and found.hi is not None and found.hi - found.lo > WIDEST_ALPHA:
        reason = "too few tickets differ: alpha may be anything"
    return {"reliable": not reason, "reason": reason}
