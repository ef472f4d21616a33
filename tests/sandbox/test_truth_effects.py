"""True effects, so that statistics can be held against them: what the data shows is what the truth says."""

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from statistics import correlation, fmean, stdev

import pytest

from maestro_analytics.sandbox import Sandbox
from maestro_analytics.sandbox.simulation.rubrics import Question, Rubric, Section, alignment, make_rubrics, score
from maestro_analytics.sandbox.truth import IDENTITY

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def truth():
    sandbox = Sandbox(seed=3, agents=40, days=120, now=NOW)
    yield sandbox.truth
    sandbox.close()


@pytest.fixture(scope="module")
def scored(truth):
    """(row, percent, true quality, true bias) of every ordinary grade with a score and a grader."""
    bias = {grader.grader: grader.bias_points for grader in truth.graders}
    people = {agent_id: person for person in truth.agents for agent_id in person.agent_ids}
    found = []
    for row in truth.total_scores:
        if row["grade_type"] == "grading" and row["max_rubric_score"] and row["grader"]:
            person = people[row["agent_id"]]
            lifted = sum(moment <= row["date_reported_as"] for moment in person.session_moments)
            quality = person.quality_percent + lifted * truth.coaching_effect_points
            found.append((row, 100 * row["rubric_score"] / row["max_rubric_score"], quality, bias[row["grader"]]))
    return found


def test_a_score_is_quality_plus_bias_on_average(scored):
    left = [percent - quality - bias for _, percent, quality, bias in scored]
    assert len(left) > 3000
    assert abs(fmean(left)) < 4 * stdev(left) / len(left) ** 0.5


@pytest.mark.parametrize("group", ["agent_email", "grader", "rubric_id"])
def test_it_is_so_for_every_agent_grader_and_rubric(scored, group):
    left = defaultdict(list)
    for row, percent, quality, bias in scored:
        left[row[group]].append(percent - quality - bias)
    assert len(left) >= 3
    for name, values in left.items():
        assert abs(fmean(values)) < 4.5 * stdev(values) / len(values) ** 0.5 + 0.8, name


def test_the_truth_of_each_grade_is_the_agents_at_that_time(truth, scored):
    qualities = truth.quality_percents
    for row, _, quality, _ in scored:
        assert qualities[tuple(row[name] for name in IDENTITY)] == pytest.approx(quality)


def test_biases_add_up_to_nothing_and_differ(truth):
    biases = [grader.bias_points for grader in truth.graders]
    assert sum(biases) == pytest.approx(0, abs=1e-9)
    assert max(biases) - min(biases) > 5


def test_graders_share_agents_so_that_they_can_be_compared(scored):
    graders = defaultdict(set)
    for row, *_ in scored:
        graders[row["agent_email"]].add(row["grader"])
    assert all(len(several) > 2 for several in graders.values())


def test_coaching_follows_low_scores_and_not_everybody_low_is_coached(truth, scored):
    before = {}
    for person in truth.agents:
        until = person.session_moments[0] if person.session_moments else truth.start + timedelta(days=200)
        observed = [
            percent
            for row, percent, *_ in scored
            if row["agent_email"] == person.email and row["date_reported_as"] < until
        ]
        before[person.email] = fmean(observed)
    coached = [before[person.email] for person in truth.agents if person.session_moments]
    others = [before[person.email] for person in truth.agents if not person.session_moments]
    assert len(coached) > 8
    assert len(others) > 5
    assert fmean(coached) < fmean(others) - 5


def test_a_naive_before_and_after_finds_more_than_the_effect(truth, scored):
    """Sessions follow low scores, so the scores would have risen without them."""
    window = timedelta(days=14)
    gains = []
    for person in truth.agents:
        for moment in person.session_moments[:1]:
            mine = [
                (row["date_reported_as"], percent) for row, percent, *_ in scored if row["agent_email"] == person.email
            ]
            before = [percent for when, percent in mine if moment - window <= when < moment]
            after = [percent for when, percent in mine if moment <= when < moment + window]
            if len(before) >= 5 and len(after) >= 5:
                gains.append(fmean(after) - fmean(before))
    assert len(gains) > 10
    assert fmean(gains) > truth.coaching_effect_points + 0.5


