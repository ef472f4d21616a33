"""Each named fault does what it says, and stops when it should."""

import io
import zipfile
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import pytest
import requests

from maestro_analytics.sandbox import FAULTS, Sandbox, UnknownFault

RAW_FILES = ("total_scores", "section_scores", "individual_answers", "annotations", "csat")


@pytest.fixture
def faulty(open_sandbox):
    return lambda *faults, **options: open_sandbox(faults=faults, **({"agents": 6, "days": 20} | options))


def tries(talk, count):
    """What comes of so many requests: a status, or "reset"."""
    seen = []
    for _ in range(count):
        try:
            seen.append(talk.get("/todos").status_code)
        except requests.ConnectionError:
            seen.append("reset")
    return seen


def metric(talk, position=0):
    agent_id = talk.sandbox.truth.agents[position].agent_ids[0]
    return {"agent_id": agent_id, "metric_id": "m", "metric_value": 1, "timestamp": "2026-01-01T00:00:00Z"}


def members(content):
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name).decode("utf-8-sig").lstrip("\r\n") for name in archive.namelist()}


def without_flag(rows):
    """The rows that are not deleted, without the column that says so."""
    return [{name: row[name] for name in row if name != "is_deleted"} for row in rows if not row["is_deleted"]]


def headers_of(talk):
    """The header of every file, by table."""
    files = members(talk.export(includeDeleted=True))
    texts = {name.rpartition("/")[2].removesuffix(".csv"): text for name, text in files.items()}
    for table, path in (("agent_groups", "/request-groups-export"), ("audit_logs", "/request-audit-log-export")):
        texts[table] = talk.export(path).decode("utf-8-sig").lstrip("\r\n")
    return {table: text.splitlines()[0].split(",") for table, text in texts.items()}


def test_server_errors_are_html_and_not_carried_out(faulty):
    talk = faulty("server-errors=3")
    assert tries(talk, 9) == [200, 200, 500, 200, 200, 503, 200, 200, 502]
    talk.sandbox.faults.switch_on("server-errors=1")
    reply = talk.post("/agents", name="A", available=True, email="a@example.com")
    assert reply.headers["Content-Type"].startswith("text/html")
    assert "<html>" in reply.text
    assert "a@example.com" not in {agent.email for agent in talk.sandbox.truth.agents}


def test_a_connection_is_reset_before_the_request_is_taken(faulty):
    talk = faulty("reset-before=2")
    assert tries(talk, 4) == [200, "reset", 200, "reset"]
    talk.sandbox.faults.switch_on("reset-before=1")
    with pytest.raises(requests.ConnectionError):
        talk.post("/agent-metrics-batch", batch=[metric(talk)])
    assert talk.sandbox.received.agent_metrics == {}
    assert (talk.sandbox.received.requests[-1].status, talk.sandbox.received.requests[-1].carried_out) == (None, False)


def test_a_connection_is_reset_after_the_request_was_carried_out(faulty):
    talk = faulty("reset-after=2")
    assert tries(talk, 4) == [200, "reset", 200, "reset"]
    talk.sandbox.faults.switch_on("reset-after=1")
    with pytest.raises(requests.ConnectionError):
        talk.post("/agents", name="A", available=True, email="a@example.com")
    assert "a@example.com" in {agent.email for agent in talk.sandbox.truth.agents}
    assert (talk.sandbox.received.requests[-1].status, talk.sandbox.received.requests[-1].carried_out) == (None, True)


def test_too_many_requests_come_with_and_without_retry_after(faulty):
    talk = faulty("too-many-requests=2")
    assert tries(talk, 3) == [200, 429, 200]
    assert talk.get("/todos").headers["Retry-After"] == "1"
    talk.sandbox.faults.switch_off("too-many-requests")
    talk.sandbox.faults.switch_on("too-many-requests-bare=2")
    assert tries(talk, 3) == [200, 429, 200]
    assert "Retry-After" not in talk.get("/todos").headers


def test_a_token_expires_after_n_requests(faulty):
    assert tries(faulty("token-expires=2"), 4) == [200, 200, 401, 401]


def test_a_slow_download_is_whole(faulty):
    talk = faulty("slow-download=1")
    assert set(talk.raw()) == set(RAW_FILES)


def test_a_truncated_download_stops_half_way_and_can_be_continued(faulty):
    talk = faulty("truncated-download")
    url = talk.wait(talk.ask())["dataUrl"]
    with requests.get(url, stream=True, timeout=20) as reply:
        announced = int(reply.headers["Content-Length"])
        pieces = []
        with pytest.raises(requests.exceptions.ChunkedEncodingError):
            pieces.extend(reply.iter_content(1000))
        got = b"".join(pieces)
    assert announced // 2 - 1000 < len(got) <= announced // 2
    rest = requests.get(url, headers={"Range": f"bytes={len(got)}-"}, timeout=20)
    assert rest.status_code == 206
    assert set(members(got + rest.content)) == set(members(requests.get(url, timeout=20).content))


