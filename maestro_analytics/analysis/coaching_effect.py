"""Whether coaching works: with controls, because low scores recover by themselves."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Literal, Unpack

import numpy as np
import polars as pl

from maestro_analytics.analysis.answer import HOW_SURE, Answer, Schema
from maestro_analytics.analysis.arguments import checked
from maestro_analytics.analysis.filters import Choice, Filters, Store
from maestro_analytics.analysis.grader_cells import only, person_ids, scored_cells, with_scores
from maestro_analytics.analysis.statistics.arrays import Codes, Floats, renumbered
from maestro_analytics.analysis.statistics.effects import (
    Effect,
    due_to_scores_before,
    estimates,
    imputation,
    matched_effect,
    matched_weights,
    newcomers,
    selection,
)
from maestro_analytics.analysis.statistics.trials import MOST_CONTROLS, Coached, Panel, Trials, Window

REGRESSION = (
    "Agents are coached after bad weeks, and bad weeks pass by themselves: 'before and after' and 'against all "
    "uncoached' show an improvement even where coaching does nothing. Read the recommended row."
)
SESSION_DATE = "A session counts on the day of its meeting, and on the day it was created where it has no meeting date."
NO_ZEROS = "matched, without auto-fails"
NO_NEWCOMERS = "matched, without newcomers"
IMPUTED = "imputation"
PLACEBO = "placebo"
WARNINGS = {
    NO_ZEROS: "says nothing about auto-fails themselves",
    NO_NEWCOMERS: "",
    IMPUTED: "too high where sessions follow bad weeks, which pass by themselves",
    PLACEBO: "an effect before the session cannot be one of the session: it should be about 0",
    "before and after": "regression to the mean: scores would have risen without coaching",
    "against all uncoached": "regression to the mean: the uncoached were luckier before and fall back",
    "matched": "",
    "adjusted (ANCOVA)": "assumes that scores follow a straight line where coached and uncoached do not overlap",
}
MORE = 0.15
"""Sessions were given for a reason whose share among the coached is larger by this than among the others."""
SMALL_DIP, LARGEST_DIP = 1.0, 3.0
"""A dip before the session is ignored when its estimate is below the first, or its whole interval below the second."""
FEWEST_SESSIONS = 3
"""With fewer coaching sessions than this, the interval is null."""
RECOMMENDED = ("matched", "adjusted (ANCOVA)", NO_ZEROS, NO_NEWCOMERS, IMPUTED)
NAIVE = ("before and after", "against all uncoached")
METHOD_WORDS = {
    "matched": "agents of equal scores",
    NO_ZEROS: "equal scores, no auto-fails",
    NO_NEWCOMERS: "equal scores, no newcomers",
    "adjusted (ANCOVA)": "all, scores before evened out",
    IMPUTED: "what was to be expected",
    PLACEBO: "counter-check: weeks before",
    "before and after": "only before and after",
    "against all uncoached": "all who were not coached",
}
"""What people read in the place of a method's name."""
EFFECTS: Schema = {
    "method": pl.String,
    "recommended": pl.Boolean,
    **dict.fromkeys(("n", "n_na", "agents", "controls"), pl.Int64),
    **dict.fromkeys(("effect", "lo", "hi", "pre_gap"), pl.Float64),
    "reliable": pl.Boolean,
    **dict.fromkeys(("reason", "warning"), pl.String),
}


def coached_grades(store: Store, choice: Choice, window: Window, *, margin: int = 0) -> list[Coached]:
    """The data about whole grades: one entry, or none without a chosen session or without grades."""
    # Small queries first: in a report they would wait for the long one of another answer.
    sessions = _sessions(store, "coaching_sessions", choice)
    cells = only(with_scores(scored_cells(store, _around(choice, window, margin))), pl.col("day").is_not_null())
    moved = _to_one_level(cells["rubric"].to_numpy(), cells)
    scores = only(cells.select("person", "day", "n", "zeros", "total", moved=moved), pl.col("person") > 0)
    people = person_ids(store).sort("person").filter(pl.col("person").is_in(scores["person"].unique().implode()))
    # Cells of one person and day are added up by the panel.
    scores = scores.with_columns(
        person=pl.Series(renumbered(scores["person"].to_numpy()), dtype=pl.Int64),
        total=pl.col("total") + pl.col("n") * pl.col("moved"),
    )
    return _gathered(store, scores, people["person_id"], sessions)


