"""The three export requests and both forms of the poll, as the reference has them."""

import re
from datetime import timedelta

import pytest
import requests

WINDOW = {"startDate": "2018-08-13T00:00:00Z", "endDate": "2018-08-19T00:00:00Z"}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/request-raw-export", WINDOW | {"name": "Weekly Maestro Grades Export"}),
        ("/request-groups-export", {"name": "Maestro Agent Groups Export", "includeUnavailable": False}),
        ("/request-audit-log-export", WINDOW | {"name": "Maestro Activity Log Export"}),
    ],
)
def test_the_references_example_requests_give_an_export_id(calm, path, body):
    reply = calm.post(path, **body)
    assert reply.status_code == 200
    assert list(reply.json()) == ["exportId"]
    assert isinstance(reply.json()["exportId"], str)


def test_every_form_of_the_poll_gives_status_and_url(calm):
    export_id = calm.ask("/request-groups-export")
    calm.wait(export_id)
    by_path = calm.get(f"/export-data/{export_id}").json()
    by_query = calm.get("/get-export-data", exportId=export_id).json()
    by_body = calm.session.get(
        calm.sandbox.base_url + "/get-export-data", json={"exportId": export_id}, timeout=20
    ).json()
    for answer in (by_path, by_query, by_body):
        assert set(answer) == {"status", "dataUrl"}
        assert answer["status"] == "complete"
        assert answer["dataUrl"].startswith(calm.sandbox.store_url + "/")
    assert calm.sandbox.store_url not in calm.sandbox.base_url


def test_an_export_is_in_progress_until_its_time_has_passed(open_sandbox):
    talk = open_sandbox(export_seconds=60)
    answer = talk.get(f"/export-data/{talk.ask()}").json()
    assert answer["status"] in ("requested", "in_progress")
    assert answer["dataUrl"] == ""


def test_an_export_of_nothing_is_complete_with_an_empty_url(calm):
    assert calm.wait(calm.post("/request-raw-export", **WINDOW).json()["exportId"]) == {
        "status": "complete",
        "dataUrl": "",
    }


@pytest.mark.parametrize(
    "end", ["2018-08-19T00:00:00.000Z", "2018-08-19T00:00:00.000000Z", "2018-08-19T00:00:00+00:00"]
)
def test_dates_with_fractions_or_a_zero_offset_are_taken_and_noted(open_sandbox, end):
    """Public clients send them and are served; the documented form has neither."""
    talk = open_sandbox(agents=3, days=3)
    assert talk.post("/request-raw-export", **WINDOW | {"endDate": end}).status_code == 200
    assert talk.sandbox.received.violations == [
        f"undocumented form of a date: endDate {end!r} in POST /request-raw-export"
    ]


def test_an_export_id_has_a_prefix(calm):
    assert re.fullmatch(r"id_[0-9A-Za-z]{17}", calm.ask())


@pytest.mark.parametrize(
    ("path", "body", "named"),
    [
        ("/request-raw-export", {"endDate": WINDOW["endDate"]}, "startDate"),
        ("/request-raw-export", {"startDate": WINDOW["startDate"]}, "endDate"),
        ("/request-raw-export", WINDOW | {"startDate": "2018-08-13"}, "startDate"),
        ("/request-raw-export", WINDOW | {"startDate": "2018-08-13T00:00:00"}, "startDate"),
        ("/request-raw-export", WINDOW | {"startDate": "2018-08-13T00:00:00+02:00"}, "startDate"),
        ("/request-raw-export", WINDOW | {"endDate": "2018-13-19T00:00:00Z"}, "endDate"),
        ("/request-raw-export", WINDOW | {"endDate": WINDOW["startDate"]}, "startDate"),
        ("/request-raw-export", WINDOW | {"singleFileExport": "scores"}, "singleFileExport"),
        ("/request-raw-export", WINDOW | {"singleFileExport": None}, "singleFileExport"),
        ("/request-raw-export", WINDOW | {"includeCalibrations": True}, "includeCalibrations"),
        ("/request-raw-export", WINDOW | {"includeGraderQA": "true"}, "includeGraderQA"),
        ("/request-raw-export", WINDOW | {"includeDeleted": 1}, "includeDeleted"),
        ("/request-raw-export", WINDOW | {"name": 7}, "name"),
        ("/request-groups-export", {"includeUnavailable": "no"}, "includeUnavailable"),
        ("/request-audit-log-export", WINDOW | {"endDate": 1534636800}, "endDate"),
    ],
)
def test_a_wrong_parameter_is_refused_by_name(calm, path, body, named):
    reply = calm.post(path, **body)
    assert reply.status_code == 422
    assert named in reply.json()["message"]


