"""What changed between two periods, and which of the changes are more than chance."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, time, timedelta
from typing import Literal, Unpack
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl

from maestro_analytics.analysis.answer import HOW_SURE, Answer, Schema
from maestro_analytics.analysis.arguments import checked
from maestro_analytics.analysis.filters import Choice, Filters, Store, moment
from maestro_analytics.analysis.grader_cells import (
    cell_sums,
    days_correlation,
    fitted_graders,
    person_ids,
    scored_cells,
    with_names,
    with_scores,
)
from maestro_analytics.analysis.statistics import mixed
from maestro_analytics.analysis.statistics.arrays import Floats, renumbered
from maestro_analytics.analysis.statistics.day_effects import day_weighted
from maestro_analytics.analysis.statistics.intervals import cluster_freedom, doubt_of_zero, weighted_cluster_mean
from maestro_analytics.analysis.statistics.mixed_equations import Cells
from maestro_analytics.analysis.summaries import FEWEST_CLUSTERS, WIDEST, beyond_chance, nullable
from maestro_analytics.errors import InvalidArgument

Changing = Literal["agent", "team", "question", "grader"]
DAYS = 28
CHANGES: Schema = {
    **dict.fromkeys(("id", "name", "rubric_name"), pl.String),
    **dict.fromkeys(("n", "n_before", "n_na", "agents"), pl.Int64),
    **dict.fromkeys(("before", "after", "change", "lo", "hi"), pl.Float64),
    "changed": pl.String,
    **HOW_SURE,
}
PAIRED = "same agents and rubrics in both periods, clustered by agent"
UNCONNECTED_GRADER = "shares no agents with any other grader in one of the periods: nobody to compare with"
METHODS = {
    "agent": "mixed model of agent and period, grader and rubric",
    "team": PAIRED,
    "question": "same agents in both periods, clustered by agent",
    "grader": "severity on the same agents, rubrics and months in each period; errors clustered",
}


def is_of_graders(frame: pl.DataFrame) -> bool:
    """Whether a frame of `changes` is about graders, whose scores mean how strict they are."""
    return METHODS["grader"] in frame["method"]


def changed_words(frame: pl.DataFrame) -> dict[str, str]:
    """What the values of `changed` mean in a frame of `changes`, in words."""
    fell, rose = ("stricter", "more lenient") if is_of_graders(frame) else ("fell", "rose")
    return {"down": fell, "up": rose, "": "may be chance"}


@checked
def changes(
    store: Store,
    *,
    by: Changing = "agent",
    against: datetime | date | str | None = None,
    min_n: int = 10,
    confidence: float = 0.95,
    **filters: Unpack[Filters],
) -> Answer:
    """What really changed between two periods?

    One row per agent, team, question or grader that was scored in both periods, the largest fall first. The newer
    period is `since` to `until`; the older one begins at `against` and ends at `since`. Agents are compared under an
    average grader, so that other graders make no change; teams and questions over the same agents (and rubrics), so
    that joiners and leavers make none; graders by their severity, which the quality of the agents does not move.

    Args:
        since: start of the newer period; by default 28 days before the newest grade.
        against: start of the older period, as `since`; by default as long before `since` as the newer period lasts.

    Columns
        id, name            String   of the person, team (group), question, or the grader's name twice
        rubric_name         String   of a question, else null
        n, n_before         Int64    scored grades (answers) in the newer and the older period
        n_na                Int64    those without a score, in both
        agents              Int64    agents behind the comparison
        before, after       Float64  percent; of graders: points above the mean grader
        change, lo, hi      Float64  after minus before, percent points, with its interval
        changed             String   "up" or "down", else ""; only reliable rows; at most 5 % of those named are
                                     expected to be wrong (Benjamini-Hochberg)
        method, reliable, reason     reliable: `min_n` grades in each period, and five agents (not by='agent')

    Source: sql/queries/grader_cells.sql, agent_scores.sql, question_scores.sql, team_members.sql. Errors: see
    `Filters`; InvalidArgument where `against` is not before `since`.
    """
    choice, older, _ = two_periods(store, Choice.of(store, filters), against)
    if older is None:
        table = pl.DataFrame(schema=CHANGES)
    elif by == "agent":
        table = _of_agents(store, choice, older, confidence=confidence)
    elif by == "grader":
        table = _of_graders(store, choice, older, confidence=confidence)
    else:
        table = _paired(store, choice, older, by=by, confidence=confidence)
    table = _judged(table, by=by, min_n=min_n, confidence=confidence)
    caveat = (
        ""
        if older is None
        else f"The period before: {older.period}. A rubric or kind of ticket that changed is a change too."
    )
    return Answer.of(
        table.select(list(CHANGES)).cast(CHANGES).sort("change", "id", nulls_last=True),  # type: ignore[arg-type]
        choice,
        question=f"Which {by}s changed? Percent points.",
        caveat=caveat,
    )


def two_periods(
    store: Store, choice: Choice, against: datetime | date | str | None
) -> tuple[Choice, Choice | None, date | None]:
    """The two periods that are compared.

    Returns:
        The filters of the newer period, those of the older one, and the day of the newest grade. Without a dated grade
        the filters as given, and None for the other two.
    """
    newest = scored_cells(store, choice)["day"].max()
    if not isinstance(newest, date):
        return choice, None, None
    zone = ZoneInfo(choice.week_zone)
    end = choice.until or datetime.combine(newest + timedelta(days=1), time(), zone)
    since = choice.since or datetime.combine(newest - timedelta(days=DAYS - 1), time(), zone)
    try:
        start = moment(against, zone=choice.week_zone, name="against") or since - (end - since)
    except OverflowError:
        raise InvalidArgument(f"no period as long lies before since ({since.isoformat()}): give against") from None
    if start >= since:
        raise InvalidArgument(f"against ({start.isoformat()}) must be before since ({since.isoformat()})")
    return replace(choice, since=since), replace(choice, since=start, until=since), newest


def _cells(store: Store, choice: Choice, older: Choice) -> pl.DataFrame:
    """The cells of both periods, `period` 0 and 1."""
    parts = [scored_cells(store, each).with_columns(period=pl.lit(at)) for at, each in enumerate((older, choice))]
    return pl.concat(parts)


def _of_agents(store: Store, choice: Choice, older: Choice, *, confidence: float) -> pl.DataFrame:
    """An agent's two periods are two agents of the mixed model; its graders and rubrics are the same in both."""
    cells = _cells(store, choice, older)
    counted = _counted(cells, "person")
    scored = cells.filter(pl.col("n") > 0).join(counted.select("person"), on="person")
    if not scored.height:
        return pl.DataFrame(schema=CHANGES)
    sums = cell_sums(scored)
    effective = day_weighted(*sums, days_correlation(sums, scored["person"], scored["grader"]))
    n, total, squares = map(pl.Series, effective)
    scored = scored.with_columns(n=n, total=total, squares=squares)
    keys = ["person", "period", "grader", "rubric"]
    scored = scored.group_by(keys).agg(pl.col("n", "total", "squares").sum()).sort(keys)
    people, agent = np.unique(scored["person"].to_numpy(), return_inverse=True)
    found = mixed.agent_effects(
        Cells(
            *cell_sums(scored),
            agent=(2 * agent + scored["period"].to_numpy()).astype(np.int64),
            grader=renumbered(scored["grader"].to_numpy()),
            other=[renumbered(scored["rubric"].to_numpy())],
        ),
        confidence=confidence,
        draws=0,
    )
    adjusted, lo, hi = (found.agents[name] for name in mixed.ADJUSTED)
    before, after = adjusted[0::2], adjusted[1::2]
    half = [(hi[at::2] - lo[at::2]) / 2 for at in (0, 1)]
    reach = np.hypot(*half)
    apart = found.component[0::2] != found.component[1::2]
    change = np.where(apart, np.nan, after - before)
    table = pl.DataFrame(
        {"person": people, "before": nullable(before), "after": nullable(after), "change": nullable(change)}
    ).with_columns(lo=nullable(change - reach), hi=nullable(change + reach), agents=pl.lit(1, pl.Int64))
    names = store.query("agent_scores", **choice.variables, threshold=80.0).select("person_id", "agent_name")
    return (
        table.join(counted, on="person")
        .join(person_ids(store), on="person", how="left")
        .join(names.unique("person_id"), on="person_id", how="left")
        .with_columns(id="person_id", name="agent_name", rubric_name=pl.lit(None, pl.String))
    )


