"""`Transport.send`: requests, answers, retries and errors."""

import threading
from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from maestro_analytics import errors
from maestro_analytics.api import Transport, endpoints
from maestro_analytics.api import transport as transport_module
from maestro_analytics.api.agents import send_batch
from maestro_analytics.api.tickets import Tickets
from maestro_analytics.errors import Cancelled
from maestro_analytics.settings import Settings

TODO = "GET /api/v1/todos/t1"


def test_the_token_travels_in_its_header_and_the_answer_is_json(transport, host, reply, token):
    host.on(TODO, reply(body={"id": "t1"}))

    assert {"id": "t1"} == transport.send(endpoints.GET_TODO, id="t1")

    (seen,) = host.seen
    assert token == seen.headers["apitoken"]
    assert "Authorization" not in seen.headers
    assert 1 == transport.requests_made


def test_parameters_that_are_none_are_left_out(transport, host, reply):
    host.on("PATCH /api/v1/tickets/a%2Fb", reply(body={"ticket_id": "a/b"}))

    transport.send(endpoints.UPDATE_TICKET, {"status": "closed", "subject": None}, ticket_id="a/b")

    assert {"status": "closed"} == host.seen[0].json


def test_a_429_waits_as_long_as_it_says_and_every_thread_with_it(transport, host, reply, clock):
    """Seconds first, then a date, then an hour, which is capped."""
    date = "Thu, 01 Jan 2026 00:17:40 GMT"  # the clock stands at 16:40 + 7 s by then
    host.on(
        TODO,
        reply(429, headers={"Retry-After": "7"}),
        reply(429, headers={"Retry-After": date}),
        reply(429, headers={"Retry-After": "3600"}),
        reply(body={"id": "t1"}),
    )

    transport.send(endpoints.GET_TODO, id="t1")

    assert [7, 53, 120] == [seconds for seconds in clock.waited if seconds >= 1]
    assert 4 == transport.requests_made


def test_a_429_without_retry_after_waits_longer_each_time_and_ends_as_try_again(transport, host, reply, clock):
    host.on(TODO, reply(429))

    with pytest.raises(errors.TryAgain, match=r"budget is used up") as caught:
        transport.send(endpoints.GET_TODO, id="t1")

    assert [2, 4, 8, 16, 32, 64, 120, 120] == [seconds for seconds in clock.waited if seconds >= 1]
    assert 429 == caught.value.status
    assert type(caught.value) is errors.TryAgain


def test_a_5xx_is_tried_six_times_in_about_a_minute(transport, host, reply, clock):
    host.on(TODO, reply(503, b"<html><body><h1>We will be back</h1></body></html>"))

    with pytest.raises(errors.TryAgain, match=r"503 from 127.0.0.1 \(We will be back\) to GET /todos/t1") as caught:
        transport.send(endpoints.GET_TODO, id="t1")

    assert 6 == transport.requests_made
    assert 45 <= sum(clock.waited) <= 65
    assert 503 == caught.value.status
    assert not isinstance(caught.value, errors.Unreachable | errors.OutcomeUnknown)


def test_a_host_that_answers_5xx_for_two_minutes_is_unreachable(transport, host, reply):
    host.on(TODO, reply(500))
    with pytest.raises(errors.TryAgain):
        transport.send(endpoints.GET_TODO, id="t1")
    with pytest.raises(errors.TryAgain):
        transport.send(endpoints.GET_TODO, id="t1")

    with pytest.raises(errors.Unreachable):
        transport.send(endpoints.GET_TODO, id="t1")


def test_a_client_error_in_between_restarts_the_two_minutes(transport, host, reply):
    host.on(TODO, *[reply(500)] * 12, reply(404), *[reply(500)] * 6)
    outcomes = []
    for _ in range(4):
        with pytest.raises(errors.MaestroError) as caught:
            transport.send(endpoints.GET_TODO, id="t1")
        outcomes.append(type(caught.value))

    assert [errors.TryAgain, errors.TryAgain, errors.RequestRefused, errors.TryAgain] == outcomes


def test_a_host_without_an_answer_is_unreachable_after_two_minutes(clock, tmp_path, unused_port):
    settings = Settings(
        api_token="t" * 12, base_url=f"http://127.0.0.1:{unused_port}/api/v1", cache=tmp_path, _env_file=None
    )
    with (
        Transport(settings, clock=clock) as transport,
        pytest.raises(errors.Unreachable, match=r"no connection") as caught,
    ):
        transport.send(endpoints.CREATE_TICKET, {"ticket_id": "1"})

    assert 119 <= sum(seconds for seconds in clock.waited if seconds >= 0.3) <= 125
    assert isinstance(caught.value, errors.TryAgain)


