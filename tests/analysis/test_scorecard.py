"""The scorecard of an agent and the site of pages: among all agents, with comments, tickets, to-dos and coaching."""

import json
import os
import re
import signal
import subprocess
import time
from datetime import timedelta
from html import unescape

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from simulated_database import ANSWER_ID, START, grade_rows, people_of, write

from maestro_analytics import analysis
from maestro_analytics.analysis import report as reports
from maestro_analytics.analysis.report import site
from maestro_analytics.analysis.report.scorecards import ticket_link
from maestro_analytics.errors import InvalidArgument, UnknownName
from maestro_analytics.warehouse import open as open_store
from tests.commands import COMMAND

LINKS = "zendesk=https://acme.zendesk.com/agent/tickets/{gradable_id}"
EVIL = '../../<b onmouseover="x">\u202e\x1b[31m\\:*?"|'


@pytest.fixture(scope="module")
def cards(store):
    return reports.scorecards(store)


@pytest.fixture(scope="module")
def written(store, tmp_path_factory):
    """The site of the numpy centre."""
    folder = tmp_path_factory.mktemp("site")
    list(reports.write_site(store, folder, addresses={"zendesk": "https://acme.zendesk.com/{gradable_id}"}))
    return folder


def same(expected, rows):
    """The rows of a scorecard are those of an answer, but for last digits, which hang on the order of sums."""
    frame = pl.DataFrame(expected)
    assert_frame_equal(frame, pl.DataFrame(rows, schema=frame.schema))


def answers_with(grades, comments):
    """One answer of each grade, which lost points and has a comment."""
    return grades.select(
        "grade_key", "gradable_id", "agent_id", "rubric_id", "rubric_name", "grader", "grade_type", "date_reported_as",
        "source", question_id=pl.lit("q"), question=pl.lit("Right?"), question_score=pl.lit(0.0),
        max_question_score=pl.lit(5.0), answer_label=pl.lit("No"), comment=pl.Series(comments),
    )  # fmt: skip


def test_an_agent_stands_among_all_and_not_alone(store, cards):
    """`--agent` as a filter made the weakest agent rank 1 of 1."""
    ranking = analysis.agent_ranking(store)
    card = cards.of(ranking["person_id"][-1])
    same(ranking.tail(1), [card.standing])
    assert 24 == card.standing["rank"] == cards.peers(card).height
    assert ["Technical"] == list(cards.of("024").teams.values())


def test_a_scorecard_has_the_rows_of_its_agent_of_every_answer(store, cards):
    with_todos = set(analysis.open_todos(store)["person_id"])
    person = min(with_todos & set(analysis.coaching_history(store)["person_id"]))
    card = cards.of(person)
    same(analysis.changes(store).filter(pl.col("id") == person), [card.change])
    weeks = analysis.score_trend(store, by="agent").filter(pl.col("group_id") == person)
    same(weeks, [{name: row[name] for name in weeks.columns} for row in card.trend])
    assert [False] * (len(card.trend) - 1) + [True] == [row["unfinished"] for row in card.trend]
    for answer, rows in (
        (analysis.tickets_to_review, card.tickets),
        (analysis.open_todos, card.todos),
        (analysis.coaching_history, card.coaching),
    ):
        assert rows
        same(answer(store).filter(pl.col("person_id") == person), rows)
    costs = analysis.points_lost_by_agent(store).filter(pl.col("person_id") == person).head(5)
    assert costs["question_id"].to_list() == [row["question_id"] for row in card.costs]
    comments = analysis.answer_comments(store).filter(pl.col("person_id") == person)
    first = comments.filter(
        (pl.col("question_id") == card.costs[0]["question_id"]) & (pl.col("rubric_id") == card.costs[0]["rubric_id"])
    )
    assert card.costs[0]["comments"]
    same(first, card.costs[0]["comments"])