def _of_graders(store: Store, choice: Choice, older: Choice, *, confidence: float) -> pl.DataFrame:
    from scipy import special

    cells = _cells(store, choice, older).filter(pl.col("grader") > 0)
    counted = _counted(cells, "grader")
    parts = []
    for period in (0, 1):
        scored = with_scores(cells.filter(pl.col("period") == period))
        if not scored.height or not counted.height:
            return pl.DataFrame(schema=CHANGES)
        names = scored["grader"].unique().sort()
        made, effects, errors = fitted_graders(scored)
        reach = special.stdtrit(errors.freedom, 0.5 + confidence / 2) * errors.error
        found = pl.DataFrame(
            {
                "grader": names,
                "effect": nullable(effects.effect),
                "reach": nullable(reach),
                "freedom": nullable(errors.freedom),
            }
        )
        parts.append(found.with_columns(agents=pl.lit(int(made.agent.max()) + 1, pl.Int64)))
    change, reach = pl.col("after") - pl.col("before"), (pl.col("reach") ** 2 + pl.col("reach_after") ** 2).sqrt()
    both = (
        parts[0]
        .rename({"effect": "before"})
        .join(parts[1].select("grader", after="effect", reach_after="reach", freedom_after="freedom"), on="grader")
    )
    return (
        with_names(store, both.join(counted, on="grader"))
        .with_columns(change=change, lo=change - reach, hi=change + reach, id="grader", name="grader")
        .with_columns(rubric_name=pl.lit(None, pl.String), freedom=pl.min_horizontal("freedom", "freedom_after"))
    )