def test_polls_for_unknown_or_no_exports_are_refused(calm):
    assert calm.get("/export-data/id_1234").status_code == 404
    assert calm.get("/get-export-data", exportId="id_1234").status_code == 404
    reply = calm.get("/get-export-data")
    assert reply.status_code == 422
    assert "exportId" in reply.json()["message"]


def test_the_token_must_be_right(calm):
    url = calm.sandbox.base_url
    assert requests.get(url + "/todos", timeout=20).status_code == 401
    assert requests.get(url + "/todos", headers={"apitoken": "another"}, timeout=20).status_code == 401
    assert requests.get(url + "/nowhere", headers={"apitoken": calm.sandbox.token}, timeout=20).status_code == 404
    assert calm.get("/request-raw-export").status_code == 404


def test_the_token_may_be_in_the_body_where_the_reference_says_so(calm):
    url, token = calm.sandbox.base_url, calm.sandbox.token
    reply = requests.post(url + "/request-groups-export", json={"apiToken": token}, timeout=20)
    assert reply.status_code == 200
    poll = {"exportId": reply.json()["exportId"], "apiToken": token}
    assert requests.get(url + "/get-export-data", json=poll, timeout=20).status_code == 200
    assert requests.post(url + "/agents", json={"apiToken": token}, timeout=20).status_code == 401


def test_a_body_that_is_no_json_object_is_refused(calm):
    url = calm.sandbox.base_url + "/request-groups-export"
    assert calm.session.post(url, data="{", timeout=20).status_code == 400
    assert calm.session.post(url, data="[]", timeout=20).status_code == 422


def test_a_parameter_that_the_reference_does_not_know_is_a_violation(open_sandbox):
    talk = open_sandbox()
    assert talk.post("/request-groups-export", includeUnavailble=True).status_code == 200
    assert talk.sandbox.received.violations == ["unknown parameter 'includeUnavailble' in POST /request-groups-export"]


def spaces_off(row):
    return {"agent_ids": row["agent_ids"].replace(", ", ",")}


def test_groups_leave_out_the_unavailable_unless_asked(calm, reading):
    available = [row | spaces_off(row) for row in reading.rows_of(calm.export("/request-groups-export"))]
    everyone = reading.rows_of(calm.export("/request-groups-export", includeUnavailable=True))
    everyone = [row | spaces_off(row) for row in everyone]
    assert {row["available"] for row in available} == {"True"}
    assert {row["available"] for row in everyone} == {"True", "False"}
    assert reading.in_order(available) == reading.in_order(row for row in everyone if row["available"] == "True")


def test_the_audit_log_is_selected_by_when_it_happened_both_ends_outside(calm, reading):
    log = sorted(calm.sandbox.truth.audit_logs, key=lambda row: row["time_stamp"])
    whole_seconds = [row["time_stamp"] for row in log if row["time_stamp"].microsecond == 0]
    start, end = whole_seconds[3], whole_seconds[-3]
    rows = reading.values_of(reading.rows_of(calm.export("/request-audit-log-export", start, end)))
    assert reading.in_order(rows) == reading.in_order(row for row in log if start < row["time_stamp"] < end)
    assert start + timedelta(seconds=1) < end
