"""A push and whoever else uses the token at the same time stay within one budget."""

import subprocess
import sys

import polars as pl

from maestro_analytics.api import ApiClient
from maestro_analytics.pushback import push_agent_metrics
from maestro_analytics.sandbox import Sandbox
from maestro_analytics.settings import Settings
from tests.pushback.test_sandbox_faults import NOW, agents_of

READS_LISTS = """
import sys
from pathlib import Path
from maestro_analytics.api import ApiClient
from maestro_analytics.settings import Settings

base_url, token, folder = sys.argv[1:]
with ApiClient(Settings(_env_file=None, base_url=base_url, api_token=token, cache=Path(folder))) as client:
    print("ready", flush=True)
    while client.requests_made < 25:
        client.list_all("todos")
"""


def test_a_push_and_another_process_never_see_a_429(tmp_path):
    """25 requests each at 9 a second, against the limits of the reference as real sliding windows."""
    with Sandbox(seed=3, agents=20, days=8, now=NOW, requests_per_second=10, requests_per_minute=100) as sandbox:
        settings = Settings(
            _env_file=None,
            base_url=sandbox.base_url,
            api_token=sandbox.token,
            data=tmp_path / "data",
            cache=tmp_path / "cache",
        )
        hours = pl.DataFrame(
            {"timestamp": [NOW.replace(day=day, hour=hour) for day in range(1, 20) for hour in range(24)]}
        )
        frame = (
            pl.DataFrame({"agent_id": agents_of(sandbox)})
            .join(hours, how="cross")
            .join(pl.DataFrame({"metric_id": ["hours_worked", "calls"]}), how="cross")
            .with_columns(metric_value=1.0)
            .head(12_000)
        )
        with subprocess.Popen(
            [sys.executable, "-c", READS_LISTS, sandbox.base_url, sandbox.token, str(settings.cache)],
            stdout=subprocess.PIPE,
        ) as other:
            other.stdout.readline()
            with ApiClient(settings) as client:
                report = push_agent_metrics(client, frame)
            other.communicate()
        statuses = [request.status for request in sandbox.received.api()]
        made_by_others = len(statuses) - report.requests

    assert report.sent == frame.height == 12_000
    assert report.requests == 24
    assert other.returncode == 0
    assert made_by_others >= 25
    assert set(statuses) == {200, 201}
