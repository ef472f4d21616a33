"""A push and a refresh at the same time, on one data folder and under one token, share one budget."""

import json
import subprocess
from datetime import UTC, datetime, timedelta

import polars as pl

from maestro_analytics import warehouse
from maestro_analytics.api import Transport
from maestro_analytics.push import push_agent_metrics
from maestro_analytics.push.entries import Kind
from maestro_analytics.push.ledger import read_ledger
from maestro_analytics.sandbox import Sandbox
from maestro_analytics.settings import Settings
from tests.commands import COMMAND
from tests.push.conftest import command_environment
from tests.push.test_sandbox_faults import agents_of

REFRESH = [*COMMAND, "refresh", "--json"]


def values(agents, count):
    """A value for each agent and hour, `count` in all, none in the future."""
    start = datetime(2026, 1, 1, tzinfo=UTC)
    hours = pl.DataFrame({"timestamp": [start + timedelta(hours=hour) for hour in range(-(-count // len(agents)))]})
    frame = pl.DataFrame({"agent_id": agents}).join(hours, how="cross").head(count)
    return frame.with_columns(metric_id=pl.lit("hours_worked"), metric_value=1.0)


def test_a_refresh_and_a_push_of_24_batches_never_see_a_429(tmp_path):
    """The limits of the reference, as real sliding windows, and our own pace of 9 a second and 95 a minute."""
    with Sandbox(seed=3, agents=20, days=8, running=True, requests_per_second=10, requests_per_minute=100) as sandbox:
        settings = Settings(
            _env_file=None,
            base_url=sandbox.base_url,
            api_token=sandbox.token,
            data=tmp_path / "data",
            cache=tmp_path / "cache",
        )
        frame = values(agents_of(sandbox), 12_000)
        since = f"{sandbox.now - timedelta(days=9):%Y-%m-%d}"
        with subprocess.Popen(
            [*REFRESH, "--since", since],
            cwd=tmp_path,
            env=command_environment(settings),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as refresh:
            refresh.stderr.readline()  # it has begun
            with Transport(settings) as transport:
                report = push_agent_metrics(transport, frame)
            refreshed = json.loads(refresh.communicate()[0])
        statuses = [request.status for request in sandbox.received.api()]
        assert sandbox.received.violations == []

    assert (report.sent, report.requests) == (12_000, 24)
    assert refreshed["status"] == "complete"
    assert set(statuses) == {200, 201}
    assert len(statuses) == 24 + refreshed["requests"]
    assert read_ledger(settings.data, Kind.AGENT)["status"].value_counts().rows() == [("acknowledged", 12_000)]
    with warehouse.open(settings.database) as store:
        assert store.sql("from total_scores").height == refreshed["tables"]["total_scores"] > 0
