"""A local file through the presigned flow, and a URL that the vendor fetches."""

from datetime import UTC, datetime

import pytest

from maestro_analytics import errors
from maestro_analytics.api.models import Attachment

CREATE = "POST /api/v1/attachments"


@pytest.fixture
def song(tmp_path):
    file = tmp_path / "call.mp3"
    file.write_bytes(b"ID3" + bytes(100_000))
    return file


@pytest.fixture
def shell(host, reply):
    host.on(CREATE, reply(body={"id": "a1", "presigned_url": f"{host.url}/upload?sig=5ec4e7"}))
    host.on("PUT /upload", reply())


def test_a_file_is_sent_to_the_store_with_the_headers_it_wants_and_without_a_token(client, host, shell, song):
    told = []

    attachment = client.attach_file(
        song,
        ticket_id="t1",
        author_id="007",
        public=False,
        timestamp=datetime(2026, 1, 1, tzinfo=UTC),
        on_bytes=lambda *bytes_of: told.append(bytes_of),
    )

    assert Attachment(id="a1", ticket_id="t1") == attachment
    create, upload = host.seen
    assert {
        "ticket_id": "t1",
        "content_type": "audio/mpeg",
        "author_id": "007",
        "public": False,
        "timestamp": "2026-01-01T00:00:00Z",
    } == create.json
    assert song.read_bytes() == upload.body
    assert "audio/mpeg" == upload.headers["Content-Type"]
    assert "AES256" == upload.headers["x-amz-server-side-encryption"]
    assert "100003" == upload.headers["Content-Length"]
    assert "apitoken" not in {name.lower() for name in upload.headers}
    assert (100_003, 100_003) == told[-1]


def test_an_empty_file_is_sent_with_its_length(client, host, shell, tmp_path):
    (tmp_path / "empty.txt").write_bytes(b"")

    client.attach_file(tmp_path / "empty.txt", ticket_id="t1")

    assert "0" == host.seen[1].headers["Content-Length"]
    assert "Transfer-Encoding" not in host.seen[1].headers


def test_an_upload_that_breaks_is_sent_again_from_the_start(client, host, reply, shell, song):
    host.on("PUT /upload", reply(503), reply(reset=True), reply())

    client.attach_file(song, ticket_id="t1")

    assert [song.read_bytes()] * 3 == [seen.body for seen in host.seen[1:]]


@pytest.mark.parametrize(("status", "tries"), [(403, 1), (500, 9)])
def test_an_upload_that_is_refused_names_the_attachment_that_exists_now(
    client, host, reply, shell, song, status, tries
):
    host.on("PUT /upload", reply(status))

    with pytest.raises(errors.UploadFailed, match=r"call.mp3 could not be sent") as caught:
        client.attach_file(song, ticket_id="t1")

    assert ["Attachment a1 of ticket t1 exists, without call.mp3 in it."] == caught.value.__notes__
    assert "5ec4e7" not in str(caught.value)
    assert tries == len(host.seen) - 1


def test_a_missing_upload_url_is_reported(client, host, reply, song):
    host.on(CREATE, reply(body={"id": "a1"}))

    with pytest.raises(errors.TryAgain, match=r"a1"):
        client.attach_file(song, ticket_id="t1")


def test_an_attachment_by_url_is_fetched_by_the_vendor(client, host, reply):
    host.on(CREATE, reply(body={"id": "a2"}))

    attachment = client.attach_url("t1", "https://example.com/x.png", content_type="image/png", id="a2")

    assert Attachment(id="a2", ticket_id="t1") == attachment
    assert {
        "ticket_id": "t1",
        "content_type": "image/png",
        "url": "https://example.com/x.png",
        "id": "a2",
    } == host.seen[0].json


def test_invalid_arguments_are_rejected_before_anything_is_sent(client, tmp_path, song):
    (tmp_path / "what").write_bytes(b"x")
    refused = {
        "no file": lambda: client.attach_file(tmp_path / "nothing.mp3", ticket_id="t1"),
        "content_type": lambda: client.attach_file(tmp_path / "what", ticket_id="t1"),
        "ticket_id": lambda: client.attach_file(song, ticket_id=""),
        "time zone": lambda: client.attach_file(song, ticket_id="t1", timestamp=datetime(2026, 1, 1)),
        "https": lambda: client.attach_url("t1", "C:/x.png", content_type="image/png"),
        "must be an address": lambda: client.attach_url("t1", "//[x", content_type="image/png"),
    }
    for word, call in refused.items():
        with pytest.raises(errors.InvalidArgument, match=word):
            call()

    assert 0 == client.requests_made
