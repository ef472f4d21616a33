"""Answers in a sentence or two, which are also the text alternatives of the pictures."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import polars as pl

from maestro_analytics.analysis.changes import changed_words, is_of_graders
from maestro_analytics.text import one_line


def listed(names: Sequence[str], *, most: int = 3) -> str:
    """Names in a row; of many the first ones and how many more there are."""
    if len(names) > most + 1:
        return f"{', '.join(names[:most])} and {len(names) - most:,} more"
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} and {names[-1]}"


def counted(number: int, one: str, many: str = "") -> str:
    """A number and what it counts."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def _named(frame: pl.DataFrame, name: str, value: str, form: str = ".1f") -> list[str]:
    texts = frame[name].fill_null("unknown").to_list()
    return [f"{text} ({number:{form}})" for text, number in zip(texts, frame[value].to_list(), strict=True)]


def _sides(
    frame: pl.DataFrame,
    what: str,
    column: str,
    sides: dict[str, str],
    *,
    names: str,
    values: str,
    form: str = "+.1f",
    found: str,
    none: str,
) -> str:
    """Who stands out on which side, the furthest first: `Of 24 agents, 2 stand out. 2 below: Ada (71.2), ...`.

    Args:
        what: what a row is about.
        column, sides: the low and the high value of this column, each with its words.
        found: the verb for those on a side.
        none: what to say when nobody is on a side.
    """
    parts = []
    for (side, words), from_top in zip(sides.items(), (False, True), strict=True):
        rows = frame.filter(pl.col(column) == side).sort(values, descending=from_top)
        if rows.height:
            parts.append(f"{rows.height:,} {words}: {listed(_named(rows, names, values, form))}")
    of = counted(frame.height, what)
    number = frame.filter(pl.col(column) != "").height
    return f"Of {of}, {number:,} {found}. {'; '.join(parts)}." if parts else f"None of {of} {none}."


def agents_standing_out(frame: pl.DataFrame) -> str:
    return _sides(
        frame, "agent", "stands_out", {"below": "below the average", "above": "above"},
        names="agent_name", values="shrunk", form=".1f",
        found="stand out", none="stands out: the differences may be chance",
    )  # fmt: skip


def below_the_average(frame: pl.DataFrame) -> str:
    """The agents who stand out below the average; an empty text if nobody does."""
    below = frame.filter(pl.col("stands_out") == "below").sort("shrunk")
    if not below.height:
        return ""
    names = listed(_named(below, "agent_name", "shrunk"))
    return f"{below.height:,} of {counted(frame.height, 'agent')} below the average: {names}."


def strictest_and_most_lenient(frame: pl.DataFrame) -> str:
    """The grader furthest on each side, of those who stand out; an empty text where there are none."""
    settled = frame.filter(pl.col("stands_out") != "").sort("adjusted")
    strict, lenient = (settled.filter(pl.col("stands_out") == side) for side in ("strict", "lenient"))
    parts = [f"strictest {name}" for name in _named(strict.head(1), "grader", "adjusted", "+.1f")]
    parts += [f"most lenient {name}" for name in _named(lenient.tail(1), "grader", "adjusted", "+.1f")]
    return f"{' and '.join(parts)}, in points." if parts else ""


def group_means(frame: pl.DataFrame) -> str:
    known = frame.filter(pl.col("mean").is_not_null())
    parts: list[str] = []
    for (rubric,), rows in known.sort("n", descending=True).group_by(["rubric_name"], maintain_order=True):
        ordered = rows.sort("mean")
        if ordered.height < 2 or len(parts) == 3:
            continue
        names = _named(ordered, "team", "mean")
        apart = ordered["lo"][-1] is not None and ordered["hi"][0] is not None and ordered["lo"][-1] > ordered["hi"][0]
        settled = "" if apart else "; their ranges overlap"
        parts.append(f"{rubric or 'Without a rubric'}: lowest {names[0]}, highest {names[-1]}{settled}")
    return f"{'. '.join(parts)}." if parts else ""