def test_the_tickets_are_the_lowest_and_the_most_usual_the_newest_first(holding):
    scores = [90.0, 90.0, 10.0, 90.0, 50.0, 90.4, 20.0, 30.0, None]
    grades = grade_rows(
        gradable_id=[f"t{number}" for number in range(9)],
        agent_id=["1"] * 9,
        rubric_score=scores,
        date_reported_as=[START + timedelta(days=number) for number in range(9)],
    )
    found = analysis.tickets_to_review(holding(grades)).select("why", "place", "gradable_id", "score_percent")
    expected = pl.DataFrame(
        {
            "why": ["lowest"] * 3 + ["typical"] * 3,
            "place": [1, 2, 3] * 2,
            "gradable_id": ["t2", "t6", "t7", "t5", "t4", "t3"],
            "score_percent": [10.0, 20.0, 30.0, 90.4, 50.0, 90.0],
        }
    )
    # The median of the eight scores is 70: all three are 20 whole points from it.
    assert_frame_equal(expected, found)


def test_comments_are_those_on_lost_points_each_answer_once_the_newest_first(holding):
    grades = grade_rows(
        gradable_id=["a", "b", "c", "d"],
        agent_id=["1"] * 4,
        rubric_score=[80.0] * 4,
        date_reported_as=[START + timedelta(days=number) for number in range(4)],
    )
    answers = answers_with(grades, ["first", "second", "  ", "full marks"])
    full = answers[3:].with_columns(question_score=pl.lit(5.0))
    store = holding(grades, individual_answers=pl.concat([answers[:3], answers[1:2], full]))
    found = analysis.answer_comments(store)
    assert ["second", "first"] == found["comment"].to_list()
    assert [1, 2] == found["place"].to_list()
    assert ["second"] == analysis.answer_comments(store, show=1)["comment"].to_list()


def test_open_todos_are_those_not_done_with_their_ticket(holding):
    grades = grade_rows(gradable_id=["a"], agent_id=["1"], rubric_score=[80.0], date_graded=[START + timedelta(days=9)])
    todos = pl.DataFrame(
        {
            "id": ["done", "old", "loose"],
            "agent_id": ["1"] * 3,
            "title": ["Done", "Old", "Loose"],
            "status": ["complete", "incomplete", None],
            "created_at": [START, START, START + timedelta(days=1)],
            "answer_id": [None, grades.select(ANSWER_ID).item(), None],
        }
    )
    found = analysis.open_todos(holding(grades, todos=todos)).select("title", "days", "source", "gradable_id")
    assert [("Old", 9.0, "zendesk", "a"), ("Loose", 8.0, None, None)] == found.rows()


def session(name, day, **more):
    return {"id": name, "agent_id": "1", "created_at": START + timedelta(days=day), "coach_name": "Cora"} | more


def test_coaching_is_told_with_the_scores_before_and_after_it(holding):
    days = [*range(0, 20, 2), *range(30, 50, 2), 99]
    grades = grade_rows(
        gradable_id=[f"t{number}" for number in range(21)],
        agent_id=["1"] * 21,
        rubric_score=[70.0, 80.0] * 5 + [85.0, 95.0] * 5 + [None],
        date_reported_as=[START + timedelta(days=day, hours=1) for day in days],
    )
    sessions = pl.DataFrame([session("s", 25), session("gone", 20, is_deleted=True), session("late", 90)])
    store = holding(grades, coaching_sessions=sessions)
    found = analysis.coaching_history(store)
    late, kept = found.to_dicts()
    assert ("late", 0, 0, None, "28 days have not passed since") == (
        late["coaching_session_id"], late["n"], late["n_before"], late["change"], late["reason"]
    )  # fmt: skip
    assert ("s", 10, 10, 75.0, 90.0, 15.0, True) == tuple(
        kept[name] for name in ("coaching_session_id", "n_before", "n", "before", "after", "change", "reliable")
    )
    # Both halves have a standard deviation of 5.27; t with 18 degrees of freedom.
    assert kept["hi"] - kept["change"] == pytest.approx(2.1009 * 5.2705 * (2 / 10) ** 0.5, abs=0.01)
    assert found[:1].equals(analysis.coaching_history(store, since="2026-02-01"))