def test_a_read_is_retried_after_a_lost_reply(transport, host, reply):
    host.on(TODO, reply(reset=True), reply(reset=True), reply(body={"id": "t1"}))

    assert {"id": "t1"} == transport.send(endpoints.GET_TODO, id="t1")
    assert 3 == transport.requests_made


@pytest.mark.parametrize(
    "endpoint",
    [
        endpoints.CREATE_TICKET,
        endpoints.CREATE_COMMENT,
        endpoints.CREATE_COMMENTS,
        endpoints.CREATE_ATTACHMENT,
        endpoints.CREATE_AGENT,
        endpoints.ADD_ID_TO_AGENT,
    ],
    ids=lambda endpoint: endpoint.path,
)
@pytest.mark.parametrize("broken", [{"reset": True}, {"status": 500}, {"status": 502}, {"status": 503}], ids=str)
def test_a_request_that_is_not_idempotent_is_not_retried_once_it_may_have_arrived(
    transport, host, reply, endpoint, broken
):
    host.on(f"POST /api/v1{endpoint.path}", reply(**broken))

    with pytest.raises(errors.OutcomeUnknown, match=r"may have been carried out"):
        transport.send(endpoint, {"x": 1})

    assert 1 == transport.requests_made


def test_a_request_that_is_not_idempotent_is_retried_after_a_429(transport, host, reply):
    host.on("POST /api/v1/tickets", reply(429), reply(body={"ticket_id": "1"}))

    assert {"ticket_id": "1"} == transport.send(endpoints.CREATE_TICKET, {"ticket_id": "1"})


def test_metrics_are_retried_after_a_500_and_not_after_a_lost_reply(transport, host, reply):
    host.on("POST /api/v1/agent-metrics-batch", reply(500), reply(201, {"results": [{"metric_id": "m"}]}))
    assert [{"metric_id": "m"}] == send_batch(transport, endpoints.CREATE_AGENT_METRICS, [{"metric_id": "m"}])

    host.on("POST /api/v1/agent-metrics-batch", reply(reset=True))
    with pytest.raises(errors.OutcomeUnknown):
        send_batch(transport, endpoints.CREATE_AGENT_METRICS, [{"metric_id": "m"}])
    assert 3 == transport.requests_made


def test_metrics_that_get_only_500_may_have_been_carried_out(transport, host, reply):
    host.on("POST /api/v1/ticket-metrics-batch", reply(500))

    with pytest.raises(errors.OutcomeUnknown):
        send_batch(transport, endpoints.CREATE_TICKET_METRICS, [{"metric_id": "m"}])

    assert 6 == transport.requests_made


def test_metrics_that_get_only_503_were_not_accepted(transport, host, reply):
    host.on("POST /api/v1/ticket-metrics-batch", reply(503))

    with pytest.raises(errors.TryAgain) as caught:
        send_batch(transport, endpoints.CREATE_TICKET_METRICS, [{"metric_id": "m"}])

    assert type(caught.value) is errors.TryAgain


@pytest.mark.parametrize("size", [0, 501])
def test_a_batch_of_no_or_too_many_entries_is_not_sent(transport, size):
    with pytest.raises(errors.InvalidArgument, match=r"1 to 500"):
        send_batch(transport, endpoints.CREATE_AGENT_METRICS, [{}] * size)

    assert 0 == transport.requests_made


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_token_is_reported_at_once_with_where_to_create_one(transport, host, reply, status):
    host.on(TODO, reply(status, {"message": "no"}))

    with pytest.raises(errors.TokenRefused, match=r"expire after 90 days.*Other Settings > API Tokens"):
        transport.send(endpoints.GET_TODO, id="t1")

    assert 1 == transport.requests_made


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"message": "agents must not be empty"}, "agents must not be empty"),
        ({"error": {"message": "bad link"}}, "bad link"),
        ({"errors": [{"message": "one"}, {"detail": "two"}]}, "one; two"),
        ({"errors": ["one", "two"]}, "one; two"),
        ({"subject": "is required"}, "subject: is required"),
        (b"<html><title>Nope</title><style>p {}</style>\n<p>bad\nlink</p></html>", "Nope bad link"),
        (b"\xff\xfe plain", "plain"),
        ({"message": "x" * 5000}, "xxx…"),
        (b"", "no message"),
    ],
)
def test_a_refusal_carries_the_vendors_message(transport, host, reply, body, said):
    host.on("POST /api/v1/tickets", reply(422, body))

    with pytest.raises(errors.RequestRefused) as caught:
        transport.send(endpoints.CREATE_TICKET, {"ticket_id": "1"})

    assert said in str(caught.value)
    assert 422 == caught.value.status
    assert len(str(caught.value)) < 500
    assert "\n" not in str(caught.value)