def unusual_weeks(frame: pl.DataFrame) -> str:
    of = frame["group"].n_unique()
    hits = frame.filter(pl.col("signal") != "").sort("period", descending=True)
    if not hits.height:
        return f"None of {counted(of, 'agent')} had a week outside of what is usual for them."
    names = [
        f"{name} (week of {in_words(day)})"
        for name, day in hits.unique("group", maintain_order=True).select("group", "period").rows()
    ]
    return f"{len(names)} of {counted(of, 'agent')} had an unusual week: {listed(names)}."


def drifting(frame: pl.DataFrame) -> str:
    of = counted(frame["group"].n_unique(), "grader")
    hits = frame.filter(pl.col("signal") != "").sort("period", descending=True).unique("group", maintain_order=True)
    if not hits.height:
        return f"None of {of} moved by more than chance explains."
    return f"Of {of}, {hits.height} moved: {listed(hits['group'].to_list())}."


def strict_and_lenient(frame: pl.DataFrame) -> str:
    return _sides(
        frame, "grader", "stands_out", {"strict": "strict", "lenient": "lenient"}, names="grader", values="adjusted",
        found="stand out, in points", none="is strict or lenient by more than chance explains",
    )  # fmt: skip


def agreement_by_rubric(frame: pl.DataFrame) -> str:
    known = frame.filter(pl.col("alpha").is_not_null()).sort("alpha")
    if not known.height:
        return ""
    return f"From least to best agreement: {listed(_named(known, 'rubric_name', 'alpha', '.2f'), most=6)}."


def off_benchmark(frame: pl.DataFrame) -> str:
    reliable = frame.filter("reliable")
    low = reliable.filter(pl.col("hi") < 0).sort("bias")
    high = reliable.filter(pl.col("lo") > 0).sort("bias", descending=True)
    if not low.height and not high.height:
        return "No grader is off the benchmarks by more than chance explains."
    parts = [f"below: {listed(_named(low, 'grader', 'bias', '+.1f'))}"] if low.height else []
    parts += [f"above: {listed(_named(high, 'grader', 'bias', '+.1f'))}"] if high.height else []
    return f"Off the benchmarks by more than chance explains, in points: {'; '.join(parts)}."


def largest_gap(frame: pl.DataFrame) -> str:
    settled = frame.filter(pl.col("reliable") & (pl.col("lo") > 0)).sort("bias", "grader", descending=[True, False])
    if not settled.height:
        return "No two graders differ on the same tickets by more than chance explains."
    row = settled.row(0, named=True)
    return (
        f"{counted(settled.height, 'pair')} of graders differ for real. The largest gap: {row['grader']} gives "
        f"{row['bias']:.1f} points more than {row['other']}, on {counted(row['n'], 'shared ticket')}."
    )


def costliest(frame: pl.DataFrame) -> str:
    parts = []
    for (rubric,), rows in frame.filter(pl.col("points_lost") > 0).group_by(["rubric_name"], maintain_order=True):
        first = rows.sort("points_lost", descending=True).row(0, named=True)
        parts.append(
            f"{rubric or 'Without a rubric'}: “{one_line(first['question'])}”, {first['share']:.0f} % of its lost "
            "points"
        )
    return f"The costliest question of each rubric. {listed(parts, most=4)}." if parts else "No points were lost."


def costly_for_teams(frame: pl.DataFrame) -> str:
    above = frame.filter(pl.col("stands_out") == "above").sort("gap", descending=True)
    if not above.height:
        return "No team loses points on a question more often than everyone, beyond chance."
    row = above.row(0, named=True)
    return (
        f"In {counted(above.height, 'case')} a team loses points more often than everyone, beyond chance; furthest "
        f"{row['team']} on “{one_line(row['question'])}”: {row['gap']:+.0f} of 100 answers."
    )