def test_sessions_in_the_list_are_those_that_had_the_effect(truth):
    people = {agent_id: person.email for person in truth.agents for agent_id in person.agent_ids}
    dated = [(session, session["meeting_date"] or session["created_at"]) for session in truth.coaching_sessions]
    listed = sorted((people[session["agent_id"]], moment) for session, moment in dated if moment <= NOW)
    had = sorted(
        (person.email, moment.replace(microsecond=moment.microsecond // 1000 * 1000))
        for person in truth.agents
        for moment in person.session_moments
    )
    assert listed == had


def test_the_effect_can_be_none():
    sandbox = Sandbox(seed=3, agents=6, days=60, coaching_effect=0.0)
    assert sandbox.truth.coaching_effect_points == 0
    assert any(person.session_moments for person in sandbox.truth.agents)
    sandbox.close()


def test_csat_goes_with_the_score(truth, scored):
    surveys = {(row["source"], row["gradable_id"]): row["csat_score"] for row in truth.csat}
    pairs = [
        (percent, surveys[row["source"], row["gradable_id"]])
        for row, percent, *_ in scored
        if surveys.get((row["source"], row["gradable_id"])) is not None
    ]
    assert len(pairs) > 500
    assert 0.15 < correlation(*zip(*pairs, strict=True)) < 0.6
    assert {csat for _, csat in pairs} == {1.0, 2.0, 3.0, 4.0, 5.0}


def test_several_graders_calibrate_the_same_ticket_against_a_final_grade(truth):
    panels = defaultdict(list)
    for row in truth.total_scores:
        panels[row["source"], row["gradable_id"], row["grade_type"]].append(row)
    calibrations = {key: rows for key, rows in panels.items() if key[2] == "calibration_review"}
    assert len(calibrations) > 20
    for (source, ticket, _), rows in calibrations.items():
        assert len({row["grader"] for row in rows}) == len(rows) >= 3
        final = panels[source, ticket, "calibration_final"]
        assert len(final) == 1
        for row in rows:
            assert row["target_answer_id"].endswith(
                f"_{ticket}_{row['rubric_id']}_{row['agent_id']}_GRADER_calibration_final"
            )
            assert row["original_grader"] == final[0]["grader"]


def test_the_alignment_score_is_the_vendors_formula_over_the_answers(truth):
    questions = defaultdict(dict)
    for row in truth.individual_answers:
        key = (row["source"], row["gradable_id"], row["rubric_id"], row["agent_id"], row["grade_type"], row["grader"])
        questions[key][row["question_id"]] = (row["question_score"], row["max_question_score"])
    checked = 0
    for row in truth.total_scores:
        if row["grade_type"] != "grader_qa" or row["alignment_score"] is None:
            continue
        identity = (row["source"], row["gradable_id"], row["rubric_id"], row["agent_id"])
        ours = questions[*identity, "grader_qa", row["grader"]]
        theirs = questions[*identity, "grading", row["original_grader"]]
        pairs = [
            (score_, theirs[question][0], maximum)
            for question, (score_, maximum) in ours.items()
            if score_ is not None and theirs[question][0] is not None and maximum
        ]
        possible = sum(maximum for *_, maximum in pairs)
        expected = 100 * sum((maximum / possible) * (1 - abs(a - b) / maximum) for a, b, maximum in pairs)
        assert row["alignment_score"] == pytest.approx(expected, abs=0.006)
        checked += 1
    assert checked > 30


def question(maximum, steps=15):
    return Question(f"q{maximum}", "?", maximum, steps)


def test_the_vendors_example_of_alignment():
    """10 of 15 against 7 of 15 is 80 %, and weighs 15 of 80 points."""
    alone = Rubric(0, "r", "r", (Section("s", "s", (question(15),)),))
    assert alignment(alone, [10], [7]) == 80
    whole = Rubric(0, "r", "r", (Section("s", "s", (question(15), question(65))),))
    assert alignment(whole, [10, 15], [7, 15]) == pytest.approx(15 + 81.25)
    assert alignment(whole, [10, None], [7, 15]) == 80
    assert alignment(whole, [None, None], [7, 15]) is None


def test_not_applicable_shrinks_the_denominator():
    """21 of 35 becomes 16 of 30 when a section of 5 points does not apply."""
    rubric = Rubric(0, "r", "r", (Section("a", "a", (question(30, 30),)), Section("b", "b", (question(5, 5),))))
    full, shrunk = score(rubric, [16, 5]), score(rubric, [16, None])
    assert (full.total, full.maximum) == (21, 35)
    assert (shrunk.total, shrunk.maximum) == (16, 30)
    assert shrunk.sections == ((16, 30), (None, 0))
    assert score(rubric, [None, None]).total is None


def test_points_and_weights_are_two_arithmetics():
    sections = (
        Section("a", "a", (question(10, 10),), weight=80.0),
        Section("b", "b", (question(30, 30),), weight=20.0),
    )
    points, weighted = Rubric(0, "r", "r", sections), Rubric(0, "r", "r", sections, weighted=True)
    assert score(points, [5, 30]).percent == 87.5
    assert score(weighted, [5, 30]).percent == 60
    assert score(weighted, [5, None]).percent == 50


def test_a_bonus_goes_beyond_and_an_auto_fail_makes_it_zero():
    rubric = Rubric(
        *(0, "r", "r"),
        sections=(
            Section("a", "a", (question(10, 10),)),
            Section("b", "b", (Question("b", "?", 5),), kind="bonus"),
            Section("c", "c", (Question("c", "?", 0),), kind="auto_fail"),
        ),
    )
    assert score(rubric, [10, 1, 1]).percent == 150
    failed = score(rubric, [10, 1, 0])
    assert (failed.total, failed.maximum) == (0, 10)
    assert failed.sections[0] == (10, 10)


def test_all_of_it_occurs(truth):
    percents = [
        100 * row["rubric_score"] / row["max_rubric_score"] for row in truth.total_scores if row["max_rubric_score"]
    ]
    assert 0 in percents
    assert max(percents) > 100
    assert any(row["rubric_score"] is None for row in truth.total_scores)
    assert any(row["section_score"] is None for row in truth.section_scores)
    assert any(row["question_score"] is None and row["answer_label"] is None for row in truth.individual_answers)
    assert {row["section_weight"] is None for row in truth.section_scores} == {True, False}
    kinds = {section.kind for rubric in make_rubrics(1) for section in rubric.sections}
    assert kinds == {"ordinary", "bonus", "auto_fail"}
    assert any(rate > 0 for rate in truth.bonus_rate.values())
    assert any(rate > 0 for rate in truth.auto_fail_rate.values())
