"""Each fault of the vendor: the run tells it or absorbs it, and once it is repaired the next run holds the truth."""

import itertools
import json
from datetime import UTC, datetime, timedelta
from threading import Event

import pytest
from werkzeug import Response

import maestro_analytics as ma
from maestro_analytics.cli.exit_codes import exit_code
from maestro_analytics.errors import ExportFailed, KindRefused, SchemaMismatch, SettingsError, UnreadableFile
from maestro_analytics.exports import PollPace
from maestro_analytics.exports.progress import Noticed, Requested
from maestro_analytics.reconcile import reconcile
from maestro_analytics.warehouse import Master
from maestro_analytics.warehouse.replay import replay
from tests.refresh.conftest import (
    NOW,
    QUICK,
    TRUE_TABLES,
    Impatient,
    assert_holds_the_truth,
    bring_up_to_date,
    centre,
    settings_for,
)

SINCE = NOW - timedelta(days=11)
RAW_TABLES = TRUE_TABLES[:5]
COACHING_TABLES = TRUE_TABLES[7:]


@pytest.fixture
def vendor(tmp_path):
    """A small contact centre, and settings that reach it."""
    with centre(agents=3, days=10) as sandbox:
        yield sandbox, settings_for(sandbox, tmp_path)


def table(settings, query):
    with ma.open(settings.database) as qa:
        return qa.sql(query)


@pytest.mark.parametrize(
    "fault", ["html-download", "unknown-status=2", "drip=1", "odd-nulls", "lines-before-header", "clock-offset=10"]
)
def test_a_fault_that_a_run_absorbs(vendor, fault):
    sandbox, settings = vendor
    sandbox.faults.switch_on(fault)
    report = bring_up_to_date(settings, sandbox, since=SINCE)
    assert (report.status, report.errors, report.gaps) == ("complete", [], [])
    assert_holds_the_truth(settings, sandbox)
    assert sandbox.received.violations == []


@pytest.mark.parametrize(
    ("fault", "error", "code", "words"),
    [
        ("missing-member", UnreadableFile, 6, "has no usable individual_answers file"),
        ("encrypted-member", UnreadableFile, 6, "is encrypted"),
        ("deflate64-member", UnreadableFile, 6, "compression method is not supported"),
        ("renamed-columns", SchemaMismatch, 6, "lacks gradable_id, agent_id, rubric_id, grade_type"),
        ("failed=99", ExportFailed, 6, "the status 'failed'"),
    ],
)
def test_a_fault_of_raw_exports_is_told_and_repaired_by_the_next_run(vendor, fault, error, code, words):
    """A first run lands everything, the vendor misbehaves for three days, then it is repaired."""
    sandbox, settings = vendor
    assert bring_up_to_date(settings, sandbox, since=SINCE, kinds=("raw",)).status == "complete"
    before = table(settings, "select grade_key from total_scores order by all")
    sandbox.advance(days=3)
    sandbox.faults.switch_on(fault)
    report = bring_up_to_date(settings, sandbox, kinds=("raw",))
    assert report.status in ("partial", "failed")
    assert all(isinstance(each, error) and words in str(each) for each in report.errors)
    assert {exit_code(each) for each in report.errors} == {code}
    assert report.gaps[-1]["window_end"] == sandbox.now.isoformat()
    after = table(settings, "select grade_key from total_scores order by all")
    assert before.join(after, on="grade_key", how="anti").is_empty()

    sandbox.faults.switch_off()
    assert bring_up_to_date(settings, sandbox, kinds=("raw",)).status == "complete"
    assert_holds_the_truth(settings, sandbox, RAW_TABLES)
    with Master.open(settings.data) as master:
        list(replay(master))
        master.publish()
    assert_holds_the_truth(settings, sandbox, RAW_TABLES)


