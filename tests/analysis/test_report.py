"""`maestro-analytics report` and `lab`, as people and scripts call them."""

import csv
import io
import json
import os
import pty
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest
from simulated_database import START, grade_rows, people_of, write

from maestro_analytics import analysis
from maestro_analytics.analysis import charts
from maestro_analytics.analysis import report as reports
from maestro_analytics.analysis.report.page import article
from maestro_analytics.analysis.report.sections import CONTENTS
from maestro_analytics.cli.notebooks import notebooks_folder
from tests.commands import COMMAND

KINDS = ("overview", "changes", "agents", "graders", "questions", "coaching", "grading")


def test_a_table_for_a_team_lead(data_folder, run):
    done = run("report", "agents", "--team", "Billing", "--since", "2026-02-01", data=data_folder)
    assert (0, "") == (done.returncode, done.stderr)
    assert "Period: from 2026-02-01, team 'Billing'" in done.stdout
    assert "date_reported_as" in done.stdout
    assert "could be" in done.stdout
    assert "Agent 001" in done.stdout
    assert "Agent 024" not in done.stdout


def test_json_holds_every_column_of_every_answer(data_folder, run):
    done = run("report", "--format", "json", data=data_folder)
    found = json.loads(done.stdout)
    assert 1 == found["schema_version"]
    assert list(KINDS) == list(found["sections"])
    ranking = found["sections"]["agents"]["agent_ranking"]
    assert 24 == len(ranking["rows"])
    assert {"rank_lo", "rank_hi", "n", "n_na", "reliable", "reason"} <= set(ranking["rows"][0])
    assert "date_reported_as" in ranking["time_axis"]


def test_one_csv_is_the_first_answer_of_a_section(data_folder, run):
    done = run("report", "graders", "--format", "csv", data=data_folder)
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert ["grader-1", "grader-2", "grader-3", "grader-4", "grader-5"] == [row["grader"] for row in rows]


def test_one_csv_cannot_hold_everything_but_a_folder_can(data_folder, tmp_path, run):
    refused = run("report", "--format", "csv", data=data_folder)
    assert (2, "") == (refused.returncode, refused.stdout)
    assert "--output a folder" in refused.stderr
    assert "Traceback" not in refused.stderr
    done = run("report", "all", "--format", "csv", "--output", str(tmp_path / "out"), data=data_folder)
    assert 0 == done.returncode
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert {"overall.csv", "changes_by_agent.csv", "changes_by_grader.csv", "dependability.csv"} <= names
    assert {"agent_ranking.csv", "points_lost.csv", "coaching_effect.csv", "grader_severity.csv"} <= names


def test_the_page_is_one_file_without_network(data_folder, tmp_path, run):
    path = tmp_path / "new" / "report.html"
    done = run("report", "agents", "--output", str(path), data=data_folder)
    assert (0, "") == (done.returncode, done.stdout)
    page = path.read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>")
    assert page.count("<svg ") == 6
    assert 1 == page.count("<script") == page.count("script-src 'sha256-")
    assert not [word for word in page.split('"') if word.startswith(("http:", "https:")) and "w3.org" not in word]
    assert not list(path.parent.glob("*.part"))


def test_a_terminal_is_told_how_far_it_is_and_the_output_holds_nothing_of_it(data_folder):
    ours, theirs = pty.openpty()
    done = subprocess.run(
        [*COMMAND, "report", "agents", "--format", "csv"],
        env=os.environ | {"MAESTRO_DATA": str(data_folder), "TERM": "xterm"},
        stdout=subprocess.PIPE,
        stderr=theirs,
        check=True,
    )
    os.close(theirs)
    told = os.read(ours, 1 << 16)
    os.close(ours)
    assert b"asking the database" in told
    assert done.stdout.startswith(b"rank,")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("report", "agent"), "Nearest: 'agents'"),
        (("report", "--format", "htlm"), "Nearest: 'html'"),
        (("report", "agents", "--team", "Biling"), "Nearest: 'Billing'"),
        (("report", "agents", "--since", "yesterday"), "2026-01-31"),
        (("report", "agents", "--since", "2026-02-01", "--until", "2026-01-01"), "the period is empty"),
    ],
)
def test_wrong_options_are_answered_in_one_line(data_folder, arguments, message, run):
    done = run(*arguments, data=data_folder)
    assert (2, "") == (done.returncode, done.stdout)
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_without_a_database_it_says_what_to_run(tmp_path, run):
    done = run("report", data=tmp_path)
    assert 3 == done.returncode
    assert "maestro-analytics refresh" in done.stderr


