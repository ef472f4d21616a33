"""Files from presigned URLs, over connections that break."""

import gzip
import hashlib
import threading
from pathlib import Path

import pytest

from maestro_analytics import errors
from maestro_analytics.api.transfer import PresignedTransfer, UrlExpired
from maestro_analytics.errors import Cancelled

BYTES = bytes(range(256)) * 40


def ranged(reply, content=BYTES, *, cuts, etag='"v1"', **headers):
    """Replies as a store gives them: a range when one is asked for, each broken off after so many bytes."""

    def answer(seen, cut):
        asked = seen.headers.get("Range")
        if asked and seen.headers.get("If-Range", etag) == etag:
            start = int(asked.removeprefix("bytes=").removesuffix("-"))
            place = {"Content-Range": f"bytes {start}-{len(content) - 1}/{len(content)}", "ETag": etag}
            return reply(206, content[start:], headers=place | headers, cut=cut)
        return reply(200, content, headers={"ETag": etag} | headers, cut=cut)

    return [lambda seen, cut=cut: answer(seen, cut) for cut in cuts]


@pytest.fixture
def part(tmp_path):
    return tmp_path / "x.part"


@pytest.fixture
def files(clock):
    return PresignedTransfer(clock=clock)


def ranges(host):
    return [seen.headers.get("Range") for seen in host.seen]


def test_a_file_comes_whole_with_its_hash_and_its_progress(host, reply, files, part):
    host.on("GET /file", reply(body=BYTES))
    told = []

    got = files.download(f"{host.url}/file", part, on_bytes=lambda *bytes_of: told.append(bytes_of))

    assert (part, hashlib.sha256(BYTES).hexdigest(), len(BYTES)) == (got.path, got.sha256, got.size)
    assert BYTES == part.read_bytes()
    assert (len(BYTES), len(BYTES)) == told[-1]
    assert "identity" == host.seen[0].headers["Accept-Encoding"]


def test_a_broken_download_goes_on_where_it_was(host, reply, files, part):
    host.on("GET /file", *ranged(reply, cuts=[1000, 2000, None]))

    files.download(f"{host.url}/file", part)

    assert BYTES == part.read_bytes()
    assert [None, "bytes=1000-", "bytes=3000-"] == ranges(host)
    assert '"v1"' == host.seen[1].headers["If-Range"]


def test_a_download_that_breaks_off_often_comes_to_its_end_as_long_as_it_gets_further(host, reply, files, part):
    host.on("GET /file", *ranged(reply, cuts=[500] * 20, etag='"v1"'), *ranged(reply, cuts=[None]))

    files.download(f"{host.url}/file", part)

    assert BYTES == part.read_bytes()
    assert 21 == len(host.seen)


def test_a_range_that_the_store_does_not_have_starts_again(host, reply, files, part):
    host.on("GET /file", reply(body=BYTES, cut=1000), reply(416), reply(body=BYTES))

    files.download(f"{host.url}/file", part)

    assert BYTES == part.read_bytes()
    assert [None, "bytes=1000-", None] == ranges(host)


def test_a_store_that_knows_no_ranges_sends_it_all_again(host, reply, files, part):
    host.on("GET /file", reply(body=BYTES, cut=1000), reply(body=BYTES))

    files.download(f"{host.url}/file", part)

    assert BYTES == part.read_bytes()
    assert [None, "bytes=1000-"] == ranges(host)


def test_a_wrong_range_is_not_appended(host, reply, files, part):
    wrong = reply(206, BYTES[5:], headers={"Content-Range": f"bytes 5-{len(BYTES) - 1}/{len(BYTES)}"})
    host.on("GET /file", reply(body=BYTES, cut=1000), wrong, reply(body=BYTES))

    files.download(f"{host.url}/file", part)

    assert BYTES == part.read_bytes()
    assert [None, "bytes=1000-", None] == ranges(host)


def test_a_file_that_changed_meanwhile_is_downloaded_from_its_start(host, reply, files, part):
    """The store sends all of the new file, because If-Range names the old one."""
    new = BYTES[::-1]
    host.on("GET /file", *ranged(reply, cuts=[1000]), *ranged(reply, new, cuts=[None], etag='"v2"'))

    files.download(f"{host.url}/file", part)

    assert new == part.read_bytes()


