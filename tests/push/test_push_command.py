"""`maestro-analytics push`: what it prints, and with which exit code it leaves."""

import json

import polars as pl
import pytest
from typer.testing import CliRunner

from maestro_analytics import cli
from maestro_analytics.errors import MaestroError
from maestro_analytics.push import METRICS
from tests.push.conftest import grade

WEEK = "2026-01-05T00:00:00Z"


@pytest.fixture
def run(settings, monkeypatch, tmp_path):
    """Runs the command in this process: exit code, standard output, standard error."""
    monkeypatch.chdir(tmp_path)
    for name, value in {
        "API_TOKEN": settings.token,
        "BASE_URL": settings.base_url,
        "DATA": settings.data,
        "CACHE": settings.cache,
        "REQUESTS_PER_SECOND": 1000,
        "REQUESTS_PER_MINUTE": 60_000,
    }.items():
        monkeypatch.setenv(f"MAESTRO_{name}", str(value))

    def run(*arguments):
        result = CliRunner().invoke(cli.application(), ["push", *arguments])
        code = cli.exit_code(result.exception) if isinstance(result.exception, MaestroError) else result.exit_code
        return code, result.stdout, result.stderr

    return run


def write(tmp_path, *rows):
    pl.DataFrame(rows, schema=["agent_id", "metric_id", "metric_value", "timestamp"], orient="row").write_csv(
        tmp_path / "metrics.csv"
    )


def test_json_is_one_object_with_the_counts_and_the_lists(run, publish, vendor):
    publish(total_scores=[grade("7", 80.0), grade("8", 70.0)])
    code, out, _ = run("agent-metrics", "--metric", "qa_score", "--metric", "qa_grades", "--json")

    assert code == 0
    printed = json.loads(out)
    assert printed.pop("started_at") <= printed.pop("finished_at")
    assert printed == {
        "schema_version": 1,
        "exit_code": 0,
        "kind": "agent",
        "dry_run": False,
        "planned": 4,
        "sent": 4,
        "unchanged": 0,
        "repeated": 0,
        "resent": 0,
        "requests": 1,
        "rejected": [],
        "unknown": [],
        "warnings": [],
        "stopped_by": None,
    }
    assert json.loads(run("agent-metrics", "--metric", "qa_score", "--json")[1])["unchanged"] == 2


def test_a_rejected_entry_is_listed_and_the_exit_code_says_partial(run, vendor, tmp_path):
    write(tmp_path, ("7", "m", 1.0, WEEK), ("ghost", "m", 2.0, WEEK))
    vendor.unknown_agents = {"ghost"}
    code, out, err = run("file", "metrics.csv", "--kind", "agent", "--json")

    assert code == 6
    assert json.loads(out)["rejected"] == [
        {
            "agent_id": "ghost",
            "metric_id": "m",
            "timestamp": WEEK,
            "reason": "some agent_id is not associated with an agent",
        }
    ]
    assert json.loads(out)["sent"] == 1
    assert "no published database" in err


def test_an_agent_whom_the_database_does_not_know_is_not_sent(run, vendor, publish, tmp_path):
    publish(total_scores=[grade("7", 80.0)])
    write(tmp_path, ("7", "m", 1.0, WEEK), ("ghost", "m", 2.0, WEEK))
    code, out, _ = run("file", "metrics.csv", "--kind", "agent", "--json")

    assert code == 6
    assert [told["agent_id"] for told in json.loads(out)["rejected"]] == ["ghost"]
    assert vendor.one == {("7", "m"): 1.0}
    assert json.loads(out)["planned"] == 1


def test_an_outcome_that_stays_unknown_is_listed(run, vendor, tmp_path):
    write(tmp_path, ("7", "m", 1.0, WEEK))
    vendor.faults.extend(["lost"] * 3)
    code, out, _ = run("file", "metrics.csv", "--kind", "agent", "--json")
    report = json.loads(out)

    assert code == 6
    assert [told["agent_id"] for told in report["unknown"]] == ["7"]
    assert (report["sent"], report["resent"], report["rejected"]) == (0, 2, [])


def test_a_dry_run_needs_no_token_and_prints_the_difference(run, vendor, publish, monkeypatch):
    publish(total_scores=[grade("7", 80.0)])
    run("agent-metrics", "--metric", "qa_score")
    publish(total_scores=[grade("7", 90.0)])
    monkeypatch.delenv("MAESTRO_API_TOKEN")
    code, out, err = run("agent-metrics", "--metric", "qa_score", "--dry-run")

    assert (code, err) == (0, "")
    assert out.splitlines() == [
        "would send 1 agent metrics in 1 request, 0 unchanged",
        "  7 qa_score 2026-03-04T00:00:00Z: 80.0 -> 90.0",
    ]
    assert vendor.requests == 1


def test_without_a_token_nothing_is_tried_and_nothing_planned_is_lost(run, vendor, publish, monkeypatch):
    publish(total_scores=[grade("7", 80.0)])
    monkeypatch.delenv("MAESTRO_API_TOKEN")
    assert run("agent-metrics", "--metric", "qa_score")[0] == 3
    assert vendor.requests == 0
    monkeypatch.setenv("MAESTRO_API_TOKEN", "found-again")
    assert run("agent-metrics", "--metric", "qa_score")[0] == 0


def test_a_refused_token_leaves_with_3_and_says_how_far_it_came(run, vendor, publish):
    publish(total_scores=[grade("7", 80.0)])
    vendor.faults.append("401")
    code, out, _ = run("agent-metrics", "--metric", "qa_score", "--json")
    assert code == 3
    assert json.loads(out)["stopped_by"].startswith("TokenRefused: 401")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["agent-metrics"], 2),
        (["agent-metrics", "--metric", "qa_skore"], 2),
        (["agent-metrics", "--metric", "qa_score", "--period", "year"], 2),
        (["agent-metrics", "--metric", "qa_score", "--since", "yesterday"], 2),
        (["agent-metrics", "--metric", "qa_score"], 3),
        (["file", "absent.csv", "--kind", "agent"], 2),
        (["file", "absent.csv", "--kind", "grader"], 2),
        (["file", "absent.csv"], 2),
    ],
)
def test_wrong_options_leave_with_2_and_a_missing_database_with_3(run, arguments, code):
    assert run(*arguments)[0] == code


def test_help_lists_every_metric_of_the_catalogue(run):
    code, out, _ = run("agent-metrics", "--help")
    assert code == 0
    assert [metric.name for metric in METRICS if f"  {metric.name} ({metric.unit})\n" not in out] == []
