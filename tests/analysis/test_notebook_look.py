"""How answers and charts look in a notebook, and what `lab` passes on to JupyterLab."""

import os
import re
import subprocess
from datetime import timedelta

import polars as pl
import pytest
from simulated_database import START, grade_rows

from maestro_analytics import analysis
from maestro_analytics.analysis import charts
from maestro_analytics.analysis.answer import html_table, ordered
from tests.commands import COMMAND


def rows_of(html):
    body = html.split("<tbody>")[1].split("</tbody>")[0]
    return [re.findall(r"<td[^>]*>(.*?)</td>", row) for row in re.findall(r"<tr[^>]*>(.*?)</tr>", body)]


def test_names_come_first_and_ids_last():
    assert ["agent_name", "rubric_name", "n", "mean", "reliable", "reason", "person_id", "rubric_id"] == ordered(
        ["person_id", "agent_name", "rubric_id", "rubric_name", "n", "mean", "reliable", "reason"]
    )


def test_a_table_is_rounded_says_all_and_marks_what_is_not_reliable():
    frame = pl.DataFrame(
        {
            "agent_id": ["1", "2"],
            "agent_name": ["<b>Ada</b>", "Bob"],
            "n": [1200, 3],
            "mean": [83.14159, None],
            "share": [0.123456, 1.0],
            "at": [START, START],
            "method": ["t", "t"],
            "nothing": pl.Series([None, None], dtype=pl.Float64),
            "reliable": [True, False],
            "reason": ["", "3 grades: " + "far too few " * 20],
        }
    )
    html = html_table(frame, ["What?", "A caveat that is " + "long " * 50])
    assert [
        ["&lt;b&gt;Ada&lt;/b&gt;", "1,200", "83.1", "0.12", "2026-01-05 00:00", "yes", "", "1"],
        ["Bob", "3", "–", "1.00", "2026-01-05 00:00", "no", "3 grades: " + "far too few " * 20, "2"],
    ] == rows_of(html)
    assert "A caveat that is " + "long " * 50 in html
    assert "method: t" in html
    assert "without any value: nothing" in html
    assert "1 of 2 rows are not reliable" in html


@pytest.mark.parametrize(("height", "shown"), [(0, 0), (50, 50), (51, 51)])
def test_all_rows_up_to_fifty_are_shown_and_of_more_the_first_and_last(height, shown):
    rows = rows_of(html_table(pl.DataFrame({"n": range(height)}), []))
    assert shown == len(rows)
    if height > 50:
        assert ["…"] == rows[25]
        assert [str(height - 1)] == rows[-1]


@pytest.mark.parametrize("name", ["agent_ranking", "changes", "points_lost", "tickets_to_review", "coaching_history"])
def test_an_answer_shows_every_word_of_its_caveat_and_reasons(store, name):
    answer = getattr(analysis, name)(store)
    html = answer._repr_html_().replace("&#x27;", "'").replace("&quot;", '"').replace("&lt;", "<").replace("&gt;", ">")
    assert all(line in html for line in answer.about.lines)
    for reason in answer["reason"].unique() if "reason" in answer.columns else ():
        assert answer.height > 50 or reason in html


def test_an_empty_answer_says_why(store):
    assert "nothing to count" in analysis.changes(store, since="2030-01-01", until="2030-02-01")._repr_html_()


@pytest.fixture
def themed():
    import altair as alt

    before = alt.renderers.active
    charts.follow_theme()
    yield
    alt.renderers.enable(before)


def test_a_chart_takes_the_colours_of_the_theme_and_two_do_not_share_their_ids(store, themed):
    chart = charts.trend(analysis.score_trend(store))
    first, second = (chart._repr_mimebundle_()["text/html"] for _ in range(2))
    assert "var(--ink)" in first
    assert "--jp-content-font-color1" in first
    assert "#1b1f24" not in first.split("</style>")[1].lower()
    ids = [set(re.findall(r'\bid="([^"]+)"', html)) for html in (first, second)]
    assert ids[0].isdisjoint(ids[1])
    assert not re.findall(r'(?:href|src)="(?!#)', first)
    assert chart._repr_mimebundle_()["image/svg+xml"].startswith("<svg")


def test_a_chart_of_hardly_anything_is_shown_too(holding, themed):
    grades = grade_rows(
        gradable_id=["a", "b"],
        agent_id=["1", "1"],
        rubric_score=[80.0, 90.0],
        date_reported_as=[START, START + timedelta(days=9)],
    )
    assert "<svg" in charts.trend(analysis.score_trend(holding(grades)))._repr_mimebundle_()["text/html"]


def lab(*arguments, folder):
    return subprocess.run(
        [*COMMAND, "lab", *arguments],
        capture_output=True,
        text=True,
        cwd=folder,
        env=os.environ | {"MAESTRO_DATA": "data", "JUPYTER_CONFIG_DIR": str(folder / "config")},
        timeout=120,
        check=False,
    )


def test_lab_passes_on_what_is_for_jupyterlab(tmp_path):
    """`--version` is answered by JupyterLab itself, which proves that it came to know of it."""
    from jupyterlab import __version__

    given = ("--port", "9999", "--no-browser", "--no-such-option=1", "--debug", "--version")
    done = lab("mine", *given, folder=tmp_path)
    assert (0, f"{tmp_path / 'mine'}\n{__version__}\n") == (done.returncode, done.stdout)
    assert (tmp_path / "mine" / "01-quickstart.ipynb").exists()
    # Without a folder the first option is JupyterLab's, not the folder.
    done = lab("--version", folder=tmp_path)
    assert (0, f"{tmp_path / 'maestro-notebooks'}\n{__version__}\n") == (done.returncode, done.stdout)