def coached_questions(store: Store, choice: Choice, window: Window) -> list[Coached]:
    """One entry for each question coached in a chosen session, its scores shifted to the mean of all questions."""
    scores = store.query("daily_question_scores", **_around(choice, window).variables, week_zone=choice.week_zone)
    moved = _to_one_level(scores["question_id"].rank("dense").to_numpy().astype(np.int64), scores)
    scores = scores.with_columns(pl.col("total") + pl.col("n") * moved)
    scores = scores.filter(pl.col("person_id").is_not_null())
    names = scores["person_id"].unique().sort()
    scores = scores.with_columns(person=pl.col("person_id").cast(pl.Enum(names)).to_physical().cast(pl.Int64))
    return _gathered(store, scores, names, _sessions(store, "coached_questions", choice), by="question_id")


def _to_one_level(code: Codes, scores: pl.DataFrame) -> pl.Series:
    """By how many points the scores of each row are moved, so that those of each code have the mean of all scores."""
    n, total = (scores[name].to_numpy().astype(float, copy=False) for name in ("n", "total"))
    with np.errstate(invalid="ignore"):  # of codes that do not occur
        return pl.Series((total.sum() / n.sum() - np.bincount(code, total) / np.bincount(code, n))[code])


def _around(choice: Choice, window: Window, margin: int = 0) -> Choice:
    """The scores chosen: those of all agents that the sessions' other filters choose, over a longer period."""
    since, until = choice.since, choice.until
    return replace(
        choice,
        since=since and since - timedelta(days=max(2 * window.before, margin) + 1),
        until=until and until + timedelta(days=max(window.after, margin) + 2),
        names={kind: name for kind, name in choice.names.items() if kind != "agent"},
    )


def _sessions(store: Store, query: str, choice: Choice) -> pl.DataFrame:
    """All sessions, those of other periods and agents too, and which of them are `wanted`."""
    everything = store.query(query, week_zone=choice.week_zone)
    chosen = store.query(query, **choice.variables_of("since", "until", "team", "agent"), week_zone=choice.week_zone)[
        "coaching_session_id"
    ]
    return everything.with_columns(wanted=pl.col("coaching_session_id").is_in(chosen.unique().implode()))


def _gathered(
    store: Store, scores: pl.DataFrame, names: pl.Series, sessions: pl.DataFrame, *, by: str | None = None
) -> list[Coached]:
    """The data of all scores, or of each value of `by`.

    Args:
        names: the ids of the persons whose numbers (from 0) the scores have, in order.
    """
    members = store.query("team_members").group_by("person_id").agg(pl.col("group_id").min())
    people = names.to_frame().with_row_index("person")
    people = people.join(members, on="person_id", how="left", maintain_order="left").with_columns(
        pl.col("person").cast(pl.Int64), team=pl.col("group_id").fill_null("").rank("dense").cast(pl.Int64) - 1
    )
    sessions = sessions.join(people, on="person_id")
    first, last = scores["day"].min(), scores["day"].max()
    if not isinstance(first, date) or not isinstance(last, date):
        return []
    parts = {(): scores} if by is None else scores.partition_by(by, as_dict=True)

    def panel(rows: pl.DataFrame) -> Panel:
        return Panel.of(
            rows["person"].to_numpy(),
            _days_since(first, rows["day"]),
            rows["n"].to_numpy(),
            rows["total"].to_numpy(),
            persons=people.height,
            days=(last - first).days + 1,
            team=people["team"].to_numpy(),
        )

    found = []
    for key in sorted(parts):
        mine = sessions if by is None else sessions.filter(pl.col(by) == key[0])
        if not mine["wanted"].any():
            continue
        scored = parts[key]
        failed = scored.clear()
        if by is None:  # effects on whole grades; grades of 0 percent get a separate panel
            failed = scored.filter(pl.col("zeros") > 0).with_columns(n="zeros", total=pl.col("zeros") * pl.col("moved"))
        found.append(
            Coached(
                panel(scored),
                panel(failed) if failed.height else None,
                mine["person"].to_numpy(),
                _days_since(first, mine["day"]),
                mine["wanted"].to_numpy(),
            )
        )
    return found


def _days_since(first: date, days: pl.Series) -> Codes:
    return days.to_physical().to_numpy() - np.int64((first - date(1970, 1, 1)).days)


