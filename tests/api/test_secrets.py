"""No token and no presigned query in anything that a failing run emits, and no token at any other host."""

import io
import logging
import traceback
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maestro_analytics import errors
from maestro_analytics.api import Transport, endpoints
from maestro_analytics.api.redaction import redact
from maestro_analytics.api.transfer import PresignedTransfer, UrlExpired
from maestro_analytics.exports.ledger import FileLedger
from maestro_analytics.exports.lifecycle import PollPace
from maestro_analytics.exports.scheduler import run_exports

QUERY = "X-Amz-Signature=5ec4e7"


@pytest.fixture
def emitted():
    """Everything that any logger writes, at the lowest level."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield stream
    root.removeHandler(handler)
    root.setLevel(level)


def everything_about(error):
    """What a person or a tool could print of an error: also what is behind it, and its attributes."""
    parts = []
    while error is not None:
        parts += [
            str(error),
            repr(error),
            "".join(traceback.format_exception(error)),
            repr(vars(error)),
            repr(error.args),
        ]
        error = error.__cause__ or error.__context__
    return "\n".join(parts)


def failing_replies(reply, token, host):
    """Answers that try to get a secret out: each echoes the token and a presigned URL."""
    echo = {"message": f"bad {token} at {host.url}/file?{QUERY}"}
    place = {"Location": f"{host.url}/file?{QUERY}&t={token}"}
    return {
        "refused": reply(422, echo),
        "broken": reply(500, echo),
        "html": reply(502, f"<p>{token} <a href='{host.url}/file?{QUERY}'>x</a></p>".encode()),
        "limited": reply(429, echo),
        "redirect": reply(302, echo, headers=place),
        "unauthorised": reply(401, echo),
        "reset": reply(reset=True),
        "no json": reply(200, f"{token} {host.url}/file?{QUERY}".encode()),
    }


@pytest.mark.parametrize(
    "kind", ["refused", "broken", "html", "limited", "redirect", "unauthorised", "reset", "no json"]
)
def test_no_failure_of_a_request_shows_a_secret(transport, host, reply, token, emitted, kind):
    host.on("GET /api/v1/*", failing_replies(reply, token, host)[kind])

    with pytest.raises(errors.MaestroError) as caught:
        transport.send(endpoints.GET_TODO, id="t1")

    shown = everything_about(caught.value) + emitted.getvalue() + repr(transport) + repr(transport.settings)
    assert "/todos/t1" in shown
    assert token not in shown
    assert QUERY not in shown


def test_an_unreachable_host_shows_no_secret(settings, clock, token, emitted, unused_port):
    elsewhere = settings.model_copy(update={"base_url": f"http://127.0.0.1:{unused_port}/api/v1"})
    with Transport(elsewhere, clock=clock) as transport, pytest.raises(errors.Unreachable) as caught:
        transport.send(endpoints.GET_TICKETS, {"ticket_ids": token})

    assert token not in everything_about(caught.value) + emitted.getvalue()


BAD_STORES = [
    {"status": 403},
    {"status": 500},
    {"reset": True},
    {"body": b"<Error/>"},
    {"body": b"PK\x03\x04 no zip"},
    {"body": b"abc", "cut": 1},
]


@pytest.mark.parametrize("answer", BAD_STORES, ids=str)
def test_no_failure_of_an_export_shows_a_secret(transport, host, reply, token, emitted, tmp_path, answer):
    """Also not in the ledger, and not in the folder of the kept files."""
    host.on("POST /api/v1/request-groups-export", reply(body={"exportId": "e1"}))
    state = {"status": "complete", "dataUrl": f"{host.url}/file?{QUERY}"}
    host.on("GET /api/v1/get-export-data", reply(body=state))
    host.on("GET /file", reply(**answer))
    events = []

    with run_exports(
        transport,
        {"groups": None},
        FileLedger(tmp_path / "ledger.jsonl"),
        tmp_path / "exports",
        in_flight=1,
        pace=PollPace(first_seconds=0.01),
        on_event=events.append,
    ) as outcomes:
        results = list(outcomes)

    (missed,) = results
    shown = "\n".join([str(missed), repr(results), everything_about(missed.error), repr(events), str(events)])
    shown += emitted.getvalue() + (tmp_path / "ledger.jsonl").read_text()
    assert "e1" in shown
    assert token not in shown
    assert QUERY not in shown
    assert [] == list((tmp_path / "exports").iterdir())
    store = [seen for seen in host.seen if seen.path == "/file"]
    assert store
    assert not any("apitoken" in map(str.lower, seen.headers) or token in str(seen.headers) for seen in store)


def test_netrc_adds_nothing_to_the_token_or_the_download(transport, host, reply, tmp_path, monkeypatch):
    """requests would add `Authorization` from a .netrc, and a presigned URL with it is refused by the store."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password something\n")
    monkeypatch.setenv("NETRC", str(netrc))
    host.on("GET /api/v1/todos/t1", reply(body={"id": "t1"}))
    host.on("GET /file", reply(body=b"a,b\n"))

    transport.send(endpoints.GET_TODO, id="t1")
    PresignedTransfer().download(f"{host.url}/file", tmp_path / "x.part")

    assert 2 == len(host.seen)
    assert not any("Authorization" in seen.headers for seen in host.seen)


def test_an_expired_url_is_reported_without_its_query(host, reply, tmp_path, emitted):
    host.on("GET /file", reply(403))

    with pytest.raises(UrlExpired) as caught:
        PresignedTransfer().download(f"{host.url}/file?{QUERY}", tmp_path / "x.part")

    assert QUERY not in everything_about(caught.value) + emitted.getvalue()


@given(
    before=st.text(max_size=20),
    after=st.text(max_size=20),
    token=st.text("abcdef0123456789-_", min_size=8, max_size=40),
)
def test_redaction_leaves_no_token_and_no_query_and_stays_on_one_line(before, after, token):
    shown = redact(f"{before}{token}{after} https://x.example/p/q?sig=abcdef&{token} {after}", token=token)

    assert token not in shown
    assert "sig=abcdef" not in shown
    assert len(shown) <= 300
    assert shown.isprintable() or not any(char in "\r\n\t\x1b\x00" for char in shown)


def test_a_downloads_own_errors_show_no_query_at_debug_level(host, reply, tmp_path, emitted, clock):
    host.on("GET /file", reply(body=b"a,b\n" * 1000, cut=10))

    with suppress(errors.DownloadFailed):
        PresignedTransfer(clock=clock).download(f"{host.url}/file?{QUERY}", tmp_path / "x.part")

    assert "/file?[...]" in emitted.getvalue()
    assert QUERY not in emitted.getvalue()