def _paired(store: Store, choice: Choice, older: Choice, *, by: str, confidence: float) -> pl.DataFrame:
    """Differences of each agent (and rubric), averaged over the agents of a team or the agents asked a question."""
    query = "agent_scores" if by == "team" else "question_scores"
    keys = ["person_id", "rubric_id"] + ([] if by == "team" else ["question_id"])
    parts = []
    for each in (older, choice):
        threshold = {"threshold": 80.0} if by == "team" else {}
        frame = store.query(query, **each.variables, **threshold)
        parts.append(frame.group_by(keys).agg(pl.col("n", "n_na", "total").sum(), *_labels(frame)))
    both = parts[1].join(
        parts[0].select(*keys, n_before="n", n_na_before="n_na", total_before="total"), on=keys, nulls_equal=True
    )
    if by == "team":
        members = store.query("team_members", **choice.variables_of("team"))
        both = both.join(members, on="person_id").rename({"group_id": "id", "group_name": "name"})
        group = ["id"]
        both = both.with_columns(rubric_name=pl.lit(None, pl.String))
    else:
        both = both.rename({"question_id": "id", "question": "name"})
        group = ["id", "rubric_id"]
    both = both.filter((pl.col("n") > 0) & (pl.col("n_before") > 0)).with_columns(
        weight=pl.col("n") * pl.col("n_before") / (pl.col("n") + pl.col("n_before")),
        mean=pl.col("total") / pl.col("n"),
        mean_before=pl.col("total_before") / pl.col("n_before"),
    )
    rows = []
    for key, part in both.sort(*group, *keys[:2]).group_by(group, maintain_order=True):
        weight, after, before = (part[name].to_numpy() for name in ("weight", "mean", "mean_before"))
        cluster = np.unique(part["person_id"].to_numpy(), return_inverse=True)[1]
        change, lo, hi = weighted_cluster_mean(after - before, weight, cluster, confidence=confidence)
        rows.append(
            {
                "id": key[0],
                "name": part["name"].max(),
                "rubric_name": part["rubric_name"].max(),
                "n": part["n"].sum(),
                "n_before": part["n_before"].sum(),
                "n_na": int(part["n_na"].sum()) + int(part["n_na_before"].sum()),
                "agents": int(cluster.max()) + 1,
                "before": _mean(before, weight),
                "after": _mean(after, weight),
                "change": change,
                "lo": lo,
                "hi": hi,
                "freedom": cluster_freedom(weight, cluster),
            }
        )
    schema = {name: kind for name, kind in CHANGES.items() if name not in ("changed", "method", "reliable", "reason")}
    schema["freedom"] = pl.Float64
    return pl.DataFrame(rows, schema=schema).with_columns(pl.col("change", "lo", "hi").fill_nan(None))


