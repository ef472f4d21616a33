"""Scores from hand-made grades: whole tables, and the traps of this data."""

from datetime import timedelta

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from simulated_database import START, grade_rows

from maestro_analytics import analysis


def grades(scores, **columns):
    number = len(scores)
    given = {"gradable_id": [f"t{n}" for n in range(number)], "agent_id": ["1"] * number, "rubric_score": scores}
    return grade_rows(**given | columns)


def test_agent_scores_of_three_grades(holding):
    store = holding(grades([80.0, 90.0, None], max_rubric_score=[100.0, 100.0, 100.0]))
    found = analysis.agent_scores(store, min_n=2).drop(
        "lo", "hi", "sd", "pass_lo", "pass_hi", "autofail_lo", "autofail_hi", "adjusted", "adjusted_lo", "adjusted_hi"
    )
    expected = pl.DataFrame(
        {
            "person_id": ["1"],
            "agent_name": ["Agent 1"],
            "rubric_id": ["AatxWWtXWKcfiN34E"],
            "rubric_name": ["Support"],
            "n": [2],
            "n_na": [1],
            "mean": [85.0],
            "pooled": [85.0],
            "pass_rate": [100.0],
            "autofails_inferred": [0],
            "autofail_rate": [0.0],
            "mean_without_autofails": [85.0],
            "method": ["skewness-corrected t"],
            "reliable": [False],
            "reason": ["2 grades: too few for an interval"],
        }
    )
    assert_frame_equal(expected, found)


def test_a_missing_score_is_no_zero(holding):
    store = holding(grades([None, None]))
    row = analysis.agent_scores(store).row(0, named=True)
    assert (0, 2, None, None, False, "no scored grades") == tuple(
        row[name] for name in ("n", "n_na", "mean", "pass_rate", "reliable", "reason")
    )


def test_a_maximum_of_zero_is_no_score(holding):
    row = analysis.agent_scores(holding(grades([0.0], max_rubric_score=[0.0]))).row(0, named=True)
    assert (0, 1, None) == (row["n"], row["n_na"], row["mean"])


def test_scores_above_100_percent_are_kept(holding):
    store = holding(grades([110.0, 90.0]))
    assert 100.0 == analysis.agent_scores(store)["mean"].item()
    assert 110.0 == analysis.grades(store)["score_percent"].max()


def test_equal_scores_have_a_mean_and_no_interval(holding):
    row = analysis.agent_scores(holding(grades([93.7 / 3] * 12))).row(0, named=True)
    assert (None, None, False, "no interval: all grades are equal") == tuple(
        row[name] for name in ("lo", "hi", "reliable", "reason")
    )


def test_the_mean_of_percents_and_the_pooled_percent_differ_where_maxima_do(holding):
    row = analysis.agent_scores(holding(grades([5.0, 100.0], max_rubric_score=[10.0, 100.0]))).row(0, named=True)
    assert (75.0, round(100 * 105 / 110, 9)) == (row["mean"], round(row["pooled"], 9))


def test_calibrations_and_benchmarks_never_enter_a_score(holding):
    store = holding(grades([80.0, 10.0, 20.0], grade_type=["grading", "calibration", "grader_qa"]))
    assert 80.0 == analysis.agent_scores(store)["mean"].item()
    assert 3 == analysis.agent_scores(store, grade_type="any")["n"].item()
    assert 10.0 == analysis.agent_scores(store, grade_type="calibration")["mean"].item()


def test_ids_of_one_person_are_one_agent(holding):
    people = {
        "agent_ids": pl.DataFrame({"agent_id": ["1", "2"], "person_id": ["1", "1"]}),
        "agents": pl.DataFrame({"person_id": ["1"], "agent_name": ["Ada"]}),
    }
    store = holding(grades([80.0, 90.0], agent_id=["1", "2"]), **people)
    assert [("Ada", 2, 85.0)] == analysis.agent_scores(store).select("agent_name", "n", "mean").rows()