def least_agreed(frame: pl.DataFrame) -> str:
    known = frame.filter(pl.col("alpha").is_not_null()).sort("alpha")
    if not known.height:
        return ""
    low = known.filter(pl.col("alpha") < 0.667).height
    names = [
        f"“{one_line(question)}” ({alpha:.2f})" for question, alpha in known.head(3).select("question", "alpha").rows()
    ]
    return f"On {low} of {counted(known.height, 'question')} graders disagree; most on {listed(names)}."


def coaching_worth(frame: pl.DataFrame) -> str:
    best = frame.filter("recommended")
    if not best.height or best["effect"][0] is None:
        return "What a session is worth cannot be said from these grades."
    row = best.row(0, named=True)
    if row["lo"] is None:
        return f"A session goes with {row['effect']:+.1f} points; how sure that is cannot be said."
    settled = "more than chance" if row["lo"] > 0 or row["hi"] < 0 else "it may be chance"
    return f"A coaching session adds {row['effect']:+.1f} points ({row['lo']:+.1f} to {row['hi']:+.1f}): {settled}."


def around_session(frame: pl.DataFrame) -> str:
    def mean(group: str, after: bool) -> float | None:
        side = pl.col("week").is_between(1, 4) if after else pl.col("week").is_between(-4, -1)
        rows = frame.filter((pl.col("group") == group) & side & pl.col("mean").is_not_null())
        weighted = rows.select((pl.col("mean") * pl.col("n")).sum() / pl.col("n").sum()).item() if rows.height else None
        return None if weighted is None else float(weighted)

    found = [mean(group, after) for group in ("coached", "matched controls") for after in (False, True)]
    if any(value is None for value in found):
        return ""
    return (
        f"Coached agents: {found[0]:.1f} in the four weeks before, {found[1]:.1f} in the four after. Agents of equal "
        f"scores without a session: {found[2]:.1f} before, {found[3]:.1f} after."
    )


def median_wait(frame: pl.DataFrame) -> str:
    groups: dict[str, list[str]] = {}
    for row in frame.sort("n", descending=True).head(4).iter_rows(named=True):
        half = (
            f"half are coached within {row['median_days']:.0f} days"
            if row["median_days"] is not None
            else "fewer than half are ever coached"
        )
        groups.setdefault(half, []).append(row["group"] or "unknown")
    return f"{'; '.join(f'{listed(names, most=4)}: {half}' for half, names in groups.items())}." if groups else ""


def waiting_after(frame: pl.DataFrame) -> str:
    rows = frame.filter(pl.col("days") <= 14).sort("days").group_by("group").agg(pl.col("waiting", "n").last())
    parts = [
        f"{group}: {waiting:.0f} of 100"
        for group, waiting, _ in rows.sort("n", "group", descending=[True, False]).rows()
    ]
    if rows.height == 1:
        return f"Of 100 low grades {rows['waiting'][0]:.0f} still wait after 14 days."
    return f"Still waiting after 14 days. {listed(parts, most=4)}." if parts else ""


def coached_share(frame: pl.DataFrame) -> str:
    known = frame.filter(pl.col("rate").is_not_null()).sort("rate")
    return (
        f"From the lowest share to the highest: {listed(_named(known, 'group', 'rate', '.0f'), most=4)}."
        if known.height
        else ""
    )


def todos_done(frame: pl.DataFrame) -> str:
    number, overdue = int(frame["n"].sum()), int(frame["overdue"].sum())
    worst = frame.filter(pl.col("overdue") > 0).sort("overdue", "group", descending=[True, False])
    most = f" Most: {listed(_named(worst, 'group', 'overdue', 'd'))}." if worst.height else ""
    return f"Of {counted(number, 'to-do')}, {overdue:,} are open for more than 14 days.{most}"


