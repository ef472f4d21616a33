"""A grader who changes with time, and graders who do not."""

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from simulated_database import ANSWER_ID, START, grade_rows, people_of, write

from maestro_analytics import analysis
from maestro_analytics.warehouse import open as open_store

WEEKS = 26


@pytest.fixture(scope="module")
def drifting(tmp_path_factory):
    """Ten benchmarks a week for each of three graders; one becomes half a point more lenient each week."""
    rng = np.random.default_rng(3)
    week = np.repeat(np.arange(WEEKS), 30)
    grader = np.tile(np.repeat(["steady", "strict", "moving"], 10), WEEKS)
    true = np.clip(rng.normal(75, 6, week.size), 0, 100)
    bias = np.where(grader == "strict", -4, np.where(grader == "moving", 0.5 * week - 6, 0))
    when = [START + timedelta(days=7 * int(each), hours=30) for each in week]
    names = {"gradable_id": [f"t{number}" for number in range(week.size)], "agent_id": np.repeat("007", week.size)}
    ordinary = grade_rows(
        **names, grader=grader, date_reported_as=when, rubric_score=true + bias + rng.normal(0, 4, week.size)
    )
    benchmarks = grade_rows(
        **names, grader=np.repeat("lead", week.size), date_reported_as=when, rubric_score=true,
        grade_type=np.repeat("GraderQA_benchmark", week.size), original_grader=grader,
    ).with_columns(target_answer_id=ANSWER_ID)  # fmt: skip
    scores = pl.concat([ordinary, benchmarks], how="diagonal")
    path = write(
        tmp_path_factory.mktemp("drift") / "maestro.duckdb", {"total_scores": scores, **people_of(ordinary, {})}
    )
    with open_store(path) as store:
        yield store


def test_the_grader_who_moves_is_found_and_the_others_are_not(drifting):
    found = analysis.grader_drift(drifting)
    assert {"steady": WEEKS, "strict": WEEKS, "moving": WEEKS} == dict(found.group_by("group").len().rows())
    signals = found.filter(pl.col("signal") != "").group_by("group").len()
    assert ["moving"] == signals["group"].to_list()
    slopes = {row["group"]: row for row in found.unique("group").iter_rows(named=True)}
    assert slopes["moving"]["slope_lo"] < 0.5 * 30 / 7 < slopes["moving"]["slope_hi"]
    assert slopes["moving"]["slope_lo"] > 1.5
    for name, centre in (("steady", 0), ("strict", -4)):
        assert slopes[name]["slope_lo"] < 0 < slopes[name]["slope_hi"]
        assert abs(slopes[name]["centre"] - centre) < 1
    assert found.filter("finished")["reliable"].all()


def test_weeks_begin_on_monday_where_the_graders_are(drifting):
    utc = analysis.grader_drift(drifting)["period"].unique().sort()
    assert date(2026, 1, 5) == utc[0]
    assert {0} == {day.weekday() for day in utc}
    assert date(2026, 1, 1) == analysis.grader_drift(drifting, every="month")["period"].min()
    monday_morning = analysis.grader_drift(drifting, week_zone="Pacific/Kiritimati")["period"].unique().sort()
    assert utc.to_list() == monday_morning.to_list()


def test_a_few_benchmarks_are_called_few(store):
    found = analysis.grader_drift(store)
    assert found.height > 0
    assert found.filter(pl.col("points") < 12)["reliable"].not_().all()