def test_79_9_does_not_pass_and_80_does(holding):
    store = holding(grades([80.0, 79.9]))
    assert 50.0 == analysis.agent_scores(store)["pass_rate"].item()
    assert 100.0 == analysis.agent_scores(store, threshold=70)["pass_rate"].item()


@pytest.mark.parametrize(
    ("score", "most", "threshold"), [(18.4, 23.0, 80.0), (9.2, 11.5, 80.0), (5.1, 6.0, 85.0), (18.9, 21.0, 90.0)]
)
def test_a_score_that_reaches_the_threshold_passes_whatever_its_maximum(holding, score, most, threshold):
    """In floating point 18.4 of 23 points are 79.99999999999999 %."""
    store = holding(grades([score], max_rubric_score=[most]))
    assert threshold == analysis.grades(store)["score_percent"].item()
    assert 100.0 == analysis.agent_scores(store, threshold=threshold)["pass_rate"].item()
    assert 0 == analysis.time_to_coach(store, threshold=threshold).height


def test_a_zero_without_a_maximum_is_no_score_and_no_autofail(holding):
    scored = grades([0.0, 0.0, 90.0], max_rubric_score=[None, 0.0, 100.0])
    sections = scored.drop("rubric_score", "max_rubric_score").with_columns(
        section_id=pl.lit("s1"), section_score=pl.lit(40.0), max_section_score=pl.lit(50.0)
    )
    row = analysis.agent_scores(holding(scored, section_scores=sections)).row(0, named=True)
    assert (1, 2, 0, 0.0, 90.0) == tuple(
        row[name] for name in ("n", "n_na", "autofails_inferred", "autofail_rate", "mean_without_autofails")
    )


def test_a_zero_although_a_section_earned_points_is_taken_for_an_autofail(holding):
    scored = grades([0.0, 0.0, 90.0])
    shared = scored.drop("rubric_score", "max_rubric_score")
    sections = pl.concat(
        [
            shared.with_columns(
                section_id=pl.lit("s1"), section_score=pl.Series([40.0, 0.0, 45.0]), max_section_score=50.0
            ),
            shared.with_columns(
                section_id=pl.lit("s2"), section_score=pl.Series([0.0, 0.0, 45.0]), max_section_score=50.0
            ),
        ]
    )
    row = analysis.agent_scores(holding(scored, section_scores=sections)).row(0, named=True)
    assert (1, 30.0, 45.0) == (row["autofails_inferred"], row["mean"], row["mean_without_autofails"])


def test_rubrics_are_apart_unless_asked_for(holding):
    store = holding(grades([80.0, 90.0], rubric_id=["r1", "r2"], rubric_name=["One", "Two"]))
    assert [("One", 80.0), ("Two", 90.0)] == analysis.agent_scores(store).select("rubric_name", "mean").rows()
    merged = analysis.agent_scores(store, by="all").row(0, named=True)
    assert 85.0 == merged["mean"]
    assert "across 2 rubrics" in merged["reason"]


def test_a_ranking_counts_the_grades_without_a_score_of_every_rubric(holding):
    store = holding(grades([80.0, 90.0, None], rubric_id=["r1", "r1", "r2"]))
    assert [(2, 1)] == analysis.agent_ranking(store).select("n", "n_na").rows()
    assert [(2, 1)] == analysis.agent_scores(store, by="all").select("n", "n_na").rows()


def test_rubrics_of_one_name_are_apart_wherever_the_rubric_is_the_group(holding):
    low = grades([70.0] * 3 + [50.0], rubric_id=["r1"] * 3 + ["r2"], rubric_name=["Support"] * 4)
    store = holding(low)
    both = [("Support (r1)", 3), ("Support (r2)", 1)]
    assert both == analysis.score_trend(store, by="rubric").select("group", "n").rows()
    assert ["r1", "r2"] == analysis.score_trend(store, by="rubric")["group_id"].to_list()
    assert both == analysis.control_chart(store, by="rubric").select("group", "n").rows()
    assert both == analysis.pass_rate_chart(store, by="rubric").select("group", "n").rows()
    assert both == analysis.time_to_coach(store, by="rubric").select("group", "n").rows()
    assert both == analysis.time_to_coach_curve(store, by="rubric").select("group", "n").unique().sort("group").rows()
    assert {name for name, _ in both} == set(analysis.coaching_coverage(store, by="rubric")["group"])