def test_a_redirect_is_an_error_that_names_its_target_and_is_never_followed(transport, host, reply):
    host.on(TODO, reply(302, headers={"Location": f"{host.url}/elsewhere?secret=1"}))
    host.on("GET /elsewhere", reply(body={"id": "t1"}))

    with pytest.raises(errors.SettingsError, match=rf"{host.url}/elsewhere; .*MAESTRO_BASE_URL"):
        transport.send(endpoints.GET_TODO, id="t1")

    assert ["/api/v1/todos/t1"] == [seen.path for seen in host.seen]


@pytest.mark.parametrize("body", [b"", b"{", b"null"])
def test_a_successful_status_without_json_is_retried_and_then_reported(transport, host, reply, body):
    host.on(TODO, reply(200, body))

    with pytest.raises(errors.TryAgain, match=r"without the expected JSON"):
        transport.send(endpoints.GET_TODO, id="t1")

    assert 6 == transport.requests_made


def test_a_host_that_sends_web_pages_only_is_reported_as_a_wrong_base_url(transport, host, reply):
    host.on(TODO, reply(200, b"\n<html>sign in</html>"))

    with pytest.raises(errors.SettingsError, match=r"with a web page: .*MAESTRO_BASE_URL must end in /api/v1"):
        transport.send(endpoints.GET_TODO, id="t1")

    assert 3 == transport.requests_made


def test_a_web_page_between_answers_is_retried(transport, host, reply):
    page, todo = reply(200, b"<html>busy</html>"), reply(body={"id": "t1"})
    host.on(TODO, page, page, todo, *[page] * 5, todo)

    assert transport.send(endpoints.GET_TODO, id="t1") == {"id": "t1"}
    assert transport.send(endpoints.GET_TODO, id="t1") == {"id": "t1"}


def test_a_deletion_whose_reply_was_lost_succeeds_when_the_retry_gets_404(transport, host, reply):
    host.on("DELETE /api/v1/tickets/1", reply(reset=True), reply(404))

    Tickets(transport).delete_ticket("1")

    assert 2 == transport.requests_made


def test_a_deletion_of_nothing_is_refused(transport, host, reply):
    host.on("DELETE /api/v1/tickets/1", reply(404))

    with pytest.raises(errors.RequestRefused):
        Tickets(transport).delete_ticket("1")


@pytest.mark.parametrize("identifier", ["", "  ", ".", "..", 7, None])
def test_an_identifier_that_is_not_a_valid_path_segment_is_not_sent(transport, identifier):
    """`DELETE /tickets/..` would be `DELETE /`."""
    with pytest.raises(errors.InvalidArgument):
        transport.send(endpoints.DELETE_TICKET, ticket_id=identifier)

    assert 0 == transport.requests_made


def test_a_stop_event_ends_the_wait_for_the_next_attempt(settings, host, reply):
    """With a real clock: the wait would be a minute, and the stop comes from another thread while it lasts."""
    stop = threading.Event()

    def busy(seen):
        stop.set()
        return reply(429, headers={"Retry-After": "60"})

    host.on(TODO, busy)
    with Transport(settings) as transport, pytest.raises(Cancelled):
        transport.send(endpoints.GET_TODO, stop=stop, id="t1")


def test_a_client_needs_a_token(tmp_path):
    with pytest.raises(errors.SettingsError, match=r"MAESTRO_API_TOKEN_FILE"):
        Transport(Settings(cache=tmp_path, _env_file=None))


def test_endpoints_are_declared_once():
    declared = [(endpoint.method, endpoint.path, endpoint.parameters) for endpoint in endpoints.ENDPOINTS]

    assert len(declared) == len(set(declared)) == 25
    assert all(endpoint.reference for endpoint in endpoints.ENDPOINTS)


