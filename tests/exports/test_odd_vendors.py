"""Answers that the reference does not promise, and that must do no harm."""

import io
import json
import resource
import zipfile
from datetime import timedelta

import pytest
from werkzeug import Response

from maestro_analytics import errors
from maestro_analytics.api import Transport
from maestro_analytics.exports import FileLedger, MissedWindow, Window
from maestro_analytics.exports.progress import Noticed
from maestro_analytics.settings import Settings
from tests.exports.conftest import NOW

CSV = b"group_name,group_id,agent_name,agent_email,agent_ids,available\nBilling,g1,Ann,ann@example.com,1,True\n"


@pytest.fixture
def vendor(httpserver, tmp_path, clock):
    """Gives each export the id e1, e2, ...; `says` answers the polls in turn, the last answer for ever."""
    asked = []

    def ask(request):
        asked.append(request.get_json())
        return Response(json.dumps({"exportId": f"e{len(asked)}"}))

    httpserver.expect_request("/api/v1/request-groups-export", method="POST").respond_with_handler(ask)

    def says(*answers):
        left = list(answers)

        def answer(request):
            found = left.pop(0) if len(left) > 1 else left[0]
            return found if isinstance(found, Response) else Response(json.dumps(found))

        httpserver.expect_request("/api/v1/get-export-data").respond_with_handler(answer)

    settings = Settings(
        api_token="t" * 12,
        base_url=httpserver.url_for("/api/v1"),
        cache=tmp_path / "cache",
        requests_per_second=10_000,
        requests_per_minute=100_000,
        _env_file=None,
    )
    with Transport(settings, clock=clock) as transport:
        yield transport, says, asked


def complete(httpserver, path="/file"):
    return {"status": "complete", "dataUrl": httpserver.url_for(path)}


def serve(httpserver, *bodies):
    left = list(bodies)
    httpserver.expect_request("/file").respond_with_handler(
        lambda request: Response(left.pop(0) if len(left) > 1 else left[0])
    )


@pytest.mark.parametrize("url", ["", None])
def test_complete_with_an_empty_address_is_nothing_to_download(vendor, run, url):
    transport, says, _ = vendor
    says({"status": "complete", "dataUrl": url})

    (export,) = run(transport, {"groups": None})

    assert ("empty", None) == (export.status, export.file)


@pytest.mark.parametrize(
    "url", [{}, {"dataUrl": []}, {"dataUrl": False}, {"url": "https://store.example/file"}], ids=str
)
def test_complete_without_an_address_as_the_reference_has_it_is_not_taken_for_nothing(vendor, run, url):
    transport, says, _ = vendor
    says({"status": "complete"} | url)

    (missed,) = run(transport, {"groups": None})

    assert isinstance(missed, MissedWindow)
    assert "dataUrl" in missed.reason


def test_an_address_that_comes_a_moment_after_complete_is_waited_for(vendor, run, httpserver):
    transport, says, asked = vendor
    says({"status": "complete"}, {"status": "complete"}, complete(httpserver))
    serve(httpserver, CSV)

    (export,) = run(transport, {"groups": None})

    assert (CSV, 1) == (export.file.read_bytes(), len(asked))


def test_an_unknown_status_is_waited_for_and_reported(vendor, run, httpserver):
    transport, says, _ = vendor
    says({"status": "queued"}, {"status": "queued"}, {"status": "requested"}, {}, complete(httpserver))
    serve(httpserver, CSV)
    events = []

    (export,) = run(transport, {"groups": None}, on_event=events.append)

    assert CSV == export.file.read_bytes()
    noticed = [event.text for event in events if isinstance(event, Noticed)]
    assert ["'queued'", "''"] == [text.split()[5].strip(",") for text in noticed]


def test_another_word_for_complete_is_taken_where_a_file_comes_with_it(vendor, run, httpserver):
    transport, says, _ = vendor
    says({"status": "done", "dataUrl": ""}, complete(httpserver) | {"status": "Completed"})
    serve(httpserver, CSV)

    (export,) = run(transport, {"groups": None})

    assert CSV == export.file.read_bytes()


def test_an_id_that_the_vendor_does_not_know_yet_is_waited_for(vendor, run, httpserver):
    """The answer to the request and the answer to the first poll may come from two machines of theirs."""
    transport, says, asked = vendor
    says(Response("{}", 404), Response("{}", 404), complete(httpserver))
    serve(httpserver, CSV)

    (export,) = run(transport, {"groups": None})

    assert "received" == export.status
    assert 1 == len(asked)


def test_a_poll_that_answers_about_another_export_is_repeated_and_then_not_believed(vendor, run, httpserver):
    transport, says, asked = vendor
    serve(httpserver, CSV)
    told = ["e7", "e1", "e8"]
    says(*({**complete(httpserver), "exportId": export_id} for export_id in told))

    (export,) = run(transport, {"groups": None})
    assert ("received", 1) == (export.status, len(asked))

    (missed,) = run(transport, {"groups": None}, book=FileLedger(export.file.with_name("another")))
    assert isinstance(missed, MissedWindow)
    assert "answered about e8" in missed.reason


def test_a_complete_export_whose_id_was_given_before_is_not_taken_for_nothing_once_its_file_is_gone(
    vendor, run, ledger, clock
):
    transport, says, _ = vendor
    before = ledger.plan("groups", None, clock.utc())
    ledger.asked(before.seq, "e1")
    ledger.failed(before.seq, status="failed", error="its file could not be downloaded")
    says({"status": "complete", "dataUrl": ""})

    (missed,) = run(transport, {"groups": None})

    assert "no file any more" in missed.reason