def test_one_forbidden_kind_is_told_and_the_others_land(vendor):
    sandbox, settings = vendor
    sandbox.faults.switch_on("forbidden-endpoint")
    report = bring_up_to_date(settings, sandbox, since=SINCE)
    assert report.status == "partial"
    assert [(type(error), error.kind, error.status, exit_code(error)) for error in report.errors] == [
        (KindRefused, "audit", 403, 6)
    ]
    assert {gap["kind"] for gap in report.gaps} == {"audit"}
    assert_holds_the_truth(settings, sandbox, [name for name in TRUE_TABLES if name != "audit_logs"])

    sandbox.faults.switch_off()
    assert bring_up_to_date(settings, sandbox).status == "complete"
    assert_holds_the_truth(settings, sandbox)


def test_an_unknown_export_status_is_reported(vendor):
    sandbox, settings = vendor
    sandbox.faults.switch_on("unknown-status=1")
    events = []
    bring_up_to_date(settings, sandbox, since=SINCE, kinds=("groups",), on_event=events.append)
    assert len([event for event in events if isinstance(event, Noticed) and "queued" in str(event)]) == 1


def test_an_empty_groups_export_does_not_empty_the_groups(vendor):
    sandbox, settings = vendor
    bring_up_to_date(settings, sandbox, since=SINCE, kinds=("groups",))
    sandbox.faults.switch_on("empty-groups=1")
    report = bring_up_to_date(settings, sandbox, kinds=("groups",))
    assert report.warnings
    assert_holds_the_truth(settings, sandbox, ["agent_groups"])
    report = bring_up_to_date(settings, sandbox, kinds=("groups",))
    assert (report.status, report.warnings) == ("complete", [])
    assert_holds_the_truth(settings, sandbox, ["agent_groups"])


def test_updates_that_show_late_are_read_again(tmp_path):
    """The run in the middle of a working day misses the newest grades; the next one reads the last hour again."""
    with centre(agents=24, days=2) as sandbox:
        settings = settings_for(sandbox, tmp_path)
        bring_up_to_date(settings, sandbox, since=SINCE, kinds=("raw",))
        today = sandbox.truth.at(sandbox.now + timedelta(hours=8)).total_scores
        graded = min(row["date_graded"] for row in today if row["date_graded"] > sandbox.now + timedelta(hours=1))
        sandbox.advance(seconds=(graded - sandbox.now).total_seconds() + 60)
        sandbox.faults.switch_on("late-updates=5")
        bring_up_to_date(settings, sandbox, kinds=("raw",))
        assert table(settings, "from total_scores").height < len(sandbox.truth.total_scores)

        sandbox.faults.switch_off()
        sandbox.advance(minutes=15)
        assert bring_up_to_date(settings, sandbox, kinds=("raw",)).status == "complete"
        assert_holds_the_truth(settings, sandbox, RAW_TABLES)


def test_a_clock_that_is_a_day_ahead_stops_the_run(vendor):
    sandbox, settings = vendor
    sandbox.faults.switch_on("clock-offset=1500")
    report = bring_up_to_date(settings, sandbox, since=SINCE)
    assert report.status == "failed"
    assert [exit_code(error) for error in report.errors] == [3]
    assert "clock is 25 hours ahead" in str(report.errors[0])

    sandbox.faults.switch_off()
    assert bring_up_to_date(settings, sandbox, since=SINCE).status == "complete"
    assert_holds_the_truth(settings, sandbox)


def test_time_that_the_vendor_had_not_reached_is_asked_for_once_the_clock_is_set(tmp_path):
    """Our clock is 6 hours ahead: an export of the time up to now is asked for, and picked up after the repair."""
    with centre(agents=2, days=3, now=datetime.now(UTC), running=True) as sandbox:
        settings = settings_for(sandbox, tmp_path)
        sandbox.faults.switch_on("clock-offset=360")
        stop = Event()

        def stop_once_asked(event):
            if isinstance(event, Requested):
                stop.set()

        begun = {"since": sandbox.now - timedelta(days=4), "until": None, "kinds": ("raw",)}
        bring_up_to_date(settings, sandbox, **begun, on_event=stop_once_asked, stop=stop, pace=PollPace(1e6))
        assert len(sandbox.exports) == 1
        sandbox.faults.switch_off()
        picked_up = bring_up_to_date(settings, sandbox, **begun)
        assert (picked_up.status, [gap["kind"] for gap in picked_up.gaps]) == ("partial", ["raw"])
        assert bring_up_to_date(settings, sandbox, **begun).status == "complete"
        last = [request for request in sandbox.received.requests if request.method == "POST"][-1]
        assert datetime.fromisoformat(json.loads(last.body)["startDate"]) < sandbox.now - timedelta(hours=6)