def changed(frame: pl.DataFrame, *, what: str) -> str:
    words = changed_words(frame)
    became = "became " if is_of_graders(frame) else ""
    return _sides(
        frame, what, "changed", {side: became + words[side] for side in ("down", "up")}, names="name", values="change",
        found="changed for real, in points", none="changed by more than chance explains",
    )  # fmt: skip


def graded_enough(frame: pl.DataFrame) -> str:
    never = frame.filter(pl.col("weeks_graded") == 0).height
    seldom = frame.filter(pl.col("share_met") < 50).height
    weeks = int(frame["weeks"].max() or 0)  # type: ignore[arg-type]
    average = float(frame["per_week"].mean() or 0)  # type: ignore[arg-type]
    return (
        f"On the average an agent got {average:.1f} grades a week, in {counted(weeks, 'week')}. {seldom:,} of "
        f"{counted(frame.height, 'agent')} got fewer than wished in most weeks; {never:,} got none at all."
    )


def share_of_agent(frame: pl.DataFrame) -> str:
    shares = dict(frame.filter(pl.col("share").is_not_null()).select("source", "share").rows())
    if "agent" not in shares:
        return ""
    return (
        f"Of the differences between single scores, {shares['agent']:.0f} % are the agent, "
        f"{shares.get('grader', 0):.0f} % "
        f"how strict the grader is, and {shares.get('single grade', 0):.0f} % the ticket and chance."
    )


def grades_needed(frame: pl.DataFrame) -> str:
    enough = frame.filter("enough").sort("grades", "graders")
    if not enough.height:
        return "Not even 80 grades by 10 graders make an agent's score dependable here."
    row = enough.row(0, named=True)
    grades, graders = counted(row["grades"], "grade"), counted(row["graders"], "grader")
    return f"An agent's score is dependable from about {grades} by {graders} on."


def calibrated(frame: pl.DataFrame) -> str:
    known = frame.filter(pl.col("mad").is_not_null() & (pl.col("n") > 0))
    months = known.group_by("month").agg(apart=(pl.col("mad") * pl.col("n")).sum() / pl.col("n").sum()).sort("month")
    if not months.height:
        return ""
    first, last = months.row(0), months.row(-1)
    if months.height == 1:
        return f"In {first[0]:%B %Y} reviews were {first[1]:.1f} points away from the agreed score."
    return (
        f"Reviews were {first[1]:.1f} points away from the agreed score in {first[0]:%B %Y} and {last[1]:.1f} in "
        f"{last[0]:%B %Y}."
    )


def pilot_size(frame: pl.DataFrame) -> str:
    seen = frame.filter(pl.col("power") >= 80).sort("coached")
    if not seen.height:
        return "No pilot of up to 640 agents finds a gain of 5 points in 4 of 5 cases."
    row = seen.row(0, named=True)
    agents = row["coached"] + row["controls"]
    room = "" if row["possible"] else ", more than there are"
    return (
        f"To find a gain of 5 points in 4 of 5 cases a pilot needs about {agents} agents, half of them coached{room}."
    )


def moving_mean(frame: pl.DataFrame) -> str:
    ended = frame.filter(pl.col("finished") & pl.col("mean").is_not_null()).sort("period")
    if not ended.height:
        return ""
    first, last = ended.row(0, named=True), ended.row(-1, named=True)
    means = ended["mean"].to_list()
    return (
        f"From {first['mean']:.1f} in the week of {in_words(first['period'])} to {last['mean']:.1f} in that of "
        f"{in_words(last['period'])}; lowest {min(means):.1f}, highest {max(means):.1f}."
    )


def overall_change(frame: pl.DataFrame) -> str:
    parts = [
        f"{row['measure'].capitalize()}: {row['before']:.1f} before, {row['after']:.1f} now ({row['change']:+.1f})"
        for row in frame.iter_rows(named=True)
    ]
    return f"{'. '.join(parts)}."


def in_words(day: date) -> str:
    """A day as people write it."""
    return f"{day.day} {day:%b %Y}"