def _labels(frame: pl.DataFrame) -> list[pl.Expr]:
    return [pl.col(name).max() for name in ("rubric_name", "question") if name in frame.columns]


def _mean(values: Floats, weight: Floats) -> float:
    return float(values @ weight / weight.sum())


def _counted(cells: pl.DataFrame, key: str) -> pl.DataFrame:
    """How many grades each person or grader has in both periods, for those scored in each."""
    newer = pl.col("period") == 1
    return (
        cells.group_by(key)
        .agg(n=pl.col("n").filter(newer).sum(), n_before=pl.col("n").filter(~newer).sum(), n_na=pl.col("n_na").sum())
        .filter((pl.col("n") > 0) & (pl.col("n_before") > 0))
    )


def _judged(table: pl.DataFrame, *, by: Changing, min_n: int, confidence: float) -> pl.DataFrame:
    """Adds changed, method, reliable and reason; `freedom` is that of the interval's t, where the table has it."""
    fewer = pl.min_horizontal("n", "n_before")
    # A change cannot be larger than the scale.
    wide = pl.col("hi") - pl.col("lo")
    known = (wide <= 2 * WIDEST) & (wide > 0)
    reason = (
        pl.when(fewer < min_n)
        .then(pl.format(f"{{}} grades in one of the periods: fewer than {min_n}", fewer))
        .when((pl.col("agents") < FEWEST_CLUSTERS) & pl.lit(by != "agent"))
        .then(pl.format("{} agents: too few to allow for differences between them", "agents"))
        .when(pl.col("change").is_null())
        .then(pl.lit(UNCONNECTED_GRADER if by == "grader" else "no common grader or rubric connects the two periods"))
        .when(wide == 0)
        .then(pl.lit("no interval: all changes are equal"))
        .when(~known.fill_null(False))
        .then(pl.lit("no interval: too few grades"))
        .otherwise(pl.lit(""))
    )
    table = table.with_columns(
        reason=reason,
        lo=pl.when(known).then(pl.col("lo").clip(-WIDEST)),
        hi=pl.when(known).then(pl.col("hi").clip(upper_bound=WIDEST)),
    ).with_columns(reliable=pl.col("reason") == "", method=pl.lit(METHODS[by]))
    freedom = table["freedom"] if "freedom" in table.columns else np.inf
    doubt = doubt_of_zero(table["change"], table["lo"], table["hi"], confidence=confidence, freedom=freedom)
    return table.with_columns(
        changed=beyond_chance(table["change"], doubt, table["reliable"], rate=1 - confidence, below="down", above="up")
    )


OVERALL = {
    "measure": pl.String, "starts": pl.Date, "ends": pl.Date, "starts_before": pl.Date, "ends_before": pl.Date,
    "n": pl.Int64, "n_before": pl.Int64, "n_na": pl.Int64, "agents": pl.Int64, "before": pl.Float64,
    "after": pl.Float64, "change": pl.Float64, "lo": pl.Float64, "hi": pl.Float64, "changed": pl.String,
    "method": pl.String, "reliable": pl.Boolean, "reason": pl.String,
}  # fmt: skip
OVERALL_METHOD = "means of all grades; interval of their difference clustered by agent, t"