def test_a_data_url_has_expired_and_a_fresh_one_has_not(faulty):
    talk = faulty("expired-url")
    export_id = talk.ask()
    assert requests.get(talk.wait(export_id)["dataUrl"], timeout=20).status_code == 403
    assert requests.get(talk.wait(export_id)["dataUrl"], timeout=20).status_code == 200


def test_the_first_exports_end_errored(faulty):
    talk = faulty("errored=2")
    assert [talk.wait(talk.ask())["status"] for _ in range(3)] == ["errored", "errored", "complete"]


def test_exports_above_n_scores_end_errored(faulty):
    talk = faulty("errored-above=20")
    start = talk.sandbox.truth.start
    assert talk.wait(talk.ask()) == {"status": "errored", "dataUrl": ""}
    small = talk.wait(talk.ask(start=start, end=start + timedelta(days=2)))
    assert small["status"] == "complete"
    assert [job.scores > 20 for job in talk.sandbox.exports] == [True, False]
    assert talk.wait(talk.ask("/request-audit-log-export"))["status"] == "complete"


def test_an_export_never_ends(faulty):
    talk = faulty("never-ends")
    first = talk.ask()
    assert talk.wait(talk.ask())["status"] == "complete"
    assert talk.get(f"/export-data/{first}").json() == {"status": "in_progress", "dataUrl": ""}


def test_columns_come_and_go(faulty):
    whole = headers_of(faulty())
    more = headers_of(faulty("unknown-column"))
    less = headers_of(faulty("missing-column"))
    none = headers_of(faulty("missing-identity"))
    gone = {"individual_answers": "question_id", "agent_groups": "group_id", "audit_logs": "activity_id"}
    identities = {"gradable_id", "agent_id", "rubric_id", "section_id", "question_id", "annotation_id", "agent_ids"}
    for table, header in whole.items():
        assert more[table] == [*header, "sentiment_v2"]
        lacking = set(header) - set(less[table])
        assert len(lacking) == 1
        assert not lacking & identities
        assert set(header) - set(none[table]) == ({gone[table]} if table in gone else set())


def test_null_is_any_of_its_words_in_every_column(faulty):
    def words_for_null(*faults):
        talk = faulty(*faults, agents=12, days=60)
        rows = [row for _ in range(3) for row in talk.raw()["total_scores"]]
        return {name: {row[name] for row in rows} & {"", "N/A", "Unknown"} for name in ("ticket_created_at", "source")}

    assert words_for_null() == {"ticket_created_at": {"Unknown"}, "source": {"Unknown", ""}}
    assert words_for_null("odd-nulls") == {name: {"Unknown", "", "N/A"} for name in ("ticket_created_at", "source")}


def test_bad_rows_of_each_kind_are_added_to_the_true_ones(faulty, reading):
    talk = faulty("bad-rows=2")
    for table, rows in talk.raw().items():
        bad = [row for row in rows if row["gradable_id"].startswith("no such") or not row["gradable_id"]]
        damage = next(job for job in talk.sandbox.exports if job.kind == "raw").damage.rows[table]
        without_scores = {"time": 2, "identity": 2}  # csat_score may be a word, so that no text in it is bad
        assert damage == (without_scores if table in ("annotations", "csat") else {"score": 2, **without_scores})
        assert len(bad) == sum(damage.values())
        spoilt = [value for row in bad for value in row.values() if value in ("87.5x", "yesterday")]
        assert len(spoilt) == damage.get("score", 0) + damage["time"]
        true = [row for row in rows if row not in bad]
        assert len(reading.values_of(true)) == len(true) > 3
    groups = reading.rows_of(talk.export("/request-groups-export"))
    assert sum(row["available"] == "perhaps" for row in groups) == 2
    assert sum(row["group_id"] == "" for row in groups) == 2
    log = reading.rows_of(talk.export("/request-audit-log-export"))
    assert sum(row["time_stamp"] == "yesterday" for row in log) == 2
    assert sum(row["activity_id"] == "" for row in log) == 2


def test_too_many_bad_rows_are_in_one_file_alone(faulty):
    talk = faulty("too-many-bad-rows=10")
    tables = talk.raw()
    bad = {
        table: sum("no such" in row["gradable_id"] or not row["gradable_id"] for row in rows)
        for table, rows in tables.items()
    }
    true = len(tables["total_scores"]) - bad["total_scores"]
    assert 0.1 * true <= bad["total_scores"] <= 0.1 * true + 3
    assert sum(bad.values()) == bad["total_scores"]


