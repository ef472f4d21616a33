"""Few grades give no interval, and what is flagged controls the share of wrong flags."""

import numpy as np
import polars as pl
from simulated_database import answers_of, grade_rows

from maestro_analytics import analysis
from maestro_analytics.analysis.statistics.intervals import doubt_of_zero


def test_two_grades_give_no_interval_of_a_section_or_question(holding):
    """Two grades of 40 and 90 had an interval from -252 to 382."""
    grades = grade_rows(gradable_id=["t1", "t2"], agent_id=["001", "002"], rubric_score=[40.0, 90.0])
    store = holding(grades, **answers_of(grades, seed=1))
    for answer in (analysis.section_scores, analysis.question_scores, analysis.rubric_scores):
        found = answer(store, min_n=2)
        assert [None] == found["lo"].unique().to_list() == found["hi"].unique().to_list()
        assert not found["reliable"].any()
        assert found["reason"].str.contains("too few|equal").all()


def test_no_interval_reaches_below_zero(holding):
    """Seven grades of one agent, most of them 0."""
    grades = grade_rows(
        gradable_id=[f"t{number}" for number in range(7)], agent_id=["001"] * 7,
        rubric_score=[0.0, 0, 0, 0, 0, 60, 80],
    )  # fmt: skip
    found = analysis.rubric_scores(holding(grades))
    assert found["lo"].item() == 0.0
    assert found["hi"].item() > found["mean"].item()


def test_a_grader_stands_out_only_by_a_reliable_interval_and_few_of_those_named_are_wrong(store, made):
    found = analysis.grader_severity(store)
    named = found.filter(pl.col("stands_out") != "")
    assert named.height >= 2
    assert named["reliable"].all()
    bias = made[1].bias
    assert all((bias[row["grader"]] < 0) == (row["stands_out"] == "strict") for row in named.to_dicts())
    assert 0 == analysis.grader_severity(store, min_n=10**6).filter(pl.col("stands_out") != "").height


def test_teams_of_equal_agents_do_not_stand_out_on_a_question(store):
    """The two teams of the centre are made alike."""
    found = analysis.points_lost_by_team(store)
    assert {""} == set(found["stands_out"])


def test_the_doubt_that_belongs_to_an_interval_uses_the_half_that_points_at_zero():
    p = doubt_of_zero([1.96, 1.0, -2.0, 0.0], [0.0, -1.0, -3.0, np.nan], [9.0, 2.0, 0.0, np.nan])
    assert [0.05, 0.327, 0.05] == p[:3].round(3).tolist()
    assert np.isnan(p[3])