@pytest.fixture
def same_id(httpserver):
    """A vendor that gives each audit-log export the same id."""
    httpserver.expect_request("/api/v1/request-audit-log-export", method="POST").respond_with_json({"exportId": "e1"})


@pytest.mark.parametrize(
    ("second_file", "statuses"),
    [(CSV * 2, ["received", "received"]), (CSV, ["received", "failed", "failed", "failed"])],
    ids=["another file", "the same file"],
)
def test_an_id_may_come_twice_but_not_with_the_file_of_another_window(
    vendor, same_id, run, ledger, httpserver, second_file, statuses
):
    """A vendor that counts its exports anew after a restart gives ids twice."""
    transport, says, _ = vendor
    says(complete(httpserver))
    serve(httpserver, CSV, second_file)
    first, second = (Window(NOW - timedelta(days=days), NOW - timedelta(days=days - 1)) for days in (3, 1))

    run(transport, {"audit": [first]})
    found = {each.window: each for each in run(transport, {"audit": [second]})}

    assert statuses == [known.status for known in ledger.with_id("e1")]
    assert isinstance(found[second], MissedWindow) == (second_file == CSV)
    assert statuses.count("received") == len(list(found[first].file.parent.iterdir()))


def test_of_two_windows_that_get_one_id_in_a_run_the_second_is_missed(vendor, same_id, run, httpserver):
    transport, says, _ = vendor
    says({"status": "in_progress"}, {"status": "in_progress"}, complete(httpserver))
    serve(httpserver, CSV)
    day = timedelta(days=1)

    found = run(transport, {"audit": [Window(NOW - 5 * day, NOW - 4 * day), Window(NOW - 2 * day, NOW - day)]})

    assert [False, True] == sorted(isinstance(each, MissedWindow) for each in found)
    assert "with the id of another export" in next(each.reason for each in found if isinstance(each, MissedWindow))


def test_polls_that_fail_for_a_while_do_not_end_the_export(vendor, run, httpserver):
    transport, says, asked = vendor
    says({"status": "in_progress"}, *[Response("busy", 502)] * 8, complete(httpserver))
    serve(httpserver, CSV)

    (export,) = run(transport, {"groups": None})

    assert "received" == export.status
    assert 1 == len(asked)


def test_a_damaged_zip_is_downloaded_again(vendor, run, httpserver):
    transport, says, asked = vendor
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("groups.csv", CSV * 50)
    whole = buffer.getvalue()
    damaged = whole[:80] + bytes([whole[80] ^ 0xFF]) + whole[81:]
    says(complete(httpserver))
    serve(httpserver, damaged, whole[:100], b"<html>busy</html>", whole)

    (export,) = run(transport, {"groups": None})

    assert whole == export.file.read_bytes()
    assert ".zip" == export.file.suffix
    assert 1 == len(asked)


def test_a_file_that_stays_damaged_is_missed_with_its_reason_and_not_kept(vendor, run, httpserver, tmp_path):
    transport, says, _ = vendor
    says(complete(httpserver))
    serve(httpserver, b"PK\x03\x04 and no more")

    (missed,) = run(transport, {"groups": None})

    assert isinstance(missed, MissedWindow)
    assert isinstance(missed.error, errors.DownloadFailed)
    assert "the zip is damaged" in missed.reason
    assert [] == list((tmp_path / "exports").iterdir())


def test_a_download_that_fills_the_disk_is_deleted_and_goes_on_in_the_next_run(vendor, run, httpserver, tmp_path):
    transport, says, asked = vendor
    says(complete(httpserver))
    serve(httpserver, CSV * 20_000)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, before[1]))
    try:
        with pytest.raises(errors.DiskFault, match=r"groups-000001-e1\.part cannot be written"):
            run(transport, {"groups": None})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert [] == list((tmp_path / "exports").iterdir())

    (export,) = run(transport, {"groups": None})
    assert (CSV * 20_000, 1) == (export.file.read_bytes(), len(asked))


def test_the_part_file_of_an_export_that_the_vendor_forgot_is_deleted(vendor, run, httpserver, ledger, clock, tmp_path):
    transport, says, _ = vendor
    record = ledger.plan("groups", None, clock.utc())
    ledger.asked(record.seq, "forgotten")
    (tmp_path / "exports").mkdir()
    (tmp_path / "exports" / "groups-000001-forgotten.part").write_bytes(b"half")
    says(Response("{}", 404), complete(httpserver))
    httpserver.expect_request("/api/v1/export-data/forgotten").respond_with_data("", 404)
    serve(httpserver, CSV)

    (export,) = run(transport, {"groups": None})

    assert [export.file] == list((tmp_path / "exports").iterdir())


def test_a_store_without_https_is_not_fetched_from(vendor, run):
    transport, says, _ = vendor
    says({"status": "complete", "dataUrl": "http://store.example/file?sig=5ec4e7"})

    (missed,) = run(transport, {"groups": None})

    assert "http://store.example/file is not an https URL" in missed.reason
    assert "5ec4e7" not in missed.reason


def test_an_export_id_cannot_choose_the_path_of_the_file(vendor, run, httpserver, tmp_path):
    transport, says, _ = vendor
    httpserver.clear()
    httpserver.expect_request("/api/v1/request-groups-export", method="POST").respond_with_json(
        {"exportId": "../../escaped/\u00e9"}
    )
    says(complete(httpserver))
    serve(httpserver, CSV)

    (export,) = run(transport, {"groups": None})

    assert tmp_path / "exports" == export.file.parent
    assert export.file.name.isascii()
    assert "../../escaped/é" == export.export_id