def test_an_empty_period_is_a_report_that_says_so(data_folder, run):
    done = run("report", "all", "--since", "2030-01-01", data=data_folder)
    assert (0, "") == (done.returncode, done.stderr)
    assert "nothing to count: no rows (from 2030-01-01" in done.stdout
    page = run("report", "all", "--since", "2030-01-01", "--format", "html", data=data_folder)
    assert "nothing to count" in page.stdout
    assert json.loads(run("report", "--since", "2030-01-01", "--format", "json", data=data_folder).stdout)


def test_text_of_the_vendor_is_shown_and_never_obeyed(tmp_path, run):
    evil = '<img src=x onerror="alert(1)"> [bold red]&amp; :smile:'
    grades = grade_rows(
        gradable_id=[f"t{n}" for n in range(20)],
        agent_id=["1"] * 20,
        agent_name=[evil] * 20,
        rubric_name=[evil] * 20,
        grader=[evil] * 20,
        rubric_score=[80.0 + n % 5 for n in range(20)],
        date_reported_as=[START] * 20,
    )
    write(tmp_path / "maestro.duckdb", people_of(grades, {evil: ["1"]}) | {"total_scores": grades})
    page = run("report", "--format", "html", data=tmp_path).stdout
    assert "<img" not in page
    assert "&lt;img src=x onerror=" in page
    table = run("report", "agents", data=tmp_path).stdout
    assert "[bold red]&amp; :smile:" in " ".join(table.split())


def test_sections_can_be_had_in_python(store):
    parts = reports.sections(store, "questions", team="Billing")
    assert ["points_lost", "points_lost_by_team", "question_agreement"] == [block.name for block in parts[0].blocks]
    assert parts[0].blocks[0].answer.schema == analysis.points_lost(store).schema


def test_what_would_take_too_long_is_left_out_with_a_sentence(store):
    piece = next(piece for piece in CONTENTS["grading"][1] if piece.name == "score_sources")
    block = replace(piece, most_grades=100).asked(store, 10, {"team": "Billing"})
    assert 0 == block.answer.height
    assert "Left out: with" in block.answer.about.reason
    assert "a shorter period, or one team" in article(block)


def test_what_people_are_told_has_a_title_of_its_own_and_plain_words():
    pieces = [piece for _, some in CONTENTS.values() for piece in some]
    titles = [piece.title for piece in pieces]
    assert len(titles) == len(set(titles))
    assert len(pieces) == len({piece.name for piece in pieces})
    told = " ".join(
        f"{piece.title} {piece.words.measured} {piece.words.reading} {piece.words.action} {piece.words.limits} "
        + " ".join(column.heading for column in piece.columns)
        for piece in pieces
    )
    for term in ("Krippendorff", "ANCOVA", "shrunk", "Kaplan", "alpha", "EWMA", "bootstrap", "--", "command"):
        assert term.lower() not in told.lower()


def test_every_picture_comes_with_a_table_and_says_in_words_what_it_shows():
    for piece in (piece for _, some in CONTENTS.values() for piece in some):
        assert piece.columns, piece.name
        assert piece.says is not None, piece.name


def test_those_who_stand_out_below_come_first_and_the_table_has_everyone(store):
    block = reports.sections(store, "agents")[0].blocks[0]
    shown = block.frame
    assert block.answer.height == shown.height
    below = shown.filter(pl.col("stands_out") == "below").height
    assert below > 0
    assert ["below"] * below == shown["stands_out"].head(below).to_list()
    assert shown["shrunk"].head(below).is_sorted()
    page = reports.page(reports.sections(store, "agents"))
    assert all(f">{name}</th>" in page for name in shown["agent_name"])


def test_the_score_of_everyone_is_held_against_the_period_before(holding):
    """Ten agents with two grades in each period: all rise by 4 points, one of them by 8."""
    rows = [
        (agent, day, 76.0 + 2 * (agent % 5) + (day >= 28) * (8 if agent == 9 else 4) + turn)
        for agent in range(10)
        for day in (27, 55)
        for turn in (-1, 1)
    ]
    grades = grade_rows(
        gradable_id=[f"t{at}" for at in range(len(rows))],
        agent_id=[str(agent) for agent, _, _ in rows],
        rubric_score=[score for _, _, score in rows],
        date_reported_as=[START + timedelta(days=day) for _, day, _ in rows],
    )
    score, passed = reports.sections(holding(grades), "overview")[0].blocks[0].answer.iter_rows(named=True)
    assert ("score", 80.0, 84.4, "up") == (
        score["measure"], round(score["before"], 9), round(score["after"], 9), score["changed"],
    )  # fmt: skip
    assert score["lo"] == pytest.approx(4.4 - 2.2622 * 0.4, abs=1e-3)
    assert (20, 20, 10) == (score["n_before"], score["n"], score["agents"])
    assert [(START + timedelta(days=day)).date() for day in (28, 55, 0, 27)] == [
        score[name] for name in ("starts", "ends", "starts_before", "ends_before")
    ]
    assert ("pass rate", 50.0, 90.0, "up") == tuple(passed[name] for name in ("measure", "before", "after", "changed"))


