"""The same promises against the sandbox, which knows nothing of how the client works."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from pydantic import SecretStr

from maestro_analytics.api import Transport
from maestro_analytics.errors import TokenRefused
from maestro_analytics.push import push_agent_metrics, push_ticket_metrics
from maestro_analytics.sandbox import Sandbox
from tests.push.conftest import ClockThatJumps

NOW = datetime(2026, 3, 20, 9, 30, tzinfo=UTC)


@pytest.fixture(scope="module")
def contact_centre():
    with Sandbox(seed=3, agents=20, days=8, now=NOW, requests_per_second=None, requests_per_minute=None) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(contact_centre):
    contact_centre.faults.switch_off()
    inbox = contact_centre.received
    for held in (inbox.requests, inbox.agent_metrics, inbox.agent_metric_series, inbox.ticket_metrics):
        held.clear()
    return contact_centre


@pytest.fixture
def transport(settings, sandbox):
    reaching = settings.model_copy(update={"base_url": sandbox.base_url, "api_token": SecretStr(sandbox.token)})
    with Transport(reaching, clock=ClockThatJumps()) as transport:
        yield transport


def agents_of(sandbox):
    return sorted({group["agent_ids"][0] for group in sandbox.truth.agent_groups if group["agent_ids"]})


def hours(sandbox, count):
    """`count` hours of every agent, a value each."""
    rows = [
        (agent, "hours_worked", NOW - timedelta(hours=hour), float(hour))
        for agent in agents_of(sandbox)
        for hour in range(count)
    ]
    return pl.DataFrame(rows, schema=["agent_id", "metric_id", "timestamp", "metric_value"], orient="row")


def held(sandbox):
    return {key: metric.metric_value for key, metric in sandbox.received.agent_metric_series.items()}


def expected(frame):
    return {
        (agent, metric, moment.strftime("%Y-%m-%dT%H:%M:%SZ")): value
        for agent, metric, moment, value in frame.iter_rows()
    }


@pytest.mark.parametrize(
    "fault",
    [
        "lost-reply=2",
        "server-errors=3",
        "reset-before=3",
        "reset-after=3",
        "too-many-requests=3",
        "too-many-requests-bare=3",
    ],
)
def test_each_fault_of_the_sandbox_ends_with_exactly_the_right_values(transport, sandbox, fault):
    frame = hours(sandbox, 120)
    sandbox.faults.switch_on(fault)
    report = push_agent_metrics(transport, frame)
    sandbox.faults.switch_off()

    assert (report.rejected, report.unknown, report.sent) == ([], [], frame.height)
    assert held(sandbox) == expected(frame)
    assert {key[0]: metric.metric_value for key, metric in sandbox.received.agent_metrics.items()} == dict.fromkeys(
        agents_of(sandbox), 0.0
    )
    assert sandbox.received.violations == []
    assert push_agent_metrics(transport, frame).planned == 0


def test_agents_that_the_vendor_does_not_know_stand_alone(transport, sandbox):
    frame = hours(sandbox, 60)
    sandbox.faults.switch_on("unknown-agent=2")
    report = push_agent_metrics(transport, frame)

    refused = {told["agent_id"] for told in report.rejected}
    assert len(refused) == 2
    assert all("is not an agent's id or email" in told["reason"] for told in report.rejected)
    assert held(sandbox) == expected(frame.filter(~pl.col("agent_id").is_in(refused)))
    assert report.sent == frame.height - 60 * len(refused)


def test_a_token_that_expires_half_way_leaves_a_push_that_goes_on(transport, sandbox):
    frame = hours(sandbox, 120)
    sandbox.faults.switch_on("token-expires=2")
    with pytest.raises(TokenRefused):
        push_agent_metrics(transport, frame)
    assert len(held(sandbox)) == 1000

    sandbox.faults.switch_off()
    report = push_agent_metrics(transport, frame)
    assert (report.planned, report.unchanged) == (frame.height - 1000, 1000)
    assert held(sandbox) == expected(frame)


def test_a_ticket_metric_is_set_and_taken_away(transport, sandbox):
    grade = sandbox.truth.total_scores[0]
    row = {
        "ticket_id": grade["gradable_id"],
        "source_id": grade["source"],
        "agent_id": grade["agent_id"],
        "metric_id": "response_time",
        "metric_value": 32.0,
        "timestamp": "2026-03-13T05:00:00Z",
    }
    key = (row["ticket_id"], row["source_id"], row["agent_id"], row["metric_id"])
    assert push_ticket_metrics(transport, pl.DataFrame([row])).sent == 1
    assert sandbox.received.ticket_metrics[key].metric_value == 32.0

    assert push_ticket_metrics(transport, pl.DataFrame([row | {"metric_deleted": True}])).sent == 1
    assert key not in sandbox.received.ticket_metrics
    assert sandbox.received.violations == []