def test_a_rubric_that_was_renamed_is_one_group(holding):
    store = holding(
        grades([70.0, 50.0], rubric_name=["Old", "Support"], date_reported_as=[START, START + timedelta(days=7)])
    )
    assert ["Support"] * 2 == analysis.score_trend(store, by="rubric")["group"].to_list()


def test_teams_of_one_name_are_apart_and_count_nobody_twice(holding):
    groups = pl.DataFrame(
        {"group_name": ["Billing"] * 2, "group_id": ["g1", "g2"], "agent_ids": [["1"]] * 2, "available": [True] * 2}
    )
    store = holding(grades([70.0, 60.0]), agent_groups=groups)
    both = [("Billing (g1)", 2), ("Billing (g2)", 2)]
    for answer in (analysis.score_trend, analysis.control_chart, analysis.pass_rate_chart, analysis.time_to_coach):
        assert both == answer(store, by="team").select("group", "n").rows()


def test_a_chart_has_limits_where_another_agent_of_that_name_has_no_score(holding):
    scores = [80.0, 90.0, 85.0, 95.0] * 12
    dates = [START + timedelta(days=7 * (number % 14)) for number in range(48)]
    one = grades(scores, date_reported_as=dates, agent_name=["Sam"] * 48)
    other = grades([None], gradable_id=["x"], agent_id=["2"], agent_name=["Sam"])
    found = analysis.control_chart(holding(pl.concat([one, other], how="diagonal_relaxed")), by="agent")
    assert {"Sam (1)"} == set(found["group"])
    assert 0 == found["lo"].null_count()


def test_a_person_in_two_teams_counts_in_both_and_one_in_none_in_no_team(holding):
    store = holding(grades([80.0, 90.0, 70.0], agent_id=["1", "2", "3"]), teams={"Billing": ["1", "2"], "Chat": ["2"]})
    found = analysis.team_scores(store).select("team", "agents", "n", "mean").rows()
    assert [("Billing", 2, 2, 85.0), ("Chat", 1, 1, 90.0)] == found
    assert 3 == analysis.rubric_scores(store)["n"].item()


def answers(grade, *rows):
    shared = grade.drop("rubric_score", "max_rubric_score")
    return pl.concat(
        [
            shared.with_columns(
                section_id=pl.lit("s"), question_id=pl.lit(question), question=pl.lit(question.upper()),
                answer_label=pl.lit(label, pl.String), question_score=pl.lit(score, pl.Float64),
                max_question_score=pl.lit(most),
            )
            for question, label, score, most in rows
        ]
    )  # fmt: skip


def test_a_multi_select_loses_its_points_once(holding):
    one = grades([50.0])
    rows = answers(one, ("q1", "A", 4.0, 10.0), ("q1", "B", 4.0, 10.0), ("q2", "Yes", 9.0, 10.0))
    found = analysis.points_lost(holding(one, individual_answers=rows))
    assert [("q1", 1, 6.0), ("q2", 1, 1.0)] == found.select("question_id", "n", "points_lost").rows()
    assert [85.7, 100.0] == found["cumulative_share"].round(1).to_list()
    assert [100.0, 100.0] == found["failure_rate"].to_list()


def test_a_team_or_agent_that_was_asked_for_is_held_against_everyone_and_not_against_itself(holding):
    three = grades([50.0] * 3, agent_id=["1", "2", "3"])
    scores = (4.0, 10.0, 10.0)
    rows = pl.concat([answers(three[at : at + 1], ("q1", "A", score, 10.0)) for at, score in enumerate(scores)])
    store = holding(three, teams={"Billing": ["1", "2"]}, individual_answers=rows)
    third = 100 / 3
    assert [pytest.approx(50 - third)] == analysis.points_lost_by_team(store, team="Billing")["gap"].to_list()
    alone = analysis.points_lost_by_agent(store, agent="1").select("everyone", "gap").rows()
    assert [pytest.approx((third, 100 - third))] == alone
    assert [pytest.approx(third)] * 2 == analysis.points_lost_by_agent(store, team="Billing")["everyone"].to_list()


