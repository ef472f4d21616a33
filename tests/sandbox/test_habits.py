"""Habits that make a centre harder to read: each is in the data, and its truth is known."""

from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from statistics import fmean, stdev

import pytest

from maestro_analytics.sandbox import HABITS, Sandbox, UnknownHabit
from maestro_analytics.sandbox.truth import IDENTITY

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)


def history(*habits):
    sandbox = Sandbox(seed=3, agents=16, days=120, now=NOW, habits=habits)
    try:
        return sandbox.truth, [row for row in sandbox.truth.total_scores if row["grade_type"] == "grading"]
    finally:
        sandbox.close()


@pytest.fixture(scope="module")
def centre():
    return history(*HABITS)


def percent(row):
    return 100 * row["rubric_score"] / row["max_rubric_score"] if row["max_rubric_score"] else None


def test_nine_in_ten_grades_of_a_team_come_from_one_grader(centre):
    truth, rows = centre
    usual = {agent_id: person.usual_grader for person in truth.agents for agent_id in person.agent_ids}
    assert 0.85 < fmean(row["grader"] == usual[row["agent_id"]] for row in rows if row["grader"]) < 0.97


def test_agents_have_grades_while_they_are_there_and_unequal_numbers_of_them(centre):
    truth, rows = centre
    person = {agent_id: person for person in truth.agents for agent_id in person.agent_ids}
    for row in rows:
        stay = person[row["agent_id"]]
        assert stay.joined is None or stay.joined <= row["date_reported_as"]
        assert stay.left is None or row["date_reported_as"] < stay.left
    assert any(each.joined for each in truth.agents)
    assert any(each.left for each in truth.agents)
    number = Counter(row["agent_email"] for row in rows)
    assert max(number.values()) > 5 * min(number.values())


def test_four_in_ten_grades_of_the_first_rubric_are_100_and_the_others_in_steps_of_5(centre):
    _, rows = centre
    scores = [percent(row) for row in rows if "in fives" in row["rubric_name"] and row["max_rubric_score"] == 100]
    assert 0.35 < scores.count(100.0) / len(scores) < 0.7
    assert all(score % 5 == 0 for score in scores)


def test_auto_fails_lead_to_sessions(centre):
    truth, rows = centre
    after = [moment for person in truth.agents for moment in person.sessions_after_auto_fails]
    assert len(after) >= 3
    zeros = defaultdict(list)
    for row in rows:
        if percent(row) == 0:
            zeros[row["agent_email"]].append(row["date_reported_as"])
    for person in truth.agents:
        for moment in person.sessions_after_auto_fails:
            assert moment in person.session_moments
    assert max(truth.auto_fail_rate.values()) == 0.03


def test_a_score_is_quality_with_the_trend_plus_bias_plus_the_mood_of_the_day():
    truth, rows = history("moods", "trend")
    bias, qualities = {grader.grader: grader.bias_points for grader in truth.graders}, truth.quality_percents
    scored = [row for row in rows if row["max_rubric_score"] and row["grader"]]
    moods = [truth.mood_points(row["grader"], row["date_graded"]) for row in scored]
    plain = [percent(row) - qualities[tuple(row[name] for name in IDENTITY)] - bias[row["grader"]] for row in scored]
    left = [value - mood for value, mood in zip(plain, moods, strict=True)]
    assert abs(fmean(left)) < 4 * stdev(left) / len(left) ** 0.5
    assert stdev(left) < stdev(plain)
    assert 3 < stdev(moods) < 5
    assert truth.trend_points(truth.start + timedelta(days=60)) == pytest.approx(4.0)


def test_without_habits_nothing_is_added_and_an_unknown_one_is_refused():
    truth, _ = history()
    assert truth.trend_points(NOW) == 0
    assert {(each.usual_grader, each.joined, each.left, each.times_usual_number) for each in truth.agents} == {
        (None, None, None, 1.0)
    }
    with pytest.raises(UnknownHabit, match="try moods"):
        history("mood")
