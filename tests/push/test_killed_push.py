"""A push that is killed, as a process of its own, is continued by the next one."""

import json
import signal
import subprocess

import polars as pl
import pytest

from maestro_analytics.errors import AnotherRefresh
from maestro_analytics.push import push_file
from maestro_analytics.push.entries import Kind
from maestro_analytics.push.ledger import FILE_NAME, read_ledger
from tests.commands import COMMAND
from tests.push.conftest import command_environment

NO_DATABASE = "warning: no published database to know the agents from: the vendor alone judges them\n"
UNHURRIED_BY_LIMITS = {"MAESTRO_REQUESTS_PER_SECOND": "1000", "MAESTRO_REQUESTS_PER_MINUTE": "60000"}


@pytest.fixture
def start(settings, tmp_path):
    """Starts the command in a process of its own; those still running at the end are stopped."""
    running = []

    def start(*arguments):
        process = subprocess.Popen(
            [*COMMAND, "push", "file", *arguments, "--kind", "agent", "--json"],
            cwd=tmp_path,
            env=command_environment(settings) | UNHURRIED_BY_LIMITS,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        running.append(process)
        return process

    yield start
    for process in running:
        process.kill()
        process.communicate()


def write_metrics(path, entries=1800):
    rows = [(f"{agent:04}", "m", "2026-01-05T00:00:00Z", float(agent)) for agent in range(entries)]
    frame = pl.DataFrame(rows, schema=["agent_id", "metric_id", "timestamp", "metric_value"], orient="row")
    frame.write_csv(path)
    return {(agent, metric, moment): value for agent, metric, moment, value in frame.iter_rows()}


@pytest.fixture
def push(settings, transport, tmp_path):
    """Pushes the same file in this process."""

    def push(*, dry_run=False):
        return push_file(
            tmp_path / "metrics.csv", "agent", settings=settings, connect=lambda: transport, dry_run=dry_run
        )

    return push


@pytest.mark.parametrize("is_carried_out", [False, True], ids=["not carried out", "carried out"])
def test_a_push_killed_between_sending_and_acknowledgement_is_continued(
    vendor, start, push, settings, tmp_path, is_carried_out
):
    values = write_metrics(tmp_path / "metrics.csv")
    processes = []

    def kill(entries):
        if is_carried_out:
            vendor.keep(entries)
        processes[0].send_signal(signal.SIGKILL)
        processes[0].wait()

    vendor.faults.extend(["ok", kill])
    processes.append(start("metrics.csv"))
    processes[0].communicate()
    assert processes[0].returncode == -signal.SIGKILL
    statuses = read_ledger(settings.data, Kind.AGENT)["status"].value_counts().rows()
    assert sorted(statuses) == [("acknowledged", 500), ("planned", 800), ("sent", 500)]

    report = push()
    assert (report.planned, report.sent, report.unchanged) == (1300, 1300, 500)
    assert vendor.series == values
    assert push().planned == 0


def test_a_push_killed_between_two_batches_is_continued(vendor, start, push, tmp_path):
    values = write_metrics(tmp_path / "metrics.csv")
    first = start("metrics.csv")
    vendor.after_reply = first.kill
    first.communicate()
    vendor.after_reply = lambda: None
    assert first.returncode == -signal.SIGKILL
    assert 500 <= len(vendor.series) < 1800

    report = push()
    assert report.sent == report.planned >= 800
    assert vendor.series == values


def test_while_a_push_runs_another_is_told_who_it_is_and_a_dry_run_waits_for_nobody(vendor, start, push, tmp_path):
    write_metrics(tmp_path / "metrics.csv", 600)
    met = []

    def ask_meanwhile(entries):
        with pytest.raises(AnotherRefresh) as refused:
            push()
        met.extend([refused.value.pid, push(dry_run=True)])
        vendor.keep(entries)
        return 201, {"results": vendor.results(entries)}

    vendor.faults.extend(["ok", ask_meanwhile])
    first = start("metrics.csv")
    out, err = first.communicate()

    assert (first.returncode, err) == (0, NO_DATABASE)
    pid, plan = met
    assert pid == first.pid
    assert (plan.planned, plan.unchanged, plan.requests) == (100, 500, 1)
    assert json.loads(out)["sent"] == 600
    assert vendor.requests == 2


def test_the_token_is_nowhere_in_the_data_folder(vendor, start, settings, tmp_path):
    write_metrics(tmp_path / "metrics.csv", 3)
    vendor.unknown_agents = {"0001"}
    process = start("metrics.csv")
    out, err = process.communicate()

    assert process.returncode == 6
    assert vendor.tokens == {settings.token}
    assert settings.token not in out + err
    assert (settings.data / FILE_NAME).exists()
    for path in settings.data.rglob("*"):
        if path.is_file():
            assert settings.token.encode() not in path.read_bytes()