def test_a_rubric_of_more_questions_than_a_number_has_bits_is_counted_as_well(holding):
    """Grades are counted with a bit for each question; those beyond the 62nd are brought together one by one."""
    two = grades([50.0, 60.0], gradable_id=["t0", "t1"])
    single = [(f"q{number:02d}", "Yes", 9.0, 10.0) for number in range(70)]
    rows = answers(two, *single, ("q03", "More", 9.0, 10.0), ("q65", "More", 9.0, 10.0))
    found = analysis.points_lost(holding(two, individual_answers=rows)).sort("question_id")
    assert [(f"q{number:02d}", 2, 2.0) for number in range(70)] == found.select(
        "question_id", "n", "points_lost"
    ).rows()


def test_grades_without_a_date_have_their_graders_compared_all_the_same(holding):
    scores = [80.0, 70.0, 85.0, 75.0, 90.0, 79.0]
    undated = grades(
        scores, grader=["a", "b"] * 3, date_reported_as=pl.Series([None] * 6, dtype=pl.Datetime("us", "UTC"))
    )
    found = analysis.grader_severity(holding(undated)).select("grader", "n", "graders_compared").rows()
    assert [("b", 3, 2), ("a", 3, 2)] == found


def test_scored_answers_without_a_label_can_be_compared_by_label(holding):
    twice = grades([80.0, 70.0], gradable_id=["t", "t"], grader=["a", "b"], grade_type=["grading", "calibration"])
    rows = answers(twice, ("q1", None, 9.0, 10.0))
    found = analysis.question_agreement(holding(twice, individual_answers=rows), metric="nominal")
    assert [("q1", 1, 100.0)] == found.select("question_id", "n", "agreement").rows()


def test_the_wording_is_one_that_was_used_in_the_period(holding):
    two = grades([50.0, 60.0], agent_id=["1", "2"], date_reported_as=[START, START + timedelta(days=40)])
    old, new = (answers(two[at : at + 1], ("q1", "Yes", 9.0, 10.0)) for at in (0, 1))
    rows = pl.concat([old.with_columns(question=pl.lit("Old?")), new.with_columns(question=pl.lit("New?"))])
    store = holding(two, individual_answers=rows)
    assert ["Old?"] == analysis.question_scores(store, until=START + timedelta(days=9))["question"].to_list()
    assert ["New?"] == analysis.question_scores(store, since=START + timedelta(days=9))["question"].to_list()


def test_an_answer_that_does_not_apply_loses_nothing(holding):
    one = grades([50.0])
    rows = answers(one, ("q1", None, None, 10.0), ("q2", "No", 0.0, 10.0))
    found = analysis.points_lost(holding(one, individual_answers=rows))
    assert [("q2", 1, 0, 10.0), ("q1", 0, 1, 0.0)] == found.select("question_id", "n", "n_na", "points_lost").rows()
    assert "no points to lose" in found["reason"].to_list()[1]


def test_a_bonus_that_was_not_reached_is_not_lost(holding):
    one = grades([100.0])
    sections = one.drop("rubric_score", "max_rubric_score").with_columns(
        section_id=pl.lit("s"), section_score=0.0, max_section_score=0.0
    )
    rows = answers(one, ("bonus", "No", 0.0, 5.0))
    found = analysis.points_lost(holding(one, individual_answers=rows, section_scores=sections))
    assert [0.0] == found["points_lost"].to_list()