def test_a_session_after_equal_scores_and_before_none_has_no_interval(holding):
    grades = grade_rows(
        gradable_id=[f"t{number}" for number in range(6)],
        agent_id=["1"] * 6,
        rubric_score=[70.0] * 6,
        date_reported_as=[START + timedelta(days=day) for day in range(6)],
    )
    found = analysis.coaching_history(holding(grades, coaching_sessions=pl.DataFrame([session("s", 20)])))
    assert [(6, 0, 70.0, None, None)] == found.select("n_before", "n", "before", "change", "lo").rows()


def test_two_sessions_within_four_weeks_cannot_be_told_apart(holding):
    grades = grade_rows(
        gradable_id=[f"t{number}" for number in range(60)],
        agent_id=["1"] * 60,
        rubric_score=[70.0 + number % 9 for number in range(60)],
        date_reported_as=[START + timedelta(days=number * 2) for number in range(60)],
    )
    sessions = pl.DataFrame([session("a", 40), session("b", 60), session("c", 89)])
    found = analysis.coaching_history(holding(grades, coaching_sessions=sessions))
    assert ["", *["another session within 28 days"] * 2] == found["reason"].to_list()


def test_a_question_on_which_an_agent_differs_is_named_and_one_that_does_not_is_not(holding):
    grades = grade_rows(
        gradable_id=[f"t{number}" for number in range(120)],
        agent_id=["weak"] * 40 + ["usual"] * 80,
        rubric_score=[80.0] * 120,
    )
    answers = answers_with(grades, [""] * 120).with_columns(
        question_score=pl.Series([0.0] * 30 + [5.0] * 10 + [0.0] * 10 + [5.0] * 70)
    )
    found = analysis.points_lost_by_agent(holding(grades, individual_answers=answers))
    rows = {row["person_id"]: row for row in found.to_dicts()}
    assert ("above", 75.0, 150.0) == tuple(rows["weak"][name] for name in ("stands_out", "failure_rate", "points_lost"))
    assert ("below", 12.5) == (rows["usual"]["stands_out"], rows["usual"]["failure_rate"])
    assert rows["weak"]["everyone"] == pytest.approx(100 * 40 / 120)


def test_a_name_that_nobody_has_is_answered_with_the_nearest(store):
    with pytest.raises(UnknownName, match=r"Nearest: .*'Agent 003'"):
        reports.person_called(store, "agent 03")
    assert "003" == reports.person_called(store, "Agent 003") == reports.person_called(store, "003@example.com")


def test_two_agents_of_one_name_are_told_apart_by_their_ids(holding):
    grades = grade_rows(
        gradable_id=["a", "b"], agent_id=["1", "2"], agent_name=["Ada", "Ada"], rubric_score=[80.0, 90.0]
    )
    store = holding(grades)
    with pytest.raises(InvalidArgument, match=r"2 agents are called 'Ada'\. Name one by its id: 1, 2\."):
        reports.person_called(store, "Ada")
    assert "2" == reports.person_called(store, "2")


def test_an_agent_without_a_grade_has_a_scorecard_that_says_so(store, tmp_path):
    nobody = reports.scorecards(store, since="2030-01-01")
    card = nobody.of("003")
    assert (None, None, [], []) == (card.standing, card.change, card.trend, card.costs)
    page = reports.scorecard_page(nobody, card)
    assert "No scored grade (from 2030-01-01)" in page
    assert card.coaching
    with pytest.raises(InvalidArgument, match="not among those chosen"):
        reports.scorecards(store, team="Technical").of("003")