@checked
def coaching_effect(
    store: Store,
    *,
    at: Literal["grade", "question"] = "grade",
    before_days: int = 28,
    after_days: int = 28,
    min_n: int = 5,
    min_sessions: int = 20,
    confidence: float = 0.95,
    seed: int = 0,
    **filters: Unpack[Filters],
) -> Answer:
    """By how many points do scores rise because of a coaching session?

    One row per way of answering, the recommended one first. The naive ways stand beside it, because dashboards show
    them. Compared are the mean scores of `after_days` after a session (up to the person's next one) with those of
    agents who had the same scores in the `before_days` before (the day of the session counts as before, because a
    session is often given for a grade of that day), and in twice that, in the same team and weeks, and were not
    coached. Scores are first rid of differences between rubrics.

    `at="question"` asks about the question that was coached alone (the `criteria_id` of a session's coaching points):
    the score of its answers, compared with agents of equal scores on the same question who were not coached on it, rid
    of differences between questions. A session counts once for each question.

    Columns
        method           String   "matched", "adjusted (ANCOVA)", "before and after", "against all uncoached"; for whole
                                  grades also "matched, without auto-fails", "matched, without newcomers" (first grade
                                  less than 12 weeks before), "imputation" (own earlier scores and the weeks) and
                                  "placebo" (matched, as if each session had been `before_days` + `after_days` earlier)
        recommended      Boolean  the row to read, by what the sessions were given for; none where no row can be used,
                                  and then the caveat says why
        n, n_na          Int64    sessions counted; sessions left out (fewer than `min_n` grades before, none after, or
                                  another session of the person within twice `before_days` before)
        agents           Int64    agents behind the figure, coached and not
        controls         Int64    times that someone not coached was compared with (0: no control at all)
        effect, lo, hi   Float64  points of the percent score, with an interval that allows for repeated agents
        pre_gap          Float64  how much lower the coached scored before than those they are compared with, points
        reliable, reason, warning

    Source: sql/queries/coaching_sessions.sql and grader_cells.sql; by question coached_questions.sql and
    daily_question_scores.sql. The period chooses sessions; grades around them are taken from outside it too. Errors:
    see `Filters`.
    """
    choice = Choice.of(store, filters)
    window = Window(before_days, after_days)
    data = coached_grades(store, choice, window) if at == "grade" else coached_questions(store, choice, window)
    share = max(MOST_CONTROLS // max(len(data), 1), 2000)
    made = [
        each.trials(window, min_n=min_n, seed=seed, question=question, most_controls=share)
        for question, each in enumerate(data)
    ]
    left_out = sum(missed for _, missed in made)
    found = estimates(Trials.of_all([trials for trials, _ in made]), confidence=confidence) if made else []
    counted = {effect.method: effect.coached for effect in found}
    enough = counted.get("matched", 0) >= max(1, counted.get("adjusted (ANCOVA)", 0) / 2)
    recommended = "matched" if enough else "adjusted (ANCOVA)"
    why = ""
    if at == "grade" and made:
        checks, recommended, why = _checked(
            data[0],
            made[0][0],
            window,
            recommended,
            next(effect for effect in found if effect.method == "matched"),
            min_n=min_n,
            seed=seed,
            confidence=confidence,
        )
        found += checks
        usable = {effect.method for effect in found if not np.isnan(effect.effect.lo) and effect.coached > 0}
        if recommended and recommended not in usable and why:
            why += f" The row {recommended!r} that would answer cannot be worked out, so none is recommended."
            recommended = ""
    if all(np.isnan(effect.effect.value) for effect in found if effect.method == recommended) and recommended:
        why = "No row can be worked out from so few sessions, or from so few agents without one: none is recommended."
        recommended = ""
    rows = [_row(effect, recommended, left_out, min_sessions) for effect in found]
    frame = pl.DataFrame(rows, schema=EFFECTS)
    order = dict.fromkeys((recommended, *RECOMMENDED[:2], *NAIVE, *RECOMMENDED[2:], PLACEBO))
    rank = {name: at for at, name in enumerate(order)}
    frame = frame.sort(pl.col("method").replace_strict(rank, default=9, return_dtype=pl.Int64))
    return Answer.of(
        frame,
        choice,
        question="By how many points do scores rise because of a coaching session?"
        if at == "grade"
        else "By how many points does the score of a coached question rise because of the session?",
        caveat=" ".join(filter(None, (REGRESSION, why, SESSION_DATE))),
        reason=None if frame.height else f"no coaching session can be counted ({choice.words})",
    )


def _checked(
    data: Coached,
    made: Trials,
    window: Window,
    usual: str,
    matched: Effect,
    *,
    min_n: int,
    seed: int,
    confidence: float,
) -> tuple[list[Effect], str, str]:
    """Further rows, which row to recommend, and why: by auto-fails, newcomers and standing before the session."""
    seen = selection(made, data.panel, data.zeros, before=window.before, confidence=confidence)
    plain, without_zeros = made, replace(matched, method=NO_ZEROS)
    if data.zeros is not None:  # without grades of 0 percent, leaving them out changes nothing
        plain, _ = data.without_zeros.trials(window, min_n=min_n, seed=seed)
        without_zeros = matched_effect(plain, NO_ZEROS, confidence=confidence)
    new = newcomers(plain, data.panel)
    settled = replace(without_zeros, method=NO_NEWCOMERS)
    if new.any():
        settled = matched_effect(plain.only(~new), NO_NEWCOMERS, confidence=confidence)
    placebo, _ = data.earlier(window.before + window.after).trials(window, min_n=min_n, seed=seed)
    imputed, coached = imputation(
        data.panel, data.person[data.wanted], data.day[data.wanted], after=window.after, confidence=confidence
    )
    rows = [
        without_zeros,
        settled,
        Effect(IMPUTED, imputed, coached, len(data.panel.counts) - coached, float("nan")),
        matched_effect(placebo, PLACEBO, confidence=confidence),
    ]
    if seen.new_coached - seen.new_others > MORE:
        why = (
            f"{seen.new_coached:.0%} of the coached were new and {seen.new_others:.0%} of the others: newcomers "
            "improve without coaching and are left out."
        )
        return rows, NO_NEWCOMERS, why
    if seen.autofail_coached - seen.autofail_others > MORE:
        why = (
            f"{seen.autofail_coached:.0%} of the coached had an auto-fail before and {seen.autofail_others:.0%} of "
            "the others: an auto-fail is seldom followed by another, so auto-fails are left out."
        )
        return rows, NO_ZEROS, why
    if seen.standing.hi < 0 and not seen.dip.hi < 0:
        lower = f"The coached had scored {-seen.standing.value:.1f} points lower for long"
        if not (seen.dip.value > -SMALL_DIP or seen.dip.lo > -LARGEST_DIP):
            why = (
                f"{lower}, and their earlier grades are too few to say whether they had a dip before the session as "
                "well: agents of equal scores may be better ones in a bad stretch, so no row is recommended."
            )
            return rows, "", why
        if imputed.lo > matched.effect.hi or matched.effect.lo > imputed.hi:
            why = (
                f"{lower}; held against their own earlier scores and against agents of equal scores they show effects "
                "that contradict each other: no row is recommended."
            )
            return rows, "", why
        why = f"{lower}, without a dip before the session: they are held against their own earlier scores."
        return rows, IMPUTED, why
    return rows, usual, ""


def _row(effect: Effect, recommended: str, left_out: int, min_sessions: int) -> dict[str, object]:
    known = not np.isnan(effect.effect.value)
    if not known:
        reason = (
            "no comparable agents without coaching" if effect.method in (*RECOMMENDED, PLACEBO) else "too few sessions"
        )
    elif effect.coached < min_sessions:
        reason = f"{effect.coached} sessions: fewer than {min_sessions}"
    elif np.isnan(effect.effect.lo):
        reason = "no interval: too few agents to compare"
    else:
        reason = WARNINGS[effect.method] if effect.method not in RECOMMENDED else ""
        if not reason and effect.method != recommended:
            if not recommended:
                reason = "no row can be recommended; see the caveat"
            elif recommended not in RECOMMENDED[:2]:
                reason = "another row is recommended; see the caveat"
            if not reason and effect.method == IMPUTED:
                reason = WARNINGS[IMPUTED]
    ends = (effect.effect.lo, effect.effect.hi) if effect.coached >= FEWEST_SESSIONS else (np.nan, np.nan)
    value, lo, hi, gap = (
        None if np.isnan(number) else number for number in (effect.effect.value, *ends, effect.gap_before)
    )
    return {
        "method": effect.method,
        "recommended": effect.method == recommended,
        "n": effect.coached,
        "n_na": left_out,
        "agents": effect.effect.clusters,
        "controls": effect.controls,
        "effect": value,
        "lo": lo,
        "hi": hi,
        "pre_gap": gap,
        "reliable": not reason,
        "reason": reason,
        "warning": WARNINGS[effect.method],
    }


@checked
def coaching_timeline(
    store: Store,
    *,
    weeks: int = 8,
    before_days: int = 28,
    after_days: int = 28,
    min_n: int = 5,
    confidence: float = 0.95,
    seed: int = 0,
    **filters: Unpack[Filters],
) -> Answer:
    """How do scores move around a coaching session, beside agents of equal scores who were not coached?

    One row per group and week from the session: week -1 is the seven days before it, week 1 the seven after; the day of
    the session is in none. Both groups are the ones of `coaching_effect`, matched. After the session, the line of
    the controls is moved to where it would be if they had had exactly the scores of the coached before, so that the gap
    after is the matched effect.

    Columns
        group             String   "coached" or "matched controls"
        week              Int64    -weeks to weeks, without 0
        n, n_na           Int64    sessions (or comparisons) with and without a grade in the week
        mean, lo, hi      Float64  mean score of the week, rid of differences between rubrics, percent; clustered by
                                   agent
        moved             Float64  points that mean, lo and hi of the controls were moved by; 0 for the coached, and
                                   before the session
        overlapping       Int64    sessions whose person has another session by that week: their grades count up to it
        method, reliable, reason

    Source: as `coaching_effect`. Errors: see `Filters`.
    """
    choice = Choice.of(store, filters)
    window = Window(before_days, after_days)
    rows: list[dict[str, object]] = []
    for data in coached_grades(store, choice, window, margin=7 * weeks):
        made, _ = data.trials(window, min_n=min_n, seed=seed)
        found, weight = matched_weights(made)
        for group, weights in (("coached", found.astype(float)), ("matched controls", weight)):
            members = made.only(weights > 0)
            due = 0.0 if group == "coached" else due_to_scores_before(made, found, weight)
            for week in (*range(-weeks, 0), *range(1, weeks + 1)):
                moved = due if week > 0 else 0.0
                rows.append(
                    {"group": group, "week": week, "moved": moved}
                    | _week(data, members, weights[weights > 0], week, moved=moved, confidence=confidence)
                )
    schema: Schema = {
        "group": pl.String,
        **dict.fromkeys(("week", "n", "n_na"), pl.Int64),
        **dict.fromkeys(("mean", "lo", "hi", "moved"), pl.Float64),
        "overlapping": pl.Int64,
        **HOW_SURE,
    }
    return Answer.of(
        pl.DataFrame(rows, schema=schema),
        choice,
        question="How do scores move around a coaching session?",
        caveat=f"Both groups dip before and recover after: luck passing. What counts is the gap after. {SESSION_DATE}",
        reason=None if rows else f"no coaching session can be counted ({choice.words})",
    )


def _week(
    data: Coached, members: Trials, weights: Floats, week: int, *, moved: float, confidence: float
) -> dict[str, object]:
    from scipy import special

    person, day = members.person, members.day
    following = data.next_session(person, day)
    start = day + (7 * week if week < 0 else 7 * (week - 1) + 1)
    end = start + 7 if week < 0 else np.clip(following + 1, start, start + 7)
    n, total = data.panel.window(person, start, end)
    w = weights * n
    overlapping = data.next_session(person, day + 7 * week - 1) < day if week < 0 else following <= day + 7 * week
    counted = n > 0
    base = {
        "n": int(counted.sum()),
        "n_na": int((~counted).sum()),
        "overlapping": int(overlapping.sum()),
        "method": "mean of matched sessions, clustered by agent",
    }
    if not w.sum():
        return base | {"mean": None, "lo": None, "hi": None, "reliable": False, "reason": "no grades in this week"}
    score = total / np.maximum(n, 1)
    mean = float((w * score).sum() / w.sum())
    clusters = np.unique(person, return_inverse=True)[1]
    influence = np.bincount(clusters, w * (score - mean)) / w.sum()
    number = int((np.bincount(clusters, w) > 0).sum())
    error = float(np.sqrt((influence**2).sum() * number / max(number - 1, 1)))
    reach = float(special.stdtrit(max(number - 1, 1), 0.5 + confidence / 2)) * error
    known = number > 2
    reason = "" if known and counted.sum() >= 20 else f"{int(counted.sum())} sessions: fewer than 20"
    return base | {
        "mean": mean + moved,
        "lo": mean + moved - reach if known else None,
        "hi": mean + moved + reach if known else None,
        "reliable": not reason,
        "reason": reason,
    }
