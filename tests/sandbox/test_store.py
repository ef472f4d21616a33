"""The object store: another origin that must never see the token, with URLs that expire."""

import re
from urllib.parse import parse_qsl, urlsplit

import pytest
import requests


@pytest.fixture
def offered(open_sandbox):
    """A sandbox, the URL of a complete export, and its bytes."""
    talk = open_sandbox(agents=3, days=10)
    url = talk.wait(talk.ask())["dataUrl"]
    return talk, url, requests.get(url, timeout=20).content


@pytest.mark.parametrize(("header", "status"), [("apitoken", 200), ("ApiToken", 200), ("Authorization", 400)])
def test_a_token_sent_to_the_store_is_noted(offered, header, status):
    """The store ignores a header that it does not know; a second way of signing is refused."""
    talk, url, content = offered
    reply = requests.get(url, headers={header: "secret"}, timeout=20)
    assert reply.status_code == status
    assert (reply.content == content) == (status == 200)
    path = url.partition("?")[0].removeprefix(talk.sandbox.store_url)
    violation = f"{header.lower()} header sent to the object store: GET {path}"
    assert talk.sandbox.received.violations == [violation]


def test_the_token_in_a_query_is_a_violation(open_sandbox):
    talk = open_sandbox(agents=3, days=3)
    talk.get("/todos", apitoken=talk.sandbox.token)
    assert "token in the query of GET /api/v1/todos" in talk.sandbox.received.violations


def test_ranges_give_the_bytes_asked_for(offered):
    _, url, whole = offered

    def part(span, **headers):
        return requests.get(url, headers={"Range": span} | headers, timeout=20)

    reply = part("bytes=10-19")
    assert (reply.status_code, reply.content) == (206, whole[10:20])
    assert reply.headers["Content-Range"] == f"bytes 10-19/{len(whole)}"
    assert part("bytes=100-").content == whole[100:]
    assert part("bytes=-7").content == whole[-7:]
    assert part(f"bytes={len(whole)}-").status_code == 416
    tag = requests.get(url, timeout=20).headers["ETag"]
    assert part("bytes=5-", **{"If-Range": tag}).status_code == 206
    assert part("bytes=5-", **{"If-Range": '"another"'}).content == whole
    assert part("bytes=5-", **{"If-Match": '"another"'}).status_code == 412


def test_a_url_is_good_for_its_time_and_a_poll_gives_a_fresh_one(open_sandbox):
    now = [1000.0]
    talk = open_sandbox(agents=3, days=10, timer=lambda: now[0], url_seconds=60)
    export_id = talk.ask()
    url = talk.wait(export_id)["dataUrl"]
    now[0] += 59
    assert requests.get(url, timeout=20).status_code == 200
    now[0] += 1
    reply = requests.get(url, timeout=20)
    assert reply.status_code == 403
    assert b"expired" in reply.content
    fresh = talk.wait(export_id)["dataUrl"]
    assert requests.get(fresh, timeout=20).status_code == 200
    talk.sandbox.expire_urls()
    assert requests.get(fresh, timeout=20).status_code == 403
    now[0] += 1
    assert requests.get(talk.wait(export_id)["dataUrl"], timeout=20).status_code == 200


def test_a_url_is_presigned_as_s3_does_it(offered):
    _, url, _ = offered
    query = dict(parse_qsl(urlsplit(url).query))
    assert query["X-Amz-Algorithm"] == "AWS4-HMAC-SHA256"
    assert re.fullmatch(r"\d{8}T\d{6}Z", query["X-Amz-Date"])
    assert query["X-Amz-Credential"].endswith(f"/{query['X-Amz-Date'][:8]}/us-east-1/s3/aws4_request")
    assert (query["X-Amz-Expires"], query["X-Amz-SignedHeaders"]) == ("300", "host")
    assert re.fullmatch(r"[0-9a-f]{64}", query["X-Amz-Signature"])


def test_a_url_is_good_for_its_file_and_method_alone(offered):
    talk, url, _ = offered
    path, _, query = url.partition("?")
    other = talk.wait(talk.ask("/request-groups-export"))["dataUrl"].partition("?")[0]
    assert requests.get(path, timeout=20).status_code == 403
    assert requests.get(f"{other}?{query}", timeout=20).status_code == 403
    assert requests.get(url.replace("Expires=", "Expires=9"), timeout=20).status_code == 403
    assert requests.head(url, timeout=20).status_code == 403
    assert requests.put(url, data=b"x", timeout=20).status_code == 403


def test_requests_to_both_origins_are_kept_in_order(offered):
    talk, url, whole = offered
    received = talk.sandbox.received.requests
    assert [(one.origin, one.method) for one in received[:2]] == [("api", "POST"), ("api", "GET")]
    assert received[-1].origin == "store"
    assert received[-1].status == 200
    assert received[0].headers["apitoken"] == talk.sandbox.token
    assert "apitoken" not in received[-1].headers
    assert [one.seconds for one in received] == sorted(one.seconds for one in received)
    assert talk.sandbox.received.api("POST") == received[:1]
    assert len(whole) > 100
    assert talk.sandbox.exports[0].path.name in url