def test_a_ticket_is_linked_by_its_source_and_its_id_cannot_leave_the_address():
    addresses = {"zendesk": "https://acme.zendesk.com/tickets/{gradable_id}"}
    assert "https://acme.zendesk.com/tickets/17" == ticket_link(addresses, "Zendesk", "17")
    assert "https://acme.zendesk.com/tickets/..%2F%22%3Ex%3F%23" == ticket_link(addresses, "zendesk", '../">x?#')
    assert ticket_link(addresses, "salesforce", "17") is ticket_link(addresses, None, "17") is None


def test_the_page_says_what_the_answers_say_and_links_the_tickets(store, cards):
    card = cards.of("003")
    page = reports.scorecard_page(cards, card, addresses={"zendesk": "https://acme.zendesk.com/{gradable_id}"})
    text = unescape(re.sub(r"<[^>]+>", " ", page))
    assert f"{card.standing['rank_lo']} to {card.standing['rank_hi']} of 24" in text
    assert all(f'href="https://acme.zendesk.com/{row["gradable_id"]}"' in page for row in card.tickets)
    assert all(note["comment"] in text for cost in card.costs for note in cost["comments"])
    assert "<script" not in page
    links = set(re.findall(r'(?:href|src)="([^"]+)"', page))
    assert all(link.startswith("https://acme.zendesk.com/T_") for link in links)


def test_names_of_files_are_plain_the_same_every_time_and_different_for_different_people():
    names = [site.page_name(name, key) for name, key in (("Ada", "1"), ("Ada", "2"), ("ADA", "3"), ("", "4"))]
    names += [site.page_name(name, "k" + name) for name in ("CON", "🎉", EVIL, "a/b", "名前", "x" * 400, "..")]
    assert len(names) == len(set(names))
    assert all(re.fullmatch(r"[a-z0-9][a-z0-9-]{5,80}\.html", name) for name in names)
    assert "ada-" + "6b86b273ff.html" == site.page_name("Ada", "1")


def test_every_link_of_the_site_leads_to_a_page_and_nothing_is_fetched(written, store):
    pages = sorted(written.rglob("*.html"))
    assert 1 + 2 + 24 == len(pages)
    reached = set()
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert text.endswith("</html>\n")
        for link in re.findall(r'(?:href|src)="([^"]+)"', text):
            if not link.startswith("https://acme.zendesk.com/"):
                assert not re.match(r"[a-z]+:|/", link)
                reached.add((page.parent / link).resolve())
    assert {page.resolve() for page in pages} == reached


def test_hostile_names_stay_text_and_stay_in_the_folder(tmp_path):
    grades = grade_rows(
        gradable_id=[f"t{n}" for n in range(24)],
        agent_id=["1", "2"] * 12,
        agent_name=[EVIL, EVIL] * 12,
        rubric_name=[EVIL] * 24,
        grader=[EVIL] * 24,
        comment=[EVIL] * 24,
        rubric_score=[80.0 + n % 5 for n in range(24)],
    )
    answers = answers_with(grades, [EVIL] * 24).with_columns(question=pl.lit(EVIL))
    path = write(
        tmp_path / "maestro.duckdb",
        people_of(grades, {EVIL: ["1"]}) | {"total_scores": grades, "individual_answers": answers},
    )
    with open_store(path) as store:
        pages = list(reports.write_site(store, tmp_path / "out" / "site"))
    assert 4 == len(pages) == len({page.name.lower() for page in pages})
    assert {tmp_path / "maestro.duckdb", tmp_path / "out"} == set(tmp_path.iterdir())
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert "<b onmouseover" not in text
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f\u202e]", text)


def test_pages_of_people_who_are_gone_are_removed_and_other_files_stay(store, tmp_path):
    folder = tmp_path / "site"
    list(reports.write_site(store, folder))
    (folder / "agents" / "notes.txt").write_text("mine", encoding="utf-8")
    (folder / "mine.html").write_text("mine", encoding="utf-8")
    list(reports.write_site(store, folder, team="Billing"))
    assert 12 + 1 == len(list((folder / "agents").iterdir()))
    assert 1 == len(list((folder / "teams").iterdir()))
    assert "mine" == (folder / "mine.html").read_text(encoding="utf-8")