def test_a_redirect_to_an_invalid_url_is_reported_too(transport, host, reply):
    host.on(TODO, reply(302, headers={"Location": "http://[::1"}))

    with pytest.raises(errors.SettingsError, match=r"not a URL"):
        transport.send(endpoints.GET_TODO, id="t1")


@pytest.fixture
def self_signed(tmp_path):
    """A self-signed certificate of 127.0.0.1, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2120, 1, 1, tzinfo=UTC))
        .sign(key, hashes.SHA256())
    )
    (tmp_path / "certificate.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (tmp_path / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return tmp_path / "certificate.pem", tmp_path / "key.pem"


def test_an_untrusted_certificate_is_reported_at_once(settings, host, clock, self_signed):
    host.use_certificate(*self_signed)
    secure = settings.model_copy(update={"base_url": f"{host.url}/api/v1"})

    with (
        Transport(secure, clock=clock) as transport,
        pytest.raises(errors.SettingsError, match=r"certificate of 127.0.0.1"),
    ):
        transport.send(endpoints.GET_TODO, id="t1")

    assert 1 == transport.requests_made
    assert [] == host.seen


def test_other_tls_errors_are_retried(settings, host, clock):
    """A host that speaks no TLS, as a proxy in trouble may: that passes, or it is unreachable."""
    secure = settings.model_copy(update={"base_url": f"{host.url.replace('http', 'https')}/api/v1"})

    with Transport(secure, clock=clock) as transport, pytest.raises(errors.Unreachable):
        transport.send(endpoints.GET_TODO, id="t1")


def test_a_lone_surrogate_in_an_answer_becomes_the_replacement_character(transport, host, reply):
    host.on(TODO, reply(body=b'{"id": "t1", "title": "a\\ud800b", "pair": "\\ud83d\\ude00"}'))

    answer = transport.send(endpoints.GET_TODO, id="t1")

    assert {"id": "t1", "title": "a\ufffdb", "pair": "\U0001f600"} == answer


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("REQUESTS_CA_BUNDLE", "/nowhere/ca.pem", "/nowhere/ca.pem"),
        ("HTTPS_PROXY", "socks5://127.0.0.1:9", "SOCKS"),
    ],
)
def test_a_fault_of_this_machine_is_reported_at_once(settings, clock, monkeypatch, variable, value, said):
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable, value)
    remote = settings.model_copy(update={"base_url": "https://vendor.invalid/api/v1"})

    with Transport(remote, clock=clock) as transport, pytest.raises(errors.SettingsError, match=said):
        transport.send(endpoints.GET_TODO, id="t1")

    assert [] == [seconds for seconds in clock.waited if seconds >= 0.3]


def test_a_proxy_that_wants_a_password_is_reported_at_once(settings, host, reply, clock, monkeypatch):
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.setenv("HTTPS_PROXY", host.url)
    monkeypatch.setenv("https_proxy", host.url)
    remote = settings.model_copy(update={"base_url": "https://vendor.invalid/api/v1"})
    host.on("CONNECT vendor.invalid:443", reply(407))

    with Transport(remote, clock=clock) as transport, pytest.raises(errors.SettingsError, match=r"user and a password"):
        transport.send(endpoints.GET_TODO, id="t1")


def test_a_refusal_carries_no_escape_sequences_of_the_vendor(transport, host, reply):
    host.on(TODO, reply(422, {"message": "\x1b[31mred\x1b[0m \x1b]0;title\x07\u202eevil\x00"}))

    with pytest.raises(errors.RequestRefused) as caught:
        transport.send(endpoints.GET_TODO, id="t1")

    assert "red evil" == caught.value.vendor_message


def test_an_answer_that_drips_times_out(transport, host, reply, monkeypatch):
    """Each byte comes long before the read timeout, and the whole would take 20 s."""
    monkeypatch.setattr(transport_module, "DEADLINE_SECONDS", 0.5)
    host.on(TODO, reply(body=b" " * 1000, drip_seconds=0.02), reply(body={"id": "t1"}))

    assert {"id": "t1"} == transport.send(endpoints.GET_TODO, id="t1")

    assert 2 == transport.requests_made


def test_requests_of_one_thread_share_a_connection(transport, host, reply):
    connections = set()
    host.on(TODO, reply(body={"id": "t1"}))
    send = host.send
    host.send = lambda handler, answer: (connections.add(handler.client_address), send(handler, answer))

    for _ in range(3):
        transport.send(endpoints.GET_TODO, id="t1")

    assert 1 == len(connections)