def test_a_list_that_grows_while_it_is_read_is_whole(tmp_path):
    """The records that come meanwhile are of the next run; the clock runs, so that they are created after its start."""
    with centre(agents=8, days=60, now=datetime.now(UTC), running=True, largest_page=5) as sandbox:
        settings = settings_for(sandbox, tmp_path)
        sandbox.faults.switch_on("growing-list")
        report = bring_up_to_date(settings, sandbox, until=None, kinds=("coaching",))
        assert (report.status, report.errors) == ("complete", [])
        sandbox.faults.switch_off()
        assert bring_up_to_date(settings, sandbox, until=None, kinds=("coaching",)).status == "complete"
        assert_holds_the_truth(settings, sandbox, COACHING_TABLES)


def test_another_account_on_the_same_host_lands_nothing(vendor, tmp_path):
    sandbox, settings = vendor
    bring_up_to_date(settings, sandbox, since=SINCE)
    other = sandbox.add_account(seed=11, agents=2)
    with pytest.raises(SettingsError, match="two accounts are never mixed"):
        bring_up_to_date(settings_for(sandbox, tmp_path, api_token=other.token), sandbox, again=True)
    assert_holds_the_truth(settings, sandbox)
    apart = settings_for(sandbox, tmp_path / "other", api_token=other.token)
    assert bring_up_to_date(apart, sandbox, since=SINCE).status == "complete"
    assert_holds_the_truth(apart, other)


def test_an_export_that_is_empty_when_it_is_picked_up_again_is_asked_for_again(vendor):
    sandbox, settings = vendor
    sandbox.faults.switch_on("empty-url=99")
    stop = Event()

    def stop_once_asked(event):
        if isinstance(event, Requested):
            stop.set()

    never_polled = PollPace(first_seconds=1e6)
    interrupted = bring_up_to_date(
        settings, sandbox, since=SINCE, kinds=("raw",), on_event=stop_once_asked, stop=stop, pace=never_polled
    )
    assert interrupted.interrupted
    asked = len(sandbox.exports)
    assert asked > 0
    sandbox.faults.switch_off()
    report = bring_up_to_date(settings, sandbox, since=SINCE, kinds=("raw",))
    assert (report.status, report.errors) == ("complete", [])
    assert len(sandbox.exports) > asked
    assert_holds_the_truth(settings, sandbox, RAW_TABLES)


def test_an_export_is_asked_for_again_where_the_vendor_gave_the_id_of_another_one(vendor):
    sandbox, settings = vendor
    sandbox.faults.switch_on("earlier-id=2")
    report = bring_up_to_date(settings, sandbox, since=SINCE)
    assert (report.status, report.errors, report.warnings) == ("complete", [], [])
    assert_holds_the_truth(settings, sandbox)


def test_a_window_does_not_count_as_covered_by_the_file_of_another_one(vendor):
    sandbox, settings = vendor
    assert bring_up_to_date(settings, sandbox, since=SINCE, kinds=("raw", "audit")).status == "complete"
    covered = table(settings, "from state.coverage")
    before = sandbox.now
    sandbox.advance(days=1)
    sandbox.faults.switch_on("earlier-id=99")

    report = bring_up_to_date(settings, sandbox, kinds=("raw", "audit"))

    assert [exit_code(error) for error in report.errors] == [6, 6]
    assert all("with the id of another export" in str(error) for error in report.errors)
    assert {(gap["window_start"], gap["window_end"]) for gap in report.gaps} == {
        (before.isoformat(), sandbox.now.isoformat())
    }
    assert table(settings, "from state.coverage").equals(covered)
    assert not sum(report.tables.values())

    sandbox.faults.switch_off()
    assert bring_up_to_date(settings, sandbox, kinds=("raw", "audit")).status == "complete"
    assert_holds_the_truth(settings, sandbox, (*RAW_TABLES, "audit_logs"))