def test_a_folder_with_another_index_is_refused_and_left_alone(store, tmp_path):
    (tmp_path / "index.html").write_text("mine", encoding="utf-8")
    with pytest.raises(InvalidArgument, match="name another folder"):
        list(reports.write_site(store, tmp_path))
    assert ["index.html"] == [path.name for path in tmp_path.iterdir()]
    with pytest.raises(InvalidArgument, match="is a file"):
        list(reports.write_site(store, tmp_path / "index.html"))


def test_a_run_that_is_killed_leaves_whole_pages_only_and_the_next_one_finishes(data_folder, tmp_path, run):
    folder = tmp_path / "site"
    process = subprocess.Popen(
        [*COMMAND, "report", "site", "--output", str(folder)], env=os.environ | {"MAESTRO_DATA": str(data_folder)}
    )
    until = time.monotonic() + 60
    while time.monotonic() < until and len(list(folder.glob("agents/*.html"))) < 3:
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.wait()
    pages = list(folder.rglob("*.html"))
    assert pages
    assert all(page.read_text(encoding="utf-8").endswith("</html>\n") for page in pages)
    done = run("report", "site", "--output", str(folder), data=data_folder)
    assert (0, "") == (done.returncode, done.stdout)
    assert f"wrote {folder / 'index.html'} and 26 more pages" in done.stderr
    assert 1 + 2 + 24 == len(list(folder.rglob("*.html")))


def test_a_scorecard_on_the_command_line(data_folder, tmp_path, run, monkeypatch):
    monkeypatch.setenv("MAESTRO_TICKET_URLS", LINKS)
    table = run("report", "scorecard", "--agent", "Agent 003", data=data_folder)
    assert (0, "") == (table.returncode, table.stderr)
    assert "of 24" in table.stdout
    assert "https://acme.zendesk.com/agent/tickets/T_" in table.stdout
    found = json.loads(run("report", "scorecard", "--agent", "003", "--format", "json", data=data_folder).stdout)
    assert (1, "Agent 003", 24) == (found["schema_version"], found["agent"], found["agents_compared"])
    assert found["tickets"][0]["url"].endswith(found["tickets"][0]["gradable_id"])
    page = tmp_path / "new" / "card.html"
    done = run("report", "scorecard", "--agent", "003", "--output", str(page), data=data_folder)
    assert (0, "", f"wrote {page}\n") == (done.returncode, done.stdout, done.stderr)
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert [page] == list(page.parent.iterdir())


@pytest.mark.parametrize(
    ("arguments", "settings", "code", "message"),
    [
        (("scorecard",), {}, 2, "--agent NAME"),
        (("scorecard", "--agent", "Agent 3"), {}, 2, "'Agent 003'"),
        (("scorecard", "--agent", "003", "--format", "csv"), {}, 2, "Known: 'html', 'json', 'table'"),
        (("scorecard", "--agent", "003", "--team", "Technical"), {}, 2, "not among those chosen"),
        (("site",), {}, 2, "--output FOLDER"),
        (("site", "--output", "x", "--agent", "003"), {}, 2, "report scorecard --agent NAME"),
        (("scorecard", "--agent", "003"), {"MAESTRO_TICKET_URLS": "zendesk=http://a/{gradable_id}"}, 3, "https://"),
    ],
)
def test_what_cannot_be_meant_is_answered_in_one_line(data_folder, arguments, settings, code, message, run):
    done = run("report", *arguments, data=data_folder, **settings)
    assert (code, "") == (done.returncode, done.stdout)
    assert message in done.stderr
    assert 1 == done.stderr.count("\n")
