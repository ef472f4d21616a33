"""Whether graded quality and customer satisfaction move together."""

from __future__ import annotations

from typing import Unpack

import numpy as np
import polars as pl

from maestro_analytics.analysis.answer import HOW_SURE, Answer, Schema
from maestro_analytics.analysis.arguments import checked
from maestro_analytics.analysis.filters import Choice, Filters, Store
from maestro_analytics.analysis.statistics import intervals
from maestro_analytics.analysis.statistics.arrays import Codes, Floats

FEWEST_AGENTS = 10
"""A bootstrap over fewer agents gives no interval: of one agent it would be a point."""


@checked
def csat_link(
    store: Store,
    *,
    min_n: int = 100,
    confidence: float = 0.95,
    resamples: int = 500,
    seed: int = 0,
    **filters: Unpack[Filters],
) -> Answer:
    """Do tickets with better grades have happier customers?

    One row per scope: "all tickets", and "within agent and helpdesk", which compares an agent's tickets of one
    helpdesk only with each other, so that neither good agents nor easy channels can make the link.

    Columns
        scope           String
        n, n_na         Int64    scored tickets with a survey (one graded twice counts once), and without
        agents          Int64
        rho, lo, hi     Float64  Spearman's rank correlation (scores in whole percents), bootstrap over agents
        method, reliable, reason

    Caveat: few customers answer, and those who do are not the average. CSAT is not a score of an agent.
    Source: sql/queries/csat_pairs.sql. Errors: see `Filters`.
    """
    choice = Choice.of(store, filters)
    pairs = store.query("csat_pairs", **choice.variables)
    frame = pairs.filter(pl.col("csat_score").is_not_null())
    unanswered = int(pairs["tickets"].sum()) - int(frame["tickets"].sum())
    rows = []
    if frame.height:
        person = _codes(frame["person_id"])
        tickets = frame["tickets"].to_numpy().astype(float)
        persons = int(person.max()) + 1
        weights = np.vstack([np.ones(persons), intervals.cluster_weights(persons, resamples, seed=seed)])
        score, csat = _codes(frame["score_percent"]), _codes(frame["csat_score"])
        stratum = _codes(frame.select(pl.struct("person_id", "source")).to_series())
        for scope, draws in (
            ("all tickets", _rank_correlations(score, csat, tickets, person, weights)),
            ("within agent and helpdesk", _within(score, csat, tickets, person, stratum, weights)),
        ):
            known = bool(np.isfinite(draws[0]))
            lo, hi = _interval(draws[0], draws[1:], persons, confidence=confidence)
            if persons < FEWEST_AGENTS:
                lo = hi = float("nan")
            number = int(tickets.sum())
            reason = "" if known else "no correlation: scores or CSAT do not vary"
            if known and number < min_n:
                reason = f"{number} tickets: fewer than {min_n}"
            if known and not reason and persons < FEWEST_AGENTS:
                reason = f"{persons} agents: fewer than {FEWEST_AGENTS}"
            rows.append(
                {
                    "scope": scope,
                    "n": number,
                    "n_na": unanswered,
                    "agents": persons,
                    "rho": float(draws[0]) if known else None,
                    "lo": lo if known and np.isfinite(lo) else None,
                    "hi": hi if known and np.isfinite(hi) else None,
                    "method": "Spearman, Fisher's z, bootstrap over agents",
                    "reliable": not reason,
                    "reason": reason,
                }
            )
    schema: Schema = {
        "scope": pl.String,
        **dict.fromkeys(("n", "n_na", "agents"), pl.Int64),
        **dict.fromkeys(("rho", "lo", "hi"), pl.Float64),
        **HOW_SURE,
    }
    return Answer.of(
        pl.DataFrame(rows, schema=schema),
        choice,
        question="Do tickets with better grades have happier customers? Rank correlation, -1 to 1.",
        caveat="Few customers answer, and those who do are not the average; CSAT is not a score of an agent.",
    )


def _interval(rho: float, draws: Floats, persons: int, *, confidence: float) -> tuple[float, float]:
    """Interval by Fisher's z, the spread of the draws and t: percentiles of draws of 30 agents covered only .905."""
    from scipy import special

    known = draws[np.abs(draws) < 1]
    if len(known) < 0.9 * len(draws) or not abs(rho) < 1:
        return float("nan"), float("nan")
    error = float(np.arctanh(known).std()) * (persons / max(persons - 1, 1)) ** 0.5
    reach = float(special.stdtrit(max(persons - 1, 1), 0.5 + confidence / 2)) * error
    return float(np.tanh(np.arctanh(rho) - reach)), float(np.tanh(np.arctanh(rho) + reach))


def _codes(values: pl.Series) -> Codes:
    return values.rank("dense").cast(pl.Int64).to_numpy() - 1


def _rank_correlations(score: Codes, csat: Codes, tickets: Floats, person: Codes, weights: Floats) -> Floats:
    """Spearman's rho under each row of weights, from the table of scores by CSAT: ranks follow from its margins."""
    from scipy import sparse

    kinds, levels = int(csat.max()) + 1, int(score.max()) + 1
    cells = sparse.csr_matrix((tickets, (person, score * kinds + csat)), shape=(weights.shape[1], levels * kinds))
    tables = np.asarray(weights @ cells).reshape(-1, levels, kinds)
    rows, columns = tables.sum(2), tables.sum(1)
    x, y = _midranks(rows), _midranks(columns)
    total = rows.sum(1, keepdims=True)
    x -= (rows * x).sum(1, keepdims=True) / total
    y -= (columns * y).sum(1, keepdims=True) / total
    together = np.einsum("bij,bi,bj->b", tables, x, y)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(together / np.sqrt((rows * x**2).sum(1) * (columns * y**2).sum(1)))


def _midranks(counts: Floats) -> Floats:
    return np.asarray(counts.cumsum(1) - counts / 2, dtype=float)


def _within(score: Codes, csat: Codes, tickets: Floats, person: Codes, stratum: Codes, weights: Floats) -> Floats:
    """Correlation of ranks after the mean of each agent and helpdesk is taken out, under each row of weights."""
    x, y = (
        _midranks(np.asarray(np.bincount(codes, tickets)[None, :], dtype=float))[0][codes] for codes in (score, csat)
    )
    size = np.bincount(stratum, tickets)
    x = x - (np.bincount(stratum, tickets * x) / size)[stratum]
    y = y - (np.bincount(stratum, tickets * y) / size)[stratum]
    products = np.column_stack([np.bincount(person, tickets * part) for part in (x * y, x * x, y * y)])
    together, xx, yy = (weights @ products).T
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(together / np.sqrt(np.where(xx * yy > 1e-9, xx * yy, np.nan)))
