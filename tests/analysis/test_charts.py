"""Every chart draws its answer, says why it is empty, and tells hostile names apart."""

import re
from datetime import timedelta
from functools import partial

import polars as pl
import pytest
import vl_convert
from simulated_database import START, grade_rows

from maestro_analytics import analysis
from maestro_analytics.analysis import charts
from maestro_analytics.analysis.charts.theme import plain, standing_first, strength
from maestro_analytics.text import without_emoji

DRAWN = {
    "agreement": analysis.question_agreement,
    "calibration": analysis.calibration_sessions,
    "caterpillar": analysis.agent_ranking,
    "control": analysis.control_chart,
    "coverage": analysis.grading_coverage,
    "csat": analysis.csat_link,
    "dependability": partial(analysis.generalizability, of="designs"),
    "disagreement": analysis.grader_pairs,
    "effects": analysis.coaching_effect,
    "event_study": analysis.coaching_timeline,
    "group_scores": analysis.team_scores,
    "heat_map": analysis.points_lost_by_team,
    "movers": analysis.changes,
    "pareto": analysis.points_lost,
    "pilot": analysis.power,
    "precision": analysis.sampling_plan,
    "severity": analysis.grader_severity,
    "sources": analysis.generalizability,
    "trend": analysis.score_trend,
    "waiting": analysis.time_to_coach_curve,
}


def svg(chart):
    """The picture in the font of a report: one that is read from the disk takes longer than all the rest."""
    spec = chart.to_dict()
    spec["config"]["font"] = "sans-serif"
    return vl_convert.vegalite_to_svg(spec)


def test_every_chart_has_its_answer_here():
    assert sorted([*DRAWN, "follow_theme"]) == charts.__all__


@pytest.mark.parametrize("name", sorted(DRAWN))
def test_a_chart_draws_its_answer_with_the_number_behind_it(store, name):
    """No more than the asked width of plot, and every picture says how many values are in it."""
    picture = svg(getattr(charts, name)(DRAWN[name](store)))
    words = " ".join(re.findall(r"<(?:text|tspan)[^>]*>([^<]+)", picture))
    assert "n=" in words or name in ("disagreement", "event_study", "heat_map", "precision")
    assert picture.count("<path") > 5
    assert "NaN" not in picture


@pytest.mark.parametrize("name", sorted(DRAWN))
def test_an_empty_answer_gives_a_chart_that_says_why(store, name):
    answer = DRAWN[name](store, since="2030-01-01", until="2030-02-01")
    words = " ".join(re.findall(r"<(?:text|tspan)[^>]*>([^<]*)<", svg(getattr(charts, name)(answer))))
    assert "2030-01-01" in words


@pytest.mark.parametrize("name", sorted(DRAWN))
def test_a_chart_fits_a_phone(sandbox, name):
    picture = svg(getattr(charts, name)(DRAWN[name](sandbox[0]), width=330))
    width = float(re.search(r'<svg[^>]* width="([\d.]+)"', picture)[1])
    assert width < 365


def test_the_strength_of_a_colour_fits_the_values():
    """The strongest colour is that of the largest gaps, be they 3 points or 40; a number on it can be read."""
    for largest in (3.0, 40.0):
        opacity, top = strength("size", pl.Series([largest * at / 100 for at in range(-100, 101)]))
        assert top == pytest.approx(largest, abs=1.0)
        scale = opacity.to_dict()["scale"]
        assert [0, top] == scale["domain"]
        assert max(scale["range"]) <= 0.5


def test_all_who_stand_out_are_drawn_or_the_caption_says_how_many_are_not():
    frame = pl.DataFrame(
        {"value": [float(at) for at in range(100)], "stands_out": ["below"] * 8 + [""] * 84 + ["above"] * 8}
    )
    drawn, words = standing_first(frame, "value", 20, what="agents")
    assert (20, 16) == (drawn.height, drawn.filter(pl.col("stands_out") != "").height)
    assert "with all that stand out" in words
    drawn, words = standing_first(frame, "value", 10, what="agents")
    assert [0.0, 1.0, 2.0, 3.0, 4.0, 95.0, 96.0, 97.0, 98.0, 99.0] == drawn["value"].to_list()
    assert "6 that stand out are not drawn" in words


def test_emoji_are_replaced_by_a_sign_that_every_font_has():
    frame = plain(pl.DataFrame({"name": ["VIP 🌟", "👩🏽‍💻 Ada", "5 ☎️ calls", "plain"]}))
    assert ["VIP ◆", "◆ Ada", "5 ◆ calls", "plain"] == frame["name"].to_list()
    assert frame["name"].to_list() == [without_emoji(text) for text in ("VIP 🌟", "👩🏽‍💻 Ada", "5 ☎️ calls", "plain")]


def test_an_unfinished_week_is_hollow_and_dashed(store):
    drawn = charts.trend(analysis.score_trend(store, by="all")).to_dict()
    layers = drawn["spec"]["layer"]
    assert ["datum.finished", "datum.finished", "datum.tail", "!datum.finished"] == [
        layer["transform"][0]["filter"] for layer in layers if "transform" in layer
    ]


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
    assert "of 3,000 agents" in picture


def test_a_hundred_thousand_low_grades_and_ten_thousand_agents_are_drawn():
    """Each grade has a step of its own in the curve, and each agent a dot: more than a picture can hold."""
    days = [at / 2000 for at in range(100_000)]
    curve = pl.DataFrame({"group": ["all"] * 100_000, "days": days, "n": 100_000, "n_na": 0}).with_columns(
        at_risk=pl.lit(1), waiting=100 - pl.col("days"), lo=99 - pl.col("days"), hi=101 - pl.col("days")
    )
    drawn = charts.waiting(curve).to_dict()
    values = next(rows for rows in drawn["datasets"].values() if len(rows) > 100)
    assert [(0.0, 100.0), (0.1, 99.9)] == [(row["days"], round(row["waiting"], 9)) for row in values[:2]]
    assert len(values) < 600
    plan = pl.DataFrame({"person_id": [f"{at:05}" for at in range(10_000)], "agent_name": "A", "n": 20}).with_columns(
        mean=80.0, sd=10.0, half_width_now=4.5, needed=16, more=0, weeks_to_go=0.0
    )
    assert "2,000 of 10,000 agents" in svg(charts.precision(plan))


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
    import altair as alt

    name = "Jo\x0b Bloggs\x1b[31m\x00"
    frame = plain(pl.DataFrame({"name": [name, "Ann\tLee"], "n": [1, 2]}))
    assert frame["name"].to_list() == ["Jo\ufffd Bloggs\ufffd[31m\ufffd", "Ann\tLee"]
    svg = vl_convert.vegalite_to_svg(alt.Chart(frame).mark_bar().encode(x="n:Q", y="name:N").to_dict())
    assert "Bloggs" in svg
