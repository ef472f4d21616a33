"""`refresh --wait`, `--quiet` and `--forget`, `ma.refresh`, and the JSON object of every way in which a run ends."""

import json
from datetime import UTC, datetime, timedelta

import pytest

import maestro_analytics as ma
from maestro_analytics.errors import AnotherRefresh, SettingsError
from maestro_analytics.pipeline import plan
from maestro_analytics.sandbox import Sandbox
from maestro_analytics.warehouse import Master
from tests.commands import run
from tests.refresh.conftest import (
    NOW,
    TRUE_TABLES,
    Impatient,
    assert_holds_the_truth,
    bring_up_to_date,
    centre,
    settings_for,
)

SINCE = NOW - timedelta(days=6)


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox(seed=3, agents=2, days=5, requests_per_second=None, requests_per_minute=None) as served:
        yield served


@pytest.fixture
def vendor(tmp_path):
    with centre(agents=2, days=5) as small:
        yield small, settings_for(small, tmp_path)


def test_a_run_waits_for_another_one_to_end(vendor):
    sandbox, settings = vendor
    with Master.open(settings.data, command="refresh") as holder:

        class EndsTheOther(Impatient):
            def wait(self, seconds, stop=None):
                holder.close()
                super().wait(seconds, stop)

        report = bring_up_to_date(settings, sandbox, kinds=("groups",), wait_seconds=600, clock=EndsTheOther())
    assert report.status == "complete"


def test_a_run_does_not_wait_unless_asked_to(vendor):
    sandbox, settings = vendor
    with Master.open(settings.data, command="refresh"), pytest.raises(AnotherRefresh):
        bring_up_to_date(settings, sandbox, kinds=("groups",))


def test_a_run_ends_at_its_deadline_with_what_has_landed(sandbox, tmp_path):
    sandbox.faults.switch_on("never-ends=2")
    done = run(tmp_path, "refresh", "--only", "groups,raw", "--json", "--deadline", "2", sandbox=sandbox)
    sandbox.faults.switch_off()
    report = json.loads(done.stdout)
    assert (done.returncode, report["status"] in ("partial", "failed")) == (6, True), done.stderr
    assert ["ended after 2 s" in error["message"] for error in report["errors"]] == [True]


def test_forget_starts_from_since_and_not_from_earlier_runs(vendor):
    sandbox, settings = vendor
    later = NOW - timedelta(days=2)
    bring_up_to_date(settings, sandbox, since=SINCE, kinds=("raw",))
    with Master.open(settings.data) as master:
        assert master.first_since() == {"raw": SINCE}
    bring_up_to_date(settings, sandbox, since=later, kinds=("raw",))
    with Master.open(settings.data) as master:
        assert master.first_since() == {"raw": SINCE}
    bring_up_to_date(settings, sandbox, since=later, kinds=("raw",), forget=True)
    with Master.open(settings.data) as master:
        assert master.first_since() == {"raw": later}


def test_the_public_refresh_takes_dates_as_text_and_returns_the_report(vendor):
    sandbox, settings = vendor
    report = ma.refresh(since=f"{SINCE:%Y-%m-%d}", until=sandbox.now, settings=settings, on_event=lambda event: None)
    assert report.status == "complete"
    assert report.tables["total_scores"] == len(sandbox.truth.total_scores) > 0
    assert report.started_at < report.finished_at
    assert_holds_the_truth(settings, sandbox, TRUE_TABLES)


def test_the_public_refresh_raises_what_leaves_nothing_to_do(vendor, tmp_path):
    sandbox, _ = vendor
    settings = settings_for(sandbox, tmp_path, api_token="another")
    with pytest.raises(SettingsError):
        ma.refresh(since=SINCE, until=NOW, settings=settings, on_event=lambda event: None)


def test_a_quiet_run_prints_nothing_unless_something_is_wrong(sandbox, tmp_path):
    done = run(tmp_path, "refresh", "--only", "groups", "--quiet", sandbox=sandbox)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    refused = run(tmp_path, "refresh", "--quiet", sandbox=sandbox, MAESTRO_API_TOKEN="wrong-secret")
    assert refused.returncode == 3
    assert "Tokens expire after 90 days" in refused.stderr


@pytest.mark.parametrize(
    ("words", "environment", "fault", "code"),
    [
        (("--only", "groups"), {}, None, 0),
        (("--only", "everything"), {}, None, 2),
        (("--no-such-option",), {}, None, 2),
        (("--only", "groups"), {"MAESTRO_API_TOKEN": "wrong"}, None, 3),
        (("--only", "groups"), {"MAESTRO_API_TOKEN": ""}, None, 3),
        (("--only", "groups,audit", "--since", "2 days"), {}, None, 2),
        (("--only", "groups,audit"), {}, "forbidden-endpoint", 6),
    ],
)
def test_every_end_prints_one_object_with_its_moments_and_exit_code(sandbox, tmp_path, words, environment, fault, code):
    sandbox.faults.switch_off()
    sandbox.faults.switch_on(*([fault] if fault else []))
    before = datetime.now(UTC)
    done = run(tmp_path, "refresh", "--json", *words, sandbox=sandbox, **environment)
    assert done.returncode == code, done.stderr
    printed = json.loads(done.stdout)
    assert printed["exit_code"] == code
    assert printed["schema_version"] == 1
    moments = [datetime.fromisoformat(printed[name]) for name in ("started_at", "finished_at")]
    assert before < moments[0] < moments[1] < datetime.now(UTC)
    assert (printed["status"] == "complete") == (code == 0)
    assert bool(printed["errors"]) == (code != 0)


def test_a_plan_after_forgetting_covers_the_default_period(vendor):
    sandbox, settings = vendor
    bring_up_to_date(settings, sandbox, since=SINCE, kinds=("raw",))
    kept, forgotten = (
        plan(settings, until=sandbox.now, kinds=("raw",), forget=forget, clock=Impatient()) for forget in (False, True)
    )
    assert kept.windows["raw"] == []
    assert min(window.start for window in forgotten.windows["raw"]) == NOW - timedelta(days=90)