@pytest.mark.parametrize(
    ("weights", "total", "scoring"), [((None, None), 65.0, "points"), ((50.0, 50.0), 70.0, "weighted")]
)
def test_scores_follow_from_sections_by_points_or_by_weights(holding, weights, total, scoring):
    """The same grade can be 65 % by points and 70 % by weights: the way that fits is the rubric's."""
    one = grades([total] * 3)
    shared = one.drop("rubric_score", "max_rubric_score")
    halves = ((36.0, 60.0), (32.0, 40.0)) if scoring == "weighted" else ((33.0, 60.0), (32.0, 40.0))
    sections = pl.concat(
        [
            shared.with_columns(
                section_id=pl.lit(f"s{at}"), section_score=score, max_section_score=most,
                section_weight=pl.lit(weight, pl.Float64),
            )
            for at, ((score, most), weight) in enumerate(zip(halves, weights, strict=True))
        ]
    )  # fmt: skip
    store = holding(one, section_scores=sections)
    found = analysis.score_reconciliation(store).select("scoring", "n", "fitting", "mismatches", "reliable").rows()
    assert [(scoring, 3, 3, 0, True)] == found
    assert 0 == analysis.score_mismatches(store).height


def test_a_score_that_does_not_add_up_is_named(holding):
    scored = grades([80.0, 80.0, 55.0])
    sections = scored.drop("rubric_score", "max_rubric_score").with_columns(
        section_id=pl.lit("s"), section_score=80.0, max_section_score=100.0
    )
    store = holding(scored, section_scores=sections)
    assert [(1, 25.0)] == analysis.score_reconciliation(store).select("mismatches", "largest_gap").rows()
    assert [("zendesk|t2|AatxWWtXWKcfiN34E|1|grading", -25.0)] == analysis.score_mismatches(store).select(
        "grade_key", "gap"
    ).rows()


def test_regrades_are_counted_with_their_direction(holding):
    now = grades([80.0, 90.0, 70.0], date_graded=[START + timedelta(days=3)] * 3)
    earlier = now[:2].with_columns(rubric_score=pl.Series([70.0, 95.0]), date_graded=START, replaced_at=START)
    row = analysis.regrades(holding(now, grade_history=earlier)).row(0, named=True)
    assert (3, 2, 2, 2.5, 1, 1, 3.0) == tuple(
        row[name] for name in ("grades", "regraded", "n", "mean", "raised", "lowered", "median_days")
    )


def test_a_ticket_graded_twice_counts_once_beside_its_csat(holding):
    scored = grades([80.0, 60.0, 90.0], gradable_id=["a", "a", "b"], rubric_id=["r1", "r2", "r1"])
    csat = pl.DataFrame({"gradable_id": ["a"], "source": ["zendesk"], "csat_score": [5.0]})
    row = analysis.csat_link(holding(scored, csat=csat)).row(0, named=True)
    assert (1, 1, None, "no correlation: scores or CSAT do not vary") == (
        row["n"],
        row["n_na"],
        row["rho"],
        row["reason"],
    )


def test_a_volume_makes_a_plan_shorter(holding):
    store = holding(grades([70.0, 80.0, 90.0, 100.0, 60.0, 75.0]))
    free, known = analysis.sampling_plan(store), analysis.sampling_plan(store, volume={"1": 12})
    assert known["needed"].item() < free["needed"].item()
    assert known["half_width_now"].item() < free["half_width_now"].item()
    assert free["needed"].item() == analysis.sampling_plan(store, volume={"other": 12})["needed"].item()


def test_agents_whose_means_differ_by_an_error_of_rounding_keep_their_places(holding):
    """DuckDB adds in another order from run to run: a ranking must not depend on it."""
    scores = {"a": [80.0, 90.0], "b": [80.0000000001, 90.0], "c": [40.0, 50.0], "d": [95.0, 97.0]}
    grades = grade_rows(
        gradable_id=[f"{agent}{n}" for agent in scores for n in range(2)],
        agent_id=[agent for agent in scores for _ in range(2)],
        rubric_score=[score for each in scores.values() for score in each],
    )
    assert ["d", "a", "b", "c"] == analysis.agent_ranking(holding(grades))["person_id"].to_list()
