"""The effect of coaching on the very question that was coached, which whole grades dilute."""

import numpy as np
import polars as pl
import pytest
from simulated_database import START, grade_rows, people_of, write
from test_coaching_trials import simulated

from maestro_analytics import analysis
from maestro_analytics.analysis.statistics.effects import estimates
from maestro_analytics.analysis.statistics.trials import Trials, trials
from maestro_analytics.warehouse import open as open_store


def test_questions_together_show_the_effect_where_naive_figures_find_luck():
    """60 simulated centres of three questions, half of them without any effect."""
    found = []
    for effect in (0.0, 5.0):
        for seed in range(30):
            parts = []
            for question in range(3):
                panel, who, when = simulated(1000 * question + seed, effect=effect)
                every = np.ones(len(who), dtype=bool)
                options = {"before": 28, "after": 28, "min_n": 5, "seed": 0, "question": question}
                parts.append(trials(panel, who, when, every, most_controls=4000, **options)[0])
            answers = {each.method: each.effect for each in estimates(Trials.of_all(parts), confidence=0.95)}
            found.append((effect, answers))
    bias = {name: np.mean([answers[name].value - effect for effect, answers in found]) for name in found[0][1]}
    assert abs(bias["matched"]) < 0.4
    assert bias["before and after"] > 1.3
    assert bias["against all uncoached"] > 2.0
    covered = [answers["matched"].lo <= effect <= answers["matched"].hi for effect, answers in found]
    assert np.mean(covered) > 0.9


@pytest.fixture(scope="module")
def centre(tmp_path_factory):
    """Two questions: one coached, with an effect of 8 points; one coached in no session. The first is multi-select."""
    panel, who, when = simulated(4, effect=8.0)
    counts, sums = np.diff(panel.counts, axis=1), np.diff(panel.sums, axis=1)
    person, day = np.nonzero(counts > 0)
    each = counts[person, day].astype(int)
    score = (sums[person, day] / each).repeat(each)
    person, day = person.repeat(each), day.repeat(each)
    grades = grade_rows(
        gradable_id=[f"t{number}" for number in range(len(score))],
        agent_id=[f"{number:03d}" for number in person],
        rubric_score=score,
    ).with_columns(date_reported_as=pl.lit(START) + pl.duration(days=pl.Series("day", day)))
    shared = grades.drop("rubric_score", "max_rubric_score", "date_graded")
    coached = shared.with_columns(
        question_id=pl.lit("q-coached"), question_score=pl.Series(score / 10), max_question_score=pl.lit(10.0)
    )
    answers = pl.concat(
        [
            coached.with_columns(answer_label=pl.lit("one")),
            coached.with_columns(answer_label=pl.lit("another"))[::3],
            coached.with_columns(question_id=pl.lit("q-other"), question_score=pl.lit(7.0), answer_label=pl.lit("Yes")),
        ]
    )
    sessions = pl.DataFrame({"id": [f"s{n}" for n in range(len(who))], "agent_id": [f"{n:03d}" for n in who]})
    sessions = sessions.with_columns(created_at=pl.lit(START) + pl.duration(days=pl.Series("day", when), hours=9))
    points = sessions.select(
        pl.format("p{}", "id").alias("id"), "agent_id", "created_at",
        criteria_id=pl.lit("q-coached"), coaching_session_ids=pl.concat_list("id"),
    )  # fmt: skip
    general = points.with_columns(pl.format("g{}", "id").alias("id"), criteria_id=pl.lit(None, pl.String))
    frames = {
        "total_scores": grades, "individual_answers": answers, **people_of(grades, {}),
        "coaching_sessions": sessions, "coaching_points": pl.concat([points, general]),
    }  # fmt: skip
    path = write(tmp_path_factory.mktemp("questions") / "maestro.duckdb", frames)
    with open_store(path) as store:
        yield store, len(who)


def test_the_coached_question_is_found_by_its_points(centre):
    store, sessions = centre
    coached = store.query("coached_questions")
    assert (sessions, ["q-coached"]) == (coached.height, coached["question_id"].unique().to_list())
    daily = store.query("daily_question_scores")
    assert ["q-coached"] == daily["question_id"].unique().to_list()
    assert daily["n"].sum() == store.sql("select count(*) as n from total_scores")["n"].item()


def test_the_effect_on_the_question_is_the_one_that_was_put_in(centre):
    found = analysis.coaching_effect(centre[0], at="question")
    rows = {row["method"]: row for row in found.iter_rows(named=True)}
    assert found["method"][0] == "matched"
    assert rows["matched"]["lo"] < 8 < rows["matched"]["hi"]
    assert rows["matched"]["effect"] < rows["before and after"]["effect"]
    assert "coached question" in found.about.question


def test_where_no_point_names_a_question_the_answer_says_so(store):
    found = analysis.coaching_effect(store, at="question")
    assert 0 == found.height
    assert found.about.reason.startswith("no coaching session can be counted")
    assert found.schema == analysis.coaching_effect(store).schema
