"""Calibration reviews beside their final, by grader, question and month."""

from datetime import date, timedelta

import polars as pl
from simulated_database import START, answers_of, grade_rows

from maestro_analytics import analysis


def calibrated(holding, finals=True):
    """Twelve tickets: grader-1 gives 4 points more than the final, grader-2 two less."""
    rows = [
        (f"t{ticket}", grader, kind, 70.0 + ticket + gap)
        for ticket in range(12)
        for grader, kind, gap in (
            ("grader-1", "calibration_review", 4.0 + ticket % 2),
            ("grader-2", "calibration_review", -2.0 - ticket % 2),
            ("expert", "calibration_final", 0.0),
        )
    ]
    grades = grade_rows(
        gradable_id=[row[0] for row in rows], grader=[row[1] for row in rows], grade_type=[row[2] for row in rows],
        rubric_score=[row[3] for row in rows], agent_id=["001"] * len(rows), date_reported_as=[START] * len(rows),
    )  # fmt: skip
    answers = answers_of(grades, seed=1)["individual_answers"]
    if not finals:
        grades, answers = (rows.filter(pl.col("grade_type") != "calibration_final") for rows in (grades, answers))
    return holding(grades, individual_answers=answers)


def test_a_review_is_compared_with_the_final_of_its_ticket(holding):
    found = analysis.calibration_sessions(calibrated(holding))
    assert ["grader-1", "grader-2"] == found["group"].to_list()
    assert [date(2026, 1, 1)] * 2 == found["month"].to_list()
    assert [12, 12] == found["with_final"].to_list() == found["n"].to_list()
    assert [4.5, -2.5] == found["bias"].round(9).to_list()
    assert [100.0, 100.0] == found["within_5"].to_list()
    assert found["reliable"].all()


def test_without_a_final_a_review_is_compared_with_the_other_reviews(holding):
    found = analysis.calibration_sessions(calibrated(holding, finals=False))
    assert [0, 0] == found["with_final"].to_list()
    assert [7.0, -7.0] == found["bias"].round(9).to_list()


def test_a_final_counts_that_lies_outside_of_the_period(holding):
    """The figures of March do not change with whether April, where the finals are, is asked for too."""
    days = [0, 0, 5] * 2
    grades = grade_rows(
        gradable_id=["t1"] * 3 + ["t2"] * 3,
        grader=["grader-1", "grader-2", "expert"] * 2,
        grade_type=["calibration_review", "calibration_review", "calibration_final"] * 2,
        rubric_score=[80.0, 70.0, 72.0] * 2,
        agent_id=["001"] * 6,
        date_reported_as=[START + timedelta(days=day) for day in days],
    )
    store = holding(grades)
    columns = ("group", "n", "with_final", "bias")
    expected = [("grader-1", 2, 2, 8.0), ("grader-2", 2, 2, -2.0)]
    for filters in ({}, {"until": START + timedelta(days=1)}, {"grade_type": "calibration_review"}):
        assert expected == analysis.calibration_sessions(store, **filters).select(columns).rows()


def test_without_a_final_the_other_reviews_count_that_lie_outside_of_the_period(holding):
    grades = grade_rows(
        gradable_id=["t1"] * 2,
        grader=["grader-1", "grader-2"],
        grade_type=["calibration_review"] * 2,
        rubric_score=[80.0, 70.0],
        agent_id=["001"] * 2,
        date_reported_as=[START, START + timedelta(days=5)],
    )
    found = analysis.calibration_sessions(holding(grades), until=START + timedelta(days=1))
    assert [("grader-1", 1, 10.0)] == found.select("group", "n", "bias").rows()


def test_questions_of_the_same_wording_are_apart(holding):
    grades = grade_rows(
        gradable_id=["t1"] * 2,
        grader=["grader-1", "expert"],
        grade_type=["calibration_review", "calibration_final"],
        rubric_score=[80.0, 70.0],
        agent_id=["001"] * 2,
    )
    answers = answers_of(grades, seed=1)["individual_answers"].with_columns(
        question=pl.when(pl.col("question_id").is_in(["question-0", "question-1"]))
        .then(pl.lit("Comments?"))
        .otherwise("question")
    )
    found = analysis.calibration_sessions(holding(grades, individual_answers=answers), by="question")
    assert [1] * 6 == found["n"].to_list()
    assert ["Closing?", "Comments? (question-0)", "Comments? (question-1)"] == found["group"].to_list()[:3]


def test_scores_that_are_five_points_apart_are_within_five_whatever_their_maximum(holding):
    """In floating point 93.3333333333 less 88.3333333333 is more than 5 by one part in 10^14."""
    scores = [(number / 10, (number - 6) / 10) for number in range(40, 120)]
    grades = grade_rows(
        gradable_id=[f"t{at}" for at in range(len(scores)) for _ in range(2)],
        grader=["grader-1", "expert"] * len(scores),
        grade_type=["calibration_review", "calibration_final"] * len(scores),
        rubric_score=[score for pair in scores for score in pair],
        max_rubric_score=[12.0] * (2 * len(scores)),
        agent_id=["001"] * (2 * len(scores)),
    )
    reviewed = grades.with_columns(
        grade_type=pl.when(pl.col("grader") == "expert").then(pl.lit("grading")).otherwise("grade_type")
    ).drop("grade_key")
    assert [100.0] == analysis.calibration_sessions(holding(grades))["within_5"].to_list()
    agreement = analysis.grader_agreement(holding(grade_rows(**reviewed.to_dict(as_series=True))))
    assert [100.0] == agreement["within_5"].to_list()


def test_by_question_each_question_has_a_row_and_the_final_none(holding):
    found = analysis.calibration_sessions(calibrated(holding), by="question")
    assert 6 == found.height
    assert [24] * 6 == found["n"].to_list()
    assert {"Support"} == set(found["rubric_name"])
    assert found.select(pl.col("mad").min()).item() >= 0


def test_a_final_is_the_reference_and_not_one_more_rater(holding):
    with_finals, without = (calibrated(holding, finals) for finals in (True, False))
    for answer in (analysis.grader_agreement, analysis.question_agreement, analysis.calibrations):
        assert answer(with_finals).rows() == answer(without).rows()
    assert {"grader-1", "grader-2"} == {*analysis.calibrations(with_finals)["strictest"]} | {
        *analysis.calibrations(with_finals)["most_lenient"]
    }


def test_who_is_held_against_a_final_is_judged_and_not_who_entered_it(holding):
    grades = grade_rows(
        gradable_id=["t"] * 2, grader=["grader-1", "expert"], grade_type=["grading", "calibration_final"],
        rubric_score=[80.0, 70.0], agent_id=["001"] * 2, date_reported_as=[START] * 2,
        target_answer_id=[None, "a_t_AatxWWtXWKcfiN34E_001_G_grading"],
    )  # fmt: skip
    store = holding(grades, individual_answers=answers_of(grades, seed=1)["individual_answers"])
    held = analysis.alignments(store)
    assert [("grader-1", 10.0)] == held.select("judged", "apart").rows()