@pytest.mark.parametrize("told", [{"etag": '"v2"'}, {"size": len(BYTES) + 9}], ids=str)
def test_a_part_of_a_file_that_changed_meanwhile_is_not_appended(host, reply, files, part, told):
    """A store that ignores If-Range sends a part of the new file; its tag or its length tells."""
    new = BYTES[::-1]
    size = f"bytes 1000-{len(new) - 1}/{told.get('size', len(new))}"
    other = reply(206, new[1000:], headers={"Content-Range": size, "ETag": told.get("etag", '"v1"')})
    host.on("GET /file", *ranged(reply, cuts=[1000]), other, *ranged(reply, new, cuts=[None], etag='"v2"'))

    files.download(f"{host.url}/file", part)

    assert new == part.read_bytes()


@pytest.mark.parametrize("broken", [{"cut": 100}, {"reset": True}, {"status": 503}, {"status": 500}], ids=str)
def test_a_download_without_progress_is_given_up_after_two_minutes(host, reply, files, part, broken, clock):
    host.on("GET /file", reply(body=BYTES, **broken))

    with pytest.raises(errors.DownloadFailed, match=rf"{host.url}/file.*9 times"):
        files.download(f"{host.url}/file?sig=1", part)

    assert 9 <= len(host.seen) <= 10
    assert 110 <= sum(clock.waited) <= 130


def test_a_silent_host_is_waited_for_once_and_not_once_per_file(host, reply, files, part, clock):
    host.on("GET /dead", reply(status=503))
    host.on("GET /late", reply(status=503), reply(body=BYTES))
    with pytest.raises(errors.DownloadFailed):
        files.download(f"{host.url}/dead", part)
    waited, seen = sum(clock.waited), len(host.seen)

    with pytest.raises(errors.DownloadFailed, match="nothing else for 120 s"):
        files.download(f"{host.url}/dead", part)
    assert (waited + 3, seen + 3) == (sum(clock.waited), len(host.seen))

    files.download(f"{host.url}/late", part)
    assert BYTES == part.read_bytes()


def test_a_host_that_sends_others_something_is_not_silent(host, reply, files, part, clock):
    host.on("GET /dead", reply(status=503))
    host.on("GET /file", reply(body=BYTES))
    for _ in range(2):
        with pytest.raises(errors.DownloadFailed, match="9 times"):
            files.download(f"{host.url}/dead", part)
        files.download(f"{host.url}/file", part)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410])
def test_an_expired_url_is_reported_at_once(host, reply, files, part, status):
    host.on("GET /file", reply(status))

    with pytest.raises(UrlExpired):
        files.download(f"{host.url}/file", part)

    assert 1 == len(host.seen)


def test_a_body_that_was_compressed_on_the_way_is_kept_as_it_was(host, reply, files, part):
    packed = gzip.compress(BYTES)
    host.on("GET /file", reply(body=packed, headers={"Content-Encoding": "gzip"}))

    got = files.download(f"{host.url}/file", part)

    assert BYTES == part.read_bytes()
    assert len(BYTES) == got.size


