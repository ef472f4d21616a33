"""A push goes only to the account whose data the folder holds, and never makes a refresh fail."""

import threading

import pytest

from maestro_analytics import account, pipeline, push
from maestro_analytics.api import Transport
from maestro_analytics.errors import AnotherRefresh, SettingsError
from maestro_analytics.push.ledger import PUBLISHING
from maestro_analytics.sandbox import Sandbox
from maestro_analytics.settings import Settings
from maestro_analytics.warehouse import Master


@pytest.fixture
def sandbox():
    with Sandbox(agents=4, days=10, requests_per_second=None, requests_per_minute=None) as made:
        yield made


@pytest.fixture
def settings_of(tmp_path):
    def settings_of(sandbox, token=None):
        return Settings(
            _env_file=None,
            api_token=token or sandbox.token,
            base_url=sandbox.base_url,
            data=tmp_path / "data",
            cache=tmp_path / "cache",
            requests_per_second=1000,
            requests_per_minute=60_000,
        )

    return settings_of


def test_a_push_with_the_token_of_another_account_is_refused_before_anything_is_sent(sandbox, settings_of, tmp_path):
    settings = settings_of(sandbox)
    with Master.open(settings.data) as master, Transport(settings) as transport:
        master.belongs_to(settings.host, settings.port)
        todo = {"id": "t", "agentId": "7", "answerId": "anotherAccount1_x_y"}
        master.land_coaching("todos", [todo], taken_at=transport.clock.utc())
        account.remember(master, transport, settings)
        master.connection.execute("update state.account set token_hash = 'of another token'")
        master.publish()
    file = tmp_path / "own.csv"
    file.write_text("agent_id,metric_id,metric_value,timestamp\n7,m,1,2026-01-05T00:00:00Z\n")

    with Transport(settings) as transport, pytest.raises(SettingsError, match="belongs to another account"):
        push.push_file(file, "agent", settings=settings, connect=lambda: transport)

    assert [] == sandbox.received.api("POST", "/agent-metrics-batch")


def test_a_refresh_waits_for_a_push_that_publishes(sandbox, settings_of, monkeypatch):
    monkeypatch.setattr(pipeline, "WAIT_SECONDS", 0.05)
    settings = settings_of(sandbox)
    publishing = Master.open(settings.data, command=PUBLISHING)
    threading.Timer(0.5, publishing.close).start()

    report = pipeline.run(settings, kinds=["groups"])

    assert report.status == "complete"


def test_a_refresh_does_not_wait_for_another_command(sandbox, settings_of):
    settings = settings_of(sandbox)
    with Master.open(settings.data, command="compact"), pytest.raises(AnotherRefresh, match="compact"):
        pipeline.run(settings, kinds=["groups"])
