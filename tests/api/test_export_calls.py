"""Asking for exports, and the two forms of looking at them."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from maestro_analytics import errors
from maestro_analytics.api.exports import ExportRequests

BODY_FORM = "GET /api/v1/get-export-data"
PATH_FORM = "GET /api/v1/export-data/id%2F1"
COMPLETE = {"status": "complete", "dataUrl": ""}


@pytest.fixture
def exports(transport):
    return ExportRequests(transport)


def forms(host):
    return [(seen.path.rpartition("/v1/")[2], seen.body) for seen in host.seen]


def test_an_export_is_polled_as_the_reference_says(exports, host, reply):
    host.on(BODY_FORM, reply(body={"status": "in_progress"}), reply(body=COMPLETE | {"dataUrl": None}))

    states = [exports.state("id/1"), exports.state("id/1")]

    assert [("in_progress", None), ("complete", "")] == [(state.status, state.data_url) for state in states]
    assert [("get-export-data", b'{"exportId": "id/1"}')] * 2 == forms(host)


@pytest.mark.parametrize("status", [400, 404, 405, 410, 422])
def test_the_newer_poll_endpoint_is_detected_once(exports, host, reply, status):
    """A proxy that drops the body of a GET looks the same: the vendor then says that exportId is missing."""
    host.on(BODY_FORM, reply(status, {"message": "exportId is required"}))
    host.on(PATH_FORM, reply(body=COMPLETE))

    for _ in range(3):
        assert "complete" == exports.state("id/1").status

    assert ["get-export-data", *["export-data/id%2F1"] * 3] == [path for path, _ in forms(host)]


def test_polling_by_query_is_detected_once(exports, host, reply):
    """Only the older address, and a proxy on the way that drops the body of a GET."""
    host.on(BODY_FORM, reply(422, {"message": "exportId is required"}), reply(body=COMPLETE))
    host.on(PATH_FORM, reply(404, b"<h1>Cannot GET</h1>"))

    for _ in range(2):
        assert "complete" == exports.state("id/1").status

    assert [{}, {}, {"exportId": "id/1"}, {"exportId": "id/1"}] == [seen.query for seen in host.seen]


def test_threads_that_poll_at_the_same_time_detect_the_endpoint_once(exports, host, reply):
    host.on(BODY_FORM, reply(404))
    host.on(PATH_FORM, reply(body=COMPLETE))

    with ThreadPoolExecutor(8) as pool:
        states = list(pool.map(exports.state, ["id/1"] * 16))

    assert {"complete"} == {state.status for state in states}
    assert 1 == sum(path == "get-export-data" for path, _ in forms(host))


def test_an_id_that_no_poll_endpoint_knows_is_refused_and_no_endpoint_is_chosen(exports, host, reply):
    unknown = reply(404, {"message": "no export has the id"})
    host.on(BODY_FORM, unknown, unknown, reply(body=COMPLETE))
    host.on(PATH_FORM, reply(404, b"<h1>Cannot GET</h1>"))

    with pytest.raises(errors.RequestRefused, match=r"no export has the id"):
        exports.state("id/1")

    assert "complete" == exports.state("id/1").status


def test_a_404_about_the_export_is_preferred_to_one_about_parameters(exports, host, reply):
    host.on(BODY_FORM, reply(405, {"message": "method not allowed"}))
    host.on(PATH_FORM, reply(404, {"message": "no export has the id"}))

    with pytest.raises(errors.RequestRefused, match=r"no export has the id") as caught:
        exports.state("id/1")

    assert 404 == caught.value.status


def test_after_a_poll_endpoint_is_detected_a_404_is_about_the_export(exports, transport, host, reply):
    host.on(BODY_FORM, reply(body=COMPLETE), reply(404))
    exports.state("id/1")

    with pytest.raises(errors.RequestRefused):
        exports.state("id/2")

    assert 2 == transport.requests_made


def test_an_answer_about_another_export_is_not_taken_for_this_one(exports, host, reply):
    host.on(BODY_FORM, reply(body=COMPLETE | {"exportId": "id/2"}), reply(body=COMPLETE | {"exportId": "id/1"}))

    with pytest.raises(errors.TryAgain, match=r"asked about export id/1 and answered about id/2"):
        exports.state("id/1")

    assert "complete" == exports.state("id/1").status


@pytest.mark.parametrize(("answer", "export_id"), [({"exportId": "e1"}, "e1"), ({"exportId": 17}, "17")])
def test_a_request_returns_the_export_id(exports, host, reply, answer, export_id):
    host.on("POST /api/v1/request-audit-log-export", reply(body=answer))

    assert export_id == exports.request("audit", {"startDate": "2026-01-01T00:00:00Z"})
    assert {"startDate": "2026-01-01T00:00:00Z"} == host.seen[0].json


@pytest.mark.parametrize("answer", [{}, {"exportId": ""}, {"exportId": None}, []])
def test_an_answer_without_an_id_is_to_be_tried_again(exports, host, reply, answer):
    host.on("POST /api/v1/request-raw-export", reply(body=answer))

    with pytest.raises(errors.TryAgain):
        exports.request("raw", {})


def test_a_data_url_is_not_in_what_is_printed(exports, host, reply):
    host.on(BODY_FORM, reply(body={"status": "complete", "dataUrl": "https://store.example/x?sig=5ec4e7"}))

    assert "5ec4e7" not in repr(exports.state("id/1"))


@pytest.mark.parametrize("data_url", [["https://x.example/file"], {"url": "https://x.example/file"}, 7, False], ids=str)
def test_a_data_url_that_is_not_text_is_an_error_and_not_an_empty_export(exports, transport, host, reply, data_url):
    host.on("GET /api/v1/get-export-data", reply(body={"status": "complete", "dataUrl": data_url}))

    with pytest.raises(errors.ExportFailed, match=r"dataUrl of type") as caught:
        exports.state("id_1")

    assert "x.example" not in str(caught.value)
    assert 1 == transport.requests_made


@pytest.mark.parametrize("data_url", ["", None])
def test_a_data_url_that_is_empty_or_null_means_that_there_is_nothing_to_download(exports, host, reply, data_url):
    host.on("GET /api/v1/get-export-data", reply(body={"status": "complete", "dataUrl": data_url}))

    assert "" == exports.state("id_1").data_url