def test_ragged_rows_have_a_field_too_many_or_fields_too_few(faulty):
    import csv

    talk = faulty("ragged-row")
    for table, text in members(talk.export()).items():
        header, *rows = csv.reader(io.StringIO(text, newline=""))
        widths = [len(row) - len(header) for row in rows]
        assert (widths.count(1), widths.count(-2)) == (1, 1), table
        assert widths.count(0) == len(widths) - 2


def test_the_zip_has_members_that_nobody_knows(faulty):
    names = {name.rpartition("/")[2] for name in members(faulty("unknown-member").export())}
    assert names == {f"{table}.csv" for table in RAW_FILES} | {"scores_v2.csv", "README.txt"}


def test_a_member_points_out_of_the_folder(faulty):
    assert "../../escaped/total_scores.csv" in members(faulty("unsafe-member").export())


def test_pages_change_while_they_are_read_so_that_a_count_alone_adds_up(faulty):
    talk = faulty("changing-pages=1", agents=12, days=60)
    first = talk.get("/todos", count=10).json()
    seen, totals = {record["id"] for record in first["Resources"]}, [first["totalResults"]]
    while True:
        page = talk.get("/todos", count=10, startIndex=10 * len(totals)).json()
        if not page["Resources"]:
            break
        totals.append(page["totalResults"])
        seen |= {record["id"] for record in page["Resources"]}
    assert totals == [totals[0]] + [totals[0] - 1] * (len(totals) - 1)
    now = {todo["id"] for todo in talk.sandbox.truth.todos}
    assert len(now) == totals[-1]
    assert seen - now
    assert now - seen or len(seen) > len(now)
    again = [talk.get("/todos", count=100).json()["totalResults"] for _ in range(2)]
    assert again == [totals[-1]] * 2
    listed = {record["id"] for record in talk.get("/todos", count=100).json()["Resources"]}
    assert listed == now


def test_a_list_grows_with_every_page(faulty):
    talk = faulty("growing-list=2", agents=12, days=60)
    totals = [talk.get("/todos", count=10, startIndex=start).json()["totalResults"] for start in (0, 10, 20, 30, 40)]
    assert [total - totals[0] for total in totals] == [0, 0, 1, 1, 2]
    assert len(talk.sandbox.truth.todos) == totals[-1]
    newest = [todo for todo in talk.sandbox.truth.todos if todo["created_at"] == talk.sandbox.now]
    assert len(newest) == 2


def test_the_date_header_is_behind(faulty):
    late = faulty("clock-offset=30").get("/todos").headers["Date"]
    behind = datetime.now(UTC) - parsedate_to_datetime(late)
    assert timedelta(minutes=29) < behind < timedelta(minutes=31)


def test_an_answer_that_drips_is_the_same_answer(faulty):
    talk = faulty()
    whole = talk.get("/todos", count=2)
    talk.sandbox.faults.switch_on("drip=1")
    assert talk.get("/todos", count=2).json() == whole.json()
    assert talk.sandbox.received.requests[-1].status == 200


def test_one_endpoint_is_forbidden(faulty):
    talk = faulty("forbidden-endpoint")
    body = {"startDate": "2026-01-01T00:00:00Z", "endDate": "2026-01-02T00:00:00Z"}
    assert talk.post("/request-audit-log-export", **body).status_code == 403
    assert talk.post("/request-raw-export", **body).status_code == 200


def test_statuses_that_the_reference_lacks(faulty):
    talk = faulty("failed", "unknown-status=2")
    assert talk.poll(talk.ask(), times=1) == [{"status": "failed", "dataUrl": ""}]
    assert [answer["status"] for answer in talk.poll(talk.ask(), times=3)] == ["queued", "queued", "complete"]


def test_an_export_with_data_has_an_empty_data_url(faulty):
    talk = faulty("empty-url")
    assert [bool(talk.wait(talk.ask())["dataUrl"]) for _ in range(2)] == [False, True]


def test_a_groups_export_has_no_rows_once(faulty, reading):
    talk = faulty("empty-groups")
    first, second = (reading.rows_of(talk.export("/request-groups-export")) for _ in range(2))
    assert first == []
    assert len(second) > 3