def test_the_newest_week_may_not_have_ended_and_is_never_flagged(store):
    for answer in (analysis.score_trend(store), analysis.control_chart(store), analysis.grader_drift(store)):
        newest = answer.filter(pl.col("period") == answer["period"].max())
        assert not newest["finished"].any()
        if "signal" in answer.columns:
            assert newest["signal"].to_list() == [""] * newest.height
        assert answer.filter(pl.col("period") < answer["period"].max())["finished"].all()


def test_min_n_decides_what_is_reliable(store):
    strict = reports.sections(store, "agents", min_n=1000)[0].blocks[0].answer
    assert not strict["reliable"].any()
    assert "fewer than 1000" in strict["reason"][0]


def test_lab_copies_the_notebooks_and_keeps_what_was_changed(data_folder, tmp_path, run):
    folder = tmp_path / "mine"
    names = sorted(path.name for path in notebooks_folder().glob("*.ipynb"))
    done = run("lab", str(folder), "--no-open", data=data_folder)
    assert (0, f"{folder}\n") == (done.returncode, done.stdout)
    assert names == sorted(path.name for path in folder.glob("*.ipynb"))
    assert len(names) >= 7

    changed, outdated = folder / names[0], folder / names[1]
    changed.write_text("mine", encoding="utf-8")
    again = run("lab", str(folder), "--no-open", data=data_folder)
    assert "mine" == changed.read_text(encoding="utf-8")
    assert f"kept {changed}: you changed it" in again.stderr
    assert f"up to date {outdated}" in again.stderr


def test_lab_replaces_a_copy_that_nobody_touched(data_folder, tmp_path, monkeypatch):
    from maestro_analytics.cli import notebooks

    source = tmp_path / "source"
    source.mkdir()
    (source / "a.ipynb").write_text("one", encoding="utf-8")
    monkeypatch.setattr(notebooks, "notebooks_folder", lambda: source)
    target = tmp_path / "target"
    assert [f"wrote {target / 'a.ipynb'}"] == list(notebooks.copy_notebooks(target))
    (source / "a.ipynb").write_text("two", encoding="utf-8")
    assert [f"wrote {target / 'a.ipynb'}"] == list(notebooks.copy_notebooks(target))
    assert "two" == (target / "a.ipynb").read_text(encoding="utf-8")


def test_lab_refuses_a_file(data_folder, tmp_path, run):
    (tmp_path / "file").write_text("x", encoding="utf-8")
    done = run("lab", str(tmp_path / "file"), "--no-open", data=data_folder)
    assert 2 == done.returncode
    assert "name a folder" in done.stderr


@pytest.mark.parametrize("path", sorted(notebooks_folder().glob("*.ipynb")), ids=lambda path: path.stem)
def test_notebooks_are_stored_without_outputs_and_with_one_parameter_cell(path: Path):
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert not [cell for cell in code if cell["outputs"] or cell["execution_count"]]
    assert 1 == sum("parameters" in cell["metadata"].get("tags", []) for cell in cells)
    assert not [line for cell in code for line in cell["source"] if line.startswith(("def ", "class "))]


def test_importing_the_package_stays_light():
    heavy = "{'scipy', 'altair', 'polars', 'duckdb', 'pandera'}"
    code = f"import sys, maestro_analytics, maestro_analytics.cli; print(sorted({heavy} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert "[]\n" == found.stdout
    light = "import sys, maestro_analytics.analysis; print(sorted({'scipy', 'altair'} & set(sys.modules)))"
    assert "[]\n" == subprocess.run([sys.executable, "-c", light], capture_output=True, text=True, timeout=60).stdout


def test_a_table_is_shown_without_charts_every_chart_is_one_and_none_builds_what_checks_addresses():
    named = {piece.draw for _, pieces in CONTENTS.values() for piece in pieces} - {None}
    assert named <= set(charts.__all__)
    code = """
import sys, maestro_analytics.analysis.report
print('altair' in sys.modules)
from maestro_analytics.analysis import charts
from jsonschema import Draft202012Validator
print('rfc3987_syntax' in sys.modules)
print([Draft202012Validator.FORMAT_CHECKER.conforms(address, 'iri') for address in ('http://\u00fc.de/x', 'a b')])
"""
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60).stdout
    assert "False\nFalse\n[True, False]\n" == found


def test_the_answers_shown_are_plain_frames_for_others(store):
    block = reports.sections(store, "agents")[0].blocks[0]
    assert pl.DataFrame(block.answer).equals(block.answer)