def test_grades_are_not_ghosts_where_the_vendor_gave_the_file_of_another_window(vendor):
    sandbox, settings = vendor
    assert bring_up_to_date(settings, sandbox, since=SINCE, kinds=("raw",)).status == "complete"
    sandbox.faults.switch_on("earlier-id=99")

    report = reconcile(
        settings, since=NOW - timedelta(days=3), until=sandbox.now, remove=True, pace=QUICK, clock=Impatient()
    )

    assert (report.ghosts.height, {exit_code(error) for error in report.errors}) == (0, {6})
    assert_holds_the_truth(settings, sandbox, RAW_TABLES)


def test_the_same_request_may_be_answered_with_the_same_export(vendor):
    sandbox, settings = vendor
    period = {"since": NOW - timedelta(days=5), "until": NOW - timedelta(days=1), "kinds": ("raw", "groups")}
    assert bring_up_to_date(settings, sandbox, **period).status == "complete"
    first = table(settings, "select kind, export_id, asked_at from state.exports order by seq")
    sandbox.faults.switch_on("earlier-id=99")

    report = bring_up_to_date(settings, sandbox, again=True, **period)

    assert (report.status, report.errors, report.warnings) == ("complete", [], [])
    assert len(sandbox.exports) == 2
    second = table(settings, "select kind, export_id, asked_at from state.exports order by seq offset 2")
    assert sorted(second.rows()) == sorted(first.rows())


def test_the_same_file_for_another_period_is_told(vendor, httpserver):
    """Each export has an id of its own here, and all have one file."""
    sandbox, settings = vendor
    asked = itertools.count(1)
    httpserver.expect_request("/api/v1/request-audit-log-export", method="POST").respond_with_handler(
        lambda request: Response(json.dumps({"exportId": f"e{next(asked)}"}))
    )
    httpserver.expect_request("/api/v1/get-export-data").respond_with_json(
        {"status": "complete", "dataUrl": httpserver.url_for("/file")}
    )
    httpserver.expect_request("/file").respond_with_data(
        "activity_id,time_stamp,user_email,item_type,action_type,description,ip_address\n"
        "a1,2026-03-10T09:30:00Z,jo@example.com,rubric,update,changed,\n"
    )
    settings = settings.model_copy(update={"base_url": httpserver.url_for("/api/v1")})

    report = bring_up_to_date(settings, sandbox, since=SINCE, kinds=("audit",))

    assert report.status == "complete", report.errors
    (warning,) = report.warnings
    assert "has the same bytes as that of the audit export 2026-03-09T09:30:00Z" in warning


def test_a_window_that_is_refused_with_the_same_bytes_is_asked_for_less_often(vendor):
    sandbox, settings = vendor
    sandbox.faults.switch_on("renamed-columns", "steady-files")
    for _ in range(2):
        report = bring_up_to_date(settings, sandbox, since=SINCE, kinds=("raw",))
        assert {type(error) for error in report.errors} == {SchemaMismatch}
    asked = len(sandbox.exports)
    report = bring_up_to_date(settings, sandbox, since=SINCE, kinds=("raw",))
    assert len(sandbox.exports) == asked
    assert any("refused 2 times" in warning for warning in report.warnings)
    assert report.gaps

    sandbox.faults.switch_off()
    assert bring_up_to_date(settings, sandbox, since=SINCE, kinds=("raw",), again=True).status == "complete"
    assert_holds_the_truth(settings, sandbox, RAW_TABLES)