def overall(
    store: Store, *, threshold: float = 80.0, min_n: int = 10, confidence: float = 0.95, **filters: Unpack[Filters]
) -> Answer:
    """Did the score and the pass rate of everyone together change from one period to the next?

    One row for the score and one for the pass rate (share of grades at or above `threshold`); percent, as graded. The
    periods are those of `changes`: by default the newest 28 days and the 28 before.

    Columns
        measure                                       String   "score" or "pass rate"
        starts, ends, starts_before, ends_before      Date     first and last day of the newer and the older period
        n, n_before, n_na                             Int64    scored grades, and those without a score in both
        agents                                        Int64    with a scored grade in either period
        before, after, change, lo, hi                 Float64  percent, and percent points with an interval
        changed                                       String   "up" or "down" where the interval excludes 0, else ""
        method, reliable, reason

    Source: sql/queries/agent_scores.sql, grader_cells.sql. Errors: see `Filters`.
    """
    choice, older, newest = two_periods(store, Choice.of(store, filters), None)
    question = "Did the score and the pass rate of everyone change?"
    if older is None:
        return Answer.of(pl.DataFrame(schema=OVERALL), choice, question=question)
    both = pl.concat([_sums(store, each, threshold).with_columns(period=at) for at, each in enumerate((older, choice))])
    wide = both.group_by("person_id").agg(
        pl.col(name).filter(pl.col("period") == at).sum().alias(f"{name}_{at}")
        for name in ("n", "total", "passed")
        for at in (0, 1)
    ).sort("person_id", nulls_last=True)  # fmt: skip
    n = [wide[f"n_{at}"].to_numpy().astype(float) for at in (0, 1)]
    if not n[0].sum() or not n[1].sum():
        return Answer.of(
            pl.DataFrame(schema=OVERALL),
            choice,
            question=question,
            reason=f"nothing to compare with: no scored grades {older.period}" if n[1].sum() else None,
        )
    agents = int(((n[0] + n[1]) > 0).sum())
    fewer = int(min(n[0].sum(), n[1].sum()))
    reason = ""
    if fewer < min_n:
        reason = f"{fewer} grades in one of the periods: fewer than {min_n}"
    elif agents < FEWEST_CLUSTERS:
        reason = f"{agents} agents: too few to allow for differences between them"
    shared = _days(choice, older, newest=newest) | {
        "n": int(n[1].sum()), "n_before": int(n[0].sum()), "n_na": int(both["n_na"].sum()), "agents": agents,
        "method": OVERALL_METHOD, "reliable": not reason, "reason": reason,
    }  # fmt: skip
    rows = []
    for measure, name, scale in (("score", "total", 1.0), ("pass rate", "passed", 100.0)):
        sums = [scale * wide[f"{name}_{at}"].to_numpy().astype(float) for at in (0, 1)]
        means = [float(sums[at].sum() / n[at].sum()) for at in (0, 1)]
        change, reach = means[1] - means[0], _reach(sums, n, means, confidence)
        settled = not reason and abs(change) > reach
        rows.append(
            {
                "measure": measure, "before": means[0], "after": means[1], "change": change,
                "lo": change - reach, "hi": change + reach,
                "changed": ("up" if change > 0 else "down") if settled else "",
            } | shared
        )  # fmt: skip
    return Answer.of(
        pl.DataFrame(rows, schema=OVERALL).with_columns(pl.col("lo", "hi").fill_nan(None)),
        choice,
        question=question,
        caveat="Agents who came or left, other rubrics and other graders are a change too.",
    )


def _sums(store: Store, choice: Choice, threshold: float) -> pl.DataFrame:
    frame = store.query("agent_scores", **choice.variables, threshold=threshold)
    return frame.group_by("person_id").agg(pl.col("n", "n_na", "total", "passed").sum())


def _reach(sums: list[Floats], n: list[Floats], means: list[float], confidence: float) -> float:
    """Half the interval of the difference of two means, clustered by agent."""
    from scipy import special

    influence = [(sums[at] - means[at] * n[at]) / n[at].sum() for at in (0, 1)]
    clusters = int(((n[0] + n[1]) > 0).sum())
    if clusters < 2:
        return float("nan")
    error = float(np.sqrt(((influence[1] - influence[0]) ** 2).sum() * clusters / (clusters - 1)))
    return float(special.stdtrit(clusters - 1, 0.5 + confidence / 2)) * error


def _days(choice: Choice, older: Choice, *, newest: date | None) -> dict[str, date | None]:
    """The first and last day of both periods, in the time zone of weeks."""
    zone = ZoneInfo(choice.week_zone)

    def day(moment: datetime | None) -> date | None:
        return None if moment is None else moment.astimezone(zone).date()

    def last(moment: datetime | None) -> date | None:
        return None if moment is None else (moment.astimezone(zone) - timedelta(microseconds=1)).date()

    return {
        "starts": day(choice.since), "ends": last(choice.until) or newest,
        "starts_before": day(older.since), "ends_before": last(older.until),
    }  # fmt: skip