def test_a_compressed_body_that_breaks_off_is_downloaded_from_its_start(host, reply, files, part):
    packed = gzip.compress(BYTES * 50)
    headers = {"Content-Encoding": "gzip"}
    host.on("GET /file", reply(body=packed, headers=headers, cut=len(packed) // 2), reply(body=packed, headers=headers))

    files.download(f"{host.url}/file", part)

    assert BYTES * 50 == part.read_bytes()
    assert [None, None] == ranges(host)


def test_a_body_of_unknown_length_is_taken_as_it_ends(host, reply, files, part):
    host.on("GET /file", reply(body=BYTES, without_length=True))
    told = []

    files.download(f"{host.url}/file", part, on_bytes=lambda *bytes_of: told.append(bytes_of))

    assert BYTES == part.read_bytes()
    assert (len(BYTES), None) == told[-1]


def test_an_empty_body_is_a_file_of_no_bytes(host, reply, files, part):
    host.on("GET /file", reply(body=b""))

    assert 0 == files.download(f"{host.url}/file", part).size
    assert b"" == part.read_bytes()


def test_a_part_file_of_an_earlier_run_is_replaced(host, reply, files, part):
    part.write_bytes(b"half of something else")
    host.on("GET /file", reply(body=BYTES))

    files.download(f"{host.url}/file", part)

    assert BYTES == part.read_bytes()


def test_a_redirect_of_the_store_is_followed_without_a_token(host, reply, files, part):
    host.on("GET /file", reply(307, headers={"Location": "/other?sig=2"}))
    host.on("GET /other", reply(body=BYTES))

    files.download(f"{host.url}/file", part)

    assert BYTES == part.read_bytes()


ELSEWHERE = [
    "http://store.example/file?sig=5ec4e7",
    "ftp://127.0.0.1/x",
    "file:///etc/passwd",
    "http://[::1",
    "nowhere",
]


@pytest.mark.parametrize("place", ELSEWHERE)
def test_only_https_is_fetched_from_except_on_this_machine(host, reply, files, part, place):
    host.on("GET /file", reply(302, headers={"Location": place}))

    with pytest.raises(errors.DownloadFailed, match=r"is not an https URL") as caught:
        files.download(place, part)
    assert "5ec4e7" not in str(caught.value)
    if "://" in place:
        with pytest.raises(errors.DownloadFailed, match=r"is not an https URL"):
            files.download(f"{host.url}/file", part)


def test_a_store_that_redirects_too_many_times_is_given_up(host, reply, files, part):
    host.on("GET /file", reply(302, headers={"Location": "/file"}))

    with pytest.raises(errors.DownloadFailed, match=r"redirects too many times"):
        files.download(f"{host.url}/file", part)


def test_a_stop_ends_a_download(host, reply, files, part):
    stop = threading.Event()
    host.on("GET /file", reply(body=BYTES))
    stop.set()

    with pytest.raises(Cancelled):
        files.download(f"{host.url}/file", part, stop=stop)


@pytest.mark.parametrize("headers", [{}, {"Content-Encoding": "gzip"}], ids=str)
def test_a_gzip_body_is_unpacked_whether_or_not_it_is_labelled(host, reply, files, part, headers):
    host.on("GET /file", reply(body=gzip.compress(BYTES), headers=headers))

    got = files.download(f"{host.url}/file", part)

    assert BYTES == part.read_bytes()
    assert hashlib.sha256(BYTES).hexdigest() == got.sha256


def test_a_body_that_is_only_labelled_gzip_is_kept_as_it_came(host, reply, files, part):
    host.on("GET /file", reply(body=BYTES, headers={"Content-Encoding": "gzip"}))

    files.download(f"{host.url}/file", part)

    assert BYTES == part.read_bytes()


@pytest.mark.parametrize(
    "page",
    [b"\xef\xbb\xbf <!DOCTYPE html><html>busy</html>", b'{"message": "expired"}', b"<?xml version='1.0'?><Error/>"],
)
def test_an_error_page_in_place_of_a_file_asks_for_a_fresh_url(host, reply, files, part, page):
    host.on("GET /file", reply(body=page))

    with pytest.raises(UrlExpired, match=r"error page"):
        files.download(f"{host.url}/file", part)

    assert 1 == len(host.seen)


def test_a_folder_that_cannot_be_written_is_reported_at_once_with_its_path(host, reply, files, tmp_path):
    host.on("GET /file", reply(body=BYTES))
    missing = tmp_path / "gone" / "x.part"

    with pytest.raises(errors.DiskFault, match=r"gone/x.part cannot be written: No such file"):
        files.download(f"{host.url}/file", missing)

    assert 1 == len(host.seen)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_reported_at_once(host, reply, files, part, monkeypatch):
    """/dev/full takes no byte, as a full disk does."""
    host.on("GET /file", reply(body=BYTES * 100))
    monkeypatch.setattr(Path, "unlink", lambda self, missing_ok=False: None)
    part.symlink_to("/dev/full")

    with pytest.raises(errors.DiskFault, match=r"x.part cannot be written: No space left"):
        files.download(f"{host.url}/file", part)

    assert 1 == len(host.seen)