def test_updates_show_minutes_late(faulty, reading):
    talk = faulty("late-updates=60")
    cut = talk.sandbox.now - timedelta(hours=1)
    newest = max(row["date_graded"] for row in talk.sandbox.truth.at(cut).total_scores)
    talk.sandbox.advance(seconds=(newest + timedelta(minutes=30) - talk.sandbox.now).total_seconds() % 86_400)
    shown = reading.values_of(talk.raw(**reading.everything)["total_scores"])
    then = talk.sandbox.truth.at(talk.sandbox.now - timedelta(hours=1)).total_scores
    assert reading.in_order(without_flag(shown)) == reading.in_order(then)
    talk.sandbox.faults.switch_off("late-updates")
    shown = reading.values_of(talk.raw(**reading.everything)["total_scores"])
    assert reading.in_order(without_flag(shown)) == reading.in_order(talk.sandbox.truth.total_scores)


def test_a_download_is_an_error_page(faulty):
    talk = faulty("html-download")
    url = talk.wait(talk.ask())["dataUrl"]
    first, second = (requests.get(url, timeout=20) for _ in range(2))
    assert (first.status_code, first.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert second.content.startswith(b"PK")


def test_files_are_written_alike(faulty):
    whole, steady = faulty(), faulty("steady-files")
    assert whole.export() != whole.export()
    assert steady.export() == steady.export() != steady.export(includeGraderQA=True)


def test_total_scores_has_other_column_names(faulty):
    whole, renamed = headers_of(faulty()), headers_of(faulty("renamed-columns"))
    changed = [
        name for name, other in zip(whole["total_scores"], renamed["total_scores"], strict=True) if name != other
    ]
    assert changed == ["gradable_id", "agent_id", "rubric_id", "rubric_score", "grade_type"]
    assert whole | {"total_scores": []} == renamed | {"total_scores": []}


def test_lines_stand_before_the_header(faulty):
    for text in members(faulty("lines-before-header=3").export()).values():
        assert text.splitlines()[:3] == ["Your export, made by MaestroQA", "sep=,", "# all times are UTC"]


def test_a_member_is_missing(faulty):
    names = {name.rpartition("/")[2] for name in members(faulty("missing-member").export())}
    assert names == {f"{table}.csv" for table in RAW_FILES if table != "individual_answers"}


@pytest.mark.parametrize(
    ("fault", "error"), [("encrypted-member", "is encrypted"), ("deflate64-member", "compression method")]
)
def test_a_member_cannot_be_opened(faulty, fault, error):
    content = faulty(fault).export()
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for member in archive.infolist():
            if member.filename.endswith("individual_answers.csv"):
                with pytest.raises((RuntimeError, NotImplementedError), match=error):
                    archive.read(member)
            else:
                assert archive.read(member)


def test_the_reply_to_a_metrics_batch_is_lost_after_it_was_carried_out(faulty):
    talk = faulty("lost-reply")
    with pytest.raises(requests.ConnectionError):
        talk.post("/agent-metrics-batch", batch=[metric(talk)])
    assert len(talk.sandbox.received.agent_metrics) == 1
    assert talk.post("/agent-metrics-batch", batch=[metric(talk)]).status_code == 201
    assert len(talk.sandbox.received.agent_metrics) == 1


def test_the_vendor_does_not_know_an_agent(faulty):
    talk = faulty("unknown-agent")
    reply = talk.post("/agent-metrics-batch", batch=[metric(talk, 1), metric(talk, 0)])
    assert reply.status_code == 422
    assert "batch[1].agent_id" in reply.json()["message"]
    assert talk.sandbox.received.agent_metrics == {}
    assert talk.post("/agent-metrics-batch", batch=[metric(talk, 1)]).status_code == 201


def test_an_export_has_the_id_of_the_first_one_of_its_kind(faulty):
    talk = faulty("earlier-id=2")
    groups, first = talk.ask("/request-groups-export"), talk.ask()
    assert [talk.ask(), talk.ask("/request-groups-export")] == [first, groups]
    assert talk.ask() not in (first, groups)


def test_faults_can_be_switched_while_it_runs(faulty):
    talk = faulty("server-errors=1")
    assert tries(talk, 1) == [500]
    talk.sandbox.faults.switch_off()
    assert tries(talk, 2) == [200, 200]


@pytest.mark.parametrize("name", ["expird-url", "bad-rows=", "bad-rows=0", "bad-rows=-1", "bad-rows=two", "bad-rows=²"])
def test_an_unknown_fault_is_refused_by_name(name):
    with pytest.raises(UnknownFault, match=name.partition("=")[0]):
        Sandbox(faults=[name])


def test_every_fault_is_tested_here():
    with open(__file__, encoding="utf-8") as source:  # noqa: PTH123
        text = source.read()
    assert [name for name in FAULTS if f'"{name}' not in text.partition("def test_every_fault")[0]] == []
