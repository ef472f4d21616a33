"""Every chart draws its answer, says why it is empty, and tells hostile names apart."""

import re
from datetime import timedelta

import altair as alt
import polars as pl
import pytest
import vl_convert
from simulated_database import START, grade_rows

from maestro_analytics import analysis
from maestro_analytics.analysis import charts
from maestro_analytics.analysis.charts.theme import plain

DRAWN = {
    "agreement": "question_agreement",
    "caterpillar": "agent_ranking",
    "control": "control_chart",
    "csat": "csat_link",
    "disagreement": "grader_pairs",
    "effects": "coaching_effect",
    "event_study": "coaching_timeline",
    "group_scores": "team_scores",
    "heat_map": "points_lost_by_team",
    "pareto": "points_lost",
    "precision": "sampling_plan",
    "severity": "grader_severity",
    "trend": "score_trend",
    "waiting": "time_to_coach_curve",
}


def svg(chart):
    return vl_convert.vegalite_to_svg(chart.to_dict())


def test_every_chart_has_its_answer_here():
    assert sorted(DRAWN) == charts.__all__


@pytest.mark.parametrize("name", sorted(DRAWN))
def test_a_chart_draws_its_answer_with_the_number_behind_it(store, name):
    """No more than the asked width of plot, and every picture says how many values are in it."""
    picture = svg(getattr(charts, name)(getattr(analysis, DRAWN[name])(store)))
    words = " ".join(re.findall(r"<text[^>]*>([^<]*)<", picture))
    assert "n=" in words or name in ("disagreement", "event_study", "heat_map", "precision")
    assert picture.count("<path") > 5
    assert "NaN" not in picture


@pytest.mark.parametrize("name", sorted(DRAWN))
def test_an_empty_answer_gives_a_chart_that_says_why(store, name):
    answer = getattr(analysis, DRAWN[name])(store, since="2030-01-01", until="2030-02-01")
    words = " ".join(re.findall(r"<(?:text|tspan)[^>]*>([^<]*)<", svg(getattr(charts, name)(answer))))
    assert "2030-01-01" in words


@pytest.mark.parametrize("name", sorted(DRAWN))
def test_a_chart_fits_a_phone(sandbox, name):
    picture = svg(getattr(charts, name)(getattr(analysis, DRAWN[name])(sandbox[0]), width=340))
    width = float(re.search(r'<svg[^>]* width="([\d.]+)"', picture)[1])
    assert width < 430


def test_names_of_the_vendor_are_text_and_nothing_else(holding):
    evil = '<script>alert("1")</script>'
    grades = grade_rows(
        gradable_id=[f"t{n}" for n in range(24)],
        agent_id=["1", "2"] * 12,
        agent_name=[evil, f"{evil}\n=cmd|' /C calc'!A0"] * 12,
        rubric_score=[80.0 + n for n in range(24)],
        date_reported_as=[START + timedelta(days=n) for n in range(24)],
    )
    picture = svg(charts.caterpillar(analysis.agent_ranking(holding(grades))))
    assert "<script" not in picture
    assert "&lt;script&gt;" in picture


def test_agents_of_one_name_are_told_apart():
    ranking = pl.DataFrame(
        {
            "person_id": ["p1", "p2"], "agent_name": ["Ada", "Ada"], "n": [20, 20], "mean": [80.0, 90.0],
            "shrunk": [82.0, 88.0], "shrunk_lo": [78.0, 85.0], "shrunk_hi": [86.0, 92.0], "stands_out": ["", ""],
            "rank": [2, 1], "rank_lo": [1, 1], "rank_hi": [2, 2], "reason": ["", ""],
        }
    )  # fmt: skip
    picture = svg(charts.caterpillar(ranking))
    assert "Ada (p1)" in picture
    assert "Ada (p2)" in picture


def test_thousands_of_agents_are_drawn_from_both_ends():
    number = 3000
    ranking = pl.DataFrame({"person_id": [f"p{n:04d}" for n in range(number)]}).with_columns(
        agent_name="person_id", n=20, mean=80.0, shrunk=pl.lit(90.0) - pl.int_range(number) / 200, reason=pl.lit(""),
        stands_out=pl.lit(""), rank=pl.int_range(1, number + 1), rank_lo=1, rank_hi=number,
    ).with_columns(shrunk_lo=pl.col("shrunk") - 3, shrunk_hi=pl.col("shrunk") + 3)  # fmt: skip
    picture = svg(charts.caterpillar(ranking))
    assert "p0000" in picture
    assert "p2999" in picture
    assert "p1500" not in picture
    assert "of 3000 agents" in picture


def test_severity_is_drawn_by_group_where_graders_share_no_agents(holding):
    grades = grade_rows(
        gradable_id=[f"t{n}" for n in range(80)],
        agent_id=["1", "2", "3", "4"] * 20,
        grader=["a" if n < 40 else "b" for n in range(80)],
        rubric_score=[80.0 + n % 7 for n in range(80)],
    ).with_columns(
        grader=pl.when(pl.col("agent_id") > "2").then(pl.col("grader").str.to_uppercase()).otherwise("grader")
    )
    found = analysis.grader_severity(holding(grades))
    assert 2 == found["component"].n_unique()
    assert "compare within a component only" in found.about.caveat
    assert "group 2" in svg(charts.severity(found))


def test_a_control_character_in_a_name_is_drawn_as_a_sign():
    """What a paste from a word processor leaves behind is no XML, and would end the process that draws it."""
    name = "Jo\x0b Bloggs\x1b[31m\x00"
    frame = plain(pl.DataFrame({"name": [name, "Ann\tLee"], "n": [1, 2]}))
    assert frame["name"].to_list() == ["Jo\ufffd Bloggs\ufffd[31m\ufffd", "Ann\tLee"]
    svg = vl_convert.vegalite_to_svg(alt.Chart(frame).mark_bar().encode(x="n:Q", y="name:N").to_dict())
    assert "Bloggs" in svg
